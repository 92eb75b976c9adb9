// SPDX-License-Identifier: Apache-2.0
// The flush of a gather: arch/x86/include/asm/tlb.h, with MMU_GATHER_MERGE_VMAS, 6.1 and 6.12.

import type { Expr } from "../../../../ir/expr.ts";
import { FALSE, ite, lt, not, or, TRUE } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import { call, callInto, label, ret, set, since, when } from "../../../../ir/stmt.ts";
import { EMPTY, Range, t, WHOLE_MM } from "../../../../vocabulary/sorts.ts";
import {
  dec_tlb_flush_pending,
  mm_tlb_flush_nested,
  tlb_end_vma,
  tlb_finish_mmu,
  tlb_flush_mmu_tlbonly,
} from "../../../mm/mmu_gather.ts";
import { mmu_notifier_invalidate_range } from "../../../mm/mmu_notifier.ts";
import { flush_tlb_mm_range } from "../mm/tlb.ts";

/** The smallest range that holds both, neither of them empty. */
const hull = (a: Expr<"range">, b: Expr<"range">): Expr<"range"> =>
  Range.make(
    ite(lt(Range.lo(a), Range.lo(b)), Range.lo(a), Range.lo(b)),
    ite(lt(Range.hi(a), Range.hi(b)), Range.hi(b), Range.hi(a)),
  );

export const tlb = [
  define(tlb_end_vma, {
    source: {
      file: "include/asm-generic/tlb.h",
      sha: { "6.1": "fe0c3bbac75d", "6.12": "fe0c3bbac75d" },
    },
    abstracts: ["PFN mappings, which flush here"],
    body: ({ range }) => [ret(range)],
  }),
  define(tlb_flush_mmu_tlbonly, {
    source: {
      file: "include/asm-generic/tlb.h, arch/x86/include/asm/tlb.h",
      function: "tlb_flush_mmu_tlbonly, tlb_flush",
      sha: { "6.1": "c368aa70aac1", "6.12": "cc4ff1c25d42" },
    },
    body: ({ cpu, mm, range }) => [
      call(flush_tlb_mm_range, { ...{ cpu, mm, range, all: FALSE }, freed_tables: FALSE }),
      since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range })]),
    ],
  }),
  define(tlb_finish_mmu, {
    source: {
      file: "mm/mmu_gather.c, include/asm-generic/tlb.h, arch/x86/include/asm/tlb.h",
      function: "tlb_finish_mmu, tlb_flush_mmu_tlbonly, tlb_flush",
      sha: { "6.1": "c9dc6ccafb2a", "6.12": "0a7c50686b3b" },
    },
    locals: { nested: t.bool, whole: t.range },
    body: ({ cpu, mm, range, tables, nested, whole }) => [
      callInto(nested, mm_tlb_flush_nested, { mm }),
      label(
        "nested",
        when(
          nested,
          call(flush_tlb_mm_range, {
            ...{ cpu, mm, range: WHOLE_MM, all: TRUE, freed_tables: TRUE },
          }),
          since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range: EMPTY })]),
          call(dec_tlb_flush_pending, { mm }),
          ret(),
        ),
      ),
      when(
        or(not(Range.empty(range)), not(Range.empty(tables))),
        set(
          whole,
          ite(Range.empty(tables), range, ite(Range.empty(range), tables, hull(range, tables))),
        ),
        label(
          "flush",
          call(flush_tlb_mm_range, {
            ...{ cpu, mm, range: whole, all: FALSE },
            freed_tables: not(Range.empty(tables)),
          }),
        ),
        since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range: whole })]),
      ),
      call(dec_tlb_flush_pending, { mm }),
    ],
  }),
];
