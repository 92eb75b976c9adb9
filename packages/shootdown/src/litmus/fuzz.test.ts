// SPDX-License-Identifier: Apache-2.0
// Hostile input: no text makes the reader throw or hang, and every diagnostic points into the text.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { mutations } from "../../../../test/support/mutations.ts";
import { formatDiagnostic } from "../base/diagnostic.ts";
import { MAX_DIAGNOSTICS } from "./codes.ts";
import { parseScenario } from "./parse.ts";
import { kindOf, MAX_SOURCE_BYTES } from "./source.ts";

const SEED = `MM a+b (* It shows nothing at all.
 * Result: Never machine=arm64 set=k=v *)
{ mm A; page P; map A:x -> P read-only; vma A:x..y writable; device D in A cached x; }
kernel k for linux-6.1 { bool f(mm) = true; in g: drop 3; in h { move 2 after l; }
  void g(cpu, mm, desc e) { desc o = *ptep(mm, va), n; if (!o.valid && (f(mm) || n == 0)) return;
    else o = { e, .AF = true };
    for_each(va, [va, va + 1)) { l: flush(cpu, x: c ? 1 : 2); } } /* c */ }
CPU0(A) { loop { store x; } munmap x..y; f(A:x, 3); }
D { load x; }
~exists (stuck(D) /\\ (A:x = P \\/ ~b))
`;

const PIECES = [
  ..."{}();:,~=.",
  ..."\n\t\r\0\uFEFF\u2028\uFFFDé",
  "(*",
  "*)",
  "->",
  "..",
  "/\\",
  "\\/",
  "Result:",
  "set=",
  "loop {",
  "exists (",
  "CPU0",
  "kernel {",
  "in f: drop",
  "*ptep(",
  "/*",
  '"',
  "[a, b)",
  "999999999999999999999",
  "\u{1F600}",
  "\uD800",
];

/** Everything that must hold of any input. */
function expectSane(input: Uint8Array | string): void {
  kindOf(input);
  const result = parseScenario(input, { file: "f" });
  if (result.ok) return;
  expect(result.diagnostics.length).toBeGreaterThan(0);
  expect(result.diagnostics.length).toBeLessThanOrEqual(MAX_DIAGNOSTICS);
  let last = 0;
  for (const diagnostic of result.diagnostics) {
    const { line, col, offset, end } = diagnostic.span;
    expect(offset).toBeGreaterThanOrEqual(last);
    expect(end).toBeGreaterThanOrEqual(offset);
    expect(offset).toBeLessThanOrEqual(result.text.length);
    last = offset;
    if (result.text.length < 10_000) {
      const before = result.text.slice(0, offset).split("\n");
      expect([line, col]).toEqual([before.length, before.at(-1)!.length + 1]);
    }
    const printed = formatDiagnostic(diagnostic, result.text);
    expect(printed.startsWith(`f:${line}:${col}: error: `)).toBe(true);
    expect(printed.replace(/[\n\t]/g, "")).not.toMatch(/[\p{Cc}\p{Zl}]/u);
    for (const text of printed.split("\n")) expect(text.length).toBeLessThan(400);
  }
}

test("mutated scenarios", () => {
  fc.assert(fc.property(mutations(SEED, PIECES), expectSane), { numRuns: 3000, seed: 1 });
});

test("sequences of tokens", () => {
  const words = [...PIECES, ...SEED.split(/\s+/)];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...words), { maxLength: 60 }), (list) => {
      expectSane(list.join(" "));
      expectSane(`MM a (* one two three *) ${list.join(" ")}`);
    }),
    { numRuns: 1000, seed: 1 },
  );
});

test("random bytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectSane(bytes)),
    { numRuns: 500, seed: 1 },
  );
});

test("UTF-8 is decoded as the platform does, to the first bad byte", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const bytes = new TextEncoder().encode(`MM${text}`);
      const result = parseScenario(bytes);
      expect(result.text).toBe(new TextDecoder().decode(bytes));
    }),
    { numRuns: 300, seed: 1 },
  );
});

describe("large input of one kind", () => {
  const fill = (piece: string, prefix = "") =>
    prefix + piece.repeat(Math.floor((MAX_SOURCE_BYTES - prefix.length) / piece.length));
  const inBody = "MM a (* one two three *) { va x; } CPU0 { ";
  const inKernel = "MM a (* one two three *) { va x; } kernel {";
  const inCondition = `${inBody} } exists (`;
  test.each([
    ["10 MB of noise", "x@#\n".repeat(2_500_000)],
    ["10 MB of bytes", new Uint8Array(10_000_000).map((_, i) => (i * 7919) >> 3)],
    ["letters", fill("x")],
    ["hyphens", fill("a-")],
    ["spaces", fill(" ")],
    ["lines", fill("\n")],
    ["stray characters", fill("@ ")],
    ["opening comments", fill("(*")],
    ["empty comments", fill("(**)")],
    ["empty comments in a body", fill("(**)", inBody)],
    ["a slash and a star", fill("/*", inBody)],
    ["slashes", fill("/", inBody)],
    ["Result lines", fill("Result: Never\n", "MM a (* one two three\n")],
    ["Result letters", fill("Result", "MM a (* ")],
    ["settings", fill(" set=a=b", "MM a (* one two three\nResult: Never")],
    ["blank head lines", fill(" \n", "MM a (* ")],
    ["one head line", fill("a ", "MM a (* ")],
    ["braces", fill("{", "MM a (* one two three *)")],
    ["names", `${fill("a,", "MM a (* one two three *) { mm b, ")}`],
    ["statements", fill("load x;", inBody)],
    ["one statement", fill("x ", inBody)],
    ["loops", fill("loop{", inBody)],
    ["arguments", fill("x,", `${inBody}f(`)],
    ["digits", fill("9", `${inBody}f(`)],
    ["parentheses", fill("(", inCondition)],
    ["negations", fill("~", inCondition)],
    ["a conjunction", fill("a/\\", inCondition)],
    ["kernel blocks", fill("kernel{}", inKernel.slice(0, -8))],
    ["routines", fill("void f(){}", inKernel)],
    ["blocks of C", fill("{", `${inKernel}void f() `)],
    ["operators", fill("a+", `${inKernel}void f() { x = `)],
    ["parts of a name", fill("a.", `${inKernel}void f() { x = `)],
    ["not", fill("!", `${inKernel}void f() { x = `)],
    ["else", fill("if(a)b();else ", `${inKernel}void f() { `)],
    ["edits", fill("in f:drop 1;", inKernel)],
    ["comments of C", fill("/**/", inKernel)],
    ["strings", fill('""', inKernel)],
    ["programs", fill("CPU0{}", "MM a (* one two three *) { }")],
  ])("%s", (_what, input) => {
    expectSane(input);
  });

  test("a scenario near the limit is read", () => {
    const start = inBody.replace("CPU0", "CPU0(A)").replace("va x", "va x; mm A");
    const end = "} exists (a)";
    const count = Math.floor((MAX_SOURCE_BYTES - start.length - end.length) / "load x;".length);
    const result = parseScenario(start + "load x;".repeat(count) + end);
    expect(result.ok || result.diagnostics[0]).toBe(true);
  });
});
