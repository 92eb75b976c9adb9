// SPDX-License-Identifier: Apache-2.0
// Small pages become huge ones, page tables that are empty go: mm/khugepaged.c, 6.1 and 6.12.
//
//   collapse   table ──pmdp_collapse_flush──► none ──pages copied──► block, new frames

import type { Expr } from "../../ir/expr.ts";
import { after, FALSE, limit, member, ne, not, num, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, call, callInto, each, emit, label, ret, set, since, when } from "../../ir/stmt.ts";
import { pagesOf, pieceOf } from "../../vocabulary/blocks.ts";
import { desc, isTable, nextOf, PTE_NONE, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { store_pmd, store_pte } from "../../vocabulary/primitives.ts";
import { regionOf, t, table as tableSort, va as vaSort } from "../../vocabulary/sorts.ts";
import { blocks_linked, life, page_life, pmd, pte_table } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pmd_populate,
  pmdp_collapse_flush,
  pte_mkdirty,
  pte_mkwrite,
  pte_none,
} from "../asm/pgtable.ts";
import {
  huge_pages,
  mm_alive,
  PageAnonExclusive,
  page_refs,
  pmd_huge_pte,
  VM_WRITE,
  vma,
} from "../state.ts";
import { FILE, isFilePlace } from "./file-pages.ts";
import { tlb_remove_table_sync_one } from "./gup.ts";
import { mmap_write_lock, mmap_write_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { free_table, put_page, takeFrames } from "./page_alloc.ts";

const file = "mm/khugepaged.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };
const upper = { cpu: t.cpu, mm: t.mm, region: t.region };

export const collapse_huge_page = declare("collapse_huge_page", at);
export const alloc_charge_hpage = declare("alloc_charge_hpage", { region: t.region }, t.pfn);
export const __collapse_huge_page_isolate = declare(
  "__collapse_huge_page_isolate",
  { ...upper, table: t.table },
  t.bool,
);
export const __collapse_huge_page_copy = declare("__collapse_huge_page_copy", {
  ...upper,
  table: t.table,
});
/** Until 6.5 its callee `collapse_and_free_pmd`. */
export const retract_page_tables = declare("retract_page_tables", at);

/** The frame of a page in a huge page. */
const within = (head: Expr<"pfn">, va: Expr<"va">): Expr<"pfn"> => pfnOf(pieceOf(mk_pte(head), va));

export const khugepaged = [
  define(alloc_charge_hpage, {
    source: {
      file,
      function: "alloc_charge_hpage (6.1), alloc_charge_folio (6.12)",
      sha: { "6.1": "efa23e04a84b", "6.12": "1ca8534ebfda" },
    },
    locals: { head: t.pfn },
    body: ({ region, head }) => [
      atomic(
        ...takeFrames(head, limit("PTRS_PER_PTE")),
        each(vaSort, pagesOf(region), (va) => [
          set(page_life(within(head, va)), member(life, "used")),
          set(page_refs(within(head, va)), num(1)),
          emit(events.page_allocated, { frame: within(head, va) }),
        ]),
      ),
      ret(head),
    ],
  }),
  define(collapse_huge_page, {
    source: { file, sha: { "6.1": "cc822a3a9515", "6.12": "6f3f8a6c7ce6" } },
    abstracts: [
      "the scan before it: all addresses of the table are tried",
      "anon_vma's lock: who finds pages by it finds no table",
    ],
    locals: { head: t.pfn, old: desc, entry: desc, fits: t.bool },
    body: ({ cpu, mm, va, head, old, entry, fits }) => {
      const region = regionOf(va);
      const range = pagesOf(region);
      // Statements of their own at each place.
      const giveUp = () => [
        call(mmap_write_unlock, { mm }),
        each(vaSort, range, (a) => [call(put_page, { frame: within(head, a) })]),
        ret(),
      ];
      return [
        set(blocks_linked(), TRUE),
        set(huge_pages(), TRUE),
        callInto(head, alloc_charge_hpage, { region }),
        call(mmap_write_lock, { mm }),
        // hugepage_vma_revalidate(), check_pmd_still_valid()
        set(old, pmd(mm, region)),
        when(or(not(mm_alive(mm)), not(vma(mm, va)), not(isTable(old))), ...giveUp()),
        // vma_is_anonymous(), of all addresses
        when(
          FILE,
          each(vaSort, range, (a) => [when(isFilePlace(mm, a), ...giveUp())]),
        ),
        label("start", call(mmu_notifier_invalidate_range_start, { cpu, mm, range })),
        call(spin_lock_ptl, { mm }),
        callInto(old, pmdp_collapse_flush, { cpu, mm, region }),
        call(spin_unlock_ptl, { mm }),
        label("end", call(mmu_notifier_invalidate_range_end, { cpu, mm, range })),
        // Nobody walks the table without a lock any more.
        label("sync", call(tlb_remove_table_sync_one, { cpu })),
        call(spin_lock_ptl, { mm }),
        callInto(fits, __collapse_huge_page_isolate, { cpu, mm, region, table: nextOf(old) }),
        call(spin_unlock_ptl, { mm }),
        when(
          not(fits),
          call(spin_lock_ptl, { mm }),
          call(pmd_populate, { cpu, mm, region, table: nextOf(old) }),
          call(spin_unlock_ptl, { mm }),
          ...giveUp(),
        ),
        call(__collapse_huge_page_copy, { cpu, mm, region, table: nextOf(old) }),
        set(entry, pte_mkdirty(mk_pte(head))),
        when(VM_WRITE(mm, va), set(entry, pte_mkwrite(entry))),
        call(spin_lock_ptl, { mm }),
        each(vaSort, range, (a) => [set(PageAnonExclusive(within(head, a)), TRUE)]),
        set(pmd_huge_pte(mm, region), nextOf(old)),
        // set_pmd_at()
        call(store_pmd, { cpu, mm, region, value: entry }),
        call(spin_unlock_ptl, { mm }),
        call(mmap_write_unlock, { mm }),
      ];
    },
  }),
  define(__collapse_huge_page_isolate, {
    source: { file, sha: { "6.1": "3fcf65809b7a", "6.12": "528d923a301d" } },
    abstracts: ["max_ptes_none and its like", "pages that others map too: it gives up"],
    locals: { entry: desc, refs: t.int, fits: t.bool },
    body: ({ region, table, entry, refs, fits }) => [
      set(fits, TRUE),
      each(vaSort, pagesOf(region), (va) => [
        set(entry, pte_table(table, va)),
        when(not(valid(entry)), when(not(pte_none(entry)), set(fits, FALSE))),
        when(
          valid(entry),
          set(refs, page_refs(pfnOf(entry))),
          when(ne(refs, num(1)), set(fits, FALSE)),
        ),
      ]),
      ret(fits),
    ],
  }),
  define(__collapse_huge_page_copy, {
    source: {
      file,
      function:
        "__collapse_huge_page_copy (6.1), __collapse_huge_page_copy, " +
        "__collapse_huge_page_copy_succeeded (6.12)",
      sha: { "6.1": "e783fee44e6b", "6.12": "5268c6b07b1b" },
    },
    abstracts: ["6.12 copies all pages before it clears the first entry", "poisoned pages"],
    locals: { entry: desc },
    body: ({ cpu, mm, region, table, entry }) => [
      each(vaSort, pagesOf(region), (va) => [
        set(entry, pte_table(table, va)),
        when(
          valid(entry),
          emit(events.page_copied, { frame: pfnOf(entry) }),
          // ptep_clear()
          call(store_pte, { cpu, mm, va, table, value: PTE_NONE }),
          emit(events.revoked, { mm, va, reads: TRUE }),
          call(put_page, { frame: pfnOf(entry) }),
        ),
      ]),
    ],
  }),
  define(retract_page_tables, {
    source: {
      file,
      function: "retract_page_tables, collapse_and_free_pmd (6.1), retract_page_tables (6.12)",
      sha: { "6.1": "c1d2bb45d614", "6.12": "150e5e09a37e" },
    },
    abstracts: ["one mapping of the file: this one", "mmap_write_trylock() succeeds in the end"],
    locals: { old: desc },
    body: ({ cpu, mm, va, old }) => {
      const region = regionOf(va);
      const range = pagesOf(region);
      return [
        set(huge_pages(), TRUE),
        since("6.6", [], [call(mmap_write_lock, { mm })]),
        set(old, pmd(mm, region)),
        when(not(isTable(old)), since("6.6", [], [call(mmap_write_unlock, { mm })]), ret()),
        label("start", call(mmu_notifier_invalidate_range_start, { cpu, mm, range })),
        since("6.6", [call(spin_lock_ptl, { mm })]),
        callInto(old, pmdp_collapse_flush, { cpu, mm, region }),
        since("6.6", [call(spin_unlock_ptl, { mm })]),
        // pte_free_defer() waits as long.
        label("sync", call(tlb_remove_table_sync_one, { cpu })),
        label("end", call(mmu_notifier_invalidate_range_end, { cpu, mm, range })),
        // pte_free(), pte_free_defer()
        when(
          isTable(old),
          set(pmd_huge_pte(mm, region), after(tableSort, nextOf(old), limit("SPARE_TABLES"))),
          call(free_table, { table: nextOf(old) }),
        ),
        since("6.6", [], [call(mmap_write_unlock, { mm })]),
      ];
    },
  }),
];
