// SPDX-License-Identifier: Apache-2.0
// Cells of the packed executor: sets of interned values, filled and evicted one by one (concrete),
// or closed after every step into the set of values that they could hold by now (window).

import { nthBit, popcount } from "../base/bits.ts";
import type { FieldDecl, Node } from "../ir/expr.ts";
import type { CellDecl } from "../ir/machine.ts";
import { mayBeWindow } from "./classify.ts";
import { operands, visitNode } from "./flow.ts";
import { Interner } from "./interner.ts";
import type { Bits } from "./layout.ts";
import { cellValues } from "./layout.ts";
import type { PackedMachine, Transition } from "./packed.ts";
import type { CodeCompiler } from "./packed-code.ts";
import type { Eval, ExprCompiler } from "./packed-expr.ts";
import type { CellGroup, Code } from "./program.ts";
import type { Step } from "./run.ts";
import { runToEnd } from "./run.ts";

/** A bit of `dirty` that stands for every pending set. */
const PENDING_BIT = 1 << 31;

export interface Instance {
  readonly group: number;
  readonly index: number;
  readonly bits: Bits;
  readonly key: readonly number[];
  fill: readonly Step[] | undefined;
  /** What the fill reads, as bits of `dirty`. */
  reads: number;
}

/** A value that a fill yields, with what it looked up on the way. */
export interface FillOption {
  readonly value: number;
  readonly picks: readonly PickRecord[];
}

/** A cell instance read by a step, and the value found; `held` tells entry from fresh walk. */
export interface PickRecord {
  readonly instance: number;
  readonly value: number;
  readonly held: boolean;
}

export class PackedCells {
  /** All instances, group by group. */
  readonly instances: readonly Instance[];
  private readonly machine: PackedMachine;
  private readonly groups: readonly CellGroup[];
  /** What numbers the values of each group; groups of one sort share it. */
  readonly interners: readonly Interner[];
  private readonly first: readonly number[];
  private readonly windows: readonly boolean[];
  private readonly admits: readonly ((bit: number) => number)[];
  /** All instances, each after those that its fill looks up. */
  readonly order: readonly Instance[];
  /** Fills look each other up: closing goes round until nothing changes. */
  readonly cyclic: boolean;
  private readonly fieldBits = new Map<string, number>();
  private dirty = -1;
  /** What every step is taken to change, as bits of `dirty`. */
  always = 0;
  private collector = 0;
  private collecting: Interner | undefined;
  /** What the fill being run took over from cells as a whole. */
  private borrowed: { instance: number; mask: number }[] = [];

  constructor(machine: PackedMachine, exprs: ExprCompiler) {
    this.machine = machine;
    this.groups = machine.program.cells;
    const bySort = new Map<string, Interner>();
    this.interners = this.groups.map((g) => {
      let interner = bySort.get(g.decl.value.name);
      if (!interner) {
        const most = cellValues(g.decl.value, machine.cell_values);
        bySort.set(g.decl.value.name, (interner = new Interner(g.decl.value.name, most)));
      }
      return interner;
    });
    const first: number[] = [];
    let count = 0;
    this.instances = this.groups.flatMap((g, group) => {
      first.push(count);
      count += g.instances.length;
      return g.instances.map((c, index): Instance => {
        const bits = machine.layout.cells[group]![index]!;
        return { group, index, bits, key: c.key, fill: undefined, reads: 0 };
      });
    });
    this.first = first;
    const window = machine.semantics === "window";
    this.windows = this.groups.map((g) => window && mayBeWindow(g));
    this.admits = this.groups.map((g, n) => this.admitter(g, n, exprs));
    const sorted = dependencyOrder(this.groups);
    this.order = sorted.groups.flatMap((g) => this.instances.filter((c) => c.group === g));
    this.cyclic = sorted.cyclic;
  }

  /** Compiles the fills; after construction, because their code reads cells. */
  compile(code: CodeCompiler): void {
    for (const c of this.instances) {
      const { fill } = this.groups[c.group]!.instances[c.index]!;
      c.reads = this.groupBit(c.group);
      if (fill) c.fill = code.compile(fill);
    }
    for (const c of this.order) {
      const { fill } = this.groups[c.group]!.instances[c.index]!;
      if (fill) c.reads |= this.readBits(fill);
    }
  }

  /** What a cell of the scratch state holds (or may hold), as a mask. */
  held(c: Instance): number {
    const { word, shift, mask } = c.bits;
    return (this.machine.state[word]! >>> shift) & mask;
  }

  private hold(c: Instance, values: number): void {
    const { word, shift, mask } = c.bits;
    const { state } = this.machine;
    state[word] = (state[word]! & ~(mask << shift)) | (values << shift);
  }

  values(group: number): readonly number[] {
    return this.interners[group]!.values;
  }

  /** Puts a value into a cell of the scratch state. */
  add(decl: CellDecl, key: readonly number[], value: number): void {
    const c = this.find(decl, key);
    if (c) this.hold(c, this.held(c) | this.interners[c.group]!.bit(value));
  }

  find(decl: CellDecl, key: readonly number[]): Instance | undefined {
    return this.instances.find(
      (c) => this.groups[c.group]!.decl === decl && c.key.every((v, i) => v === key[i]),
    );
  }

  name(instance: number): string {
    const c = this.instances[instance]!;
    return `${this.groups[c.group]!.decl.name}[${c.key.join()}]`;
  }

  decl(instance: number): CellDecl {
    return this.groups[this.instances[instance]!.group]!.decl;
  }

  mask(instance: number): number {
    return this.held(this.instances[instance]!);
  }

  bit(instance: number, value: number): number {
    return this.interners[this.instances[instance]!.group]!.bit(value);
  }

  clean(): void {
    this.dirty = this.always;
  }

  dirtyAll(): void {
    this.dirty = -1;
  }

  /** A function to call when an element of the field has changed. */
  toucher(field: string): () => void {
    const bit = this.fieldBit(field);
    return () => {
      this.dirty |= bit;
    };
  }

  /** The cell's value number `at`. */
  value(c: Instance, at: number): number {
    return this.interners[c.group]!.values[at]!;
  }

  /** Adds a value to a cell of the scratch state. */
  put(c: Instance, value: number): void {
    this.hold(c, this.held(c) | this.interners[c.group]!.bit(value));
    this.dirty |= this.groupBit(c.group);
  }

  /** Takes values, as a mask, out of a cell of the scratch state. */
  remove(c: Instance, mask: number): void {
    this.hold(c, this.held(c) & ~mask);
    this.dirty |= this.groupBit(c.group);
  }

  /** Number of an instance among all. */
  number(c: Instance): number {
    return this.first[c.group]! + c.index;
  }

  instancesOf(decl: CellDecl): readonly Instance[] {
    return this.instances.filter((c) => this.groups[c.group]!.decl === decl);
  }

  /** In a fill: yields all that another cell holds, which must be of the same sort. */
  lend(c: Instance): void {
    const held = this.held(c);
    if (held === 0) return;
    this.collector |= held;
    this.borrowed.push({ instance: this.number(c), mask: held });
  }

  /** Called by the `yield` instruction of a fill. */
  yielded(value: number): void {
    this.collector |= this.collecting!.bit(value);
  }

  /** Brings every window of the scratch state up to date. */
  close(): void {
    if (this.dirty === 0) return;
    for (let again = true; again; again = again && this.cyclic) {
      again = false;
      for (const c of this.order) {
        if (!c.fill || !(this.dirty & c.reads) || !this.isWindow(c.group)) continue;
        const old = this.held(c);
        const now = old | this.admits[c.group]!(this.fillMask(c));
        if (now === old) continue;
        this.hold(c, now);
        this.dirty |= this.groupBit(c.group);
        again = true;
      }
    }
    this.dirty = 0;
  }

  /** The values that a cell could be filled with now, with the lookups each rests on. */
  fillOptions(instance: number): FillOption[] {
    const c = this.instances[instance]!;
    const found: FillOption[] = [];
    if (!c.fill) return found;
    const { values } = this.interners[c.group]!;
    this.enumerate(c, () => {
      const admitted = this.admits[c.group]!(this.collector);
      for (let rest = admitted; rest !== 0; rest &= rest - 1) {
        const bit = rest & -rest;
        const value = values[31 - Math.clz32(bit)]!;
        const from = this.borrowed.find((b) => b.mask & bit);
        const lent = from ? [{ instance: from.instance, value, held: true }] : [];
        found.push({ value, picks: [...this.machine.picks, ...lent] });
      }
    });
    return found;
  }

  /** Whether the cells of a group are windows; the others have fills and evictions. */
  isWindow(group: number): boolean {
    return this.windows[group]!;
  }

  /** Whether fills and evictions of some cells are transitions. */
  get someConcrete(): boolean {
    return this.instances.some((c) => !this.isWindow(c.group));
  }

  /** Fills and evictions of concrete cells. */
  transitions(): Transition[] {
    return this.instances.flatMap((c, n) => {
      if (this.isWindow(c.group)) return [];
      const { decl } = this.groups[c.group]!;
      const name = this.name(n);
      const base = { name, index: n, slot: 0, free: true, fair: false } as const;
      const fill: Transition = { kind: "fill", ...base, run: () => this.fillOne(c, decl) };
      const evict: Transition = { kind: "evict", ...base, run: () => this.evictOne(c) };
      return [...(c.fill ? [fill] : []), ...(decl.evicts ? [evict] : [])];
    });
  }

  private admitter(g: CellGroup, n: number, exprs: ExprCompiler): (mask: number) => number {
    if (!g.admits) return (mask) => mask;
    const { reg } = g.admits;
    const cond: Eval = exprs.compile(g.admits.cond);
    const { registers } = this.machine;
    const interner = this.interners[n]!;
    let known = 0;
    let admitted = 0;
    return (mask) => {
      for (let rest = mask & ~known; rest !== 0; rest &= rest - 1) {
        const bit = rest & -rest;
        known |= bit;
        registers[reg] = interner.values[31 - Math.clz32(bit)]!;
        if (cond()) admitted |= bit;
      }
      return mask & admitted;
    };
  }

  /** A bit of `dirty` for a field; fields beyond the word's end share the last bit. */
  fieldBit(name: string): number {
    let bit = this.fieldBits.get(name);
    if (bit === undefined) {
      const at = Math.min(31, this.groups.length + this.fieldBits.size);
      this.fieldBits.set(name, (bit = 1 << at));
    }
    return bit;
  }

  groupBit(group: number): number {
    return 1 << Math.min(31, group);
  }

  private readBits(code: Code): number {
    let bits = 0;
    for (const i of code.instrs) {
      if (i.op === "lookup") {
        const group = this.groups.findIndex((g) => g.decl === i.cell);
        bits |= this.groupBit(group);
        // A walk through another cell reads what that cell's fill reads, kept there or not.
        if (i.walks && this.cyclic) bits = -1;
        for (const c of i.walks ? this.instances : []) if (c.group === group) bits |= c.reads;
      }
      if (i.op === "yieldHeld") {
        bits |= this.groupBit(this.groups.findIndex((g) => g.decl === i.cell));
      }
      const field = (f: FieldDecl) => {
        bits |= this.fieldBit(f.name);
      };
      for (const node of operands(i)) {
        visitNode(node, (n: Node) => {
          if (n.k === "read") field(n.field);
          // Pending sets change without a trace here: look again after every step.
          if (n.k === "outstanding") {
            bits = -1;
            this.always = PENDING_BIT;
          }
        });
      }
    }
    return bits;
  }

  /**
   * Runs a fill once for each combination of its choices; `done` after each run that completes. It
   * yields all values that were found.
   */
  private enumerate(c: Instance, done?: () => void): number {
    const { machine } = this;
    const outer = machine.nest();
    const { collector, collecting } = this;
    const { borrowed } = this;
    this.borrowed = [];
    let all = 0;
    this.collecting = this.interners[c.group]!;
    do {
      this.collector = 0;
      if (this.borrowed.length > 0) this.borrowed = [];
      if (machine.picks.length > 0) machine.picks = [];
      runToEnd(c.fill!);
      // Values yielded before a dead end count: yields do not end the walk.
      all |= this.collector;
      if (this.collector) done?.();
    } while (machine.chooser.advance());
    this.collector = collector;
    this.collecting = collecting;
    this.borrowed = borrowed;
    machine.unnest(outer);
    return all;
  }

  fillMask(c: Instance): number {
    return this.enumerate(c);
  }

  private fillOne(c: Instance, decl: CellDecl): boolean {
    const held = this.held(c);
    if (decl.ways !== undefined && popcount(held) >= decl.ways) return false;
    const values = this.admits[c.group]!(this.fillMask(c)) & ~held;
    if (values === 0) return false;
    this.hold(c, held | (1 << this.decideBit(c, values)));
    this.dirty |= this.groupBit(c.group);
    return true;
  }

  private evictOne(c: Instance): boolean {
    const held = this.held(c);
    if (held === 0) return false;
    this.hold(c, held & ~(1 << this.decideBit(c, held)));
    this.dirty |= this.groupBit(c.group);
    return true;
  }

  /** Chooses one of the bits of a mask (by value when a script is replayed). */
  decideBit(c: Instance, mask: number): number {
    const single = popcount(mask) === 1 ? 31 - Math.clz32(mask) : -1;
    const wanted = this.machine.scripted();
    if (wanted !== undefined) {
      const bit = this.interners[c.group]!.bit(wanted);
      return mask & bit ? 31 - Math.clz32(bit) : this.machine.derail();
    }
    const at = single >= 0 ? single : nthBit(mask, this.machine.chooser.choose(popcount(mask)));
    this.machine.note(this.interners[c.group]!.values[at]!);
    return at;
  }
}

/** Groups such that what a fill looks up comes before it. */
function dependencyOrder(all: readonly CellGroup[]): { groups: number[]; cyclic: boolean } {
  const sources = all.map((g) => {
    const found = new Set<number>();
    for (const i of g.instances.flatMap((c) => c.fill?.instrs ?? [])) {
      if (i.op === "lookup" || i.op === "yieldHeld") {
        found.add(all.findIndex((x) => x.decl === i.cell));
      }
    }
    return found;
  });
  const groups: number[] = [];
  const state = new Map<number, "open" | "done">();
  let cyclic = false;
  const visit = (n: number) => {
    if (state.get(n) === "open") cyclic = true;
    if (state.has(n)) return;
    state.set(n, "open");
    sources[n]!.forEach(visit);
    state.set(n, "done");
    groups.push(n);
  };
  for (const n of all.keys()) visit(n);
  return { groups, cyclic };
}
