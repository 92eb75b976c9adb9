// SPDX-License-Identifier: Apache-2.0
// The tokens of a scenario, one at a time, with the comments between them.
//
//   word      [A-Za-z_][A-Za-z0-9_]* and more such parts after single hyphens: x, read-only
//   number    [0-9]+
//   mark      { } ( ) , ; : = -> .. ~ /\ \/
//   comment   (* ... *), and comments nest

import { quote } from "../base/diagnostic.ts";
import type { Span } from "../base/span.ts";
import type { Position, Token } from "../base/tokens.ts";
import { Tokens } from "../base/tokens.ts";
import type { Code, Diagnostics } from "./codes.ts";

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
export class Lexer extends Tokens {
  readonly out: Diagnostics;
  readonly comments: Comment[] = [];

  constructor(text: string, file: string, out: Diagnostics) {
    super(text, file);
    this.out = out;
    this.begin();
  }

  /** Like `advance`, but the next token is a scenario name, in which more characters may stand. */
  advanceToHeaderName(): void {
    this.previous = this.token;
    this.#skipBlank();
    this.token = this.match(HEADER_NAME, "word") ?? this.next();
  }

  /**
   * Hands the text behind the current token to another reader, which says behind what it ended;
   * that token is then the last that was read.
   */
  foreign<T>(read: (text: string, file: string, from: Position) => { value: T; to: Position }): T {
    const from = { at: this.offset, line: this.line, lineStart: this.lineStart };
    const { value, to } = read(this.text, this.file, from);
    this.offset = to.at;
    this.line = to.line;
    this.lineStart = to.lineStart;
    this.token = { kind: "mark", text: "}", span: this.span(Math.max(from.at, to.at - 1), to.at) };
    this.advance();
    return value;
  }

  protected misplaced(span: Span, message: string, notes: readonly (string | undefined)[]): void {
    this.report("L008", span, message, ...notes);
  }

  report(code: Code, span: Span, message: string, ...notes: (string | undefined)[]): void {
    this.out.report(code, span, message, ...notes);
  }

  protected next(): Token {
    for (;;) {
      this.#skipBlank();
      if (this.offset >= this.text.length || this.out.full) return this.end();
      const token =
        this.match(WORD, "word") ?? this.match(NUMBER, "number") ?? this.match(MARK, "mark");
      if (token !== undefined) return token;
      this.#stray();
    }
  }

  /** Reports characters that begin no token, as one piece. */
  #stray(): void {
    const foreign = this.match(FOREIGN_COMMENT, "mark");
    if (foreign !== undefined) {
      this.report("L005", foreign.span, "a comment is written (* ... *)");
      return;
    }
    const piece = this.match(STRAY, "mark");
    if (piece === undefined) throw new Error("a character is neither a token nor stray");
    const { text, span } = piece;
    const many = text.length > 1 ? "characters begin" : "character begins";
    this.report("L005", span, `${quote(text)}: this ${many} nothing in a scenario`);
  }

  #skipBlank(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.offset);
      if (code === 10) this.newline(this.offset++);
      else if (code === 32 || (code >= 9 && code <= 13)) this.offset++;
      else if (code === 40 && this.text.charCodeAt(this.offset + 1) === 42) this.#comment();
      else if (code > 127 && /\s/.test(this.text[this.offset]!)) this.offset++;
      else return;
    }
  }

  #comment(): void {
    const open = this.span(this.offset, this.offset + 2);
    COMMENT_EDGE.lastIndex = this.offset;
    let depth = 0;
    for (let m = COMMENT_EDGE.exec(this.text); m !== null; m = COMMENT_EDGE.exec(this.text)) {
      if (m[0] === "\n") this.newline(m.index);
      else depth += m[0] === "(*" ? 1 : -1;
      if (depth > 0) continue;
      this.offset = m.index + 2;
      const text = this.text.slice(open.offset + 2, m.index);
      this.comments.push({ text, span: { ...open, end: this.offset } });
      return;
    }
    this.report("L004", open, "this comment has no end", "comments nest: each '(*' needs a '*)'");
    this.out.close();
    this.offset = this.text.length;
  }
}
