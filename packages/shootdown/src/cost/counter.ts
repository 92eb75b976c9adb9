// SPDX-License-Identifier: Apache-2.0
// Counts what courses ask for, exactly: instructions, commands, pages.

import { atcExactSpans, atcSpan, tlbInvCommands } from "../kernel/iommu/arm-smmu-v3-commands.ts";
import type { Act, CountName, Counts, Course, Pages } from "./course.ts";
import { NO_COUNTS } from "./course.ts";
import type { Timeline } from "./timeline.ts";

/** What of a machine changes how many commands a range becomes. */
export interface Features {
  /** SMMU_IDR3.RIL. */
  readonly rangeCommands: boolean;
  /** SMMUs that a process has devices behind; each gets its own commands. */
  readonly smmus: number;
  /** One ATC_INV that covers a range, or several that are the range. */
  readonly atcSpan: "covering" | "exact";
}

/** A range of ATC invalidations, and for how many devices. */
interface Span extends Pages {
  readonly devices: number;
}

export class Counter {
  private readonly features: Features;
  private readonly sums: Record<CountName, number> = { ...NO_COUNTS };

  constructor(features: Features) {
    this.features = features;
  }

  /**
   * Adds a course that runs `repeat` times, from page `base` on, one page further each time, in a
   * space with `mapped` pages.
   */
  add(course: Course, base: number, repeat: number, mapped: number): void {
    this.addTimes(course, repeat, repeat * mapped);
    this.addSpans(spansOf(course), base, repeat);
  }

  /**
   * Adds every operation of a timeline that has a course here, by number. `mapped`: of each course,
   * the pages of its space, added up over its repetitions.
   */
  addAll(
    timeline: Timeline,
    courses: readonly (Course | undefined)[],
    mapped: readonly number[],
  ): void {
    const { course, base, repeat, length } = timeline;
    const times = new Float64Array(courses.length);
    for (let i = 0; i < length; i++) times[course[i]!]! += repeat[i]!;
    const spans: (readonly Span[])[] = [];
    for (const [n, one] of courses.entries()) {
      if (one === undefined) continue;
      this.addTimes(one, times[n]!, mapped[n]!);
      const found = spansOf(one);
      if (found.length > 0) spans[n] = found;
    }
    if (spans.length === 0) return;
    for (let i = 0; i < length; i++) {
      const found = spans[course[i]!];
      if (found !== undefined) this.addSpans(found, base[i]!, repeat[i]!);
    }
  }

  get counts(): Counts {
    return { ...this.sums };
  }

  /** What depends on where the course runs. */
  private addSpans(spans: readonly Span[], base: number, repeat: number): void {
    const { sums } = this;
    const exact = this.features.atcSpan === "exact";
    for (const { lo, hi, devices } of spans) {
      if (hi - lo === 1) {
        // Whatever the span, a page is itself.
        sums.atc_inv += repeat * devices;
        sums.pages_invalidated += repeat;
        continue;
      }
      for (let from = base; from < base + repeat; from++) {
        sums.atc_inv += exact ? devices * atcExactSpans(from + lo, from + hi) : devices;
        sums.pages_invalidated += exact ? hi - lo : atcSpan(from + lo, from + hi);
      }
    }
  }

  /** What does not; `mapped`: pages of the space, added up over all times. */
  private addTimes({ acts, steps }: Course, times: number, mapped: number): void {
    const { sums } = this;
    const pages = ({ lo, hi }: Pages) => (hi === Infinity ? mapped : times * (hi - lo));
    let secondary = false;
    let ats = false;
    for (const a of acts) {
      if (a.act !== "cmdlist") continue;
      secondary = true;
      ats ||= a.op === "CMD_ATC_INV";
    }
    sums.steps += times * steps;
    for (const a of acts) {
      this.count(a, times);
      if (a.act === "tlbi" || (a.act === "flush" && a.own) || (a.act === "cmdlist" && a.dma)) {
        sums.pages_asked += pages(a);
        if (!secondary) sums.pages_invalidated += pages(a);
      }
      if (a.act !== "cmdlist") continue;
      const counts =
        a.op === "CMD_ATC_INV" ? a.hi === Infinity : !ats && a.op.startsWith("CMD_TLBI");
      if (counts) sums.pages_invalidated += pages(a);
    }
  }

  /** One act's share, but for pages, and ATC_INV of a range. */
  private count(a: Act, times: number): void {
    const { sums } = this;
    const { smmus } = this.features;
    const all = "hi" in a && a.hi === Infinity;
    switch (a.act) {
      case "fault":
        sums.faults += times;
        return;
      case "notifier":
        sums.notifier_calls += times;
        return;
      case "dsb":
        sums.dsb += times;
        return;
      case "ipi":
        sums.ipi += times;
        return;
      case "flush":
        if (!a.own) return;
        sums.flushes += times;
        if (all) sums.full_flushes += times;
        return;
      case "tlbi":
        sums.flushes += times;
        sums.tlbi += times * a.instructions;
        if (all) sums.full_flushes += times;
        return;
      case "cmdlist": {
        const isAtc = a.op === "CMD_ATC_INV";
        const each = a.dma ? 1 : smmus;
        const lists = isAtc ? Math.min(smmus, a.devices) : each;
        if (a.sync) sums.cmd_sync += times * lists;
        if (isAtc && all) sums.atc_inv += times * a.devices;
        if (isAtc && all) sums.atc_all += times * a.devices;
        if (!a.op.startsWith("CMD_TLBI")) return;
        if (all) sums.full_asid += times * each;
        sums.cmd_tlbi += times * each * commandsOf(a, this.features.rangeCommands);
      }
    }
  }
}

/** Ranges of ATC invalidations: what becomes of them depends on where they lie. */
const spansOf = ({ acts }: Course): readonly Span[] =>
  acts.filter((a) => a.act === "cmdlist" && a.op === "CMD_ATC_INV" && a.hi !== Infinity) as Span[];

/** Commands of a list, but for ATC_INV and SYNC. */
export function commandsOf(a: Act & { act: "cmdlist" }, rangeCommands: boolean): number {
  if (a.hi === Infinity || a.hi <= a.lo) return 1;
  return tlbInvCommands(a.hi - a.lo, rangeCommands, a.dma ?? false);
}
