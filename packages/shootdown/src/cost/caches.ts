// SPDX-License-Identifier: Apache-2.0
// What the IOMMU's TLB and the devices' hold of the accesses that a workload has, and lose.

import { Contents } from "./contents.ts";
import type { Act, Course } from "./course.ts";
import type { Profile } from "./profile.ts";
import type { Timeline } from "./timeline.ts";

/** An access of a device to pages, when `at` operations of the timeline were done. */
export interface Use {
  readonly at: number;
  readonly lo: number;
  readonly hi: number;
}

export class Caches {
  private readonly iotlb: Contents;
  private readonly atc: Contents | undefined;

  constructor({ features, machine }: Profile) {
    this.iotlb = new Contents(features.iotlb_entries);
    this.atc = machine.includes("+ats") ? new Contents(features.atc_entries) : undefined;
  }

  /** `bound`: courses, by number, whose address space devices translate with. */
  run(
    uses: readonly Use[],
    { course, base, repeat, length }: Timeline,
    courses: readonly (Course | undefined)[],
    bound: readonly boolean[],
  ): void {
    for (const [n, { at, lo, hi }] of uses.entries()) {
      this.use(lo, hi);
      const end = uses[n + 1]?.at ?? length;
      for (let i = at; i < end; i++) {
        const of = course[i]!;
        if (bound[of]) this.invalidate(courses[of]!.acts, base[i]!, repeat[i]!);
      }
    }
  }

  private use(lo: number, hi: number): void {
    // What the device still has, the IOMMU is not asked for.
    if (this.atc === undefined || this.atc.use(lo, hi) > 0) this.iotlb.use(lo, hi);
  }

  private invalidate(acts: readonly Act[], base: number, repeat: number): void {
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
