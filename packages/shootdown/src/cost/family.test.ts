// SPDX-License-Identifier: Apache-2.0
// Courses that are derived from others of their family, against runs of the same operations.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Course } from "./course.ts";
import { Driver } from "./driver.ts";
import type { Local } from "./local.ts";
import type { Region } from "./region.ts";
import { affineThrough, exactRegion, holds, regionsAround, verticesOf } from "./region.ts";
import { type Access, type Context, type Done, type Routine, Runner, type Runs } from "./runner.ts";
import { openSynthetic } from "./workloads/synthetic.ts";

/** Asks one who derives, and one who runs everything, and wants the same. */
class Both implements Runs<Course> {
  readonly deriving: Runner;
  readonly running: Runner;

  constructor(machine: string, kernel: string, limits: Record<string, number>) {
    const devices = machine.includes("smmuv3") ? 2 : 0;
    const options = { machine, kernel, devices, limits };
    this.deriving = new Runner(options);
    this.running = new Runner({ ...options, memory: false });
  }

  run(routine: Routine, context: Context, local: Local, to?: Local): Done {
    const before = this.deriving.derived;
    const said = this.deriving.run(routine, context, local, to);
    if (this.deriving.derived === before) return said;
    const { course, after } = this.running.run(routine, context, local, to);
    expect({ acts: said.course.acts, steps: said.course.steps }).toEqual(course);
    expect(said.after).toEqual(after);
    return said;
  }

  access(routine: Access, context: Context, code: number): Done {
    return this.deriving.access(routine, context, code);
  }
}

describe.each([
  ["arm64+smmuv3+ats", "linux-6.1", {}],
  ["arm64+smmuv3+ats", "linux-6.12", { CMDQ_MAX_TLBI_OPS: 64 }],
  ["arm64+tlbirange", "linux-6.12", {}],
  ["x86", "linux-6.6", {}],
])("%s with %s", (machine, kernel, limits) => {
  test.each([
    ["synthetic:random,ops=5000,pages=48,seed=3"],
    ["synthetic:random,ops=4000,pages=400,seed=4"],
    ["synthetic:java,ops=20000,pages=20,seed=5"],
  ])("%s", { timeout: 120_000 }, (name) => {
    const both = new Both(machine, kernel, limits);
    const opened = openSynthetic(name);
    if (!("workload" in opened)) throw new Error(name);
    const driver = new Driver(both, () => {});
    for (const operation of opened.workload.operations) driver.step(operation);
    expect(both.deriving.derived).toBeGreaterThan(50);
  });
});

const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 });
const PAGES_MAX = 510;

/** A region around some lengths. */
const region = lengths.chain((of) =>
  fc
    .tuple(fc.nat(of.length - 1), fc.nat(of.length - 1), fc.integer({ min: 3, max: 80 }))
    .chain(([a, b, threshold]): fc.Arbitrary<{ of: number[]; region: Region }> => {
      const [first, last] = [Math.min(a, b), Math.max(a, b) + 1];
      const around = regionsAround(of, PAGES_MAX, { first, last, threshold });
      return fc
        .constantFrom(...around, exactRegion(of, PAGES_MAX, first, last))
        .map((region) => ({ of, region }));
    }),
);

test("the vertices of a region lie in it, and whatever is linear is most and least at one", () => {
  fc.assert(
    fc.property(region, fc.array(fc.integer({ min: -9, max: 9 }), { minLength: 6 }), (r, w) => {
      const vertices = verticesOf(r.region);
      expect(holds(r.region, r.of)).toBe(true);
      for (const v of vertices) expect(holds(r.region, v)).toBe(true);
      const at = (v: readonly number[]) => v.reduce((sum, n, i) => sum + w[i]! * n, 0);
      expect(Math.max(...vertices.map(at))).toBeGreaterThanOrEqual(at(r.of));
      expect(Math.min(...vertices.map(at))).toBeLessThanOrEqual(at(r.of));
    }),
    { numRuns: 3000 },
  );
});

test("what is affine is found again, and what is not is nothing", () => {
  const points = [
    [2, 2],
    [508, 2],
    [2, 508],
    [17, 4],
  ];
  const rows = affineThrough(
    points,
    points.map(([a, b]) => [a! + 3, 2 * a! - b!, 7]),
  )!;
  const value = (row: Float64Array) => row[0]! + 100 * row[1]! + 40 * row[2]!;
  expect(rows.map((row) => Math.round(value(row)))).toEqual([103, 160, 7]);
  expect(
    affineThrough(
      points,
      points.map(([a, b]) => [a! * b!]),
    ),
  ).toBeUndefined();
});
