// SPDX-License-Identifier: Apache-2.0
// What an unmap asks of an SMMUv2, for cost alone: drivers/iommu/arm/arm-smmu/arm-smmu.c before and
// after "iommu/arm-smmu: Optimize ->tlb_flush_walk()" (Ranjan, 2021), io-pgtable-arm.c.
//
//   a table goes (2 MB)   tlb_flush_walk    per page: 512 TLBIVA     after: one TLBIASID
//   pages go (less)       tlb_add_page      per page, before and after
//
// Every invalidation is a write of a register that the CPU waits for; at the end TLBSYNC is polled.

import type { ClockAct, ClockCourse } from "./clock-program.ts";

const TABLE_PAGES = 512;

export type FlushWalk = "TLBIVA" | "TLBIASID";

/** An unmap of aligned pages that were mapped one by one. */
export function smmuv2Unmap(pages: number, walk: FlushWalk): ClockCourse {
  const acts: ClockAct[] = [];
  const tables = Math.floor(pages / TABLE_PAGES);
  const single = pages - tables * TABLE_PAGES;
  for (let table = 0; table < tables; table++) {
    acts.push({ act: "pte", n: 1 });
    acts.push(writes(walk === "TLBIVA" ? TABLE_PAGES : 1), SYNC);
  }
  if (single > 0) acts.push({ act: "pte", n: single }, writes(single), SYNC);
  return { acts };
}

const SYNC: ClockAct = { act: "spend", quantity: "smmuv2_sync_ns", n: 1 };

/** All of a domain: TLBIASID. */
export const SMMUV2_ALL: readonly ClockAct[] = [writes(1), SYNC];

function writes(n: number): ClockAct {
  return { act: "spend", quantity: "smmuv2_tlbi_ns", n };
}
