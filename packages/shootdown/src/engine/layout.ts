// SPDX-License-Identifier: Apache-2.0
// Layout of a packed state: where each variable lies in a vector of 32-bit words.
//
//   [ cells | mark | field elements | pending entries | per thread: pc, live registers | latches ]
//
// No variable straddles a word. A thread's registers exist in the state only where a step may end
// while they still matter; registers that are never live together share bits.

import { bitsFor } from "../base/bits.ts";
import type { FieldDecl } from "../ir/expr.ts";
import type { AnySort } from "../ir/sort.ts";
import { beginsStep, liveness } from "./flow.ts";
import type { Domain, Program, Thread } from "./program.ts";
import { sizeOf } from "./program.ts";
import { wordLayout } from "./word.ts";

/** A variable: `(state[word] >>> shift) & mask`. */
export interface Bits {
  readonly word: number;
  readonly shift: number;
  readonly mask: number;
}

export interface FieldLayout {
  readonly decl: FieldDecl;
  readonly sizes: readonly number[];
  /** Row-major. */
  readonly elements: readonly Bits[];
}

export interface ThreadLayout {
  readonly pc: Bits;
  /** Instruction index of each value of the pc. */
  readonly points: readonly number[];
  /** Inverse of `points`; -1 where no step begins. */
  readonly pointOf: readonly number[];
  /** For each point the registers that are kept there. */
  readonly live: readonly (readonly { readonly reg: number; readonly bits: Bits }[])[];
  /** Words that hold the thread's bits, and those bits. */
  readonly clear: readonly { readonly word: number; readonly keep: number }[];
}

export interface Layout {
  readonly words: number;
  /** A bit that is 0 in every state: whoever stores states may use it to tell them from nothing. */
  readonly mark: Bits;
  readonly bits: number;
  readonly fields: ReadonlyMap<string, FieldLayout>;
  /** For each cell group the bits of each instance: a set of interned values. */
  readonly cells: readonly (readonly Bits[])[];
  /** For each pending instance the bits of each slot. */
  readonly pending: readonly (readonly Bits[])[];
  readonly threads: readonly ThreadLayout[];
  readonly latches: readonly Bits[];
}

/** Bits that a value of a sort takes in a packed state. */
export function widthOf(sort: AnySort, domain: Domain): number {
  if (sort.kind === "word") return wordLayout(sort, domain).width;
  if (sort.kind === "range") return 2 * rangeBits(sort, domain);
  return bitsFor(sizeOf(sort, domain));
}

/** Bits of each bound of a range: 0..size. */
export function rangeBits(sort: AnySort, domain: Domain): number {
  return bitsFor(sizeOf(sort.element!, domain) + 1);
}

/** Hands out bits, first fit, without straddling. */
class Allocator {
  private readonly free: number[] = [];
  used = 0;

  take(width: number): Bits {
    if (width > 32) throw new Error(`a variable of ${width} bits does not fit a word`);
    let word = this.free.findIndex((f) => f >= width);
    if (word < 0) word = this.free.push(32) - 1;
    const shift = 32 - this.free[word]!;
    this.free[word]! -= width;
    this.used += width;
    return { word, shift: shift & 31, mask: width === 32 ? -1 : 2 ** width - 1 };
  }

  get words(): number {
    return Math.max(1, this.free.length);
  }
}

/** A sort has at most this many distinct values in cells: one bit each in a word. */
export const CELL_VALUES_MAX = 32;

/** How many values of a sort a cell can tell apart; of words, whose values are many, `words`. */
export function cellValues(sort: AnySort, words: number): number {
  if (sort.kind === "bool") return 2;
  if (sort.kind === "enumeration") return Math.min(CELL_VALUES_MAX, sort.values!.length);
  return words;
}

export function layoutOf(program: Program, cell_values = CELL_VALUES_MAX): Layout {
  const { domain } = program;
  const space = new Allocator();
  const cells = program.cells.map((g) => {
    const width = cellValues(g.decl.value, cell_values);
    return g.instances.map(() => space.take(width));
  });
  const mark = space.take(1);
  const fields = new Map<string, FieldLayout>();
  for (const decl of program.fields) {
    const sizes = decl.index.map((s) => sizeOf(s, domain));
    const count = sizes.reduce((a, b) => a * b, 1);
    const width = widthOf(decl.value, domain);
    const elements = Array.from({ length: count }, () => space.take(width));
    fields.set(decl.name, { decl, sizes, elements });
  }
  const pending = program.pending.map((p) => {
    const width = Object.values(p.decl.entry).reduce((n, s) => n + widthOf(s, domain), 1);
    return Array.from({ length: p.capacity }, () => space.take(width));
  });
  const threads = program.threads.map((t) => threadLayout(t, domain, space));
  const latches = program.observers.map(() => space.take(1));
  return { words: space.words, bits: space.used, mark, fields, cells, pending, threads, latches };
}

function threadLayout(thread: Thread, domain: Domain, space: Allocator): ThreadLayout {
  const live = liveness(thread.instrs);
  const points: number[] = [];
  const pointOf = thread.instrs.map((i, at) => {
    if (at !== 0 && !beginsStep(i)) return -1;
    return points.push(at) - 1;
  });
  const pc = space.take(bitsFor(points.length));
  const kept = points.map((at) => live.at(at));
  const places = shareBits(kept, thread, domain, space);
  const used = new Map<number, number>();
  for (const b of [pc, ...places.values()]) {
    used.set(b.word, (used.get(b.word) ?? 0) | (b.mask << b.shift));
  }
  return {
    pc,
    points,
    pointOf,
    live: kept.map((regs) => regs.map((reg) => ({ reg, bits: places.get(reg)! }))),
    clear: [...used].map(([word, mask]) => ({ word, keep: ~mask })),
  };
}

/** Registers of equal width that are never live at the same point get the same bits. */
function shareBits(
  kept: readonly (readonly number[])[],
  thread: Thread,
  domain: Domain,
  space: Allocator,
): Map<number, Bits> {
  const conflicts = new Map<number, Set<number>>();
  for (const regs of kept) {
    for (const r of regs) {
      let set = conflicts.get(r);
      if (!set) conflicts.set(r, (set = new Set()));
      for (const other of regs) if (other !== r) set.add(other);
    }
  }
  const places = new Map<number, Bits>();
  const shared: { width: number; bits: Bits; regs: number[] }[] = [];
  for (const [reg, others] of conflicts) {
    const width = widthOf(thread.registers.get(reg)!, domain);
    const home = shared.find((s) => s.width === width && !s.regs.some((r) => others.has(r)));
    if (home) {
      home.regs.push(reg);
      places.set(reg, home.bits);
    } else {
      const bits = space.take(width);
      shared.push({ width, bits, regs: [reg] });
      places.set(reg, bits);
    }
  }
  return places;
}
