// SPDX-License-Identifier: Apache-2.0
// Published results stay reproduced, and those that are not stay known.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { root } from "../../../../test/support/files.ts";
import { bytesOf } from "../trace/importers/bytes.ts";
import { profileNamed } from "./profiles.ts";
import { v5, v6, v7, v8, v10 } from "./validate/dvm.ts";
import { v13, v13Control } from "./validate/faults.ts";
import { v14 } from "./validate/interrupts.ts";
import { breakEven } from "./validate/placements.ts";
import { v1, v3, v4, v12, v21 } from "./validate/queue.ts";
import { asExpected, judged, type Validation } from "./validate/result.ts";
import { ROUTINES } from "./validate/routines.ts";
import { REQUIRED, validate } from "./validate.ts";
import type { Workload } from "./workload.ts";
import { openWorkload } from "./workloads/open.ts";

/** Cells outside their band, of those validations that have any. */
function outside({ cells }: Validation): string[] {
  return cells
    .filter(({ simulated, band }) => !(simulated >= band[0] && simulated <= band[1]))
    .map(({ label }) => label);
}

describe("in the band", () => {
  const all = [v1, v3, v4, v12, v21, v13, v10].map((v) => [v.name, v] as const);
  const run = [v6, v7, v8].map((v) => [v.name, () => v(ROUTINES)] as const);
  test.each([...all, ...run])("%s", (_, validate) => {
    const result = validate();
    expect(outside(result)).toEqual([]);
    expect([result.ok, asExpected(result)]).toEqual([true, true]);
  });

  test("V1: all eight cells within 5 %, as the closed queue of the facts", () => {
    const { cells, error } = v1();
    expect(cells).toHaveLength(8);
    expect(error).toBeLessThan(0.05);
  });
});

test("V5: no gain at 4 CPUs is not reproduced, the rest is", () => {
  const result = v5(ROUTINES);
  expect(outside(result)).toEqual(["4 CPUs"]);
  expect(result.ok).toBe(false);
});

test("V14: INVLPGB takes flushes away; interrupts take just enough", () => {
  const result = v14(ROUTINES);
  expect(outside(result)).toEqual([]);
  // Kernels of the list flush concurrently: each further target costs more than it did before.
  const { ipi_first_ns, ipi_next_ns } = profileNamed("amd-invlpgb")!.quantities;
  expect([ipi_first_ns!.value, ipi_next_ns!.value]).toEqual([562, 98]);
  expect(result.cells[0]!.simulated).toBeGreaterThan(10 * result.cells[1]!.simulated);
});

test("V13: one cost of a fault gives the three slowdowns of the mail's arithmetic", () => {
  const expected = [83.1, 47.4, 8.7];
  for (const [n, cell] of v13().cells.entries())
    expect(cell.simulated).toBeCloseTo(expected[n]!, 0.8);
});

test("V20: what exact spans cost more, against pages that are lost in vain", () => {
  const grace = profileNamed("grace")!;
  const sums = { ranges: 1, asked: 4, covering: 16, pieces: 3 };
  // Two commands more, built and consumed: 2 x (10 + 60) ns; twelve refills of 1000 ns.
  expect(breakEven(sums, grace)).toBeCloseTo(140 / 12_000, 6);
  expect(breakEven({ ...sums, covering: 4 }, grace)).toBe(Infinity);
});

test("V13 on VFIO is wrong, as it has to be", () => {
  const result = v13Control();
  expect(outside(result)).toEqual(["100 messages", "1000 messages"]);
  expect([result.ok, result.negative_control, asExpected(result)]).toEqual([false, true, true]);
});

test("courses are those of the routines", () => {
  const kinds = (acts: readonly { readonly act: string }[], kind: string) =>
    acts.filter(({ act }) => act === kind).length;
  const flush = ROUTINES.protect();
  expect([kinds(flush, "tlbi"), kinds(flush, "dsb") > 0]).toEqual([1, true]);
  const completions = (batched: boolean) =>
    ROUTINES.unmap(batched, 32).filter((a) => a.act === "dsb" && a.completes).length;
  expect(completions(false)).toBe(32);
  expect(completions(true)).toBe(1);
  expect(kinds(ROUTINES.unmap(true, 32), "tlbi")).toBe(32);
});

async function shipped(name: string): Promise<Workload> {
  const file = join(root, `packages/shootdown/fixtures/workloads/${name}.txt.gz`);
  const text = gunzipSync(readFileSync(file)).toString();
  const read = await openWorkload(name, bytesOf(text));
  if (!("workload" in read)) throw new Error(`${name}: ${JSON.stringify(read)}`);
  return read.workload;
}

test("all in one go: of the twelve that count, all but V5", { timeout: 60_000 }, async () => {
  const found = new Map<string, Validation>();
  for await (const result of validate(shipped)) found.set(result.id, result);
  const missed = REQUIRED.filter((id) => !found.get(id)!.ok);
  expect(missed).toEqual(["V5"]);
  expect([...found.values()].filter((r) => !asExpected(r)).map((r) => r.id)).toEqual([]);
  const known = [...found.values()].filter((r) => r.known_outside);
  expect(known.map((r) => [r.id, r.ok])).toEqual([["V5", false]]);
  for (const { source, note, profile } of found.values()) {
    for (const text of [source, note, profile]) expect(text.length).toBeGreaterThan(3);
  }
});

test("nothing is in no band; a wrong figure is an error", () => {
  const given = {
    ...{ id: "V0", title: "", source: "", profile: "", unit: "", note: "" },
    cells: [],
  };
  expect(judged(given).ok).toBe(false);
  const cell = { label: "x", published: 2, simulated: 3, band: [1, 2] as const, fitted: false };
  expect(judged({ ...given, cells: [cell] })).toMatchObject({ ok: false, error: 0.5 });
});
