// SPDX-License-Identifier: Apache-2.0
// Languages of histories: what is silent does not tell two apart, what is shown does.

import { expect, test } from "vitest";
import type { Histories } from "./histories.ts";
import { sameHistories } from "./histories.ts";

type Edge = readonly [from: number, letter: string, to: number];

/** An automaton of edges; a letter of nothing is silent. */
function automaton(...edges: readonly Edge[]): Histories {
  const count = 1 + Math.max(0, ...edges.flatMap(([from, , to]) => [from, to]));
  const silent = Array.from({ length: count }, (): number[] => []);
  const shown = Array.from({ length: count }, () => new Map<string, number[]>());
  for (const [from, letter, to] of edges) {
    if (letter === "") silent[from]!.push(to);
    else shown[from]!.set(letter, [...(shown[from]!.get(letter) ?? []), to]);
  }
  return { silent, shown, reached: new Set() };
}

const MANY = 100;
const ab = automaton([0, "a", 1], [1, "b", 2]);

test("silent steps, their number and their order make no difference", () => {
  const slow = automaton([0, "", 1], [1, "a", 2], [2, "", 3], [3, "", 2], [3, "b", 4]);
  expect(sameHistories(ab, slow, MANY)).toBe(true);
});

test("another order, more, less, or an end that comes before: another language", () => {
  const ba = automaton([0, "b", 1], [1, "a", 2]);
  const both = automaton([0, "a", 1], [1, "b", 2], [0, "b", 3], [3, "a", 2]);
  const ends = automaton([0, "a", 1], [1, "b", 2], [1, "", 3], [3, "end", 4]);
  for (const other of [ba, both, ends, automaton([0, "a", 1])]) {
    expect(sameHistories(ab, other, MANY)).toBe(false);
    expect(sameHistories(other, ab, MANY)).toBe(false);
  }
});

test("where a choice is made does not show", () => {
  const early = automaton([0, "a", 1], [0, "a", 2], [1, "b", 3], [2, "c", 3]);
  const late = automaton([0, "a", 1], [1, "b", 2], [1, "c", 2]);
  expect(sameHistories(early, late, MANY)).toBe(true);
});

test("what was not compared to its end has no answer", () => {
  expect(sameHistories(ab, ab, 1)).toBeUndefined();
});
