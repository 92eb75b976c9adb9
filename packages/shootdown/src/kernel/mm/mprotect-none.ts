// SPDX-License-Identifier: Apache-2.0
// Protection that permits nothing: PROT_NONE and NUMA hinting, mm/mprotect.c, 6.1 and 6.12.

import { and, FALSE, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, each, emit, grow, label, ret, set, since, when } from "../../ir/stmt.ts";
import { asKind, desc, isTable, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { EMPTY, Range, regionOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  pte_mkwrite,
  pte_present,
  pte_protnone,
  pte_write,
  pte_wrprotect,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import { entries_protnone, is_zero_page, VM_NONE } from "../state.ts";
import {
  mmap_write_lock,
  mmap_write_unlock,
  pte_offset_map_lock,
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
        set(entry, pte(mm, va)),
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
    abstracts: ["huge pages", "pages that others map too, single-threaded processes, nodes"],
    locals: { gathered: t.range, upper: desc, old: desc, entry: desc },
    body: ({ cpu, mm, range, numa, gathered, upper, old, entry }) => [
      set(entries_protnone(), TRUE),
      set(gathered, EMPTY),
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
          ),
        ),
      ]),
      call(spin_unlock_ptl, { mm }),
      ret(gathered),
    ],
  }),
];
