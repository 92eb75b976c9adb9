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
  flush_tlb_range,
} from "../../../asm/tlbflush.ts";
import { flush_tlb_mm_range } from "../mm/tlb.ts";

const file = "arch/x86/include/asm/tlbflush.h";

export const tlbflush = [
  define(flush_tlb_mm, {
    source: { file, sha: { "6.1": "e7c9cd705623", "6.12": "e7c9cd705623" } },
    body: ({ cpu, mm }) => [
      call(flush_tlb_mm_range, { cpu, mm, range: WHOLE_MM, all: TRUE, freed_tables: TRUE }),
    ],
  }),
  define(flush_tlb_page, {
    source: { file, sha: { "6.1": "7b456d5638b4", "6.12": "7b456d5638b4" } },
    body: ({ cpu, mm, va }) => [
      call(flush_tlb_mm_range, {
        ...{ cpu, mm, range: Range.one(va), all: FALSE, freed_tables: FALSE },
      }),
    ],
  }),
  define(flush_tlb_range, {
    source: { file, sha: { "6.1": "a6ec1cace1fd", "6.12": "a6ec1cace1fd" } },
    body: ({ cpu, mm, range }) => [
      call(flush_tlb_mm_range, { cpu, mm, range, all: FALSE, freed_tables: FALSE }),
    ],
  }),
  define(flush_tlb_fix_spurious_fault, {
    source: {
      file: "arch/x86/include/asm/pgtable.h",
      rules: ["X3"],
      sha: { "6.1": "ed26397ef475", "6.12": "2821144aed76" },
    },
    body: () => [label("nothing")],
  }),
];
