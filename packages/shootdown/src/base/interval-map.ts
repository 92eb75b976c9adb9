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
const LEAF_RUNS = 64;

interface Leaf<V> {
  readonly starts: number[];
  readonly ends: number[];
  readonly values: V[];
}

function constantRule<V>(): RunRule<V> {
  return { equal: (a, b) => Object.is(a, b), shift: (value) => value };
}

export class IntervalMap<V> {
  readonly #rule: RunRule<V>;
  #leaves: Leaf<V>[] = [];
  #size = 0;
  #changes = 0;
  /** What `#seek` found last: the index in the leaf that it returned. */
  #index = 0;

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
    const runs = this.#leaves[this.#seek(key)];
    if (runs === undefined) return undefined;
    const index = this.#index;
    const start = runs.starts[index] as number;
    if (start > key) return undefined;
    const value = runs.values[index] as V;
    return start === key ? value : this.#rule.shift(value, key - start);
  }

  /**
   * The maximal run or gap that holds `key`; in a gap the value is undefined. The value of a run is
   * that at its `start`, not that at `key`.
   */
  run(key: number): Run<V | undefined> {
    checkKey(key);
    const leaf = this.#seek(key);
    const index = this.#index;
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
    const changes = this.#changes;
    for (let at = start; at < end; ) {
      const run = this.#runAt(this.#seek(at), this.#index);
      if (run === undefined || run.start >= end) return;
      yield this.#cut(run, start, end);
      if (this.#changes !== changes) throw new Error("interval map changed while it was iterated");
      at = run.end;
    }
  }

  /** The runs that meet [start, end), cut to it, in order. */
  runs(start = 0, end = KEY_LIMIT): Run<V>[] {
    checkInterval(start, end);
    const found: Run<V>[] = [];
    if (start === end) return found;
    let leaf = this.#seek(start);
    let index = this.#index;
    while (leaf < this.#leaves.length) {
      const run = this.#runAt(leaf, index);
      if (run === undefined) {
        leaf++;
        index = 0;
        continue;
      }
      if (run.start >= end) break;
      found.push(run.start < start || run.end > end ? this.#cut(run, start, end) : run);
      index++;
    }
    return found;
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

  /**
   * Finds the first run with end > key: the leaf is returned (past the last one when there is
   * none), the index in it left in `#index`.
   */
  #seek(key: number): number {
    const leaves = this.#leaves;
    let low = 0;
    let high = leaves.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const { ends } = leaves[middle] as Leaf<V>;
      if ((ends[ends.length - 1] as number) > key) high = middle;
      else low = middle + 1;
    }
    const leaf = low;
    low = 0;
    if (leaf < leaves.length) {
      const { ends } = leaves[leaf] as Leaf<V>;
      high = ends.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if ((ends[middle] as number) > key) high = middle;
        else low = middle + 1;
      }
    }
    this.#index = low;
    return leaf;
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
    const firstLeaf = this.#seek(Math.max(0, start - 1));
    const firstIndex = this.#index;
    let leaf = firstLeaf;
    let index = firstIndex;
    let lastLeaf = leaf;
    let lastIndex = index;
    const joined: Run<V>[] = [];
    let tail: Run<V> | undefined;
    while (leaf < this.#leaves.length) {
      const run = this.#runAt(leaf, index);
      if (run === undefined) {
        leaf++;
        index = 0;
        continue;
      }
      if (run.start > end) break;
      if (run.start < start) joined.push(this.#cut(run, 0, start));
      if (run.end > end) tail = this.#cut(run, end, KEY_LIMIT);
      index++;
      lastLeaf = leaf;
      lastIndex = index;
    }
    for (const piece of pieces) this.#join(joined, piece);
    if (tail !== undefined) this.#join(joined, tail);
    this.#splice(firstLeaf, firstIndex, lastLeaf, lastIndex, joined);
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

  /** Replaces the runs from the first place up to, not including, the last one. */
  #splice(
    firstLeaf: number,
    firstIndex: number,
    lastLeaf: number,
    lastIndex: number,
    runs: readonly Run<V>[],
  ): void {
    this.#changes++;
    const head = this.#leaves[firstLeaf];
    if (head === undefined) {
      // Behind every run: go on in the last leaf, so that filling in order makes full leaves.
      const end = this.#leaves.length - 1;
      const index = this.#leaves[end]?.starts.length ?? 0;
      if (end < 0) this.#leaves.push({ starts: [], ends: [], values: [] });
      this.#spliceLeaf(Math.max(end, 0), index, 0, runs);
      return;
    }
    if (firstLeaf === lastLeaf) {
      this.#spliceLeaf(firstLeaf, firstIndex, lastIndex - firstIndex, runs);
      return;
    }
    const between = this.#leaves.slice(firstLeaf + 1, lastLeaf);
    for (const leaf of between) this.#size -= leaf.starts.length;
    this.#leaves.splice(firstLeaf + 1, between.length);
    // The tail's leaf first: emptying it does not move the head's.
    this.#spliceLeaf(firstLeaf + 1, 0, lastIndex, []);
    this.#spliceLeaf(firstLeaf, firstIndex, head.starts.length - firstIndex, runs);
  }

  /** Replaces `count` runs of one leaf; splits the leaf when too long, drops it when empty. */
  #spliceLeaf(leaf: number, index: number, count: number, runs: readonly Run<V>[]): void {
    const at = this.#leaves[leaf] as Leaf<V>;
    const { starts, ends, values } = at;
    this.#size += runs.length - count;
    resize(starts, index + count, runs.length - count);
    resize(ends, index + count, runs.length - count);
    resize(values, index + count, runs.length - count);
    for (let n = 0; n < runs.length; n++) {
      const run = runs[n] as Run<V>;
      starts[index + n] = run.start;
      ends[index + n] = run.end;
      values[index + n] = run.value;
    }
    const length = starts.length;
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
        starts: starts.slice(from, from + step),
        ends: ends.slice(from, from + step),
        values: values.slice(from, from + step),
      });
    }
    // More than a call takes as arguments are put in another way.
    if (parts.length <= LEAF_RUNS) this.#leaves.splice(leaf, 1, ...parts);
    else this.#leaves = this.#leaves.slice(0, leaf).concat(parts, this.#leaves.slice(leaf + 1));
  }
}

/** Moves what stands from `from` on by so many places; a gap keeps what it held. */
function resize<T>(column: T[], from: number, by: number): void {
  const { length } = column;
  if (by < 0) {
    for (let n = from; n < length; n++) column[n + by] = column[n] as T;
    column.length = length + by;
    return;
  }
  for (let n = length; n < length + by; n++) column.push(column[Math.max(0, n - by)] as T);
  for (let n = length - 1; n >= from + by; n--) column[n] = column[n - by] as T;
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
