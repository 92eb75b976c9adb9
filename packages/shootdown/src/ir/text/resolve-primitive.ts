// SPDX-License-Identifier: Apache-2.0
// Statements that look like calls: waits, events, exchanges, look-ups, queues.

import { quote } from "../../base/diagnostic.ts";
import type { Span } from "../../base/span.ts";
import { suggestion } from "../../base/suggest.ts";
import type { Node } from "../expr.ts";
import type { AnySort } from "../sort.ts";
import { bool } from "../sort.ts";
import type { Stmt } from "../stmt.ts";
import { resolveKeys, resolvePairs, sortNamed } from "./resolve-call.ts";
import { article, type Local, type Scope, sameSort } from "./scope.ts";
import type { CallSyntax, ExprSyntax } from "./syntax.ts";

type Resolved = readonly Stmt[] | undefined;

/** Statements that look like calls. */
export const primitiveCalled = (name: string) => CALLS[name];
/** The same with a result, which goes into a local. */
export const primitiveInto = (name: string) => CALLS_INTO[name];
export const PRIMITIVES = (): string[] => Object.keys(CALLS);

function fail(
  scope: Scope,
  span: Span,
  message: string,
  ...notes: (string | undefined)[]
): undefined {
  scope.out.report("kind", span, message, ...notes);
  return undefined;
}

/** Whether routines store to what is named. */
export function storable(scope: Scope, to: ExprSyntax, place: Node): boolean {
  const at = target(place);
  if (at === undefined) {
    fail(scope, to.span, "this cannot be stored to: it is no field and no local");
    return false;
  }
  // A named place is what hardware looks at by itself: a plain store would not be told to it.
  if (scope.env.stored.has(at) && place.k !== "apply") return true;
  const hint = scope.env.storedHint;
  fail(scope, to.span, `${quote(at)} is stored to by calls only`, hint);
  return false;
}

/** One argument, of a sort. */
function one(scope: Scope, e: CallSyntax, wanted: AnySort): Node | undefined {
  const [arg] = e.args;
  if (arg === undefined || e.args.length > 1) {
    scope.out.report("arguments", e.span, `${quote(e.name.text)} takes one argument`);
    return undefined;
  }
  return scope.expr(scope, arg.value, wanted);
}

function emit(scope: Scope, e: CallSyntax): Resolved {
  const [first, ...rest] = e.args;
  const name = first?.value.k === "name" ? first.value.name : "";
  const event = scope.env.events.get(name);
  if (event === undefined) {
    const hint = suggestion(name, scope.env.events.keys());
    const span = first?.value.span ?? e.span;
    scope.out.report("name", span, `there is no event ${quote(name)}`, hint);
    return undefined;
  }
  const call = { ...e, name: { text: name, span: e.name.span } };
  const args = resolvePairs(scope, call, rest, event.params);
  return args && [{ k: "emit", event, args }];
}

function grow(scope: Scope, e: CallSyntax): Resolved {
  const [range, by] = e.args;
  const local = range?.value.k === "name" ? scope.locals.get(range.value.name) : undefined;
  if (local?.kind !== "local" || !local.sort.element || !by || e.args.length !== 2) {
    return fail(scope, e.span, "'grow' takes a range that is a local, and an element");
  }
  const node = scope.expr(scope, by.value, local.sort.element);
  return node && [{ k: "grow", range: local.name, by: node }];
}

function exchange(scope: Scope, e: CallSyntax, into: Local): Resolved {
  const swaps = e.name.text === "cmpxchg";
  const [at, first, second] = e.args.map((a) => a.value);
  if (e.args.length !== (swaps ? 3 : 2) || !at || !first) {
    const form = swaps ? "cmpxchg(place, expected, value)" : "xchg(place, value)";
    scope.out.report("arguments", e.span, `it is written '${form}'`);
    return undefined;
  }
  const place = scope.expr(scope, at);
  if (place === undefined || !storable(scope, at, place)) return undefined;
  const a = scope.expr(scope, first, place.sort);
  const b = second ? scope.expr(scope, second, place.sort) : undefined;
  if (a === undefined || (second && b === undefined)) return undefined;
  const sort = swaps ? bool : place.sort;
  if (!sameSort(into.sort, sort)) {
    return fail(scope, e.span, `the result is ${article(sort)}, not ${article(into.sort)}`);
  }
  if (b) return [{ k: "cas", ok: into.name, at: place, expect: a, value: b }];
  return [{ k: "xchg", into: into.name, at: place, value: a }];
}

function any(scope: Scope, e: CallSyntax, into: Local): Resolved {
  const [arg] = e.args;
  const sort =
    arg?.value.k === "name"
      ? sortNamed(scope, { text: arg.value.name, span: arg.value.span })
      : fail(scope, e.span, "it is written 'any(sort)' or 'any(sort where condition)'");
  if (sort === undefined) return undefined;
  if (!sameSort(sort, into.sort)) {
    return fail(scope, e.span, `this is ${article(sort)}, not ${article(into.sort)}`);
  }
  if (!e.where) return [{ k: "choose", into: into.name, sort }];
  // Who writes the sort for the value means the local.
  const inside = scope.locals.has(sort.name)
    ? scope
    : { ...scope, locals: new Map([...scope.locals, [sort.name, into]]) };
  const where = scope.expr(inside, e.where, bool);
  return where && [{ k: "choose", into: into.name, sort, where }];
}

function look(scope: Scope, e: CallSyntax, into: Local): Resolved {
  const found = cellOf(scope, e);
  if (found === undefined) return undefined;
  const { cell, index } = found;
  if (!sameSort(cell.value, into.sort)) {
    return fail(scope, e.span, `this is ${article(cell.value)}, not ${article(into.sort)}`);
  }
  return [{ k: "lookup", into: into.name, cell, index, walks: e.name.text === "lookup" }];
}

function insert(scope: Scope, e: CallSyntax): Resolved {
  const found = cellOf(scope, e);
  const value = found && e.args[1] && scope.expr(scope, e.args[1].value, found.cell.value);
  return found && value && [{ k: "insert", ...found, value }];
}

function clear(scope: Scope, e: CallSyntax): Resolved {
  const found = cellOf(scope, e);
  if (found === undefined || !e.where) return found && [{ k: "clear", ...found }];
  const entry: Local = { name: "entry", sort: found.cell.value, kind: "element" };
  const inside: Scope = { ...scope, locals: new Map([...scope.locals, ["entry", entry]]) };
  const where = scope.expr(inside, e.where, bool);
  return where && [{ k: "clear", ...found, where }];
}

function cellOf(scope: Scope, e: CallSyntax) {
  const first = e.args[0]?.value;
  const cell = first?.k === "call" ? scope.env.cells.get(first.name.text) : undefined;
  if (first?.k !== "call" || cell === undefined) {
    const hint = suggestion(first?.k === "call" ? first.name.text : "", scope.env.cells.keys());
    return fail(scope, first?.span ?? e.span, "a cache is due here", hint);
  }
  const index = resolveKeys(scope, first, cell.keys);
  return index && { cell, index };
}

function post(scope: Scope, e: CallSyntax): Resolved {
  const [first, ...rest] = e.args;
  const set = first?.value.k === "call" ? scope.env.pending.get(first.value.name.text) : undefined;
  if (first?.value.k !== "call" || set === undefined) {
    const hint = suggestion("", scope.env.pending.keys());
    return fail(scope, first?.value.span ?? e.span, "a queue is due here", hint);
  }
  const index = resolveKeys(scope, first.value, set.keys);
  const entry = index && resolvePairs(scope, e, rest, set.entry);
  return index && entry && [{ k: "post", set, index, entry }];
}

function retry(scope: Scope, e: CallSyntax): Resolved {
  const permitted = one(scope, e, bool);
  return permitted && [{ k: "retry", permitted }];
}

function waitUntil(scope: Scope, e: CallSyntax): Resolved {
  const cond = one(scope, e, bool);
  return cond && [{ k: "await", cond }];
}

/** Looks, and says what it saw, in one step. */
function assertion(scope: Scope, e: CallSyntax): Resolved {
  const cond = one(scope, e, bool);
  const event = scope.env.events.get("assertion_failed");
  if (cond === undefined || event === undefined) return undefined;
  const failed: Stmt = { k: "emit", event, args: [] };
  const not: Node = { k: "op", op: "not", args: [cond], sort: bool };
  return [{ k: "atomic", body: [{ k: "when", cond: not, then: [failed], otherwise: [] }] }];
}

/** The field that a node stores to. */
const target = (n: Node): string | undefined =>
  n.k === "read" ? n.field.name : n.k === "apply" ? target(n.body) : undefined;

const table = <T>(all: Readonly<Record<string, T>>): Readonly<Record<string, T | undefined>> =>
  Object.assign(Object.create(null), all);

const CALLS = table<(scope: Scope, e: CallSyntax) => Resolved>({
  ...{ wait_until: waitUntil, retry_from_here: retry, emit, grow },
  ...{ insert, clear, post, assert: assertion },
});

const CALLS_INTO = table<(scope: Scope, e: CallSyntax, into: Local) => Resolved>({
  ...{ xchg: exchange, cmpxchg: exchange, any, lookup: look, pick: look },
});
