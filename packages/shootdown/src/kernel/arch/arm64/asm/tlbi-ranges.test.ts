// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { expect, test } from "vitest";
import { type TlbiOptions, tlbiCount, tlbiPieces } from "./tlbi-ranges.ts";

const pieces = (pages: number, options: Partial<TlbiOptions>) => {
  const all = { rangeTlbi: true, stride: 1, version: "6.12", ...options };
  return tlbiPieces(pages, all).map(({ lo, hi, ranged }) => `${ranged ? "r" : ""}${lo}..${hi}`);
};

test("an odd page comes first in old kernels, the greatest range in new ones", () => {
  expect(pieces(131, { version: "6.1" })).toEqual(["0..1", "r1..3", "r3..131"]);
  expect(pieces(131, { version: "6.12" })).toEqual(["r0..128", "r128..130", "130..131"]);
  expect(pieces(1, { version: "6.1" })).toEqual(["0..1"]);
  expect(pieces(1, { version: "6.12" })).toEqual(["0..1"]);
});

test("without range instructions each is for a page, or for a table", () => {
  expect(pieces(3, { rangeTlbi: false })).toEqual(["0..1", "1..2", "2..3"]);
  expect(pieces(1024, { rangeTlbi: false, stride: 512 })).toEqual(["0..512", "512..1024"]);
  expect(tlbiCount(1024, { rangeTlbi: false, stride: 512, version: "6.12" })).toBe(2);
});

test("every page once, in as many instructions by either order; num has five bits", () => {
  const most = 32 * 2 ** 16;
  fc.assert(
    fc.property(fc.oneof(fc.integer({ min: 1, max: 4096 }), fc.nat(most - 2)), (given) => {
      const pages = Math.max(1, given);
      const counts = ["6.1", "6.8", "6.9", "6.12"].map((version) => {
        const options = { rangeTlbi: true, stride: 1, version };
        const all = tlbiPieces(pages, options);
        let at = 0;
        for (const { lo, hi, ranged } of all) {
          expect(lo).toBe(at);
          at = hi;
          if (!ranged) expect(hi - lo).toBe(1);
          else {
            const scale = [3, 2, 1, 0].find((s) => (hi - lo) % 2 ** (5 * s + 1) === 0);
            expect((hi - lo) / 2 ** (5 * scale! + 1)).toBeLessThanOrEqual(32);
          }
        }
        expect(at).toBe(pages);
        expect(tlbiCount(pages, options)).toBe(all.length);
        return all.length;
      });
      expect(new Set(counts).size).toBe(1);
    }),
  );
  expect(pieces(most, {})).toEqual([`r0..${most}`]);
});
