// SPDX-License-Identifier: Apache-2.0
// Several memories find what one finds.

import { expect, test } from "vitest";
import { graph, grid } from "../../../../../test/support/units.ts";
import type { StepUnit } from "../../engine/compiled/unit.ts";
import { bin, type Fn, FnBuilder, load, local, num, store } from "../../engine/target/code.ts";
import type { FastOptions } from "./explore.ts";
import { Exploration, exploreFast } from "./explore.ts";

const OPTIONS: FastOptions = { states_max: 1e9, bytes_max: 2 ** 30, target: "wasm" };

/** What they must agree about; and ends and new states, as sets. */
function explore(unit: StepUnit, shards: number, more: Partial<FastOptions> = {}) {
  const seen: string[] = [];
  const ends: string[] = [];
  const noteIn = (list: string[]) => (states: Int32Array, at: number) =>
    list.push(states.slice(at, at + unit.words).join()) < 0;
  const options = { ...OPTIONS, onNew: noteIn(seen), onEnd: noteIn(ends), ...more };
  const initial = new Int32Array(unit.words);
  const outcome = new Exploration(unit, initial, options, { origins: false, shards }).run();
  return { ...outcome, bytes: 0, seen: seen.toSorted(), ends: ends.toSorted() };
}

const cases = [1, 3, 9, 17].flatMap((words) => [
  { words, nodes: 30_000, degree: 3, free: 0, ends: 0 },
  { words, nodes: 20_000, degree: 2, free: 2, ends: 5 },
]);
test.each(cases)("in $words words with $free free steps", (c) => {
  const unit = graph(c);
  const one = explore(unit, 1);
  expect(one.exhaustive).toBe(true);
  for (const shards of [2, 5]) expect(explore(unit, shards)).toEqual(one);
});

test("states are brought into their normal form before they are sent", () => {
  const unit = grid(4, 9, 1);
  // Two counters of four, sorted.
  const f = new FnBuilder("sorted", 1);
  const [all, low, high] = [f.fresh(), f.fresh(), f.fresh()];
  const nibble = (n: number) => bin("and", bin("shr_u", local(all), num(n)), num(15));
  const both = (a: number, b: number) => bin("or", local(a), bin("shl", local(b), num(4)));
  const rest = bin("and", local(all), num(~255));
  const canon: Fn = f.done(false, [
    { k: "set", n: all, value: load(local(0)) },
    { k: "set", n: low, value: nibble(0) },
    { k: "set", n: high, value: nibble(4) },
    {
      k: "if",
      c: bin("gt_u", local(low), local(high)),
      then: [store(local(0), 0, bin("or", rest, both(high, low)))],
      else: [],
    },
  ]);
  const more = { functions: [canon], canon: ["sorted"] };
  const one = explore(unit, 1, more);
  expect(one.states).toBe(55 * 100);
  expect(explore(unit, 3, more)).toEqual(one);
});

test("what is found, and limits", () => {
  const unit = grid(5, 9, 3);
  const latches = [{ word: 1, mask: 0x88 }];
  const one = explore(unit, 1, { latches });
  expect(one.found).toBe(8);
  expect(explore(unit, 3, { latches })).toEqual(one);
  for (const states_max of [5000, 10 ** 5 - 1, 10 ** 5]) {
    const { states, limit } = explore(unit, 3, { states_max });
    expect(states).toBe(states_max);
    expect(limit).toBe(states_max === 10 ** 5 ? undefined : `--max-states ${states_max}`);
  }
});

test("what does not fit one memory is searched in several", () => {
  const unit = grid(6, 7, 3);
  const initial = new Int32Array(3);
  const memory_max = 2 ** 21;
  const states = 8 ** 6;
  const all = { states, exhaustive: true, transitions: 6 * 7 * 8 ** 5, depth: 42 };
  const several = exploreFast(unit, initial, { ...OPTIONS, memory_max, bytes_max: 2 ** 23 });
  expect(several).toMatchObject(all);
  expect(several.bytes).toBeGreaterThan(memory_max);
  expect(several.bytes).toBeLessThanOrEqual(2 ** 23);
  const bytes_max = 1.5 * memory_max;
  const few = exploreFast(unit, initial, { ...OPTIONS, memory_max, bytes_max });
  expect(few).toMatchObject({ exhaustive: false, limit: `--max-memory ${bytes_max}` });
  expect(few.bytes).toBeLessThanOrEqual(bytes_max);
});
