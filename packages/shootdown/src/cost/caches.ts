// SPDX-License-Identifier: Apache-2.0
// What TLBs of IOMMUs and of devices hold of the accesses that a workload has, and lose.
//
//   device 0 ─► ATC ─misses─► TLB of SMMU 0        device n is behind SMMU n, modulo their number
//   device 1 ─► ATC ─misses─► TLB of SMMU 1        invalidations reach all of them

import { atcSpan } from "../kernel/iommu/arm-smmu-v3-commands.ts";
import { Contents } from "./contents.ts";
import type { Act, Course } from "./course.ts";
import type { Features, Profile } from "./profile.ts";
import type { Timeline } from "./timeline.ts";

/** An access of a device to pages, when `at` operations of the timeline were done. */
export interface Use {
  readonly at: number;
  /** Number of the address space. */
  readonly space: number;
  readonly device: number;
  readonly lo: number;
  readonly hi: number;
}

/** Entries are tagged by address space: each has its own pages, numbered from here on. */
const SPACE_PAGES = 2 ** 36;

export class Caches {
  private readonly features: Features;
  private readonly ats: boolean;
  private readonly iotlbs = new Map<number, Contents>();
  private readonly atcs = new Map<number, Contents>();

  constructor({ features, machine }: Profile) {
    this.features = features;
    this.ats = machine.split("+").includes("ats");
  }

  /**
   * `bound`: courses, by number, whose address space devices translate with; `owners`: the space of
   * each operation, by its number: 0 where nothing is given.
   */
  run(
    uses: readonly Use[],
    { course, base, repeat, length }: Timeline,
    courses: readonly (Course | undefined)[],
    bound: readonly boolean[],
    owners: readonly number[] = [],
  ): void {
    for (const [n, use] of uses.entries()) {
      this.use(use);
      const end = uses[n + 1]?.at ?? length;
      for (let i = use.at; i < end; i++) {
        const of = course[i]!;
        if (!bound[of]) continue;
        this.invalidate(owners[i] ?? 0, courses[of]!.acts, base[i]!, repeat[i]!);
      }
    }
  }

  private use({ space, device, lo, hi }: Use): void {
    const { iotlb_entries, atc_entries, smmus } = this.features;
    const [from, to] = [space * SPACE_PAGES + lo, space * SPACE_PAGES + hi];
    // What the device still has, the IOMMU is not asked for.
    if (this.ats && cacheOf(this.atcs, device, atc_entries).use(from, to) === 0) return;
    cacheOf(this.iotlbs, device % smmus, iotlb_entries).use(from, to);
  }

  private invalidate(space: number, acts: readonly Act[], base: number, repeat: number): void {
    const first = space * SPACE_PAGES;
    for (const a of acts) {
      if (a.act !== "cmdlist") continue;
      const all = a.hi === Number.POSITIVE_INFINITY || a.hi <= a.lo;
      const lo = all ? 0 : base + a.lo;
      const hi = all ? SPACE_PAGES : base + a.hi;
      const last = Math.min(hi + repeat - 1, SPACE_PAGES);
      if (a.op.startsWith("CMD_TLBI")) lose(this.iotlbs, first + lo, first + last);
      if (a.op !== "CMD_ATC_INV") continue;
      // Pages one by one are themselves, whatever covers them.
      if (hi - lo === 1) lose(this.atcs, first + lo, first + last);
      else for (let n = 0; n < repeat; n++) this.ofDevices(first, lo + n, hi + n);
    }
  }

  /** CMD_ATC_INV: what covers the range is lost. */
  private ofDevices(first: number, lo: number, hi: number): void {
    const span = this.features.atc_span === "covering" ? atcSpan(lo, hi) : 0;
    const from = span > 0 ? lo - (lo % span) : lo;
    const to = span > 0 ? from + span : hi;
    lose(this.atcs, first + from, first + Math.min(to, SPACE_PAGES));
  }

  get refills(): number {
    return refills(this.iotlbs) + refills(this.atcs);
  }

  get amounts(): Partial<Record<"iotlb_refill_ns" | "atc_refill_ns", number>> {
    const { iotlbs, atcs, ats } = this;
    return { iotlb_refill_ns: refills(iotlbs), ...(ats && { atc_refill_ns: refills(atcs) }) };
  }
}

type Numbered = Map<number, Contents>;

function cacheOf(caches: Numbered, number: number, entries: number): Contents {
  let found = caches.get(number);
  if (!found) caches.set(number, (found = new Contents(entries)));
  return found;
}

function lose(caches: Numbered, lo: number, hi: number): void {
  for (const cache of caches.values()) cache.invalidate(lo, hi);
}

const refills = (caches: Numbered): number =>
  [...caches.values()].reduce((sum, cache) => sum + cache.refills, 0);
