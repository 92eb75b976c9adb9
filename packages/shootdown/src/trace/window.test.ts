// SPDX-License-Identifier: Apache-2.0
// The window of a secondary TLB against the same thing page by page.
import fc from "fast-check";
import { expect, test } from "vitest";
import type { RawEvent } from "./importers/raw-event.ts";
import { Obligation } from "./obligation.ts";
import { Space } from "./space.ts";
import { holds, Window } from "./window.ts";

const SPACE = new Space("0x1", () => undefined);
const AT = { pid: 1, line: 1 } as RawEvent;

function change(start: number, end: number, changing = false): Obligation {
  return new Obligation(
    {
      ...{ mm: "0x1", start, end, operation: "test", change: "unmap", at: AT, until: "next" },
      changing,
    },
    SPACE,
    0,
  );
}

const range = fc
  .tuple(fc.nat(30), fc.nat(12))
  .map(([start, length]) => ({ start, end: start + length }));
const step = fc.oneof(
  range.map((r) => ({ kind: "change" as const, ...r })),
  range.map((r) => ({ kind: "invalidate" as const, ...r })),
);

test("what is left of a change is every page not invalidated since", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const window = new Window();
      const model: { change: Obligation; pages: Set<number> }[] = [];
      for (const { kind, start, end } of steps) {
        if (start === end) continue;
        if (kind === "change") {
          const made = change(start, end);
          window.open(made, start, end);
          const pages = Array.from({ length: end - start }, (_, at) => start + at);
          model.push({ change: made, pages: new Set(pages) });
        } else {
          const met = window.invalidate(start, end, 1, undefined);
          let expected = false;
          for (const { pages } of model) {
            for (let page = start; page < end; page++) expected = pages.delete(page) || expected;
          }
          expect(met).toBe(expected);
        }
      }
      for (const { change: made, pages } of model) {
        const left = window
          .rest(made)
          .flatMap(({ start, end }) => Array.from({ length: end - start }, (_, at) => start + at));
        expect(left).toEqual([...pages].sort((a, b) => a - b));
        window.close(made);
        expect(window.rest(made)).toEqual([]);
      }
      expect(window.size).toBe(0);
    }),
  );
});

test("a call of another task while an entry is changed is no more than a doubt", () => {
  const window = new Window();
  const made = change(4, 5, true);
  window.open(made, 4, 5);
  window.invalidate(0, 10, 2, undefined);
  expect(window.rest(made)).toEqual([{ start: 4, end: 5 }]);
  expect(made.doubts).toEqual([{ start: 4, end: 5, why: "race" }]);
  window.invalidate(0, 10, 1, undefined);
  expect(window.rest(made)).toEqual([]);
});

test("whether spans are held by a union", () => {
  const spans = [{ start: 2, end: 8 }];
  expect(
    holds(
      [
        { start: 0, end: 4 },
        { start: 4, end: 8 },
      ],
      spans,
    ),
  ).toBe(true);
  expect(
    holds(
      [
        { start: 5, end: 9 },
        { start: 0, end: 4 },
      ],
      spans,
    ),
  ).toBe(false);
  expect(holds([], [])).toBe(true);
});
