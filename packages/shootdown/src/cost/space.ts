// SPDX-License-Identifier: Apache-2.0
// Address spaces of a workload's processes: what each page is, as runs, and how often frames are
// mapped.
//
//   pages    [0x10, 0x50) rw, frames 7..        [0x50, 0x90) nothing populated
//   tables   regions of 512 pages that have a last-level table

import { IntervalMap, type Run } from "../base/interval-map.ts";
import { isMapped, PAGE, VMA_BITS } from "./page.ts";

/** Pages that a last-level table maps. */
export const TABLE_PAGES = 512;

/** What a run of pages is; `frame` is the first page's, or -1. */
export interface PageRun {
  /** As page.ts has it. */
  readonly code: number;
  readonly frame: number;
}

/** A part of an address space, cut to it. */
export interface Piece {
  readonly lo: number;
  readonly hi: number;
  readonly code: number;
  readonly frame: number;
}

const shifted = (run: PageRun, by: number): PageRun =>
  by === 0 || run.frame < 0 ? run : { code: run.code, frame: run.frame + by };

const pageRuns = {
  equal: (a: PageRun, b: PageRun, distance: number) =>
    a.code === b.code && (a.frame < 0 ? b.frame < 0 : a.frame + distance === b.frame),
  shift: shifted,
};

/** How often frames are mapped, for all address spaces of a workload. */
export class Frames {
  private next = 1;
  /** Mappings of a frame; absent: one. */
  private readonly several = new IntervalMap<number>();

  take(count: number): number {
    const first = this.next;
    this.next += count;
    return first;
  }

  get(frame: number): number {
    return this.several.get(frame) ?? 1;
  }

  /** Frames [frame, frame + count) are mapped `by` times more, or less. */
  add(frame: number, count: number, by: number): void {
    // Most frames are mapped once, and then are not.
    if (by < 0 && this.all(frame, count) === false) return;
    this.several.update(frame, frame + count, (old) => {
      const refs = (old ?? 1) + by;
      return refs <= 1 ? undefined : refs;
    });
  }

  /** Whether others have all of [frame, frame + count), or none; unknown if that is not in one. */
  private all(frame: number, count: number): boolean | undefined {
    const { end, value } = this.several.run(frame);
    return end < frame + count ? undefined : value !== undefined;
  }

  /** Splits [frame, frame + count) by whether others have the frames too. */
  byOthers(frame: number, count: number): { start: number; end: number; others: boolean }[] {
    const last = frame + count;
    const others = this.all(frame, count);
    if (others !== undefined) return [{ start: frame, end: last, others }];
    const found: { start: number; end: number; others: boolean }[] = [];
    let at = frame;
    for (const run of this.several.iterate(frame, last)) {
      if (at < run.start) found.push({ start: at, end: run.start, others: false });
      found.push({ start: run.start, end: run.end, others: true });
      at = run.end;
    }
    if (at < last) found.push({ start: at, end: last, others: false });
    return found;
  }
}

export class Space {
  /** A secondary TLB translates with it. */
  readonly bound: boolean;
  readonly frames: Frames;
  private readonly pages = new IntervalMap<PageRun>(pageRuns);
  private readonly tables = new IntervalMap<true>();
  /** Pages that are mapped to something. */
  mapped = 0;
  /** Threads that have asked for something: CPUs that the process runs on. */
  readonly tids = new Set<number>();

  constructor(frames: Frames, bound: boolean) {
    this.frames = frames;
    this.bound = bound;
  }

  /** The pieces of [lo, hi) that have a vma, those of frames that others have split off. */
  pieces(lo: number, hi: number): Piece[] {
    const found: Piece[] = [];
    for (const { start, end, value } of this.runs(lo, hi)) {
      const { code, frame } = value;
      if (frame < 0 || (code & (PAGE.exclusive | PAGE.file)) !== 0) {
        found.push({ lo: start, hi: end, code, frame });
        continue;
      }
      for (const part of this.frames.byOthers(frame, end - start)) {
        const at = start + part.start - frame;
        const seen = part.others ? code | PAGE.others : code;
        found.push({ lo: at, hi: at + part.end - part.start, code: seen, frame: part.start });
      }
    }
    return found;
  }

  /** The runs of [lo, hi), cut to it. */
  private runs(lo: number, hi: number): readonly Run<PageRun>[] {
    if (lo >= hi) return [];
    // Most often it is all in one.
    const { start, end, value } = this.pages.run(lo);
    if (end < hi) return [...this.pages.iterate(lo, hi)];
    return value === undefined ? [] : [{ start: lo, end: hi, value: shifted(value, lo - start) }];
  }

  /** Whether a vma meets [lo, hi). */
  hasVma(lo: number, hi: number): boolean {
    if (lo >= hi) return false;
    const run = this.pages.run(lo);
    return run.value !== undefined || run.end < hi;
  }

  hasTable(region: number): boolean {
    return this.tables.get(region) !== undefined;
  }

  /** Regions of [from, to) that have a table, as runs. */
  tableRuns(from: number, to: number): { start: number; end: number }[] {
    return [...this.tables.iterate(from, to)];
  }

  setTables(from: number, to: number, present: boolean): void {
    if (present) this.tables.set(from, to, true);
    else this.tables.delete(from, to);
  }

  /** The whole address space as it is used: from the first page with a vma to the last. */
  extent(): { lo: number; hi: number } {
    let lo = 0;
    let hi = 0;
    for (const run of this.pages.iterate()) {
      if (hi === 0) lo = run.start;
      hi = run.end;
    }
    return { lo, hi };
  }

  get cpus(): number {
    return Math.max(1, this.tids.size);
  }

  /** Number of runs. */
  get size(): number {
    return this.pages.size;
  }

  /** A vma without pages, in place of whatever is recorded there. */
  mapVma(lo: number, hi: number, bits: number): void {
    this.put(lo, hi, { code: PAGE.vma | (bits & VMA_BITS), frame: -1 });
  }

  /**
   * [lo, hi) becomes `code` (0: no vma). `frames`: the first of theirs, "kept" (those they have),
   * "new", or -1 for none. Frames that are not mapped here any more are given back.
   */
  put(
    lo: number,
    hi: number,
    to: PageRun | { readonly code: number; readonly frame: "new" },
  ): void {
    for (const { start, end, value } of this.runs(lo, hi)) {
      if (!isMapped(value.code)) continue;
      this.mapped -= end - start;
      const stays =
        typeof to.frame === "number" && to.frame >= 0 && to.frame + start - lo === value.frame;
      if (value.frame >= 0 && !stays) this.frames.add(value.frame, end - start, -1);
    }
    if (to.code === 0) {
      this.pages.delete(lo, hi);
      return;
    }
    if (isMapped(to.code)) this.mapped += hi - lo;
    const needs = to.frame === "new" && (to.code & (PAGE.zero | PAGE.file)) === 0;
    const frame = to.frame === "new" ? (needs ? this.frames.take(hi - lo) : -1) : to.frame;
    this.pages.set(lo, hi, { code: to.code & ~PAGE.others, frame });
  }

  /** [lo, hi), all of it mapped, becomes `code`; each page keeps its frame. */
  recode(lo: number, hi: number, code: number): void {
    const bits = code & ~PAGE.others;
    this.pages.update(lo, hi, (was) => was && { code: bits, frame: was.frame });
  }

  /** A child's address space: the same pages, each frame mapped once more. */
  fork(bound: boolean): Space {
    const child = new Space(this.frames, bound);
    for (const { start, end, value } of this.pages.iterate()) {
      child.pages.set(start, end, value);
      if (value.frame >= 0) this.frames.add(value.frame, end - start, 1);
    }
    for (const run of this.tables.iterate()) child.tables.set(run.start, run.end, true);
    child.mapped = this.mapped;
    return child;
  }

  /** Moves what is mapped in [lo, hi) to `to`, vma and all. */
  move(lo: number, hi: number, to: number): void {
    const moved = [...this.pages.iterate(lo, hi)];
    this.put(to, to + hi - lo, { code: 0, frame: -1 });
    for (const { start, end, value } of moved) {
      this.pages.set(to + start - lo, to + end - lo, value);
    }
    this.pages.delete(lo, hi);
  }

  /** Nothing is mapped any more. */
  clear(): void {
    const { lo, hi } = this.extent();
    if (lo < hi) this.put(lo, hi, { code: 0, frame: -1 });
    this.tables.clear();
  }
}
