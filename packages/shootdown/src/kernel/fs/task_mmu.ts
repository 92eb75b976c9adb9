// SPDX-License-Identifier: Apache-2.0
// Who wrote what: /proc/PID/clear_refs and PAGEMAP_SCAN, fs/proc/task_mmu.c, 6.1 and 6.12.
//
//   clear_refs    all entries, page by page under the lock ──► one flush of the mm, at the end
//   PAGEMAP_SCAN  entries of a table, and their flush, under the lock

import type { Expr, Place } from "../../ir/expr.ts";
import { and, FALSE, not, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, callInto, each, emit, grow, label, ret, set, when } from "../../ir/stmt.ts";
import { pagesOf } from "../../vocabulary/blocks.ts";
import { asKind, desc, isTable } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { store_pmd } from "../../vocabulary/primitives.ts";
import {
  EMPTY,
  Range,
  regionOf,
  region as regionSort,
  regionsOf,
  t,
  va as vaSort,
  WHOLE_MM,
} from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  pmd_trans_huge,
  pmdp_invalidate,
  pte_present,
  pte_write,
  pte_wrprotect,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import { flush_tlb_mm, flush_tlb_range } from "../asm/tlbflush.ts";
import { eachHuge, HUGE, sealedPieces } from "../mm/huge_memory.ts";
import {
  mmap_read_lock,
  mmap_read_unlock,
  mmap_write_lock,
  mmap_write_unlock,
  pte_offset_map_lock,
  spin_lock_ptl,
  spin_unlock_ptl,
} from "../mm/mmap_lock.ts";
import { dec_tlb_flush_pending, tlb_gather_mmu } from "../mm/mmu_gather.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "../mm/mmu_notifier.ts";
import { readEntry } from "../mm/page_vma_mapped.ts";
import { vma, vmas_uffd_wp } from "../state.ts";

const file = "fs/proc/task_mmu.c";
const upper = { cpu: t.cpu, mm: t.mm, region: t.region };
const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** `4` to clear_refs: from here on the next write of each page is seen. */
export const clear_refs_write = declare("clear_refs_write", { cpu: t.cpu, mm: t.mm });
export const clear_refs_pte_range = declare("clear_refs_pte_range", ranged);
/** PM_SCAN_WP_MATCHING: pages that were written are write-protected as they are told of. */
export const do_pagemap_scan = declare("do_pagemap_scan", ranged);
export const pagemap_scan_pmd_entry = declare("pagemap_scan_pmd_entry", ranged);

/** A huge page loses its write permission; the scan flushes once more, under the lock. */
export const clear_soft_dirty_pmd = declare("clear_soft_dirty_pmd", upper);
export const pagemap_scan_thp_entry = declare("pagemap_scan_thp_entry", upper);

/** Nobody may write it any more without a fault. */
const sealed = (
  mm: Expr<"mm">,
  va: Expr<"va">,
  { entry, above }: Record<"entry" | "above", Place<"desc">>,
): Stmt[] => [
  readEntry(entry, above, mm, va),
  when(
    and(pte_present(entry), not(pte_write(entry))),
    emit(events.revoked, { mm, va, reads: FALSE }),
  ),
];

/** Takes a huge page out, flushed, and stores it again: what hardware has set meanwhile is kept. */
const protectHuge = (
  { cpu, mm, region }: { cpu: Expr<"cpu">; mm: Expr<"mm">; region: Expr<"region"> },
  old: Place<"desc">,
  then: readonly Stmt[] = [],
): Stmt[] => [
  call(spin_lock_ptl, { mm }),
  when(
    pmd_trans_huge(pmd(mm, region)),
    callInto(old, pmdp_invalidate, { cpu, mm, region }),
    call(store_pmd, { cpu, mm, region, value: pte_wrprotect(asKind(old, "none")) }),
    ...then,
  ),
  call(spin_unlock_ptl, { mm }),
];

/** Where large pages are modelled. */
export const task_mmu_huge = [
  define(clear_soft_dirty_pmd, {
    source: { file, sha: { "6.1": "2787ce462fe2", "6.12": "2787ce462fe2" } },
    abstracts: ["migration entries"],
    locals: { old: desc },
    body: ({ old, ...at }) => protectHuge(at, old),
  }),
  define(pagemap_scan_thp_entry, {
    source: {
      file,
      function: "pagemap_scan_thp_entry, make_uffd_wp_pmd",
      sha: { "6.12": "469dedf331b2" },
    },
    kernels: "6.7..",
    abstracts: ["migration entries"],
    locals: { old: desc },
    body: ({ old, ...at }) =>
      protectHuge(at, old, [
        call(flush_tlb_range, { cpu: at.cpu, mm: at.mm, range: pagesOf(at.region) }),
      ]),
  }),
];

export const task_mmu = [
  define(clear_refs_write, {
    source: { file, sha: { "6.1": "0ce90fb9afe0", "6.12": "3297dbc4fc94" } },
    abstracts: [
      "the bit itself, and who reads it: a write that faults is one that is seen",
      "on arm64 no version that was read selects HAVE_ARCH_SOFT_DIRTY: it is what would be",
      "all vmas of the process are one",
    ],
    locals: { vmas: t.range, entry: desc, above: desc },
    body: ({ cpu, mm, vmas, entry, above }) => [
      call(mmap_write_lock, { mm }),
      set(vmas, EMPTY),
      each(vaSort, WHOLE_MM, (va) => [when(vma(mm, va), grow(vmas, va))]),
      // inc_tlb_flush_pending()
      label("pending", call(tlb_gather_mmu, { mm })),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: WHOLE_MM }),
      call(clear_refs_pte_range, { cpu, mm, range: vmas }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: WHOLE_MM }),
      label("flush", call(flush_tlb_mm, { cpu, mm })),
      call(dec_tlb_flush_pending, { mm }),
      each(vaSort, vmas, (va) => sealed(mm, va, { entry, above })),
      sealedPieces(mm, vmas),
      call(mmap_write_unlock, { mm }),
    ],
  }),
  define(clear_refs_pte_range, {
    source: {
      file,
      function: "clear_refs_pte_range, clear_soft_dirty",
      sha: { "6.1": "cbaba97b5f7e", "6.12": "257a799acffa" },
    },
    abstracts: ["pinned pages, which it leaves out", "entries of swap type, which only lose a bit"],
    locals: { old: desc },
    body: ({ cpu, mm, range, old }) => [
      when(
        HUGE,
        // A huge page lies in one vma, and the range ends with one: none is split.
        each(regionSort, regionsOf(range), (r) => [
          call(clear_soft_dirty_pmd, { cpu, mm, region: r }),
        ]),
      ),
      call(pte_offset_map_lock, { cpu, mm }),
      each(vaSort, range, (va) => [
        when(
          isTable(pmd(mm, regionOf(va))),
          set(old, pte(mm, va)),
          when(
            pte_present(old),
            // ptep_modify_prot_start(), ptep_modify_prot_commit()
            callInto(old, ptep_get_and_clear, { cpu, mm, va }),
            call(set_pte_at, { cpu, mm, va, entry: pte_wrprotect(old) }),
          ),
        ),
      ]),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
  define(do_pagemap_scan, {
    source: { file, sha: { "6.12": "cfb4906f7753" } },
    kernels: "6.7..",
    abstracts: [
      "the list of pages that is given to the program",
      "the mark in the entry, and who handles its faults: a write is handled as any other",
      "the range lies in one vma",
    ],
    body: ({ cpu, mm, range }) => [
      set(vmas_uffd_wp(), TRUE),
      call(mmap_read_lock, { mm }),
      when(not(vma(mm, Range.lo(range))), call(mmap_read_unlock, { mm }), ret()),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      call(pagemap_scan_pmd_entry, { cpu, mm, range }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(pagemap_scan_pmd_entry, {
    source: {
      file,
      function: "pagemap_scan_pmd_entry, make_uffd_wp_pte",
      sha: { "6.12": "65fdf65c7e06" },
    },
    kernels: "6.7..",
    abstracts: ["swap entries and markers", "every page was written"],
    locals: { gathered: t.range, old: desc, above: desc },
    body: ({ cpu, mm, range, gathered, old, above }) => [
      when(
        HUGE,
        eachHuge({ cpu, mm, range }, (r) => [call(pagemap_scan_thp_entry, { cpu, mm, region: r })]),
        sealedPieces(mm, range),
      ),
      set(gathered, EMPTY),
      call(pte_offset_map_lock, { cpu, mm }),
      each(vaSort, range, (va) => [
        when(
          isTable(pmd(mm, regionOf(va))),
          set(old, pte(mm, va)),
          when(
            pte_present(old),
            callInto(old, ptep_get_and_clear, { cpu, mm, va }),
            call(set_pte_at, { cpu, mm, va, entry: pte_wrprotect(old) }),
            grow(gathered, va),
          ),
        ),
      ]),
      label(
        "flush",
        when(not(Range.empty(gathered)), call(flush_tlb_range, { cpu, mm, range: gathered })),
      ),
      each(vaSort, gathered, (va) => sealed(mm, va, { entry: old, above })),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
];
