// SPDX-License-Identifier: Apache-2.0
// Reads C-like text: routines and their statements, as `show` prints them and people write them.
//
//   void wp_page_reuse(cpu, mm, va, desc orig)
//   {
//           bool changed;
//     1     changed = ptep_set_access_flags(cpu, mm, va, entry: orig, dirty: true);
//   }
//
// The numbers at the left may stand there: no statement begins with one.

import { joinSpans, type Span } from "../../base/span.ts";
import type { Lexer } from "./lexer.ts";
import { readExpr, tooDeep } from "./parse-expr.ts";
import type {
  CallSyntax,
  ExprSyntax,
  Ident,
  ParamSyntax,
  RoutineSyntax,
  StmtSyntax,
} from "./syntax.ts";

/** Behind the result's sort, the name and the parameters. */
export function readRoutine(
  lexer: Lexer,
  result: Ident,
  name: Ident,
  params: readonly ParamSyntax[],
): RoutineSyntax | undefined {
  if (!lexer.at("{")) {
    lexer.unexpected(`'{' and the body of '${name.text}'`);
    return undefined;
  }
  const body = readBlock(lexer, 1);
  if (body === undefined) return undefined;
  const span = joinSpans(result.span, lexer.previous.span);
  const sort = result.text === "void" ? undefined : result;
  return { k: "routine", result: sort, name, params, body, span };
}

export function readParams(lexer: Lexer, of: Ident): ParamSyntax[] | undefined {
  const params: ParamSyntax[] = [];
  if (!lexer.expect("(", ` after '${of.text}'`)) return undefined;
  // In C, nothing is written `void`.
  if (lexer.at("void") && !lexer.beforeWord()) lexer.advance();
  while (!lexer.at(")")) {
    const sort = lexer.word(`a parameter of '${of.text}'`);
    if (sort === undefined) return undefined;
    const name = lexer.token.kind === "word" ? lexer.word("its name") : sort;
    if (name === undefined) return undefined;
    params.push({ sort, name });
    if (!lexer.eat(",")) break;
  }
  return lexer.expect(")", " after the parameters") ? params : undefined;
}

/** Statements between braces; undefined if they do not end. */
export function readBlock(lexer: Lexer, depth: number): StmtSyntax[] | undefined {
  if (!lexer.expect("{") || tooDeep(lexer, depth)) return undefined;
  const statements: StmtSyntax[] = [];
  for (skipStep(lexer); !lexer.at("}"); skipStep(lexer)) {
    if (lexer.atEnd()) {
      lexer.unexpected("'}'");
      return undefined;
    }
    if (lexer.eat(";")) continue;
    const statement = readStatement(lexer, depth);
    if (statement === undefined) lexer.recover();
    else statements.push(statement);
  }
  lexer.advance();
  return statements;
}

/** The number at the left of a printed line. */
function skipStep(lexer: Lexer): void {
  if (lexer.token.kind === "number") lexer.advance();
}

/** Behind an `if`: a block, or one statement. */
function readBranch(lexer: Lexer, depth: number): StmtSyntax[] | undefined {
  skipStep(lexer);
  if (lexer.at("{")) return readBlock(lexer, depth + 1);
  if (lexer.eat(";")) return [];
  if (tooDeep(lexer, depth)) return undefined;
  const only = readStatement(lexer, depth + 1);
  return only && [only];
}

type Reader = (lexer: Lexer, word: Ident, depth: number) => StmtSyntax | undefined;

const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ["if", readIf],
  ["for", readFor],
  ["while", readWhile],
  ["for_each", readEach],
  ["for_all", readForall],
  ["atomic", readAtomic],
  ["either", readEither],
  ["since", readSince],
  ["return", readReturn],
  ["break", readJump],
  ["continue", readJump],
]);

/** Words that cannot be names of locals, parameters or routines. */
export const KEYWORDS: readonly string[] = [
  ...READERS.keys(),
  ...["else", "or", "where", "in", "void", "true", "false", "READ", "drop", "move"],
];

const since = (start: Span, lexer: Lexer): Span => joinSpans(start, lexer.previous.span);

function readStatement(lexer: Lexer, depth: number): StmtSyntax | undefined {
  const { kind, text, span } = lexer.token;
  const label = lexer.label();
  if (label) return readLabelled(lexer, label, depth);
  const reader = kind === "word" ? READERS.get(text) : undefined;
  if (reader) {
    lexer.advance();
    return reader(lexer, { text, span }, depth);
  }
  if (lexer.beforeWord()) return readDeclaration(lexer);
  const to = readExpr(lexer, depth);
  if (to === undefined) return undefined;
  if (lexer.at("+=", "-=", "++", "--")) return readStep(lexer, to, depth);
  if (lexer.eat("=")) {
    const value = readExpr(lexer, depth);
    if (value === undefined || !end(lexer)) return undefined;
    return { k: "assign", to, value, span: joinSpans(to.span, value.span) };
  }
  if (to.k !== "call") {
    lexer.unexpected("'=' or a call", true);
    return undefined;
  }
  return end(lexer) ? { k: "call", call: to as CallSyntax, span: to.span } : undefined;
}

const end = (lexer: Lexer): boolean => lexer.expect(";", " after the statement");

/** `n++`, `n += 2` */
function readStep(lexer: Lexer, to: ExprSyntax, depth: number): StmtSyntax | undefined {
  const { text, span } = lexer.token;
  lexer.advance();
  const one: ExprSyntax = { k: "number", value: 1, span };
  const by = text === "++" || text === "--" ? one : readExpr(lexer, depth);
  if (by === undefined || !end(lexer)) return undefined;
  const op = text.startsWith("+") ? "+" : "-";
  const whole = joinSpans(to.span, by.span);
  const value: ExprSyntax = { k: "binary", op, left: to, right: by, span: whole };
  return { k: "assign", to, value, span: whole };
}

/** `flush:` and one statement, a block, or nothing. */
function readLabelled(lexer: Lexer, name: Ident, depth: number): StmtSyntax | undefined {
  skipStep(lexer);
  if (lexer.at("}")) return { k: "label", name, body: [], span: name.span };
  const body = readBranch(lexer, depth);
  return body && { k: "label", name, body, span: since(name.span, lexer) };
}

function readDeclaration(lexer: Lexer): StmtSyntax | undefined {
  const sort = lexer.word("a sort");
  if (sort === undefined) return undefined;
  const names: { name: Ident; value?: ExprSyntax }[] = [];
  do {
    const name = lexer.word("the name of a local");
    if (name === undefined) return undefined;
    if (!lexer.eat("=")) {
      names.push({ name });
      continue;
    }
    const value = readExpr(lexer);
    if (value === undefined) return undefined;
    names.push({ name, value });
  } while (lexer.eat(","));
  return end(lexer) ? { k: "declare", sort, names, span: since(sort.span, lexer) } : undefined;
}

function readIf(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  const cond = readCondition(lexer, word, depth);
  const then = cond && readBranch(lexer, depth);
  if (cond === undefined || then === undefined) return undefined;
  // A number may stand before `} else`, but then it is read with the block.
  let otherwise: readonly StmtSyntax[] | undefined = [];
  if (lexer.eat("else")) otherwise = readBranch(lexer, depth);
  return otherwise && { k: "if", cond, then, otherwise, span: since(word.span, lexer) };
}

function readCondition(lexer: Lexer, word: Ident, depth: number): ExprSyntax | undefined {
  if (!lexer.expect("(", ` after '${word.text}'`)) return undefined;
  const cond = readExpr(lexer, depth + 1);
  return cond && lexer.expect(")", " after the condition") ? cond : undefined;
}

function readFor(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  const parts = ["(", ";", ";", ")"];
  if (!lexer.at("(")) lexer.expect("(", " after 'for'");
  else if (parts.every((p) => lexer.eat(p))) {
    const body = readBranch(lexer, depth);
    return body && { k: "loop", body, span: since(word.span, lexer) };
  } else {
    const note = "there are 'for (;;)', 'while (...)', 'for_each(va, range)' and 'for_all(d, dev)'";
    lexer.unexpected("'for (;;)'", false, note);
  }
  return undefined;
}

function readWhile(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  const cond = readCondition(lexer, word, depth);
  const body = cond && readBranch(lexer, depth);
  if (cond === undefined || body === undefined) return undefined;
  return { k: "while", cond, body, span: since(word.span, lexer) };
}

function readEach(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  if (!lexer.expect("(", " after 'for_each'")) return undefined;
  const name = lexer.word("the name of the element");
  if (name === undefined || !lexer.expect(",", " and a range")) return undefined;
  const over = readExpr(lexer, depth + 1);
  if (over === undefined) return undefined;
  const stride = lexer.eat(",") ? readExpr(lexer, depth + 1) : null;
  if (stride === undefined || !lexer.expect(")")) return undefined;
  const body = readBranch(lexer, depth);
  if (body === undefined) return undefined;
  const base = { k: "each", name, over, body, span: since(word.span, lexer) } as const;
  return stride === null ? base : { ...base, stride };
}

function readForall(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  if (!lexer.expect("(", " after 'for_all'")) return undefined;
  const name = lexer.word("the name of the element");
  if (name === undefined || !lexer.expect(",", " and a sort")) return undefined;
  const sort = lexer.word("a sort");
  if (sort === undefined || !lexer.expect(")")) return undefined;
  const body = readBranch(lexer, depth);
  return body && { k: "forall", name, sort, body, span: since(word.span, lexer) };
}

function readAtomic(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  const body = readBlock(lexer, depth + 1);
  return body && { k: "atomic", body, span: since(word.span, lexer) };
}

function readEither(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  const branches: StmtSyntax[][] = [];
  do {
    const branch = readBlock(lexer, depth + 1);
    if (branch === undefined) return undefined;
    branches.push(branch);
  } while (lexer.eat("or"));
  return { k: "either", branches, span: since(word.span, lexer) };
}

/** `since 6.6 { ... } else { ... }` */
function readSince(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  const { kind, text } = lexer.token;
  if (kind !== "number") {
    lexer.unexpected("a version such as 6.6");
    return undefined;
  }
  lexer.advance();
  const then = readBranch(lexer, depth);
  if (then === undefined) return undefined;
  const otherwise = lexer.eat("else") ? readBranch(lexer, depth) : [];
  if (otherwise === undefined) return undefined;
  return { k: "since", version: text, then, otherwise, span: since(word.span, lexer) };
}

function readReturn(lexer: Lexer, word: Ident, depth: number): StmtSyntax | undefined {
  if (lexer.eat(";")) return { k: "return", span: word.span };
  const value = readExpr(lexer, depth);
  if (value === undefined || !end(lexer)) return undefined;
  return { k: "return", value, span: joinSpans(word.span, value.span) };
}

function readJump(lexer: Lexer, word: Ident): StmtSyntax | undefined {
  const k = word.text as "break" | "continue";
  return end(lexer) ? { k, span: word.span } : undefined;
}
