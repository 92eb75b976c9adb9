// SPDX-License-Identifier: Apache-2.0
// One way through a workload for all whose address spaces evolve alike: what they did, when, where.
//
//   workload ──► Driver ──asks──► Team        ┌── Counter, Caches, clock of one kernel and machine
//                  └──► Timeline, in numbers ─┼── ...
//                       that all have in common

import { PAGE_SIZE } from "../live/live.ts";
import type { Use } from "./caches.ts";
import { Dma, type DmaMode } from "./dma.ts";
import { Driver, type DriverOptions } from "./driver.ts";
import type { Runner } from "./runner.ts";
import type { Space } from "./space.ts";
import { Team } from "./team.ts";
import { Timeline } from "./timeline.ts";
import type { Operation, Workload } from "./workload.ts";

export interface DriveOptions extends DriverOptions {
  readonly dma?: DmaMode;
}

/** Progress is told every so many operations. */
const PROGRESS_EVERY = 1 << 14;

export class Drive {
  readonly team: Team;
  /** Its CPUs are the tasks by their numbers, its courses are numbered by the team. */
  readonly timeline = new Timeline();
  /** Of each course: pages that its space has mapped, added up over its repetitions. */
  readonly mapped: number[] = [];
  /** Of each course: whether a secondary TLB translates with its space. */
  readonly bound: boolean[] = [];
  /** Accesses of devices. */
  readonly uses: Use[] = [];
  /** Of each operation, the number of its space, where several have devices. */
  readonly owners: number[] = [];
  readonly dma: Dma;
  operations = 0;
  private readonly numbers = new Map<Space, number>();
  private readonly driver: Driver<number>;

  /** `cpus`: of the machine, each of which has a ring of its own for lazy DMA. */
  constructor(runners: ReadonlySet<Runner>, cpus: number, options: DriveOptions) {
    const { timeline, mapped, bound } = this;
    this.team = new Team(runners);
    this.driver = new Driver<number>(
      this.team,
      (course, base, repeat, space, { tid, at_ns }) => {
        if (options.bound === "all") this.owners[timeline.length] = this.numberOf(space);
        timeline.add(tid, at_ns, course, base, repeat);
        mapped[course] = (mapped[course] ?? 0) + repeat * space.mapped;
        bound[course] = space.bound;
      },
      options,
    );
    this.dma = new Dma(options.dma ?? "strict", timeline, this.team.courses, cpus);
  }

  /** What was not run, and how often. */
  get skipped(): ReadonlyMap<string, number> {
    return this.driver.skipped;
  }

  run(workload: Workload, progress?: (operations: number) => void): void {
    for (const operation of workload.operations) {
      this.step(operation);
      this.operations++;
      if (this.operations % PROGRESS_EVERY === 0) progress?.(this.operations);
    }
  }

  private step(operation: Operation): void {
    const { call, tid, at_ns } = operation;
    if (call.call === "dma_map") return this.dma.map(tid, at_ns, call.pages);
    if (call.call === "dma_unmap") {
      const iova = Math.floor((call.iova ?? 0) / PAGE_SIZE);
      return this.dma.unmap(tid, at_ns, call.pages, iova);
    }
    this.driver.step(operation);
    if (call.call !== "device") return;
    const space = this.driver.space(operation.pid);
    if (!space.bound) return;
    const [lo, hi] = [
      Math.floor(call.span.start / PAGE_SIZE),
      Math.ceil(call.span.end / PAGE_SIZE),
    ];
    const { device } = call;
    this.uses.push({ at: this.timeline.length, space: this.numberOf(space), device, lo, hi });
  }

  private numberOf(space: Space): number {
    const number = this.numbers.get(space) ?? this.numbers.size;
    this.numbers.set(space, number);
    return number;
  }
}
