// SPDX-License-Identifier: Apache-2.0
// What the DMA API asks of an IOMMU, for cost alone: drivers/iommu/dma-iommu.c, 6.1 and 6.12.
//
//   strict        dma_unmap: descriptors, invalidate the range, CMD_SYNC       every time
//   lazy          dma_unmap: descriptors, the IOVA goes to a flush queue       every 255th: all
//   passthrough   nothing
//
// iommu_dma_unmap() -> iommu_dma_free_iova() -> queue_iova() in lazy mode: fq_full() before the
// ring of IOVA_DEFAULT_FQ_SIZE is full, as one place of it is never used; then, or 10 ms after the
// first entry (fq_flush_timeout()), fq_flush_iotlb() invalidates all of the domain.

import type { ClockAct, ClockCourse } from "./clock-program.ts";
import type { Course } from "./course.ts";
import type { Timeline } from "./timeline.ts";

export const DMA_MODES = ["strict", "lazy", "passthrough"] as const;
export type DmaMode = (typeof DMA_MODES)[number];

/** IOVA_DEFAULT_FQ_SIZE: places of a CPU's ring; one stays free. */
export const FQ_SIZE = 256;
/** IOVA_DEFAULT_FQ_TIMEOUT, 10 ms. */
export const FQ_TIMEOUT_NS = 10e6;

/** Writes the courses of maps and unmaps of one domain to a timeline. */
export class Dma {
  readonly courses: ClockCourse[];
  private readonly mode: DmaMode;
  readonly timeline: Timeline;
  private readonly known = new Map<string, number>();
  /** By number: what of each course is asked of the IOMMU. */
  readonly asked: Course[] = [];
  /** And pages that it might still translate, added up each time: mapped, or yet to be flushed. */
  readonly mapped: number[] = [];
  private held = 0;
  private queuedPages = 0;
  /** CPUs of the machine: tasks are spread over them. */
  private readonly cpus: number;
  /** Entries in each CPU's ring that no flush has freed. */
  private readonly queued = new Map<number, number>();
  /** When the timer fires, if it is on. */
  private timer = Number.POSITIVE_INFINITY;
  /** Flushes of a full ring, and of the timer. */
  flushes = { full: 0, timer: 0 };

  /** `courses`: where those of the timeline are. */
  constructor(
    mode: DmaMode,
    timeline: Timeline,
    courses: ClockCourse[] = [],
    cpus = Number.POSITIVE_INFINITY,
  ) {
    this.cpus = cpus;
    this.mode = mode;
    this.courses = courses;
    this.timeline = timeline;
  }

  map(task: number, at_ns: number, pages: number): void {
    const acts: ClockAct[] = this.mode === "passthrough" ? [] : work(pages);
    this.held += pages;
    this.add(task, at_ns, `map ${pages}`, acts, 0);
  }

  /** `iova`: its first page. */
  unmap(task: number, at_ns: number, pages: number, iova: number): void {
    if (this.mode === "passthrough") return this.add(task, at_ns, "unmap", [], iova);
    const acts = work(pages);
    if (this.mode === "strict") {
      acts.push({ ...list("CMD_TLBI_NH_VA"), lo: 0, hi: pages });
      this.add(task, at_ns, `unmap ${pages}`, acts, iova);
      this.held = Math.max(0, this.held - pages);
      return;
    }
    const full = this.queue(task, at_ns);
    if (full) acts.push(list("CMD_TLBI_NH_ASID"));
    this.add(task, at_ns, `unmap ${pages} ${full}`, acts, iova);
    if (full) this.flushed();
    const cpu = task % this.cpus;
    this.queued.set(cpu, (this.queued.get(cpu) ?? 0) + 1);
    this.queuedPages += pages;
  }

  /** queue_iova(); whether this CPU has to flush. */
  private queue(task: number, at_ns: number): boolean {
    if (at_ns >= this.timer) {
      this.flushes.timer++;
      this.add(task, this.timer, "timer", [list("CMD_TLBI_NH_ASID")], 0);
      this.flushed();
      this.timer = Number.POSITIVE_INFINITY;
    }
    const cpu = task % this.cpus;
    const full = (this.queued.get(cpu) ?? 0) === FQ_SIZE - 1;
    if (full) this.flushes.full++;
    this.timer = Math.min(this.timer, at_ns + FQ_TIMEOUT_NS);
    return full;
  }

  /** What any CPU queued before is free: fq_flush_finish_cnt is the domain's. */
  private flushed(): void {
    this.queued.clear();
    this.held = Math.max(0, this.held - this.queuedPages);
    this.queuedPages = 0;
  }

  private add(
    task: number,
    at: number,
    key: string,
    acts: readonly ClockAct[],
    base: number,
  ): void {
    let course = this.known.get(key);
    if (course === undefined) {
      course = this.courses.push({ acts }) - 1;
      this.known.set(key, course);
      this.mapped[course] = 0;
      this.asked[course] = { acts: acts.filter((a) => a.act !== "spend"), steps: 0 };
    }
    this.timeline.add(task, at, course, base);
    this.mapped[course]! += this.held;
  }
}

/** Half of what a map and an unmap are measured at, and a descriptor for each further page. */
function work(pages: number): ClockAct[] {
  const half: ClockAct = { act: "spend", quantity: "dma_work_ns", n: 0.5 };
  return pages === 1 ? [half] : [half, { act: "pte", n: pages - 1 }];
}

function list(op: string): ClockAct & { readonly act: "cmdlist" } {
  const all = { lo: 0, hi: Number.POSITIVE_INFINITY };
  return { act: "cmdlist", op, sync: true, devices: 0, dma: true, ...all };
}
