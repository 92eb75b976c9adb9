// SPDX-License-Identifier: Apache-2.0
// Field storage of the open executor: sparse, and by runs where the last index is ordered.
//
//   field[i, j, last]   one interval map over `last` for each (i, j) that was written
//                       a run is a line: base + slope * (distance from its start)
//
// A field of rows whose first index moves on by one every n of the last index (tables of n entries,
// one after the other) is kept by the difference of the two, so that such a staircase is one run.

import type { RunRule } from "../base/interval-map.ts";
import { IntervalMap } from "../base/interval-map.ts";
import type { FieldDecl } from "../ir/expr.ts";
import type { Journal, Value } from "./open-value.ts";
import { sameValue } from "./open-value.ts";

/** Numbers along a run: `base` at its start, `slope` more with each key. */
export interface Line {
  readonly base: number;
  readonly slope: number;
}

/** Index `index` advances by one whenever the last index reaches a multiple of `every`. */
export interface Stairs {
  readonly index: number;
  readonly every: number;
}

export type RowKey = number | string;

/** Elements [start, end) of a row. */
export interface StoredRun {
  readonly start: number;
  readonly end: number;
  /** Value at `start`. */
  readonly value: number;
  /** How much more each element is than the one before it. */
  readonly slope: number;
}

export interface Store {
  readonly decl: FieldDecl;
  read(index: readonly number[]): Value;
  write(index: readonly number[], value: Value): void;
}

const lines: RunRule<Line> = {
  equal: (a, b, distance) => a.slope === b.slope && b.base === a.base + a.slope * distance,
  shift: (line, by) =>
    line.slope === 0 || by === 0 ? line : { base: line.base + line.slope * by, slope: line.slope },
};

/** Element by element; for fields without an ordered last index, and for ranges as values. */
export class MapStore implements Store {
  readonly decl: FieldDecl;
  private readonly initial: Value;
  private readonly values = new Map<RowKey, Value>();
  private readonly journal: Journal;

  constructor(decl: FieldDecl, initial: Value, journal: Journal) {
    this.decl = decl;
    this.initial = initial;
    this.journal = journal;
  }

  read(index: readonly number[]): Value {
    return this.values.get(keyOf(index)) ?? this.initial;
  }

  write(index: readonly number[], value: Value): void {
    const key = keyOf(index);
    const { values } = this;
    const old = values.get(key);
    if (this.journal.open) {
      this.journal.note(() => {
        if (old === undefined) values.delete(key);
        else values.set(key, old);
      });
    }
    if (sameValue(value, this.initial)) values.delete(key);
    else values.set(key, value);
  }
}

const keyOf = (index: readonly number[]): RowKey =>
  index.length === 1 ? index[0]! : index.length === 0 ? 0 : index.join();

/** By runs over the last index. */
export class RunStore implements Store {
  readonly decl: FieldDecl;
  readonly stairs: Stairs | undefined;
  readonly initial: number;
  private readonly unit: number;
  private readonly rows = new Map<RowKey, IntervalMap<Line>>();
  private readonly journal: Journal;

  /** `unit`: the slope that a single element is taken to have while nothing says otherwise. */
  constructor(decl: FieldDecl, unit: number, stairs: Stairs | undefined, journal: Journal) {
    this.decl = decl;
    this.initial = decl.initial;
    this.unit = unit;
    this.stairs = stairs;
    this.journal = journal;
  }

  /** The row that an element lies in. */
  rowKey(index: readonly number[]): RowKey {
    const last = index.length - 1;
    if (last === 0) return 0;
    if (!this.stairs) return last === 1 ? index[0]! : index.slice(0, -1).join();
    const { index: step, every } = this.stairs;
    if (last === 1) return index[0]! - Math.floor(index[1]! / every);
    const outer = index.slice(0, -1);
    outer[step] = outer[step]! - Math.floor(index[last]! / every);
    return keyOf(outer);
  }

  read(index: readonly number[]): number {
    const line = this.rows.get(this.rowKey(index))?.get(index[index.length - 1]!);
    return line === undefined ? this.initial : line.base;
  }

  write(index: readonly number[], value: Value): void {
    const at = index[index.length - 1]!;
    const row = this.row(this.rowKey(index));
    const number = value as number;
    this.put(row, at, at + 1, number, number === this.initial ? 0 : this.slopeAt(row, at, number));
  }

  /** The values from `start` on, as far as one line goes: [start, end). */
  lineFrom(key: RowKey, start: number): StoredRun {
    const run = this.rows.get(key)?.run(start);
    if (!run?.value) {
      return { start, end: run?.end ?? Number.MAX_SAFE_INTEGER, value: this.initial, slope: 0 };
    }
    const { base, slope } = run.value;
    return { start, end: run.end, value: base + slope * (start - run.start), slope };
  }

  /** Gives the elements [start, end) of a row the values of a line. */
  writeRun(key: RowKey, start: number, end: number, value: number, slope: number): void {
    const row = this.row(key);
    if (end - start === 1) {
      this.put(
        row,
        start,
        end,
        value,
        value === this.initial ? 0 : this.slopeAt(row, start, value),
      );
      return;
    }
    // A single element beside the run has no direction of its own yet: it may join.
    if (start > 0) this.turn(row, start - 1, value - slope, slope);
    this.turn(row, end, value + slope * (end - start), slope);
    this.put(row, start, end, value, slope);
  }

  /** Elements [start, end) have the initial value again, in every row. */
  forget(start: number, end: number): void {
    for (const row of this.rows.values()) {
      if (row.size > 0) this.put(row, start, end, this.initial, 0);
    }
  }

  /** The stored runs of a row that meet [start, end), cut to it; gaps have the initial value. */
  *runs(key: RowKey, start: number, end: number): Generator<StoredRun, void, undefined> {
    const row = this.rows.get(key);
    if (!row) return;
    for (const run of row.iterate(start, end)) {
      const { base, slope } = run.value;
      yield { start: run.start, end: run.end, value: base, slope };
    }
  }

  private row(key: RowKey): IntervalMap<Line> {
    let row = this.rows.get(key);
    if (!row) {
      row = new IntervalMap(lines);
      this.rows.set(key, row);
    }
    return row;
  }

  private put(row: IntervalMap<Line>, start: number, end: number, base: number, slope: number) {
    if (this.journal.open) {
      const old = row.runs(start, end);
      this.journal.note(() => {
        row.delete(start, end);
        for (const run of old) row.set(run.start, run.end, run.value);
      });
    }
    if (slope === 0 && base === this.initial) row.delete(start, end);
    else row.set(start, end, { base, slope });
  }

  /** The slope with which a single element joins a neighbour. */
  private slopeAt(row: IntervalMap<Line>, at: number, value: number): number {
    const left = at > 0 ? row.run(at - 1) : undefined;
    if (left?.value) {
      const { base, slope } = left.value;
      if (base + slope * (at - left.start) === value) return slope;
      if (this.turn(row, at - 1, value, 0)) return 0;
      if (this.turn(row, at - 1, value - this.unit, this.unit)) return this.unit;
    }
    const right = row.run(at + 1);
    if (right.value && right.start === at + 1) {
      const { base, slope } = right.value;
      if (base - slope === value) return slope;
      if (this.turn(row, at + 1, value, 0)) return 0;
      if (this.turn(row, at + 1, value + this.unit, this.unit)) return this.unit;
    }
    return this.unit;
  }

  /** Gives a run of one element a slope, if it has this value; whether it did. */
  private turn(row: IntervalMap<Line>, at: number, value: number, slope: number): boolean {
    const run = row.run(at);
    if (!run.value || run.end - run.start !== 1 || run.value.base !== value) return false;
    row.set(at, at + 1, { base: value, slope });
    return true;
  }
}
