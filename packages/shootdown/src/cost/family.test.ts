// SPDX-License-Identifier: Apache-2.0
// Courses that are derived from others of their family, against runs of the same operations.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Act, Course } from "./course.ts";
import { Driver } from "./driver.ts";
import { Family, type Probe } from "./family.ts";
import type { Local } from "./local.ts";
import { Paths } from "./paths.ts";
import type { Region } from "./region.ts";
import {
  affineThrough,
  exactRegion,
  holds,
  insideOf,
  regionsAround,
  verticesOf,
  wholeRegion,
} from "./region.ts";
import { type Access, type Context, type Done, type Routine, Runner, type Runs } from "./runner.ts";
import { SHAPED_PAGES_MAX, shapeOf } from "./shape.ts";
import { openSynthetic } from "./workloads/synthetic.ts";

const PAGES_MAX = SHAPED_PAGES_MAX;

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

/** A course that stores two entries for each page of the first piece, as one of a family. */
function family(path: (lengths: readonly number[]) => number): Family {
  const run = (lengths: readonly number[]): Probe => {
    const [a = 0, b = 0] = lengths;
    const acts: Act[] = [
      { act: "pte", n: 2 * a },
      { act: "notifier", lo: a, hi: a + b },
    ];
    const pages = [{ lo: 0, hi: a + b, code: 0, kept: false }];
    const done: Done = { course: { acts, steps: 9 }, after: { pages, tables: [] } };
    return { done, path: path(lengths) };
  };
  const tlbi = { rangeTlbi: false, version: "6.12" };
  return new Family({ run, tlbi, pagesMax: PAGES_MAX, thresholds: [33, 64] });
}

/** What a family says of members in turn. */
const asked = (of: Family, members: readonly number[][]): (readonly Act[] | undefined)[] =>
  members.map((lengths) => of.find(lengths)?.course.acts);

describe("a family", () => {
  const PAGES_100 = [100, 7];
  const acts = (a: number, b: number): Act[] => [
    { act: "pte", n: 2 * a },
    { act: "notifier", lo: a, hi: a + b },
  ];

  test("is one function where all take one path", () => {
    const said = asked(
      family(() => 1),
      [PAGES_100, [5, 5], [3, 300], [200, 2], [4, 4]],
    );
    expect(said).toEqual([undefined, undefined, acts(3, 300), acts(200, 2), acts(4, 4)]);
  });

  test("is one on each side of a threshold of what is told", () => {
    const of = family(([, b]) => (b! > 33 ? 1 : 2));
    const members = [
      [5, 40],
      [6, 50],
      [7, 60],
      [8, 20],
      [9, 34],
      [9, 33],
      [9, 20],
      [2, 30],
    ];
    const said = asked(of, members);
    expect(said[2]).toEqual(acts(7, 60));
    // The other side has a region of its own, after as many members.
    expect(said[3]).toBeUndefined();
    expect(said[4]).toEqual(acts(9, 34));
    expect(said[5]).toBeUndefined();
    expect(said.slice(6)).toEqual([acts(9, 20), acts(2, 30)]);
  });

  test("is nothing where each takes a path of its own, though the numbers would fit", () => {
    const of = family(([a, b]) => 1000 * a! + b!);
    expect(asked(of, [PAGES_100, [5, 5], [3, 300], [200, 2], [4, 4]])).not.toContainEqual([]);
    expect(
      asked(of, [
        [8, 9],
        [20, 3],
        [90, 8],
      ]),
    ).toEqual([undefined, undefined, undefined]);
  });

  test("is nothing where the numbers are no line between its vertices", () => {
    const run = (lengths: readonly number[]): Probe => {
      const n = Math.abs(lengths[0]! - 256);
      const after = { pages: [], tables: [] };
      return { done: { course: { acts: [{ act: "pte", n }], steps: 9 }, after }, path: 1 };
    };
    const tlbi = { rangeTlbi: false, version: "6.12" };
    const of = new Family({ run, tlbi, pagesMax: PAGES_MAX, thresholds: [] });
    // The two vertices alone would make a line.
    expect(asked(of, [[2], [2], [2], [2], [100]])).toEqual(Array(5).fill(undefined));
  });

  test("ends the run if a member is not what was said", () => {
    let odd = false;
    const of = family(() => 1);
    const { run } = (of as unknown as { options: { run: (l: readonly number[]) => Probe } })
      .options;
    Object.assign((of as unknown as { options: object }).options, {
      run: (lengths: readonly number[]) => run(odd ? [lengths[0]! + 1, lengths[1]!] : lengths),
    });
    asked(of, [PAGES_100, [5, 5], [3, 300]]);
    odd = true;
    expect(() =>
      asked(of, [
        [6, 6],
        [7, 7],
      ]),
    ).toThrow("not what its family says");
  });
});

test("a piece of one page is another shape", () => {
  const whole = { first: 0, last: 2, threshold: 400 };
  for (const region of regionsAround([1, 5], PAGES_MAX, whole)) {
    expect(holds(region, [1, 9])).toBe(true);
    expect(holds(region, [2, 9])).toBe(false);
  }
});

test("what is touched is its shape at its lengths, holes and all", () => {
  const parts = fc.array(fc.tuple(fc.integer({ min: 1, max: 50 }), fc.nat(3)), { minLength: 1 });
  fc.assert(
    fc.property(parts, (of) => {
      let at = 0;
      const pieces = of.flatMap(([length, code]) => {
        const lo = at;
        at += length;
        return code === 0 ? [] : [{ lo, hi: at, code, frame: 0 }];
      });
      const sides = { offset: 1, before: true, behind: false };
      const local: Local = { length: at, ...sides, pieces, tables: [{ start: 0, end: 1 }] };
      const shape = shapeOf(local);
      expect(shape === undefined).toBe(at > PAGES_MAX);
      if (shape) expect(shape.at(shape.lengths)).toEqual(local);
    }),
  );
});

test("ways of one length and one sum are told apart", () => {
  const paths = new Paths();
  const origins = Array.from({ length: 32 }, (_, step) => ({
    routine: "r",
    step,
    stmt: undefined,
  }));
  const way = (...numbers: number[]): number => {
    paths.begin();
    for (const n of numbers) paths.add(origins[n]!);
    return paths.end();
  };
  const all = way(...origins.keys());
  expect(way(0, 31)).not.toBe(way(1, 0));
  expect(way(...origins.keys())).toBe(all);
});

const lengths = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 });
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

test("there is a point inside of a region, if there is one at all", () => {
  fc.assert(
    fc.property(region, (r) => {
      const vertices = verticesOf(r.region);
      for (const at of [...vertices, r.of]) {
        const inside = insideOf(r.region, at);
        expect(holds(r.region, inside)).toBe(true);
      }
    }),
  );
  const whole = wholeRegion([2, 2], PAGES_MAX);
  expect(insideOf(whole, [2, 2])).toEqual([255, 2]);
  expect(insideOf(whole, [7, 9])).toEqual([7, 9]);
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
