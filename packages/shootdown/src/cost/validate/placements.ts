// SPDX-License-Identifier: Apache-2.0
// Published results on where the kernel tells devices, as counts: V11, V18, V19, V20.
//
// The kernels' own routines run on the shipped workloads; nothing here is written down by hand.

import { atcExactSpans, atcSpan } from "../../kernel/iommu/arm-smmu-v3-commands.ts";
import { Counter } from "../counter.ts";
import type { Counts } from "../course.ts";
import { Driver, type Sink } from "../driver.ts";
import type { Profile } from "../profile.ts";
import { profileNamed } from "../profiles.ts";
import { Runner } from "../runner.ts";
import { Timeline } from "../timeline.ts";
import { timed, timeOf } from "../timing.ts";
import type { Call, Operation, Workload } from "../workload.ts";
import { type Cell, judged, type Validation } from "./result.ts";

/** Workloads by the names they are shipped under. */
export type Workloads = ReadonlyMap<string, Workload>;

/** What the placements are run on. */
export const PROGRAMS = ["java", "gcc", "node", "python"] as const;

const ALL = Number.POSITIVE_INFINITY;
const GRACE = profileNamed("grace") as Profile;
const BYTES = 4096;

/** Calls that are for a range: under old kernels the device is told at the end of each. */
const RANGED: readonly Call["call"][] = ["munmap", "mprotect", "madvise", "mremap"];

/** What is told of a whole address space is not what placements differ in here. */
const WHOLE: readonly Call["call"][] = ["fork", "exec", "exit"];

/** Before the fix of the lockup nothing was too much for single commands. */
const NO_THRESHOLD = { CMDQ_MAX_TLBI_OPS: 2 ** 37 };

interface Through {
  readonly limits?: Readonly<Record<string, number>>;
  /** All processes have the device, not the first alone. */
  readonly all?: boolean;
}

/** Runs a workload on one SMMU with one ATS device, each course with its operation. */
function through(
  operations: Iterable<Operation>,
  kernel: string,
  sink: Sink,
  { limits = {}, all = false }: Through = {},
): Counts {
  const runner = new Runner({ machine: "arm64+smmuv3+ats", kernel, devices: 1, limits });
  const counter = new Counter({ rangeCommands: false, smmus: 1, atcSpan: "covering" });
  const count: Sink = (course, base, repeat, space, operation) => {
    counter.add(course, base, repeat, space.mapped);
    sink(course, base, repeat, space, operation);
  };
  const driver = new Driver(runner, count, { bound: all ? "all" : "first" });
  for (const operation of operations) {
    if (!WHOLE.includes(operation.call.call)) driver.step(operation);
  }
  return counter.counts;
}

/** One process maps so many pages, writes them, and unmaps all. */
function* unmapped(pages: number): Iterable<Operation> {
  const span = { start: 2 ** 40, end: 2 ** 40 + pages * BYTES };
  const plain = { writable: true, accessible: true, shared: false, file: false, populate: true };
  const of = (call: Call): Operation => ({ at_ns: 0, tid: 1, pid: 1, line: 0, call });
  yield of({ call: "mmap", span, ...plain });
  yield of({ call: "munmap", span });
}

interface Ends {
  readonly few: { readonly commands: number; readonly ns: number };
  readonly many: { readonly commands: number; readonly ns: number };
}

/** Commands of the munmap, and its time on a machine without range commands. */
function munmap(pages: number, limits: Through["limits"]): { commands: number; ns: number } {
  let ns = 0;
  const time: Sink = (course, base, _repeat, _space, { call }) => {
    if (call.call !== "munmap") return;
    const timeline = new Timeline();
    timeline.add(0, 0, 0, base);
    ns += timeOf(timed(timeline, [course], { ...GRACE, features: ONE_SMMU })).mid;
  };
  const counts = through(unmapped(pages), "linux-6.1", time, { limits: limits ?? {} });
  return { commands: counts.cmd_tlbi, ns };
}

const ONE_SMMU = { ...GRACE.features, smmus: 1, devices: 1 };

export function v11(): Validation {
  const [few, many] = [2 ** 12, 2 ** 18];
  const [old, now] = [NO_THRESHOLD, {}].map((limits): Ends => {
    return { few: munmap(few, limits), many: munmap(many, limits) };
  });
  const [below, above] = [munmap(511, {}).commands, munmap(512, {}).commands];
  const ratio = (of: Ends) => of.many.commands / of.few.commands;
  const cell = (label: string, simulated: number, band: readonly [number, number]): Cell => ({
    ...{ label, simulated, band, fitted: false },
  });
  return judged({
    ...{ id: "V11", title: "SVA munmap without range commands: growth, and the threshold of 512" },
    source: "iommu/arm-smmu-v3: Fix soft lockup, Chen, 2023-09-20 (CVE-2023-52484)",
    ...{ profile: "grace", unit: "ratio; commands" },
    cells: [
      cell("without threshold: commands, 64 times the pages", ratio(old!), [58, 70]),
      cell("without threshold: time of it", old!.many.ns / old!.few.ns, [40, 70]),
      cell("with it: commands, 64 times the pages", ratio(now!), [1, 1]),
      cell("with it: commands of 511 pages / of 512", below / above, [100, 600]),
    ],
    note:
      "6.1 tells the device at range_end, whole; its stable updates have the threshold. " +
      `A lockup of 26 s is ${(26e9 / (old!.many.ns / many) / 2 ** 20).toFixed(0)} Mi pages here ` +
      "for one process alone",
  });
}

export function v18(workloads: Workloads): Validation {
  const { operations } = workloads.get("java")!;
  const ranged = { calls: 0, flushes: 0 };
  const old = through(operations, "linux-6.1", ({ acts }, _base, repeat, _space, { call }) => {
    if (!RANGED.includes(call.call)) return;
    ranged.calls += repeat * acts.filter((a) => a.act === "notifier").length;
    ranged.flushes += repeat * acts.filter((a) => a.act === "tlbi").length;
  });
  const now = through(operations, "linux-6.12", () => {});
  return judged({
    ...{ id: "V18", title: "range_end against flush: what a device of java's is told" },
    source:
      "Re: [PATCH 2/2] arm64: Notify on pte permission upgrades, Popple, 2023-05-31; " +
      "tracefs of a java run: 956 range calls, at most 207 flushes",
    ...{ profile: "grace", unit: "times fewer; %" },
    cells: [
      {
        label: "notifications, 6.1 / 6.12",
        ...{ published: 956 / 207, simulated: old.notifier_calls / now.notifier_calls },
        ...{ band: [956 / 207, ALL], fitted: false },
      },
      {
        label: "range calls with nothing to flush",
        ...{ published: 78, simulated: 100 * (1 - ranged.flushes / ranged.calls) },
        ...{ band: [78, 100], fitted: false },
      },
    ],
    note:
      "both published figures are lower bounds, by the flush rules of x86: arm64 flushes no less " +
      "seldom; the recording is another run of the same kind of program",
  });
}

export function v19(workloads: Workloads): Validation {
  const cells: Cell[] = [];
  for (const name of ["java", "node"] as const) {
    const { operations } = workloads.get(name)!;
    const found = { flushes: 0, all: 0, told: 0 };
    const count: Sink = ({ acts }, _base, repeat, _space, { call }) => {
      if (!RANGED.includes(call.call)) return;
      found.flushes += repeat * acts.filter((a) => a.act === "tlbi").length;
      const lists = acts.filter((a) => a.act === "cmdlist" && a.op === "CMD_ATC_INV");
      found.told += repeat * lists.length;
      found.all += repeat * lists.filter((a) => "hi" in a && a.hi === ALL).length;
    };
    const buggy = through(operations, "linux-6.6", count);
    const share = (100 * found.all) / found.told;
    const right = through(operations, "linux-6.12", () => {});
    const label = `${name}: range calls that invalidate all of the ATC`;
    cells.push({ label, published: 100, simulated: share, band: [100, 100], fitted: false });
    const more = buggy.pages_invalidated / right.pages_invalidated;
    cells.push({
      label: `${name}: pages invalidated, 6.6 / 6.12`,
      ...{ simulated: more, band: [2, ALL], fitted: false },
    });
  }
  return judged({
    ...{ id: "V19", title: "start == end: every ranged flush invalidates everything", cells },
    source: "Fix mmu notifiers for range-based invalidates, Jaroszynski, 2025-03-04",
    ...{ profile: "grace", unit: "%; times" },
    note: "flushes of single pages, as by faults, tell the right page in 6.6, too",
  });
}

/** What a device is told by range, and what each way of it costs. */
function spans(workload: Workload) {
  const sums = { ranges: 0, asked: 0, covering: 0, pieces: 0 };
  const add: Sink = ({ acts }, base, repeat) => {
    for (const act of acts) {
      if (act.act !== "cmdlist" || act.op !== "CMD_ATC_INV" || act.hi === ALL) continue;
      for (let n = 0; n < repeat; n++) {
        const [lo, hi] = [base + n + act.lo, base + n + act.hi];
        sums.ranges++;
        sums.asked += hi - lo;
        sums.covering += atcSpan(lo, hi);
        sums.pieces += atcExactSpans(lo, hi);
      }
    }
  };
  through(workload.operations, "linux-6.12", add, { all: true });
  return sums;
}

/** The share of pages lost in vain that must be used again for an exact split to be cheaper. */
export function breakEven(sums: ReturnType<typeof spans>, profile: Profile): number {
  const { cmd_ns, cmd_build_ns, atc_refill_ns } = profile.quantities;
  const more = (sums.pieces - sums.ranges) * (cmd_ns!.value + cmd_build_ns!.value);
  const lost = sums.covering - sums.asked;
  return lost === 0 ? ALL : more / (lost * atc_refill_ns!.value);
}

export function v20(workloads: Workloads): Validation {
  const cells = PROGRAMS.flatMap((name): Cell[] => {
    const sums = spans(workloads.get(name)!);
    const over = sums.covering / sums.asked;
    const each = sums.pieces / sums.ranges;
    const again = 100 * breakEven(sums, GRACE);
    return [
      { label: `${name}: covering / asked`, simulated: over, band: [1.1, 7.6], fitted: false },
      {
        label: `${name}: exact commands a range`,
        simulated: each,
        band: [1.2, 3.6],
        fitted: false,
      },
      { label: `${name}: reuse, % to break even`, simulated: again, band: [0, ALL], fitted: false },
    ];
  });
  return judged({
    ...{ id: "V20", title: "One covering ATC_INV, or several exact ones", cells },
    source: 'comment in arm_smmu_atc_inv_to_cmd(): "should refine it in the future"',
    ...{ profile: "grace", unit: "times; commands; %" },
    note:
      "published for other runs of these programs, by call: 1.2 to 6.9 times, 1.3 to 3.3 " +
      "commands. Exact is cheaper where more of the pages lost in vain are used again than " +
      "the last rows say; commands in flight to one device overlap up to its queue of 32",
  });
}
