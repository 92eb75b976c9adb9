// SPDX-License-Identifier: Apache-2.0
// Times of an export: what comes later in a lane is later, whatever the clock's resolution.
import { expect, test } from "vitest";
import { Ticks } from "./ticks.ts";

test("events of one lane at the same time come one after the other", () => {
  const ticks = new Ticks();
  const times = [51.407695, 51.407695, 51.407695, 51.407696].map((at) => ticks.next("cpu 0", at));
  expect(times).toEqual([51407695000, 51407695001, 51407695002, 51407696000]);
  expect(ticks.next("cpu 1", 51.407695)).toBe(51407695000);
});

test("a clock that goes backwards is shown as it is; a wall clock since its first second", () => {
  const ticks = new Ticks();
  expect([ticks.next("a", 2), ticks.next("a", 1)]).toEqual([2e9, 1e9]);
  const wall = new Ticks();
  expect(wall.next("smmu", 1795325794.5)).toBe(5e8);
  expect(wall.next("smmu", 1795325795)).toBe(1e9);
});
