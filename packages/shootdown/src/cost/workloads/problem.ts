// SPDX-License-Identifier: Apache-2.0
// What is wrong with a workload's input: a diagnostic with the line it points into.
//
// Inputs are streams, so that only the line is at hand: the span's offsets count in `source`.
import type { Diagnostic } from "../../base/diagnostic.ts";

export interface Problem extends Diagnostic {
  /** The line, for `formatDiagnostic(problem, problem.source)`. */
  readonly source: string;
}

export const CODES = {
  /** An address, length, time or number that no such call can have. */
  number: "I001",
  /** A line of a known kind that is not well-formed. */
  form: "I002",
  /** A mapping where another one is, or an end before its start. */
  overlap: "I003",
  /** Nothing in it. */
  empty: "I004",
  /** No format that is known, or a damaged file. */
  format: "I005",
  /** A name of a generator, option or example that there is not. */
  name: "I006",
} as const;
export type Code = (typeof CODES)[keyof typeof CODES];

/** Problems of one input that are kept; who has more has seen enough. */
export const MAX_PROBLEMS = 20;

export interface Place {
  readonly file: string;
  readonly line: number;
  /** From 1, in `source`. */
  readonly column: number;
  readonly length: number;
  readonly source: string;
}

export function problemAt(place: Place, code: Code, message: string, ...notes: string[]): Problem {
  const { file, line, source } = place;
  const offset = Math.min(Math.max(place.column - 1, 0), source.length);
  const end = Math.min(offset + Math.max(place.length, 0), source.length);
  return {
    code,
    span: { file, line, col: offset + 1, offset, end },
    message,
    notes: notes.map((note) => ({ message: note })),
    source,
  };
}
