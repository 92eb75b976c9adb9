// SPDX-License-Identifier: Apache-2.0
// Batched flushes and frees: mm/mmu_gather.c and include/asm-generic/tlb.h, 6.1 and 6.12.

import { eq, FALSE, num, sub } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, forall, leave, loop, set, when } from "../../ir/stmt.ts";
import { t } from "../../vocabulary/sorts.ts";
import { gather_page, gather_table } from "../state.ts";
import { free_table, put_page } from "./page_alloc.ts";

const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/**
 * The end of a vma's entries, those of `range` cleared or changed. The result is what is left to
 * tlb_finish_mmu() to flush: nothing, or with MMU_GATHER_MERGE_VMAS all of it.
 */
export const tlb_end_vma = declare("tlb_end_vma", ranged, t.range);
/**
 * Flushes what tlb_end_vma() left, and what freed tables left behind; `tables` ends one page into
 * the last table.
 */
export const tlb_finish_mmu = declare("tlb_finish_mmu", { ...ranged, tables: t.range });
/** Gives queued pages and tables back. */
export const tlb_flush_mmu_free = declare("tlb_flush_mmu_free", { cpu: t.cpu });

export const mmu_gather = [
  define(tlb_flush_mmu_free, {
    source: {
      file: "mm/mmu_gather.c",
      function: "tlb_table_flush, tlb_batch_pages_flush",
      sha: { "6.1": "d0aa1a98442b", "6.12": "9d5601ede8d4" },
    },
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
