// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { Caches, type Use } from "./caches.ts";
import { runSide } from "./compare.ts";
import type { Act, Course } from "./course.ts";
import { DEFAULT_FEATURES, type Features } from "./profile.ts";
import { profileNamed } from "./profiles.ts";
import { Timeline } from "./timeline.ts";
import type { Call, Workload } from "./workload.ts";

/** What happens: a device uses pages, or a space invalidates. */
type Event =
  | { readonly device: number; readonly lo: number; readonly hi: number; readonly space?: number }
  | {
      readonly acts: readonly Act[];
      readonly base?: number;
      readonly repeat?: number;
      readonly space?: number;
    };

function after(
  events: readonly Event[],
  features: Partial<Features> = {},
  machine = "arm64+smmuv3+ats",
): Caches {
  const caches = new Caches({
    ...{ name: "bench", title: "bench", machine, quantities: {} },
    features: { ...DEFAULT_FEATURES, iommu: "smmuv3", ...features },
  });
  const timeline = new Timeline();
  const uses: Use[] = [];
  const courses: Course[] = [];
  const owners: number[] = [];
  for (const event of events) {
    if ("device" in event) uses.push({ at: timeline.length, space: 0, ...event });
    else {
      owners[timeline.length] = event.space ?? 0;
      const course = courses.push({ acts: event.acts, steps: 0 }) - 1;
      timeline.add(0, 0, course, event.base ?? 0, event.repeat ?? 1);
    }
  }
  const bound = courses.map(() => true);
  caches.run(uses, timeline, courses, bound, owners);
  return caches;
}

const list = (op: string, lo: number, hi: number): Act => {
  return { act: "cmdlist", op, sync: true, devices: 1, lo, hi };
};
const atc = (lo: number, hi: number) => list("CMD_ATC_INV", lo, hi);
const tlbi = (lo: number, hi: number) => list("CMD_TLBI_NH_VA", lo, hi);
const eight = { lo: 0, hi: 8 };

test("each device has a TLB of its own, and asks the SMMU that it is behind", () => {
  const first: Event[] = [{ device: 0, ...eight }, { acts: [atc(0, 8)] }, { device: 1, ...eight }];
  // Device 1 never had them: it needs them for the first time.
  expect(after(first, { smmus: 2 }).refills).toBe(0);
  const again: Event[] = [...first, { device: 0, ...eight }];
  expect(after(again, { smmus: 2 }).amounts).toEqual({ atc_refill_ns: 8, iotlb_refill_ns: 0 });
  // Device 2 is behind SMMU 0, as device 0, whose entries it uses.
  const other: Event[] = [...again, { acts: [tlbi(0, 8), atc(0, 8)] }, { device: 2, ...eight }];
  expect(after(other, { smmus: 2 }).amounts).toEqual({ atc_refill_ns: 8, iotlb_refill_ns: 8 });
  expect(after(other, { smmus: 3 }).amounts).toEqual({ atc_refill_ns: 8, iotlb_refill_ns: 0 });
});

test("what covers a range is lost by the device, the range alone if it is split exactly", () => {
  const all = { device: 0, lo: 0, hi: 32 };
  // Pages 7 to 10: 0 to 15 covers them.
  const events: Event[] = [all, { acts: [atc(0, 4)], base: 7 }, all];
  expect(after(events, { atc_span: "exact" }).refills).toBe(4);
  expect(after(events, { atc_span: "covering" }).refills).toBe(16);
});

test("address spaces do not share entries, and everything of one is its own", () => {
  const everything = [list("CMD_TLBI_NH_ASID", 0, Infinity), atc(0, Infinity)];
  const both: Event[] = [0, 1].map((space) => ({ device: 0, ...eight, space }));
  const gone: Event[] = [...both, { acts: everything, space: 1 }];
  expect(after([...gone, { device: 0, ...eight, space: 0 }]).refills).toBe(0);
  const four = { device: 0, lo: 0, hi: 4, space: 1 };
  expect(after([...gone, four]).amounts).toEqual({ atc_refill_ns: 4, iotlb_refill_ns: 4 });
});

test("what repeats goes a page further each time; without ATS the IOMMU alone has entries", () => {
  const use = { device: 0, ...eight };
  const none = after(
    [use, { acts: [tlbi(0, 1), atc(0, 8)], base: 2, repeat: 3 }, use],
    ...[{}, "arm64+smmuv3"],
  );
  expect(none.amounts).toEqual({ iotlb_refill_ns: 3 });
  const single = after([use, { acts: [atc(0, 1)], base: 2, repeat: 3 }, use]);
  expect(single.refills).toBe(3);
  // Pairs: of 2 and 3, of 3 and 4, which eight cover, and of 4 and 5.
  expect(after([use, { acts: [atc(0, 2)], base: 2, repeat: 3 }, use]).refills).toBe(8);
});

const BYTES = 4096;
const span = { start: 2 ** 30, end: 2 ** 30 + 8 * BYTES };
const anonymous = { writable: true, accessible: true, shared: false, file: false, populate: true };

test("of a workload: who has no device uses none, and processes have tables of their own", () => {
  const device: Call = { call: "device", span, write: false, device: 0 };
  const mmap: Call = { call: "mmap", span, ...anonymous };
  const discard: Call = { call: "madvise", span, advice: "MADV_DONTNEED" };
  const calls: readonly (readonly [number, Call])[] = [
    ...[1, 2].map((pid) => [pid, mmap] as const),
    ...[1, 2].map((pid) => [pid, device] as const),
    ...[[2, discard] as const, [1, device] as const, [2, mmap] as const, [2, device] as const],
  ];
  const workload: Workload = {
    ...{ name: "x", title: "", provenance: "", assumptions: [] },
    operations: calls.map(([pid, call]) => ({ at_ns: 0, tid: pid, pid, line: 0, call })),
  };
  const grace = profileNamed("grace")!;
  const refilled = (bound: "first" | "all") =>
    runSide(workload, "linux-6.12", grace, { bound }).refills;
  expect(refilled("first")).toBe(0);
  // Of the second process alone, at the ATC and at the IOMMU.
  expect(refilled("all")).toBe(16);
});
