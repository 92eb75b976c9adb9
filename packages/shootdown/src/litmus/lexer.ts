// SPDX-License-Identifier: Apache-2.0
// The tokens of a scenario, one at a time, with the comments between them.
//
//   word      [A-Za-z_][A-Za-z0-9_]* and more such parts after single hyphens: x, read-only
//   number    [0-9]+
//   mark      { } ( ) , ; : = -> .. ~ /\ \/
//   comment   (* ... *), and comments nest

import { quote } from "../base/diagnostic.ts";
import { pointAfter, type Span } from "../base/span.ts";
import type { Position } from "../ir/text/lexer.ts";
import type { Name } from "./ast.ts";
import type { Code, Diagnostics } from "./codes.ts";

export interface Token {
  readonly kind: "word" | "number" | "mark" | "end";
  readonly text: string;
  readonly span: Span;
}

export interface Comment {
  /** Between the delimiters. */
  readonly text: string;
  readonly span: Span;
}

/** Blocks, parentheses and negations inside each other. */
export const MAX_NESTING = 32;

const WORD = /[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*/y;
const NUMBER = /[0-9]+/y;
const MARK = /->|\.\.|\/\\|\\\/|[{}(),;:=~]/y;
const HEADER_NAME = /[^\s({;]+/y;
const COMMENT_EDGE = /\(\*|\*\)|\n/g;
const FOREIGN_COMMENT = /\/\/[^\n]*|#[^\n]*|\/\*[^\n]*?(?:\*\/|(?=\n)|$)/y;
const STRAY = /[^\sA-Za-z0-9_{}(),;:=~]+/y;

/** A token of look-ahead over the text; all errors go to `out`. */
export class Lexer {
  readonly out: Diagnostics;
  readonly comments: Comment[] = [];
  /** The token to be read next, and the one that was read last. */
  token: Token;
  previous: Token;
  readonly #text: string;
  readonly #file: string;
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(text: string, file: string, out: Diagnostics) {
    this.#text = text;
    this.#file = file;
    this.out = out;
    this.token = { kind: "end", text: "", span: this.#span(0, 0) };
    this.previous = this.token;
    this.advance();
    this.previous = { ...this.token, span: { ...this.token.span, end: this.token.span.offset } };
  }

  advance(): void {
    this.previous = this.token;
    this.token = this.#next();
  }

  /** Like `advance`, but the next token is a scenario name, in which more characters may stand. */
  advanceToHeaderName(): void {
    this.previous = this.token;
    this.#skipBlank();
    this.token = this.#match(HEADER_NAME, "word") ?? this.#next();
  }

  /**
   * Hands the text behind the current token to another reader, which says behind what it ended;
   * that token is then the last that was read.
   */
  foreign<T>(read: (text: string, file: string, from: Position) => { value: T; to: Position }): T {
    const from = { at: this.#at, line: this.#line, lineStart: this.#lineStart };
    const { value, to } = read(this.#text, this.#file, from);
    this.#at = to.at;
    this.#line = to.line;
    this.#lineStart = to.lineStart;
    this.token = { kind: "mark", text: "}", span: this.#span(Math.max(from.at, to.at - 1), to.at) };
    this.advance();
    return value;
  }

  at(...texts: readonly string[]): boolean {
    const { kind, text } = this.token;
    return (kind === "word" || kind === "mark") && texts.includes(text);
  }

  atEnd(): boolean {
    return this.token.kind === "end";
  }

  /** Whether `text` came next; it is then read. */
  eat(text: string): boolean {
    if (!this.at(text)) return false;
    this.advance();
    return true;
  }

  /** Like `eat`, and reports what stands there instead. */
  expect(text: string, where = ""): boolean {
    if (this.eat(text)) return true;
    this.unexpected(`'${text}'${where}`, text === ";");
    return false;
  }

  /** Reads a word; reports if there is none. `what` names its role: "the name of a page". */
  word(what: string): Name | undefined {
    const { kind, text, span } = this.token;
    if (kind !== "word") {
      this.unexpected(what);
      return undefined;
    }
    this.advance();
    return { text, span };
  }

  /** Reports that `what` should stand here, or right behind the last token. */
  unexpected(what: string, behind = false, ...notes: string[]): void {
    const { kind, text, span } = this.token;
    const found = kind === "end" ? "the end of the file" : quote(text);
    const point = kind === "end" || (behind && span.line !== this.previous.span.line);
    const where = point ? pointAfter(this.previous.span) : span;
    this.report("L008", where, `expected ${what}, found ${found}`, ...notes);
  }

  report(code: Code, span: Span, message: string, ...notes: (string | undefined)[]): void {
    this.out.report(code, span, message, ...notes);
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

  #next(): Token {
    for (;;) {
      this.#skipBlank();
      if (this.#at >= this.#text.length || this.out.full) return this.#end();
      const token =
        this.#match(WORD, "word") ?? this.#match(NUMBER, "number") ?? this.#match(MARK, "mark");
      if (token !== undefined) return token;
      this.#stray();
    }
  }

  #end(): Token {
    return { kind: "end", text: "", span: this.#span(this.#at, this.#at) };
  }

  #match(pattern: RegExp, kind: Token["kind"]): Token | undefined {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0];
    if (text === undefined) return undefined;
    const from = this.#at;
    this.#at += text.length;
    return { kind, text, span: this.#span(from, this.#at) };
  }

  /** Reports characters that begin no token, as one piece. */
  #stray(): void {
    const foreign = this.#match(FOREIGN_COMMENT, "mark");
    if (foreign !== undefined) {
      this.report("L005", foreign.span, "a comment is written (* ... *)");
      return;
    }
    const piece = this.#match(STRAY, "mark");
    if (piece === undefined) throw new Error("a character is neither a token nor stray");
    const { text, span } = piece;
    const many = text.length > 1 ? "characters begin" : "character begins";
    this.report("L005", span, `${quote(text)}: this ${many} nothing in a scenario`);
  }

  #skipBlank(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 10) this.#newline(this.#at++);
      else if (code === 32 || (code >= 9 && code <= 13)) this.#at++;
      else if (code === 40 && this.#text.charCodeAt(this.#at + 1) === 42) this.#comment();
      else if (code > 127 && /\s/.test(this.#text[this.#at]!)) this.#at++;
      else return;
    }
  }

  #comment(): void {
    const open = this.#span(this.#at, this.#at + 2);
    COMMENT_EDGE.lastIndex = this.#at;
    let depth = 0;
    for (let m = COMMENT_EDGE.exec(this.#text); m !== null; m = COMMENT_EDGE.exec(this.#text)) {
      if (m[0] === "\n") this.#newline(m.index);
      else depth += m[0] === "(*" ? 1 : -1;
      if (depth > 0) continue;
      this.#at = m.index + 2;
      const text = this.#text.slice(open.offset + 2, m.index);
      this.comments.push({ text, span: { ...open, end: this.#at } });
      return;
    }
    this.report("L004", open, "this comment has no end", "comments nest: each '(*' needs a '*)'");
    this.out.close();
    this.#at = this.#text.length;
  }

  #newline(at: number): void {
    this.#line++;
    this.#lineStart = at + 1;
  }

  #span(offset: number, end: number): Span {
    const col = offset - this.#lineStart + 1;
    return { file: this.#file, line: this.#line, col, offset, end };
  }
}
