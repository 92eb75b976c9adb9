// SPDX-License-Identifier: Apache-2.0
// NUMA hinting: change_prot_numa() of mm/mempolicy.c, do_numa_page() of mm/memory.c, 6.1 and 6.12.

import { and, ne, not, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, label, ret, set, since, when } from "../../ir/stmt.ts";
import { asKind, desc, pfnOf } from "../../vocabulary/descriptor.ts";
import { EMPTY, Range, t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import {
  pte_dirty,
  pte_mkwrite,
  pte_mkyoung,
  pte_write,
  pte_wrprotect,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import {
  entries_protnone,
  gathers_nest,
  PageAnonExclusive,
  VM_SHARED,
  VM_WRITE,
  vma,
} from "../state.ts";
import { FILE } from "./file-pages.ts";
import { mmap_read_lock, mmap_read_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import { tlb_end_vma, tlb_finish_mmu, tlb_gather_mmu } from "./mmu_gather.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { change_pte_range_none } from "./mprotect-none.ts";

/** Whether anything puts PROT_NONE entries into page tables: elsewhere they cost nothing. */
export const PROTNONE = varies(entries_protnone);

/** What task_numa_work() does to a range: the next access of each page faults. */
export const change_prot_numa = declare("change_prot_numa", {
  ...{ cpu: t.cpu, mm: t.mm, range: t.range },
});
export const do_numa_page = declare("do_numa_page", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
  orig: desc,
});

export const mempolicy = [
  define(change_prot_numa, {
    source: { file: "mm/mempolicy.c", sha: { "6.1": "ce77e5c495e9", "6.12": "13e1cb1a070f" } },
    abstracts: ["the range lies in one vma"],
    locals: { gathered: t.range, owed: t.range },
    body: ({ cpu, mm, range, gathered, owed }) => [
      set(gathers_nest(), TRUE),
      call(mmap_read_lock, { mm }),
      when(not(vma(mm, Range.lo(range))), call(mmap_read_unlock, { mm }), ret()),
      call(tlb_gather_mmu, { mm }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      callInto(gathered, change_pte_range_none, { cpu, mm, range, numa: TRUE }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(do_numa_page, {
    source: {
      file: "mm/memory.c",
      function: "do_numa_page (6.1), do_numa_page, numa_rebuild_single_mapping (6.12)",
      sha: { "6.1": "99d4193bda20", "6.12": "7276b94dc06e" },
    },
    abstracts: ["the page stays on its node: migration is an operation of its own"],
    locals: { now: desc, old: desc, entry: desc, writable: t.bool },
    body: ({ cpu, mm, va, orig, now, old, entry, writable }) => [
      call(spin_lock_ptl, { mm }),
      set(now, pte(mm, va)),
      when(ne(now, orig), call(spin_unlock_ptl, { mm }), ret()),
      since(
        "6.6",
        [
          set(writable, and(VM_WRITE(mm, va), PageAnonExclusive(pfnOf(orig)))),
          when(
            FILE,
            when(VM_SHARED(mm, va), set(writable, and(VM_WRITE(mm, va), pte_dirty(orig)))),
          ),
        ],
        // pte_savedwrite()
        [set(writable, pte_write(orig))],
      ),
      callInto(old, ptep_get_and_clear, { cpu, mm, va }),
      set(entry, pte_mkyoung(asKind(pte_wrprotect(old), "none"))),
      when(writable, set(entry, pte_mkwrite(entry))),
      // From invalid to valid: nothing can hold the old one.
      label("restore", call(set_pte_at, { cpu, mm, va, entry })),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
];
