// SPDX-License-Identifier: Apache-2.0
// Expressions of C-like text: C's operators and precedence; comparisons do not chain.

import { joinSpans, type Span } from "../../base/span.ts";
import type { Lexer } from "./lexer.ts";
import type { ArgSyntax, BinaryOp, CallSyntax, ExprSyntax, Ident } from "./syntax.ts";

/** Blocks and parentheses inside each other. */
export const MAX_DEPTH = 32;
/** Operators in a row, and parts of a name. */
const MAX_CHAIN = 64;
/** Numbers are small; more digits are a slip. */
const MAX_NUMBER = 65535;

const PRECEDENCE: Readonly<Record<BinaryOp, number>> = {
  ...{ "||": 3, "&&": 4, "==": 8, "!=": 8, "<": 9, "<=": 9, ">": 9, ">=": 9 },
  ...{ "+": 11, "-": 11, "*": 12, "/": 12 },
};
const COMPARISONS = [8, 9];

/** Reads an expression; undefined after a reported error. */
export function readExpr(lexer: Lexer, depth = 0): ExprSyntax | undefined {
  if (tooDeep(lexer, depth)) return undefined;
  const cond = readBinary(lexer, 0, depth);
  if (cond === undefined || !lexer.eat("?")) return cond;
  const then = readExpr(lexer, depth + 1);
  if (then === undefined || !lexer.expect(":", " and the other value")) return undefined;
  const otherwise = readExpr(lexer, depth + 1);
  const span = otherwise && joinSpans(cond.span, otherwise.span);
  return span && { k: "conditional", cond, then, otherwise, span };
}

export function tooDeep(lexer: Lexer, depth: number): boolean {
  if (depth <= MAX_DEPTH) return false;
  const message = `more than ${MAX_DEPTH} blocks or parentheses inside each other`;
  lexer.out.report("nesting", lexer.token.span, message);
  return true;
}

function readBinary(lexer: Lexer, weakest: number, depth: number): ExprSyntax | undefined {
  let left = readUnary(lexer, depth);
  for (let chain = 0; left !== undefined; chain++) {
    const op = lexer.token.kind === "mark" ? (lexer.token.text as BinaryOp) : undefined;
    const precedence = op && PRECEDENCE[op];
    if (op === undefined || precedence === undefined || precedence < weakest) return left;
    if (chain >= MAX_CHAIN) {
      lexer.out.report("nesting", lexer.token.span, `more than ${MAX_CHAIN} operators in a row`);
      return undefined;
    }
    lexer.advance();
    const right = readBinary(lexer, precedence + 1, depth + 1);
    if (right === undefined) return undefined;
    left = { k: "binary", op, left, right, span: joinSpans(left.span, right.span) };
    if (COMPARISONS.includes(precedence) && compares(lexer)) {
      lexer.unexpected("the end of the comparison", false, "comparisons do not chain");
      return undefined;
    }
  }
  return undefined;
}

const compares = (lexer: Lexer): boolean => lexer.at("==", "!=", "<", "<=", ">", ">=");

function readUnary(lexer: Lexer, depth: number): ExprSyntax | undefined {
  const start = lexer.token.span;
  if (tooDeep(lexer, depth)) return undefined;
  if (lexer.eat("!")) {
    const of = readUnary(lexer, depth + 1);
    return of && { k: "not", of, span: joinSpans(start, of.span) };
  }
  // Named only to say that an access is shared.
  if (lexer.at("READ") && lexer.beforeWord()) lexer.advance();
  let of = readPrimary(lexer, depth);
  for (let chain = 0; of !== undefined && lexer.at("."); chain++) {
    if (chain >= MAX_CHAIN) {
      lexer.unexpected("the end of the expression");
      return undefined;
    }
    lexer.advance();
    const field = lexer.word("the name of a part");
    if (field === undefined) return undefined;
    of = { k: "get", of, field, span: joinSpans(start, field.span) };
    if (!lexer.at("(")) continue;
    const name = dotted(of);
    if (name === undefined) {
      lexer.unexpected("an operator or the end of the expression");
      return undefined;
    }
    of = readCall(lexer, name, depth);
  }
  return of;
}

/** `context.tlb_gen` as one name. */
function dotted(e: ExprSyntax): Ident | undefined {
  if (e.k === "name") return { text: e.name, span: e.span };
  const of = e.k === "get" ? dotted(e.of) : undefined;
  return of && e.k === "get" ? { text: `${of.text}.${e.field.text}`, span: e.span } : undefined;
}

function readPrimary(lexer: Lexer, depth: number): ExprSyntax | undefined {
  const { kind, text, span } = lexer.token;
  if (kind === "number") return readNumber(lexer);
  if (kind === "word") {
    lexer.advance();
    const name: Ident = { text, span };
    return lexer.at("(") ? readCall(lexer, name, depth) : { k: "name", name: text, span };
  }
  if (lexer.eat("*")) return readStar(lexer, span, depth);
  if (lexer.eat("(")) {
    const inner = readExpr(lexer, depth + 1);
    return inner && lexer.expect(")") ? { ...inner, span } : undefined;
  }
  if (lexer.eat("[")) return readRange(lexer, span, depth);
  if (lexer.eat("{")) return readWith(lexer, span, depth);
  lexer.unexpected("an expression");
  return undefined;
}

function readNumber(lexer: Lexer): ExprSyntax | undefined {
  const { text, span } = lexer.token;
  if (!/^[0-9]{1,5}$/.test(text) || Number(text) > MAX_NUMBER) {
    lexer.out.report("number", span, `numbers are whole, from 0 to ${MAX_NUMBER}`);
    return undefined;
  }
  lexer.advance();
  return { k: "number", value: Number(text), span };
}

/** `*` as a key, or the star of `*ptep(mm, va)`. */
function readStar(lexer: Lexer, star: Span, depth: number): ExprSyntax | undefined {
  if (lexer.at(",", ")")) return { k: "any", span: star };
  const name = lexer.word("a name after '*'");
  if (name === undefined) return undefined;
  if (!lexer.at("(")) {
    lexer.unexpected(`'(' after '*${name.text}'`, false, "there are no pointers: '*ptep(mm, va)'");
    return undefined;
  }
  return readCall(lexer, { text: `*${name.text}`, span: joinSpans(star, name.span) }, depth);
}

function readRange(lexer: Lexer, open: Span, depth: number): ExprSyntax | undefined {
  const lo = readExpr(lexer, depth + 1);
  if (lo === undefined || !lexer.expect(",", " and the end of the range")) return undefined;
  const hi = readExpr(lexer, depth + 1);
  if (hi === undefined) return undefined;
  if (!lexer.expect(")", ": the end does not belong to a range")) return undefined;
  return { k: "range", lo, hi, span: joinSpans(open, lexer.previous.span) };
}

function readWith(lexer: Lexer, open: Span, depth: number): ExprSyntax | undefined {
  const of = lexer.at(".", "}") ? null : readExpr(lexer, depth + 1);
  if (of === undefined) return undefined;
  if (of !== null && !lexer.at("}") && !lexer.expect(",")) return undefined;
  const set: [Ident, ExprSyntax][] = [];
  while (lexer.eat(".")) {
    const field = lexer.word("the name of a part");
    if (field === undefined || !lexer.expect("=")) return undefined;
    const value = readExpr(lexer, depth + 1);
    if (value === undefined) return undefined;
    set.push([field, value]);
    if (!lexer.eat(",")) break;
  }
  if (!lexer.expect("}")) return undefined;
  const span = joinSpans(open, lexer.previous.span);
  return of === null ? { k: "with", set, span } : { k: "with", of, set, span };
}

/** The arguments behind a name; the next token is the `(`. */
export function readCall(
  lexer: Lexer,
  name: Ident,
  depth: number,
): (CallSyntax & ExprSyntax) | undefined {
  lexer.advance();
  const args: ArgSyntax[] = [];
  let where: ExprSyntax | undefined;
  while (!lexer.at(")")) {
    const arg = readArg(lexer, depth + 1);
    if (arg === undefined) return undefined;
    args.push(arg);
    if (lexer.eat("where")) {
      where = readExpr(lexer, depth + 1);
      if (where === undefined) return undefined;
      break;
    }
    if (!lexer.eat(",")) break;
  }
  if (!lexer.expect(")", ` after the arguments of '${name.text}'`)) return undefined;
  const span = joinSpans(name.span, lexer.previous.span);
  return { k: "call", name, args, ...(where ? { where } : {}), span };
}

function readArg(lexer: Lexer, depth: number): ArgSyntax | undefined {
  const start = lexer.token.span;
  if (lexer.at("in") && lexer.beforeWord()) {
    lexer.advance();
    const range = readExpr(lexer, depth);
    return range && { value: { k: "in", range, span: joinSpans(start, range.span) } };
  }
  const name = lexer.label();
  const value = readExpr(lexer, depth);
  if (value === undefined) return undefined;
  return name ? { name, value } : { value };
}
