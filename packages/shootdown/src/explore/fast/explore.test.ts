// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from "vitest";
import { graph, grid, plainSearch } from "../../../../../test/support/units.ts";
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
