// SPDX-License-Identifier: Apache-2.0
// How a symmetry acts on a packed state: which bits go where, and which of them change as values.
//
//   f[a] ──► f[p(a)]      thread n ──► thread p(n), from the same place of the same code
//   a value of a moved sort ──► its image, where it lies

import type { AnySort } from "../../ir/sort.ts";
import type { Bits, Layout } from "../layout.ts";
import { widthOf } from "../layout.ts";
import { entryOffsets } from "../packed-expr.ts";
import type { Program } from "../program.ts";
import { wordLayout } from "../word.ts";
import type { Permutation } from "./search.ts";
import type { Points } from "./shape.ts";
import { elementsOf, keptRegisters } from "./units.ts";

/** Some bits of a state, and where they go. */
export interface Move {
  readonly from: Bits;
  readonly to: Bits;
  /** For each value its image. */
  readonly map?: readonly number[];
  /** The map applies only while this holds: an entry is there, a thread is at one of these. */
  readonly when?: {
    readonly bits: Bits;
    readonly values: readonly number[];
    /** Else the bits are 0. */
    readonly elseZero: boolean;
  };
}

/** Entries that are kept in ascending order, the empty ones last. */
export interface SortedMove {
  readonly entries: readonly Move[][];
  readonly to: readonly Bits[];
}

export interface Action {
  readonly moves: readonly Move[];
  readonly sorted: readonly SortedMove[];
}

/** A part of a variable: its place in it, and how its values change. */
interface Part {
  readonly offset: number;
  readonly width: number;
  readonly map: readonly number[] | undefined;
}

/** What a permutation does to states; undefined if the layout does not go along. */
export function actionOf(
  program: Program,
  layout: Layout,
  points: Points,
  p: Permutation,
): Action | undefined {
  return new Acts(program, layout, points, p).run();
}

class Acts {
  private readonly program: Program;
  private readonly layout: Layout;
  private readonly points: Points;
  private readonly p: Permutation;
  private readonly moves: Move[] = [];
  private readonly sorted: SortedMove[] = [];

  constructor(program: Program, layout: Layout, points: Points, p: Permutation) {
    this.program = program;
    this.layout = layout;
    this.points = points;
    this.p = p;
  }

  run(): Action | undefined {
    const { layout, moves, sorted } = this;
    this.move(layout.mark, layout.mark, WHOLE);
    for (const bits of layout.latches) this.move(bits, bits, WHOLE);
    this.fields();
    this.cells();
    this.pending();
    for (const n of layout.threads.keys()) if (!this.thread(n)) return undefined;
    return { moves, sorted };
  }

  private image(sort: AnySort, value: number): number {
    const point = this.points.of(sort, value);
    return point === undefined ? value : this.p[point]! - this.points.of(sort, 0)!;
  }

  private key(sorts: readonly AnySort[], key: readonly number[]): number[] {
    return key.map((v, i) => this.image(sorts[i]!, v));
  }

  /** The parts of a variable of a sort. */
  private parts(sort: AnySort, offset = 0): readonly Part[] {
    const { domain } = this.program;
    if (sort.kind === "word") {
      const layout = wordLayout(sort, domain);
      const own = layout.fields.filter((f) => this.mapOf(f.sort));
      const parts = own.map((f) => ({
        offset: offset + f.offset,
        width: f.width,
        map: this.mapOf(f.sort),
      }));
      return withRest(parts, offset, layout.width);
    }
    const width = widthOf(sort, domain);
    return [{ offset, width, map: this.mapOf(sort) }];
  }

  private mapOf(sort: AnySort): readonly number[] | undefined {
    if (!this.points.has(sort)) return undefined;
    const size = this.program.domain.sizes[sort.name]!;
    const map = Array.from({ length: size }, (_, v) => this.image(sort, v));
    return map.some((to, v) => to !== v) ? map : undefined;
  }

  private move(from: Bits, to: Bits, parts: readonly Part[], when?: Move["when"]): void {
    this.moves.push(...partMoves(from, to, parts, when));
  }

  private fields(): void {
    for (const { decl, sizes, elements } of this.layout.fields.values()) {
      const parts = this.parts(decl.value);
      for (const [n, index] of elementsOf(sizes).entries()) {
        const to = this.key(decl.index, index).reduce((at, v, d) => at * sizes[d]! + v, 0);
        this.move(elements[n]!, elements[to]!, parts);
      }
    }
  }

  private cells(): void {
    for (const [g, group] of this.program.cells.entries()) {
      const places = this.layout.cells[g]!;
      const sorts = Object.values(group.decl.keys);
      for (const [n, c] of group.instances.entries()) {
        const to = indexOf(group.instances, this.key(sorts, c.key));
        this.move(places[n]!, places[to]!, WHOLE);
      }
    }
  }

  private pending(): void {
    const { program, layout } = this;
    for (const [n, set] of program.pending.entries()) {
      const { decl, key } = set;
      const to = this.key(Object.values(decl.keys), key);
      const target = program.pending.findIndex(
        (o) => o.decl === decl && o.key.every((v, i) => v === to[i]),
      );
      const sorts = Object.entries(decl.entry);
      const offsets = entryOffsets(sorts, program.domain);
      const parts = withRest(
        sorts.flatMap(([, sort], f) => this.parts(sort, offsets[f]!.offset)).filter((x) => x.map),
        0,
        sorts.reduce((width, [, sort]) => width + widthOf(sort, program.domain), 1),
      );
      const slots = layout.pending[n]!;
      const targets = layout.pending[target]!;
      const moved = slots.map((from, at) => {
        // An empty slot is 0, and stays so.
        const taken = { bits: { ...from, mask: 1 }, values: [1], elseZero: true };
        return partMoves(from, targets[at]!, parts, taken);
      });
      const plain = decl.order.length > 0 || parts.every((x) => !x.map);
      if (plain) this.moves.push(...moved.flat());
      else this.sorted.push({ entries: moved, to: targets });
    }
  }

  /** False if the registers of the two threads do not lie alike. */
  private thread(n: number): boolean {
    const { layout, program, points } = this;
    const target = this.p[points.firstThread + n]! - points.firstThread;
    const [from, to] = [layout.threads[n]!, layout.threads[target]!];
    if (from.points.join() !== to.points.join()) return false;
    this.move(from.pc, to.pc, WHOLE);
    const [own, others] = [keptRegisters(layout, n), keptRegisters(layout, target)];
    const slots = new Map<
      string,
      { from: Bits; to: Bits; uses: { sort: AnySort; pc: number }[] }
    >();
    for (const [pc, live] of from.live.entries()) {
      if (live.length !== to.live[pc]!.length) return false;
      for (const { reg, bits } of live) {
        const twin = others[own.indexOf(reg)];
        const there = to.live[pc]!.find((l) => l.reg === twin)?.bits;
        if (!there || there.mask !== bits.mask) return false;
        const name = `${bits.word} ${bits.shift}`;
        const known = slots.get(name);
        if (known && (known.to.word !== there.word || known.to.shift !== there.shift)) return false;
        const slot = known ?? { from: bits, to: there, uses: [] };
        slots.set(name, slot);
        slot.uses.push({ sort: program.threads[n]!.registers.get(reg)!, pc });
      }
    }
    for (const slot of slots.values()) {
      const done = this.slot(slot, from.pc);
      if (!done) return false;
    }
    return true;
  }

  /** The bits that registers share: what they are depends on where the thread is. */
  private slot(
    { from, to, uses }: { from: Bits; to: Bits; uses: { sort: AnySort; pc: number }[] },
    pc: Bits,
  ): boolean {
    const mapped = uses.filter(({ sort }) => this.parts(sort).some((x) => x.map));
    const [first] = mapped;
    if (!first) {
      this.move(from, to, WHOLE);
      return true;
    }
    if (mapped.some(({ sort }) => sort.name !== first.sort.name)) return false;
    const values = mapped.map((u) => u.pc);
    const elseZero = mapped.length === uses.length;
    this.move(from, to, this.parts(first.sort), { bits: pc, values, elseZero });
    return true;
  }
}

/** All the bits of a variable, as they are; the width does not matter. */
const WHOLE: readonly Part[] = [{ offset: 0, width: 32, map: undefined }];

function indexOf(instances: Program["cells"][number]["instances"], key: readonly number[]): number {
  return instances.findIndex((c) => c.key.every((v, i) => v === key[i]));
}

/** Parts that change, and between them the bits that do not. */
function withRest(parts: readonly Part[], offset: number, width: number): readonly Part[] {
  const all: Part[] = [];
  let at = offset;
  const end = offset + width;
  for (const part of [...parts].sort((a, b) => a.offset - b.offset)) {
    if (part.offset > at) all.push({ offset: at, width: part.offset - at, map: undefined });
    all.push(part);
    at = part.offset + part.width;
  }
  if (at < end) all.push({ offset: at, width: end - at, map: undefined });
  return all;
}

function partMoves(from: Bits, to: Bits, parts: readonly Part[], when?: Move["when"]): Move[] {
  return parts.map(({ offset, width, map }): Move => {
    const sub = (b: Bits): Bits => ({
      word: b.word,
      shift: b.shift + offset,
      mask: (b.mask >>> offset) & (width >= 32 ? -1 : 2 ** width - 1),
    });
    const move = { from: sub(from), to: sub(to) };
    if (!map) return move;
    return when ? { ...move, map, when } : { ...move, map };
  });
}
