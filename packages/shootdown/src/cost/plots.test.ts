// SPDX-License-Identifier: Apache-2.0
// Cliffs of plots: found from points, at the thresholds that kernels have.

import { expect, test } from "vitest";
import { jumps, knee } from "./cliffs.ts";
import { plotOf } from "./plots.ts";
import { profileNamed } from "./profiles.ts";

const spots = (xs: readonly number[], y: (x: number) => number) => xs.map((x) => ({ x, y: y(x) }));

test("a jump is brought down to neighbours; growth in proportion is none", () => {
  const y = (x: number) => (x < 300 ? 10 + x : 20);
  const found = jumps(spots([1, 16, 256, 1024], y), (x) => ({ x, y: y(x) }));
  expect(found.map((c) => [c.before.x, c.after.x])).toEqual([[299, 300]]);
  const even = spots([1, 16, 256], (x) => 5 * x);
  expect(jumps(even, (x) => ({ x, y: 5 * x }))).toEqual([]);
});

test("a knee is where a flat line becomes steep", () => {
  const bent = spots([1, 2, 4, 8, 16, 32], (x) => Math.max(100, 12 * x));
  expect(knee(bent)?.before.x).toBe(8);
  expect(knee(spots([1, 2, 4, 8], (x) => 3 * x))).toBeUndefined();
  expect(knee(spots([1, 2, 4, 8], () => 0))).toBeUndefined();
});

test("munmap of 512 pages is told as a whole: on the CPU and at the SMMU", () => {
  const { series } = plotOf("pages", ["linux-6.1", "linux-6.12"], profileNamed("n1-server")!);
  for (const { jumps } of series) {
    expect(jumps.map(({ before, after }) => [before.x, after.x])).toEqual([[511, 512]]);
    const [{ before, after }] = jumps as [(typeof jumps)[0]];
    expect(before.counts.full_asid).toBe(0);
    // 6.1 tells the SMMU twice.
    expect(after.counts.full_asid).toBeGreaterThan(0);
    expect(before.counts.cmd_tlbi).toBeGreaterThanOrEqual(511);
    expect(after.time.high).toBeLessThan(before.time.low);
  }
  expect(series).toHaveLength(2);
});

test("x86 flushes all above 33 pages; kernels that are alike are one line", () => {
  const { series } = plotOf("pages", ["linux-6.1", "linux-6.12"], profileNamed("sapphire-rapids")!);
  expect(series.map((s) => s.names)).toEqual([["linux-6.1", "linux-6.12"]]);
  const [only] = series[0]!.jumps;
  expect([only?.before.x, only?.after.x]).toEqual([33, 34]);
});

test("strict DMA bends where the command queue is busy all the time", () => {
  const { series } = plotOf("dma", ["linux-6.12"], profileNamed("n1-server")!);
  const strict = series.find((s) => s.names.includes("strict"))!;
  expect(strict.saturation?.server).toBe("queue");
  // Measured between 8 and 16 (Garry's table); with the queue's lock as it is at the bend.
  expect(strict.saturation?.senders).toBeGreaterThan(6);
  expect(strict.saturation?.senders).toBeLessThan(16);
  expect(series.find((s) => s.names.includes("lazy"))?.saturation).toBeUndefined();
});

test("CPUs are spread over the queues of an SMMU: twice as many keep two of them busy", () => {
  const senders = (queues: number) => {
    const server = profileNamed("n1-server")!;
    const features = { ...server.features, queues };
    const { series } = plotOf("dma", ["linux-6.12"], { ...server, features });
    return series.find((s) => s.names.includes("strict"))!.saturation!.senders;
  };
  expect(senders(2) / senders(1)).toBeGreaterThan(1.4);
});

test("a domain for DMA has one SMMU, whose queue alone is busy", () => {
  const { series } = plotOf("dma", ["linux-6.12"], profileNamed("grace")!);
  const strict = series.find((s) => s.names.includes("strict"))!;
  expect(strict.saturation?.server).toBe("queue");
  expect(strict.points.at(-1)!.busy.queue.share).toBeGreaterThan(0.9);
  expect(strict.points[0]!.counts.cmd_sync).toBe(24);
});

test("each device behind an SMMU of its own adds its commands", () => {
  const { series } = plotOf("devices", ["linux-6.12"], profileNamed("grace")!);
  const points = series[0]!.points;
  expect(points.map((p) => p.counts.atc_inv)).toEqual([1, 2, 3, 4]);
  for (const [i, p] of points.slice(1).entries()) expect(p.y).toBeGreaterThan(points[i]!.y);
});
