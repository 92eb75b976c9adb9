// SPDX-License-Identifier: Apache-2.0
// Unmapping and exit: mm/mmap.c, mm/vma.c, mm/memory.c (free_pgtables), 6.1 and 6.12.

import type { Expr } from "../../ir/expr.ts";
import { after, eq, FALSE, ne, not, num, or, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  atomic,
  await_,
  call,
  callInto,
  each,
  emit,
  grow,
  label,
  leave,
  loop,
  ret,
  set,
  since,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import { desc, isTable, nextOf, PTE_NONE } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { leave_mm, xchg_pmd } from "../../vocabulary/primitives.ts";
import {
  EMPTY,
  firstPage,
  Range,
  Regions,
  region,
  regionOf,
  regionsOf,
  t,
  va as vaSort,
  WHOLE_MM,
} from "../../vocabulary/sorts.ts";
import { flush_tlb_mm } from "../asm/tlbflush.ts";
import {
  gather_fullmm,
  gather_table,
  i_mmap,
  i_mmap_readers,
  mm_alive,
  VM_HUGETLB,
  VM_NONE,
  VM_WRITE,
  vma,
  vma_detached,
  vmas_several,
} from "../state.ts";
import { FILE } from "./file-pages.ts";
import { HUGE, vma_adjust_trans_huge } from "./huge_memory.ts";
import { zap_pte_range } from "./memory-zap.ts";
import {
  mmap_read_lock,
  mmap_read_unlock,
  mmap_write_downgrade,
  mmap_write_lock,
  mmap_write_unlock,
} from "./mmap_lock.ts";
import {
  dec_tlb_flush_pending,
  tlb_end_vma,
  tlb_finish_mmu,
  tlb_flush_mmu_free,
  tlb_gather_mmu,
} from "./mmu_gather.ts";
import { NOWAIT_FAILS, tlb_remove_table } from "./mmu_gather-full.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
  mmu_notifier_release,
} from "./mmu_notifier.ts";

const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

export const do_munmap = declare("do_munmap", ranged);
/** What nothing covers any more: its entries, then the tables that held nothing else. */
export const unmap_region = declare("unmap_region", ranged);
/** Clears entries of one vma after the other; the result is what is left to tlb_finish_mmu(). */
export const unmap_vmas = declare("unmap_vmas", ranged, t.range);
export const free_pgtables = declare("free_pgtables", ranged, t.range);
/** rmap finds the places no more: i_mmap_rwsem is held for writing. */
export const unlink_file_vma = declare("unlink_file_vma", { mm: t.mm, range: t.range });
export const exit_mmap = declare("exit_mmap", { cpu: t.cpu, mm: t.mm });

const SEVERAL = varies(vmas_several);

/** Takes what covers a range out of the process; unmap_region() follows. */
export const detach = (mm: Expr<"mm">, range: Expr<"range">): Stmt =>
  each(vaSort, range, (va) => [
    when(SEVERAL, set(vma_detached(mm, va), vma(mm, va))),
    set(vma(mm, va), FALSE),
  ]);

/** Whether two pages of a range that was taken out lie in different vmas. */
const apart = (mm: Expr<"mm">, a: Expr<"va">, b: Expr<"va">): Expr<"bool"> =>
  or(
    ne(vma_detached(mm, a), vma_detached(mm, b)),
    ne(VM_WRITE(mm, a), VM_WRITE(mm, b)),
    ne(VM_NONE(mm, a), VM_NONE(mm, b)),
  );

export const mmap = [
  define(do_munmap, {
    source: {
      file: "mm/mmap.c, mm/vma.c",
      function: "do_mas_align_munmap (6.1), do_vmi_align_munmap (6.12)",
      sha: { "6.1": "b0e235b371cf", "6.12": "81a3163e1047" },
    },
    abstracts: ["splitting vmas, but for the huge pages that they cut"],
    body: ({ cpu, mm, range }) => [
      call(mmap_write_lock, { mm }),
      when(HUGE, call(vma_adjust_trans_huge, { cpu, mm, range })),
      detach(mm, range),
      call(mmap_write_downgrade, { mm }),
      call(unmap_region, { cpu, mm, range }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(unmap_region, {
    source: {
      file: "mm/mmap.c, mm/vma.c",
      function: "unmap_region (6.1), vms_clear_ptes (6.12)",
      sha: { "6.1": "725161035366", "6.12": "c2d71cb1d3b2" },
    },
    locals: { gathered: t.range, owed: t.range, tables: t.range },
    body: ({ cpu, mm, range, gathered, owed, tables }) => [
      call(tlb_gather_mmu, { mm }),
      // unmap_vmas()
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      whenElse(
        SEVERAL,
        [callInto(owed, unmap_vmas, { cpu, mm, range })],
        [
          callInto(gathered, zap_pte_range, { cpu, mm, range }),
          callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
        ],
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range }),
      callInto(tables, free_pgtables, { cpu, mm, range }),
      label("finish", call(tlb_finish_mmu, { cpu, mm, range: owed, tables })),
      // Also of pages whose entries somebody else has cleared, who may owe the flush.
      each(vaSort, range, (va) => [
        when(or(not(SEVERAL), vma_detached(mm, va)), emit(events.revoked, { mm, va, reads: TRUE })),
      ]),
      call(tlb_flush_mmu_free, { cpu }),
    ],
  }),
  define(unmap_vmas, {
    source: {
      file: "mm/memory.c, mm/hugetlb.c",
      function: "unmap_vmas, unmap_single_vma, unmap_page_range, __unmap_hugepage_range",
      sha: { "6.1": "251ed97b04a0", "6.12": "c1a2c719edac" },
    },
    abstracts: ["vmas whose flags are the same count as one"],
    locals: { gathered: t.range, owed: t.range, rest: t.range, other: t.range, left: t.range },
    body: ({ cpu, mm, range, gathered, owed, rest, other, left }) => {
      const at = { cpu, mm, range: Range.make(Range.lo(rest), Range.lo(other)) };
      const hugetlb = (notify: Stmt): Stmt =>
        when(varies(VM_HUGETLB), when(VM_HUGETLB(mm, Range.lo(rest)), notify));
      return [
        set(owed, EMPTY),
        set(rest, range),
        loop(
          when(Range.empty(rest), leave()),
          atomic(
            // What lies behind the first of them.
            set(other, Range.make(Range.hi(rest), Range.hi(rest))),
            each(vaSort, rest, (va) => [when(apart(mm, Range.lo(rest), va), grow(other, va))]),
          ),
          when(
            vma_detached(mm, Range.lo(rest)),
            // "hugetlb: remove duplicate mmu notifications"
            since("6.6", [], [hugetlb(call(mmu_notifier_invalidate_range_start, at))]),
            callInto(gathered, zap_pte_range, at),
            since("6.6", [], [hugetlb(call(mmu_notifier_invalidate_range_end, at))]),
            label("flush", callInto(left, tlb_end_vma, { cpu, mm, range: gathered })),
            each(vaSort, left, (va) => [grow(owed, va)]),
          ),
          set(rest, Range.make(Range.lo(other), Range.hi(range))),
        ),
        ret(owed),
      ];
    },
  }),
  define(free_pgtables, {
    source: {
      file: "mm/memory.c",
      function: "free_pgtables, free_pgd_range, free_pte_range",
      sha: { "6.1": "fd86729e863d", "6.12": "c4312b039448" },
    },
    abstracts: ["upper levels are never freed"],
    locals: {
      below: t.range,
      above: t.range,
      first: region,
      last: region,
      old: desc,
      freed: t.range,
      queued: t.bool,
    },
    body: ({ cpu, mm, range, below, above, first, last, old, freed, queued }) => [
      when(FILE, label("unlink", call(unlink_file_vma, { mm, range }))),
      // floor and ceiling: other vmas in the first and in the last table
      set(below, EMPTY),
      each(vaSort, Range.make(firstPage(regionOf(Range.lo(range))), Range.lo(range)), (va) => [
        when(vma(mm, va), grow(below, va)),
      ]),
      set(above, EMPTY),
      each(vaSort, Range.make(Range.hi(range), firstPage(Regions.hi(regionsOf(range)))), (va) => [
        when(vma(mm, va), grow(above, va)),
      ]),
      set(first, Regions.lo(regionsOf(range))),
      when(not(Range.empty(below)), set(first, after(region, first, num(1)))),
      set(last, Regions.hi(regionsOf(range))),
      when(
        not(Range.empty(above)),
        // The ceiling's table stays.
        set(last, regionOf(Range.lo(above))),
      ),
      set(freed, EMPTY),
      each(region, Regions.make(first, last), (r) => [
        callInto(old, xchg_pmd, { cpu, mm, region: r, value: PTE_NONE }),
        when(
          isTable(old),
          grow(freed, firstPage(r)),
          // pte_free_tlb()
          whenElse(
            NOWAIT_FAILS,
            [
              callInto(queued, tlb_remove_table, { cpu, mm, table: nextOf(old), tables: freed }),
              when(not(queued), set(freed, EMPTY)),
            ],
            [set(gather_table(cpu, nextOf(old)), TRUE)],
          ),
        ),
      ]),
      ret(freed),
    ],
  }),
  define(unlink_file_vma, {
    source: {
      file: "mm/mmap.c, mm/vma.c",
      function: "unlink_file_vma (6.1), unlink_file_vma_batch_process (6.12)",
      sha: { "6.1": "07948b73e699", "6.12": "4fdfe74d3100" },
    },
    body: ({ mm, range }) => [
      atomic(
        await_(eq(i_mmap_readers(), num(0))),
        each(vaSort, range, (va) => [set(i_mmap(mm, va), FALSE)]),
      ),
    ],
  }),
  define(exit_mmap, {
    source: {
      file: "mm/mmap.c, kernel/fork.c",
      function: "exit_mmap, __mmput",
      sha: { "6.1": "5a3b330db2a2", "6.12": "da3b40f9d874" },
    },
    abstracts: ["the last user exits on this CPU", "the last batch of pages is full too"],
    locals: { gathered: t.range, tables: t.range },
    body: ({ cpu, mm, gathered, tables }) => [
      call(leave_mm, { cpu }),
      set(mm_alive(mm), FALSE),
      call(mmu_notifier_release, { cpu, mm }),
      call(mmap_read_lock, { mm }),
      call(tlb_gather_mmu, { mm }),
      set(gather_fullmm(cpu), TRUE),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: WHOLE_MM }),
      callInto(gathered, zap_pte_range, { cpu, mm, range: WHOLE_MM }),
      // fullmm: tlb_end_vma() does nothing, and a batch of pages that is full is freed at once.
      call(tlb_flush_mmu_free, { cpu }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: WHOLE_MM }),
      call(mmap_read_unlock, { mm }),
      call(mmap_write_lock, { mm }),
      each(vaSort, WHOLE_MM, (va) => [set(vma(mm, va), FALSE)]),
      callInto(tables, free_pgtables, { cpu, mm, range: WHOLE_MM }),
      when(not(Range.empty(tables)), call(flush_tlb_mm, { cpu, mm })),
      call(dec_tlb_flush_pending, { mm }),
      call(tlb_flush_mmu_free, { cpu }),
      call(mmap_write_unlock, { mm }),
    ],
  }),
];
