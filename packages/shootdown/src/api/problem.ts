// SPDX-License-Identifier: Apache-2.0
// Mistakes in what a user gave, with or without a place in a file, in the form that is reported.

import type { Diagnostic } from "../base/diagnostic.ts";
import { formatDiagnostic, printable, quote } from "../base/diagnostic.ts";
import { formatPosition } from "../base/span.ts";
import { suggestion } from "../base/suggest.ts";
import type { Problem } from "../report/result.ts";
import type { ConfigurationProblem } from "../study/configuration.ts";

/** A mistake at a place of a text. */
export function problemAt(diagnostic: Diagnostic, source: string): Problem {
  const { span, code, message, notes } = diagnostic;
  return {
    type: "error",
    file: span.file,
    line: span.line,
    column: span.col,
    code,
    message,
    notes: notes.map((n) => n.message),
    text: formatDiagnostic(diagnostic, source),
  };
}

/** A mistake of an option, of a file as a whole, or of a line (from 1) of it. */
export function problem(
  message: string,
  options: {
    readonly file?: string;
    readonly line?: number;
    readonly note?: string | undefined;
  } = {},
): Problem {
  const { file, line, note } = options;
  const notes = note === undefined ? [] : [note];
  const where = printable(file ?? "shootdown") + (line === undefined ? "" : `:${line}:1`);
  const head = `${where}: error: ${message}`;
  const text = [head, ...notes.map((n) => `note: ${n}`)].join("\n");
  return {
    type: "error",
    file: file ?? null,
    line: line ?? null,
    column: line === undefined ? null : 1,
    code: null,
    message,
    notes,
    text,
  };
}

/** What is wrong with the name of a machine, a kernel or a knob, in words. */
export function wordsFor(wrong: ConfigurationProblem): { message: string; note?: string } {
  const [own] = wrong.diagnostics ?? [];
  if (own) return { message: `${formatPosition(own.span)}: ${own.message}` };
  if (wrong.why !== undefined) return { message: `${quote(wrong.name)} ${wrong.why}` };
  const isOverlay = wrong.what === "kernel" && !wrong.known.some((k) => k.startsWith("linux-"));
  const kinds = {
    machine: "unknown machine part",
    kernel: isOverlay ? "unknown overlay" : "unknown kernel",
    knob: "unknown knob",
    value: "impossible value",
    block: "a kernel block does not fit",
  };
  // A value is named with its knob, `httu=maybe`; what is near is a value.
  const word = wrong.what === "value" ? wrong.name.slice(wrong.name.indexOf("=") + 1) : wrong.name;
  const lists = { machine: "machines", knob: "knobs", value: "knobs" } as const;
  const list = wrong.what in lists ? lists[wrong.what as keyof typeof lists] : "kernels";
  const hint = suggestion(word, wrong.known) ?? `shootdown list ${list}`;
  return { message: `${kinds[wrong.what]} ${quote(wrong.name)}`, note: hint };
}
