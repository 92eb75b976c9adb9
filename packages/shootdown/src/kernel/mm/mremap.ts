// SPDX-License-Identifier: Apache-2.0
// Moving mappings: mm/mremap.c, 6.1 and 6.12.
//
//   move_ptes         lock ─► each: clear old, set new ─► flush old ─► unlock
//   move_normal_pmd   lock ─► clear the old upper entry, link its table anew ─► flush ─► unlock

import type { Expr } from "../../ir/expr.ts";
import { after, and, FALSE, ne, not, num, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, call, callInto, each, emit, grow, label, ret, set, when } from "../../ir/stmt.ts";
import { desc, isTable, nextOf, PTE_NONE, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { store_pmd, xchg_pmd } from "../../vocabulary/primitives.ts";
import {
  EMPTY,
  firstPage,
  Range,
  region,
  regionOf,
  t,
  va as vaSort,
} from "../../vocabulary/sorts.ts";
import { pmd, pte, pte_table } from "../../vocabulary/state.ts";
import { pte_present, ptep_get_and_clear, set_pte_at } from "../asm/pgtable.ts";
import { flush_tlb_range } from "../asm/tlbflush.ts";
import { i_mmap, VM_SHARED, VM_WRITE, vm_file, vm_pgoff, vma } from "../state.ts";
import { FILE } from "./file-pages.ts";
import { detach, unmap_region } from "./mmap.ts";
import { mmap_write_lock, mmap_write_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { flush_tlb_batched_pending } from "./rmap.ts";

const file = "mm/mremap.c";
/** `to` is where the first page of `range` goes. */
const moved = { cpu: t.cpu, mm: t.mm, range: t.range, to: t.va };

/** With `by_table` the range is all that its table maps, and the whole table moves. */
export const mremap_to = declare("mremap_to", { ...moved, by_table: t.bool });
export const move_page_tables = declare(
  "move_page_tables",
  { ...moved, by_table: t.bool },
  t.range,
);
/** The result is what was mapped. */
export const move_ptes = declare("move_ptes", moved, t.range);
/** Whether the table has moved. */
export const move_normal_pmd = declare("move_normal_pmd", moved, t.bool);

/** Where a page of the range goes. */
const target = (range: Expr<"range">, to: Expr<"va">, va: Expr<"va">): Expr<"va"> =>
  after(vaSort, to, Range.length(Range.make(Range.lo(range), va)));

/** The pages behind `to` that the range becomes. */
const targets = (range: Expr<"range">, to: Expr<"va">): Expr<"range"> =>
  Range.make(to, after(vaSort, to, Range.length(range)));

/** The pages of the table that maps the range. */
const tableRange = (range: Expr<"range">): Expr<"range"> => {
  const first = firstPage(regionOf(Range.lo(range)));
  return Range.make(first, firstPage(after(region, regionOf(Range.lo(range)), num(1))));
};

export const mremap = [
  define(mremap_to, {
    source: {
      file,
      function: "mremap_to, move_vma",
      sha: { "6.1": "3624a6e6bea0", "6.12": "5b8fa72ad818" },
    },
    abstracts: [
      "splitting and merging vmas: the range lies in one",
      "no memory for a new table: entries that move one by one go where one is",
      "MREMAP_DONTUNMAP",
    ],
    locals: { old: t.range },
    body: ({ cpu, mm, range, to, by_table, old }) => [
      call(mmap_write_lock, { mm }),
      // do_munmap() of the target: who clears entries there at the same time is waited for, too.
      detach(mm, targets(range, to)),
      call(unmap_region, { cpu, mm, range: targets(range, to) }),
      // copy_vma()
      each(vaSort, range, (va) => [
        set(vma(mm, target(range, to, va)), TRUE),
        set(VM_WRITE(mm, target(range, to, va)), VM_WRITE(mm, va)),
        when(
          FILE,
          ...[vm_file, VM_SHARED, i_mmap].map((f) => set(f(mm, target(range, to, va)), f(mm, va))),
          set(vm_pgoff(mm, target(range, to, va)), vm_pgoff(mm, va)),
        ),
      ]),
      callInto(old, move_page_tables, { cpu, mm, range, to, by_table }),
      // From here on nobody of the process uses the old addresses.
      each(vaSort, range, (va) => [
        when(
          or(Range.contains(old, va), not(valid(pte(mm, va)))),
          emit(events.revoked, { mm, va, reads: TRUE }),
        ),
      ]),
      // do_munmap() of what was moved: there is no entry, but perhaps a table.
      detach(mm, range),
      call(unmap_region, { cpu, mm, range }),
      call(mmap_write_unlock, { mm }),
    ],
  }),
  define(move_page_tables, {
    source: { file, sha: { "6.1": "2626d70472ef", "6.12": "aedad61d7c36" } },
    abstracts: ["huge pages", "one extent: the range lies in one table"],
    locals: { old: t.range, done: t.bool },
    body: ({ cpu, mm, range, to, by_table, old, done }) => [
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      set(done, FALSE),
      set(old, range),
      when(by_table, callInto(done, move_normal_pmd, { cpu, mm, range, to })),
      when(not(done), callInto(old, move_ptes, { cpu, mm, range, to })),
      label("late"),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      ret(old),
    ],
  }),
  define(move_ptes, {
    source: { file, sha: { "6.1": "0c1c84b25499", "6.12": "64cd1cba5001" } },
    abstracts: ["one lock for both tables", "the locks of rmap", "soft-dirty and userfaultfd bits"],
    locals: { force_flush: t.range, upper: desc, entry: desc },
    body: ({ cpu, mm, range, to, force_flush, upper, entry }) => [
      set(force_flush, EMPTY),
      call(spin_lock_ptl, { mm }),
      label("batched", call(flush_tlb_batched_pending, { cpu, mm })),
      each(vaSort, range, (va) => [
        set(upper, pmd(mm, regionOf(va))),
        when(
          isTable(upper),
          set(entry, pte(mm, va)),
          set(upper, pmd(mm, regionOf(target(range, to, va)))),
          when(
            and(ne(entry, PTE_NONE), isTable(upper)),
            callInto(entry, ptep_get_and_clear, { cpu, mm, va }),
            when(pte_present(entry), grow(force_flush, va)),
            call(set_pte_at, { cpu, mm, va: target(range, to, va), entry }),
          ),
        ),
      ]),
      label(
        "flush",
        when(not(Range.empty(force_flush)), call(flush_tlb_range, { cpu, mm, range })),
      ),
      call(spin_unlock_ptl, { mm }),
      ret(force_flush),
    ],
  }),
  define(move_normal_pmd, {
    source: { file, sha: { "6.1": "5fc2750cd1ed", "6.12": "554f91debf9a" } },
    abstracts: [
      "one lock for both tables, and for the entries below",
      "a table's entries are numbered by address: they get new numbers with it",
    ],
    locals: { upper: desc, there: desc, entry: desc },
    body: ({ cpu, mm, range, to, upper, there, entry }) => [
      set(there, pmd(mm, regionOf(to))),
      when(valid(there), ret(FALSE)),
      call(spin_lock_ptl, { mm }),
      set(upper, pmd(mm, regionOf(Range.lo(range)))),
      // Collapsed meanwhile.
      when(not(isTable(upper)), call(spin_unlock_ptl, { mm }), ret(FALSE)),
      callInto(upper, xchg_pmd, {
        ...{ cpu, mm, region: regionOf(Range.lo(range)), value: PTE_NONE },
      }),
      atomic(
        each(vaSort, range, (va) => [
          set(entry, pte_table(nextOf(upper), va)),
          set(pte_table(nextOf(upper), target(range, to, va)), entry),
          emit(events.pte_store, { cpu, mm, va, old: entry, value: PTE_NONE }),
          emit(events.pte_store, {
            ...{ cpu, mm, va: target(range, to, va), old: PTE_NONE, value: entry },
          }),
        ]),
      ),
      call(store_pmd, { cpu, mm, region: regionOf(to), value: upper }),
      label("flush", call(flush_tlb_range, { cpu, mm, range: tableRange(range) })),
      call(spin_unlock_ptl, { mm }),
      ret(TRUE),
    ],
  }),
];
