// SPDX-License-Identifier: Apache-2.0
// Unmapping a page wherever it is mapped, with flushes put off: mm/rmap.c, 6.1 and 6.12.

import type { Expr, Place } from "../../ir/expr.ts";
import { add, FALSE, ne, not, num, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, callInto, forall, label, ret, set, since, when, whenElse } from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { Range, regionOf, t } from "../../vocabulary/sorts.ts";
import { pte_accessible, pte_dirty, ptep_get_and_clear, set_pte_at } from "../asm/pgtable.ts";
import {
  arch_flush_tlb_batched_pending,
  arch_tlbbatch_add_pending,
  arch_tlbbatch_flush,
  arch_tlbbatch_should_defer,
} from "../asm/tlbflush.ts";
import {
  entries_swapped,
  PageAnonExclusive,
  PG_dirty,
  tlb_flush_batched,
  tlb_flush_batched_flushed,
  tlb_ubc_flush_required,
  tlb_ubc_writable,
} from "../state.ts";
import { make_hwpoison_entry, make_migration_entry, make_swap_entry } from "../swapops.ts";
import { folio_remove_rmap, isFilePage } from "./file-pages.ts";
import { __split_huge_pmd, __split_huge_pmd_locked, HUGE } from "./huge_memory.ts";
import { spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { put_page } from "./page_alloc.ts";
import { page_vma_mapped_walk, page_vma_mapped_walk_pmd } from "./page_vma_mapped.ts";
import { ptep_clear_flush } from "./pgtable-generic.ts";

const file = "mm/rmap.c";
const one = { cpu: t.cpu, mm: t.mm, va: t.va, frame: t.pfn };

export const try_to_unmap_flush = declare("try_to_unmap_flush", { cpu: t.cpu });
export const try_to_unmap_flush_dirty = declare("try_to_unmap_flush_dirty", { cpu: t.cpu });
export const set_tlb_ubc_flush_pending = declare("set_tlb_ubc_flush_pending", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
  entry: desc,
});
/** Waits for flushes that reclaim owes this mm; under the page-table lock. */
export const flush_tlb_batched_pending = declare("flush_tlb_batched_pending", {
  cpu: t.cpu,
  mm: t.mm,
});
/** TTU_BATCH_FLUSH, TTU_HWPOISON. */
const ttu = { batch_flush: t.bool, hwpoison: t.bool };
export const try_to_unmap = declare("try_to_unmap", { cpu: t.cpu, frame: t.pfn, ...ttu });
export const try_to_unmap_one = declare("try_to_unmap_one", { ...one, ...ttu });
export const try_to_migrate = declare("try_to_migrate", {
  ...{ cpu: t.cpu, frame: t.pfn },
  batch_flush: t.bool,
});
export const try_to_migrate_one = declare("try_to_migrate_one", { ...one, batch_flush: t.bool });

/** rmap_walk(): every place, one after the other. */
export const rmap_walk = (body: (mm: Expr<"mm">, va: Expr<"va">) => readonly Stmt[]): Stmt =>
  forall(t.mm, (mm) => [forall(t.va, (va) => [...body(mm, va)])]);

const batching = [
  define(try_to_unmap_flush, {
    source: { file, sha: { "6.1": "26fdde6b10d1", "6.12": "26fdde6b10d1" } },
    body: ({ cpu }) => [
      when(
        tlb_ubc_flush_required(cpu),
        label("flush", call(arch_tlbbatch_flush, { cpu })),
        set(tlb_ubc_flush_required(cpu), FALSE),
        set(tlb_ubc_writable(cpu), FALSE),
      ),
    ],
  }),
  define(try_to_unmap_flush_dirty, {
    source: { file, sha: { "6.1": "a4261bbf3d8b", "6.12": "a4261bbf3d8b" } },
    body: ({ cpu }) => [when(tlb_ubc_writable(cpu), call(try_to_unmap_flush, { cpu }))],
  }),
  define(set_tlb_ubc_flush_pending, {
    source: { file, sha: { "6.1": "309045ec6205", "6.12": "0cc763e80c07" } },
    abstracts: ["counters that wrap"],
    locals: { pending: t.int, accessible: t.bool },
    body: ({ cpu, mm, va, entry, pending, accessible }) => [
      callInto(accessible, pte_accessible, { cpu, mm, entry }),
      when(not(accessible), ret()),
      label("add", call(arch_tlbbatch_add_pending, { cpu, mm, va })),
      set(tlb_ubc_flush_required(cpu), TRUE),
      set(pending, tlb_flush_batched(mm)),
      set(tlb_flush_batched(mm), add(pending, num(1))),
      when(pte_dirty(entry), set(tlb_ubc_writable(cpu), TRUE)),
    ],
  }),
  define(flush_tlb_batched_pending, {
    source: { file, sha: { "6.1": "7612dcba98f9", "6.12": "117734fa1779" } },
    locals: { pending: t.int, flushed: t.int },
    body: ({ cpu, mm, pending, flushed }) => [
      set(pending, tlb_flush_batched(mm)),
      set(flushed, tlb_flush_batched_flushed(mm)),
      when(
        ne(pending, flushed),
        label("flush", call(arch_flush_tlb_batched_pending, { cpu, mm })),
        // One lock a process: nothing was added meanwhile.
        set(tlb_flush_batched_flushed(mm), pending),
      ),
    ],
  }),
];

/** Clears an entry, and flushes it or puts the flush off; the page takes over what is dirty. */
const nuke = (
  at: { cpu: Expr<"cpu">; mm: Expr<"mm">; va: Expr<"va"> },
  frame: Expr<"pfn">,
  batch_flush: Expr<"bool">,
  { old, defer }: { old: Place<"desc">; defer: Place<"bool"> },
): Stmt[] => [
  set(entries_swapped(), TRUE),
  // should_defer_flush()
  set(defer, FALSE),
  when(batch_flush, callInto(defer, arch_tlbbatch_should_defer, { mm: at.mm })),
  whenElse(
    defer,
    [
      callInto(old, ptep_get_and_clear, at),
      label("batch", call(set_tlb_ubc_flush_pending, { ...at, entry: old })),
    ],
    [label("flush", callInto(old, ptep_clear_flush, at))],
  ),
  when(pte_dirty(old), set(PG_dirty(frame), TRUE)),
];

/** Where a huge page maps the page, it becomes small ones. */
const splitHuge = (
  found: Place<"bool">,
  { cpu, ...at }: { cpu: Expr<"cpu">; mm: Expr<"mm">; va: Expr<"va">; frame: Expr<"pfn"> },
): Stmt =>
  when(
    HUGE,
    callInto(found, page_vma_mapped_walk_pmd, at),
    when(
      found,
      since(
        "6.12",
        [
          call(__split_huge_pmd_locked, { cpu, mm: at.mm, region: regionOf(at.va) }),
          call(spin_unlock_ptl, { mm: at.mm }),
        ],
        [
          call(spin_unlock_ptl, { mm: at.mm }),
          // split_huge_pmd_address()
          call(__split_huge_pmd, { cpu, mm: at.mm, va: at.va }),
        ],
      ),
    ),
  );

const unmapping = [
  define(try_to_unmap, {
    source: { file, sha: { "6.1": "756440877672", "6.12": "f9e11f3296d5" } },
    body: ({ cpu, frame, batch_flush, hwpoison }) => [
      rmap_walk((mm, va) => [
        call(try_to_unmap_one, { ...{ cpu, mm, va, frame }, batch_flush, hwpoison }),
      ]),
    ],
  }),
  define(try_to_unmap_one, {
    source: { file, sha: { "6.1": "2528cc0827a7", "6.12": "ec68c6249767" } },
    abstracts: [
      "hugetlb, mlock, userfaultfd, MADV_FREE",
      "one call of the notifiers a place",
      "a pinned exclusive page, which gets its entry back",
      "of a huge page that it splits one page is unmapped, not all",
    ],
    locals: { found: t.bool, old: desc, defer: t.bool, exclusive: t.bool },
    body: ({ cpu, mm, va, frame, batch_flush, hwpoison, found, old, defer, exclusive }) => [
      // TTU_SPLIT_HUGE_PMD
      since("6.12", [], [splitHuge(found, { cpu, mm, va, frame })]),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      since("6.12", [splitHuge(found, { cpu, mm, va, frame })], []),
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame },
        ...{ sync: FALSE, migration: FALSE },
      }),
      when(
        found,
        set(exclusive, PageAnonExclusive(frame)),
        ...nuke({ cpu, mm, va }, frame, batch_flush, { old, defer }),
        whenElse(
          hwpoison,
          [call(set_pte_at, { ...{ cpu, mm, va }, entry: make_hwpoison_entry(frame) })],
          [
            // A page of a file leaves nothing.
            when(
              not(isFilePage(frame)),
              // folio_try_share_anon_rmap_pte()
              when(exclusive, set(PageAnonExclusive(frame), FALSE)),
              call(set_pte_at, { ...{ cpu, mm, va }, entry: make_swap_entry(frame, exclusive) }),
              label("notify", secondary(cpu, mm, va)),
            ),
          ],
        ),
        folio_remove_rmap(frame),
        call(put_page, { frame }),
        call(spin_unlock_ptl, { mm }),
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
    ],
  }),
  define(try_to_migrate, {
    source: { file, sha: { "6.1": "c0587f8373ec", "6.12": "e4ff1e136d60" } },
    body: ({ cpu, frame, batch_flush }) => [
      rmap_walk((mm, va) => [call(try_to_migrate_one, { ...{ cpu, mm, va, frame }, batch_flush })]),
    ],
  }),
  define(try_to_migrate_one, {
    source: { file, sha: { "6.1": "abb1c146d572", "6.12": "2330af4056b0" } },
    abstracts: ["huge pages, pages in the memory of a device", "one call of the notifiers a place"],
    locals: { found: t.bool, old: desc, defer: t.bool, exclusive: t.bool },
    body: ({ cpu, mm, va, frame, batch_flush, found, old, defer, exclusive }) => [
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame },
        ...{ sync: FALSE, migration: FALSE },
      }),
      when(
        found,
        set(exclusive, PageAnonExclusive(frame)),
        ...nuke({ cpu, mm, va }, frame, batch_flush, { old, defer }),
        when(exclusive, set(PageAnonExclusive(frame), FALSE)),
        call(set_pte_at, { ...{ cpu, mm, va }, entry: make_migration_entry(old, exclusive) }),
        folio_remove_rmap(frame),
        call(put_page, { frame }),
        call(spin_unlock_ptl, { mm }),
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
    ],
  }),
];

/** Until 6.5 the secondary TLBs are told in the midst. */
function secondary(cpu: Expr<"cpu">, mm: Expr<"mm">, va: Expr<"va">): Stmt {
  return since("6.6", [], [call(mmu_notifier_invalidate_range, { cpu, mm, range: Range.one(va) })]);
}

export const rmap = [...batching, ...unmapping];
