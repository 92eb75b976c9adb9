// SPDX-License-Identifier: Apache-2.0
// TLB flushes that generic code asks for: what <asm/tlbflush.h> of any architecture gives.

import { declare } from "../../ir/machine.ts";
import { t } from "../../vocabulary/sorts.ts";

/** Everything of an mm, freed tables too. */
export const flush_tlb_mm = declare("flush_tlb_mm", { cpu: t.cpu, mm: t.mm });
export const flush_tlb_page = declare("flush_tlb_page", { cpu: t.cpu, mm: t.mm, va: t.va });
/** A range of pages, and the tables above them. */
export const flush_tlb_range = declare("flush_tlb_range", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
});
/** What a huge page maps. */
export const flush_pmd_tlb_range = declare("flush_pmd_tlb_range", flush_tlb_range.params);
/** Nothing on x86, and on arm64 until 6.19. */
export const flush_tlb_fix_spurious_fault = declare("flush_tlb_fix_spurious_fault", {
  cpu: t.cpu,
  mm: t.mm,
  va: t.va,
});

/** Whether reclaim may put its flushes of an mm off. */
export const arch_tlbbatch_should_defer = declare(
  "arch_tlbbatch_should_defer",
  { mm: t.mm },
  t.bool,
);
/** Notes a page whose entry is cleared; it may begin to flush it. */
export const arch_tlbbatch_add_pending = declare("arch_tlbbatch_add_pending", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
});
/** From here on all that this CPU noted is flushed. */
export const arch_tlbbatch_flush = declare("arch_tlbbatch_flush", { cpu: t.cpu });
/** From here on all that any CPU noted of an mm is flushed. */
export const arch_flush_tlb_batched_pending = declare("arch_flush_tlb_batched_pending", {
  ...{ cpu: t.cpu, mm: t.mm },
});
