// SPDX-License-Identifier: Apache-2.0
// A map from integer intervals to values, kept as maximal runs of equal values.
//
//   keys    0      4      6          12        16                     2^53
//           |      [  A   )          [   B     )                       |
//            gap                gap                        gap
//
// A rule says when one value continues another. With the default rule a run has one constant
// value. With an affine rule the value advances along the run: page frame numbers 7, 8, 9 at
// keys 4, 5, 6 are one run [4,7) -> 7, and get(6) is shift(7, 2).
//
// The runs lie in leaves of bounded size, in order; a look-up is two binary searches and a change
// moves at most a few leaves, so that a table of a million runs may be changed at random places.

/** When a value continues another, and what a value is some keys further on. */
export interface RunRule<V> {
  /** Whether `b`, `distance` keys after `a`, is `shift(a, distance)`. */
  equal(a: V, b: V, distance: number): boolean;
  /** The value `by` keys (an integer >= 0) after `value`, in the same run. */
  shift(value: V, by: number): V;
}

/** Keys [start, end) and the value at `start`. */
export interface Run<V> {
  readonly start: number;
  readonly end: number;
  readonly value: V;
}

/** Exclusive end of the keys: they are the integers 0 .. 2^53 - 1. */
export const KEY_LIMIT = 2 ** 53;

/** Runs in a leaf before it is split. */
const LEAF_RUNS = 256;

interface Leaf<V> {
  readonly starts: number[];
  readonly ends: number[];
  readonly values: V[];
}

interface Position {
  readonly leaf: number;
  readonly index: number;
}

function constantRule<V>(): RunRule<V> {
  return { equal: (a, b) => Object.is(a, b), shift: (value) => value };
}

export class IntervalMap<V> {
  readonly #rule: RunRule<V>;
  #leaves: Leaf<V>[] = [];
  #size = 0;
  #changes = 0;

  /** An empty map. Without a rule, values are constant along a run and compared by Object.is. */
  constructor(rule: RunRule<V> = constantRule()) {
    this.#rule = rule;
  }

  /** Number of runs. */
  get size(): number {
    return this.#size;
  }

  /** The value at `key`, or undefined in a gap. */
  get(key: number): V | undefined {
    checkKey(key);
    const { leaf, index } = this.#seek(key);
    const runs = this.#leaves[leaf];
    const start = runs?.starts[index];
    if (runs === undefined || start === undefined || start > key) return undefined;
    const value = runs.values[index] as V;
    return start === key ? value : this.#rule.shift(value, key - start);
  }

  /**
   * The maximal run or gap that holds `key`; in a gap the value is undefined. The value of a run is
   * that at its `start`, not that at `key`.
   */
  run(key: number): Run<V | undefined> {
    checkKey(key);
    const { leaf, index } = this.#seek(key);
    const found = this.#runAt(leaf, index);
    if (found !== undefined && found.start <= key) return found;
    const before = index > 0 ? this.#runAt(leaf, index - 1) : this.#lastRun(leaf - 1);
    return { start: before?.end ?? 0, end: found?.start ?? KEY_LIMIT, value: undefined };
  }

  /** Gives the keys [start, end) a value: `value` at `start`, shifted after it. */
  set(start: number, end: number, value: V): void {
    checkInterval(start, end);
    if (start < end) this.#replace(start, end, [{ start, end, value }]);
  }

  /** Makes [start, end) a gap. */
  delete(start: number, end: number): void {
    checkInterval(start, end);
    if (start < end) this.#replace(start, end, []);
  }

  /**
   * Replaces each part of [start, end) that lies in one run or gap by what `fn` makes of it.
   *
   * @param fn gets the value at `from` (undefined in a gap) and the part [from, to), and gives the
   *     new value at `from`, shifted after it, or undefined for a gap. It must not change the map.
   */
  update(
    start: number,
    end: number,
    fn: (value: V | undefined, from: number, to: number) => V | undefined,
  ): void {
    checkInterval(start, end);
    const fresh: Run<V>[] = [];
    const put = (value: V | undefined, from: number, to: number): void => {
      const made = fn(value, from, to);
      if (made !== undefined) fresh.push({ start: from, end: to, value: made });
    };
    let at = start;
    for (const run of this.iterate(start, end)) {
      if (at < run.start) put(undefined, at, run.start);
      put(run.value, run.start, run.end);
      at = run.end;
    }
    if (at < end) put(undefined, at, end);
    if (start < end) this.#replace(start, end, fresh);
  }

  /** The runs that meet [start, end), cut to it, in order. Throws if the map changes meanwhile. */
  *iterate(start = 0, end = KEY_LIMIT): Generator<Run<V>, void, undefined> {
    checkInterval(start, end);
    if (start === end) return;
    const changes = this.#changes;
    let { leaf, index } = this.#seek(start);
    while (leaf < this.#leaves.length) {
      const run = this.#runAt(leaf, index);
      if (run === undefined) {
        leaf++;
        index = 0;
        continue;
      }
      if (run.start >= end) return;
      yield this.#cut(run, start, end);
      if (this.#changes !== changes) throw new Error("interval map changed while it was iterated");
      index++;
    }
  }

  /** A map with the same runs; the values themselves are shared. */
  clone(): IntervalMap<V> {
    const copy = new IntervalMap<V>(this.#rule);
    copy.#leaves = this.#leaves.map(({ starts, ends, values }) => ({
      starts: starts.slice(),
      ends: ends.slice(),
      values: values.slice(),
    }));
    copy.#size = this.#size;
    return copy;
  }

  /** Removes every run. */
  clear(): void {
    this.#leaves = [];
    this.#size = 0;
    this.#changes++;
  }

  /** Where the first run with end > key is; past the last leaf when there is none. */
  #seek(key: number): Position {
    let low = 0;
    let high = this.#leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const ends = (this.#leaves[middle] as Leaf<V>).ends;
      if ((ends[ends.length - 1] as number) > key) high = middle;
      else low = middle + 1;
    }
    const leaf = low;
    const ends = this.#leaves[leaf]?.ends ?? [];
    low = 0;
    high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ends[middle] as number) > key) high = middle;
      else low = middle + 1;
    }
    return { leaf, index: low };
  }

  #runAt(leaf: number, index: number): Run<V> | undefined {
    const runs = this.#leaves[leaf];
    const start = runs?.starts[index];
    if (runs === undefined || start === undefined) return undefined;
    return { start, end: runs.ends[index] as number, value: runs.values[index] as V };
  }

  #lastRun(leaf: number): Run<V> | undefined {
    return this.#runAt(leaf, (this.#leaves[leaf]?.starts.length ?? 0) - 1);
  }

  #cut(run: Run<V>, start: number, end: number): Run<V> {
    const from = Math.max(run.start, start);
    const value = from === run.start ? run.value : this.#rule.shift(run.value, from - run.start);
    return { start: from, end: Math.min(run.end, end), value };
  }

  /** Puts `pieces` (in order, within [start, end)) in place of what is there, and joins runs. */
  #replace(start: number, end: number, pieces: readonly Run<V>[]): void {
    // Runs that only touch [start, end) take part as well: they may join a piece.
    const first = this.#seek(Math.max(0, start - 1));
    let last: Position = first;
    const joined: Run<V>[] = [];
    const tail: Run<V>[] = [];
    for (let { leaf, index } = first; leaf < this.#leaves.length; ) {
      const run = this.#runAt(leaf, index);
      if (run === undefined) {
        leaf++;
        index = 0;
        continue;
      }
      if (run.start > end) break;
      if (run.start < start) joined.push(this.#cut(run, 0, start));
      if (run.end > end) tail.push(this.#cut(run, end, KEY_LIMIT));
      index++;
      last = { leaf, index };
    }
    for (const piece of pieces) this.#join(joined, piece);
    for (const run of tail) this.#join(joined, run);
    this.#splice(first, last, joined);
  }

  /** Appends a run to a list, as part of the last one when it continues that. */
  #join(list: Run<V>[], run: Run<V>): void {
    const last = list[list.length - 1];
    const continues =
      last !== undefined &&
      last.end === run.start &&
      this.#rule.equal(last.value, run.value, run.start - last.start);
    if (continues) list[list.length - 1] = { start: last.start, end: run.end, value: last.value };
    else list.push(run);
  }

  /** Replaces the runs from `first` up to, not including, `last`. */
  #splice(first: Position, last: Position, runs: readonly Run<V>[]): void {
    this.#changes++;
    const head = this.#leaves[first.leaf];
    if (head === undefined) {
      // Behind every run: go on in the last leaf, so that filling in order makes full leaves.
      const end = this.#leaves.length - 1;
      const index = this.#leaves[end]?.starts.length ?? 0;
      if (end < 0) this.#leaves.push({ starts: [], ends: [], values: [] });
      this.#spliceLeaf(Math.max(end, 0), index, 0, runs);
      return;
    }
    if (first.leaf === last.leaf) {
      this.#spliceLeaf(first.leaf, first.index, last.index - first.index, runs);
      return;
    }
    const between = this.#leaves.slice(first.leaf + 1, last.leaf);
    for (const leaf of between) this.#size -= leaf.starts.length;
    this.#leaves.splice(first.leaf + 1, between.length);
    // The tail's leaf first: emptying it does not move the head's.
    this.#spliceLeaf(first.leaf + 1, 0, last.index, []);
    this.#spliceLeaf(first.leaf, first.index, head.starts.length - first.index, runs);
  }

  /** Replaces `count` runs of one leaf; splits the leaf when too long, drops it when empty. */
  #spliceLeaf(leaf: number, index: number, count: number, runs: readonly Run<V>[]): void {
    const at = this.#leaves[leaf] as Leaf<V>;
    this.#size += runs.length - count;
    spliceColumn(
      at.starts,
      index,
      count,
      runs.map((run) => run.start),
    );
    spliceColumn(
      at.ends,
      index,
      count,
      runs.map((run) => run.end),
    );
    spliceColumn(
      at.values,
      index,
      count,
      runs.map((run) => run.value),
    );
    const length = at.starts.length;
    if (length === 0) {
      this.#leaves.splice(leaf, 1);
      return;
    }
    if (length <= LEAF_RUNS) return;
    const parts: Leaf<V>[] = [];
    // An append at the end keeps the first part full; else both halves have room to grow.
    const step = index + runs.length === length ? LEAF_RUNS : LEAF_RUNS / 2;
    for (let from = 0; from < length; from += step) {
      parts.push({
        starts: at.starts.slice(from, from + step),
        ends: at.ends.slice(from, from + step),
        values: at.values.slice(from, from + step),
      });
    }
    this.#leaves = [...this.#leaves.slice(0, leaf), ...parts, ...this.#leaves.slice(leaf + 1)];
  }
}

/** Like Array.splice, for lists too long to be passed as arguments. */
function spliceColumn<T>(column: T[], index: number, count: number, items: readonly T[]): void {
  if (items.length <= LEAF_RUNS) {
    column.splice(index, count, ...items);
    return;
  }
  const tail = column.slice(index + count);
  column.length = index;
  for (const item of items) column.push(item);
  for (const item of tail) column.push(item);
}

function checkKey(key: number): void {
  if (!Number.isInteger(key) || key < 0 || key >= KEY_LIMIT) {
    throw new RangeError(`not a key: ${key}`);
  }
}

function checkInterval(start: number, end: number): void {
  const sound =
    Number.isInteger(start) &&
    Number.isInteger(end) &&
    0 <= start &&
    start <= end &&
    end <= KEY_LIMIT;
  if (!sound) throw new RangeError(`not an interval of keys: [${start}, ${end})`);
}
