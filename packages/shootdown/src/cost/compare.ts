// SPDX-License-Identifier: Apache-2.0
// Runs a workload with several kernels on several profiles: counts, times, and what decides.
//
//   workload ──► for each kernel and profile: Driver ──► Counter, Timeline ──► Timing
//                for each further kernel: its difference to the first, on each profile

import { PAGE_SIZE } from "../live/live.ts";
import type { ClockCourse } from "./clock-program.ts";
import { Contents } from "./contents.ts";
import { Counter } from "./counter.ts";
import type { Act, Counts, Course } from "./course.ts";
import { Dma, type DmaMode } from "./dma.ts";
import { Driver } from "./driver.ts";
import type { Profile } from "./profile.ts";
import { Runner, type RunnerOptions } from "./runner.ts";
import type { Space } from "./space.ts";
import { Timeline } from "./timeline.ts";
import type { Timing } from "./timing.ts";
import { type Difference, decidedBy, difference, type Interval, timed, timeOf } from "./timing.ts";
import type { Operation, Workload } from "./workload.ts";

export interface SideOptions {
  /** Which processes have a device: the first of the workload (default), or all. */
  readonly bound?: "first" | "all";
  /** How buffers for DMA are unmapped; default strict. */
  readonly dma?: DmaMode;
  /** Called now and then with how many operations were done. */
  readonly progress?: (operations: number) => void;
  /** False: every operation is run anew, as if nothing like it had been before. Default true. */
  readonly memory?: boolean;
  /** From `runnerOf` for this kernel and profile: what it has run once it remembers. */
  readonly runner?: Runner;
}

/** One kernel on one profile. */
export interface Side {
  readonly kernel: string;
  readonly profile: Profile;
  readonly operations: number;
  readonly counts: Counts;
  readonly timing: Timing;
  readonly time: Interval;
  readonly decided_by: string | undefined;
  /** Device accesses that had to be translated again because of an invalidation. */
  readonly refills: number;
  /** What was not run, and how often. */
  readonly skipped: ReadonlyMap<string, number>;
  /** Routines that were run, and those whose course was known, perhaps from another profile. */
  readonly ran: number;
  readonly known: number;
}

export interface Placement extends Side {
  /** Time of the first kernel less that of this one; none for the first. */
  readonly saves: Difference | undefined;
}

/** Kernels in their order on each profile in its order. */
export function* compare(
  workload: Workload,
  kernels: readonly string[],
  profiles: readonly Profile[],
  options: SideOptions = {},
): Generator<Placement, void, undefined> {
  const runners = new Map<string, Runner>();
  for (const profile of profiles) {
    let first: Side | undefined;
    for (const kernel of kernels) {
      const runner = options.runner ?? sharedRunner(runners, kernel, profile, options);
      const side = runSide(workload, kernel, profile, { ...options, runner });
      const saves = first && difference(first.timing, side.timing);
      yield { ...side, saves };
      first ??= side;
    }
  }
}

/** Progress is told every so many operations. */
const PROGRESS_EVERY = 1 << 14;

export function runSide(
  workload: Workload,
  kernel: string,
  profile: Profile,
  options: SideOptions = {},
): Side {
  const run = new Run(kernel, profile, options);
  let operations = 0;
  for (const operation of workload.operations) {
    run.step(operation);
    operations++;
    if (operations % PROGRESS_EVERY === 0) options.progress?.(operations);
  }
  return { ...run.finish(), operations };
}

/** The parts of the machine that change what a kernel does, by their names. */
export function machineOf(profile: Profile): string {
  return profile.features.tlbi_range && !profile.machine.includes("+tlbirange")
    ? `${profile.machine}+tlbirange`
    : profile.machine;
}

/**
 * The kernel on a machine whose SMMU hears broadcasts: mainline does not let it, and the driver
 * that would (and then leaves out its commands) is an overlay.
 */
export const kernelOn = (kernel: string, profile: Profile): string =>
  profile.machine.includes("+btm") ? `${kernel}+btm-skip` : kernel;

export const runnerOf = (kernel: string, profile: Profile): Runner =>
  new Runner(runnerOptions(kernel, profile));

/** What is run of a kernel is the same on profiles that differ in nothing that it looks at. */
function sharedRunner(
  known: Map<string, Runner>,
  kernel: string,
  profile: Profile,
  { memory = true }: SideOptions,
): Runner {
  const options = { ...runnerOptions(kernel, profile), memory };
  const key = JSON.stringify(options);
  let runner = known.get(key);
  if (!runner) known.set(key, (runner = new Runner(options)));
  return runner;
}

function runnerOptions(kernel: string, profile: Profile): RunnerOptions {
  const { features } = profile;
  const arm = profile.machine.startsWith("arm64");
  return {
    machine: machineOf(profile),
    kernel: kernelOn(kernel, profile),
    // Caches of translations set the access flag and the dirty state by themselves.
    ...(arm ? { knobs: { hafdbs: "yes" } } : {}),
    cpus: Math.min(features.cpus, CPUS_MAX),
    devices: features.iommu === "smmuv3" ? features.devices : 0,
    rangeCommands: features.range_inv,
    limits: features.range_inv ? {} : { CMDQ_MAX_TLBI_OPS: features.cmdq_max_tlbi_ops },
  };
}

class Run {
  private readonly kernel: string;
  private readonly profile: Profile;
  private readonly runner: Runner;
  private readonly driver: Driver;
  private readonly counter: Counter;
  private readonly timeline = new Timeline();
  private readonly courses: ClockCourse[] = [];
  private readonly numbers = new Map<Course, number>();
  private readonly dma: Dma;
  private readonly caches: Caches;
  /** What the runner had done before. */
  private readonly before: { readonly ran: number; readonly known: number };

  constructor(kernel: string, profile: Profile, options: SideOptions) {
    const { features } = profile;
    this.kernel = kernel;
    this.profile = profile;
    this.runner = options.runner ?? runnerOf(kernel, profile);
    const { ran, known } = this.runner;
    this.before = { ran, known };
    this.counter = new Counter({
      rangeCommands: features.range_inv,
      smmus: features.smmus,
      atcSpan: features.atc_span,
    });
    const sink = (course: Course, base: number, repeat: number, space: Space, op: Operation) =>
      this.sink(course, base, repeat, space, op);
    this.driver = new Driver(this.runner, sink, options.bound ? { bound: options.bound } : {});
    this.dma = new Dma(options.dma ?? "strict", this.timeline, this.courses, (c, base, mapped) =>
      this.counter.add(c, base, 1, mapped),
    );
    this.caches = new Caches(profile);
  }

  step(operation: Operation): void {
    const { call } = operation;
    const cpu = this.cpuOf(operation);
    if (call.call === "dma_map") return this.dma.map(cpu, operation.at_ns, call.pages);
    if (call.call === "dma_unmap") {
      const iova = Math.floor((call.iova ?? 0) / PAGE_SIZE);
      return this.dma.unmap(cpu, operation.at_ns, call.pages, iova);
    }
    this.driver.step(operation);
    if (call.call === "device") this.caches.use(call.span.start, call.span.end);
  }

  private cpuOf(operation: Operation): number {
    return operation.tid % this.profile.features.cpus;
  }

  private sink(c: Course, base: number, repeat: number, space: Space, op: Operation): void {
    let number = this.numbers.get(c);
    if (number === undefined) {
      number = this.courses.push(c) - 1;
      this.numbers.set(c, number);
    }
    this.counter.add(c, base, repeat, space.mapped);
    this.timeline.add(this.cpuOf(op), op.at_ns, number, base, repeat);
    if (space.bound) this.caches.invalidate(c.acts, base, repeat);
  }

  finish(): Omit<Side, "operations"> {
    const { kernel, profile, timeline, courses, runner, caches, before } = this;
    const timing = timed(timeline, courses, profile, caches.amounts);
    return {
      kernel,
      profile,
      counts: this.counter.counts,
      timing,
      time: timeOf(timing),
      decided_by: decidedBy(timing),
      refills: caches.refills,
      skipped: this.driver.skipped,
      ran: runner.ran - before.ran,
      known: runner.known - before.known,
    };
  }
}

/** CPUs of a live machine: whom x86 interrupts. */
export const CPUS_MAX = 64;

/** What the IOMMU's TLB and the devices' hold of the accesses that the workload has. */
class Caches {
  private readonly iotlb: Contents;
  private readonly atc: Contents | undefined;
  private used = false;

  constructor({ features, machine }: Profile) {
    this.iotlb = new Contents(features.iotlb_entries);
    this.atc = machine.includes("+ats") ? new Contents(features.atc_entries) : undefined;
  }

  use(start: number, end: number): void {
    this.used = true;
    const [lo, hi] = [Math.floor(start / PAGE_SIZE), Math.ceil(end / PAGE_SIZE)];
    // What the device still has, the IOMMU is not asked for.
    if (this.atc === undefined || this.atc.use(lo, hi) > 0) this.iotlb.use(lo, hi);
  }

  invalidate(acts: readonly Act[], base: number, repeat: number): void {
    if (!this.used) return;
    for (const a of acts) {
      if (a.act !== "cmdlist") continue;
      const all = a.hi === Number.POSITIVE_INFINITY || a.hi <= a.lo;
      const [lo, hi] = all
        ? [0, Number.POSITIVE_INFINITY]
        : [base + a.lo, base + a.hi + repeat - 1];
      if (a.op === "CMD_ATC_INV") this.atc?.invalidate(lo, hi);
      else if (a.op.startsWith("CMD_TLBI")) this.iotlb.invalidate(lo, hi);
    }
  }

  get refills(): number {
    return this.iotlb.refills + (this.atc?.refills ?? 0);
  }

  get amounts(): Partial<Record<"iotlb_refill_ns" | "atc_refill_ns", number>> {
    const { iotlb, atc } = this;
    return { iotlb_refill_ns: iotlb.refills, ...(atc && { atc_refill_ns: atc.refills }) };
  }
}
