// SPDX-License-Identifier: Apache-2.0
// Write protection by userfaultfd: mm/userfaultfd.c, 6.1 and 6.12.

import { and, FALSE, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, call, callInto, each, emit, ret, set, since, when } from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { EMPTY, Range, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd_trans_huge, pte_present, pte_write } from "../asm/pgtable.ts";
import { gathers_nest, vma, vmas_uffd_wp } from "../state.ts";
import { isFilePlace } from "./file-pages.ts";
import { mmap_read_lock, mmap_read_unlock } from "./mmap_lock.ts";
import { tlb_end_vma, tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { change_pte_range } from "./mprotect.ts";
import { entryOf } from "./page_vma_mapped.ts";

/** UFFDIO_WRITEPROTECT: entries lose what lets a write through, the vma keeps it. */
export const mwriteprotect_range = declare("mwriteprotect_range", {
  ...{ cpu: t.cpu, mm: t.mm, range: t.range },
});
/** The way back, of a part of a vma under mmap_lock: when it is unregistered, or by UFFDIO. */
export const userfaultfd_clear_vma = declare("userfaultfd_clear_vma", mwriteprotect_range.params);

export const userfaultfd = [
  define(mwriteprotect_range, {
    source: {
      file: "mm/userfaultfd.c",
      function: "mwriteprotect_range, uffd_wp_range",
      sha: { "6.1": "0360c2b4927c", "6.12": "a91407334bd7" },
    },
    abstracts: [
      "the mark in the entry, and who handles its faults: a write is handled as any other",
      "the range lies in one vma",
    ],
    locals: { gathered: t.range, owed: t.range, entry: desc },
    body: ({ cpu, mm, range, gathered, owed, entry }) => [
      set(gathers_nest(), TRUE),
      set(vmas_uffd_wp(), TRUE),
      call(mmap_read_lock, { mm }),
      // vma_can_userfault()
      when(
        or(not(vma(mm, Range.lo(range))), isFilePlace(mm, Range.lo(range))),
        ...[call(mmap_read_unlock, { mm }), ret()],
      ),
      call(tlb_gather_mmu, { mm }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      callInto(gathered, change_pte_range, { cpu, mm, range, writable: FALSE }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
      each(vaSort, range, (va) => [
        atomic(
          ...entryOf(mm, va, entry),
          when(
            // One that is being split is writable, too.
            not(and(or(pte_present(entry), pmd_trans_huge(entry)), pte_write(entry))),
            emit(events.revoked, { mm, va, reads: FALSE }),
          ),
        ),
      ]),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(userfaultfd_clear_vma, {
    source: {
      file: "mm/userfaultfd.c",
      function: "uffd_wp_range",
      sha: { "6.1": "9ec0657b50b4", "6.12": "a97c5ecab651" },
    },
    abstracts: ["the mark in the entry"],
    locals: { gathered: t.range, owed: t.range, writable: t.bool },
    body: ({ cpu, mm, range, gathered, owed, writable }) => [
      call(tlb_gather_mmu, { mm }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      // vma_wants_manual_pte_write_upgrade(): until 6.5 the next write does it.
      set(writable, FALSE),
      since("6.6", [set(writable, TRUE)]),
      callInto(gathered, change_pte_range, { cpu, mm, range, writable }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
    ],
  }),
];
