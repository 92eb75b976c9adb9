// SPDX-License-Identifier: Apache-2.0
// Made-up workloads: the same from the same seed, possible, quick, and named strictly.

import { describe, expect, test } from "vitest";
import { bytesOf } from "../../trace/importers/bytes.ts";
import type { Workload } from "../workload.ts";
import { openWorkload } from "./open.ts";
import { SHAPES } from "./shapes.ts";
import { summarise } from "./summary.ts";
import { openSynthetic } from "./synthetic.ts";
import { readText, writeText } from "./text.ts";

function make(spec: string): Workload {
  const result = openSynthetic(`synthetic:${spec}`);
  if (!("workload" in result)) throw new Error(JSON.stringify(result.diagnostics));
  return result.workload;
}

describe.each(SHAPES.map(({ name }) => name))("%s", (name) => {
  test("has the length asked for, and is the same each time", () => {
    const workload = make(`${name},ops=500,seed=3`);
    const once = [...workload.operations];
    expect(once.length).toBe(500);
    expect([...workload.operations]).toEqual(once);
    expect([...make(`${name},ops=500,seed=3`).operations]).toEqual(once);
  });

  test("can be: the strict text format reads it", async () => {
    for (const more of ["", ",threads=3,processes=2,pages=7,gap=1us"]) {
      const workload = make(`${name},ops=2k,seed=5${more}`);
      const result = await readText("x", bytesOf([...writeText(workload)].join("")));
      expect("diagnostics" in result ? result.diagnostics : []).toEqual([]);
    }
  });

  test("a million operations in no time and memory", { timeout: 20_000 }, () => {
    const started = performance.now();
    let count = 0;
    for (const _ of make(`${name},ops=1M`).operations) count++;
    expect(count).toBe(1e6);
    // The aim is 2 s; this is for a busy machine.
    expect(performance.now() - started).toBeLessThan(8000);
  });
});

test("another seed makes another one, where anything is random", () => {
  for (const name of ["node", "java", "fork-cow", "sparse-munmap", "random", "sva"]) {
    const [one, other] = [1, 2].map((seed) => [...make(`${name},ops=300,seed=${seed}`).operations]);
    expect(one).not.toEqual(other);
  }
});

test("shapes are as they are said to be", () => {
  const java = summarise(make("java,ops=20k"));
  expect(java.median_pages).toBe(1);
  expect(java.one_page / java.ranges).toBeGreaterThan(0.75);
  expect(summarise(make("node,ops=20k")).median_pages).toBe(64);
  const mprotect = summarise(make("mprotect,ops=20k"));
  expect(mprotect.processes).toBe(32);
  expect(summarise(make("tlb-shootdown,ops=20k,threads=16")).tasks).toBe(16);
  expect(summarise(make("sparse-munmap,ops=20k")).unused).toBeGreaterThan(3000);
  const sva = summarise(make("sva,ops=20k")).calls;
  expect(sva.device! / (sva.munmap! + sva.mmap!)).toBeGreaterThan(10);
  expect(summarise(make("dma,ops=100")).calls).toEqual({ dma_map: 50, dma_unmap: 50 });
});

describe("names", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["synthetic:jav", "I006 11 jav: no generator of this name"],
    ["synthetic:", "I006 11 : no generator of this name"],
    ["synthetic:java,op=1", "I006 16 op: no parameter of this name"],
    ["synthetic:java,ops", "I002 16 ops: ops needs a value: ops=10000"],
    ["synthetic:java,ops=1,ops=2", "I002 22 ops=2: ops is given twice"],
    ["synthetic:java,ops=-1", "I001 20 -1: a negative number"],
    ["synthetic:java,ops=0", "I001 20 0: ops is a whole number from 1 to 1000000000000"],
    ["synthetic:java,ops=", "I001 20 : no number"],
    ["synthetic:java,ops=many", "I001 20 many: no number"],
    ["synthetic:java,ops=5q", "I001 20 5q: an unknown unit; known are k, M"],
    ["synthetic:java,gap=5parsec", "I001 20 5parsec: an unknown unit; known are ns, us, ms, s"],
    ["synthetic:java,pages=18446744073709551616", "I001 22 18446744073709551616: pages is"],
    ["synthetic:java,ops=1.5", "I001 20 1.5: ops is a whole number"],
  ];
  test.each(cases)("%s", (spec, expected) => {
    const result = openSynthetic(spec);
    const [problem] = "diagnostics" in result ? result.diagnostics : [];
    const { col, offset, end } = problem!.span;
    const shown = `${problem!.code} ${col} ${spec.slice(offset, end)}: ${problem!.message}`;
    expect(shown.startsWith(expected)).toBe(true);
  });

  test("the same door as files", async () => {
    const result = await openWorkload("synthetic:random,ops=5", bytesOf(""));
    expect("workload" in result && [...result.workload.operations].length).toBe(5);
  });
});
