// SPDX-License-Identifier: Apache-2.0
// Batched flushes and frees: mm/mmu_gather.c and include/asm-generic/tlb.h, 6.1 and 6.12.

import { add, eq, FALSE, lt, num, or, sub, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, call, forall, label, leave, loop, ret, set, when } from "../../ir/stmt.ts";
import { t } from "../../vocabulary/sorts.ts";
import {
  entries_protnone,
  gather_page,
  gather_table,
  gathers_nest,
  tlb_flush_pending,
} from "../state.ts";
import { tlb_remove_table_sync_one } from "./gup.ts";
import { free_table, put_page } from "./page_alloc.ts";

const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** Begins a gather: from here on entries may have changed of which nothing is flushed. */
export const tlb_gather_mmu = declare("tlb_gather_mmu", { mm: t.mm });
/** Whether another gather of this mm is under way. */
export const mm_tlb_flush_nested = declare("mm_tlb_flush_nested", { mm: t.mm }, t.bool);
export const dec_tlb_flush_pending = declare("dec_tlb_flush_pending", { mm: t.mm });

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
/** Flushes what a gather has so far, where that cannot wait. */
export const tlb_flush_mmu_tlbonly = declare("tlb_flush_mmu_tlbonly", ranged);
/** Gives queued pages and tables back. */
export const tlb_flush_mmu_free = declare("tlb_flush_mmu_free", { cpu: t.cpu });

/** Whether anybody asks what is pending: where nobody does, nobody counts. */
export const PENDING_ASKED = or(varies(gathers_nest), varies(entries_protnone));

const pendingFile = "include/linux/mm_inline.h";

export const mmu_gather = [
  define(tlb_gather_mmu, {
    source: {
      file: `mm/mmu_gather.c, ${pendingFile}`,
      function: "__tlb_gather_mmu, inc_tlb_flush_pending",
      sha: { "6.1": "699e9035e984", "6.12": "4ac9efd0c1ba" },
    },
    body: ({ mm }) => [
      when(
        PENDING_ASKED,
        label("count", atomic(set(tlb_flush_pending(mm), add(tlb_flush_pending(mm), num(1))))),
      ),
    ],
  }),
  define(mm_tlb_flush_nested, {
    source: { file: pendingFile, sha: { "6.1": "1d820b5f067e", "6.12": "1d820b5f067e" } },
    locals: { pending: t.int },
    body: ({ mm, pending }) => [
      set(pending, num(0)),
      when(PENDING_ASKED, set(pending, tlb_flush_pending(mm))),
      ret(lt(num(1), pending)),
    ],
  }),
  define(dec_tlb_flush_pending, {
    source: { file: pendingFile, sha: { "6.1": "6559f628b3b6", "6.12": "6559f628b3b6" } },
    body: ({ mm }) => [
      when(
        PENDING_ASKED,
        label("count", atomic(set(tlb_flush_pending(mm), sub(tlb_flush_pending(mm), num(1))))),
      ),
    ],
  }),
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
          // tlb_remove_table_free(): after a grace period.
          label("grace", call(tlb_remove_table_sync_one, { cpu })),
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
