// SPDX-License-Identifier: Apache-2.0
// Faults, copy on write and fork's copy: mm/memory.c, 6.1 and 6.12.

import type { Expr } from "../../ir/expr.ts";
import { add, and, eq, FALSE, lt, ne, not, num, or, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  call,
  callInto,
  each,
  emit,
  label,
  ret,
  set,
  since,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import { desc, isTable, PTE_NONE, pfnOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { observe_stores } from "../../vocabulary/primitives.ts";
import { Range, region, regionOf, regionsOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pmd_trans_huge,
  pte_mkdirty,
  pte_mkwrite,
  pte_mkyoung,
  pte_none,
  pte_present,
  pte_protnone,
  pte_write,
  ptep_set_access_flags,
  readPte,
  set_pte_at,
  wrprotectPtes,
} from "../asm/pgtable.ts";
import { flush_tlb_fix_spurious_fault, flush_tlb_page } from "../asm/tlbflush.ts";
import {
  is_file_page,
  is_zero_page,
  PageAnonExclusive,
  page_refs,
  tlb_flush_pending,
  VM_NONE,
  VM_SHARED,
  VM_WRITE,
  vm_file,
  vmas_uffd_wp,
  zero_pfn,
} from "../state.ts";
import {
  copiedAway,
  do_fault,
  FILE,
  folio_remove_rmap,
  isFilePage,
  isSharedPlace,
  tableOr,
  wp_page_reuse,
  wp_page_shared,
} from "./file-pages.ts";
import {
  __pte_alloc,
  copy_huge_pmd,
  do_huge_pmd_numa_page,
  do_huge_pmd_wp_page,
  HUGE,
  huge_pmd_set_accessed,
} from "./huge_memory.ts";
import { do_numa_page, PROTNONE } from "./mempolicy.ts";
import { spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_change_pte,
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { alloc_page, put_page } from "./page_alloc.ts";
import { ptep_clear_flush, ptep_clear_flush_notify } from "./pgtable-generic.ts";
import { stableOr } from "./stable.ts";
import { copy_nonpresent_pte, do_swap_page, SWAPPED } from "./swapin.ts";

const file = "mm/memory.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };

export const handle_mm_fault = declare("handle_mm_fault", { ...at, write: t.bool });
export const handle_pte_fault = declare("handle_pte_fault", { ...at, write: t.bool });
export const do_anonymous_page = declare("do_anonymous_page", { ...at, write: t.bool });
export const do_wp_page = declare("do_wp_page", { ...at, orig: desc });
export const wp_page_copy = declare("wp_page_copy", { ...at, orig: desc });
export const copy_page_range = declare("copy_page_range", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
});
/** `range`: all that is copied, of which this is one entry. */
export const copy_present_pte = declare("copy_present_pte", { ...at, range: t.range });
/** The end of a notified page whose callback was made already: 6.1 has a form that makes none. */
const onlyEnd = (cpu: Expr<"cpu">, mm: Expr<"mm">, va: Expr<"va">): Stmt[] => [
  since(
    "6.6",
    [call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) })],
    [call(mmu_notifier_invalidate_range_only_end, { cpu, mm, range: Range.one(va) })],
  ),
];

export const memory = [
  define(handle_mm_fault, {
    source: { file, sha: { "6.1": "ee088dae6d74", "6.12": "a73a0ba7e55d" } },
    abstracts: ["page tables exist wherever a vma is", "migration entries of huge pages"],
    locals: { orig: desc, fallback: t.bool },
    body: ({ cpu, mm, va, write, orig, fallback }) => [
      when(
        HUGE,
        set(orig, pmd(mm, regionOf(va))),
        when(pte_none(orig), call(__pte_alloc, { cpu, mm, va })),
        when(
          pmd_trans_huge(orig),
          when(pte_protnone(orig), call(do_huge_pmd_numa_page, { cpu, mm, va, orig }), ret()),
          when(
            or(not(write), pte_write(orig)),
            call(huge_pmd_set_accessed, { cpu, mm, va, orig, write }),
            ret(),
          ),
          callInto(fallback, do_huge_pmd_wp_page, { cpu, mm, va, orig }),
          when(not(fallback), ret()),
        ),
      ),
      call(handle_pte_fault, { cpu, mm, va, write }),
    ],
  }),
  define(handle_pte_fault, {
    source: { file, sha: { "6.1": "2bdfd1d7ee2c", "6.12": "512f3c2abe70" } },
    locals: { orig: desc, now: desc, entry: desc, changed: t.bool },
    body: ({ cpu, mm, va, write, orig, now, entry, changed }) => [
      ...tableOr(mm, va, [ret()]),
      readPte(orig, mm, va),
      when(
        SWAPPED,
        when(
          and(not(pte_present(orig)), not(pte_none(orig))),
          ...[call(do_swap_page, { cpu, mm, va, orig, write }), ret()],
        ),
      ),
      when(
        PROTNONE,
        when(
          and(pte_protnone(orig), not(VM_NONE(mm, va))),
          call(do_numa_page, { cpu, mm, va, orig }),
          ret(),
        ),
      ),
      when(
        not(pte_present(orig)),
        when(FILE, when(vm_file(mm, va), call(do_fault, { cpu, mm, va, write }), ret())),
        ...[call(do_anonymous_page, { cpu, mm, va, write }), ret()],
      ),
      call(spin_lock_ptl, { mm }),
      ...tableOr(mm, va, [call(spin_unlock_ptl, { mm }), ret()]),
      readPte(now, mm, va),
      when(ne(now, orig), call(spin_unlock_ptl, { mm }), ret()),
      set(entry, orig),
      when(
        write,
        when(not(pte_write(entry)), call(do_wp_page, { cpu, mm, va, orig }), ret()),
        set(entry, pte_mkdirty(entry)),
      ),
      set(entry, pte_mkyoung(entry)),
      callInto(changed, ptep_set_access_flags, { cpu, mm, va, entry, dirty: write }),
      when(not(changed), when(write, call(flush_tlb_fix_spurious_fault, { cpu, mm, va }))),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
  define(do_anonymous_page, {
    source: { file, sha: { "6.1": "c88d0e03b923", "6.12": "c47c76455587" } },
    locals: { frame: t.pfn, now: desc, entry: desc },
    body: ({ cpu, mm, va, write, frame, now, entry }) => [
      when(
        not(write),
        call(spin_lock_ptl, { mm }),
        ...tableOr(mm, va, [call(spin_unlock_ptl, { mm }), ret()]),
        set(now, pte(mm, va)),
        ...stableOr(mm, [call(spin_unlock_ptl, { mm }), ret()]),
        when(pte_none(now), call(set_pte_at, { cpu, mm, va, entry: mk_pte(zero_pfn()) })),
        call(spin_unlock_ptl, { mm }),
        ret(),
      ),
      // It would be given back: frames of a model are few.
      ...stableOr(mm, [ret()]),
      callInto(frame, alloc_page, {}),
      call(spin_lock_ptl, { mm }),
      ...tableOr(mm, va, [call(spin_unlock_ptl, { mm }), call(put_page, { frame }), ret()]),
      set(now, pte(mm, va)),
      when(
        not(pte_none(now)),
        ...[call(spin_unlock_ptl, { mm }), call(put_page, { frame }), ret()],
      ),
      ...stableOr(mm, [call(spin_unlock_ptl, { mm }), call(put_page, { frame }), ret()]),
      set(PageAnonExclusive(frame), TRUE),
      set(entry, pte_mkdirty(mk_pte(frame))),
      when(VM_WRITE(mm, va), set(entry, pte_mkwrite(entry))),
      call(set_pte_at, { cpu, mm, va, entry }),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
  define(do_wp_page, {
    source: { file, sha: { "6.1": "f58be69b7ed8", "6.12": "f9ac6d87a007" } },
    abstracts: ["the swap cache and KSM", "pages without a struct page in shared mappings"],
    locals: { zero: t.bool, reuse: t.bool, refs: t.int },
    body: ({ cpu, mm, va, orig, zero, reuse, refs }) => [
      set(zero, is_zero_page(pfnOf(orig))),
      label(
        "uffd-wp",
        when(
          varies(vmas_uffd_wp),
          call(observe_stores, { cpu }),
          when(lt(num(0), tlb_flush_pending(mm)), call(flush_tlb_page, { cpu, mm, va })),
        ),
      ),
      when(FILE, when(VM_SHARED(mm, va), call(wp_page_shared, { cpu, mm, va, orig }), ret())),
      when(
        not(zero),
        label(
          "exclusive",
          set(reuse, PageAnonExclusive(pfnOf(orig))),
          when(
            and(not(reuse), not(isFilePage(pfnOf(orig)))),
            set(refs, page_refs(pfnOf(orig))),
            when(eq(refs, num(1)), set(PageAnonExclusive(pfnOf(orig)), TRUE), set(reuse, TRUE)),
          ),
        ),
        when(reuse, call(wp_page_reuse, { cpu, mm, va, orig }), ret()),
        set(page_refs(pfnOf(orig)), add(page_refs(pfnOf(orig)), num(1))),
      ),
      call(spin_unlock_ptl, { mm }),
      call(wp_page_copy, { cpu, mm, va, orig }),
    ],
  }),
  define(wp_page_reuse, {
    source: { file, sha: { "6.1": "fbf6b4c0377b", "6.12": "f0409016a160" } },
    locals: { changed: t.bool },
    body: ({ cpu, mm, va, orig, changed }) => [
      callInto(changed, ptep_set_access_flags, {
        ...{ cpu, mm, va },
        entry: pte_mkwrite(pte_mkdirty(pte_mkyoung(orig))),
        dirty: TRUE,
      }),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
  define(wp_page_copy, {
    source: { file, sha: { "6.1": "06c71145bfdc", "6.12": "da68686f0491" } },
    locals: { frame: t.pfn, now: desc, old: desc },
    body: ({ cpu, mm, va, orig, frame, now, old }) => [
      callInto(frame, alloc_page, {}),
      // __wp_page_copy_user()
      label("copy", copiedAway(pfnOf(orig))),
      label("start", call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) })),
      call(spin_lock_ptl, { mm }),
      whenElse(
        and(HUGE, not(isTable(pmd(mm, regionOf(va))))),
        [set(now, PTE_NONE)],
        [readPte(now, mm, va)],
      ),
      when(
        ne(now, orig),
        call(spin_unlock_ptl, { mm }),
        ...onlyEnd(cpu, mm, va),
        call(put_page, { frame }),
        when(not(is_zero_page(pfnOf(orig))), call(put_page, { frame: pfnOf(orig) })),
        ret(),
      ),
      since(
        "6.6",
        [callInto(old, ptep_clear_flush, { cpu, mm, va })],
        [callInto(old, ptep_clear_flush_notify, { cpu, mm, va })],
      ),
      // From here on an access through this mm must reach the new page.
      emit(events.revoked, { mm, va, reads: TRUE }),
      set(PageAnonExclusive(frame), TRUE),
      // set_pte_at_notify()
      since(
        "6.10",
        [],
        [
          call(mmu_notifier_change_pte, {
            ...{ cpu, mm, va },
            entry: pte_mkwrite(pte_mkdirty(mk_pte(frame))),
          }),
        ],
      ),
      call(set_pte_at, { cpu, mm, va, entry: pte_mkwrite(pte_mkdirty(mk_pte(frame))) }),
      call(spin_unlock_ptl, { mm }),
      label("end", ...onlyEnd(cpu, mm, va)),
      when(
        not(is_zero_page(pfnOf(orig))),
        folio_remove_rmap(pfnOf(orig)),
        // The mapping's reference and the fault's own.
        call(put_page, { frame: pfnOf(orig) }),
        call(put_page, { frame: pfnOf(orig) }),
      ),
    ],
  }),
  define(copy_page_range, {
    source: { file, sha: { "6.1": "62e1968afa0c", "6.12": "67a8baf33bef" } },
    abstracts: ["the child's page tables: only its references to the pages"],
    body: ({ cpu, mm, range }) => [
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      call(spin_lock_ptl, { mm }),
      when(
        HUGE,
        each(region, regionsOf(range), (r) => [call(copy_huge_pmd, { cpu, mm, region: r })]),
      ),
      each(vaSort, range, (va) => [call(copy_present_pte, { cpu, mm, va, range })]),
      call(spin_unlock_ptl, { mm }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
    ],
  }),
  define(copy_present_pte, {
    source: {
      file,
      function: "copy_present_pte (6.1), copy_present_ptes, __copy_present_ptes (6.12)",
      sha: { "6.1": "604fd1ab9efc", "6.12": "72e6e7488051" },
    },
    abstracts: ["pinned pages"],
    locals: { entry: desc, upper: desc },
    body: ({ cpu, mm, va, range, entry, upper }) => [
      set(upper, pmd(mm, regionOf(va))),
      when(not(isTable(upper)), ret()),
      set(entry, pte(mm, va)),
      when(
        not(pte_present(entry)),
        when(SWAPPED, when(not(isSharedPlace(mm, va)), call(copy_nonpresent_pte, { cpu, mm, va }))),
        ret(),
      ),
      // vma_needs_copy(): what the child finds in the file by itself.
      when(FILE, when(or(VM_SHARED(mm, va), is_file_page(pfnOf(entry))), ret())),
      when(
        not(is_zero_page(pfnOf(entry))),
        set(page_refs(pfnOf(entry)), add(page_refs(pfnOf(entry)), num(1))),
        set(PageAnonExclusive(pfnOf(entry)), FALSE),
      ),
      when(pte_write(entry), ...wrprotectPtes({ cpu, mm, va }, range)),
    ],
  }),
];
