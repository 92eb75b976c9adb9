// SPDX-License-Identifier: Apache-2.0
// Where a page is mapped: mm/page_vma_mapped.c, 6.1 and 6.12.
//
// The reverse map is every place of every mm whose entry holds the page. A table is freed only
// after anon_vma or i_mmap was taken for writing, which walkers hold: they see the table with its
// entries, or no table. Here the two are read in one step.

import type { Expr, Place } from "../../ir/expr.ts";
import { and, eq, FALSE, ite, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, call, ret, set, when, whenElse } from "../../ir/stmt.ts";
import { pieceOf } from "../../vocabulary/blocks.ts";
import type { Desc } from "../../vocabulary/descriptor.ts";
import { desc, isTable, PTE_NONE, pfnOf } from "../../vocabulary/descriptor.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import { pmd_trans_huge, pte_present } from "../asm/pgtable.ts";
import {
  is_device_exclusive_entry,
  is_device_private_entry,
  is_migration_entry,
} from "../swapops.ts";
import { HUGE } from "./huge_memory.ts";
import { spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";

/** Whether a place maps the page; if so, the page-table lock is held. */
export const page_vma_mapped_walk = declare(
  "page_vma_mapped_walk",
  {
    ...{ mm: t.mm, va: t.va, frame: t.pfn },
    /** PVMW_SYNC: never without the lock. */
    sync: t.bool,
    /** PVMW_MIGRATION: migration entries of the page, not mappings. */
    migration: t.bool,
  },
  t.bool,
);

/** Whether a huge page maps the page at a place; if so, the page-table lock is held. */
export const page_vma_mapped_walk_pmd = declare(
  "page_vma_mapped_walk_pmd",
  { mm: t.mm, va: t.va, frame: t.pfn },
  t.bool,
);

/** check_pmd() */
const pmdHolds = (upper: Desc, va: Expr<"va">, frame: Expr<"pfn">): Expr<"bool"> =>
  and(pmd_trans_huge(upper), eq(pfnOf(pieceOf(upper, va)), frame));

/** check_pte() */
const holds = (e: Desc, frame: Expr<"pfn">, migration: Expr<"bool">): Expr<"bool"> =>
  and(
    eq(pfnOf(e), frame),
    ite(
      migration,
      or(is_migration_entry(e), is_device_exclusive_entry(e)),
      or(pte_present(e), is_device_private_entry(e), is_device_exclusive_entry(e)),
    ),
  );

/** The entry of a place, none where there is no table. */
export const readEntry = (
  entry: Place<"desc">,
  upper: Place<"desc">,
  mm: Expr<"mm">,
  va: Expr<"va">,
): Stmt =>
  atomic(
    set(upper, pmd(mm, regionOf(va))),
    set(entry, PTE_NONE),
    when(isTable(upper), set(entry, pte(mm, va))),
  );

/** The entry of a page, or that of the huge page it lies in. */
export const entryOf = (mm: Expr<"mm">, va: Expr<"va">, into: Place<"desc">): Stmt[] => [
  whenElse(
    and(HUGE, not(isTable(pmd(mm, regionOf(va))))),
    [set(into, pmd(mm, regionOf(va)))],
    [set(into, pte(mm, va))],
  ),
];

export const page_vma_mapped = [
  define(page_vma_mapped_walk, {
    source: {
      file: "mm/page_vma_mapped.c",
      function: "page_vma_mapped_walk, map_pte, check_pte",
      sha: { "6.1": "738b5aa49bfa", "6.12": "a741b6c0eaab" },
    },
    abstracts: [
      "huge pages: page_vma_mapped_walk_pmd()",
      "which vma a page can be in: every place is looked at",
    ],
    locals: { entry: desc, upper: desc },
    body: ({ mm, va, frame, sync, migration, entry, upper }) => [
      when(
        not(sync),
        readEntry(entry, upper, mm, va),
        when(not(holds(entry, frame, migration)), ret(FALSE)),
      ),
      call(spin_lock_ptl, { mm }),
      readEntry(entry, upper, mm, va),
      when(not(holds(entry, frame, migration)), call(spin_unlock_ptl, { mm }), ret(FALSE)),
      ret(TRUE),
    ],
  }),
  define(page_vma_mapped_walk_pmd, {
    source: {
      file: "mm/page_vma_mapped.c",
      function: "page_vma_mapped_walk, check_pmd",
      sha: { "6.1": "98d550867f02", "6.12": "f6d42aa763ac" },
    },
    abstracts: ["migration entries of huge pages", "any page of a huge page stands for it"],
    locals: { upper: desc },
    body: ({ mm, va, frame, upper }) => [
      set(upper, pmd(mm, regionOf(va))),
      when(not(pmdHolds(upper, va, frame)), ret(FALSE)),
      call(spin_lock_ptl, { mm }),
      set(upper, pmd(mm, regionOf(va))),
      when(not(pmdHolds(upper, va, frame)), call(spin_unlock_ptl, { mm }), ret(FALSE)),
      ret(TRUE),
    ],
  }),
];
