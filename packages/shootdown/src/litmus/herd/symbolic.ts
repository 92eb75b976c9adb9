// SPDX-License-Identifier: Apache-2.0
// What a register holds, as a function of what memory accesses read.
//
// Every access of a test is a slot; a slot that reads has a result. A word of a register is known
// (no slot), or follows from results. Dependencies are kept beside it: EOR X1,X0,X0 is 0 and waits.

import { keyOf, same, Unsupported, type Word } from "./words.ts";

export interface Sym {
  /** The slots whose results it is a function of, ascending. */
  readonly slots: readonly number[];
  readonly at: (result: (slot: number) => Word) => Word;
  /** How many words it is computed from, each as often as it occurs. */
  readonly size: number;
  /** The slots that it waits for: those, and others by syntax. */
  readonly deps: ReadonlySet<number>;
  /** Slots that decided which of several words it is: a choice may be guessed. */
  readonly picks: ReadonlySet<number>;
}

const NONE: ReadonlySet<number> = new Set();

/** More combinations of results than this are not enumerated. */
const COMBINATIONS_MAX = 20_000;

/** Longer formulas are not evaluated again and again. */
const SIZE_MAX = 4096;

export const known = (word: Word, deps: ReadonlySet<number> = NONE): Sym => ({
  slots: [],
  at: () => word,
  size: 1,
  deps,
  picks: NONE,
});

export const resultOf = (slot: number): Sym => ({
  slots: [slot],
  at: (result) => result(slot),
  size: 1,
  deps: new Set([slot]),
  picks: NONE,
});

/** A function of words that are functions of results. */
export function lift(fn: (...words: Word[]) => Word, ...args: readonly Sym[]): Sym {
  const slots = [...new Set(args.flatMap((a) => a.slots))].sort((a, b) => a - b);
  const deps = union(...args.map((a) => a.deps));
  const picks = union(...args.map((a) => a.picks));
  if (slots.length === 0) return { ...known(fn(...args.map((a) => a.at(nothing))), deps), picks };
  const size = args.reduce((n, a) => n + a.size, 1);
  if (size > SIZE_MAX) throw new Unsupported("a long computation");
  return { slots, at: (result) => fn(...args.map((a) => a.at(result))), size, deps, picks };
}

/** One of two words, by a condition that is not waited for. */
export function select(condition: Sym, a: Sym, b: Sym): Sym {
  const chosen = lift((c, x, y) => (isTrue(c) ? x : y), condition, a, b);
  return {
    ...chosen,
    deps: union(a.deps, b.deps),
    picks: union(a.picks, b.picks, condition.deps, condition.picks),
  };
}

export const union = (...sets: readonly ReadonlySet<number>[]): ReadonlySet<number> =>
  new Set(sets.flatMap((s) => [...s]));

function nothing(): Word {
  throw new Error("a known word depends on no result");
}

/** What a slot may have read. */
export type Possible = (slot: number) => readonly Word[];

/** Every value that a word may have. */
export function valuesOf(sym: Sym, possible: Possible): Word[] {
  const found = new Map<string, Word>();
  enumerate(sym, possible, (word) => {
    found.set(keyOf(word), word);
  });
  return [...found.values()];
}

function enumerate(sym: Sym, possible: Possible, visit: (word: Word) => void): void {
  const choices = sym.slots.map((s) => possible(s));
  if (choices.reduce((n, c) => n * c.length, 1) > COMBINATIONS_MAX) {
    throw new Unsupported("too many values");
  }
  const chosen = new Map<number, Word>();
  const go = (i: number): void => {
    if (i === sym.slots.length) {
      visit(sym.at((slot) => chosen.get(slot)!));
      return;
    }
    for (const word of choices[i]!) {
      chosen.set(sym.slots[i]!, word);
      go(i + 1);
    }
  };
  go(0);
}

/** The only value that a word can have. */
export function constantOf(sym: Sym, possible: Possible): Word | undefined {
  const [first, ...rest] = valuesOf(sym, possible);
  return rest.length === 0 ? first : undefined;
}

/** A decision on results: a leaf, or by the result of a slot. */
export type Tree<T> =
  | { readonly leaf: T }
  | { readonly slot: number; readonly cases: readonly (readonly [Word, Tree<T>])[] };

/** The word as a decision tree; equal branches are one. */
export function treeOf<T>(
  sym: Sym,
  possible: Possible,
  leaf: (word: Word) => T,
  equal: (a: T, b: T) => boolean,
): Tree<T> {
  const chosen = new Map<number, Word>();
  const go = (i: number): Tree<T> => {
    if (i === sym.slots.length) return { leaf: leaf(sym.at((slot) => chosen.get(slot)!)) };
    const slot = sym.slots[i]!;
    const cases = possible(slot).map((word) => {
      chosen.set(slot, word);
      return [word, go(i + 1)] as const;
    });
    const [first] = cases;
    if (first === undefined) throw new Unsupported("a read of nothing");
    const [, one] = first;
    const alike = cases.every(([, t]) => "leaf" in t && "leaf" in one && equal(t.leaf, one.leaf));
    return alike ? one : { slot, cases };
  };
  return go(0);
}

/** A truth value: the integers 0 and 1. */
export const truth = (holds: boolean): Word => ({ k: "int", value: holds ? 1n : 0n });
export const isTrue = (word: Word): boolean => !same(word, truth(false));
export const TRUE_SYM = known(truth(true));
export const FALSE_SYM = known(truth(false));
