// SPDX-License-Identifier: Apache-2.0
// Advice on the use of memory: mm/madvise.c, 6.1 and 6.12.

import { and, eq, FALSE, member, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { enumeration } from "../../ir/sort.ts";
import {
  atomic,
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
} from "../../ir/stmt.ts";
import { desc, isTable, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { EMPTY, Range, regionOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { is_contiguous, pmd, pte } from "../../vocabulary/state.ts";
import {
  CONTPTE,
  clear_young_dirty_ptes,
  pte_dirty,
  pte_mkclean,
  pte_mkold,
  pte_present,
  pte_young,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import { gathers_nest, is_zero_page, PG_lazyfree, vma } from "../state.ts";
import { FILE, isFilePlace } from "./file-pages.ts";
import { zap_page_range_single } from "./memory-zap.ts";
import {
  mmap_read_lock,
  mmap_read_unlock,
  pte_offset_map_lock,
  spin_unlock_ptl,
} from "./mmap_lock.ts";
import { tlb_end_vma, tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { entryOf } from "./page_vma_mapped.ts";
import { flush_tlb_batched_pending } from "./rmap.ts";
import { madvise_remove } from "./truncate.ts";

const file = "mm/madvise.c";
const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** MADV_DONTNEED, MADV_FREE, MADV_COLD, MADV_REMOVE. */
export const behavior = enumeration("behavior", ["DONTNEED", "FREE", "COLD", "REMOVE"]);

export const do_madvise = declare("do_madvise", { ...ranged, behavior });
export const madvise_dontneed_single_vma = declare("madvise_dontneed_single_vma", ranged);
export const madvise_free_single_vma = declare("madvise_free_single_vma", ranged);
export const madvise_cold = declare("madvise_cold", ranged);
/** Entries of a range become old, and with `clean` clean; the result is what is to be flushed. */
export const madvise_pte_range = declare(
  "madvise_pte_range",
  { ...ranged, clean: t.bool },
  t.range,
);

export const madvise = [
  define(do_madvise, {
    source: { file, sha: { "6.1": "12ff15d2fca4", "6.12": "0b1652e65882" } },
    abstracts: ["the range lies in one vma"],
    body: ({ cpu, mm, range, behavior: b }) => [
      set(gathers_nest(), TRUE),
      call(mmap_read_lock, { mm }),
      when(not(vma(mm, Range.lo(range))), call(mmap_read_unlock, { mm }), ret()),
      when(
        eq(b, member(behavior, "DONTNEED")),
        call(madvise_dontneed_single_vma, { cpu, mm, range }),
      ),
      when(eq(b, member(behavior, "FREE")), call(madvise_free_single_vma, { cpu, mm, range })),
      when(eq(b, member(behavior, "COLD")), call(madvise_cold, { cpu, mm, range })),
      when(
        FILE,
        when(
          eq(b, member(behavior, "REMOVE")),
          each(vaSort, range, (va) => [call(madvise_remove, { cpu, mm, va })]),
        ),
      ),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(madvise_dontneed_single_vma, {
    source: { file, sha: { "6.1": "40c4b415697c", "6.12": "40c4b415697c" } },
    locals: { entry: desc },
    body: ({ cpu, mm, range, entry }) => [
      call(zap_page_range_single, { cpu, mm, range }),
      // The program relies on it for every page, whoever has cleared the entry.
      each(vaSort, range, (va) => [
        atomic(
          ...entryOf(mm, va, entry),
          when(not(valid(entry)), emit(events.revoked, { mm, va, reads: TRUE })),
        ),
      ]),
    ],
  }),
  define(madvise_free_single_vma, {
    source: { file, sha: { "6.1": "537d495801fe", "6.12": "38561978e6b8" } },
    locals: { gathered: t.range, owed: t.range, entry: desc },
    body: ({ cpu, mm, range, gathered, owed, entry }) => [
      // vma_is_anonymous()
      when(isFilePlace(mm, Range.lo(range)), ret()),
      call(tlb_gather_mmu, { mm }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      callInto(gathered, madvise_pte_range, { cpu, mm, range, clean: TRUE }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
      // Reclaim may drop what is clean: a write from here on must make the entry dirty.
      each(vaSort, range, (va) => [
        atomic(
          ...entryOf(mm, va, entry),
          when(
            and(valid(entry), not(pte_dirty(entry)), PG_lazyfree(pfnOf(entry))),
            emit(events.page_droppable, { frame: pfnOf(entry) }),
          ),
        ),
      ]),
    ],
  }),
  define(madvise_cold, {
    source: {
      file,
      function: "madvise_cold, madvise_cold_page_range",
      sha: { "6.1": "5a08f7e722e5", "6.12": "5a08f7e722e5" },
    },
    locals: { gathered: t.range, owed: t.range },
    body: ({ cpu, mm, range, gathered, owed }) => [
      call(tlb_gather_mmu, { mm }),
      callInto(gathered, madvise_pte_range, { cpu, mm, range, clean: FALSE }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
    ],
  }),
  define(madvise_pte_range, {
    source: {
      file,
      function: "madvise_free_pte_range, madvise_cold_or_pageout_pte_range",
      sha: { "6.1": "97aa84c032dd", "6.12": "c93032149a74" },
    },
    abstracts: ["large folios, huge pages", "pages that others map too", "lists of pages"],
    locals: { gathered: t.range, upper: desc, old: desc },
    body: ({ cpu, mm, range, clean, gathered, upper, old }) => [
      set(gathered, EMPTY),
      call(pte_offset_map_lock, { cpu, mm }),
      label("batched", call(flush_tlb_batched_pending, { cpu, mm })),
      each(vaSort, range, (va) => [
        set(upper, pmd(mm, regionOf(va))),
        when(
          isTable(upper),
          set(old, pte(mm, va)),
          when(
            and(pte_present(old), not(is_zero_page(pfnOf(old)))),
            when(clean, set(PG_lazyfree(pfnOf(old)), TRUE)),
            when(
              or(
                ...[pte_young(old), and(clean, pte_dirty(old))],
                // A group is taken at once, and all of it was made old with the first entry.
                and(CONTPTE, is_contiguous(va)),
              ),
              since(
                "6.10",
                [call(clear_young_dirty_ptes, { cpu, mm, va, clean })],
                [
                  callInto(old, ptep_get_and_clear, { cpu, mm, va }),
                  set(old, pte_mkold(old)),
                  when(clean, set(old, pte_mkclean(old))),
                  call(set_pte_at, { cpu, mm, va, entry: old }),
                ],
              ),
              label("gather", grow(gathered, va)),
            ),
          ),
        ),
      ]),
      call(spin_unlock_ptl, { mm }),
      ret(gathered),
    ],
  }),
];
