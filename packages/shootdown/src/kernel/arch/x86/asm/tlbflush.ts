// SPDX-License-Identifier: Apache-2.0
// TLB flushes that generic code asks for: arch/x86/include/asm/tlbflush.h, 6.1 and 6.12.

import { FALSE, TRUE } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import { call, label } from "../../../../ir/stmt.ts";
import { Range, WHOLE_MM } from "../../../../vocabulary/sorts.ts";
import {
  flush_tlb_fix_spurious_fault,
  flush_tlb_mm,
  flush_tlb_page,
} from "../../../asm/tlbflush.ts";
import { flush_tlb_mm_range } from "../mm/tlb.ts";

const file = "arch/x86/include/asm/tlbflush.h";

export const tlbflush = [
  define(flush_tlb_mm, {
    source: { file },
    body: ({ cpu, mm }) => [
      call(flush_tlb_mm_range, { cpu, mm, range: WHOLE_MM, all: TRUE, freed_tables: TRUE }),
    ],
  }),
  define(flush_tlb_page, {
    source: { file },
    body: ({ cpu, mm, va }) => [
      call(flush_tlb_mm_range, {
        ...{ cpu, mm, range: Range.one(va), all: FALSE, freed_tables: FALSE },
      }),
    ],
  }),
  define(flush_tlb_fix_spurious_fault, {
    source: { file: "arch/x86/include/asm/pgtable.h", rules: ["X3"] },
    body: () => [label("nothing")],
  }),
];
