// SPDX-License-Identifier: Apache-2.0
// Protection that permits nothing: PROT_NONE and NUMA hinting, mm/mprotect.c, 6.1 and 6.12.

import { and, FALSE, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import {
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
import { asKind, desc, isTable, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { store_pmd } from "../../vocabulary/primitives.ts";
import { EMPTY, Range, regionOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  pmd_trans_huge,
  pmdp_invalidate,
  pte_mkwrite,
  pte_present,
  pte_protnone,
  pte_write,
  pte_wrprotect,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import { entries_protnone, gather_pmds, gather_ptes, is_zero_page, VM_NONE } from "../state.ts";
import { eachHuge, HUGE } from "./huge_memory.ts";
import {
  mmap_write_lock,
  mmap_write_unlock,
  pte_offset_map_lock,
  spin_lock_ptl,
  spin_unlock_ptl,
} from "./mmap_lock.ts";
import { tlb_end_vma, tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { flush_tlb_batched_pending } from "./rmap.ts";

const file = "mm/mprotect.c";
const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** mprotect(PROT_NONE) */
export const do_mprotect_none = declare("do_mprotect_none", ranged);
/** change_pte_range() to PAGE_NONE, with `numa` as MM_CP_PROT_NUMA has it. */
export const change_pte_range_none = declare(
  "change_pte_range_none",
  { ...ranged, numa: t.bool },
  t.range,
);

/** The same of a huge page: change_huge_pmd() to PAGE_NONE. */
export const change_huge_pmd_none = declare("change_huge_pmd_none", {
  ...{ cpu: t.cpu, mm: t.mm, region: t.region },
  numa: t.bool,
});

/** Where large pages are modelled. */
export const mprotect_none_huge = [
  define(change_huge_pmd_none, {
    source: {
      file: "mm/huge_memory.c",
      function: "change_huge_pmd",
      sha: { "6.1": "06318c4fcb95", "6.12": "d8e0fa0e3d07" },
    },
    abstracts: ["migration entries", "the huge zero page"],
    locals: { old: desc, entry: desc },
    body: ({ cpu, mm, region, numa, old, entry }) => [
      call(spin_lock_ptl, { mm }),
      set(old, pmd(mm, region)),
      when(
        and(pmd_trans_huge(old), not(and(numa, pte_protnone(old)))),
        // pmdp_invalidate_ad()
        callInto(old, pmdp_invalidate, { cpu, mm, region }),
        set(entry, pte_wrprotect(asKind(old, "none"))),
        since("6.6", [], [when(and(numa, pte_write(old)), set(entry, pte_mkwrite(entry)))]),
        call(store_pmd, { cpu, mm, region, value: asKind(entry, "protnone") }),
      ),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
];

export const mprotect_none = [
  define(do_mprotect_none, {
    source: {
      file,
      function: "do_mprotect_pkey",
      sha: { "6.1": "24fbb023da1b", "6.12": "832f0c586798" },
    },
    abstracts: ["splitting and merging vmas: the range lies in one"],
    locals: { gathered: t.range, owed: t.range, entry: desc },
    body: ({ cpu, mm, range, gathered, owed, entry }) => [
      call(mmap_write_lock, { mm }),
      when(VM_NONE(mm, Range.lo(range)), call(mmap_write_unlock, { mm }), ret()),
      call(tlb_gather_mmu, { mm }),
      each(vaSort, range, (va) => [set(VM_NONE(mm, va), TRUE)]),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      callInto(gathered, change_pte_range_none, { cpu, mm, range, numa: FALSE }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
      each(vaSort, range, (va) => [
        whenElse(
          and(HUGE, not(isTable(pmd(mm, regionOf(va))))),
          [set(entry, pmd(mm, regionOf(va)))],
          [set(entry, pte(mm, va))],
        ),
        when(not(valid(entry)), emit(events.revoked, { mm, va, reads: TRUE })),
      ]),
      call(mmap_write_unlock, { mm }),
    ],
  }),
  define(change_pte_range_none, {
    source: {
      file,
      function: "change_pte_range",
      sha: { "6.1": "595f50721508", "6.12": "a84758855482" },
    },
    abstracts: ["pages that others map too, single-threaded processes, nodes"],
    locals: { gathered: t.range, upper: desc, old: desc, entry: desc },
    body: ({ cpu, mm, range, numa, gathered, upper, old, entry }) => [
      set(entries_protnone(), TRUE),
      set(gathered, EMPTY),
      when(
        HUGE,
        eachHuge({ cpu, mm, range }, (r) => [
          call(change_huge_pmd_none, { cpu, mm, region: r, numa }),
          set(gather_pmds(cpu), TRUE),
          each(vaSort, pagesOf(r), (va) => [grow(gathered, va)]),
        ]),
      ),
      call(pte_offset_map_lock, { cpu, mm }),
      label("batched", call(flush_tlb_batched_pending, { cpu, mm })),
      each(vaSort, range, (va) => [
        set(upper, pmd(mm, regionOf(va))),
        when(
          isTable(upper),
          set(old, pte(mm, va)),
          when(
            and(pte_present(old), not(and(numa, or(pte_protnone(old), is_zero_page(pfnOf(old)))))),
            callInto(old, ptep_get_and_clear, { cpu, mm, va }),
            set(entry, pte_wrprotect(old)),
            // pte_mk_savedwrite()
            since("6.6", [], [when(and(numa, pte_write(old)), set(entry, pte_mkwrite(entry)))]),
            label("set", call(set_pte_at, { cpu, mm, va, entry: asKind(entry, "protnone") })),
            label("gather", grow(gathered, va)),
            when(HUGE, set(gather_ptes(cpu), TRUE)),
          ),
        ),
      ]),
      call(spin_unlock_ptl, { mm }),
      ret(gathered),
    ],
  }),
];
