// SPDX-License-Identifier: Apache-2.0

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { VisitedSet } from "./visited.ts";

test("states are numbered as they come, each once", () => {
  const state = fc.tuple(fc.integer({ min: 0, max: 40 }), fc.integer({ min: -3, max: 40 }));
  fc.assert(
    fc.property(fc.array(state, { maxLength: 4000, size: "max" }), (states) => {
      const visited = new VisitedSet(2);
      const numbers = new Map<string, number>();
      for (const s of states) {
        const key = s.join();
        const expected = numbers.get(key) ?? numbers.size;
        numbers.set(key, expected);
        expect(visited.add(Int32Array.from(s))).toBe(expected);
        expect(visited.count).toBe(numbers.size);
      }
      for (const [key, n] of numbers) {
        expect([...visited.arena.slice(n * 2, n * 2 + 2)].join()).toBe(key);
      }
    }),
    { seed: 1, numRuns: 20 },
  );
});

test("it grows, and says what it holds", () => {
  const visited = new VisitedSet(1);
  const before = visited.bytes;
  for (let n = 0; n < 5000; n++) expect(visited.add(Int32Array.of(n * 7))).toBe(n);
  for (let n = 0; n < 5000; n++) expect(visited.add(Int32Array.of(n * 7))).toBe(n);
  expect(visited.bytes).toBeGreaterThan(before);
});
