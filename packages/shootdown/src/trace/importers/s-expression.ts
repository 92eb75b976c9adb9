// SPDX-License-Identifier: Apache-2.0
// S-expressions of a log, line by line: a list may go on over lines, a line may hold several.
//
//   (tlbi (id 9) (tid 0) vae2is (addr 0x3000))     ; and a comment
//   ^ list         ^ part   ^ word
import type { Flaw } from "./log-lines.ts";

/** A word, or a list in brackets. */
export type Part = string | readonly Part[];

/** Brackets inside brackets; a log needs two. */
const MAX_DEPTH = 8;
/** Parts of one list, those of its lists included. */
const MAX_PARTS = 256;
/** Lines that one list goes on over. */
const MAX_LINES = 64;

interface Place {
  readonly line: number;
  readonly column: number;
}

const OPEN = 40;
const CLOSE = 41;
const QUOTE = 34;
const BACKSLASH = 92;
const SEMICOLON = 59;

const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

/** Takes lines; hands out each list when it ends. */
export class Lists {
  readonly #take: (list: readonly Part[], line: number) => void;
  /** Lists that are open, the outermost first. */
  #stack: Part[][] = [];
  #opened: Place = { line: 0, column: 0 };
  #parts = 0;

  constructor(take: (list: readonly Part[], line: number) => void) {
    this.#take = take;
  }

  /** A list of an earlier line has not ended. */
  get open(): boolean {
    return this.#stack.length > 0;
  }

  /** Forgets the open list; what is wrong with it. */
  unended(): Flaw {
    const { line, column } = this.#opened;
    this.#stack = [];
    return { line, column, why: "a list that does not end" };
  }

  /** What is wrong with the line: nothing of it behind that place is read. */
  line(text: string, line: number): Flaw | undefined {
    if (this.open && line - this.#opened.line >= MAX_LINES) return this.unended();
    let at = 0;
    while (at < text.length) {
      const code = text.charCodeAt(at);
      if (isSpace(code)) at++;
      else if (code === SEMICOLON) return undefined;
      else {
        const next = this.#token(text, at, line);
        if (typeof next !== "number") return next;
        at = next;
      }
    }
    return undefined;
  }

  /** Takes the token at `at`; where the next may begin. */
  #token(text: string, at: number, line: number): number | Flaw {
    const flaw = (why: string, column = at + 1): Flaw => {
      this.#stack = [];
      return { line, column, why };
    };
    const code = text.charCodeAt(at);
    const top = this.#stack.at(-1);
    if (code === OPEN) {
      if (top === undefined) {
        this.#opened = { line, column: at + 1 };
        this.#parts = 0;
      }
      if (this.#stack.length === MAX_DEPTH) return flaw(`nested more than ${MAX_DEPTH} deep`);
      this.#stack.push([]);
      return at + 1;
    }
    if (top === undefined) {
      return flaw(code === CLOSE ? "a bracket that closes nothing" : "a word outside of a list");
    }
    if (++this.#parts > MAX_PARTS) return flaw(`a list of more than ${MAX_PARTS} parts`);
    if (code === CLOSE) {
      this.#stack.pop();
      const outer = this.#stack.at(-1);
      if (outer === undefined) this.#take(top, this.#opened.line);
      else outer.push(top);
      return at + 1;
    }
    const end = code === QUOTE ? endOfString(text, at) : endOfWord(text, at);
    if (end === undefined) return flaw("a string that does not end");
    top.push(code === QUOTE ? unquoted(text.slice(at + 1, end - 1)) : text.slice(at, end));
    return end;
  }
}

function endOfWord(text: string, from: number): number {
  let at = from;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isSpace(code) || code === OPEN || code === CLOSE || code === QUOTE) break;
    if (code === SEMICOLON) break;
  }
  return at;
}

/** Behind the closing quote; undefined if there is none in this line. */
function endOfString(text: string, from: number): number | undefined {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at++;
    else if (code === QUOTE) return at + 1;
  }
  return undefined;
}

const unquoted = (text: string): string =>
  text.includes("\\") ? text.replaceAll(/\\(.)/g, "$1") : text;
