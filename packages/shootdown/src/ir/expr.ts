// SPDX-License-Identifier: Apache-2.0
// Expressions: typed combinators over plain data. Nothing here knows who will evaluate a node.

import type { CellDecl, PendingDecl } from "./machine.ts";
import type { AnySort, Enumeration, Ty } from "./sort.ts";
import { bool, int } from "./sort.ts";

export type Op =
  | "eq"
  | "ne"
  | "lt"
  | "le"
  | "and"
  | "or"
  | "not"
  | "add"
  | "sub"
  | "div"
  | "mul"
  | "ite"
  | "range"
  | "lo"
  | "hi"
  | "empty"
  | "contains"
  | "overlaps";

/** A shared array: `index` sorts, `value` sort, and the value every element starts with. */
export interface FieldDecl {
  readonly kind: "field";
  readonly name: string;
  readonly index: readonly AnySort[];
  readonly value: AnySort;
  readonly initial: number;
}

/** A key position of a cell or pending set: a value, anything, or whatever lies in a range. */
export type KeyPattern = Node | { readonly k: "any" } | { readonly k: "in"; readonly range: Node };

export type Node =
  | { readonly k: "const"; readonly value: number; readonly sort: AnySort }
  | { readonly k: "named"; readonly sort: AnySort; readonly name: string }
  | { readonly k: "local"; readonly name: string; readonly sort: AnySort }
  | { readonly k: "reg"; readonly reg: number; readonly sort: AnySort }
  | { readonly k: "knob"; readonly knob: string; readonly is: string; readonly sort: AnySort }
  | { readonly k: "limit"; readonly name: string; readonly sort: AnySort }
  | {
      readonly k: "varies";
      readonly field: FieldDecl;
      /** Only a field that is written counts, however it begins. */
      readonly written: boolean;
      readonly sort: AnySort;
    }
  | {
      readonly k: "read";
      readonly field: FieldDecl;
      readonly index: readonly Node[];
      readonly sort: AnySort;
      /** Set by a lowering: nothing writes the field, so that reading it is not a shared access. */
      readonly fixed?: true;
    }
  | { readonly k: "op"; readonly op: Op; readonly args: readonly Node[]; readonly sort: AnySort }
  | { readonly k: "get"; readonly field: string; readonly arg: Node; readonly sort: AnySort }
  | {
      readonly k: "with";
      readonly arg: Node;
      readonly set: readonly (readonly [string, Node])[];
      readonly sort: AnySort;
    }
  | {
      /** A named expression: printed as a call, folded to its body. */
      readonly k: "apply";
      readonly name: string;
      readonly args: readonly Node[];
      readonly body: Node;
      readonly sort: AnySort;
    }
  | {
      readonly k: "outstanding";
      readonly set: PendingDecl;
      readonly index: readonly KeyPattern[];
      readonly where: readonly (readonly [string, Node])[];
      readonly sort: AnySort;
    };

declare const phantom: unique symbol;
/** An expression of sort `S`. */
export interface Expr<S extends string> {
  readonly [phantom]?: S;
  readonly node: Node;
}
/** An expression that can be assigned to: a local, or an element of a field. */
export interface Place<S extends string> extends Expr<S> {
  readonly place: true;
}

export type Sorts = Readonly<Record<string, AnySort>>;
export type NameOf<T> = T extends Ty<infer N> ? N : never;
export type Args<P extends Sorts> = { readonly [K in keyof P]: Expr<NameOf<P[K]>> };
export type Locals<P extends Sorts> = { readonly [K in keyof P]: Place<NameOf<P[K]>> };

export const expr = <S extends string>(node: Node): Expr<S> => ({ node });
export const place = <S extends string>(node: Node): Place<S> => ({ node, place: true });

type ExprList<I extends readonly AnySort[]> = { [K in keyof I]: Expr<NameOf<I[K]>> };

/** A shared array with its declaration attached: `pte(table, va)` names one element. */
export interface FieldFn<I extends readonly AnySort[], S extends string> {
  (...index: ExprList<I>): Place<S>;
  readonly decl: FieldDecl;
}

/** Declares a shared array indexed by `index` with elements of sort `value`. */
export function field<const I extends readonly AnySort[], S extends string>(
  name: string,
  index: I,
  value: Ty<S>,
  initial = 0,
): FieldFn<I, S> {
  const decl: FieldDecl = { kind: "field", name, index, value, initial };
  const fn = (...ix: ExprList<I>): Place<S> =>
    place({
      k: "read",
      field: decl,
      index: (ix as readonly Expr<string>[]).map((e) => e.node),
      sort: value,
    });
  return Object.assign(fn, { decl });
}

/** The number `value` of a sort; what it means is the sort's and the domain's affair. */
export const constant = <S extends string>(sort: Ty<S>, value: number): Expr<S> =>
  expr({ k: "const", value, sort });

/** A value that the domain names: a page `x`, a frame `P`. */
export const named = <S extends string>(sort: Ty<S>, name: string): Expr<S> =>
  expr({ k: "named", sort, name });

/** One value of an enumeration, by name. */
export function member<N extends string, V extends string>(
  sort: Enumeration<N, V>,
  value: NoInfer<V>,
): Expr<N> {
  const at = sort.values.indexOf(value);
  if (at < 0) throw new Error(`${sort.name} has no value ${value}`);
  return constant(sort, at);
}

/** A limit of the model; the executor's domain gives its value. */
export const limit = (name: string): Expr<"int"> => expr({ k: "limit", name, sort: int });

/** A limit as a value of an ordered sort. */
export const limitOf = <S extends string>(sort: Ty<S>, name: string): Expr<S> =>
  expr({ k: "limit", name, sort });

/** The value of an ordered sort that is `by` after another; ordered sorts may differ. */
export const after = <S extends string>(sort: Ty<S>, a: Expr<string>, by: Expr<string>): Expr<S> =>
  op("add", sort, a, by);

/** The value of an ordered sort that is `by` before another. */
export const back = <S extends string>(sort: Ty<S>, a: Expr<string>, by: Expr<string>): Expr<S> =>
  op("sub", sort, a, by);

/** Integer division, as a value of an ordered sort. */
export const divided = <S extends string>(sort: Ty<S>, a: Expr<string>, by: Expr<"int">): Expr<S> =>
  op("div", sort, a, by);

/** Product, as a value of an ordered sort. */
export const times = <S extends string>(sort: Ty<S>, a: Expr<string>, by: Expr<"int">): Expr<S> =>
  op("mul", sort, a, by);

/** Whether a knob of the lowering has this value; folds to a constant. */
export const knobIs = (knob: string, value: string): Expr<"bool"> =>
  expr({ k: "knob", knob, is: value, sort: bool });

/** The knob that takes a hardware rule out of a model, value "no". */
export const ruleKnob = (id: string): string => `rule ${id}`;

/**
 * Whether the rule of the hardware notes with this id (`A3`, `S13`) is in force: always, except in
 * a check that asks what a rule is worth (`--without-rule`). Folds to a constant.
 */
export const ruleHolds = (id: string): Expr<"bool"> => knobIs(ruleKnob(id), "yes");

/** The value of a knob that nobody set; undefined: every lowering must set it. */
export const unsetKnob = (name: string): string | undefined =>
  name.startsWith(ruleKnob("")) ? "yes" : undefined;

/**
 * Whether one of these fields is ever other than declared: something in a model writes it, or it
 * begins so; folds to a constant. Guards what a model should not pay for that does without. A live
 * run says no.
 */
export const varies = (...fields: readonly { readonly decl: FieldDecl }[]): Expr<"bool"> =>
  or(...fields.map((f) => variation(f.decl, false)));

/** The same of fields that something in a model writes, however they begin. */
export const changes = (...fields: readonly { readonly decl: FieldDecl }[]): Expr<"bool"> =>
  or(...fields.map((f) => variation(f.decl, true)));

const variation = (field: FieldDecl, written: boolean): Expr<"bool"> =>
  expr({ k: "varies", field, written, sort: bool });

export const TRUE: Expr<"bool"> = constant(bool, 1);
export const FALSE: Expr<"bool"> = constant(bool, 0);

function op<S extends string>(name: Op, sort: Ty<S>, ...args: readonly Expr<string>[]): Expr<S> {
  return expr({ k: "op", op: name, args: args.map((a) => a.node), sort });
}

export const eq = <S extends string>(a: Expr<S>, b: Expr<NoInfer<S>>) => op("eq", bool, a, b);
export const ne = <S extends string>(a: Expr<S>, b: Expr<NoInfer<S>>) => op("ne", bool, a, b);
export const lt = <S extends string>(a: Expr<S>, b: Expr<NoInfer<S>>) => op("lt", bool, a, b);
export const le = <S extends string>(a: Expr<S>, b: Expr<NoInfer<S>>) => op("le", bool, a, b);
export const not = (a: Expr<"bool">) => op("not", bool, a);
export const and = (...xs: readonly Expr<"bool">[]): Expr<"bool"> =>
  xs.reduce((a, b) => op("and", bool, a, b));
export const or = (...xs: readonly Expr<"bool">[]): Expr<"bool"> =>
  xs.reduce((a, b) => op("or", bool, a, b));
export const add = (a: Expr<"int">, b: Expr<"int">) => op("add", int, a, b);
export const sub = (a: Expr<"int">, b: Expr<"int">) => op("sub", int, a, b);
export const ite = <S extends string>(c: Expr<"bool">, a: Expr<S>, b: Expr<NoInfer<S>>): Expr<S> =>
  expr({ k: "op", op: "ite", args: [c.node, a.node, b.node], sort: a.node.sort });
export const num = (value: number): Expr<"int"> => constant(int, value);

/** Reads a bit field of a word; the sort of the result is the field's. */
export function get<S extends string>(arg: Expr<string>, name: string, sort: Ty<S>): Expr<S> {
  return expr({ k: "get", field: name, arg: arg.node, sort });
}

/** A copy of a word with some fields replaced. */
export function withFields<S extends string>(
  arg: Expr<S>,
  set: Readonly<Record<string, Expr<string>>>,
): Expr<S> {
  const pairs = Object.entries(set).map(([name, e]) => [name, e.node] as const);
  return expr({ k: "with", arg: arg.node, set: pairs, sort: arg.node.sort });
}

/** What a range sort is made of: `E` is the name of the element sort, `R` of the range sort. */
export interface RangeOps<E extends string, R extends string> {
  readonly make: (lo: Expr<E>, hi: Expr<E>) => Expr<R>;
  readonly lo: (r: Expr<R>) => Expr<E>;
  readonly hi: (r: Expr<R>) => Expr<E>;
  readonly empty: (r: Expr<R>) => Expr<"bool">;
  readonly contains: (r: Expr<R>, e: Expr<E>) => Expr<"bool">;
  readonly overlaps: (a: Expr<R>, b: Expr<R>) => Expr<"bool">;
  /** The range that holds just `e`. */
  readonly one: (e: Expr<E>) => Expr<R>;
  /** Number of elements of a range that is not empty. */
  readonly length: (r: Expr<R>) => Expr<"int">;
}

export function rangeOps<E extends string, R extends string>(
  element: Ty<E>,
  range: Ty<R>,
): RangeOps<E, R> {
  const make = (lo: Expr<E>, hi: Expr<E>) => op("range", range, lo, hi);
  return {
    make,
    lo: (r) => op("lo", element, r),
    hi: (r) => op("hi", element, r),
    empty: (r) => op("empty", bool, r),
    contains: (r, e) => op("contains", bool, r, e),
    overlaps: (a, b) => op("overlaps", bool, a, b),
    one: (e) => make(e, op("add", element, e, constant(element, 1))),
    length: (r) => op("sub", int, op("hi", element, r), op("lo", element, r)),
  };
}

/** A cell of some keys: one cache location. */
export interface CellRef<V extends string> {
  readonly [phantom]?: V;
  readonly decl: CellDecl;
  readonly index: readonly KeyPattern[];
}

/** A pending set of some keys. */
export interface PendingRef<E extends Sorts> {
  readonly [phantom]?: E;
  readonly decl: PendingDecl;
  readonly index: readonly KeyPattern[];
}

/** Whether an entry with these field values is still outstanding in the set. */
export function outstanding<E extends Sorts>(
  ref: PendingRef<E>,
  where: Partial<Args<E>> = {},
): Expr<"bool"> {
  const pairs = Object.entries(where).map(([name, e]) => [name, (e as Expr<string>).node] as const);
  return expr({ k: "outstanding", set: ref.decl, index: ref.index, where: pairs, sort: bool });
}

/** In a key position: every value of the key's sort. */
export const ANY = { k: "any" } as const;
/** In a key position: the values that lie in a range. */
export const inRange = (range: Expr<string>): KeyPattern => ({ k: "in", range: range.node });

/** The node that a named expression stands for. */
export const unwrap = (n: Node): Node => (n.k === "apply" ? unwrap(n.body) : n);

/** Gives an expression the name of the function or macro that it models. */
export const applied = <S extends string>(
  name: string,
  args: readonly Expr<string>[],
  body: Expr<S>,
): Expr<S> =>
  expr({
    ...{ k: "apply", name, args: args.map((a) => a.node) },
    ...{ body: body.node, sort: body.node.sort },
  });

/** The same for something that can be assigned to. */
export const appliedPlace = <S extends string>(
  name: string,
  args: readonly Expr<string>[],
  body: Place<S>,
): Place<S> => place(applied(name, args, body).node);

/** A local or parameter by name, for statements that are put into an existing body. */
export const local = <S extends string>(name: string, sort: Ty<S>): Place<S> =>
  place({ k: "local", name, sort });
