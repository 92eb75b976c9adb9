// SPDX-License-Identifier: Apache-2.0
// A gather that cannot go on gathering: mm/mmu_gather.c, include/asm-generic/tlb.h, 6.1 and 6.12.
//
//   no batch for pages   flush under the lock, free what was gathered, go on with the rest
//   no batch for tables  flush, wait for lockless walks, free this table

import type { Expr, Place } from "../../ir/expr.ts";
import { and, FALSE, not, or, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, callInto, either, label, ret, set, when } from "../../ir/stmt.ts";
import { t } from "../../vocabulary/sorts.ts";
import { is_contiguous } from "../../vocabulary/state.ts";
import { CONTPTE } from "../asm/pgtable.ts";
import { gather_table, nowait_fails } from "../state.ts";
import { FILE, flushUnderLock } from "./file-pages.ts";
import { tlb_remove_table_sync_one } from "./gup.ts";
import { pte_offset_map_lock, spin_unlock_ptl } from "./mmap_lock.ts";
import { tlb_flush_mmu_free } from "./mmu_gather.ts";
import { free_table } from "./page_alloc.ts";
import { flush_tlb_batched_pending } from "./rmap.ts";

/** Whether allocations that must not wait may fail: elsewhere it costs nothing. */
export const NOWAIT_FAILS = varies(nowait_fails);

/** `fail_page_alloc=`: from here on allocations fail that do not wait. */
export const setup_fail_page_alloc = declare("setup_fail_page_alloc", {});
/** Whether there is place for more pages. */
export const tlb_next_batch = declare("tlb_next_batch", {}, t.bool);
/** Flushes what freed tables left behind; `tables` ends one page into the last one. */
export const tlb_table_invalidate = declare("tlb_table_invalidate", {
  ...{ cpu: t.cpu, mm: t.mm, tables: t.range },
});
/** Queues a table; false: there was no place, nothing may walk it any more, and it is freed. */
export const tlb_remove_table = declare(
  "tlb_remove_table",
  { cpu: t.cpu, mm: t.mm, table: t.table, tables: t.range },
  t.bool,
);

/** The batch is full: what was gathered is flushed under the lock, and freed. */
export const forceFlush = (
  { cpu, mm, va: at }: { cpu: Expr<"cpu">; mm: Expr<"mm">; va: Expr<"va"> },
  gathered: Place<"range">,
  { more, force_flush }: { more: Place<"bool">; force_flush: Place<"bool"> },
): Stmt[] => [
  callInto(more, tlb_next_batch, {}),
  when(
    // A group is queued as one, behind its last entry.
    not(or(more, and(CONTPTE, is_contiguous(at)))),
    label("batch-full", ...flushUnderLock(cpu, mm, gathered)),
    call(spin_unlock_ptl, { mm }),
    call(tlb_flush_mmu_free, { cpu }),
    when(FILE, set(force_flush, FALSE)),
    call(pte_offset_map_lock, { cpu, mm }),
    call(flush_tlb_batched_pending, { cpu, mm }),
  ),
];

export const mmu_gather_full = [
  define(setup_fail_page_alloc, {
    source: {
      file: "mm/page_alloc.c, mm/fail_page_alloc.c",
      sha: { "6.1": "0f6dabc98659", "6.12": "0f6dabc98659" },
    },
    abstracts: ["all that may wait does not fail"],
    body: () => [set(nowait_fails(), TRUE)],
  }),
  define(tlb_next_batch, {
    source: { file: "mm/mmu_gather.c", sha: { "6.1": "9b5cde5519b3", "6.12": "df1935ef3ce9" } },
    abstracts: ["a page fills its batch, or not"],
    locals: { more: t.bool },
    body: ({ more }) => [either([set(more, TRUE)], [set(more, not(nowait_fails()))]), ret(more)],
  }),
  define(tlb_remove_table, {
    source: {
      file: "mm/mmu_gather.c",
      function: "tlb_remove_table, tlb_remove_table_one",
      sha: { "6.1": "da3428260f99", "6.12": "da3428260f99" },
    },
    body: ({ cpu, mm, table, tables }) => [
      either(
        [set(gather_table(cpu, table), TRUE), ret(TRUE)],
        [
          label("flush", call(tlb_table_invalidate, { cpu, mm, tables })),
          // tlb_remove_table_one()
          label("sync", call(tlb_remove_table_sync_one, { cpu })),
          call(free_table, { table }),
        ],
      ),
      ret(FALSE),
    ],
  }),
];
