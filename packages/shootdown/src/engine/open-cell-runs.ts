// SPDX-License-Identifier: Apache-2.0
// Entries that a bulk loop put into a cell: one record for as many keys as the loop had elements.
//
//   run   keys and value are sweeps over d = 0..count-1; the last key moves on by one with each d
//
// A run is never changed, only replaced by the parts of it that stay.

import type { KeyTest } from "./open-expr.ts";
import { shifted } from "./open-sweep.ts";
import type { Journal, Sweep } from "./open-value.ts";
import { sweepAt } from "./open-value.ts";

export interface CellRun {
  readonly key: readonly Sweep[];
  readonly value: Sweep;
  /** Number of entries. */
  readonly count: number;
}

/** Cuts [from, to) of a run into maximal parts, each to stay or to go as a whole. */
export type Verdict = (
  value: Sweep,
  count: number,
) => { readonly count: number; readonly goes: boolean };

export class CellRuns {
  private runs: readonly CellRun[] = [];
  private readonly journal: Journal;

  constructor(journal: Journal) {
    this.journal = journal;
  }

  /** All runs, oldest first. */
  list(): readonly CellRun[] {
    return this.runs;
  }

  get empty(): boolean {
    return this.runs.length === 0;
  }

  add(run: CellRun): void {
    this.replace([...this.runs, run]);
  }

  /** The values that runs give a key, oldest first. */
  values(key: readonly number[]): number[] {
    return this.runs.flatMap((run) => {
      const d = placeOf(run, key);
      return d < 0 ? [] : [sweepAt(run.value, d)];
    });
  }

  /** Removes one value of a key. */
  remove(key: readonly number[], value: number): void {
    this.filter(key, (v) => ({ count: 1, goes: v.base === value }));
  }

  /** Removes the entries whose keys match and on which the verdict is that they go. */
  filter(tests: readonly KeyTest[], verdict: Verdict): void {
    if (this.empty) return;
    let changed = false;
    const kept = this.runs.flatMap((run) => {
      const { from, to } = matching(run, tests);
      if (from >= to) return [run];
      const parts: CellRun[] = from > 0 ? [part(run, 0, from)] : [];
      for (let d = from; d < to; ) {
        const { count, goes } = verdict(shifted(run.value, d), to - d);
        changed ||= goes;
        if (!goes) parts.push(part(run, d, d + count));
        d += count;
      }
      return to < run.count ? [...parts, part(run, to, run.count)] : parts;
    });
    if (changed) this.replace(kept);
  }

  private replace(runs: readonly CellRun[]): void {
    const old = this.runs;
    this.runs = runs;
    if (!this.journal.open) return;
    this.journal.note(() => {
      this.runs = old;
    });
  }
}

/** The key of an entry of a run. */
export const keyAt = (run: CellRun, d: number): number[] => run.key.map((k) => sweepAt(k, d));

function part(run: CellRun, from: number, to: number): CellRun {
  const key = run.key.map((k) => shifted(k, from));
  return { key, value: shifted(run.value, from), count: to - from };
}

/** Where a key lies in a run, or -1. */
function placeOf(run: CellRun, key: readonly number[]): number {
  const last = key.length - 1;
  const d = key[last]! - run.key[last]!.base;
  if (d < 0 || d >= run.count) return -1;
  return run.key.every((k, i) => sweepAt(k, d) === key[i]) ? d : -1;
}

/** The entries of a run whose keys match: an interval, because keys never go down along a run. */
function matching(run: CellRun, tests: readonly KeyTest[]): { from: number; to: number } {
  let from = 0;
  let to = run.count;
  for (const [i, k] of run.key.entries()) {
    const t = tests[i];
    if (t === undefined) continue;
    const { lo, hi } = typeof t === "number" ? { lo: t, hi: t + 1 } : t;
    if (k.slope === 0) {
      if (k.base < lo || k.base >= hi) return { from: 0, to: 0 };
      continue;
    }
    from = Math.max(from, reaches(k, lo));
    to = Math.min(to, reaches(k, hi));
  }
  return { from, to };
}

/** The first d >= 0 at which a sweep that goes up is at least `bound`. */
function reaches(k: Sweep, bound: number): number {
  if (k.base >= bound) return 0;
  return Math.ceil((bound - k.base) / k.slope) * k.every - k.phase;
}
