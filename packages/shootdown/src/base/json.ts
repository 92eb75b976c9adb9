// SPDX-License-Identifier: Apache-2.0
// JSON (RFC 8259) with the place of every value, so that whoever checks it can point at a mistake.
//
//   {"value": 270}    object of one member: its name, and a number, each with its span

import type { Diagnostic } from "./diagnostic.ts";
import type { Span } from "./span.ts";
import { type Token, Tokens } from "./tokens.ts";

export type JsonNode =
  | { readonly kind: "object"; readonly span: Span; readonly members: readonly JsonMember[] }
  | { readonly kind: "array"; readonly span: Span; readonly items: readonly JsonNode[] }
  | { readonly kind: "string"; readonly span: Span; readonly value: string }
  | { readonly kind: "number"; readonly span: Span; readonly value: number }
  | { readonly kind: "boolean"; readonly span: Span; readonly value: boolean }
  | { readonly kind: "null"; readonly span: Span };

export interface JsonMember {
  readonly name: string;
  /** Of the name. */
  readonly span: Span;
  readonly value: JsonNode;
}

export interface JsonRead {
  /** Absent if the text is not JSON. */
  readonly root?: JsonNode;
  readonly diagnostic?: Diagnostic;
}

/** Values inside values; a text that is deeper is not read. */
const MAX_DEPTH = 64;

const WORD = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const MARK = /[{}[\]:,]/y;

/** Reads one value. `code` is what the reader's user calls a mistake of the syntax. */
export function readJson(text: string, file: string, code: string): JsonRead {
  try {
    return { root: new JsonReader(text.replace(/^\uFEFF/, " "), file, code).document() };
  } catch (error) {
    if (error instanceof Stop) return { diagnostic: error.diagnostic };
    throw error;
  }
}

/** Leaves the reader; does not leave this file. */
class Stop extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

class JsonReader extends Tokens {
  private readonly code: string;

  constructor(text: string, file: string, code: string) {
    super(text, file);
    this.code = code;
    this.begin();
  }

  document(): JsonNode {
    const root = this.value(0);
    if (!this.atEnd()) this.unexpected("the end of the file");
    return root;
  }

  protected next(): Token {
    for (; this.offset < this.text.length; this.offset++) {
      const char = this.text[this.offset]!;
      if (char === "\n") this.newline(this.offset);
      else if (char !== " " && char !== "\t" && char !== "\r") break;
    }
    if (this.offset >= this.text.length) return this.end();
    const token =
      this.match(MARK, "mark") ??
      this.match(STRING, "string") ??
      this.match(NUMBER, "number") ??
      this.match(WORD, "word");
    if (token !== undefined) return token;
    const span = this.span(this.offset, this.offset + 1);
    const string = this.text[this.offset] === '"';
    this.misplaced(span, string ? "string that does not end, or has a wrong escape" : "not JSON");
    return this.end();
  }

  protected misplaced(
    span: Span,
    message: string,
    notes: readonly (string | undefined)[] = [],
  ): void {
    const given = notes.flatMap((note) => (note === undefined ? [] : [{ message: note }]));
    throw new Stop({ code: this.code, span, message, notes: given });
  }

  private value(depth: number): JsonNode {
    const { kind, text, span } = this.token;
    if (depth > MAX_DEPTH) this.misplaced(span, `more than ${MAX_DEPTH} values inside each other`);
    if (this.eat("{")) return this.object(span, depth);
    if (this.eat("[")) return this.array(span, depth);
    if (kind === "string") {
      this.advance();
      return { kind, span, value: JSON.parse(text) as string };
    }
    if (kind === "number") {
      const value = Number(text);
      if (!Number.isFinite(value)) this.misplaced(span, "a number that is too large");
      this.advance();
      return { kind, span, value };
    }
    if (this.eat("true")) return { kind: "boolean", span, value: true };
    if (this.eat("false")) return { kind: "boolean", span, value: false };
    if (!this.eat("null")) this.unexpected("a value");
    return { kind: "null", span };
  }

  private object(start: Span, depth: number): JsonNode {
    const members: JsonMember[] = [];
    const names = new Set<string>();
    while (!this.at("}")) {
      if (members.length > 0) this.expect(",", " or '}'");
      const { kind, text, span } = this.token;
      if (kind !== "string") this.unexpected("a name in double quotes");
      const name = JSON.parse(text) as string;
      if (names.has(name)) this.misplaced(span, `the name ${text} stands here twice`);
      names.add(name);
      this.advance();
      this.expect(":");
      members.push({ name, span, value: this.value(depth + 1) });
    }
    const span = { ...start, end: this.token.span.end };
    this.advance();
    return { kind: "object", span, members };
  }

  private array(start: Span, depth: number): JsonNode {
    const items: JsonNode[] = [];
    while (!this.at("]")) {
      if (items.length > 0) this.expect(",", " or ']'");
      items.push(this.value(depth + 1));
    }
    const span = { ...start, end: this.token.span.end };
    this.advance();
    return { kind: "array", span, items };
  }
}
