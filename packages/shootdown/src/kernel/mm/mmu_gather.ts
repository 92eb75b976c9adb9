// SPDX-License-Identifier: Apache-2.0
// Batched flushes: mm/mmu_gather.c and include/asm-generic/tlb.h, 6.1 and 6.12.

import { after, eq, FALSE, limit, not, num, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, forall, leave, loop, set, since, when } from "../../ir/stmt.ts";
import { Range, t, va } from "../../vocabulary/sorts.ts";
import { __flush_tlb_range } from "../arch/arm64/asm/tlbflush.ts";
import { gather_page, gather_table } from "../state.ts";
import { mmu_notifier_invalidate_range } from "./mmu_notifier.ts";
import { free_table, put_page } from "./page_alloc.ts";

const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** Flushes what a vma's entries left behind: leaf entries of `range`. */
export const tlb_end_vma = declare("tlb_end_vma", ranged);
/** Flushes what freed tables left behind; `range` ends one page into the last table. */
export const tlb_flush_tables = declare("tlb_flush_tables", ranged);
/** Gives queued pages and tables back. */
export const tlb_flush_mmu_free = declare("tlb_flush_mmu_free", { cpu: t.cpu });

export const mmu_gather = [
  define(tlb_end_vma, {
    source: {
      file: "include/asm-generic/tlb.h",
      function: "tlb_end_vma, tlb_flush_mmu_tlbonly",
      sha: { "6.1": "fe0c3bbac75d", "6.12": "fe0c3bbac75d" },
    },
    body: ({ cpu, mm, range }) => [
      when(
        not(Range.empty(range)),
        call(__flush_tlb_range, { cpu, mm, range, last_level: TRUE, by_table: FALSE }),
        since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range })]),
      ),
    ],
  }),
  define(tlb_flush_tables, {
    source: { file: "mm/mmu_gather.c", function: "tlb_finish_mmu, tlb_flush_mmu_tlbonly" },
    abstracts: ["another gather in flight"],
    body: ({ cpu, mm, range }) => [
      when(
        not(Range.empty(range)),
        // The gather's range ends one page into the last table; the CPU's flush rounds it up.
        call(__flush_tlb_range, {
          cpu,
          mm,
          range: Range.make(
            Range.lo(range),
            after(va, Range.hi(range), limit("PTRS_PER_PTE_MINUS_1")),
          ),
          last_level: FALSE,
          by_table: TRUE,
        }),
        since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range })]),
      ),
    ],
  }),
  define(tlb_flush_mmu_free, {
    source: { file: "mm/mmu_gather.c", function: "tlb_table_flush, tlb_batch_pages_flush" },
    body: ({ cpu }) => [
      forall(t.table, (table) => [
        when(
          gather_table(cpu, table),
          set(gather_table(cpu, table), FALSE),
          call(free_table, { table }),
        ),
      ]),
      forall(t.pfn, (frame) => [
        // One reference for each entry that was cleared.
        loop(
          when(eq(gather_page(cpu, frame), num(0)), leave()),
          set(gather_page(cpu, frame), sub(gather_page(cpu, frame), num(1))),
          call(put_page, { frame }),
        ),
      ]),
    ],
  }),
];
