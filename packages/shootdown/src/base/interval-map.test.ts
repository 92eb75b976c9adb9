// SPDX-License-Identifier: Apache-2.0
// The interval map against a model that keeps one value a key.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { IntervalMap, KEY_LIMIT, type Run, type RunRule } from "./interval-map.ts";

const KEYS = 64;
const frames: RunRule<number> = {
  equal: (a, b, distance) => a + distance === b,
  shift: (value, by) => value + by,
};
const constant: RunRule<number> = {
  equal: (a, b) => a === b,
  shift: (value) => value,
};

/** One value a key, and the maximal runs of them. */
class Model {
  readonly cells: (number | undefined)[] = new Array<number | undefined>(KEYS).fill(undefined);
  readonly rule: RunRule<number>;
  constructor(rule: RunRule<number>) {
    this.rule = rule;
  }
  set(start: number, end: number, value: number | undefined): void {
    for (let key = start; key < end; key++) {
      this.cells[key] = value === undefined ? undefined : this.rule.shift(value, key - start);
    }
  }
  runs(start = 0, end = KEYS): Run<number>[] {
    const runs: Run<number>[] = [];
    for (let key = start; key < end; key++) {
      const value = this.cells[key];
      const last = runs[runs.length - 1];
      if (value === undefined) continue;
      const joins =
        last !== undefined &&
        last.end === key &&
        this.rule.equal(last.value, value, key - last.start);
      if (joins) runs[runs.length - 1] = { ...last, end: key + 1 };
      else runs.push({ start: key, end: key + 1, value });
    }
    return runs;
  }
}

const span = fc
  .tuple(fc.nat(KEYS), fc.nat(KEYS))
  .map(([a, b]): [number, number] => (a < b ? [a, b] : [b, a]));
const change = fc.oneof(
  fc.record({ op: fc.constant("set" as const), span, value: fc.nat(3) }),
  fc.record({ op: fc.constant("delete" as const), span }),
  fc.record({ op: fc.constant("update" as const), span, value: fc.nat(3) }),
);

describe.each([
  ["constant", constant],
  ["affine", frames],
])("%s values", (_name, rule) => {
  test("every change leaves what one value a key would leave", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 40 }), span, (changes, [from, to]) => {
        const map = new IntervalMap<number>(rule);
        const model = new Model(rule);
        for (const step of changes) apply(map, model, step);
        expect([...map.iterate()]).toEqual(model.runs());
        expect(map.size).toBe(model.runs().length);
        expect([...map.iterate(from, to)]).toEqual(model.runs(from, to));
        for (let key = 0; key < KEYS; key++) {
          expect(map.get(key)).toBe(model.cells[key]);
          const run = map.run(key);
          expect(run.start <= key && key < run.end).toBe(true);
          expect(run.value === undefined).toBe(model.cells[key] === undefined);
        }
      }),
      { numRuns: 500 },
    );
  });
});

function apply(
  map: IntervalMap<number>,
  model: Model,
  step: { op: string; span: [number, number]; value?: number },
): void {
  const [start, end] = step.span;
  if (step.op === "set") {
    map.set(start, end, step.value ?? 0);
    model.set(start, end, step.value ?? 0);
  } else if (step.op === "delete") {
    map.delete(start, end);
    model.set(start, end, undefined);
  } else {
    // A gap becomes a value, a small value becomes a gap, another is raised.
    const fn = (value: number | undefined): number | undefined =>
      value === undefined ? step.value : value % 4 === step.value ? undefined : value + 1;
    const parts: [number, number][] = [];
    const before = model.cells.slice();
    map.update(start, end, (value, from, to) => {
      parts.push([from, to]);
      expect(value).toBe(before[from]);
      model.set(from, to, fn(value));
      return fn(value);
    });
    expect(parts.reduce((sum, [from, to]) => sum + to - from, 0)).toBe(end - start);
  }
}

test("gaps reach to the ends of the keys", () => {
  const map = new IntervalMap<string>();
  expect(map.run(5)).toEqual({ start: 0, end: KEY_LIMIT, value: undefined });
  map.set(10, 20, "a");
  expect(map.run(5)).toEqual({ start: 0, end: 10, value: undefined });
  expect(map.run(19)).toEqual({ start: 10, end: 20, value: "a" });
  expect(map.run(20)).toEqual({ start: 20, end: KEY_LIMIT, value: undefined });
  map.set(0, KEY_LIMIT, "b");
  expect([...map.iterate()]).toEqual([{ start: 0, end: KEY_LIMIT, value: "b" }]);
});

test("page frames in a row are one run, and a hole in them makes two", () => {
  const map = new IntervalMap(frames);
  for (let page = 0; page < 1000; page++) map.set(page, page + 1, 5000 + page);
  expect([...map.iterate()]).toEqual([{ start: 0, end: 1000, value: 5000 }]);
  map.delete(300, 301);
  expect([...map.iterate()]).toEqual([
    { start: 0, end: 300, value: 5000 },
    { start: 301, end: 1000, value: 5301 },
  ]);
  map.set(300, 301, 5300);
  expect(map.size).toBe(1);
});

test("many runs, changed in random places, agree with a plain map", () => {
  // Enough runs for many leaves, which the small model above never has.
  const map = new IntervalMap<number>();
  const plain = new Map<number, number>();
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  for (let step = 0; step < 20_000; step++) {
    const start = random(50_000);
    const long = step % 1000 === 0 ? 5000 : 1 + random(3);
    const value = random(7);
    if (value === 0) map.delete(start, start + long);
    else map.set(start, start + long, value);
    for (let key = start; key < start + long; key++) {
      if (value === 0) plain.delete(key);
      else plain.set(key, value);
    }
  }
  expect(map.size).toBeGreaterThan(5000);
  let keys = 0;
  let last: Run<number> | undefined;
  for (const run of map.iterate()) {
    keys += run.end - run.start;
    expect(last !== undefined && last.end === run.start && last.value === run.value).toBe(false);
    for (let key = run.start; key < run.end; key++) expect(plain.get(key)).toBe(run.value);
    last = run;
  }
  expect(keys).toBe(plain.size);
  const copy = map.clone();
  map.update(0, 60_000, (value) => value);
  expect([...map.iterate()]).toEqual([...copy.iterate()]);
  map.clear();
  expect([map.size, copy.size > 5000]).toEqual([0, true]);
});

test("an update may fill many leaves at once", () => {
  const map = new IntervalMap<number>();
  for (let key = 0; key < 4000; key += 2) map.set(key, key + 1, key);
  let parts = 0;
  map.update(0, 4000, (value) => {
    parts++;
    return value === undefined ? -1 : value;
  });
  expect([parts, map.size]).toEqual([4000, 4000]);
  map.update(0, 4000, () => 1);
  expect([...map.iterate()]).toEqual([{ start: 0, end: 4000, value: 1 }]);
});

test("empty intervals change nothing; wrong ones throw", () => {
  const map = new IntervalMap<number>();
  map.set(3, 3, 1);
  map.update(3, 3, () => 1);
  expect(map.size).toBe(0);
  expect(() => map.set(4, 3, 1)).toThrow("not an interval of keys: [4, 3)");
  expect(() => map.set(-1, 3, 1)).toThrow(RangeError);
  expect(() => map.get(0.5)).toThrow(RangeError);
  expect(() => map.get(KEY_LIMIT)).toThrow(RangeError);
});

test("a change during iteration is an error, not a wrong answer", () => {
  const map = new IntervalMap<number>();
  map.set(0, 1, 1);
  map.set(2, 3, 2);
  const walk = (): void => {
    for (const run of map.iterate()) map.delete(run.start, run.end);
  };
  expect(walk).toThrow("changed while it was iterated");
});
