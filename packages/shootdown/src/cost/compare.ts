// SPDX-License-Identifier: Apache-2.0
// Runs a workload with several kernels on several profiles: counts, times, and what decides.
//
//   workload ──► Drive, of all that do the same ──► each kernel and profile: counts, Timing
//                for each further kernel: its difference to the first, on each profile

import { kernelNamed } from "../kernel/kernels.ts";
import { Caches } from "./caches.ts";
import type { ClockCourse } from "./clock-program.ts";
import { Counter } from "./counter.ts";
import type { Counts } from "./course.ts";
import type { DmaMode } from "./dma.ts";
import { Drive } from "./drive.ts";
import type { Iommu, Profile } from "./profile.ts";
import { Runner, type RunnerOptions } from "./runner.ts";
import type { Timing } from "./timing.ts";
import { type Difference, decidedBy, difference, type Interval, timed, timeOf } from "./timing.ts";
import type { Workload } from "./workload.ts";

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
  const lanes = profiles.flatMap((profile) =>
    kernels.map((kernel): Lane => {
      const runner = options.runner ?? sharedRunner(runners, kernel, profile, options);
      return { kernel, profile, runner };
    }),
  );
  let first: Side | undefined;
  let n = 0;
  for (const side of sidesOf(workload, lanes, options)) {
    if (n++ % kernels.length === 0) first = undefined;
    yield { ...side, saves: first && difference(first.timing, side.timing) };
    first ??= side;
  }
}

export function runSide(
  workload: Workload,
  kernel: string,
  profile: Profile,
  options: SideOptions = {},
): Side {
  const runner = options.runner ?? runnerOf(kernel, profile);
  const [side] = sidesOf(workload, [{ kernel, profile, runner }], options);
  return side!;
}

/** A kernel on a profile, and what runs it. */
interface Lane {
  readonly kernel: string;
  readonly profile: Profile;
  readonly runner: Runner;
}

/** In the order of the lanes. As many go through the workload together as do the same. */
function* sidesOf(
  workload: Workload,
  lanes: readonly Lane[],
  options: SideOptions,
): Generator<Side, void, undefined> {
  const ran = new Map(lanes.map((lane) => [lane, 0]));
  const driven = new Map<Lane, Drive>();
  let waiting = lanes;
  for (const lane of lanes) {
    while (!driven.has(lane)) {
      const team = teamOf(waiting, options);
      const before = new Map(team.map(({ runner }) => [runner, runner.ran]));
      const runners = new Set(team.map(({ runner }) => runner));
      const drive = new Drive(runners, team[0]!.profile.features.cpus, options);
      drive.run(workload, options.progress);
      for (const one of team) {
        ran.set(one, ran.get(one)! + one.runner.ran - before.get(one.runner)!);
        // What several share is the first one's.
        before.set(one.runner, one.runner.ran);
        if (drive.team.coursesOf(one.runner)) driven.set(one, drive);
      }
      waiting = waiting.filter((one) => !driven.has(one));
    }
    yield sideOf(lane, driven.get(lane)!, ran.get(lane)!);
    driven.delete(lane);
  }
}

/** Of those that wait, who can begin together. */
function teamOf(waiting: readonly Lane[], { dma, memory }: SideOptions): readonly Lane[] {
  const [first] = waiting;
  if (memory === false) return [first!];
  // In lazy mode, whose ring is full depends on how many CPUs there are.
  const { cpus } = first!.profile.features;
  return dma === "lazy" ? waiting.filter((l) => l.profile.features.cpus === cpus) : waiting;
}

/** What a way through the workload was on this machine. */
function sideOf({ kernel, profile, runner }: Lane, drive: Drive, ran: number): Side {
  const { features } = profile;
  const { team, dma, mapped, bound, uses, owners } = drive;
  const courses = team.coursesOf(runner)!;
  const caches = new Caches(profile);
  caches.run(uses, drive.timeline, courses, bound, owners);
  const counter = new Counter({
    rangeCommands: features.range_inv,
    smmus: features.smmus,
    atcSpan: features.atc_span,
  });
  counter.addAll(drive.timeline, courses, mapped);
  if (QUEUED.includes(features.iommu)) counter.addAll(drive.timeline, dma.asked, dma.mapped);
  const distinct = new Map<ClockCourse, number>();
  const numbers = team.courses.map((shared, n) => numberOf(courses[n] ?? shared, distinct));
  const timeline = drive.timeline.as((tid) => tid % features.cpus, numbers);
  const timing = timed(timeline, [...distinct.keys()], profile, caches.amounts);
  return {
    ...{ kernel, profile, timing, ran, known: Math.max(0, team.asked - ran) },
    ...{ operations: drive.operations, skipped: drive.skipped },
    ...{ counts: counter.counts, refills: caches.refills },
    ...{ time: timeOf(timing), decided_by: decidedBy(timing) },
  };
}

/** IOMMUs that take commands from a queue. */
const QUEUED: readonly Iommu[] = ["smmuv3", "vtd", "amd"];

function numberOf<T>(key: T, numbers: Map<T, number>): number {
  const known = numbers.get(key);
  if (known !== undefined) return known;
  numbers.set(key, numbers.size);
  return numbers.size - 1;
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
export function kernelOn(kernel: string, { machine }: Profile): string {
  const skipping = `${kernel}+btm-skip`;
  // One that says what it does about broadcasts is left as it is.
  return machine.includes("+btm") && kernelNamed(skipping).ok ? skipping : kernel;
}

/** Why there is no such kernel on the machine; undefined if there is. */
export function unfitKernel(kernel: string, profile: Profile): string | undefined {
  const architecture = profile.machine.startsWith("x86") ? "x86" : "arm64";
  const found = kernelNamed(kernelOn(kernel, profile), architecture);
  return found.ok ? undefined : `'${found.unknown}' ${found.why ?? "is not known"}`;
}

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

/** CPUs of a live machine: whom x86 interrupts. */
export const CPUS_MAX = 64;
