// SPDX-License-Identifier: Apache-2.0
// Storage by runs against one value an element.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { field } from "../ir/expr.ts";
import { ordered, symbol } from "../ir/sort.ts";
import type { Stairs } from "./open-store.ts";
import { MapStore, RunStore } from "./open-store.ts";
import { Journal } from "./open-value.ts";

const ROWS = 4;
const KEYS = 16;
const { decl } = field("f", [symbol("row"), ordered("key")], ordered("value"), 1);

const write = fc.record({
  row: fc.nat(ROWS - 1),
  start: fc.nat(KEYS - 1),
  count: fc.integer({ min: 1, max: KEYS }),
  value: fc.nat(5),
  slope: fc.constantFrom(0, 0, 1, 4, -1),
});

/** The row of an element as a run with stairs reaches it. */
const rowAt = (row: number, start: number, key: number, stairs: Stairs | undefined): number =>
  stairs ? row + Math.floor(key / stairs.every) - Math.floor(start / stairs.every) : row;

describe.each([
  ["rows", undefined],
  ["stairs", { index: 0, every: 4 }],
] as const)("%s", (_name, stairs) => {
  test("holds what element by element would", () => {
    fc.assert(
      fc.property(fc.array(write, { maxLength: 12 }), fc.nat(12), (writes, kept) => {
        const journal = new Journal();
        const runs = new RunStore(decl, 1, stairs, journal);
        const naive = new MapStore(decl, decl.initial, new Journal());
        const same = () => {
          for (let row = 0; row < 2 * ROWS; row++) {
            for (let key = 0; key < 2 * KEYS; key++) {
              expect(runs.read([row, key])).toBe(naive.read([row, key]));
            }
          }
        };
        const put = ({ row, start, count, value, slope }: (typeof writes)[number]) => {
          if (count === 1) runs.write([row, start], value);
          else runs.writeRun(runs.rowKey([row, start]), start, start + count, value, slope);
        };
        for (const w of writes.slice(0, kept)) {
          put(w);
          for (let d = 0; d < w.count; d++) {
            const key = w.start + d;
            naive.write([rowAt(w.row, w.start, key, stairs), key], w.value + w.slope * d);
          }
          same();
        }
        const mark = journal.mark();
        for (const w of writes.slice(kept)) put(w);
        journal.rollback(mark);
        journal.close(mark);
        same();
      }),
      { numRuns: 200, seed: 11 },
    );
  });
});

test("a line tells how far it goes", () => {
  const store = new RunStore(decl, 1, undefined, new Journal());
  store.writeRun(0, 10, 20, 100, 4);
  expect(store.lineFrom(0, 12)).toEqual({ start: 12, end: 20, value: 108, slope: 4 });
  expect(store.lineFrom(0, 3)).toEqual({ start: 3, end: 10, value: 1, slope: 0 });
  expect(store.lineFrom(7, 3)).toMatchObject({ start: 3, value: 1, slope: 0 });
});

test.each([
  ["going up", (n: number) => n, 1],
  ["going down", (n: number) => -n, 1],
])("elements written one by one, %s, are one run", (_name, order) => {
  for (const slope of [0, 1]) {
    const store = new RunStore(decl, 1, undefined, new Journal());
    const keys = Array.from({ length: 50 }, (_, n) => n).sort((a, b) => order(a) - order(b));
    for (const key of keys) store.write([0, key], 7 + slope * key);
    expect([...store.runs(0, 0, 100)]).toEqual([{ start: 0, end: 50, value: 7, slope }]);
  }
});

test("a table of 2^28 elements in consecutive rows is one run", () => {
  const store = new RunStore(decl, 1, { index: 0, every: 512 }, new Journal());
  store.writeRun(store.rowKey([3, 0]), 0, 2 ** 28, 5, 1);
  expect(store.read([3 + 2 ** 19 - 1, 2 ** 28 - 1])).toBe(5 + 2 ** 28 - 1);
  expect(store.read([4, 2 ** 28 - 1])).toBe(decl.initial);
  expect([...store.runs(store.rowKey([3, 0]), 0, 2 ** 28)]).toHaveLength(1);
});
