// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from "vitest";
import { graph, grid, plainSearch, successorsOf } from "../../../../../test/support/units.ts";
import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { FastOptions } from "./explore.ts";
import { exploreFast } from "./explore.ts";
import { pathFast } from "./witness.ts";

const OPTIONS: FastOptions = { states_max: 1e9, bytes_max: 2 ** 30, target: "wasm" };

const zero = (unit: StepUnit): Int32Array => new Int32Array(unit.words);

const TARGETS = ["wasm", "javascript"] as const;

test.each(TARGETS)("a grid of counters has as many states, steps and levels: %s", (target) => {
  const unit = grid(5, 9, 3);
  expect(exploreFast(unit, zero(unit), { ...OPTIONS, target })).toMatchObject({
    states: 10 ** 5,
    transitions: 5 * 9 * 10 ** 4,
    depth: 45,
    exhaustive: true,
  });
});

describe("random graphs", () => {
  const cases = [1, 2, 3, 5, 8, 9, 12, 13, 14, 40].flatMap((words) =>
    [
      { nodes: 3000, degree: 2, free: 0, ends: 0 },
      { nodes: 20_000, degree: 3, free: 2, ends: 7 },
      { nodes: 700, degree: 1, free: 1, ends: 11 },
    ].map((c) => ({ ...c, words })),
  );
  test.each(cases)("of $words words, $nodes nodes, $free free steps", (c) => {
    const unit = graph(c);
    const ends: string[] = [];
    let seen = 0;
    const onEnd = (states: Int32Array, at: number) => {
      ends.push(states.slice(at, at + c.words).join());
      return false;
    };
    const onNew = () => ++seen < 0;
    const {
      states,
      transitions,
      depth,
      ends: plainEnds,
    } = plainSearch(unit, zero(unit), () => false);
    const plain = { states, transitions, depth, exhaustive: true };
    for (const target of TARGETS) {
      expect(exploreFast(unit, zero(unit), { ...OPTIONS, target })).toMatchObject(plain);
    }
    expect(exploreFast(unit, zero(unit), { ...OPTIONS, onEnd, onNew })).toMatchObject(plain);
    expect(ends).toEqual(plainEnds);
    expect(seen).toBe(states);
  });
});

describe("a state that is found", () => {
  const passes = (states: Int32Array, at: number) => (states[at]! & 0x1ff) === 0x1ff;
  const cases = [1, 3, 9, 40].flatMap((words) => [0, 2].map((free) => ({ words, free })));
  test.each(cases)("in $words words with $free free steps", ({ words, free }) => {
    const unit = graph({ nodes: 30_000, words, degree: 2, free, ends: 0 });
    const { found } = plainSearch(unit, zero(unit), (s) => passes(s, 0));
    const options = { ...OPTIONS, onNew: passes };
    const outcome = exploreFast(unit, zero(unit), options);
    expect(outcome).toMatchObject({ found, exhaustive: false });
    const path = pathFast(unit, zero(unit), options)!;
    expect(path.filter((s) => !s.free)).toHaveLength(found!);
    expect(passes(path.at(-1)!.state, 0)).toBe(true);
  });
});

test("each step of a path is the successor that it says", () => {
  const unit = graph({ nodes: 30_000, words: 3, degree: 3, free: 2, ends: 0 });
  const onNew = (states: Int32Array, at: number) => states[at] === 29_999;
  const path = pathFast(unit, zero(unit), { ...OPTIONS, onNew })!;
  const successors = successorsOf(unit);
  let at = zero(unit);
  for (const { free, ordinal, state } of path) {
    expect(successors(free ? "free" : "expand", at)[ordinal]).toEqual(state);
    at = state;
  }
  expect(at[0]).toBe(29_999);
});

test("latches find what a function finds, and the least deep counts", () => {
  const unit = grid(4, 9, 2);
  // The second counter of a word reaches 8.
  const latches = [{ word: 1, mask: 0x80 }];
  const outcome = exploreFast(unit, zero(unit), { ...OPTIONS, latches });
  expect(outcome).toMatchObject({ found: 8, depth: 7, exhaustive: false });
  const path = pathFast(unit, zero(unit), { ...OPTIONS, latches })!;
  expect(path).toHaveLength(8);
  expect(path.at(-1)!.state).toEqual(Int32Array.of(0, 0x80));
  const onNew = (states: Int32Array, at: number) => (states[at + 1]! & 0x80) !== 0;
  expect(exploreFast(unit, zero(unit), { ...OPTIONS, onNew })).toEqual(outcome);
  const goesOn = () => true;
  const all = { states: 10 ** 4, found: 8, exhaustive: true };
  expect(exploreFast(unit, zero(unit), { ...OPTIONS, latches, goesOn })).toMatchObject(all);
  expect(pathFast(unit, zero(unit), OPTIONS)).toBeUndefined();
});

test("an end that is found counts at its own depth", () => {
  const unit = grid(3, 3, 1);
  const onEnd = (states: Int32Array, at: number) => states[at] === 0x333;
  const options = { ...OPTIONS, onEnd };
  expect(exploreFast(unit, zero(unit), options)).toMatchObject({ found: 9, depth: 9 });
  const path = pathFast(unit, zero(unit), options)!;
  expect(path).toHaveLength(9);
  expect(path.at(-1)!.state).toEqual(Int32Array.of(0x333));
});

describe("limits", () => {
  test.each([1, 9])("of states, in %s words", (words) => {
    const unit = grid(5, 9, words);
    const at = (states_max: number) => exploreFast(unit, zero(unit), { ...OPTIONS, states_max });
    expect(at(10 ** 5)).toMatchObject({ states: 10 ** 5, exhaustive: true });
    expect(at(10 ** 5 - 1)).toMatchObject({
      states: 10 ** 5 - 1,
      exhaustive: false,
      limit: "--max-states 99999",
    });
  });

  test.each([3, 9])("of memory, in %s words: nearly all of it is used", (words) => {
    const unit = grid(6, 9, words);
    const bytes_max = 4 * 2 ** 20;
    const outcome = exploreFast(unit, zero(unit), { ...OPTIONS, bytes_max });
    expect(outcome).toMatchObject({ exhaustive: false, limit: `--max-memory ${bytes_max}` });
    expect(outcome.bytes).toBeLessThanOrEqual(bytes_max);
    expect(outcome.states * (words === 3 ? 12 : 45)).toBeGreaterThan(0.75 * bytes_max);
    // What was found up to there counts.
    const onNew = (states: Int32Array, at: number) => states[at] === 1;
    const options = { ...OPTIONS, bytes_max, onNew, goesOn: () => true };
    expect(exploreFast(unit, zero(unit), options).found).toBe(1);
  });

  const sizes = [1, 2, 3, 5, 9, 16].flatMap((words) => [1, 4, 32].map((mib) => ({ words, mib })));
  test.each(sizes)("of $mib MiB, in $words words", ({ words, mib }) => {
    const bytes_max = mib * 2 ** 20;
    const each = words * 4 + (words > 8 ? 9 : 0);
    // The smallest grid that does not fit.
    const unit = grid(Math.ceil(Math.log10(bytes_max / each)), 9, words);
    const outcome = exploreFast(unit, zero(unit), { ...OPTIONS, bytes_max });
    expect(outcome).toMatchObject({ exhaustive: false, limit: `--max-memory ${bytes_max}` });
    expect(outcome.bytes).toBeLessThanOrEqual(bytes_max);
    expect(outcome.states * each).toBeGreaterThan(0.75 * bytes_max);
  });
});

test("progress is told, and may stop", () => {
  const unit = grid(5, 9, 3);
  const told: number[] = [];
  exploreFast(unit, zero(unit), { ...OPTIONS, progress: (p) => told.push(p.states) });
  expect(told.length).toBeGreaterThan(45);
  expect(told).toEqual(told.toSorted((a, b) => a - b));
  const progress = () => {
    throw new Error("stopped");
  };
  expect(() => exploreFast(unit, zero(unit), { ...OPTIONS, progress })).toThrow("stopped");
});
