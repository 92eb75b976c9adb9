// SPDX-License-Identifier: Apache-2.0
// Counts what courses ask for, exactly: instructions, commands, pages.

import { atcExactSpans, atcSpan, tlbInvCommands } from "../kernel/iommu/arm-smmu-v3-commands.ts";
import type { Act, CountName, Counts, Course, Pages } from "./course.ts";
import { COUNTS } from "./course.ts";
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

/** What does not depend on where the course runs, and the ranges that do. */
interface Static {
  /** In the order of COUNTS. */
  readonly counts: Float64Array;
  /** Ranges of ATC invalidations, and for how many devices. */
  readonly atc: readonly (Pages & { readonly devices: number })[];
  /** How often all of the address space is asked for, and invalidated. */
  readonly allAsked: number;
  readonly allInvalidated: number;
}

export class Counter {
  private readonly features: Features;
  private readonly known = new Map<Course, Static>();
  private readonly sums = new Float64Array(COUNTS.length);

  constructor(features: Features) {
    this.features = features;
  }

  /**
   * Adds a course that runs `repeat` times, from page `base` on, one page further each time, in a
   * space with `mapped` pages.
   */
  add(course: Course, base: number, repeat: number, mapped: number): void {
    const s = this.staticOf(course);
    this.addTimes(s, repeat, repeat * mapped);
    this.addSpans(s, base, repeat);
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
    const statics: Static[] = [];
    let spans = 0;
    for (let i = 0; i < length; i++) {
      const n = course[i]!;
      if (times[n] === 0 && courses[n]) {
        statics[n] = this.staticOf(courses[n]);
        spans += statics[n].atc.length;
      }
      times[n]! += repeat[i]!;
    }
    for (const [n, s] of statics.entries()) if (s) this.addTimes(s, times[n]!, mapped[n]!);
    if (spans === 0) return;
    for (let i = 0; i < length; i++) {
      const s = statics[course[i]!];
      if (s !== undefined && s.atc.length > 0) this.addSpans(s, base[i]!, repeat[i]!);
    }
  }

  private staticOf(course: Course): Static {
    let s = this.known.get(course);
    if (!s) this.known.set(course, (s = this.prepare(course)));
    return s;
  }

  private addTimes(s: Static, times: number, mapped: number): void {
    const { sums } = this;
    for (let n = 0; n < sums.length; n++) sums[n]! += times * s.counts[n]!;
    sums[ASKED]! += s.allAsked * mapped;
    sums[INVALIDATED]! += s.allInvalidated * mapped;
  }

  private addSpans({ atc }: Static, base: number, repeat: number): void {
    for (const { lo, hi, devices } of atc) {
      for (let n = 0; n < repeat; n++) this.addSpan(base + n + lo, base + n + hi, devices);
    }
  }

  private addSpan(lo: number, hi: number, devices: number): void {
    const { sums } = this;
    if (this.features.atcSpan === "exact") {
      sums[ATC]! += devices * atcExactSpans(lo, hi);
      sums[INVALIDATED]! += hi - lo;
    } else {
      sums[ATC]! += devices;
      sums[INVALIDATED]! += atcSpan(lo, hi);
    }
  }

  get counts(): Counts {
    return Object.fromEntries(COUNTS.map((name, n) => [name, this.sums[n]!])) as Counts;
  }

  private prepare(course: Course): Static {
    const counts = Object.fromEntries(COUNTS.map((n) => [n, 0])) as Record<CountName, number>;
    counts.steps = course.steps;
    const atc: (Pages & { devices: number })[] = [];
    let allAsked = 0;
    let allInvalidated = 0;
    const ats = course.acts.some((a) => a.act === "cmdlist" && a.op === "CMD_ATC_INV");
    const secondary = course.acts.some((a) => a.act === "cmdlist");
    const invalidated = ({ lo, hi }: Pages) => {
      if (hi === Infinity) allInvalidated++;
      else counts.pages_invalidated += hi - lo;
    };
    for (const a of course.acts) {
      this.count(a, counts);
      const flushes =
        a.act === "tlbi" || (a.act === "flush" && a.own) || (a.act === "cmdlist" && a.dma);
      if (flushes) {
        if (a.hi === Infinity) allAsked++;
        else counts.pages_asked += a.hi - a.lo;
        if (!secondary) invalidated(a);
      }
      if (a.act !== "cmdlist") continue;
      if (a.op === "CMD_ATC_INV") {
        if (a.hi === Infinity) allInvalidated++;
        else atc.push({ lo: a.lo, hi: a.hi, devices: a.devices });
      } else if (!ats && a.op.startsWith("CMD_TLBI")) invalidated(a);
    }
    const inOrder = Float64Array.from(COUNTS, (name) => counts[name]);
    return { counts: inOrder, atc, allAsked, allInvalidated };
  }

  /** One act's share of what does not depend on the place; ATC_INV of a range is added there. */
  private count(a: Act, counts: Record<CountName, number>): void {
    const { smmus } = this.features;
    const all = "hi" in a && a.hi === Infinity;
    switch (a.act) {
      case "fault":
        counts.faults++;
        return;
      case "notifier":
        counts.notifier_calls++;
        return;
      case "dsb":
        counts.dsb++;
        return;
      case "ipi":
        counts.ipi++;
        return;
      case "flush":
        if (!a.own) return;
        counts.flushes++;
        if (all) counts.full_flushes++;
        return;
      case "tlbi":
        counts.flushes++;
        counts.tlbi += a.instructions;
        if (all) counts.full_flushes++;
        return;
      case "cmdlist": {
        const isAtc = a.op === "CMD_ATC_INV";
        const each = a.dma ? 1 : smmus;
        const lists = isAtc ? Math.min(smmus, a.devices) : each;
        if (a.sync) counts.cmd_sync += lists;
        if (isAtc && all) counts.atc_inv += a.devices;
        if (isAtc && all) counts.atc_all += a.devices;
        if (!a.op.startsWith("CMD_TLBI")) return;
        if (all) counts.full_asid += each;
        counts.cmd_tlbi += each * commandsOf(a, this.features.rangeCommands);
      }
    }
  }
}

/** Commands of a list, but for ATC_INV and SYNC. */
export function commandsOf(a: Act & { act: "cmdlist" }, rangeCommands: boolean): number {
  if (a.hi === Infinity || a.hi <= a.lo) return 1;
  return tlbInvCommands(a.hi - a.lo, rangeCommands, a.dma ?? false);
}

const ASKED = COUNTS.indexOf("pages_asked");
const INVALIDATED = COUNTS.indexOf("pages_invalidated");
const ATC = COUNTS.indexOf("atc_inv");
