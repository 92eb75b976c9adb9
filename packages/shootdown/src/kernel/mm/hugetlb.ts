// SPDX-License-Identifier: Apache-2.0
// Page tables that processes share: mm/hugetlb.c, 6.1 and 6.12.
//
//   levels here are one lower: the upper entry is the PUD's, a leaf below it a page of 2 MiB

import type { Expr } from "../../ir/expr.ts";
import { add, and, eq, FALSE, not, num, or, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import {
  atomic,
  await_,
  call,
  callInto,
  each,
  emit,
  grow,
  label,
  ret,
  set,
  since,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import { pagesOf } from "../../vocabulary/blocks.ts";
import { desc, isTable, nextOf, PTE_NONE, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { store_pmd } from "../../vocabulary/primitives.ts";
import { EMPTY, Range, regionOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import { __flush_tlb_range } from "../arch/arm64/asm/tlbflush.ts";
import {
  mk_pte,
  pte_mkdirty,
  pte_mkwrite,
  pte_present,
  pte_write,
  pte_wrprotect,
  ptep_get_and_clear,
  ptep_set_access_flags,
  set_pte_at,
} from "../asm/pgtable.ts";
import { i_mmap_rwsem, PageAnonExclusive, page_refs, pt_share_count, VM_WRITE } from "../state.ts";
import { tlb_remove_table_sync_one } from "./gup.ts";
import { mmap_read_lock, mmap_read_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { alloc_page, put_page } from "./page_alloc.ts";
import { ptep_clear_flush } from "./pgtable-generic.ts";

const file = "mm/hugetlb.c";
const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** Links the table that `from` has for the same part of the file; nothing is mapped there yet. */
export const huge_pmd_share = declare("huge_pmd_share", {
  ...{ cpu: t.cpu, mm: t.mm, from: t.mm, va: t.va },
});
/** Under the page-table lock: unlinks a table that others use too; whether there was one. */
export const huge_pmd_unshare = declare(
  "huge_pmd_unshare",
  { cpu: t.cpu, mm: t.mm, va: t.va },
  t.bool,
);
/** Makes pages read-only, or takes the shared table out from under them. */
export const hugetlb_change_protection = declare("hugetlb_change_protection", ranged);
/** What the range, or the shared tables that went with it, left behind; i_mmap_rwsem is held. */
export const huge_pmd_unshare_flush = declare("huge_pmd_unshare_flush", {
  ...ranged,
  unshared: t.bool,
  /** Of one of the tables somebody is the only user now. */
  fully: t.bool,
});

/** A write fault on a private page of hugetlb. */
export const hugetlb_wp = declare("hugetlb_wp", { cpu: t.cpu, mm: t.mm, va: t.va });

/** All that the table of a range maps. */
const whole = (range: Expr<"range">): Expr<"range"> => pagesOf(regionOf(Range.lo(range)));

export const hugetlb = [
  define(huge_pmd_share, {
    source: { file, sha: { "6.1": "b03240ef9be1", "6.12": "e8a82d9a3fed" } },
    abstracts: ["which process has a table for the same part of the file"],
    locals: { upper: desc, entry: desc },
    body: ({ cpu, mm, from, va, upper, entry }) => [
      atomic(await_(not(i_mmap_rwsem())), set(i_mmap_rwsem(), TRUE)),
      set(upper, pmd(from, regionOf(va))),
      when(
        and(isTable(upper), not(valid(pmd(mm, regionOf(va))))),
        set(pt_share_count(nextOf(upper)), add(pt_share_count(nextOf(upper)), num(1))),
        call(store_pmd, { cpu, mm, region: regionOf(va), value: upper }),
        each(vaSort, pagesOf(regionOf(va)), (page) => [
          set(entry, pte(mm, page)),
          emit(events.pte_store, { cpu, mm, va: page, old: PTE_NONE, value: entry }),
        ]),
      ),
      set(i_mmap_rwsem(), FALSE),
    ],
  }),
  define(huge_pmd_unshare, {
    source: {
      file: `${file}, include/asm-generic/tlb.h`,
      function: "__huge_pmd_unshare, tlb_unshare_pmd_ptdesc",
      sha: { "6.1": "db88bb9411e7", "6.12": "ab71727edd17" },
    },
    locals: { upper: desc, entry: desc },
    body: ({ cpu, mm, va, upper, entry }) => [
      set(upper, pmd(mm, regionOf(va))),
      when(eq(pt_share_count(nextOf(upper)), num(0)), ret(FALSE)),
      atomic(
        // For this process each of the table's entries is gone.
        each(vaSort, pagesOf(regionOf(va)), (page) => [
          set(entry, pte(mm, page)),
          emit(events.pte_store, { cpu, mm, va: page, old: entry, value: PTE_NONE }),
        ]),
        call(store_pmd, { cpu, mm, region: regionOf(va), value: PTE_NONE }),
      ),
      set(pt_share_count(nextOf(upper)), sub(pt_share_count(nextOf(upper)), num(1))),
      ret(TRUE),
    ],
  }),
  define(huge_pmd_unshare_flush, {
    source: {
      file: `${file}, include/asm-generic/tlb.h`,
      function: "huge_pmd_unshare_flush, tlb_flush_unshared_tables, tlb_flush_mmu_tlbonly",
      sha: { "6.1": "a8b390d3a185", "6.12": "1a20cdfe3396" },
    },
    body: ({ cpu, mm, range, unshared, fully }) => [
      // tlb_flush_mmu_tlbonly()
      label(
        "flush",
        when(
          not(Range.empty(range)),
          call(__flush_tlb_range, {
            ...{ cpu, mm, range, last_level: not(unshared), by_table: FALSE },
          }),
          since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range })]),
        ),
      ),
      // Nobody walks a table any more that is somebody else's alone.
      label("sync", when(fully, call(tlb_remove_table_sync_one, { cpu }))),
    ],
  }),
  define(hugetlb_change_protection, {
    source: { file, sha: { "6.1": "7e233a65ac71", "6.12": "5e01b2f28e46" } },
    abstracts: ["pages become read-only", "one table", "migration and marker entries"],
    locals: { shared: t.bool, fully: t.bool, upper: desc, entry: desc, owed: t.range },
    body: ({ cpu, mm, range, shared, fully, upper, entry, owed }) => [
      // adjust_range_if_pmd_sharing_possible()
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: whole(range) }),
      atomic(await_(not(i_mmap_rwsem())), set(i_mmap_rwsem(), TRUE)),
      set(owed, EMPTY),
      set(shared, FALSE),
      set(fully, FALSE),
      call(spin_lock_ptl, { mm }),
      set(upper, pmd(mm, regionOf(Range.lo(range)))),
      when(
        isTable(upper),
        callInto(shared, huge_pmd_unshare, { cpu, mm, va: Range.lo(range) }),
        whenElse(
          shared,
          [
            set(fully, eq(pt_share_count(nextOf(upper)), num(0))),
            label("widen", set(owed, whole(range))),
          ],
          [
            each(vaSort, range, (va) => [
              set(entry, pte(mm, va)),
              when(
                pte_present(entry),
                callInto(entry, ptep_get_and_clear, { cpu, mm, va }),
                call(set_pte_at, { cpu, mm, va, entry: pte_wrprotect(entry) }),
                grow(owed, va),
              ),
            ]),
          ],
        ),
      ),
      call(spin_unlock_ptl, { mm }),
      call(huge_pmd_unshare_flush, { cpu, mm, range: owed, unshared: shared, fully }),
      set(i_mmap_rwsem(), FALSE),
      label("end", call(mmu_notifier_invalidate_range_end, { cpu, mm, range: whole(range) })),
      whenElse(
        shared,
        [each(vaSort, whole(range), (va) => [emit(events.revoked, { mm, va, reads: TRUE })])],
        [each(vaSort, owed, (va) => [emit(events.revoked, { mm, va, reads: FALSE })])],
      ),
    ],
  }),
  define(hugetlb_wp, {
    source: {
      file,
      function: "hugetlb_wp, set_huge_ptep_writable",
      sha: { "6.1": "1d41c70c5902", "6.12": "c6f7719846c8" },
    },
    abstracts: [
      "contiguous pages",
      "reservations",
      "the locks of the fault path",
      "an ATC that keeps a huge page in pieces: flush_tlb_page() tells it of the first 4 KiB",
    ],
    locals: { orig: desc, now: desc, old: desc, frame: t.pfn, refs: t.int, reuse: t.bool },
    body: ({ cpu, mm, va, orig, now, old, frame, refs, reuse }) => [
      call(mmap_read_lock, { mm }),
      call(spin_lock_ptl, { mm }),
      set(orig, PTE_NONE),
      when(isTable(pmd(mm, regionOf(va))), set(orig, pte(mm, va))),
      when(
        or(not(pte_present(orig)), pte_write(orig), not(VM_WRITE(mm, va))),
        ...[call(spin_unlock_ptl, { mm }), call(mmap_read_unlock, { mm }), ret()],
      ),
      set(reuse, PageAnonExclusive(pfnOf(orig))),
      set(refs, page_refs(pfnOf(orig))),
      when(eq(refs, num(1)), set(PageAnonExclusive(pfnOf(orig)), TRUE), set(reuse, TRUE)),
      when(
        reuse,
        // huge_ptep_set_access_flags()
        callInto(reuse, ptep_set_access_flags, {
          ...{ cpu, mm, va, entry: pte_mkwrite(pte_mkdirty(orig)), dirty: TRUE },
        }),
        ...[call(spin_unlock_ptl, { mm }), call(mmap_read_unlock, { mm }), ret()],
      ),
      set(page_refs(pfnOf(orig)), add(page_refs(pfnOf(orig)), num(1))),
      call(spin_unlock_ptl, { mm }),
      callInto(frame, alloc_page, {}),
      emit(events.page_copied, { frame: pfnOf(orig) }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      call(spin_lock_ptl, { mm }),
      set(now, PTE_NONE),
      when(isTable(pmd(mm, regionOf(va))), set(now, pte(mm, va))),
      whenElse(
        eq(now, orig),
        [
          // huge_ptep_clear_flush()
          label("flush", callInto(old, ptep_clear_flush, { cpu, mm, va })),
          since(
            "6.6",
            [],
            [call(mmu_notifier_invalidate_range, { cpu, mm, range: Range.one(va) })],
          ),
          emit(events.revoked, { mm, va, reads: TRUE }),
          set(PageAnonExclusive(frame), TRUE),
          call(set_pte_at, { cpu, mm, va, entry: pte_mkwrite(pte_mkdirty(mk_pte(frame))) }),
          call(put_page, { frame: pfnOf(orig) }),
        ],
        [call(put_page, { frame })],
      ),
      call(spin_unlock_ptl, { mm }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
      call(put_page, { frame: pfnOf(orig) }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
];
