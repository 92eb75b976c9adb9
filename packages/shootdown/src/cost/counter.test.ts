// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from "vitest";
import { runSide } from "./compare.ts";
import { Counter, type Features } from "./counter.ts";
import type { Act, Counts } from "./course.ts";
import { profileNamed } from "./profiles.ts";
import { QUANTITY_INDEX } from "./quantities.ts";
import type { Call, Workload } from "./workload.ts";

const ALL = Number.POSITIVE_INFINITY;

function counted(acts: readonly Act[], features: Partial<Features> = {}, base = 0, repeat = 1) {
  const machine = { rangeCommands: false, smmus: 1, atcSpan: "covering" as const };
  const counter = new Counter({ ...machine, ...features });
  counter.add({ acts, steps: 0 }, base, repeat, 1000);
  const found = Object.entries(counter.counts).filter(([, n]) => n !== 0);
  return Object.fromEntries(found) as Partial<Counts>;
}

const tlbi = (lo: number, hi: number, instructions = 1): Act => ({
  ...({ act: "tlbi", op: "VALE1IS", broadcast: true, instructions, lo, hi } as const),
});
const list = (op: string, lo: number, hi: number, devices = 1): Act => ({
  ...({ act: "cmdlist", op, sync: true, devices, lo, hi } as const),
});

describe("counts", () => {
  test("a flush asks for its pages, and without an IOMMU takes just those", () => {
    expect(counted([tlbi(0, 8, 8), { act: "dsb", completes: true }])).toEqual({
      ...{ flushes: 1, tlbi: 8, dsb: 1, pages_asked: 8, pages_invalidated: 8 },
    });
    expect(counted([tlbi(0, ALL)])).toEqual({
      ...{ flushes: 1, full_flushes: 1, tlbi: 1, pages_asked: 1000, pages_invalidated: 1000 },
    });
    const own: Act = { act: "flush", own: true, lo: 0, hi: ALL };
    expect(counted([own, { ...own, own: false }, { act: "ipi" }])).toEqual({
      ...{ flushes: 1, full_flushes: 1, ipi: 1, pages_asked: 1000, pages_invalidated: 1000 },
    });
  });

  test("what an IOMMU invalidates is counted instead, and what devices do, instead of that", () => {
    const inv = list("CMD_TLBI_NH_VA", 0, 8);
    expect(counted([tlbi(0, 8), inv])).toEqual({
      ...{ flushes: 1, tlbi: 1, pages_asked: 8, cmd_tlbi: 8, cmd_sync: 1, pages_invalidated: 8 },
    });
    // Pages 7 to 10: what covers them are 16.
    const atc = list("CMD_ATC_INV", 0, 4, 2);
    const seen = counted([tlbi(0, 4, 4), list("CMD_TLBI_NH_VA", 0, 4), atc], {}, 7);
    expect([seen.atc_inv, seen.cmd_sync, seen.pages_invalidated]).toEqual([2, 2, 16]);
    const exact = counted([atc], { atcSpan: "exact" }, 7);
    expect([exact.atc_inv, exact.pages_invalidated]).toEqual([2 * 3, 4]);
    expect(counted([list("CMD_ATC_INV", 0, ALL, 3)], { smmus: 2 })).toEqual({
      ...{ atc_inv: 3, atc_all: 3, cmd_sync: 2, pages_invalidated: 1000 },
    });
  });

  test("every SMMU gets its own, by range commands if it has them", () => {
    const inv = list("CMD_TLBI_NH_VA", 0, 33);
    expect(counted([inv], { smmus: 4 }).cmd_tlbi).toBe(4 * 33);
    expect(counted([inv], { smmus: 4, rangeCommands: true }).cmd_tlbi).toBe(4);
    const dma: Act = { ...inv, dma: true } as Act;
    // iommu_iotlb_sync() is for last levels: an odd page of 33 is a command of its own.
    expect(counted([dma], { smmus: 4, rangeCommands: true }).cmd_tlbi).toBe(2);
    const whole = counted([list("CMD_TLBI_NH_ASID", 0, ALL)], { smmus: 4 });
    expect([whole.cmd_tlbi, whole.full_asid, whole.cmd_sync]).toEqual([4, 4, 4]);
  });

  test("what repeats goes a page further each time", () => {
    // Pairs (6, 7), (7, 8), (8, 9): what covers them are 2, 16 and 2.
    const seen = counted([list("CMD_ATC_INV", 0, 2)], {}, 6, 3);
    expect([seen.atc_inv, seen.pages_invalidated]).toEqual([3, 2 + 16 + 2]);
    const one = counted([list("CMD_ATC_INV", 0, 1, 2)], {}, 6, 3);
    expect([one.atc_inv, one.pages_invalidated]).toEqual([6, 3]);
    expect(counted([{ act: "fault", device: false }], {}, 0, 3)).toEqual({ faults: 3 });
  });
});

const BYTES = 4096;
const span = (first: number, count: number) => {
  return { start: (2 ** 20 + first) * BYTES, end: (2 ** 20 + first + count) * BYTES };
};
const anonymous = { writable: true, accessible: true, shared: false, file: false, populate: true };
const workload = (...calls: readonly Call[]): Workload => ({
  ...{ name: "x", title: "", provenance: "", assumptions: [] },
  operations: calls.map((call) => ({ at_ns: 0, tid: 1, pid: 1, line: 0, call })),
});

test.each(["linux-6.1", "linux-6.12"])("%s: the clock spends what is counted", (kernel) => {
  for (const name of ["n1-server", "grace"]) {
    const profile = profileNamed(name)!;
    const side = runSide(
      workload(
        ...[0, 4096, 8192].map((at): Call => {
          return { call: "mmap", span: span(at, 4096), ...anonymous };
        }),
        // One by one or by range, a whole table, everything.
        { call: "munmap", span: span(5, 131) },
        { call: "munmap", span: span(1024, 512) },
        { call: "madvise", span: span(4096, 4096), advice: "MADV_DONTNEED" },
        { call: "munmap", span: span(4196, 3000) },
      ),
      kernel,
      profile,
    );
    expect(side.counts.tlbi).toBeGreaterThan(4);
    const spent = side.timing.amounts[QUANTITY_INDEX.tlbi_broadcast_ns]!;
    // What an erratum repeats is time, and no instruction of the routine.
    const again = profile.features.repeat_tlbi ? side.counts.flushes : 0;
    expect(spent).toBe(side.counts.tlbi + again);
  }
});
