// SPDX-License-Identifier: Apache-2.0
// Calls in expressions: elements of fields, named expressions, built-in questions; and arguments.

import { quote } from "../../base/diagnostic.ts";
import { suggestion } from "../../base/suggest.ts";
import type { KeyPattern, Node, Op, Sorts } from "../expr.ts";
import type { AnySort } from "../sort.ts";
import { bool } from "../sort.ts";
import type { Pairs } from "../stmt.ts";
import { KEYWORDS } from "./parse.ts";
import { article, type Found, operation, paramText, type Scope, type Wanted } from "./scope.ts";
import type { ArgSyntax, CallSyntax, ExprSyntax, Ident } from "./syntax.ts";

export function resolveCall(scope: Scope, e: CallSyntax, wanted: Wanted): Found {
  const { env, out } = scope;
  const { text, span } = e.name;
  const builtIn = BUILT_IN[text];
  if (builtIn) return builtIn(scope, e, wanted);
  if (e.where) {
    out.report("form", e.where.span, `no 'where' can stand in ${quote(text)}`);
    return undefined;
  }
  const field = env.fields.get(text);
  if (field) {
    const index = resolveList(scope, e, field.index);
    return index && { k: "read", field, index, sort: field.value };
  }
  const macro = env.macros.get(text);
  if (macro) {
    const args = resolveList(scope, e, macro.params);
    return args && macro.of(args);
  }
  if (env.routines.has(text) || STATEMENTS.includes(text)) {
    const hint = `give its result to a local first: 'x = ${text}(...);'`;
    out.report("kind", span, `${quote(text)} is called by a statement of its own`, hint);
    return undefined;
  }
  const known = [...env.fields.keys(), ...env.macros.keys(), ...env.routines.keys()];
  out.report("routine", span, `nothing is called ${quote(text)}`, suggestion(text, known));
  return undefined;
}

/** Calls that are statements, or stand alone behind `=`. */
const STATEMENTS: readonly string[] = [
  ...["xchg", "cmpxchg", "any", "lookup", "pick", "insert", "clear", "post", "emit", "grow"],
  ...["wait_until", "retry_from_here", "assert"],
];

type BuiltIn = (scope: Scope, e: CallSyntax, wanted: Wanted) => Found;

const overRange =
  (op: Op, ...further: readonly ("element" | "range")[]): BuiltIn =>
  (scope, e) => {
    const [first, second] = e.args;
    if (!counted(scope, e, 1 + further.length) || !first) return undefined;
    const range = scope.expr(scope, first.value);
    if (range && !range.sort.element) {
      scope.out.report("kind", first.value.span, `this is ${article(range.sort)}, not a range`);
      return undefined;
    }
    if (range === undefined || second === undefined) return range && operation(op, bool, range);
    const other = scope.expr(
      scope,
      second.value,
      further[0] === "element" ? range.sort.element : range.sort,
    );
    return other && operation(op, bool, range, other);
  };

const variation =
  (written: boolean): BuiltIn =>
  ({ env, out }, e) => {
    let all: Found;
    for (const { value } of e.args) {
      const name = value.k === "name" || value.k === "get" ? nameOf(value) : "";
      const field = env.fields.get(name);
      if (field === undefined) {
        const hint = suggestion(name, env.fields.keys());
        out.report("name", value.span, `there is no field ${quote(name)}`, hint);
        return undefined;
      }
      const one: Node = { k: "varies", field, written, sort: bool };
      all = all ? operation("or", bool, all, one) : one;
    }
    if (all === undefined) out.report("arguments", e.span, `${e.name.text}() names a field`);
    return all;
  };

const nameOf = (e: ExprSyntax): string =>
  e.k === "name" ? e.name : e.k === "get" ? `${nameOf(e.of)}.${e.field.text}` : "";

const BUILT_IN: Readonly<Record<string, BuiltIn | undefined>> = Object.assign(Object.create(null), {
  empty: overRange("empty"),
  contains: overRange("contains", "element"),
  overlaps: overRange("overlaps", "range"),
  varies: variation(false),
  changes: variation(true),
  outstanding: resolveOutstanding,
  knob: ({ out }: Scope, e: CallSyntax) => {
    out.report("form", e.span, "a knob is compared with a value: 'knob(pcid) == no'");
    return undefined;
  },
});

function resolveOutstanding(scope: Scope, e: CallSyntax): Found {
  const [first, ...rest] = e.args;
  const set = first?.value.k === "call" ? scope.env.pending.get(first.value.name.text) : undefined;
  if (first?.value.k !== "call" || set === undefined) {
    const hint = suggestion("", scope.env.pending.keys());
    scope.out.report("arguments", e.span, "'outstanding' asks about a queue", hint);
    return undefined;
  }
  const index = resolveKeys(scope, first.value, set.keys);
  const where = index && resolvePairs(scope, e, rest, set.entry, true);
  return index && where && { k: "outstanding", set, index, where, sort: bool };
}

/** The keys of a cache or queue. */
export function resolveKeys(
  scope: Scope,
  e: CallSyntax,
  keys: Sorts,
): readonly KeyPattern[] | undefined {
  const sorts = Object.values(keys);
  if (!counted(scope, e, sorts.length)) return undefined;
  const found: KeyPattern[] = [];
  for (const [n, { value }] of e.args.entries()) {
    if (value.k === "any") found.push({ k: "any" });
    else if (value.k === "in") {
      const range = scope.expr(scope, value.range);
      if (range === undefined) return undefined;
      found.push({ k: "in", range });
    } else {
      const node = scope.expr(scope, value, sorts[n]);
      if (node === undefined) return undefined;
      found.push(node);
    }
  }
  return found;
}

function counted({ out }: Scope, e: CallSyntax, count: number): boolean {
  const named = e.args.find((a) => a.name);
  if (named?.name) {
    out.report("arguments", named.name.span, `${quote(e.name.text)} has no parameters with names`);
    return false;
  }
  if (e.args.length === count) return true;
  const many = count === 1 ? "1 argument" : `${count} arguments`;
  out.report("arguments", e.span, `${quote(e.name.text)} takes ${many}, not ${e.args.length}`);
  return false;
}

function resolveList(scope: Scope, e: CallSyntax, sorts: readonly AnySort[]): Node[] | undefined {
  if (!counted(scope, e, sorts.length)) return undefined;
  const nodes = e.args.map(({ value }, n) => scope.expr(scope, value, sorts[n]));
  return nodes.every((n) => n !== undefined) ? nodes : undefined;
}

/** Arguments for parameters, by place or by name; `some`: not all of them need one, by name. */
export function resolvePairs(
  scope: Scope,
  e: CallSyntax,
  args: readonly ArgSyntax[],
  params: Sorts,
  some = false,
): Pairs | undefined {
  const names = Object.keys(params);
  const given = new Map<string, Node>();
  for (const [n, arg] of args.entries()) {
    const own = some && arg.value.k === "name" ? arg.value.name : names[n];
    const name = arg.name?.text ?? own;
    const sort = name === undefined ? undefined : sortOf(params, name);
    if (name === undefined || sort === undefined || given.has(name)) {
      wrongArgument(scope, e, arg, params, given);
      return undefined;
    }
    const node = scope.expr(scope, arg.value, sort);
    if (node === undefined) return undefined;
    given.set(name, node);
  }
  const missing = names.find((name) => !given.has(name));
  if (missing !== undefined && !some) {
    const all = `${quote(e.name.text)} takes (${paramText(params)})`;
    const message = `${all}: ${quote(missing)} is missing`;
    scope.out.report("arguments", e.span, message);
    return undefined;
  }
  return names.flatMap((name) => {
    const node = given.get(name);
    return node ? [[name, node] as const] : [];
  });
}

/** Names come from a text: what every object has is no parameter. */
const sortOf = (params: Sorts, name: string): AnySort | undefined =>
  Object.hasOwn(params, name) ? params[name] : undefined;

function wrongArgument(
  { out }: Scope,
  e: CallSyntax,
  arg: ArgSyntax,
  params: Sorts,
  given: ReadonlyMap<string, Node>,
): void {
  const { text } = e.name;
  const name = arg.name?.text;
  if (name !== undefined && sortOf(params, name) === undefined) {
    const hint = suggestion(name, Object.keys(params));
    out.report("arguments", arg.name!.span, `${quote(text)} has no parameter ${quote(name)}`, hint);
  } else if (name !== undefined && given.has(name)) {
    out.report("arguments", arg.name!.span, `${quote(name)} is given twice`);
  } else {
    out.report("arguments", arg.value.span, `${quote(text)} takes (${paramText(params)})`);
  }
}

/** Where names are looked up. */
export type Naming = Pick<Scope, "env" | "out">;

/** The sort that a word names; undefined after a reported error. */
export function sortNamed({ env, out }: Naming, name: Ident): AnySort | undefined {
  const sort = env.sorts.get(name.text);
  if (sort) return sort;
  const hint = suggestion(name.text, env.sorts.keys());
  out.report("name", name.span, `there is no sort ${quote(name.text)}`, hint);
  return undefined;
}

/** Whether a name may be given to a local, parameter, routine or field. */
export function newName({ env, out }: Naming, name: Ident): boolean {
  const taken =
    KEYWORDS.includes(name.text) || name.text in BUILT_IN || STATEMENTS.includes(name.text);
  if (!taken && !env.limits.has(name.text)) return true;
  out.report("name", name.span, `${quote(name.text)} is a word of the language`);
  return false;
}
