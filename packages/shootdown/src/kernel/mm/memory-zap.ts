// SPDX-License-Identifier: Apache-2.0
// Unmapping: zap_pte_range() and what a batch does with what it clears: mm/memory.c, 6.1 and 6.12.

import { add, and, FALSE, not, num, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, each, grow, label, ret, set, when } from "../../ir/stmt.ts";
import { desc, isTable, PTE_NONE, pfnOf } from "../../vocabulary/descriptor.ts";
import { EMPTY, regionOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import { clearFullPtes, pte_none, pte_present, set_pte_at } from "../asm/pgtable.ts";
import { gather_page, gather_ptes, is_zero_page } from "../state.ts";
import {
  DEVICE_EXCLUSIVE,
  DEVICE_PRIVATE,
  is_device_exclusive_entry,
  is_device_private_entry,
} from "../swapops.ts";
import { FILE, flushUnderLock, shouldZap, zapOfFile } from "./file-pages.ts";
import { HUGE, zap_pmd_range } from "./huge_memory.ts";
import { pte_offset_map_lock, spin_unlock_ptl } from "./mmap_lock.ts";
import { tlb_end_vma, tlb_finish_mmu, tlb_flush_mmu_free, tlb_gather_mmu } from "./mmu_gather.ts";
import { forceFlush, NOWAIT_FAILS } from "./mmu_gather-full.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { put_page } from "./page_alloc.ts";
import { flush_tlb_batched_pending } from "./rmap.ts";
import { SWAPPED } from "./swapin.ts";

const file = "mm/memory.c";

export const zap_pte_range = declare(
  "zap_pte_range",
  { cpu: t.cpu, mm: t.mm, range: t.range },
  t.range,
);
export const zap_page_range_single = declare("zap_page_range_single", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
});

export const memory_zap = [
  define(zap_pte_range, {
    source: {
      file: "mm/memory.c, mm/mmu_gather.c",
      function: "zap_present_folio_ptes, tlb_flush_rmaps (6.12), zap_pte_range",
      sha: { "6.1": "ce1b0c7af344", "6.12": "76a99e2f48de" },
    },
    abstracts: [
      "one lock for all tables",
      "need_resched(): the lock is given up where a batch is full",
    ],
    locals: { gathered: t.range, upper: desc, old: desc, force_flush: t.bool, more: t.bool },
    body: ({ cpu, mm, range, gathered, upper, old, force_flush, more }) => [
      set(gathered, EMPTY),
      set(force_flush, FALSE),
      when(HUGE, callInto(gathered, zap_pmd_range, { cpu, mm, range })),
      call(pte_offset_map_lock, { cpu, mm }),
      label("batched", call(flush_tlb_batched_pending, { cpu, mm })),
      each(vaSort, range, (va) => [
        set(upper, pmd(mm, regionOf(va))),
        when(
          isTable(upper),
          set(old, pte(mm, va)),
          when(
            and(pte_present(old), shouldZap(cpu, old)),
            ...clearFullPtes({ cpu, mm, va }, range, old),
            grow(gathered, va),
            when(HUGE, set(gather_ptes(cpu), TRUE)),
            when(FILE, ...zapOfFile(cpu, old, force_flush)),
            // vm_normal_page() has none for the zero page.
            when(
              not(is_zero_page(pfnOf(old))),
              label(
                "put",
                set(gather_page(cpu, pfnOf(old)), add(gather_page(cpu, pfnOf(old)), num(1))),
              ),
              when(NOWAIT_FAILS, ...forceFlush({ cpu, mm, va }, gathered, { more, force_flush })),
            ),
          ),
          when(
            SWAPPED,
            when(
              and(not(pte_present(old)), not(pte_none(old)), shouldZap(cpu, old)),
              // free_swap_and_cache(): a slot that nobody needs goes with the page in the cache.
              call(set_pte_at, { cpu, mm, va, entry: PTE_NONE }),
              // These have a reference, as a mapping has.
              when(
                or(
                  and(DEVICE_PRIVATE, is_device_private_entry(old)),
                  and(DEVICE_EXCLUSIVE, is_device_exclusive_entry(old)),
                ),
                call(put_page, { frame: pfnOf(old) }),
              ),
            ),
          ),
        ),
      ]),
      label("force-flush", when(FILE, when(force_flush, ...flushUnderLock(cpu, mm, gathered)))),
      call(spin_unlock_ptl, { mm }),
      when(FILE, when(force_flush, call(tlb_flush_mmu_free, { cpu }))),
      ret(gathered),
    ],
  }),
  define(zap_page_range_single, {
    source: { file, sha: { "6.1": "e5914a39b367", "6.12": "faafd0d34e47" } },
    locals: { gathered: t.range, owed: t.range },
    body: ({ cpu, mm, range, gathered, owed }) => [
      call(tlb_gather_mmu, { mm }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      callInto(gathered, zap_pte_range, { cpu, mm, range }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
      call(tlb_flush_mmu_free, { cpu }),
    ],
  }),
];
