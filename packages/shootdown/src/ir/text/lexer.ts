// SPDX-License-Identifier: Apache-2.0
// The tokens of C-like text, one at a time.
//
//   word      [A-Za-z_][A-Za-z0-9_]*
//   number    12, and a version: 6.12
//   string    "flush_tlb_page(cpu, mm, va);"      on one line
//   mark      { } ( ) [ ) , ; : . = == != < <= > >= && || ! + - * / ?
//   comment   /* ... */ and // to the end of the line

import { quote } from "../../base/diagnostic.ts";
import type { Span } from "../../base/span.ts";
import type { Position, Token } from "../../base/tokens.ts";
import { Tokens } from "../../base/tokens.ts";
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

const BLANK = /(?:[^\S\n]+|\/\/[^\n]*)/y;
const COMMENT = /\/\*[\s\S]*?\*\//y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /[0-9]+(?:\.[0-9]+)*/y;
const STRING = /"[^"\n]*"/y;
const MARK = /&&|\|\||[=!<>]=|[-+]=|\+\+|--|->|[{}()[\],;:.=<>!+\-*/?]/y;
const STRAY = /[^\sA-Za-z0-9_{}()[\],;:.=<>!+\-*/?"]+|"/y;
const LABEL = /([A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*)[^\S\n]*:/y;
const SECOND_WORD = /\s+[A-Za-z_]/y;

export class Lexer extends Tokens {
  readonly out: Reporter;

  constructor(text: string, file: string, out: Reporter, from?: Position) {
    super(text, file, from);
    this.out = out;
    this.begin();
  }

  /** Behind the token that would be read next. */
  get behind(): Position {
    const { span } = this.token;
    return { at: span.end, line: span.line, lineStart: span.offset - (span.col - 1) };
  }

  /** A name such as `flush` or `mark-first` with a colon behind it; both are then read. */
  label(): Ident | undefined {
    const { kind, span } = this.token;
    if (kind !== "word") return undefined;
    LABEL.lastIndex = span.offset;
    const found = LABEL.exec(this.text);
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
    return this.#hyphenated(pattern.exec(this.text)![0]);
  }

  /** Whether another word follows this one, as in a declaration. */
  beforeWord(): boolean {
    if (this.token.kind !== "word") return false;
    SECOND_WORD.lastIndex = this.token.span.end;
    return SECOND_WORD.test(this.text);
  }

  protected misplaced(span: Span, message: string, notes: readonly (string | undefined)[]): void {
    this.out.report("form", span, message, ...notes);
  }

  /** Reads `text`, which begins where the current token does. */
  #hyphenated(text: string): Ident {
    const span = { ...this.token.span, end: this.token.span.offset + text.length };
    this.offset = span.end;
    this.line = span.line;
    this.lineStart = span.offset - (span.col - 1);
    this.token = { kind: "word", text, span };
    this.advance();
    return { text, span };
  }

  protected next(): Token {
    for (;;) {
      this.#skipBlank();
      if (this.offset >= this.text.length || this.out.full) return this.end();
      const token =
        this.match(WORD, "word") ??
        this.match(NUMBER, "number") ??
        this.match(STRING, "string") ??
        this.match(MARK, "mark");
      if (token !== undefined) return token;
      const stray = this.match(STRAY, "mark");
      if (stray === undefined) throw new Error("a character is neither a token nor stray");
      const what = stray.text === '"' ? "this string has no end" : "begins nothing in this text";
      this.out.report("form", stray.span, `${quote(stray.text)}: ${what}`);
    }
  }

  #skipBlank(): void {
    for (;;) {
      if (this.text.charCodeAt(this.offset) === 10) {
        this.newline(this.offset++);
        continue;
      }
      BLANK.lastIndex = this.offset;
      const blank = BLANK.exec(this.text)?.[0];
      if (blank !== undefined) this.offset += blank.length;
      else if (this.text.startsWith("/*", this.offset)) this.#comment();
      else return;
    }
  }

  #comment(): void {
    COMMENT.lastIndex = this.offset;
    const closed = COMMENT.exec(this.text)?.[0];
    if (closed === undefined) {
      const open = this.span(this.offset, this.offset + 2);
      this.out.report("form", open, "this comment has no end", "it ends with '*/'");
    }
    const text = closed ?? this.text.slice(this.offset);
    for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) {
      this.newline(this.offset + i);
    }
    this.offset += text.length;
  }
}
