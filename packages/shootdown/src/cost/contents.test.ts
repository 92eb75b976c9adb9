// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { expect, test } from "vitest";
import { Contents } from "./contents.ts";

/** The same page by page: the oldest first. */
class Pages {
  held: number[] = [];
  gone = new Set<number>();
  hits = 0;
  misses = 0;
  refills = 0;
  readonly capacity: number;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  use(lo: number, hi: number): void {
    const pages = Array.from({ length: hi - lo }, (_, i) => lo + i);
    const hits = pages.filter((page) => this.held.includes(page));
    this.hits += hits.length;
    this.misses += pages.length - hits.length;
    this.refills += pages.filter((page) => this.gone.delete(page)).length;
    this.held = [...this.held.filter((page) => !pages.includes(page)), ...pages];
    this.held = this.held.slice(Math.max(0, this.held.length - this.capacity));
  }

  invalidate(lo: number, hi: number): void {
    for (const page of this.held) if (page >= lo && page < hi) this.gone.add(page);
    this.held = this.held.filter((page) => page < lo || page >= hi);
  }
}

test("intervals hold what pages hold", () => {
  const step = fc.tuple(fc.boolean(), fc.nat(20), fc.integer({ min: 1, max: 9 }));
  fc.assert(
    fc.property(fc.integer({ min: 9, max: 16 }), fc.array(step), (capacity, steps) => {
      const [runs, pages] = [new Contents(capacity), new Pages(capacity)];
      for (const [use, lo, n] of steps) {
        for (const it of [runs, pages]) {
          if (use) it.use(lo, lo + n);
          else it.invalidate(lo, lo + n);
        }
        const { hits, misses, refills } = pages;
        expect([runs.hits, runs.misses, runs.refills]).toEqual([hits, misses, refills]);
        expect(runs.size).toBe(pages.held.length);
      }
    }),
  );
});

test("terabytes and everything", () => {
  const atc = new Contents(1024);
  expect(atc.use(0, 2 ** 28)).toBe(2 ** 28);
  expect(atc.size).toBe(1024);
  expect(atc.use(2 ** 28 - 1024, 2 ** 28)).toBe(0);
  expect(atc.invalidate(0, Number.POSITIVE_INFINITY)).toBe(1024);
  atc.use(2 ** 28 - 10, 2 ** 28);
  expect(atc.refills).toBe(10);
  expect(new Contents(0).use(0, 4)).toBe(4);
});
