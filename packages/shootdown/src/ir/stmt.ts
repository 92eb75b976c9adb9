// SPDX-License-Identifier: Apache-2.0
// Statements: plain data, built by typed combinators; each makes at most one shared access.

import type { Args, CellRef, Expr, KeyPattern, Node, PendingRef, Place, Sorts } from "./expr.ts";
import { expr } from "./expr.ts";
import type { CellDecl, Declaration, EventDecl, PendingDecl } from "./machine.ts";
import type { AnySort, Ty } from "./sort.ts";

export type Pairs = readonly (readonly [string, Node])[];

export type Stmt =
  | { readonly k: "set"; readonly to: Node; readonly value: Node }
  | { readonly k: "xchg"; readonly into: string; readonly at: Node; readonly value: Node }
  | {
      readonly k: "cas";
      readonly ok: string;
      readonly at: Node;
      readonly expect: Node;
      readonly value: Node;
    }
  | {
      readonly k: "when";
      readonly cond: Node;
      readonly then: readonly Stmt[];
      readonly otherwise: readonly Stmt[];
    }
  | { readonly k: "loop"; readonly body: readonly Stmt[] }
  | { readonly k: "break" }
  | { readonly k: "continue" }
  | { readonly k: "return"; readonly value?: Node }
  | {
      readonly k: "each";
      readonly name: string;
      readonly sort: AnySort;
      readonly over: Node;
      readonly stride?: Node;
      readonly body: readonly Stmt[];
    }
  | {
      readonly k: "forall";
      readonly name: string;
      readonly sort: AnySort;
      readonly body: readonly Stmt[];
    }
  | { readonly k: "call"; readonly callee: string; readonly args: Pairs; readonly into?: string }
  | { readonly k: "emit"; readonly event: EventDecl; readonly args: Pairs }
  | { readonly k: "await"; readonly cond: Node }
  | { readonly k: "retry"; readonly permitted: Node }
  | { readonly k: "choose"; readonly into: string; readonly sort: AnySort; readonly where?: Node }
  | { readonly k: "either"; readonly branches: readonly (readonly Stmt[])[] }
  | {
      readonly k: "lookup";
      readonly into: string;
      readonly cell: CellDecl;
      readonly index: readonly KeyPattern[];
      readonly walks: boolean;
    }
  | {
      readonly k: "insert";
      readonly cell: CellDecl;
      readonly index: readonly KeyPattern[];
      readonly value: Node;
    }
  | {
      readonly k: "clear";
      readonly cell: CellDecl;
      readonly index: readonly KeyPattern[];
      /** Condition on the entry, bound to the local `entry`; absent = every entry. */
      readonly where?: Node;
    }
  | {
      readonly k: "post";
      readonly set: PendingDecl;
      readonly index: readonly KeyPattern[];
      readonly entry: Pairs;
    }
  | { readonly k: "atomic"; readonly body: readonly Stmt[] }
  | { readonly k: "yield"; readonly value: Node }
  | { readonly k: "yieldHeld"; readonly cell: CellDecl; readonly index: readonly KeyPattern[] }
  | { readonly k: "violate"; readonly observer: string }
  | { readonly k: "grow"; readonly range: string; readonly by: Node }
  | {
      readonly k: "since";
      readonly version: string;
      readonly then: readonly Stmt[];
      readonly otherwise: readonly Stmt[];
    }
  | { readonly k: "label"; readonly name: string; readonly body: readonly Stmt[] };

/** In the order of the declaration, whatever that of `args`; what is missing lowering will say. */
const nodes = (params: Sorts, args: Readonly<Record<string, unknown>>): Pairs =>
  Object.keys(params).flatMap((name) => {
    const given = args[name] as Expr<string> | undefined;
    return given ? [[name, given.node] as const] : [];
  });

function localName(p: Place<string>): string {
  if (p.node.k !== "local") throw new Error("the result must go into a local");
  return p.node.name;
}

/** Stores into a field element, or assigns a local. */
export const set = <S extends string>(to: Place<S>, value: Expr<NoInfer<S>>): Stmt => ({
  k: "set",
  to: to.node,
  value: value.node,
});

/** Atomically replaces a field element; its old value goes into the local. */
export const xchg = <S extends string>(
  into: Place<S>,
  at: Place<NoInfer<S>>,
  value: Expr<NoInfer<S>>,
): Stmt => ({ k: "xchg", into: localName(into), at: at.node, value: value.node });

/** Atomically replaces a field element if it equals `expect`; `ok` tells whether it did. */
export const cas = <S extends string>(
  ok: Place<"bool">,
  at: Place<S>,
  expect: Expr<NoInfer<S>>,
  value: Expr<NoInfer<S>>,
): Stmt => ({
  k: "cas",
  ok: localName(ok),
  at: at.node,
  expect: expect.node,
  value: value.node,
});

export const when = (cond: Expr<"bool">, ...then: readonly Stmt[]): Stmt => ({
  k: "when",
  cond: cond.node,
  then,
  otherwise: [],
});

export const whenElse = (
  cond: Expr<"bool">,
  then: readonly Stmt[],
  otherwise: readonly Stmt[],
): Stmt => ({ k: "when", cond: cond.node, then, otherwise });

/** Repeats for ever; `leave()` and `again()` end and restart it. */
export const loop = (...body: readonly Stmt[]): Stmt => ({ k: "loop", body });
export const leave = (): Stmt => ({ k: "break" });
export const again = (): Stmt => ({ k: "continue" });

/** Ends the routine, with a result if it has one. */
export const ret = (value?: Expr<string>): Stmt =>
  value ? { k: "return", value: value.node } : { k: "return" };

let loops = 0;

/** Runs the body for each element of a range, in order, `stride` elements apart. */
export function each<E extends string>(
  sort: Ty<E>,
  over: Expr<string>,
  body: (element: Expr<E>) => readonly Stmt[],
  stride?: Expr<"int">,
): Stmt {
  const name = `${sort.name}#${loops++}`;
  const stmts = body(expr({ k: "local", name, sort }));
  const base = { k: "each", name, sort, over: over.node, body: stmts } as const;
  return stride ? { ...base, stride: stride.node } : base;
}

/** Runs the body once for every value of a finite sort, in order. */
export function forall<E extends string>(
  sort: Ty<E>,
  body: (element: Expr<E>) => readonly Stmt[],
): Stmt {
  const name = `${sort.name}#${loops++}`;
  return { k: "forall", name, sort, body: body(expr({ k: "local", name, sort })) };
}

/** Calls a routine by its declaration; which body runs is decided at lowering. */
export const call = <P extends Sorts>(
  callee: Declaration<P, undefined>,
  args: Args<NoInfer<P>>,
): Stmt => ({ k: "call", callee: callee.name, args: nodes(callee.params, args) });

/** Calls a routine that has a result. */
export const callInto = <P extends Sorts, R extends string>(
  into: Place<R>,
  callee: Declaration<P, Ty<NoInfer<R>>>,
  args: Args<NoInfer<P>>,
): Stmt => ({
  k: "call",
  callee: callee.name,
  args: nodes(callee.params, args),
  into: localName(into),
});

export const emit = <P extends Sorts>(event: EventDecl<P>, args: Args<NoInfer<P>>): Stmt => ({
  k: "emit",
  event: event as unknown as EventDecl,
  args: nodes(event.params, args),
});

/** Waits until the condition holds. */
export const await_ = (cond: Expr<"bool">): Stmt => ({ k: "await", cond: cond.node });

/** Marks where an agent tries again; `permitted`: nothing in memory forbids it now. */
export const retry = (permitted: Expr<"bool">): Stmt => ({ k: "retry", permitted: permitted.node });

/** Any value of a finite sort (for which `where` holds, if given). */
export const choose = <S extends string>(
  into: Place<S>,
  sort: Ty<NoInfer<S>>,
  where?: Expr<"bool">,
): Stmt =>
  where
    ? { k: "choose", into: localName(into), sort, where: where.node }
    : { k: "choose", into: localName(into), sort };

/** One of the branches, whichever. */
export const either = (...branches: readonly (readonly Stmt[])[]): Stmt => ({
  k: "either",
  branches,
});

/** What an agent finds at a cell: any entry it holds, or what its fill yields now. */
export const lookup = <V extends string>(into: Place<V>, cell: CellRef<NoInfer<V>>): Stmt => ({
  k: "lookup",
  into: localName(into),
  cell: cell.decl,
  index: cell.index,
  walks: true,
});

/** Any entry that a cell holds; waits while it holds none. */
export const pick = <V extends string>(into: Place<V>, cell: CellRef<NoInfer<V>>): Stmt => ({
  k: "lookup",
  into: localName(into),
  cell: cell.decl,
  index: cell.index,
  walks: false,
});

/** Puts a value into a cell that does not fill by itself. */
export const insert = <V extends string>(cell: CellRef<V>, value: Expr<NoInfer<V>>): Stmt => ({
  k: "insert",
  cell: cell.decl,
  index: cell.index,
  value: value.node,
});

/** Removes the matching entries of all matching cells. */
export function clear<V extends string>(
  cell: CellRef<V>,
  where?: (entry: Expr<V>) => Expr<"bool">,
): Stmt {
  const base = { k: "clear", cell: cell.decl, index: cell.index } as const;
  if (!where) return base;
  return { ...base, where: where(expr({ k: "local", name: "entry", sort: cell.decl.value })).node };
}

/** Adds an entry to a pending set; waits while the set is full. */
export const post = <E extends Sorts>(set: PendingRef<E>, entry: Args<NoInfer<E>>): Stmt => ({
  k: "post",
  set: set.decl,
  index: set.index,
  entry: nodes(set.decl.entry, entry),
});

/** Several statements as one step. */
export const atomic = (...body: readonly Stmt[]): Stmt => ({ k: "atomic", body });

/** In a fill: the value that the cell may take. */
export const yields = (value: Expr<string>): Stmt => ({ k: "yield", value: value.node });

/** In a fill: whatever another cell holds. */
export const yieldsHeld = (cell: CellRef<string>): Stmt => ({
  k: "yieldHeld",
  cell: cell.decl,
  index: cell.index,
});

/** In an observer: the property is broken from here on. */
export const violate = (observer: string): Stmt => ({ k: "violate", observer });

/** Widens a range local so that it holds an element. */
export const grow = (range: Place<string>, by: Expr<string>): Stmt => ({
  k: "grow",
  range: localName(range),
  by: by.node,
});

/** Statements that the kernel has from this version on (and those it had before). */
export const since = (
  version: string,
  then: readonly Stmt[],
  otherwise: readonly Stmt[] = [],
): Stmt => ({ k: "since", version, then, otherwise });

/** Names a statement, so that an overlay can edit it. */
export const label = (name: string, ...body: readonly Stmt[]): Stmt => ({ k: "label", name, body });
