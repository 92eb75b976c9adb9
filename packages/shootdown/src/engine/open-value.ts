// SPDX-License-Identifier: Apache-2.0
// Values of the open executor: numbers up to 2^53, pairs for ranges, and events made of them.

import type { AnySort } from "../ir/sort.ts";
import { rangeBits } from "./layout.ts";
import type { Domain } from "./program.ts";

/** A range: `lo` to `hi`, end exclusive; empty if `lo >= hi`. */
export interface Pair {
  readonly lo: number;
  readonly hi: number;
}

/** Numbers are integers; those of word sorts are laid out as in word.ts. */
export type Value = number | Pair;

export const EMPTY: Pair = { lo: 0, hi: 0 };

/** Whether two values of one sort are the same. */
export function sameValue(a: Value, b: Value): boolean {
  if (typeof a === "number" || typeof b === "number") return a === b;
  return a.lo === b.lo && a.hi === b.hi;
}

/** A range widened so that it holds the elements first..last. */
export function grown({ lo, hi }: Pair, first: number, last: number): Pair {
  if (lo >= hi) return { lo: first, hi: last + 1 };
  return { lo: Math.min(lo, first), hi: Math.max(hi, last + 1) };
}

/** The value that a register or a set's entry of this sort starts with. */
export const initialOf = (sort: AnySort): Value => (sort.kind === "range" ? EMPTY : 0);

/** The value that a number stands for in a program: ranges are packed there, low bound lowest. */
export function fromPacked(value: number, sort: AnySort, domain: Domain): Value {
  if (sort.kind !== "range") return value;
  if (value === 0) return EMPTY;
  const unit = 2 ** rangeBits(sort, domain);
  // A range of 32 bits may be negative as the packed executor has it.
  const bits = value < 0 ? value + 2 ** 32 : value;
  return { lo: bits % unit, hi: Math.floor(bits / unit) };
}

/** The number that the packed executor has for a value. Throws if it has none. */
export function toPacked(value: Value, sort: AnySort, domain: Domain): number {
  if (typeof value === "number") return value;
  const bits = rangeBits(sort, domain);
  if (2 * bits > 32) throw new Error(`a ${sort.name} does not fit 32 bits`);
  return value.lo | (value.hi << bits);
}

/**
 * A number that advances through the repetitions of a loop: `d` keys after the first it is
 * `base + slope * floor((phase + d) / every)`, with 0 <= phase < every. Slope 0: the same for all.
 */
export interface Sweep {
  readonly base: number;
  readonly slope: number;
  readonly phase: number;
  readonly every: number;
}

export interface SweepPair {
  readonly lo: Sweep;
  readonly hi: Sweep;
}

/** The value of a sweep `d` keys (an integer >= 0) after the first. */
export function sweepAt(s: Sweep, d: number): number {
  return s.slope === 0 ? s.base : s.base + s.slope * Math.floor((s.phase + d) / s.every);
}

/** What happened once. */
export interface OpenEvent {
  readonly event: string;
  readonly args: Readonly<Record<string, Value>>;
}

/**
 * What happened in `repeat` >= 2 repetitions of a loop body: its events, all of them each time.
 * An argument is the same in all repetitions or a sweep, of which repetition i has the value
 * `i * stride` keys after the first.
 */
export interface GroupedEvent {
  readonly repeat: number;
  readonly stride: number;
  readonly events: readonly {
    readonly event: string;
    readonly args: Readonly<Record<string, Value | Sweep | SweepPair>>;
  }[];
}

export type OpenLogEntry = OpenEvent | GroupedEvent;

/** A value of a repetition, `d` keys after the first. */
function argAt(arg: Value | Sweep | SweepPair, d: number): Value {
  if (typeof arg === "number") return arg;
  if ("base" in arg) return sweepAt(arg, d);
  const { lo, hi } = arg;
  if (typeof lo === "number") return arg as Pair;
  return { lo: sweepAt(lo, d), hi: sweepAt(hi as Sweep, d) };
}

/** The single events of a log entry, in the order in which they happened. */
export function* expand(entry: OpenLogEntry): Generator<OpenEvent, void, undefined> {
  if (!("repeat" in entry)) {
    yield entry;
    return;
  }
  for (let i = 0; i < entry.repeat; i++) {
    for (const { event, args } of entry.events) {
      const at = Object.entries(args).map(([name, arg]) => [name, argAt(arg, i * entry.stride)]);
      yield { event, args: Object.fromEntries(at) as Record<string, Value> };
    }
  }
}

/** Changes that can be taken back, newest first; it records only while it is open. */
export class Journal {
  private readonly undo: (() => void)[] = [];
  private depth = 0;

  get open(): boolean {
    return this.depth > 0;
  }

  /** Notes how to take a change back. Call it only while the journal is open. */
  note(undo: () => void): void {
    this.undo.push(undo);
  }

  /** Begins to record; give the mark to `close` or `rollback`. */
  mark(): number {
    this.depth++;
    return this.undo.length;
  }

  /** Ends what `mark` began and keeps the changes (an outer mark may still take them back). */
  close(mark: number): void {
    if (--this.depth === 0) this.undo.length = mark;
  }

  /** Takes back the changes since `mark`; recording goes on. */
  rollback(mark: number): void {
    while (this.undo.length > mark) this.undo.pop()!();
  }
}
