// SPDX-License-Identifier: Apache-2.0

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { bitsFor, nthBit, popcount } from "./bits.ts";

test.each([
  [1, 0],
  [2, 1],
  [3, 2],
  [4, 2],
  [5, 3],
  [256, 8],
  [257, 9],
  [2 ** 32, 32],
  [2 ** 32 + 1, 33],
  [2 ** 53, 53],
])("%d values take %d bits", (count, bits) => {
  expect(bitsFor(count)).toBe(bits);
});

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const positions = (w: number) =>
  Array.from({ length: 32 }, (_, i) => i).filter((i) => (w >>> i) & 1);

test("the one bits of a word are counted and found", () => {
  fc.assert(
    fc.property(word, (w) => {
      const bits = positions(w);
      expect(popcount(w)).toBe(bits.length);
      expect(bits.map((_, n) => nthBit(w, n))).toEqual(bits);
      expect(nthBit(w, bits.length)).toBe(-1);
    }),
    { seed: 1, examples: [[0], [-1], [1 << 31], [0x7fffffff]] },
  );
});
