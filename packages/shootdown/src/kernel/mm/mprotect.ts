// SPDX-License-Identifier: Apache-2.0
// Changing protection: mm/mprotect.c, 6.1 and 6.12.

import { and, eq, FALSE, not, TRUE, varies } from "../../ir/expr.ts";
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
import { asKind, desc, isTable, pfnOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { EMPTY, Range, regionOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  pte_dirty,
  pte_mkwrite,
  pte_present,
  pte_protnone,
  pte_write,
  pte_wrprotect,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import {
  entries_protnone,
  gather_ptes,
  PageAnonExclusive,
  VM_NONE,
  VM_SHARED,
  VM_WRITE,
} from "../state.ts";
import { is_migration_entry, is_writable_entry, make_readable_entry } from "../swapops.ts";
import { FILE } from "./file-pages.ts";
import { change_pmd_range, HUGE, vma_adjust_trans_huge } from "./huge_memory.ts";
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
import { SWAPPED } from "./swapin.ts";

const file = "mm/mprotect.c";

export const do_mprotect_pkey = declare("do_mprotect_pkey", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
  writable: t.bool,
});
export const change_pte_range = declare(
  "change_pte_range",
  { cpu: t.cpu, mm: t.mm, range: t.range, writable: t.bool },
  t.range,
);

export const mprotect = [
  define(do_mprotect_pkey, {
    source: { file, sha: { "6.1": "24fbb023da1b", "6.12": "832f0c586798" } },
    abstracts: ["splitting and merging vmas: the range lies in one"],
    locals: { gathered: t.range, owed: t.range, entry: desc },
    body: ({ cpu, mm, range, writable, gathered, owed, entry }) => [
      call(mmap_write_lock, { mm }),
      // mprotect_fixup(): the flags are those that the vma has.
      when(
        and(eq(VM_WRITE(mm, Range.lo(range)), writable), not(VM_NONE(mm, Range.lo(range)))),
        ...[call(mmap_write_unlock, { mm }), ret()],
      ),
      call(tlb_gather_mmu, { mm }),
      when(HUGE, call(vma_adjust_trans_huge, { cpu, mm, range })),
      each(vaSort, range, (va) => [
        set(VM_WRITE(mm, va), writable),
        when(varies(entries_protnone), set(VM_NONE(mm, va), FALSE)),
      ]),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      callInto(gathered, change_pte_range, { cpu, mm, range, writable }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
      call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
      when(
        not(writable),
        // Also of pages whose entries somebody else has cleared, who may owe the flush.
        each(vaSort, range, (va) => [
          whenElse(
            and(HUGE, not(isTable(pmd(mm, regionOf(va))))),
            [set(entry, pmd(mm, regionOf(va)))],
            [set(entry, pte(mm, va))],
          ),
          when(
            not(and(pte_present(entry), pte_write(entry))),
            emit(events.revoked, { mm, va, reads: FALSE }),
          ),
        ]),
      ),
      call(mmap_write_unlock, { mm }),
    ],
  }),
  define(change_pte_range, {
    source: { file, sha: { "6.1": "595f50721508", "6.12": "a84758855482" } },
    abstracts: ["erratum 2645198"],
    locals: { gathered: t.range, upper: desc, old: desc, reuse: t.bool },
    body: ({ cpu, mm, range, writable, gathered, upper, old, reuse }) => [
      set(gathered, EMPTY),
      when(HUGE, callInto(gathered, change_pmd_range, { cpu, mm, range, writable })),
      call(pte_offset_map_lock, { cpu, mm }),
      label("batched", call(flush_tlb_batched_pending, { cpu, mm })),
      each(vaSort, range, (va) => [
        set(upper, pmd(mm, regionOf(va))),
        when(
          isTable(upper),
          set(old, pte(mm, va)),
          when(
            pte_present(old),
            // ptep_modify_prot_start(), pte_modify(), ptep_modify_prot_commit()
            callInto(old, ptep_get_and_clear, { cpu, mm, va }),
            when(
              varies(entries_protnone),
              when(pte_protnone(old), set(old, asKind(pte_wrprotect(old), "none"))),
            ),
            set(reuse, PageAnonExclusive(pfnOf(old))),
            // can_change_pte_writable(): 6.1 asks for a dirty entry too.
            since("6.6", [], [set(reuse, and(reuse, pte_dirty(old)))]),
            // A shared mapping: the file system was told of the writes to a dirty page.
            label("shared", when(FILE, when(VM_SHARED(mm, va), set(reuse, pte_dirty(old))))),
            whenElse(
              and(writable, reuse),
              [call(set_pte_at, { cpu, mm, va, entry: pte_mkwrite(pte_wrprotect(old)) })],
              [call(set_pte_at, { cpu, mm, va, entry: pte_wrprotect(old) })],
            ),
            grow(gathered, va),
            when(HUGE, set(gather_ptes(cpu), TRUE)),
          ),
          when(
            SWAPPED,
            when(
              and(is_migration_entry(old), is_writable_entry(old)),
              label(
                "migration",
                call(set_pte_at, { cpu, mm, va, entry: make_readable_entry(old) }),
              ),
            ),
          ),
        ),
      ]),
      call(spin_unlock_ptl, { mm }),
      ret(gathered),
    ],
  }),
];
