// SPDX-License-Identifier: Apache-2.0

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { editDistance, nearestName, nearestNames, suggestion } from "./suggest.ts";

test.each([
  ["", "", 0],
  ["", "abc", 3],
  ["kitten", "sitting", 3],
  ["ab", "ba", 1],
  ["abcd", "acbd", 1],
  ["ca", "abc", 3],
  ["tlbi", "tlib", 1],
])("from %j to %j", (a, b, distance) => {
  expect(editDistance(a, b)).toBe(distance);
});

test("it is symmetric, zero only for equal words, and at most the longer length", () => {
  const word = fc.string({ unit: fc.constantFrom("a", "b", "c"), maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      expect(distance).toBe(editDistance(b, a));
      expect(distance === 0).toBe(a === b);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
    { seed: 1 },
  );
});

test("the nearest names", () => {
  const routines = ["try_to_unmap_one", "try_to_migrate_one", "ptep_clear_flush"];
  expect(nearestName("try_to_unmap_on", routines)).toBe("try_to_unmap_one");
  expect(nearestName("PTEP_CLEAR_FLUSH", routines)).toBe("ptep_clear_flush");
  expect(nearestName("munmap", routines)).toBeUndefined();
  expect(nearestName("x".repeat(1000), ["x".repeat(1000)])).toBeUndefined();
  expect(nearestNames("z", ["x", "y", "zz"])).toEqual(["x", "y", "zz"]);
});

test("the sentence", () => {
  expect(suggestion("stroe", ["load", "store"])).toBe("did you mean 'store'?");
  expect(suggestion("z", ["x", "y"])).toBe("known here: 'x', 'y'");
  expect(suggestion("something", ["x"])).toBe("the only name known here is 'x'");
  expect(suggestion("something", [])).toBeUndefined();
  const many = Array.from({ length: 20 }, (_, i) => `routine${i}`);
  expect(suggestion("something", many)).toBeUndefined();
  expect(suggestion("routine", many)).toBe("did you mean 'routine0'?");
});
