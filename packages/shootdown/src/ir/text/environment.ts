// SPDX-License-Identifier: Apache-2.0
// What names in C-like text may mean: collected from definitions that use them.

import type { FieldDecl, Node, Sorts } from "../expr.ts";
import type { CellDecl, Definition, EventDecl, PendingDecl } from "../machine.ts";
import { type AnySort, bool, int } from "../sort.ts";

/** What a call of a routine must know. */
export interface Callee {
  readonly params: Sorts;
  readonly result: AnySort | undefined;
}

/** A named expression over its parameters. */
export interface Macro {
  readonly params: readonly AnySort[];
  readonly of: (args: readonly Node[]) => Node;
}

export interface Environment {
  readonly sorts: ReadonlyMap<string, AnySort>;
  readonly fields: ReadonlyMap<string, FieldDecl>;
  readonly cells: ReadonlyMap<string, CellDecl>;
  readonly pending: ReadonlyMap<string, PendingDecl>;
  readonly events: ReadonlyMap<string, EventDecl>;
  readonly macros: ReadonlyMap<string, Macro>;
  /** By name: the sort that each has where none is expected. */
  readonly limits: ReadonlyMap<string, AnySort>;
  readonly knobs: ReadonlyMap<string, readonly string[]>;
  readonly routines: ReadonlyMap<string, Callee>;
  /** Names of fields that routines store to by themselves. */
  readonly stored: ReadonlySet<string>;
  /** What else to do, said where a text stores to another field. */
  readonly storedHint?: string;
}

/** What is known beside what definitions use. */
export interface Known {
  readonly fields: readonly FieldDecl[];
  readonly events: readonly EventDecl[];
  readonly sorts: readonly AnySort[];
  /** Uses of named expressions, their arguments distinct locals. */
  readonly macros: readonly Node[];
  readonly limits: ReadonlyMap<string, AnySort>;
  readonly knobs: ReadonlyMap<string, readonly string[]>;
  readonly cells: readonly CellDecl[];
  readonly pending: readonly PendingDecl[];
  readonly storedHint?: string;
}

type Mutable = {
  readonly [K in Exclude<keyof Environment, "storedHint">]: Environment[K] extends ReadonlyMap<
    infer A,
    infer B
  >
    ? Map<A, B>
    : Set<string>;
};

/** Everything that `definitions` name, and what is known beside. */
export function environmentOf(definitions: Iterable<Definition>, known: Known): Environment {
  const env: Mutable = {
    ...{ sorts: new Map(), fields: new Map(), cells: new Map(), pending: new Map() },
    ...{ events: new Map(), macros: new Map(), limits: new Map(known.limits) },
    ...{ knobs: new Map(known.knobs), routines: new Map(), stored: new Set() },
  };
  for (const s of [bool, int, ...known.sorts]) addSort(env, s);
  for (const f of known.fields) addField(env, f);
  for (const e of known.events) env.events.set(e.name, e);
  for (const c of known.cells) env.cells.set(c.name, c);
  for (const p of known.pending) env.pending.set(p.name, p);
  for (const m of known.macros) collect(env, m);
  for (const d of definitions) {
    const { params, result, locals } = d;
    env.routines.set(d.name, { params, result });
    for (const s of [...Object.values({ ...params, ...locals }), result]) if (s) addSort(env, s);
    collect(env, d.body());
  }
  return known.storedHint === undefined ? env : { ...env, storedHint: known.storedHint };
}

function addSort(env: Mutable, sort: AnySort): void {
  if (env.sorts.has(sort.name)) return;
  env.sorts.set(sort.name, sort);
  if (sort.element) addSort(env, sort.element);
  for (const f of sort.fields ?? []) addSort(env, f.sort);
}

function addField(env: Mutable, field: FieldDecl): void {
  if (env.fields.has(field.name)) return;
  env.fields.set(field.name, field);
  for (const s of [...field.index, field.value]) addSort(env, s);
}

/** Whatever statements and expressions look like. */
function collect(env: Mutable, value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const v of value) collect(env, v);
    return;
  }
  const part = value as Readonly<Record<string, unknown>>;
  switch (part["k"]) {
    case "read":
    case "varies":
      addField(env, part["field"] as FieldDecl);
      break;
    case "limit":
      if (!env.limits.has(part["name"] as string)) env.limits.set(part["name"] as string, int);
      break;
    case "apply":
      addMacro(env, value as Node & { k: "apply" });
      break;
    case "emit": {
      const event = part["event"] as EventDecl;
      env.events.set(event.name, event);
      break;
    }
    case "set":
      store(env, part["to"] as Node);
      break;
    case "xchg":
    case "cas":
      store(env, part["at"] as Node);
      break;
    default:
      break;
  }
  for (const [name, inner] of Object.entries(part)) {
    if (name === "event" || name === "cell" || name === "set" || name === "field") {
      if (!Array.isArray(inner)) continue;
    }
    if (name !== "sort") collect(env, inner);
  }
}

function store(env: Mutable, at: Node): void {
  if (at.k === "read") env.stored.add(at.field.name);
}

/** Arguments are found in the body by identity: only distinct ones that are no constants serve. */
function addMacro(env: Mutable, node: Node & { readonly k: "apply" }): void {
  if (env.macros.has(node.name)) return;
  const { args, body } = node;
  if (args.some((a, n) => a.k === "const" || args.indexOf(a) !== n)) return;
  env.macros.set(node.name, {
    params: args.map((a) => a.sort),
    of: (given) => ({ ...node, args: given, body: replaced(body, args, given) }),
  });
}

function replaced(node: Node, from: readonly Node[], to: readonly Node[]): Node {
  const at = from.indexOf(node);
  if (at >= 0) return to[at]!;
  const r = (n: Node): Node => replaced(n, from, to);
  switch (node.k) {
    case "read":
      return { ...node, index: node.index.map(r) };
    case "op":
      return { ...node, args: node.args.map(r) };
    case "apply":
      return { ...node, args: node.args.map(r), body: r(node.body) };
    case "get":
      return { ...node, arg: r(node.arg) };
    case "with":
      return { ...node, arg: r(node.arg), set: node.set.map(([n, v]) => [n, r(v)] as const) };
    case "outstanding":
      return {
        ...node,
        index: node.index.map((p) =>
          p.k === "any" ? p : p.k === "in" ? { ...p, range: r(p.range) } : r(p),
        ),
        where: node.where.map(([n, v]) => [n, r(v)] as const),
      };
    default:
      return node;
  }
}
