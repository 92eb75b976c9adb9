// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from "vitest";
import { runSide } from "./compare.ts";
import { Dma, type DmaMode, FQ_SIZE, FQ_TIMEOUT_NS } from "./dma.ts";
import { profileNamed } from "./profiles.ts";
import { QUANTITY_INDEX, type QuantityName } from "./quantities.ts";
import { smmuv2Unmap } from "./smmuv2.ts";
import { Timeline } from "./timeline.ts";
import { timed, timeOf } from "./timing.ts";
import type { Operation } from "./workload.ts";

/** Unmaps of one page, round robin, `apart` nanoseconds from each other. */
function unmaps(mode: DmaMode, count: number, cpus = 1, apart = 0): Dma {
  const timeline = new Timeline();
  const dma = new Dma(mode, timeline);
  for (let i = 0; i < count; i++) dma.unmap(i % cpus, i * apart, 1, i);
  return dma;
}

/** Commands lists of all that ran. */
function lists({ courses, timeline }: Dma): string[] {
  const run = Array.from({ length: timeline.length }, (_, i) => courses[timeline.course[i]!]!);
  return run.flatMap(({ acts }) => acts.flatMap((a) => (a.act === "cmdlist" ? [a.op] : [])));
}

describe("the DMA API", () => {
  test("strict invalidates each time, passthrough never", () => {
    expect(lists(unmaps("strict", 7))).toEqual(Array(7).fill("CMD_TLBI_NH_VA"));
    expect(lists(unmaps("passthrough", 7))).toEqual([]);
  });

  test("a map and an unmap take half of the work each, and each further page a descriptor", () => {
    const dma = new Dma("passthrough", new Timeline());
    dma.map(0, 0, 3);
    expect(dma.courses).toEqual([{ acts: [] }]);
    const strict = new Dma("strict", new Timeline());
    for (const pages of [1, 3]) strict.map(0, 0, pages);
    const half = { act: "spend", quantity: "dma_work_ns", n: 0.5 };
    const further = { act: "pte", n: 2 };
    expect(strict.courses).toEqual([{ acts: [half] }, { acts: [half, further] }]);
  });

  test("lazy: when the ring is full, one place is never used", () => {
    expect(FQ_SIZE).toBe(256);
    expect(lists(unmaps("lazy", 255))).toEqual([]);
    expect(lists(unmaps("lazy", 256))).toEqual(["CMD_TLBI_NH_ASID"]);
    expect(lists(unmaps("lazy", 255 * 4 + 1))).toHaveLength(4);
  });

  test("lazy: a flush of one CPU frees what all have queued", () => {
    const { flushes } = unmaps("lazy", 2 * 255 * 3, 2);
    // Each alone would have made two.
    expect(flushes.full).toBe(2);
  });

  test("lazy: tasks on one CPU share its ring", () => {
    const full = (cpus: number) => {
      const dma = new Dma("lazy", new Timeline(), [], cpus);
      for (let i = 0; i < 256; i++) dma.unmap(i % 4, 0, 1, i);
      return dma.flushes.full;
    };
    expect([full(4), full(2), full(1)]).toEqual([0, 0, 1]);
  });

  test("lazy: or 10 ms after the first", () => {
    expect(unmaps("lazy", 5, 1, FQ_TIMEOUT_NS).flushes).toEqual({ full: 0, timer: 4 });
    expect(unmaps("lazy", 5, 1, FQ_TIMEOUT_NS / 4 - 1).flushes).toEqual({ full: 0, timer: 0 });
  });

  test("what is asked is counted: strict each page, lazy all that the IOMMU may still know", () => {
    const seen = (mode: DmaMode, pages = 1) => {
      const one = { tid: 1, pid: 1, at_ns: 0, line: 0 };
      const operations = Array.from({ length: 2 * FQ_SIZE }, (_, n): Operation => {
        return { ...one, call: { call: n % 2 === 0 ? "dma_map" : "dma_unmap", pages } };
      });
      const workload = { name: "x", title: "", provenance: "", assumptions: [], operations };
      const { counts } = runSide(workload, "linux-6.12", grace, { dma: mode });
      return [counts.cmd_tlbi, counts.cmd_sync, counts.pages_asked, counts.pages_invalidated];
    };
    const grace = profileNamed("grace")!;
    expect(grace.features.smmus).toBe(4);
    expect(seen("strict")).toEqual([256, 256, 256, 256]);
    expect(seen("strict", 33)).toEqual([256 * 33, 256, 256 * 33, 256 * 33]);
    // The 256th unmap finds the ring full: 255 wait in it, and its own page is mapped yet.
    expect(seen("lazy")).toEqual([1, 1, 256, 256]);
    expect(seen("passthrough")).toEqual([0, 0, 0, 0]);
  });

  test("an SMMUv2 is written to by register, and without an IOMMU there is nothing to do", () => {
    const { features, ...phone } = profileNamed("qti-sm8150")!;
    const spent = (mode: DmaMode, iommu: "smmuv2" | "none", count: number) => {
      const operations = Array.from({ length: count }, (): Operation => {
        return { tid: 1, pid: 1, at_ns: 0, line: 0, call: { call: "dma_unmap", pages: 3 } };
      });
      const workload = { name: "x", title: "", provenance: "", assumptions: [], operations };
      const profile = { ...phone, features: { ...features, iommu } };
      const { counts, timing } = runSide(workload, "linux-6.12", profile, { dma: mode });
      expect([counts.cmd_tlbi, counts.cmd_sync]).toEqual([0, 0]);
      const of = (name: QuantityName) => timing.amounts[QUANTITY_INDEX[name]];
      return [of("smmuv2_tlbi_ns"), of("smmuv2_sync_ns"), of("cmd_ns"), of("cmd_sync_ns")];
    };
    expect(spent("strict", "smmuv2", 2)).toEqual([6, 2, 0, 0]);
    expect(spent("lazy", "smmuv2", 255)).toEqual([0, 0, 0, 0]);
    expect(spent("lazy", "smmuv2", 256)).toEqual([1, 1, 0, 0]);
    expect(spent("strict", "none", 2)).toEqual([0, 0, 0, 0]);
  });

  test("a domain has one SMMU, whatever a process may use", () => {
    const grace = profileNamed("grace")!;
    const { timeline, courses } = unmaps("strict", 100, 4);
    const time = (smmus: number, smmu_order: "sequential" | "overlapped") => {
      const features = { ...grace.features, smmus, smmu_order };
      return timeOf(timed(timeline, courses, { ...grace, features }));
    };
    expect(time(4, "sequential")).toEqual(time(1, "sequential"));
    expect(time(4, "overlapped")).toEqual(time(1, "sequential"));
  });

  test("on any machine strict costs more than lazy, and lazy more than passthrough", () => {
    const server = profileNamed("n1-server")!;
    const [strict, lazy, none] = (["strict", "lazy", "passthrough"] as const).map((mode) => {
      const { timeline, courses } = unmaps(mode, 2000, 8);
      return timeOf(timed(timeline, courses, server)).mid;
    });
    expect(strict).toBeGreaterThan(lazy!);
    expect(lazy).toBeGreaterThan(none!);
    expect(none).toBe(0);
  });
});

test("an SMMUv2: what was one write a page is one a table; less than a table is as it was", () => {
  const writes = (pages: number, walk: "TLBIVA" | "TLBIASID") =>
    smmuv2Unmap(pages, walk).acts.reduce(
      (sum, a) => sum + (a.act === "spend" && a.quantity === "smmuv2_tlbi_ns" ? a.n : 0),
      0,
    );
  expect(writes(8192, "TLBIVA")).toBe(8192);
  expect(writes(8192, "TLBIASID")).toBe(16);
  expect(writes(256, "TLBIASID")).toBe(256);
  expect(smmuv2Unmap(256, "TLBIASID")).toEqual(smmuv2Unmap(256, "TLBIVA"));
});
