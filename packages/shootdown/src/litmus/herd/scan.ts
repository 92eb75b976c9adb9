// SPDX-License-Identifier: Apache-2.0
// A place in the text of a herd test that moves by patterns, and the one way to report a mistake.

import { quote } from "../../base/diagnostic.ts";
import type { Span } from "../../base/span.ts";
import { suggestion } from "../../base/suggest.ts";
import type { Diagnostics } from "../codes.ts";
import type { HerdCode } from "./codes.ts";

/** The text of a file with blanks for comments, so that offsets stay. */
export interface Source {
  readonly text: string;
  readonly file: string;
  /** Offset of each line. */
  readonly lines: readonly number[];
  readonly out: Diagnostics<HerdCode>;
  /** The first construct that no model takes. */
  unsupported: string | undefined;
}

/** Ends the reading of one item; never leaves the reader. */
export class Mistake extends Error {
  readonly code: HerdCode;
  readonly span: Span;
  readonly notes: readonly (string | undefined)[];

  constructor(code: HerdCode, span: Span, message: string, ...notes: (string | undefined)[]) {
    super(message);
    this.code = code;
    this.span = span;
    this.notes = notes;
  }
}

/** Parentheses and negations inside each other. */
export const MAX_NESTING = 64;

const BLANK = /\s*/y;
/** What a message quotes of an unexpected place. */
const PIECE = /[A-Za-z0-9_.$-]+|\/\\|\\\/|./uy;

/** Reads one item; a mistake is reported and `undefined` comes back. */
export function attempt<T>(source: Source, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Mistake)) throw error;
    source.out.report(error.code, error.span, error.message, ...error.notes);
    return undefined;
  }
}

export function spanOf({ lines, file }: Source, offset: number, end: number): Span {
  let low = 0;
  for (let high = lines.length; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (lines[middle]! <= offset) low = middle;
    else high = middle;
  }
  return { file, line: low + 1, col: offset - lines[low]! + 1, offset, end };
}

/** Says once why a well-formed test is not taken. */
export function unsupported(source: Source, reason: string): void {
  source.unsupported ??= reason;
}

/** A stretch of the text, read from left to right; blanks between tokens do not count. */
export class Scan {
  readonly source: Source;
  readonly end: number;
  at: number;
  readonly #start: number;

  constructor(source: Source, from: number, end: number) {
    this.source = source;
    this.at = from;
    this.#start = from;
    this.end = end;
    this.#blank();
  }

  atEnd(): boolean {
    return this.at >= this.end;
  }

  /** The match of a sticky pattern here, which is then behind us. */
  take(pattern: RegExp): RegExpExecArray | undefined {
    const match = this.look(pattern);
    if (match === undefined) return undefined;
    this.at += match[0].length;
    this.#blank();
    return match;
  }

  look(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.at;
    const match = pattern.exec(this.source.text);
    return match !== null && this.at + match[0].length <= this.end ? match : undefined;
  }

  eat(text: string): boolean {
    if (!this.sees(text)) return false;
    this.at += text.length;
    this.#blank();
    return true;
  }

  sees(text: string): boolean {
    return this.source.text.startsWith(text, this.at) && this.at + text.length <= this.end;
  }

  expect(text: string, where = ""): void {
    if (!this.eat(text)) throw this.expected(`'${text}'${where}`);
  }

  need(pattern: RegExp, what: string): RegExpExecArray {
    const match = this.take(pattern);
    if (match === undefined) throw this.expected(what);
    return match;
  }

  /** The rest of the stretch, for what is skipped as a whole. */
  rest(): string {
    const text = this.source.text.slice(this.at, this.end).trim();
    this.at = this.end;
    return text;
  }

  expected(what: string, ...notes: (string | undefined)[]): Mistake {
    const found = this.atEnd() ? undefined : this.look(PIECE)?.[0];
    const length = found?.length ?? 0;
    const message = `expected ${what}, found ${found === undefined ? "nothing" : quote(found)}`;
    const at = length === 0 ? this.#behind() : this.at;
    return new Mistake("H002", this.span(at, at + length), message, ...notes);
  }

  /** A word that must be one of a list and is not. */
  unknown(what: string, match: RegExpExecArray, known: Iterable<string>): Mistake {
    const span = this.span(match.index, match.index + match[0].length);
    return new Mistake(
      "H003",
      span,
      `unknown ${what} ${quote(match[0])}`,
      suggestion(match[0], known),
    );
  }

  mistake(code: HerdCode, match: RegExpExecArray, message: string, note?: string): Mistake {
    return new Mistake(code, this.span(match.index, match.index + match[0].length), message, note);
  }

  span(from: number, to: number): Span {
    return spanOf(this.source, from, to);
  }

  /** Just behind the last thing that stands before this place. */
  #behind(): number {
    const { text } = this.source;
    let at = this.at;
    while (at > this.#start && /\s/.test(text[at - 1]!)) at--;
    return at;
  }

  #blank(): void {
    BLANK.lastIndex = this.at;
    BLANK.exec(this.source.text);
    this.at = Math.min(BLANK.lastIndex, this.end);
  }
}

/** Blanks in place of each comment; undefined, after a report, if one has no end. */
export function withoutComments(text: string, report: (at: number) => void): string | undefined {
  const edge = /\(\*|\*\)|"[^"\n]*"/g;
  let result = "";
  let copied = 0;
  let depth = 0;
  let open = 0;
  for (let m = edge.exec(text); m !== null; m = edge.exec(text)) {
    // In a comment a quote is a quote.
    if (m[0].startsWith('"')) {
      if (depth > 0) edge.lastIndex = m.index + 1;
    } else if (m[0] === "(*" && depth++ === 0) {
      open = m.index;
      result += text.slice(copied, open);
    } else if (m[0] === "*)" && depth > 0 && --depth === 0) {
      copied = edge.lastIndex;
      result += text.slice(open, copied).replace(/[^\n]/g, " ");
    }
  }
  if (depth === 0) return result + text.slice(copied);
  report(open);
  return undefined;
}
