// SPDX-License-Identifier: Apache-2.0
// The flushes of a gather: arch/arm64/include/asm/tlb.h, include/asm-generic/tlb.h, 6.1 and 6.12.

import type { Expr } from "../../../../ir/expr.ts";
import { after, and, FALSE, limit, not, TRUE } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import type { Stmt } from "../../../../ir/stmt.ts";
import {
  atomic,
  call,
  callInto,
  label,
  ret,
  set,
  since,
  when,
  whenElse,
} from "../../../../ir/stmt.ts";
import { EMPTY, Range, t, va } from "../../../../vocabulary/sorts.ts";
import { flush_tlb_mm } from "../../../asm/tlbflush.ts";
import { HUGE } from "../../../mm/huge_memory.ts";
import {
  dec_tlb_flush_pending,
  mm_tlb_flush_nested,
  tlb_end_vma,
  tlb_finish_mmu,
  tlb_flush_mmu_tlbonly,
} from "../../../mm/mmu_gather.ts";
import { tlb_table_invalidate } from "../../../mm/mmu_gather-full.ts";
import { mmu_notifier_invalidate_range } from "../../../mm/mmu_notifier.ts";
import { gather_fullmm, gather_pmds, gather_ptes } from "../../../state.ts";
import { __flush_tlb_range } from "./tlbflush.ts";

/** The gather's range ends one page into the last table; the CPU's flush rounds it up. */
const roundedUp = (tables: Expr<"range">): Expr<"range"> =>
  Range.make(Range.lo(tables), after(va, Range.hi(tables), limit("PTRS_PER_PTE_MINUS_1")));

/** tlb_flush(), by huge pages if nothing else was cleared: tlb_get_unmap_size(). */
const flushed = (cpu: Expr<"cpu">, mm: Expr<"mm">, range: Expr<"range">): Stmt[] => [
  call(__flush_tlb_range, {
    ...{ cpu, mm, range, last_level: TRUE },
    by_table: and(HUGE, gather_pmds(cpu), not(gather_ptes(cpu))),
  }),
  since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range })]),
  // __tlb_reset_range()
  when(HUGE, atomic(set(gather_pmds(cpu), FALSE), set(gather_ptes(cpu), FALSE))),
];

export const tlb = [
  define(tlb_end_vma, {
    source: {
      file: "include/asm-generic/tlb.h",
      function: "tlb_end_vma, tlb_flush_mmu_tlbonly",
      sha: { "6.1": "56631fec5fe7", "6.12": "7d4a40bfb238" },
    },
    body: ({ cpu, mm, range }) => [
      when(not(Range.empty(range)), ...flushed(cpu, mm, range)),
      ret(EMPTY),
    ],
  }),
  define(tlb_flush_mmu_tlbonly, {
    source: {
      file: "include/asm-generic/tlb.h, arch/arm64/include/asm/tlb.h",
      function: "tlb_flush_mmu_tlbonly, tlb_flush",
      sha: { "6.1": "ef4aa4498a71", "6.12": "18bada67e6a8" },
    },
    body: ({ cpu, mm, range }) => [
      // fullmm without freed tables: nobody uses the ASID again.
      when(and(not(gather_fullmm(cpu)), not(Range.empty(range))), ...flushed(cpu, mm, range)),
    ],
  }),
  define(tlb_table_invalidate, {
    source: {
      file: "mm/mmu_gather.c, include/asm-generic/tlb.h, arch/arm64/include/asm/tlb.h",
      function: "tlb_table_invalidate, tlb_flush_mmu_tlbonly, tlb_flush",
      sha: { "6.1": "b77a656f9bec", "6.12": "1b7a83a7e97c" },
    },
    body: ({ cpu, mm, tables }) => [
      whenElse(
        gather_fullmm(cpu),
        [call(flush_tlb_mm, { cpu, mm })],
        [
          call(__flush_tlb_range, {
            ...{ cpu, mm, range: roundedUp(tables), last_level: FALSE, by_table: TRUE },
          }),
        ],
      ),
      since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range: tables })]),
    ],
  }),
  define(tlb_finish_mmu, {
    source: {
      file: "mm/mmu_gather.c, include/asm-generic/tlb.h, arch/arm64/include/asm/tlb.h",
      function: "tlb_finish_mmu, tlb_flush_mmu_tlbonly, tlb_flush",
      sha: { "6.1": "fc127aeaa1bc", "6.12": "b0917e4c98bd" },
    },
    locals: { nested: t.bool },
    body: ({ cpu, mm, tables, nested }) => [
      callInto(nested, mm_tlb_flush_nested, { mm }),
      label(
        "nested",
        when(
          nested,
          // fullmm and freed_tables: what the other gather cleared is not to be seen any more.
          call(flush_tlb_mm, { cpu, mm }),
          // The range that was reset has no page.
          since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range: EMPTY })]),
          call(dec_tlb_flush_pending, { mm }),
          ret(),
        ),
      ),
      when(
        not(Range.empty(tables)),
        call(__flush_tlb_range, {
          ...{ cpu, mm, range: roundedUp(tables), last_level: FALSE, by_table: TRUE },
        }),
        since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range: tables })]),
      ),
      call(dec_tlb_flush_pending, { mm }),
    ],
  }),
];
