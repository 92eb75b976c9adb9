// SPDX-License-Identifier: Apache-2.0
// Every finding of a window is counted in one mark of its lane; zooming stays within the whole.

import fc from "fast-check";
import type { Finding } from "shootdown";
import { expect, test } from "vitest";
import { laneOf, lanesOf, marksIn, panned, spanOf, ticksIn, zoomed } from "./timeline.ts";

const finding = fc
  .record({
    time: fc.double({ min: 0, max: 1e6, noNaN: true }),
    cpu: fc.nat(300),
    mm: fc.constantFrom("0xffff000040a00000", "0xffff000040b00000", null),
    class: fc.constantFrom("missing" as const, "late" as const, "excess" as const),
  })
  .map((f) => f as Finding);

test("no finding is lost, none is counted twice", () => {
  fc.assert(
    fc.property(fc.array(finding), fc.constantFrom("cpu" as const, "mm" as const), (all, by) => {
      const lanes = lanesOf(all, by);
      const marks = marksIn(all, lanes, by, spanOf(all), 800);
      for (const [n, lane] of lanes.entries()) {
        const own = marks.filter((m) => m.lane === n).reduce((sum, m) => sum + m.count, 0);
        expect(own).toBe(all.filter((f) => laneOf(f, by) === lane).length);
      }
      for (const m of marks) expect(m.x >= 0 && m.x <= 803).toBe(true);
    }),
  );
});

test("the worst of a place is what is shown", () => {
  const at = (name: Finding["class"]) => ({ time: 5, cpu: 0, mm: null, class: name }) as Finding;
  const all = [at("excess"), at("missing"), at("late")];
  const [mark] = marksIn(all, lanesOf(all, "cpu"), "cpu", spanOf(all), 800);
  expect(mark).toMatchObject({ worst: "missing", count: 3 });
});

test("zoom and pan stay inside", () => {
  const whole = { from_s: 0, to_s: 100 };
  const near = zoomed(whole, whole, 50, 0.1);
  expect(near).toEqual({ from_s: 45, to_s: 55 });
  expect(zoomed(near, whole, 50, 1000)).toEqual(whole);
  expect(panned(near, whole, 100)).toEqual({ from_s: 90, to_s: 100 });
  expect(panned(near, whole, -100)).toEqual({ from_s: 0, to_s: 10 });
});

test("moments are round, distinct, in order and apart", () => {
  const part = fc.double({ min: 1e-6, max: 1e5, noNaN: true });
  fc.assert(
    fc.property(part, part, fc.integer({ min: 300, max: 2000 }), (from_s, length_s, width) => {
      const ticks = ticksIn({ from_s, to_s: from_s + length_s }, width);
      expect(new Set(ticks.map((t) => t.text)).size).toBe(ticks.length);
      for (const [n, { x }] of ticks.entries()) {
        expect(x >= 0 && x <= width).toBe(true);
        if (n > 0) expect(x - ticks[n - 1]!.x).toBeGreaterThan(100);
      }
      expect(ticks.length).toBeGreaterThan(width > 800 ? 1 : -1);
    }),
  );
  const { text } = ticksIn({ from_s: 51.24, to_s: 59.83 }, 860)[0]!;
  expect(text).toBe("52 s");
});
