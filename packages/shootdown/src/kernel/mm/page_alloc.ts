// SPDX-License-Identifier: Apache-2.0
// Frames and page-table pages come and go: mm/page_alloc.c, mm/swap.c, mm/memory.c.

import type { Expr, Place } from "../../ir/expr.ts";
import { after, eq, member, num, sub } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, emit, ret, set, when } from "../../ir/stmt.ts";
import { events } from "../../vocabulary/events.ts";
import { pfn, t } from "../../vocabulary/sorts.ts";
import { life, page_life, table_life } from "../../vocabulary/state.ts";
import { next_free_page, page_refs, zero_pfn } from "../state.ts";

export const alloc_page = declare("alloc_page", {}, t.pfn);
export const put_page = declare("put_page", { frame: t.pfn });
export const free_table = declare("free_table", { table: t.table });

/**
 * Takes frames in a row, from the next free one on. Behind the last there is one number that is no
 * frame: to hand that out exceeds the domain.
 */
export const takeFrames = (first: Place<"pfn">, count: Expr<"int">): readonly Stmt[] => [
  set(first, next_free_page()),
  set(next_free_page(), after(pfn, first, count)),
  when(eq(next_free_page(), zero_pfn()), set(first, after(pfn, zero_pfn(), num(1)))),
];

export const page_alloc = [
  define(alloc_page, {
    source: {
      file: "mm/page_alloc.c",
      function: "__alloc_pages (6.1), __alloc_pages_noprof (6.12)",
      sha: { "6.1": "bc9ab0565e4b", "6.12": "4ab46cfad5ee" },
    },
    abstracts: [
      "frames are handed out in order and never twice: an old frame is an old generation",
    ],
    locals: { frame: t.pfn },
    body: ({ frame }) => [
      atomic(
        ...takeFrames(frame, num(1)),
        set(page_life(frame), member(life, "used")),
        set(page_refs(frame), num(1)),
        emit(events.page_allocated, { frame }),
      ),
      ret(frame),
    ],
  }),
  define(put_page, {
    source: { file: "include/linux/mm.h", sha: { "6.1": "bafab4e0acac", "6.12": "0fae8a479e09" } },
    body: ({ frame }) => [
      atomic(
        set(page_refs(frame), sub(page_refs(frame), num(1))),
        when(
          eq(page_refs(frame), num(0)),
          set(page_life(frame), member(life, "freed")),
          emit(events.page_freed, { frame }),
        ),
      ),
    ],
  }),
  define(free_table, {
    source: {
      file: "mm/mmu_gather.c",
      function: "tlb_remove_table_free",
      sha: { "6.1": "4fdfe3f6aadd", "6.12": "4fdfe3f6aadd" },
    },
    abstracts: ["the RCU grace period: walkers of hardware do not take part in it"],
    body: ({ table }) => [
      atomic(set(table_life(table), member(life, "freed")), emit(events.table_freed, { table })),
    ],
  }),
];
