// SPDX-License-Identifier: Apache-2.0
// The reader of scenario files: text in, a scenario or diagnostics out.
//
//   MM upgrade-seen-by-device
//
//   (* Intent, and Result lines. *)          head.ts
//
//   { mm A; page P; map A:x -> P; }          items.ts
//
//   kernel { in f: drop 2; }                 kernel-blocks.ts
//
//   CPU0(A) { store x; }                     bodies.ts
//   D       { load x; }
//
//   exists (stuck(D))                        condition.ts
//
// Names are looked up (check.ts) only in a file without mistakes of form: a declaration that could
// not be read would make each use of its name an error.

import { type Diagnostic, quote } from "../base/diagnostic.ts";
import { joinSpans, pointAfter } from "../base/span.ts";
import type { Name, Scenario } from "./ast.ts";
import { readBodies } from "./bodies.ts";
import { checkScenario } from "./check.ts";
import { Diagnostics } from "./codes.ts";
import { readCondition } from "./condition.ts";
import { readHead, rejectResults } from "./head.ts";
import { readItems } from "./items.ts";
import { type Comment, Lexer } from "./lexer.ts";
import { readSource, textOf } from "./source.ts";
import { type Dictionary, STANDARD_DICTIONARY } from "./words.ts";

export interface ParseOptions {
  /** How diagnostics name the file; default `<scenario>`. */
  readonly file?: string;
  /** Which statements, routines and properties exist; default: the standard statements. */
  readonly dictionary?: Dictionary;
}

export type ParseResult =
  | { readonly ok: true; readonly scenario: Scenario; readonly text: string }
  | {
      readonly ok: false;
      /** One or more, in the order of the text. */
      readonly diagnostics: readonly Diagnostic[];
      /** What their spans count in, for `formatDiagnostic`. */
      readonly text: string;
    };

const HEADER_NAME = /^[A-Za-z0-9_+.-]+$/;

/** First words of other litmus tests. */
const FOREIGN_KINDS = ["AArch64", "C", "X86", "X86_64", "RISCV", "PPC", "ARM", "MIPS", "LISA"];

/** Never throws, whatever the input. */
export function parseScenario(input: Uint8Array | string, options: ParseOptions = {}): ParseResult {
  const file = options.file ?? "<scenario>";
  const out = new Diagnostics();
  const text = readSource(input, file, out);
  const scenario = text === undefined ? undefined : readScenario(new Lexer(text, file, out));
  if (scenario !== undefined && out.count === 0) {
    const found = checkScenario(scenario, options.dictionary ?? STANDARD_DICTIONARY);
    if (found.length === 0 && text !== undefined) return { ok: true, scenario, text };
    return { ok: false, diagnostics: found, text: text ?? "" };
  }
  if (out.count === 0) throw new Error("a file was rejected without a diagnostic");
  return { ok: false, diagnostics: out.sorted(), text: text ?? textOf(input) };
}

/** Undefined only after a reported error; what is returned after one is incomplete. */
function readScenario(lexer: Lexer): Scenario | undefined {
  const start = lexer.token.span;
  const name = readHeader(lexer);
  if (name === undefined) return undefined;
  const { comments, out } = lexer;
  const headEnd = comments.length;
  const inHead = (comment: Comment, i: number) =>
    i < headEnd && comment.span.offset >= name.span.end;
  const head = comments.filter(inHead);
  const { intent, expectations, labels } = readHead(head, pointAfter(name.span), out);
  const items = readItems(lexer);
  const { bodies, kernels } = readBodies(lexer);
  if (bodies.length === 0 && out.count === 0) {
    lexer.report("L030", pointAfter(lexer.previous.span), "no CPU and no device has a program");
  }
  if (lexer.atEnd()) {
    const hint = "a scenario ends with 'exists (...)', '~exists (...)' or 'forall (...)'";
    lexer.report("L030", pointAfter(lexer.previous.span), "the condition is missing", hint);
    return undefined;
  }
  const condition = readCondition(lexer);
  if (condition === undefined) return undefined;
  if (!lexer.atEnd()) lexer.unexpected("the end of the file after the condition");
  const others = comments.filter((comment, i) => !inHead(comment, i));
  rejectResults(others, out);
  const span = joinSpans(start, condition.span);
  return { name, intent, expectations, labels, kernels, items, bodies, condition, span };
}

/** `MM name`; the next token is then the one behind the head comment. */
function readHeader(lexer: Lexer): Name | undefined {
  const first = lexer.token;
  if (!lexer.at("MM")) {
    const found = first.kind === "end" ? "the end of the file" : quote(first.text);
    const message = FOREIGN_KINDS.includes(first.text)
      ? `a litmus test of kind ${first.text}, not a scenario`
      : `expected 'MM' and the name of the scenario, found ${found}`;
    if (!lexer.out.full) lexer.report("L006", first.span, message);
    return undefined;
  }
  lexer.advanceToHeaderName();
  const { text, span, kind } = lexer.token;
  if (kind !== "word") {
    lexer.unexpected("the name of the scenario after 'MM'");
    return undefined;
  }
  if (!HEADER_NAME.test(text)) {
    const rule = "letters, digits, '-', '_', '+' and '.' may stand in it";
    lexer.report("L007", span, `${quote(text)} is not a name for a scenario`, rule);
  }
  lexer.advance();
  return { text, span };
}
