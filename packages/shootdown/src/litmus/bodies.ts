// SPDX-License-Identifier: Apache-2.0
// The programs of a scenario: an agent and its statements.
//
//   CPU0(A) { store x; loop { await go; } try_to_unmap_one(A, x); }
//   D       { load x; }

import { quote } from "../base/diagnostic.ts";
import { joinSpans } from "../base/span.ts";
import type { Arg, Body, KernelBlock, Name, Statement } from "./ast.ts";
import { readNumber, readPlaceAfter, readRangeEnd } from "./items.ts";
import { readKernelBlock } from "./kernel-blocks.ts";
import { type Lexer, MAX_NESTING } from "./lexer.ts";
import { CPU_NAME } from "./words.ts";

export interface Programs {
  readonly bodies: Body[];
  readonly kernels: KernelBlock[];
}

/** All programs and blocks of the kernel, up to the condition. */
export function readBodies(lexer: Lexer): Programs {
  const bodies: Body[] = [];
  const kernels: KernelBlock[] = [];
  while (!lexer.atEnd() && !atCondition(lexer)) {
    const { text, span } = lexer.token;
    if (lexer.eat("kernel")) {
      const block = readKernelBlock(lexer, { text, span });
      if (block !== undefined) kernels.push(block);
      else skipBody(lexer);
      continue;
    }
    const body = readBody(lexer);
    if (body !== undefined) bodies.push(body);
    else skipBody(lexer);
  }
  return { bodies, kernels };
}

/** Arguments in parentheses, if there are any; undefined after a reported error. */
export function readArguments(lexer: Lexer): Arg[] | undefined {
  const args: Arg[] = [];
  if (!lexer.eat("(") || lexer.eat(")")) return args;
  do {
    const arg = readArg(lexer);
    if (arg === undefined) return undefined;
    args.push(arg);
  } while (lexer.eat(","));
  return lexer.expect(")", " after the arguments") ? args : undefined;
}

function atCondition(lexer: Lexer): boolean {
  return lexer.at("exists", "forall", "~");
}

/** Behind the `}` of a program that could not be read, or to the next one. */
function skipBody(lexer: Lexer): void {
  do lexer.recover();
  while (!lexer.atEnd() && lexer.previous.text !== "}" && !lexer.at("}") && !beyondBody(lexer));
  while (lexer.eat("}"));
}

/** At something that cannot be a statement: a '}' is missing. */
function beyondBody(lexer: Lexer): boolean {
  return atCondition(lexer) || lexer.at("kernel") || CPU_NAME.test(lexer.token.text);
}

function readBody(lexer: Lexer): Body | undefined {
  const agent = lexer.word("a program such as 'CPU0(A) { ... }', or the condition");
  if (agent === undefined) return undefined;
  let mm: Name | undefined;
  if (lexer.eat("(")) {
    mm = lexer.word("the mm that the CPU runs");
    if (mm === undefined || !lexer.expect(")", " after the mm")) return undefined;
  }
  if (!lexer.expect("{", " and the statements")) return undefined;
  const statements = readStatements(lexer, 1);
  lexer.expect("}", ` after the program of ${quote(agent.text)}`);
  const span = joinSpans(agent.span, lexer.previous.span);
  return mm === undefined ? { agent, statements, span } : { agent, mm, statements, span };
}

/** Up to a `}`, or to something that cannot belong to the block. */
function readStatements(lexer: Lexer, depth: number): Statement[] {
  const statements: Statement[] = [];
  while (!lexer.atEnd() && !lexer.at("}") && !beyondBody(lexer)) {
    const statement = readStatement(lexer, depth);
    if (statement === undefined) lexer.recover();
    else statements.push(statement);
  }
  return statements;
}

function readStatement(lexer: Lexer, depth: number): Statement | undefined {
  const name = lexer.word("a statement");
  if (name === undefined) return undefined;
  if (name.text === "loop") return readLoop(lexer, name, depth);
  let statement: Statement | undefined;
  if (lexer.at("(")) {
    const args = readArguments(lexer);
    if (args === undefined) return undefined;
    const span = joinSpans(name.span, lexer.previous.span);
    statement = { kind: "call", routine: name, args, span };
  } else {
    statement = readVerb(lexer, name);
  }
  if (statement === undefined) return undefined;
  if (lexer.at("{")) {
    lexer.unexpected(`';' after ${quote(name.text)}`, true, "a '}' may be missing before it");
    return undefined;
  }
  return lexer.expect(";", ` after ${quote(name.text)}`) ? statement : undefined;
}

function readVerb(lexer: Lexer, verb: Name): Statement | undefined {
  const args: Arg[] = [];
  while (lexer.token.kind === "word" || lexer.token.kind === "number") {
    const arg = readArg(lexer);
    if (arg === undefined) return undefined;
    args.push(arg);
  }
  if (!lexer.eat("->")) {
    return { kind: "verb", verb, args, span: joinSpans(verb.span, lexer.previous.span) };
  }
  const into = lexer.word("a name after '->'");
  return into && { kind: "verb", verb, args, into, span: joinSpans(verb.span, into.span) };
}

function readLoop(lexer: Lexer, keyword: Name, depth: number): Statement | undefined {
  if (depth >= MAX_NESTING) {
    lexer.report("L009", keyword.span, `more than ${MAX_NESTING} blocks inside each other`);
    lexer.out.close();
    return undefined;
  }
  if (!lexer.expect("{", " after 'loop'")) return undefined;
  const body = readStatements(lexer, depth + 1);
  if (!lexer.expect("}", " after the loop")) return undefined;
  return { kind: "loop", body, span: joinSpans(keyword.span, lexer.previous.span) };
}

/** `4`, `x`, `x..z`, `A:x` or `A:x..z` */
export function readArg(lexer: Lexer): Arg | undefined {
  if (lexer.token.kind === "number") return readNumber(lexer);
  const name = lexer.word("an argument");
  if (name === undefined) return undefined;
  const place = lexer.at(":") ? readPlaceAfter(lexer, name) : null;
  const to = place === undefined ? undefined : readRangeEnd(lexer);
  if (place === undefined || to === undefined) return undefined;
  if (to === null) return place ?? { kind: "name", name, span: name.span };
  const span = joinSpans(name.span, to.span);
  if (place === null) return { kind: "range", from: name, to, span };
  return { kind: "range", mm: place.mm, from: place.va, to, span };
}
