// SPDX-License-Identifier: Apache-2.0
// The condition that ends a scenario, over the states in which runs end.
//
//   condition = ( "exists" | "~" "exists" | "forall" ) "(" or ")"
//   or        = and { "\/" and }
//   and       = unary { "/\" unary }
//   unary     = "~" unary | "(" or ")" | place "=" ( name | place )
//             | property [ arguments ] [ "=" value ]

import { joinSpans } from "../base/span.ts";
import type { Condition, Expr } from "./ast.ts";
import { readArg, readArguments } from "./bodies.ts";
import { readPlaceAfter } from "./items.ts";
import { type Lexer, MAX_NESTING } from "./lexer.ts";
import type { Quantifier } from "./words.ts";

/** Undefined after a reported error. */
export function readCondition(lexer: Lexer): Condition | undefined {
  const start = lexer.token.span;
  const negated = lexer.eat("~");
  const universal = !negated && lexer.at("forall");
  if (universal) lexer.advance();
  else if (!lexer.expect("exists", negated ? " after '~'" : "")) return undefined;
  const quantifier: Quantifier = universal ? "forall" : negated ? "~exists" : "exists";
  if (!lexer.expect("(", ` after '${quantifier}'`)) return undefined;
  const expr = readJunction(lexer, "or", 1);
  if (expr === undefined || !lexer.expect(")", " after the condition")) return undefined;
  return { quantifier, expr, span: joinSpans(start, lexer.previous.span) };
}

/** One or more parts; parts of the same kind, which only parentheses make, are merged. */
function readJunction(lexer: Lexer, kind: "or" | "and", depth: number): Expr | undefined {
  const parts: Expr[] = [];
  do {
    const part = kind === "or" ? readJunction(lexer, "and", depth) : readUnary(lexer, depth);
    if (part === undefined) return undefined;
    if (part.kind !== kind) parts.push(part);
    else for (const inner of part.parts) parts.push(inner);
  } while (lexer.eat(kind === "or" ? "\\/" : "/\\"));
  const first = parts[0]!;
  if (parts.length === 1) return first;
  return { kind, parts, span: joinSpans(first.span, lexer.previous.span) };
}

function readUnary(lexer: Lexer, depth: number): Expr | undefined {
  const start = lexer.token.span;
  if (depth > MAX_NESTING && lexer.at("~", "(")) {
    lexer.report("L009", start, `a condition nested more than ${MAX_NESTING} deep`);
    lexer.out.close();
    return undefined;
  }
  if (lexer.eat("~")) {
    const of = readUnary(lexer, depth + 1);
    return of && { kind: "not", of, span: joinSpans(start, of.span) };
  }
  if (lexer.eat("(")) {
    const inner = readJunction(lexer, "or", depth + 1);
    return inner && lexer.expect(")") ? inner : undefined;
  }
  const name = lexer.word("a property such as 'stuck(D)', or a place such as 'A:x'");
  if (name === undefined) return undefined;
  if (lexer.at(":")) return readEqual(lexer, name);
  const args = readArguments(lexer);
  if (args === undefined) return undefined;
  const value = lexer.eat("=") ? readArg(lexer) : null;
  if (value === undefined) return undefined;
  const span = joinSpans(start, lexer.previous.span);
  return { kind: "atom", property: name, args, ...(value ? { value } : {}), span };
}

function readEqual(lexer: Lexer, mm: Parameters<typeof readPlaceAfter>[1]): Expr | undefined {
  const left = readPlaceAfter(lexer, mm);
  if (left === undefined) return undefined;
  if (!lexer.expect("=", " and a page, a place or 'none'")) return undefined;
  const name = lexer.word("a page, a place or 'none'");
  if (name === undefined) return undefined;
  const right = lexer.at(":")
    ? readPlaceAfter(lexer, name)
    : { kind: "name" as const, name, span: name.span };
  return right && { kind: "equal", left, right, span: joinSpans(left.span, right.span) };
}
