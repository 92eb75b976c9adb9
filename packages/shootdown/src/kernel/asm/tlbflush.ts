// SPDX-License-Identifier: Apache-2.0
// TLB flushes that generic code asks for: what <asm/tlbflush.h> of any architecture gives.

import { declare } from "../../ir/machine.ts";
import { t } from "../../vocabulary/sorts.ts";

/** Everything of an mm, freed tables too. */
export const flush_tlb_mm = declare("flush_tlb_mm", { cpu: t.cpu, mm: t.mm });
export const flush_tlb_page = declare("flush_tlb_page", { cpu: t.cpu, mm: t.mm, va: t.va });
/** Nothing on x86, and on arm64 until 6.19. */
export const flush_tlb_fix_spurious_fault = declare("flush_tlb_fix_spurious_fault", {
  cpu: t.cpu,
  mm: t.mm,
  va: t.va,
});
