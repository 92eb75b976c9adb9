// SPDX-License-Identifier: Apache-2.0
// The lowered program: flat code over registers, shared variables, what hardware does by itself.
//
//   threads   code with a pc each            one step = one shared access, and local work after it
//   effects   an outstanding entry lands     one step
//   rules     guarded, any time              one step
//   fills     a cell takes a value           no cost; a step of its own, or folded into a window

import type { FieldDecl, KeyPattern, Node } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import type {
  CellDecl,
  EventDecl,
  Machine,
  ObserverDecl,
  PendingDecl,
  RuleDecl,
} from "../ir/machine.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";

/** How many values each sort has, what they are called, and the limits of the model. */
export interface Domain {
  readonly sizes: Readonly<Record<string, number>>;
  readonly names: Readonly<Record<string, readonly string[]>>;
  readonly limits: Readonly<Record<string, number>>;
}

/** Sets one element of a field before anything runs; numbers of the domain. */
export interface Initial {
  readonly field: FieldDecl;
  readonly index: readonly number[];
  readonly value: number;
}

/** An entry that a cell already holds at the start. */
export interface InitialEntry {
  readonly cell: CellDecl;
  readonly index: readonly number[];
  readonly value: number;
}

export interface ThreadSpec {
  readonly name: string;
  readonly locals: Readonly<Record<string, AnySort>>;
  readonly body: readonly Stmt[];
}

/** All that a lowering needs. */
export interface System {
  readonly machine: Machine;
  readonly kernel: Kernel;
  readonly domain: Domain;
  readonly knobs: Readonly<Record<string, string>>;
  readonly threads: readonly ThreadSpec[];
  readonly observers: readonly ObserverDecl[];
  readonly initial: readonly Initial[];
  /** Other ways to begin, each instead of `initial`. */
  readonly others?: readonly (readonly Initial[])[];
  readonly entries: readonly InitialEntry[];
  /** Fields that somebody will look at in final states, and that must therefore stay. */
  readonly watched?: readonly FieldDecl[];
}

/** Where an instruction comes from: a routine and the number of its statement. */
export interface Origin {
  readonly routine: string;
  readonly step: number;
  readonly stmt: Stmt | undefined;
  /** The call that led here; undefined where a thread begins, or hardware. */
  readonly caller?: Origin | undefined;
}

type Entry = readonly (readonly [string, Node])[];

export type Operation =
  | { readonly op: "let"; readonly reg: number; readonly value: Node }
  | {
      readonly op: "store";
      readonly field: FieldDecl;
      readonly index: readonly Node[];
      readonly value: Node;
    }
  | {
      readonly op: "xchg";
      readonly reg: number;
      readonly field: FieldDecl;
      readonly index: readonly Node[];
      readonly value: Node;
    }
  | {
      readonly op: "cas";
      readonly reg: number;
      readonly field: FieldDecl;
      readonly index: readonly Node[];
      readonly expect: Node;
      readonly value: Node;
    }
  | { readonly op: "branch"; readonly cond: Node; readonly to: number }
  | { readonly op: "jump"; readonly to: number }
  | { readonly op: "each"; readonly reg: number; readonly over: Node; readonly to: number }
  | { readonly op: "next"; readonly reg: number; readonly stride: Node; readonly to: number }
  | { readonly op: "await"; readonly cond: Node }
  | { readonly op: "retry"; readonly permitted: Node }
  | {
      readonly op: "choose";
      readonly reg: number;
      readonly sort: AnySort;
      readonly where: Node | undefined;
    }
  | { readonly op: "either"; readonly to: readonly number[] }
  | {
      readonly op: "lookup";
      readonly reg: number;
      readonly cell: CellDecl;
      readonly index: readonly Node[];
      /** Also what the fill yields now, kept or not. */
      readonly walks: boolean;
    }
  | {
      readonly op: "insert";
      readonly cell: CellDecl;
      readonly index: readonly Node[];
      readonly value: Node;
    }
  | {
      readonly op: "clear";
      readonly cell: CellDecl;
      readonly index: readonly KeyPattern[];
      readonly where: { readonly reg: number; readonly cond: Node } | undefined;
    }
  | {
      readonly op: "post";
      readonly set: PendingDecl;
      readonly index: readonly Node[];
      readonly entry: Entry;
    }
  | { readonly op: "emit"; readonly event: EventDecl; readonly args: Entry }
  | { readonly op: "yield"; readonly value: Node }
  | { readonly op: "yieldHeld"; readonly cell: CellDecl; readonly index: readonly Node[] }
  | { readonly op: "violate"; readonly observer: string }
  | { readonly op: "grow"; readonly reg: number; readonly by: Node }
  | { readonly op: "halt" };

/**
 * An operation with its place in the source. `joined`: no step begins here, whatever it accesses.
 * `first`: an atomic block begins here, and so does a step.
 */
export type Instr = Operation & {
  readonly origin: Origin;
  readonly joined: boolean;
  readonly first?: boolean;
};

/** Flat code; registers are numbered through the whole program. */
export interface Code {
  readonly instrs: readonly Instr[];
  /** Registers that the code uses: number -> sort. */
  readonly registers: ReadonlyMap<number, AnySort>;
}

export interface Thread extends Code {
  readonly name: string;
}

/** A rule for one choice of its parameters; the first instruction is its guard. */
export interface RuleInstance extends Code {
  readonly decl: RuleDecl;
  readonly args: readonly number[];
}

export interface CellInstance {
  readonly decl: CellDecl;
  readonly key: readonly number[];
  readonly fill: Code | undefined;
}

/** What the cell admits, as code over one register. */
export interface CellGroup {
  readonly decl: CellDecl;
  readonly instances: readonly CellInstance[];
  readonly admits: { readonly reg: number; readonly cond: Node } | undefined;
}

/** A pending set for one choice of its keys, with the effect of an entry over registers. */
export interface PendingInstance extends Code {
  readonly decl: PendingDecl;
  readonly key: readonly number[];
  readonly capacity: number;
  /** Register of each entry field, in declared order. */
  readonly entry: readonly number[];
  readonly ready: Node | undefined;
}

export interface Program {
  readonly domain: Domain;
  readonly fields: readonly FieldDecl[];
  readonly initial: readonly Initial[];
  /** Other ways to begin, each instead of `initial`; mostly none. */
  readonly others: readonly (readonly Initial[])[];
  readonly entries: readonly InitialEntry[];
  readonly threads: readonly Thread[];
  readonly rules: readonly RuleInstance[];
  readonly cells: readonly CellGroup[];
  readonly pending: readonly PendingInstance[];
  readonly observers: readonly string[];
  /** Knobs that the lowering asked for. */
  readonly knobs: readonly string[];
  /** Routines that it asked for: another definition of any other makes no difference. */
  readonly routines: readonly string[];
  readonly registers: number;
  /** Content hash: equal for programs that behave the same by construction. */
  readonly hash: string;
}

/** Number of values of a sort in a domain. */
export function sizeOf(sort: AnySort, domain: Domain): number {
  if (sort.kind === "bool") return 2;
  if (sort.kind === "enumeration") return sort.values!.length;
  if (sort.kind === "range") return (sizeOf(sort.element!, domain) + 1) ** 2;
  if (sort.kind === "word") throw new Error(`the size of word sort ${sort.name} is its layout's`);
  const size = domain.sizes[sort.name];
  if (size === undefined) throw new Error(`the domain has no size for ${sort.name}`);
  return size;
}

/** The name of a value for people: its name in the domain, or the number. */
export function nameOf(sort: AnySort, value: number, domain: Domain): string {
  if (sort.kind === "bool") return value ? "true" : "false";
  if (sort.kind === "enumeration") return sort.values![value] ?? `${value}`;
  return domain.names[sort.name]?.[value] ?? `${value}`;
}
