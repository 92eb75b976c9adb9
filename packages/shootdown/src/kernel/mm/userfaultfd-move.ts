// SPDX-License-Identifier: Apache-2.0
// UFFDIO_MOVE: a page goes to where nothing is mapped: mm/userfaultfd.c, since 6.8.

import { and, ne, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, emit, label, ret, set, when } from "../../ir/stmt.ts";
import { desc, isTable, PTE_NONE, pfnOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { Range, regionOf, t } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pte_dirty,
  pte_mkdirty,
  pte_mkwrite,
  pte_present,
  set_pte_at,
} from "../asm/pgtable.ts";
import { PageAnonExclusive, VM_WRITE, vma } from "../state.ts";
import { isFilePlace } from "./file-pages.ts";
import { mmap_read_lock, mmap_read_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { ptep_clear_flush } from "./pgtable-generic.ts";

export const move_pages_pte = declare("move_pages_pte", {
  ...{ cpu: t.cpu, mm: t.mm, src: t.va, dst: t.va },
});

export const userfaultfd_move = [
  define(move_pages_pte, {
    source: {
      file: "mm/userfaultfd.c",
      function: "move_pages_pte, move_present_pte",
      sha: { "6.12": "de846c9b1dee" },
    },
    kernels: "6.8..",
    abstracts: ["the page's lock and anon_vma's", "swapped pages, pinned pages", "one page"],
    locals: { orig: desc, there: desc, old: desc },
    body: ({ cpu, mm, src, dst, orig, there, old }) => [
      when(or(isFilePlace(mm, src), isFilePlace(mm, dst)), ret()),
      call(mmap_read_lock, { mm }),
      // find_vmas_mm_locked(), validate_move_areas()
      when(
        or(...[src, dst].map((at) => not(and(vma(mm, at), VM_WRITE(mm, at))))),
        ...[call(mmap_read_unlock, { mm }), ret()],
      ),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(src) }),
      when(
        and(isTable(pmd(mm, regionOf(src))), isTable(pmd(mm, regionOf(dst)))),
        set(orig, pte(mm, src)),
        when(
          pte_present(orig),
          // double_pt_lock()
          call(spin_lock_ptl, { mm }),
          set(old, pte(mm, src)),
          set(there, pte(mm, dst)),
          when(
            or(ne(old, orig), ne(there, PTE_NONE), not(PageAnonExclusive(pfnOf(orig)))),
            call(spin_unlock_ptl, { mm }),
            call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(src) }),
            call(mmap_read_unlock, { mm }),
            ret(),
          ),
          label("flush", callInto(old, ptep_clear_flush, { cpu, mm, va: src })),
          emit(events.revoked, { mm, va: src, reads: TRUE }),
          set(there, mk_pte(pfnOf(old))),
          when(pte_dirty(old), set(there, pte_mkdirty(there))),
          call(set_pte_at, { cpu, mm, va: dst, entry: pte_mkwrite(there) }),
          call(spin_unlock_ptl, { mm }),
        ),
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(src) }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
];
