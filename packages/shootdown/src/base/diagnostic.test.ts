// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import {
  type Diagnostic,
  formatDiagnostic,
  layoutDiagnostic,
  printable,
  quote,
} from "./diagnostic.ts";
import type { Span } from "./span.ts";

/** The span of the first `word` in `text`. */
function spanOf(text: string, word: string): Span {
  const offset = text.indexOf(word);
  const lines = text.slice(0, offset).split("\n");
  const col = lines.at(-1)!.length + 1;
  return { file: "a.litmus", line: lines.length, col, offset, end: offset + word.length };
}

function diagnose(text: string, word: string): Diagnostic {
  return { code: "L000", span: spanOf(text, word), message: "it is wrong", notes: [] };
}

/** The excerpt without position and gutter. */
function excerpt(text: string, word: string): string[] {
  const lines = formatDiagnostic(diagnose(text, word), text).split("\n").slice(1);
  return lines.map((line) => line.slice("    1 | ".length));
}

test("position, message, code, text, marks, notes", () => {
  const text = "one\ntwo three\nfour\n";
  const diagnostic: Diagnostic = {
    ...diagnose(text, "three"),
    notes: [{ message: "think" }, { message: "see here", span: spanOf(text, "one") }],
  };
  expect(formatDiagnostic(diagnostic, text)).toBe(`a.litmus:2:5: error: it is wrong [L000]
    2 | two three
      |     ^~~~~
note: think
a.litmus:1:1: note: see here
    1 | one
      | ^~~`);
  const roles = layoutDiagnostic(diagnostic, text).map((line) => line.map((piece) => piece.role));
  expect(roles).toEqual([
    ["position", "error", "message", "code"],
    ["gutter", "source"],
    ["gutter", "mark"],
    ["note", "message"],
    ["position", "note", "message"],
    ["gutter", "source"],
    ["gutter", "mark"],
  ]);
});

test("tabs stay, and the marks repeat them", () => {
  expect(excerpt("\tab\tbad\tc", "bad")).toEqual(["\tab\tbad\tc", "\t  \t^~~"]);
});

test("a carriage return ends the line", () => {
  expect(excerpt("a bad\r\nb", "bad")).toEqual(["a bad", "  ^~~"]);
});

test("a point and the end of the text have one mark", () => {
  expect(excerpt("abc", "")).toEqual(["abc", "^"]);
  const span: Span = { file: "f", line: 1, col: 4, offset: 3, end: 3 };
  const lines = formatDiagnostic({ code: "X", span, message: "m", notes: [] }, "abc").split("\n");
  expect(lines.slice(1)).toEqual(["    1 | abc", "      |    ^"]);
});

test("a stretch over several lines is marked to the end of its first", () => {
  expect(excerpt("a bad\nline", "bad\nline")).toEqual(["a bad", "  ^~~"]);
});

test("a long line is cut around the error", () => {
  const text = `${"a".repeat(500)} bad ${"b".repeat(500)}`;
  const [source, marks] = excerpt(text, "bad");
  expect(source).toMatch(/^\.\.\.a+ bad b+\.\.\.$/);
  expect(source!.length).toBeLessThan(110);
  expect(marks!.indexOf("^")).toBe(source!.indexOf("bad"));
});

test("characters that a terminal obeys are not printed", () => {
  expect(excerpt("\u001b[31m \u202e bad", "bad")).toEqual([".[31m . bad", "        ^~~"]);
  expect(printable("\u001b[31m")).toBe("U+001B[31m");
  expect(quote("a\nb")).toBe("'aU+000Ab'");
  expect(quote("x".repeat(1000))).toBe(`'${"x".repeat(40)}...'`);
  const astral = excerpt("\u{1F600} bad", "bad");
  expect(astral).toEqual(["\u{1F600} bad", "  ^~~"]);
});
