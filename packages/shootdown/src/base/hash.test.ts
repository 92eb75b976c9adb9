// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { hashText, hashWords } from "./hash.ts";

test("a hash of words depends on the words in the window only", () => {
  const a = Int32Array.of(9, 1, 2, 3, 9);
  const b = Int32Array.of(1, 2, 3);
  expect(hashWords(a, 1, 3)).toBe(hashWords(b, 0, 3));
  expect(hashWords(b, 0, 3)).not.toBe(hashWords(b, 0, 2));
  expect(hashWords(b, 0, 3)).not.toBe(hashWords(Int32Array.of(1, 3, 2), 0, 3));
  expect(hashWords(b, 0, 0)).toBe(hashWords(a, 4, 0));
});

test("nearby states rarely share the low bits of their hashes", () => {
  const low = new Set<number>();
  for (let i = 0; i < 4096; i++) low.add(hashWords(Int32Array.of(i, 0), 0, 2) & 0xffff);
  // 4096 random numbers below 65536 are 3971 different ones on average.
  expect(low.size).toBeGreaterThan(3900);
});

test("a hash of text is 16 hex digits, the same for ever", () => {
  expect(hashText("")).toMatch(/^[0-9a-f]{16}$/);
  expect(hashText("abc")).toBe(hashText("ab" + "c"));
  const texts = Array.from({ length: 2000 }, (_, i) => `r${i} := r${i + 1}`);
  expect(new Set(texts.map(hashText)).size).toBe(2000);
  expect(hashText("shootdown")).toMatchInlineSnapshot(`"3b3aed985da7a3f3"`);
});
