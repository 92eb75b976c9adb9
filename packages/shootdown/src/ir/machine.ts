// SPDX-License-Identifier: Apache-2.0
// Declarations: routines, events, cells, pending sets, rules and observers, all as plain data.

import type { Args, CellRef, Expr, KeyPattern, Locals, PendingRef, Place, Sorts } from "./expr.ts";
import { expr, place } from "./expr.ts";
import type { AnySort, Ty } from "./sort.ts";
import type { Stmt } from "./stmt.ts";

/** What a call names: parameters and, perhaps, a result. The body is found at lowering. */
export interface Declaration<P extends Sorts, R extends AnySort | undefined = undefined> {
  readonly name: string;
  readonly params: P;
  readonly result: R;
}

export function declare<P extends Sorts>(name: string, params: P): Declaration<P>;
export function declare<P extends Sorts, R extends AnySort>(
  name: string,
  params: P,
  result: R,
): Declaration<P, R>;
export function declare(name: string, params: Sorts, result?: AnySort) {
  return { name, params, result };
}

/** Where a definition comes from; printed by `show`, checked where the source is present. */
export interface Source {
  /** Kernel file, or document and section. */
  readonly file: string;
  /** Function in that file, if it is not the routine's own name. */
  readonly function?: string;
  /** Rule ids of the hardware notes that the definition implements. */
  readonly rules?: readonly string[];
  /** First 12 hex digits of SHA-256 of the function's text, by kernel version. */
  readonly sha?: Readonly<Record<string, string>>;
  /** Commits whose descriptions say what the versions from this one on, not read, have instead. */
  readonly commits?: Readonly<Record<string, string>>;
}

export interface Definition {
  readonly name: string;
  readonly params: Sorts;
  readonly result: AnySort | undefined;
  readonly locals: Sorts;
  readonly source: Source;
  /** Interval of versions, `6.1..6.6` (end exclusive) or `6.6..`; absent = every version. */
  readonly kernels?: string;
  readonly abstracts: readonly string[];
  readonly body: () => readonly Stmt[];
}

interface DefinitionSpec<P extends Sorts, L extends Sorts> {
  readonly source: Source;
  readonly kernels?: string;
  readonly abstracts?: readonly string[];
  readonly locals?: L;
  readonly body: (x: Args<P> & Locals<L>) => readonly Stmt[];
}

/** Parameters and locals as a body sees them. */
function binders(params: Sorts, locals: Sorts): Record<string, Place<string>> {
  return Object.fromEntries(
    Object.entries({ ...params, ...locals }).map(([name, sort]) => [
      name,
      place({ k: "local", name, sort }),
    ]),
  );
}

/** Evaluates a body once, on first use, so that start-up pays nothing for unused routines. */
function once<T>(make: () => T): () => T {
  let value: T | undefined;
  return () => {
    value ??= make();
    return value;
  };
}

// biome-ignore lint/complexity/noBannedTypes: no locals is the empty record
export function define<P extends Sorts, R extends AnySort | undefined, L extends Sorts = {}>(
  declaration: Declaration<P, R>,
  spec: DefinitionSpec<P, L>,
): Definition {
  const locals = spec.locals ?? {};
  const { params } = declaration;
  const bound = binders(params, locals) as unknown as Args<P> & Locals<L>;
  return {
    name: declaration.name,
    params,
    result: declaration.result,
    locals,
    source: spec.source,
    ...(spec.kernels === undefined ? {} : { kernels: spec.kernels }),
    abstracts: spec.abstracts ?? [],
    body: once(() => spec.body(bound)),
  };
}

/** Something that can be observed. It types `emit`, the NDJSON, the importers and the monitor. */
export interface EventDecl<P extends Sorts = Sorts> {
  readonly name: string;
  readonly params: P;
}

export const event = <P extends Sorts>(name: string, params: P): EventDecl<P> => ({ name, params });

/**
 * A cache location for each combination of keys. `fill` yields what it may take from memory or from
 * another cell, at any time; `admits` says what it may keep. With `evicts` an entry may go at any
 * time. A cell is a set of entries; `ways: 1` keeps one at a time.
 */
export interface CellDecl {
  readonly kind: "cell";
  readonly name: string;
  readonly keys: Sorts;
  readonly value: AnySort;
  readonly locals: Sorts;
  /** Absent: the cell takes only what is inserted. */
  readonly fill: (() => readonly Stmt[]) | undefined;
  /** Over the local `entry` and what never changes. */
  readonly admits: Expr<"bool"> | undefined;
  readonly evicts: boolean;
  readonly ways: number | undefined;
  /** Over knobs and `varies`: models for which it is false do not have the cell. */
  readonly exists: Expr<"bool"> | undefined;
  readonly source: Source;
}

export type KeyArgs<K extends Sorts> = {
  readonly [N in keyof K]: Expr<K[N] extends Ty<infer S> ? S : never> | KeyPattern;
};

export interface CellFn<K extends Sorts, V extends string> {
  (keys: KeyArgs<K>): CellRef<V>;
  readonly decl: CellDecl;
}

interface CellSpec<K extends Sorts, V extends string, L extends Sorts> {
  readonly keys: K;
  readonly value: Ty<V>;
  readonly source: Source;
  readonly locals?: L;
  readonly fill?: (x: Args<K> & Locals<L>) => readonly Stmt[];
  readonly admits?: (entry: Expr<V>) => Expr<"bool">;
  readonly evicts?: boolean;
  readonly ways?: number;
  readonly exists?: Expr<"bool">;
}

/** Key patterns in the order in which the keys were declared. */
function keyList(keys: Sorts, given: Readonly<Record<string, unknown>>): KeyPattern[] {
  return Object.keys(keys).map((name) => {
    const pattern = given[name] as Expr<string> | KeyPattern;
    return "node" in pattern ? pattern.node : pattern;
  });
}

// biome-ignore lint/complexity/noBannedTypes: no locals is the empty record
export function cell<K extends Sorts, V extends string, L extends Sorts = {}>(
  name: string,
  spec: CellSpec<K, V, L>,
): CellFn<K, V> {
  const locals = spec.locals ?? {};
  const bound = binders(spec.keys, locals) as unknown as Args<K> & Locals<L>;
  const { fill } = spec;
  const decl: CellDecl = {
    kind: "cell",
    name,
    keys: spec.keys,
    value: spec.value,
    locals,
    fill: fill && once(() => fill(bound)),
    admits: spec.admits?.(expr({ k: "local", name: "entry", sort: spec.value })),
    evicts: spec.evicts ?? true,
    ways: spec.ways,
    exists: spec.exists,
    source: spec.source,
  };
  return Object.assign(
    (keys: KeyArgs<K>): CellRef<V> => ({ decl, index: keyList(spec.keys, keys) }),
    { decl },
  );
}

/**
 * Operations that were issued and have not taken effect: TLBIs until the DSB, queued commands.
 * An entry may take effect when no earlier entry stands before it in `order` and `ready` holds;
 * its effect then runs as one step and the entry is gone.
 */
export interface PendingDecl {
  readonly kind: "pending";
  readonly name: string;
  readonly keys: Sorts;
  readonly entry: Sorts;
  /** Name of the limit that bounds the number of entries. */
  readonly capacity: string;
  /** Field whose values `order` speaks of. */
  readonly orderBy: string | undefined;
  /** Pairs of value names: the first, if earlier, takes effect before the second. `*` = all. */
  readonly order: readonly (readonly [string, string])[];
  readonly locals: Sorts;
  readonly ready: Expr<"bool"> | undefined;
  readonly effect: () => readonly Stmt[];
  readonly source: Source;
}

export interface PendingFn<K extends Sorts, E extends Sorts> {
  (keys: KeyArgs<K>): PendingRef<E>;
  readonly decl: PendingDecl;
}

interface PendingSpec<K extends Sorts, E extends Sorts, L extends Sorts> {
  readonly keys: K;
  readonly entry: E;
  readonly capacity: string;
  readonly orderBy?: keyof E & string;
  readonly order?: readonly (readonly [string, string])[];
  readonly locals?: L;
  readonly ready?: (x: Args<K> & Args<E>) => Expr<"bool">;
  readonly effect: (x: Args<K> & Args<E> & Locals<L>) => readonly Stmt[];
  readonly source: Source;
}

// biome-ignore lint/complexity/noBannedTypes: no locals is the empty record
export function pending<K extends Sorts, E extends Sorts, L extends Sorts = {}>(
  name: string,
  spec: PendingSpec<K, E, L>,
): PendingFn<K, E> {
  const locals = spec.locals ?? {};
  const bound = binders({ ...spec.keys, ...spec.entry }, locals) as unknown as Args<K> &
    Args<E> &
    Locals<L>;
  // Late, so that it may ask what is outstanding in the set itself.
  const ready = spec.ready && once(() => spec.ready!(bound));
  const decl: PendingDecl = {
    kind: "pending",
    name,
    keys: spec.keys,
    entry: spec.entry,
    capacity: spec.capacity,
    orderBy: spec.orderBy,
    order: spec.order ?? [],
    locals,
    get ready() {
      return ready?.();
    },
    effect: once(() => spec.effect(bound)),
    source: spec.source,
  };
  return Object.assign(
    (keys: KeyArgs<K>): PendingRef<E> => ({ decl, index: keyList(spec.keys, keys) }),
    { decl },
  );
}

/** Something that hardware may do at any time, for each combination of the parameters. */
export interface RuleDecl {
  readonly name: string;
  readonly params: Sorts;
  readonly locals: Sorts;
  readonly when: Expr<"bool">;
  readonly body: () => readonly Stmt[];
  readonly source: Source;
  /** Whether it must happen in the end where it can happen all the time; else it only may. */
  readonly fair: boolean;
}

interface RuleSpec<P extends Sorts, L extends Sorts> {
  readonly forall: P;
  readonly locals?: L;
  readonly when: (x: Args<P>) => Expr<"bool">;
  readonly body: (x: Args<P> & Locals<L>) => readonly Stmt[];
  readonly source: Source;
  readonly fair?: boolean;
}

// biome-ignore lint/complexity/noBannedTypes: no locals is the empty record
export function rule<P extends Sorts, L extends Sorts = {}>(
  name: string,
  spec: RuleSpec<P, L>,
): RuleDecl {
  const locals = spec.locals ?? {};
  const bound = binders(spec.forall, locals) as unknown as Args<P> & Locals<L>;
  return {
    name,
    params: spec.forall,
    locals,
    when: spec.when(bound),
    body: once(() => spec.body(bound)),
    source: spec.source,
    fair: spec.fair ?? false,
  };
}

/** A property: statements that run, as part of the step, at each of the events it watches. */
export interface ObserverDecl {
  readonly name: string;
  readonly describes: string;
  readonly on: readonly {
    readonly event: EventDecl;
    readonly body: () => readonly Stmt[];
    readonly locals: Sorts;
  }[];
}

// biome-ignore lint/complexity/noBannedTypes: no locals is the empty record
export function on<P extends Sorts, L extends Sorts = {}>(
  watched: EventDecl<P>,
  body: (x: Args<P> & Locals<L>) => readonly Stmt[],
  locals?: L,
): ObserverDecl["on"][number] {
  const bound = binders(watched.params, locals ?? {}) as unknown as Args<P> & Locals<L>;
  return {
    event: watched as unknown as EventDecl,
    locals: locals ?? {},
    body: once(() => body(bound)),
  };
}

export const observer = (
  name: string,
  describes: string,
  ...rules: ObserverDecl["on"]
): ObserverDecl => ({ name, describes, on: rules });

/** The hardware that a program runs on: what it holds and what it may do by itself. */
export interface Machine {
  readonly cells: readonly CellDecl[];
  readonly pending: readonly PendingDecl[];
  readonly rules: readonly RuleDecl[];
  readonly definitions: readonly Definition[];
}
