// SPDX-License-Identifier: Apache-2.0
// An expected error as a value, and its printed form with the offending text underlined.
//
//   litmus/x.litmus:14:11: error: unknown routine 'try_to_unmap_on' [L012]
//      14 | CPU0(A) { try_to_unmap_on(A, x); }
//         |           ^~~~~~~~~~~~~~~
//   note: did you mean 'try_to_unmap_one'?

import { formatPosition, type Span } from "./span.ts";

export interface Note {
  readonly message: string;
  /** Another place that matters, shown with its text; absent for a remark. */
  readonly span?: Span;
}

export interface Diagnostic {
  /** A letter for the language or reader, and a number: `L012`. Documented, never reused. */
  readonly code: string;
  readonly span: Span;
  readonly message: string;
  readonly notes: readonly Note[];
}

/** What a piece of the printed form is, for whoever adds colours. */
export type Role =
  | "position"
  | "error"
  | "note"
  | "message"
  | "code"
  | "gutter"
  | "source"
  | "mark";

export interface Piece {
  readonly role: Role;
  readonly text: string;
}

/** Columns of a source line that are shown; a longer line is cut around the error. */
const EXCERPT_WIDTH = 100;

/** Columns kept in front of the error when a long line is cut. */
const EXCERPT_BEFORE = 40;

/** Columns of a quoted word; the rest is left out. */
const QUOTE_WIDTH = 40;

const GUTTER_WIDTH = 5;

/** Control and format characters: they could move the cursor or reverse the line. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** `source` is the text that the spans count in. No trailing newline. */
export function formatDiagnostic(diagnostic: Diagnostic, source: string): string {
  return layoutDiagnostic(diagnostic, source)
    .map((line) => line.map((piece) => piece.text).join(""))
    .join("\n");
}

/** The same as lines of pieces; joined with nothing and newlines they are `formatDiagnostic`. */
export function layoutDiagnostic(diagnostic: Diagnostic, source: string): Piece[][] {
  const { code, span, message, notes } = diagnostic;
  return [
    [
      { role: "position", text: `${printable(formatPosition(span))}: ` },
      { role: "error", text: "error: " },
      { role: "message", text: `${printable(message)} ` },
      { role: "code", text: `[${code}]` },
    ],
    ...excerpt(span, source),
    ...notes.flatMap((note) => layoutNote(note, source)),
  ];
}

/** A word of the input between quotes, safe to print, cut if long. */
export function quote(text: string): string {
  const units = [...text.slice(0, QUOTE_WIDTH + 1)];
  const cut = units.length > QUOTE_WIDTH ? `${units.slice(0, QUOTE_WIDTH).join("")}...` : text;
  return `'${printable(cut)}'`;
}

/** Text with each control or format character written as U+XXXX. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (char) => {
    return `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

function layoutNote(note: Note, source: string): Piece[][] {
  const line: Piece[] = [
    { role: "note", text: "note: " },
    { role: "message", text: printable(note.message) },
  ];
  if (note.span === undefined) return [line];
  const position: Piece = { role: "position", text: `${printable(formatPosition(note.span))}: ` };
  return [[position, ...line], ...excerpt(note.span, source)];
}

/** The line of the span and the marks under it, both cut to the same columns. */
function excerpt(span: Span, source: string): Piece[][] {
  const lineStart = span.offset - (span.col - 1);
  if (lineStart < 0 || span.offset > source.length) return [];
  const from = cutStart(span, lineStart, source);
  const rest = source.slice(from, from + EXCERPT_WIDTH + 1);
  const newline = rest.search(/[\r\n]/);
  const cutEnd = newline < 0 && rest.length > EXCERPT_WIDTH;
  const text = newline < 0 ? rest.slice(0, EXCERPT_WIDTH) : rest.slice(0, newline);
  const lead = from > lineStart ? "..." : "";

  const before = text.slice(0, span.offset - from);
  const marked = text.slice(span.offset - from, Math.max(span.offset, span.end) - from);
  const marks = `^${"~".repeat(Math.max(0, columns(marked) - 1))}`;
  const number = String(span.line).padStart(GUTTER_WIDTH);
  return [
    [
      { role: "gutter", text: `${number} | ` },
      { role: "source", text: lead + shown(text) + (cutEnd ? "..." : "") },
    ],
    [
      { role: "gutter", text: `${" ".repeat(GUTTER_WIDTH)} | ` },
      { role: "mark", text: " ".repeat(lead.length) + blank(before) + marks },
    ],
  ];
}

/** Where the excerpt begins: at the line, unless that is long and the error far to the right. */
function cutStart(span: Span, lineStart: number, source: string): number {
  const head = source.slice(lineStart, lineStart + EXCERPT_WIDTH + 1);
  const fits = head.length <= EXCERPT_WIDTH || /[\r\n]/.test(head);
  if (fits || span.col <= EXCERPT_WIDTH - EXCERPT_BEFORE) return lineStart;
  return span.offset - EXCERPT_BEFORE;
}

/** Tabs stay, because the marks below repeat them; other unprintable characters show as a dot. */
function shown(text: string): string {
  return text.replace(UNPRINTABLE, (char) => (char === "\t" ? char : "."));
}

function columns(text: string): number {
  return [...text].length;
}

/** White space as wide as `text`. */
function blank(text: string): string {
  return [...text].map((char) => (char === "\t" ? "\t" : " ")).join("");
}
