// SPDX-License-Identifier: Apache-2.0
// The tokens of C-like text, one at a time.
//
//   word      [A-Za-z_][A-Za-z0-9_]*
//   number    12, and a version: 6.12
//   string    "flush_tlb_page(cpu, mm, va);"      on one line
//   mark      { } ( ) [ ) , ; : . = == != < <= > >= && || ! + - * / ?
//   comment   /* ... */ and // to the end of the line

import { quote } from "../../base/diagnostic.ts";
import { pointAfter, type Span } from "../../base/span.ts";
import type { Ident } from "./syntax.ts";

/** What a diagnostic is about; whoever reads the text gives each a code. */
export type Mistake =
  | "form"
  | "nesting"
  | "number"
  | "routine"
  | "name"
  | "twice"
  | "kind"
  | "arguments"
  | "edit"
  | "body";

/** Where mistakes go. */
export interface Reporter {
  /** No more are taken. */
  readonly full: boolean;
  report(mistake: Mistake, span: Span, message: string, ...notes: (string | undefined)[]): void;
}

export interface Token {
  readonly kind: "word" | "number" | "string" | "mark" | "end";
  readonly text: string;
  readonly span: Span;
}

/** A place in a text, from which reading can go on. */
export interface Position {
  readonly at: number;
  readonly line: number;
  readonly lineStart: number;
}

const BLANK = /(?:[^\S\n]+|\/\/[^\n]*)/y;
const COMMENT = /\/\*[\s\S]*?\*\//y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9]+(?:\.[0-9]+)*/y;
const STRING = /"[^"\n]*"/y;
const MARK = /&&|\|\||[=!<>]=|[-+]=|\+\+|--|->|[{}()[\],;:.=<>!+\-*/?]/y;
const STRAY = /[^\sA-Za-z0-9_{}()[\],;:.=<>!+\-*/?"]+|"/y;
const LABEL = /([A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)[^\S\n]*:/y;
const SECOND_WORD = /\s+[A-Za-z_]/y;

export class Lexer {
  readonly out: Reporter;
  token: Token;
  previous: Token;
  readonly #text: string;
  readonly #file: string;
  #at: number;
  #line: number;
  #lineStart: number;

  constructor(text: string, file: string, out: Reporter, from?: Position) {
    this.#text = text;
    this.#file = file;
    this.out = out;
    this.#at = from?.at ?? 0;
    this.#line = from?.line ?? 1;
    this.#lineStart = from?.lineStart ?? 0;
    this.token = { kind: "end", text: "", span: this.#span(this.#at, this.#at) };
    this.previous = this.token;
    this.advance();
    this.previous = { ...this.token, span: { ...this.token.span, end: this.token.span.offset } };
  }

  /** Behind the token that would be read next. */
  get behind(): Position {
    const { span } = this.token;
    return { at: span.end, line: span.line, lineStart: span.offset - (span.col - 1) };
  }

  advance(): void {
    this.previous = this.token;
    this.token = this.#next();
  }

  at(...texts: readonly string[]): boolean {
    const { kind, text } = this.token;
    return (kind === "word" || kind === "mark") && texts.includes(text);
  }

  atEnd(): boolean {
    return this.token.kind === "end";
  }

  eat(text: string): boolean {
    if (!this.at(text)) return false;
    this.advance();
    return true;
  }

  expect(text: string, where = ""): boolean {
    if (this.eat(text)) return true;
    this.unexpected(`'${text}'${where}`, text === ";");
    return false;
  }

  word(what: string): Ident | undefined {
    const { kind, text, span } = this.token;
    if (kind !== "word") {
      this.unexpected(what);
      return undefined;
    }
    this.advance();
    return { text, span };
  }

  /** A name such as `flush` or `mark-first` with a colon behind it; both are then read. */
  label(): Ident | undefined {
    const { kind, span } = this.token;
    if (kind !== "word") return undefined;
    LABEL.lastIndex = span.offset;
    const found = LABEL.exec(this.#text);
    if (!found) return undefined;
    const name = this.#hyphenated(found[1]!);
    this.expect(":");
    return name;
  }

  /** A word in which single hyphens may stand. */
  hyphenatedWord(what: string): Ident | undefined {
    if (this.token.kind !== "word") return this.word(what);
    const pattern = /[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*/y;
    pattern.lastIndex = this.token.span.offset;
    return this.#hyphenated(pattern.exec(this.#text)![0]);
  }

  /** Whether another word follows this one, as in a declaration. */
  beforeWord(): boolean {
    if (this.token.kind !== "word") return false;
    SECOND_WORD.lastIndex = this.token.span.end;
    return SECOND_WORD.test(this.#text);
  }

  unexpected(what: string, behind = false, ...notes: (string | undefined)[]): void {
    const { kind, text, span } = this.token;
    const found = kind === "end" ? "the end of the file" : quote(text);
    const point = kind === "end" || (behind && span.line !== this.previous.span.line);
    const where = point ? pointAfter(this.previous.span) : span;
    this.out.report("form", where, `expected ${what}, found ${found}`, ...notes);
  }

  /** Skips to behind the next `;`, to a `}` that closes the block around, or behind a block. */
  recover(): void {
    for (let depth = 0; !this.atEnd(); this.advance()) {
      if (this.at("{")) depth++;
      else if (this.at("}") && depth-- <= 0) return;
      if (depth > 0 || !this.at(";", "}")) continue;
      this.advance();
      return;
    }
  }

  /** Reads `text`, which begins where the current token does. */
  #hyphenated(text: string): Ident {
    const span = { ...this.token.span, end: this.token.span.offset + text.length };
    this.#at = span.end;
    this.#line = span.line;
    this.#lineStart = span.offset - (span.col - 1);
    this.token = { kind: "word", text, span };
    this.advance();
    return { text, span };
  }

  #next(): Token {
    for (;;) {
      this.#skipBlank();
      if (this.#at >= this.#text.length || this.out.full) {
        return { kind: "end", text: "", span: this.#span(this.#at, this.#at) };
      }
      const token =
        this.#match(WORD, "word") ??
        this.#match(NUMBER, "number") ??
        this.#match(STRING, "string") ??
        this.#match(MARK, "mark");
      if (token !== undefined) return token;
      const stray = this.#match(STRAY, "mark");
      if (stray === undefined) throw new Error("a character is neither a token nor stray");
      const what = stray.text === '"' ? "this string has no end" : "begins nothing in this text";
      this.out.report("form", stray.span, `${quote(stray.text)}: ${what}`);
    }
  }

  #match(pattern: RegExp, kind: Token["kind"]): Token | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0];
    if (text === undefined) return undefined;
    const from = this.#at;
    this.#at += text.length;
    return { kind, text, span: this.#span(from, this.#at) };
  }

  #skipBlank(): void {
    for (;;) {
      if (this.#text.charCodeAt(this.#at) === 10) {
        this.#line++;
        this.#lineStart = ++this.#at;
        continue;
      }
      BLANK.lastIndex = this.#at;
      const blank = BLANK.exec(this.#text)?.[0];
      if (blank !== undefined) this.#at += blank.length;
      else if (this.#text.startsWith("/*", this.#at)) this.#comment();
      else return;
    }
  }

  #comment(): void {
    COMMENT.lastIndex = this.#at;
    const closed = COMMENT.exec(this.#text)?.[0];
    if (closed === undefined) {
      const open = this.#span(this.#at, this.#at + 2);
      this.out.report("form", open, "this comment has no end", "it ends with '*/'");
    }
    const text = closed ?? this.#text.slice(this.#at);
    for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) {
      this.#line++;
      this.#lineStart = this.#at + i + 1;
    }
    this.#at += text.length;
  }

  #span(offset: number, end: number): Span {
    const col = offset - this.#lineStart + 1;
    return { file: this.#file, line: this.#line, col, offset, end };
  }
}
