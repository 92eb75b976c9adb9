// SPDX-License-Identifier: Apache-2.0
// What pages of files add to the routines that handle pages: mm/memory.c, mm/filemap.c, mm/rmap.c.
//
//   i_pages[index] ──► page, folio_index[page] ──► index      the page cache, and back
//   vm_pgoff[mm, va] ──► index                                 what a place of a file maps
//   i_mmap[mm, va]                                             which places rmap finds

import type { Expr, Place } from "../../ir/expr.ts";
import { add, and, eq, FALSE, lt, not, num, or, sub, TRUE, varies } from "../../ir/expr.ts";
import { declare } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, each, emit, forall, ret, set, since, when, whenElse } from "../../ir/stmt.ts";
import type { Desc } from "../../vocabulary/descriptor.ts";
import { desc, isTable, pfnOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { EMPTY, regionOf, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pmd } from "../../vocabulary/state.ts";
import { pte_dirty, pte_present } from "../asm/pgtable.ts";
import {
  fault_sigbus,
  file_pages,
  folio_mapcount,
  gather_delayed_rmap,
  huge_pages,
  hwpoisoned,
  i_mmap,
  is_file_page,
  is_zero_page,
  keep_cows,
  PG_dirty,
  VM_SHARED,
  vm_file,
  vm_pgoff,
  vma,
} from "../state.ts";
import { tlb_flush_mmu_tlbonly } from "./mmu_gather.ts";

/** Whether anything maps files: what that needs costs nothing elsewhere. */
export const FILE = varies(file_pages);

const at = { cpu: t.cpu, mm: t.mm, va: t.va };
const page = { ...at, frame: t.pfn };

/** A fault on nothing, in a vma of a file. */
export const do_fault = declare("do_fault", { ...at, write: t.bool });
export const do_read_fault = declare("do_read_fault", at);
export const do_cow_fault = declare("do_cow_fault", at);
export const do_shared_fault = declare("do_shared_fault", at);
/** Puts the page into the page table; false: somebody was faster. */
export const finish_fault = declare("finish_fault", { ...page, write: t.bool }, t.bool);
/** `do_set_pte` before 6.6. */
export const set_pte_range = declare("set_pte_range", {
  ...page,
  ...{ write: t.bool, prefault: t.bool },
});
/** The file system learns that a page is going to be written; the page is locked, if it is its. */
export const do_page_mkwrite = declare("do_page_mkwrite", { frame: t.pfn }, t.bool);
export const fault_dirty_shared_page = declare("fault_dirty_shared_page", { frame: t.pfn });
/** A write to a page of a shared mapping whose entry forbids it. */
export const wp_page_shared = declare("wp_page_shared", { ...at, orig: desc });
export const finish_mkwrite_fault = declare("finish_mkwrite_fault", { ...at, orig: desc }, t.bool);
export const wp_page_reuse = declare("wp_page_reuse", { ...at, orig: desc });

/** The page of the file, locked and with a reference; the zero page for VM_FAULT_SIGBUS. */
export const filemap_fault = declare("filemap_fault", at, t.pfn);
/** Fault-around: maps what the cache has of the vma's pages; whether the page was among them. */
export const filemap_map_pages = declare("filemap_map_pages", at, t.bool);

/** What takes the place of a table while nobody holds the lock: a fault there begins anew. */
export const tableOr = (
  mm: Expr<"mm">,
  va: Expr<"va">,
  otherwise: readonly Stmt[],
): readonly Stmt[] => [
  when(varies(huge_pages), when(not(isTable(pmd(mm, regionOf(va)))), ...otherwise)),
];

/** Not folio_test_anon(). */
export const isFilePage = (frame: Expr<"pfn">): Expr<"bool"> => and(FILE, is_file_page(frame));
/** A place of a file, and of a shared mapping of one. */
export const isFilePlace = (mm: Expr<"mm">, va: Expr<"va">) => and(FILE, vm_file(mm, va));
export const isSharedPlace = (mm: Expr<"mm">, va: Expr<"va">) => and(FILE, VM_SHARED(mm, va));

/** A place where the file's mappings have this page of it. */
export const mapsIndex = (mm: Expr<"mm">, va: Expr<"va">, index: Expr<"pgoff">) =>
  and(i_mmap(mm, va), eq(vm_pgoff(mm, va), index));

/** The end of a fault: false if it was VM_FAULT_SIGBUS. */
export const sigbus = (cpu: Expr<"cpu">): readonly Stmt[] => [
  when(
    or(FILE, varies(hwpoisoned)),
    when(fault_sigbus(cpu), set(fault_sigbus(cpu), FALSE), ret(FALSE)),
  ),
];

const counted = (frame: Expr<"pfn">, count: Expr<"int">): Stmt =>
  when(FILE, when(is_file_page(frame), set(folio_mapcount(frame), count)));

export const folio_add_file_rmap = (frame: Expr<"pfn">): Stmt =>
  counted(frame, add(folio_mapcount(frame), num(1)));
/** folio_remove_rmap_pte(): of anonymous pages nobody asks how often they are mapped. */
export const folio_remove_rmap = (frame: Expr<"pfn">): Stmt =>
  counted(frame, sub(folio_mapcount(frame), num(1)));

/** The page was copied; that of a file is still written by others, which loses nothing. */
export const copiedAway = (frame: Expr<"pfn">): Stmt =>
  whenElse(
    FILE,
    [when(not(is_file_page(frame)), emit(events.page_copied, { frame }))],
    [emit(events.page_copied, { frame })],
  );

/** should_zap_cows(), should_zap_folio(): of private mappings, what was copied may have to stay. */
export const shouldZap = (cpu: Expr<"cpu">, entry: Desc): Expr<"bool"> =>
  not(
    and(
      ...[FILE, keep_cows(cpu), not(is_file_page(pfnOf(entry)))],
      not(and(pte_present(entry), is_zero_page(pfnOf(entry)))),
    ),
  );

/**
 * zap_present_folio_ptes(): a dirty page of a file is flushed under the lock, and until 6.1 is gone
 * from rmap before that.
 */
export const zapOfFile = (
  cpu: Expr<"cpu">,
  old: Desc,
  force_flush: Place<"bool">,
): readonly Stmt[] => {
  const frame = pfnOf(old);
  const delayed = gather_delayed_rmap(cpu, frame);
  return [
    when(
      is_file_page(frame),
      whenElse(
        pte_dirty(old),
        [
          set(PG_dirty(frame), TRUE),
          set(force_flush, TRUE),
          since("6.2", [set(delayed, add(delayed, num(1)))], [folio_remove_rmap(frame)]),
        ],
        [folio_remove_rmap(frame)],
      ),
    ),
  ];
};

/** What a zap has gathered is flushed before the lock is given up; then rmap hears of it. */
export const flushUnderLock = (
  cpu: Expr<"cpu">,
  mm: Expr<"mm">,
  gathered: Place<"range">,
): readonly Stmt[] => [
  call(tlb_flush_mmu_tlbonly, { cpu, mm, range: gathered }),
  // Of what was unmapped for good nothing is left to flush later.
  each(vaSort, gathered, (va) => [
    when(not(vma(mm, va)), emit(events.revoked, { mm, va, reads: TRUE })),
  ]),
  set(gathered, EMPTY),
  // tlb_flush_rmaps()
  since("6.2", [
    forall(t.pfn, (frame) => [
      when(
        lt(num(0), gather_delayed_rmap(cpu, frame)),
        set(folio_mapcount(frame), sub(folio_mapcount(frame), gather_delayed_rmap(cpu, frame))),
        set(gather_delayed_rmap(cpu, frame), num(0)),
      ),
    ]),
  ]),
];
