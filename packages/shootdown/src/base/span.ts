// SPDX-License-Identifier: Apache-2.0
// A stretch of a text file, by position for people and by offset for programs.
//
//   line 14   CPU0(A) { store x; }
//                       ^~~~~
//                       col 11      offset .. end   (UTF-16 units from the start of the text)

export interface Span {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units; a tab is one. */
  readonly col: number;
  /** First unit of the stretch. */
  readonly offset: number;
  /** One past its last unit; equal to `offset` for a point. */
  readonly end: number;
}

/** From the start of `first` to the end of `last`, which lies behind it in the same file. */
export function joinSpans(first: Span, last: Span): Span {
  return { ...first, end: Math.max(first.end, last.end) };
}

/** The point just behind a stretch that does not cross a line. */
export function pointAfter(span: Span): Span {
  return { ...span, col: span.col + (span.end - span.offset), offset: span.end };
}

/** `file:line:col`, as compilers print it. */
export function formatPosition(span: Span): string {
  return `${span.file}:${span.line}:${span.col}`;
}
