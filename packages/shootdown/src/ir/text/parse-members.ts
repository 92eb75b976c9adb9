// SPDX-License-Identifier: Apache-2.0
// Reads what changes a kernel: routines, fields, and edits of routines, up to a closing brace.
//
//   bool unlocked(mm);                                    a field, with `= true` to begin with
//   void flush_it(cpu, mm, va) { ... }                    a routine, new or in place of another
//   in do_wp_page: drop 12;                               one edit
//   in wp_page_copy { move 12 after 16; after flush { ... } }

import { joinSpans } from "../../base/span.ts";
import type { Lexer } from "./lexer.ts";
import { readBlock, readParams, readRoutine } from "./parse.ts";
import { readExpr } from "./parse-expr.ts";
import type { EditSyntax, EditsSyntax, Ident, MemberSyntax, TargetSyntax } from "./syntax.ts";

/** The next token is then the closing brace, or the text has ended. */
export function readMembers(lexer: Lexer): MemberSyntax[] {
  const members: MemberSyntax[] = [];
  while (!lexer.atEnd() && !lexer.at("}")) {
    if (lexer.eat(";")) continue;
    if (lexer.at("in")) {
      const edits = readEdits(lexer);
      if (edits) members.push(edits);
      else lexer.recover();
    } else if (!readDeclared(lexer, members)) lexer.recover();
  }
  return members;
}

/** A routine, or one field or more: `int users(mm), waiting = 1;` */
function readDeclared(lexer: Lexer, into: MemberSyntax[]): boolean {
  const sort = lexer.word("a routine, a field, or 'in ROUTINE'");
  for (let fields = 0; sort !== undefined; fields++) {
    const name = lexer.word(`a name behind '${sort.text}'`);
    if (name === undefined) return false;
    const params = lexer.at(";", "=", ",") ? [] : readParams(lexer, name);
    if (params === undefined) return false;
    if (fields === 0 && !lexer.at(";", "=", ",")) {
      const routine = readRoutine(lexer, sort, name, params);
      if (routine) into.push(routine);
      return routine !== undefined;
    }
    const index = params.map((p) => p.sort);
    const initial = lexer.eat("=") ? readExpr(lexer) : null;
    if (initial === undefined) return false;
    const base = { k: "field", sort, name, index } as const;
    const span = joinSpans(fields === 0 ? sort.span : name.span, lexer.previous.span);
    into.push(initial === null ? { ...base, span } : { ...base, initial, span });
    if (!lexer.eat(",")) return lexer.expect(";");
  }
  return false;
}

function readEdits(lexer: Lexer): EditsSyntax | undefined {
  const start = lexer.token.span;
  lexer.advance();
  const routine = lexer.word("the name of a routine");
  if (routine === undefined) return undefined;
  const edits: EditSyntax[] = [];
  if (lexer.eat(":")) {
    const edit = readEdit(lexer, routine);
    if (edit === undefined) return undefined;
    edits.push(edit);
  } else {
    if (!lexer.expect("{", " or ':', and edits")) return undefined;
    while (!lexer.atEnd() && !lexer.at("}")) {
      if (lexer.eat(";")) continue;
      const edit = readEdit(lexer, routine);
      if (edit === undefined) lexer.recover();
      else edits.push(edit);
    }
    if (!lexer.expect("}", ` after the edits of '${routine.text}'`)) return undefined;
  }
  return { k: "edits", routine, edits, span: joinSpans(start, lexer.previous.span) };
}

const EDITS = ["drop", "before", "after", "replace", "move"] as const;

function readEdit(lexer: Lexer, routine: Ident): EditSyntax | undefined {
  const start = lexer.token.span;
  const k = EDITS.find((word) => lexer.eat(word));
  if (k === undefined) {
    const what = "'drop', 'before', 'after', 'replace' or 'move'";
    lexer.unexpected(what, false, `in ${routine.text}: drop 2;`);
    return undefined;
  }
  const target = readTarget(lexer);
  if (target === undefined) return undefined;
  const since = () => joinSpans(start, lexer.previous.span);
  if (k === "drop") {
    return lexer.expect(";") ? { k, target, span: since() } : undefined;
  }
  if (k !== "move") {
    const body = readBlock(lexer, 1);
    return body && { k, target, body, span: since() };
  }
  const where = lexer.eat("before") ? "before" : lexer.eat("after") ? "after" : undefined;
  if (where === undefined) {
    lexer.unexpected("'before' or 'after'");
    return undefined;
  }
  const to = readTarget(lexer);
  if (to === undefined || !lexer.expect(";")) return undefined;
  return { k, target, where, to, span: since() };
}

/** `12`, `flush`, or `"flush_tlb_page(cpu, mm, va);"` */
function readTarget(lexer: Lexer): TargetSyntax | undefined {
  const { kind, text, span } = lexer.token;
  if (kind === "number" && /^[1-9][0-9]{0,4}$/.test(text)) {
    lexer.advance();
    return { by: "step", text, span };
  }
  if (kind === "string") {
    lexer.advance();
    return { by: "text", text: text.slice(1, -1), span };
  }
  const name = lexer.hyphenatedWord("a step's number, a label, or a statement in quotes");
  return name && { by: "label", ...name };
}
