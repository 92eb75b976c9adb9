// SPDX-License-Identifier: Apache-2.0
// What a plot shows: small loops run by the same routines, against the same clock, at one number
// of senders, pages or devices after the other. No point is a formula.
//
//   kernel, profile ──► loop at x = 1, 2, 4 ... ──runSide──► time of one round ──► jumps, knees

import { type Cliff, jumps, knee, type Spot } from "./cliffs.ts";
import { CPUS_MAX, runnerOf, runSide, type Side, type SideOptions } from "./compare.ts";
import type { Counts } from "./course.ts";
import { DMA_MODES, type DmaMode } from "./dma.ts";
import type { Features, Profile } from "./profile.ts";
import { CORNERS, difference, type Interval } from "./timing.ts";
import type { Call, Operation, Span, Workload } from "./workload.ts";

export interface PlotPoint extends Spot {
  /** Of one round; `y` is its middle. */
  readonly time: Interval;
  /** Of one run of the loop; of the call alone where one call is shown. */
  readonly counts: Counts;
  /** The share of the run in which each server was in use, and for how long a round. */
  readonly busy: Readonly<Record<Server, { readonly share: number; readonly ns: number }>>;
}

export type Server = "dvm" | "queue";

/** Where the line bends as a server can no more. */
export interface Saturation extends Cliff<PlotPoint> {
  readonly server: Server;
  /** (work + service) / service, of what was measured: senders that keep the server busy. */
  readonly senders: number;
}

export interface PlotSeries {
  /** Kernels, or modes, whose points are the same. */
  readonly names: readonly string[];
  readonly points: readonly PlotPoint[];
  readonly jumps: readonly Cliff<PlotPoint>[];
  readonly saturation: Saturation | undefined;
}

export const PLOTS = ["senders", "dma", "pages", "devices"] as const;
export type PlotKind = (typeof PLOTS)[number];

export interface Plot {
  readonly kind: PlotKind;
  readonly profile: Profile;
  readonly series: readonly PlotSeries[];
}

const PAGES = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];
const SENDERS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
/** A process has at most so many devices in the model. */
const DEVICES = [1, 2, 3, 4];
/** Rounds of each sender: enough that the first ones, all at once, weigh little. */
const ROUNDS = 24;

/** Those that say something on this profile, for all of the kernels. */
export function* plotsOf(
  kernels: readonly string[],
  profile: Profile,
): Generator<Plot, void, undefined> {
  const loops = kernels.map((kernel) => new Loops(kernel, profile));
  for (const kind of PLOTS) {
    const series = SERIES[kind](loops, profile);
    if (series.length > 0) yield { kind, profile, series };
  }
}

/** One of them; without series where the machine has nothing of the kind. */
export function plotOf(kind: PlotKind, kernels: readonly string[], profile: Profile): Plot {
  const loops = kernels.map((kernel) => new Loops(kernel, profile));
  return { kind, profile, series: SERIES[kind](loops, profile) };
}

type Series = (all: readonly Loops[], profile: Profile) => PlotSeries[];

const SERIES: Readonly<Record<PlotKind, Series>> = {
  senders: (all, profile) =>
    each(all, (loops) =>
      bent(
        sendersOf(profile).map((n) => loops.senders(n)),
        profile,
      ),
    ),
  dma(all, profile) {
    if (profile.features.iommu === "none") return [];
    return merged(
      DMA_MODES.map((mode) => {
        const points = sendersOf(profile).map((n) => all[0]!.dma(n, mode));
        return { name: mode, ...bent(points, profile) };
      }),
    );
  },
  pages: (all) =>
    each(all, (loops) => {
      const points = PAGES.map((n) => loops.pages(n));
      return { ...straight(points), jumps: jumps(points, (n) => loops.pages(n)) };
    }),
  devices(all, profile) {
    if (profile.features.iommu !== "smmuv3") return [];
    return each(all, (loops) => straight(DEVICES.map((n) => loops.devices(n))));
  },
};

function sendersOf({ machine, features }: Profile): number[] {
  const cpus = machine.startsWith("x86") ? Math.min(features.cpus, CPUS_MAX) : features.cpus;
  return SENDERS.filter((n) => n < cpus).concat(cpus);
}

const each = (all: readonly Loops[], line: (loops: Loops) => Line): PlotSeries[] =>
  merged(all.map((loops) => ({ name: loops.kernel, ...line(loops) })));

type Line = Pick<PlotSeries, "points" | "jumps" | "saturation">;

const straight = (points: readonly PlotPoint[]): Line => ({
  ...{ points, jumps: [], saturation: undefined },
});

/** Lines that are the same are one, of several names. */
function merged(lines: readonly (Line & { readonly name: string })[]): PlotSeries[] {
  const found = new Map<string, { names: string[]; line: Line }>();
  for (const { name, ...line } of lines) {
    const key = JSON.stringify(line.points.map((p) => p.time));
    const same = found.get(key);
    if (same) same.names.push(name);
    else found.set(key, { names: [name], line });
  }
  return [...found.values()].map(({ names, line }) => ({ names, ...line }));
}

/** A bend is the server's that is in use nearly all the time from there on. */
const BUSY = 0.85;

function bent(points: readonly PlotPoint[], { features }: Profile): Line {
  const cliff = knee(points);
  const last = points.at(-1)!;
  const server = (["queue", "dvm"] as const).find((name) => last.busy[name].share >= BUSY);
  if (cliff === undefined || server === undefined) {
    return straight(points);
  }
  const servers = server === "queue" ? features.queues : 1;
  const alone = points[0]!.y;
  const senders = (servers * alone) / cliff.before.busy[server].ns;
  return { points, jumps: [], saturation: { ...cliff, server, senders } };
}

const PAGE = 4096;
const ARENA = 0x7f0000000000;
const PID = 1 << 10;

const at = (first: number, count: number): Span => ({
  start: ARENA + first * PAGE,
  end: ARENA + (first + count) * PAGE,
});

const mapped = (span: Span, accessible: boolean): Call => ({
  ...{ call: "mmap", span, writable: accessible, accessible },
  ...{ shared: false, file: false, populate: false },
});

/** By a CPU: tasks are numbered so that each has its own. */
const by = (cpu: number, call: Call): Operation => ({
  ...{ at_ns: 0, tid: cpu, pid: PID, line: 0, call },
});

const looped = (operations: readonly Operation[]): Workload => ({
  ...{ name: "plot", title: "", provenance: "", assumptions: [], operations },
});

/** The loops of one kernel on one machine. */
class Loops {
  readonly kernel: string;
  private readonly profile: Profile;
  private readonly runner: ReturnType<typeof runnerOf>;

  constructor(kernel: string, profile: Profile) {
    this.kernel = kernel;
    this.profile = profile;
    this.runner = runnerOf(kernel, profile);
  }

  private run(operations: readonly Operation[], options: SideOptions = {}): Side {
    const { kernel, profile, runner } = this;
    return runSide(looped(operations), kernel, profile, { runner, ...options });
  }

  /** Threads of one process that each open a page, write it, give it back and close it. */
  senders(n: number): PlotPoint {
    const own = (thread: number) => at(2 * thread, 1);
    const all = at(2 * n, 1);
    const operations: Operation[] = [
      ...[by(0, mapped(at(0, 2 * n), false)), by(0, mapped(all, true))],
      // Where all have run before the first round, each round is like the first.
      ...Array.from({ length: n }, (_, t) => by(t, { call: "touch", span: all, write: true })),
    ];
    const protect = (span: Span, open: boolean): Call => ({
      ...{ call: "mprotect", span, writable: open, accessible: open },
    });
    for (let round = 0; round < ROUNDS; round++) {
      for (let t = 0; t < n; t++) {
        const span = own(t);
        operations.push(by(t, protect(span, true)));
        operations.push(by(t, { call: "touch", span, write: true }));
        operations.push(by(t, { call: "madvise", span, advice: "MADV_DONTNEED" }));
        operations.push(by(t, protect(span, false)));
      }
    }
    return this.point(n, this.run(operations), n * ROUNDS);
  }

  /** CPUs that each map a page for DMA and unmap it. */
  dma(n: number, mode: DmaMode): PlotPoint {
    const operations: Operation[] = [];
    // A ring of lazy mode has 256 places.
    const rounds = mode === "lazy" ? 512 : ROUNDS;
    for (let round = 0; round < rounds; round++) {
      for (let cpu = 0; cpu < n; cpu++) {
        operations.push(by(cpu, { call: "dma_map", pages: 1 }));
        operations.push(by(cpu, { call: "dma_unmap", pages: 1 }));
      }
    }
    // A domain has one SMMU.
    return this.point(n, this.run(operations, { dma: mode }), n * rounds, 1);
  }

  /** One munmap() of pages that were all written, out of a larger mapping. */
  pages(n: number): PlotPoint {
    // Tables at both ends stay: only those that are wholly inside are freed.
    const span = at(256, n);
    const before = [
      by(0, mapped(at(0, 256 + n + 512), true)),
      by(0, { call: "touch", span, write: true }),
    ];
    return this.alone(n, before, by(0, { call: "munmap", span }));
  }

  /** One munmap() of 16 pages of a process with n devices, each behind an SMMU of its own. */
  devices(n: number): PlotPoint {
    const features: Features = { ...this.profile.features, devices: n, smmus: n };
    return new Loops(this.kernel, { ...this.profile, features }).pages16(n);
  }

  private pages16(n: number): PlotPoint {
    return { ...this.pages(16), x: n };
  }

  /** What the last operation adds. */
  private alone(x: number, before: readonly Operation[], last: Operation): PlotPoint {
    const without = this.run(before);
    const all = this.run([...before, last]);
    const time = difference(all.timing, without.timing).interval;
    const counts = Object.fromEntries(
      Object.entries(all.counts).map(([name, count]) => [
        name,
        count - without.counts[name as keyof Counts],
      ]),
    ) as unknown as Counts;
    return { ...this.point(x, all, 1), y: time.mid, time, counts };
  }

  private point(x: number, side: Side, rounds: number, used?: number): PlotPoint {
    const { time, timing, counts, profile } = side;
    const [low, mid, high] = CORNERS.map((corner) => time[corner] / rounds);
    const { makespan_ns, busy_ns } = timing.outcomes.mid;
    const { smmus: all, queues } = profile.features;
    const smmus = used ?? all;
    const busy = (server: Server, servers: number) => {
      const ns = busy_ns[server] / servers;
      return { share: makespan_ns === 0 ? 0 : ns / makespan_ns, ns: (ns * servers) / rounds };
    };
    const ofQueue = busy("queue", smmus * queues);
    return {
      ...{ x, y: mid!, time: { low: low!, mid: mid!, high: high! }, counts },
      busy: { dvm: busy("dvm", 1), queue: { ...ofQueue, ns: ofQueue.ns / smmus } },
    };
  }
}
