// SPDX-License-Identifier: Apache-2.0
// A text read token by token, with one of look-ahead: what the languages here have in common.

import { quote } from "./diagnostic.ts";
import { pointAfter, type Span } from "./span.ts";

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

/** A name and where it stands. */
interface Named {
  readonly text: string;
  readonly span: Span;
}

/** A language says what its tokens are, and where mistakes go. Constructors end with `begin()`. */
export abstract class Tokens {
  /** The token to be read next, and the one that was read last. */
  token: Token;
  previous: Token;
  protected readonly text: string;
  protected readonly file: string;
  protected offset: number;
  protected line: number;
  protected lineStart: number;

  constructor(text: string, file: string, from?: Position) {
    this.text = text;
    this.file = file;
    this.offset = from?.at ?? 0;
    this.line = from?.line ?? 1;
    this.lineStart = from?.lineStart ?? 0;
    this.token = this.end();
    this.previous = this.token;
  }

  /** The token at `offset`; blanks and comments before it are skipped. */
  protected abstract next(): Token;

  /** Reports a token that cannot stand where it does. */
  protected abstract misplaced(
    span: Span,
    message: string,
    notes: readonly (string | undefined)[],
  ): void;

  protected begin(): void {
    this.advance();
    this.previous = { ...this.token, span: { ...this.token.span, end: this.token.span.offset } };
  }

  advance(): void {
    this.previous = this.token;
    this.token = this.next();
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
  word(what: string): Named | undefined {
    const { kind, text, span } = this.token;
    if (kind !== "word") {
      this.unexpected(what);
      return undefined;
    }
    this.advance();
    return { text, span };
  }

  /** Reports that `what` should stand here, or right behind the last token. */
  unexpected(what: string, behind = false, ...notes: (string | undefined)[]): void {
    const { kind, text, span } = this.token;
    const found = kind === "end" ? "the end of the file" : quote(text);
    const point = kind === "end" || (behind && span.line !== this.previous.span.line);
    const where = point ? pointAfter(this.previous.span) : span;
    this.misplaced(where, `expected ${what}, found ${found}`, notes);
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

  /** The token at `offset` that a sticky pattern finds there; reading goes on behind it. */
  protected match(pattern: RegExp, kind: Token["kind"]): Token | undefined {
    pattern.lastIndex = this.offset;
    const text = pattern.exec(this.text)?.[0];
    if (text === undefined) return undefined;
    const from = this.offset;
    this.offset += text.length;
    return { kind, text, span: this.span(from, this.offset) };
  }

  /** The end of the text, here. */
  protected end(): Token {
    return { kind: "end", text: "", span: this.span(this.offset, this.offset) };
  }

  /** Counts a line that ends at `at`. */
  protected newline(at: number): void {
    this.line++;
    this.lineStart = at + 1;
  }

  protected span(offset: number, end: number): Span {
    const col = offset - this.lineStart + 1;
    return { file: this.file, line: this.line, col, offset, end };
  }
}
