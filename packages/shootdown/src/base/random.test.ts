// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { seededRandom } from "./random.ts";

const draw = (seed: number, bound: number, count: number) => {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.below(bound));
};

test("a seed gives the same numbers on every machine", () => {
  expect(draw(0, 100, 8)).toMatchInlineSnapshot(`
    [
      26,
      0,
      22,
      14,
      46,
      54,
      61,
      64,
    ]
  `);
  expect(draw(7, 1000, 5)).toEqual(draw(7, 1000, 5));
  expect(draw(7, 1000, 5)).not.toEqual(draw(8, 1000, 5));
  expect(draw(-1, 10, 3)).toEqual(draw(2 ** 32 - 1, 10, 3));
});

test("all values below the bound come up, about as often", () => {
  const counts = new Map<number, number>();
  for (const n of draw(1, 6, 6000)) counts.set(n, (counts.get(n) ?? 0) + 1);
  expect([...counts.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5]);
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  expect(draw(1, 1, 3)).toEqual([0, 0, 0]);
});
