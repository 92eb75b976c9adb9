// SPDX-License-Identifier: Apache-2.0
// What a secondary TLB of one address space may still hold: the window semantics (rule Z1).
//
//   pages    0     4        8      12
//            |     [ a ) [ a,b )[ b )          a, b: changes whose old entries may still be used
//
// A change opens its pages: from then on the secondary may hold the old entries there. Only an
// invalidation of a page closes it, for all changes before (rule A4: any number may be dropped).
import { IntervalMap } from "../base/interval-map.ts";
import { MAX_PIECES, MAX_STACKED } from "./limits.ts";
import type { Doubt, Obligation, Span } from "./obligation.ts";

export class Window {
  readonly #open = new IntervalMap<readonly Obligation[]>();

  /** Runs of pages with the same open changes. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether one more change of this page would be one too many. */
  full(page: number): boolean {
    return (this.#open.get(page)?.length ?? 0) >= MAX_STACKED;
  }

  /** The pages [start, end) of `change` may be held from now on. */
  open(change: Obligation, start: number, end: number): void {
    this.#open.update(start, end, (others) =>
      others === undefined ? change.alone : [...others, change],
    );
  }

  /**
   * An invalidation of the pages [start, end) by task `pid`; with a `doubt` it may be none.
   *
   * @returns whether it met a page that is open.
   */
  invalidate(start: number, end: number, pid: number, doubt: Doubt | undefined): boolean {
    if (start >= end) return false;
    const runs = [...this.#open.iterate(start, end)];
    for (const run of runs) {
      const left: Obligation[] = [];
      for (const change of run.value) {
        // In another task's hands the entry may be the old one still: the order is not recorded.
        const race = change.changing && change.spec.at.pid !== pid;
        if (race || doubt !== undefined) {
          left.push(change);
          addDoubt(change, run.start, run.end, doubt ?? "race");
        } else change.touched = true;
      }
      if (left.length === 0) this.#open.delete(run.start, run.end);
      else if (left.length < run.value.length) {
        this.#open.set(run.start, run.end, left.length === 1 ? left[0]!.alone : left);
      }
    }
    return runs.length > 0;
  }

  /** The parts of a change that are still open, in order; the last one is joined if too many. */
  rest(change: Obligation): Span[] {
    const rest: { start: number; end: number }[] = [];
    for (const run of this.#open.iterate(change.start, change.end)) {
      if (!run.value.includes(change)) continue;
      const last = rest[rest.length - 1];
      if (last !== undefined && (last.end === run.start || rest.length === MAX_PIECES)) {
        last.end = run.end;
      } else rest.push({ start: run.start, end: run.end });
    }
    return rest;
  }

  /** The change is judged: what is left of it is no longer tracked. */
  close(change: Obligation): void {
    const runs = [...this.#open.iterate(change.start, change.end)];
    for (const run of runs) {
      if (!run.value.includes(change)) continue;
      const left = run.value.filter((other) => other !== change);
      if (left.length === 0) this.#open.delete(run.start, run.end);
      else this.#open.set(run.start, run.end, left.length === 1 ? left[0]!.alone : left);
    }
  }

  /** Changes that are open among these pages. */
  within(start: number, end: number): Set<Obligation> {
    const found = new Set<Obligation>();
    if (start >= end) return found;
    for (const run of this.#open.iterate(start, end)) for (const one of run.value) found.add(one);
    return found;
  }

  /** Every change that is open somewhere. */
  changes(): Set<Obligation> {
    const all = new Set<Obligation>();
    for (const run of this.#open.iterate()) for (const change of run.value) all.add(change);
    return all;
  }

  clear(): void {
    this.#open.clear();
  }
}

function addDoubt(change: Obligation, start: number, end: number, why: Doubt): void {
  // Without bound a lost return would collect them for ever; one list for all is enough to doubt.
  if (change.doubts.length < MAX_PIECES) change.doubts.push({ start, end, why });
  else change.doubts[MAX_PIECES - 1] = { start: change.start, end: change.end, why };
}

/** Whether the union of `covers` holds all of `spans`. */
export function holds(covers: readonly Span[], spans: readonly Span[]): boolean {
  const sorted = [...covers].sort((a, b) => a.start - b.start);
  return spans.every(({ start, end }) => {
    let at = start;
    for (const cover of sorted) if (cover.start <= at && cover.end > at) at = cover.end;
    return at >= end;
  });
}
