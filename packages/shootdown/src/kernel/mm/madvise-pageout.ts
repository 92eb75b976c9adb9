// SPDX-License-Identifier: Apache-2.0
// Reclaim of a program's own pages, at its wish: MADV_PAGEOUT, mm/madvise.c, 6.1 and 6.12.

import { and, not, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, each, label, ret, set, when } from "../../ir/stmt.ts";
import { pieceOf } from "../../vocabulary/blocks.ts";
import { desc, pfnOf } from "../../vocabulary/descriptor.ts";
import { EMPTY, Range, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd_trans_huge, pte_present } from "../asm/pgtable.ts";
import { gathers_nest, is_zero_page, vma } from "../state.ts";
import { HUGE } from "./huge_memory.ts";
import {
  mmap_read_lock,
  mmap_read_unlock,
  pte_offset_map_lock,
  spin_unlock_ptl,
} from "./mmap_lock.ts";
import { tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import { readEntry } from "./page_vma_mapped.ts";
import { flush_tlb_batched_pending } from "./rmap.ts";
import { shrink_folio_list } from "./vmscan.ts";

const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** madvise(MADV_PAGEOUT) */
export const do_madvise_pageout = declare("do_madvise_pageout", ranged);
export const madvise_pageout = declare("madvise_pageout", ranged);

export const madvise_pageouts = [
  define(do_madvise_pageout, {
    source: {
      file: "mm/madvise.c",
      function: "do_madvise",
      sha: { "6.1": "12ff15d2fca4", "6.12": "0b1652e65882" },
    },
    abstracts: ["the range lies in one vma"],
    body: ({ cpu, mm, range }) => [
      set(gathers_nest(), TRUE),
      call(mmap_read_lock, { mm }),
      when(not(vma(mm, Range.lo(range))), call(mmap_read_unlock, { mm }), ret()),
      call(madvise_pageout, { cpu, mm, range }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(madvise_pageout, {
    source: {
      file: "mm/madvise.c, mm/vmscan.c",
      function: "madvise_pageout, madvise_cold_or_pageout_pte_range, reclaim_pages",
      sha: { "6.1": "38be9b050e40", "6.12": "50e74f1c4697" },
    },
    abstracts: ["pages are isolated one by one, not all of a table", "pages that others map too"],
    locals: { entry: desc, upper: desc },
    body: ({ cpu, mm, range, entry, upper }) => [
      call(tlb_gather_mmu, { mm }),
      each(vaSort, range, (va) => [
        call(pte_offset_map_lock, { cpu, mm }),
        label("batched", call(flush_tlb_batched_pending, { cpu, mm })),
        readEntry(entry, upper, mm, va),
        when(and(HUGE, pmd_trans_huge(upper)), set(entry, pieceOf(upper, va))),
        call(spin_unlock_ptl, { mm }),
        when(
          and(pte_present(entry), not(is_zero_page(pfnOf(entry)))),
          call(shrink_folio_list, { cpu, frame: pfnOf(entry) }),
        ),
      ]),
      call(tlb_finish_mmu, { cpu, mm, range: EMPTY, tables: EMPTY }),
    ],
  }),
];
