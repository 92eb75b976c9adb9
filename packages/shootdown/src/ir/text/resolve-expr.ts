// SPDX-License-Identifier: Apache-2.0
// Expressions with their names looked up: syntax and the sort that is expected in, nodes out.
//
// A number, a limit and a value of an enumeration take the sort that is expected where they stand;
// everything else has a sort of its own.

import { quote } from "../../base/diagnostic.ts";
import { suggestion } from "../../base/suggest.ts";
import type { FieldDecl, Node } from "../expr.ts";
import { ruleKnob } from "../expr.ts";
import type { AnySort } from "../sort.ts";
import { bool, int } from "../sort.ts";
import { resolveCall } from "./resolve-call.ts";
import { article, type Found, operation, type Scope, sameSort, type Wanted } from "./scope.ts";
import type { ExprSyntax, Ident } from "./syntax.ts";

const isOrdered = (s: Wanted): s is AnySort => s?.kind === "ordered";

/** The node of an expression; undefined after a reported error. */
export function resolveExpr(scope: Scope, e: ExprSyntax, wanted?: AnySort): Found {
  const node = resolveAs(scope, e, wanted);
  if (node === undefined || wanted === undefined || sameSort(node.sort, wanted)) return node;
  const { out } = scope;
  out.report("kind", e.span, `this is ${article(node.sort)}, not ${article(wanted)}`);
  return undefined;
}

function resolveAs(scope: Scope, e: ExprSyntax, wanted: Wanted): Found {
  switch (e.k) {
    case "number":
      return { k: "const", value: e.value, sort: wanted ?? int };
    case "name":
      return resolveName(scope, e, wanted);
    case "call":
      return resolveCall(scope, e, wanted);
    case "get":
      return resolveGet(scope, e);
    case "not": {
      const of = resolveExpr(scope, e.of, bool);
      return of && operation("not", bool, of);
    }
    case "binary":
      return resolveBinary(scope, e, wanted);
    case "conditional":
      return resolveConditional(scope, e, wanted);
    case "range":
      return resolveRange(scope, e, wanted);
    case "with":
      return resolveWith(scope, e, wanted);
    case "any":
    case "in":
      scope.out.report("kind", e.span, "this can only stand as a key of a cache or a queue");
      return undefined;
  }
}

function resolveName(scope: Scope, e: ExprSyntax & { k: "name" }, wanted: Wanted): Found {
  const { env, out, locals } = scope;
  const { name } = e;
  const local = locals.get(name);
  const member = (s: AnySort): Found => {
    const value = s.kind === "enumeration" ? (s.values?.indexOf(name) ?? -1) : -1;
    return value < 0 ? undefined : { k: "const", value, sort: s };
  };
  const fits = local && (wanted === undefined || sameSort(local.sort, wanted));
  const asValue = wanted && !fits ? member(wanted) : undefined;
  if (asValue) return asValue;
  if (local) return { k: "local", name: local.name, sort: local.sort };
  if (name === "true" || name === "false") {
    return { k: "const", value: name === "true" ? 1 : 0, sort: bool };
  }
  const limit = env.limits.get(name);
  if (limit) return { k: "limit", name, sort: isOrdered(wanted) ? wanted : limit };
  const field = env.fields.get(name);
  if (field?.index.length === 0) return { k: "read", field, index: [], sort: field.value };
  const rule = /^rule_([A-Z][0-9]+)$/.exec(name)?.[1];
  if (rule !== undefined) return { k: "knob", knob: ruleKnob(rule), is: "yes", sort: bool };
  const values = [...env.sorts.values()].map(member).filter((n) => n !== undefined);
  if (wanted === undefined && values.length === 1) return values[0];
  if (field || env.macros.has(name) || env.routines.has(name)) {
    out.report("kind", e.span, `${quote(name)} needs its arguments: '${name}(...)'`);
    return undefined;
  }
  unknownName(scope, e, wanted);
  return undefined;
}

function unknownName({ out, env, locals }: Scope, e: ExprSyntax & { k: "name" }, wanted: Wanted) {
  const own = wanted?.kind === "enumeration" ? (wanted.values ?? []) : [];
  const known = [...locals.keys(), ...own];
  const hint =
    suggestion(e.name, known) ?? suggestion(e.name, [...env.limits.keys(), ...env.fields.keys()]);
  const message =
    own.length > 0 && locals.size === 0
      ? `${quote(e.name)} is no ${wanted!.name}`
      : `${quote(e.name)} is not declared here`;
  out.report("name", e.span, message, hint);
}

/** Whether an expression has a sort of its own. */
function hasSort(scope: Scope, e: ExprSyntax): boolean {
  switch (e.k) {
    case "number":
    case "with":
      return e.k === "with" && e.of !== undefined && hasSort(scope, e.of);
    case "name":
      return (
        scope.locals.has(e.name) ||
        scope.env.fields.has(e.name) ||
        e.name === "true" ||
        e.name === "false"
      );
    case "conditional":
      return hasSort(scope, e.then) || hasSort(scope, e.otherwise);
    case "binary":
      if (e.op === "*" || e.op === "/") return false;
      return !(e.op === "+" || e.op === "-") || hasSort(scope, e.left);
    case "range":
      return hasSort(scope, e.lo) || hasSort(scope, e.hi);
    default:
      return true;
  }
}

/** Two expressions of one sort: whichever has one of its own says it for the other. */
function resolveBoth(
  scope: Scope,
  a: ExprSyntax,
  b: ExprSyntax,
  wanted?: AnySort,
): readonly [Node, Node] | undefined {
  if (wanted === undefined && !hasSort(scope, a) && hasSort(scope, b)) {
    const right = resolveExpr(scope, b);
    const left = right && resolveExpr(scope, a, right.sort);
    return left && right && [left, right];
  }
  const left = resolveExpr(scope, a, wanted);
  const right = left && resolveExpr(scope, b, left.sort);
  return left && right && [left, right];
}

function resolveBinary(scope: Scope, e: ExprSyntax & { k: "binary" }, wanted: Wanted): Found {
  const { op } = e;
  switch (op) {
    case "||":
    case "&&": {
      const a = resolveExpr(scope, e.left, bool);
      const b = resolveExpr(scope, e.right, bool);
      return a && b && operation(op === "||" ? "or" : "and", bool, a, b);
    }
    case "==":
    case "!=":
      return resolveEquality(scope, e);
    case "<":
    case "<=":
    case ">":
    case ">=": {
      const both = resolveBoth(scope, e.left, e.right);
      if (both === undefined) return undefined;
      const left: AnySort = both[0].sort;
      if (!isOrdered(left)) {
        scope.out.report("kind", e.span, `${article(left)} has no order`);
        return undefined;
      }
      const [a, b] = op.startsWith("<") ? both : [both[1], both[0]];
      return operation(op.endsWith("=") ? "le" : "lt", bool, a, b);
    }
    default:
      return resolveArithmetic(scope, e, wanted);
  }
}

function resolveEquality(scope: Scope, e: ExprSyntax & { k: "binary" }): Found {
  const knob = resolveKnob(scope, e);
  if (knob !== null) return knob;
  const both = resolveBoth(scope, e.left, e.right);
  return both && operation(e.op === "==" ? "eq" : "ne", bool, ...both);
}

/** `knob(pcid) == no`; null: something else. */
function resolveKnob({ env, out }: Scope, e: ExprSyntax & { k: "binary" }): Found | null {
  const { left, right } = e;
  if (left.k !== "call" || left.name.text !== "knob") return null;
  const [arg] = left.args;
  const name = arg?.value.k === "name" ? arg.value.name : "";
  const values = env.knobs.get(name);
  const is = right.k === "name" ? right.name : "";
  if (values === undefined || !values.includes(is)) {
    const wrong = values === undefined ? name : is;
    const hint = suggestion(wrong, values ?? env.knobs.keys());
    const what = values === undefined ? "no knob" : "no value of the knob";
    out.report(
      "name",
      values === undefined ? left.span : right.span,
      `${quote(wrong)} is ${what}`,
      hint,
    );
    return undefined;
  }
  const node: Node = { k: "knob", knob: name, is, sort: bool };
  return e.op === "==" ? node : operation("not", bool, node);
}

const ARITHMETIC = { "+": "add", "-": "sub", "*": "mul", "/": "div" } as const;

function resolveArithmetic(scope: Scope, e: ExprSyntax & { k: "binary" }, wanted: Wanted): Found {
  const op = ARITHMETIC[e.op as keyof typeof ARITHMETIC];
  const own = hasSort(scope, e.left);
  const left = resolveExpr(scope, e.left, own ? undefined : isOrdered(wanted) ? wanted : int);
  if (left === undefined) return undefined;
  const right = resolveExpr(scope, e.right, hasSort(scope, e.right) ? undefined : int);
  if (right === undefined) return undefined;
  for (const [part, node] of [
    [e.left, left],
    [e.right, right],
  ] as const) {
    if (isOrdered(node.sort)) continue;
    scope.out.report("kind", part.span, `${article(node.sort)} is no number`);
    return undefined;
  }
  const difference = op === "sub" && sameSort(left.sort, right.sort);
  // Pages, tables and numbers become each other by these alone.
  const sort = isOrdered(wanted) ? wanted : difference ? int : left.sort;
  return operation(op, sort, left, right);
}

function resolveConditional(
  scope: Scope,
  e: ExprSyntax & { k: "conditional" },
  wanted: Wanted,
): Found {
  const cond = resolveExpr(scope, e.cond, bool);
  const both = resolveBoth(scope, e.then, e.otherwise, wanted);
  return cond && both && operation("ite", both[0].sort, cond, ...both);
}

function resolveRange(scope: Scope, e: ExprSyntax & { k: "range" }, wanted: Wanted): Found {
  const range = wanted?.kind === "range" ? wanted : undefined;
  const element = range?.element;
  const both = resolveBoth(scope, e.lo, e.hi, element);
  if (both === undefined) return undefined;
  const sort =
    range ??
    [...scope.env.sorts.values()].find((s) => s.element && sameSort(s.element, both[0].sort));
  if (sort) return operation("range", sort, ...both);
  scope.out.report("kind", e.span, `there are no ranges of ${quote(both[0].sort.name)}`);
  return undefined;
}

function resolveWith(scope: Scope, e: ExprSyntax & { k: "with" }, wanted: Wanted): Found {
  const sort = wanted?.kind === "word" ? wanted : undefined;
  const arg: Found = e.of ? resolveExpr(scope, e.of, sort) : sort && { k: "const", value: 0, sort };
  if (arg === undefined) {
    if (!e.of) scope.out.report("kind", e.span, "no word with parts is due here");
    return undefined;
  }
  const set: (readonly [string, Node])[] = [];
  for (const [name, value] of e.set) {
    const part = partOf(scope, arg.sort, name);
    const node = part && resolveExpr(scope, value, part);
    if (node === undefined) return undefined;
    set.push([name.text, node]);
  }
  return { k: "with", arg, set, sort: arg.sort };
}

function partOf({ out }: Scope, of: AnySort, name: Ident): AnySort | undefined {
  const part = of.fields?.find((f) => f.name === name.text);
  if (part) return part.sort;
  const known = of.kind === "range" ? ["start", "end"] : (of.fields ?? []).map((f) => f.name);
  const hint = suggestion(name.text, known);
  out.report("name", name.span, `${article(of)} has no part ${quote(name.text)}`, hint);
  return undefined;
}

function resolveGet(scope: Scope, e: ExprSyntax & { k: "get" }): Found {
  const whole = dottedField(scope, e);
  if (whole) return { k: "read", field: whole, index: [], sort: whole.value };
  const arg = resolveExpr(scope, e.of);
  if (arg === undefined) return undefined;
  const { text } = e.field;
  if (arg.sort.kind === "range" && arg.sort.element && (text === "start" || text === "end")) {
    return operation(text === "start" ? "lo" : "hi", arg.sort.element, arg);
  }
  const sort = partOf(scope, arg.sort, e.field);
  return sort && { k: "get", field: text, arg, sort };
}

/** A field without index whose name has a dot in it. */
function dottedField({ env, locals }: Scope, e: ExprSyntax & { k: "get" }): FieldDecl | undefined {
  if (e.of.k !== "name" || locals.has(e.of.name)) return undefined;
  const field = env.fields.get(`${e.of.name}.${e.field.text}`);
  return field?.index.length === 0 ? field : undefined;
}
