// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { expect, test } from "vitest";
import { Contents } from "./contents.ts";

/** The same page by page: the oldest first. */
class Pages {
  held: number[] = [];
  gone: number[] = [];
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
    this.refills += pages.filter((page) => this.gone.includes(page)).length;
    this.gone = this.gone.filter((page) => !pages.includes(page));
    this.held = [...this.held.filter((page) => !pages.includes(page)), ...pages];
    this.held = this.held.slice(Math.max(0, this.held.length - this.capacity));
  }

  invalidate(lo: number, hi: number): void {
    const lost = this.held.filter((page) => page >= lo && page < hi);
    this.gone = [...this.gone, ...lost].slice(-this.capacity);
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

test("what would not be there any more is no refill, and is forgotten", () => {
  const atc = new Contents(4);
  for (let page = 0; page < 100; page++) {
    atc.use(page, page + 1);
    atc.invalidate(page, page + 1);
  }
  expect(atc.use(90, 100)).toBe(10);
  expect(atc.refills).toBe(4);
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
