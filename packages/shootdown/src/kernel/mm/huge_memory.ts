// SPDX-License-Identifier: Apache-2.0
// Huge pages of the upper level: mm/huge_memory.c, 6.1 and 6.12. Anonymous ones.
//
//   split   block ──pmdp_invalidate──► invalid, flushed ──entries filled──► table, the same frames

import type { Expr } from "../../ir/expr.ts";
import {
  add,
  after,
  and,
  eq,
  FALSE,
  limit,
  ne,
  not,
  num,
  or,
  TRUE,
  varies,
} from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  atomic,
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
import { isBlock, pagesOf, pieceOf } from "../../vocabulary/blocks.ts";
import { AF, asKind, desc, PTE_NONE, pfnOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { store_pmd, store_pte, xchg_pmd } from "../../vocabulary/primitives.ts";
import {
  EMPTY,
  firstPage,
  Range,
  regionOf,
  region as regionSort,
  regionsOf,
  t,
  table as tableSort,
  va as vaSort,
} from "../../vocabulary/sorts.ts";
import { is_contiguous, pmd } from "../../vocabulary/state.ts";
import {
  CONTPTE,
  mk_pte,
  pmd_populate,
  pmd_trans_huge,
  pmdp_invalidate,
  pmdp_set_access_flags,
  pmdp_set_wrprotect,
  pte_dirty,
  pte_mkdirty,
  pte_mkold,
  pte_mkwrite,
  pte_mkyoung,
  pte_none,
  pte_write,
  pte_wrprotect,
} from "../asm/pgtable.ts";
import {
  contpte_aligned,
  entries_protnone,
  gather_page,
  gather_pmds,
  huge_pages,
  PageAnonExclusive,
  page_refs,
  pmd_huge_pte,
  VM_NONE,
  VM_WRITE,
  vma,
} from "../state.ts";
import { spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { free_table } from "./page_alloc.ts";

const file = "mm/huge_memory.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };
const upper = { cpu: t.cpu, mm: t.mm, region: t.region };
const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** Whether huge pages are mapped at any time: what they need costs nothing elsewhere. */
export const HUGE = varies(huge_pages);

/** `split_huge_pmd()`: the huge page that maps an address becomes small ones. */
export const __split_huge_pmd = declare("__split_huge_pmd", at);
/** The edges of a range are to be those of vmas: no huge page may lie across one. */
export const vma_adjust_trans_huge = declare("vma_adjust_trans_huge", ranged);
export const split_huge_pmd_if_needed = declare("split_huge_pmd_if_needed", at);
export const __split_huge_pmd_locked = declare("__split_huge_pmd_locked", upper);
export const huge_pmd_set_accessed = declare("huge_pmd_set_accessed", {
  ...at,
  orig: desc,
  write: t.bool,
});
/** Whether the fault goes on with a small page (VM_FAULT_FALLBACK). */
export const do_huge_pmd_wp_page = declare("do_huge_pmd_wp_page", { ...at, orig: desc }, t.bool);
export const do_huge_pmd_numa_page = declare("do_huge_pmd_numa_page", { ...at, orig: desc });
/** These two: whether there was a huge page. */
export const zap_huge_pmd = declare("zap_huge_pmd", upper, t.bool);
export const change_huge_pmd = declare("change_huge_pmd", { ...upper, writable: t.bool }, t.bool);
export const copy_huge_pmd = declare("copy_huge_pmd", upper);
/** Huge pages in a range: zapped, or split where the range ends inside. What is to be flushed. */
export const zap_pmd_range = declare("zap_pmd_range", ranged, t.range);
export const change_pmd_range = declare(
  "change_pmd_range",
  { ...ranged, writable: t.bool },
  t.range,
);
/** Links an empty table where nothing is mapped. */
export const __pte_alloc = declare("__pte_alloc", at);

/** Every page of a region, and its frame in the block that maps it. */
export const eachPiece = (
  r: Expr<"region">,
  block: Expr<"desc">,
  body: (frame: Expr<"pfn">, va: Expr<"va">) => readonly Stmt[],
): Stmt => each(vaSort, pagesOf(r), (va) => [...body(pfnOf(pieceOf(block, va)), va)]);

/** Whether all pages of a region are in a range. */
const covers = (range: Expr<"range">, r: Expr<"region">) =>
  and(
    Range.contains(range, firstPage(r)),
    Range.contains(range, after(vaSort, firstPage(r), limit("PTRS_PER_PTE_MINUS_1"))),
  );

/** For each huge page of a range: whole, or first split. */
export const eachHuge = (
  { cpu, mm, range }: { cpu: Expr<"cpu">; mm: Expr<"mm">; range: Expr<"range"> },
  whole: (r: Expr<"region">) => readonly Stmt[],
): Stmt =>
  each(regionSort, regionsOf(range), (r) => [
    when(
      pmd_trans_huge(pmd(mm, r)),
      whenElse(covers(range, r), whole(r), [call(__split_huge_pmd, { cpu, mm, va: firstPage(r) })]),
    ),
  ]);

const faults = [
  define(huge_pmd_set_accessed, {
    source: {
      file,
      function: "huge_pmd_set_accessed, touch_pmd",
      sha: { "6.1": "02cfb69dad46", "6.12": "e68855bac662" },
    },
    locals: { now: desc, entry: desc, changed: t.bool },
    body: ({ cpu, mm, va, orig, write, now, entry, changed }) => [
      call(spin_lock_ptl, { mm }),
      set(now, pmd(mm, regionOf(va))),
      when(ne(now, orig), call(spin_unlock_ptl, { mm }), ret()),
      set(entry, pte_mkyoung(orig)),
      when(write, set(entry, pte_mkdirty(entry))),
      callInto(changed, pmdp_set_access_flags, {
        ...{ cpu, mm, region: regionOf(va), entry, dirty: write },
      }),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
  define(do_huge_pmd_wp_page, {
    source: { file, sha: { "6.1": "500d00ca4d33", "6.12": "2fdc1dfa22c8" } },
    abstracts: ["the huge zero page", "the folio lock and the swap cache"],
    locals: { now: desc, entry: desc, reuse: t.bool, refs: t.int, changed: t.bool },
    body: ({ cpu, mm, va, orig, now, entry, reuse, refs, changed }) => [
      call(spin_lock_ptl, { mm }),
      set(now, pmd(mm, regionOf(va))),
      when(ne(now, orig), call(spin_unlock_ptl, { mm }), ret(FALSE)),
      set(reuse, PageAnonExclusive(pfnOf(orig))),
      when(
        not(reuse),
        set(refs, page_refs(pfnOf(orig))),
        when(
          eq(refs, num(1)),
          eachPiece(regionOf(va), orig, (frame) => [set(PageAnonExclusive(frame), TRUE)]),
          set(reuse, TRUE),
        ),
      ),
      when(
        reuse,
        set(entry, pte_mkdirty(pte_mkyoung(orig))),
        when(VM_WRITE(mm, va), set(entry, pte_mkwrite(entry))),
        callInto(changed, pmdp_set_access_flags, {
          ...{ cpu, mm, region: regionOf(va), entry, dirty: TRUE },
        }),
        call(spin_unlock_ptl, { mm }),
        ret(FALSE),
      ),
      call(spin_unlock_ptl, { mm }),
      call(__split_huge_pmd, { cpu, mm, va }),
      ret(TRUE),
    ],
  }),
  define(do_huge_pmd_numa_page, {
    source: { file, sha: { "6.1": "e92151eabbd4", "6.12": "60ccfcbf9b9e" } },
    abstracts: ["migration to another node"],
    locals: { now: desc },
    body: ({ cpu, mm, va, orig, now }) => [
      call(spin_lock_ptl, { mm }),
      set(now, pmd(mm, regionOf(va))),
      when(ne(now, orig), call(spin_unlock_ptl, { mm }), ret()),
      // set_pmd_at() of what it was.
      call(store_pmd, { cpu, mm, region: regionOf(va), value: pte_mkyoung(asKind(orig, "none")) }),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
];

/** Whether two pages lie in different vmas: their flags differ. */
const apart = (mm: Expr<"mm">, a: Expr<"va">, b: Expr<"va">): Expr<"bool"> =>
  or(
    ne(vma(mm, a), vma(mm, b)),
    ne(VM_WRITE(mm, a), VM_WRITE(mm, b)),
    ne(VM_NONE(mm, a), VM_NONE(mm, b)),
  );

const splits = [
  define(vma_adjust_trans_huge, {
    source: { file, sha: { "6.1": "0dd777d43b37", "6.12": "0dd777d43b37" } },
    abstracts: ["a vma that begins later: adjust_next"],
    body: ({ cpu, mm, range }) => [
      call(split_huge_pmd_if_needed, { cpu, mm, va: Range.lo(range) }),
      call(split_huge_pmd_if_needed, { cpu, mm, va: Range.hi(range) }),
    ],
  }),
  define(split_huge_pmd_if_needed, {
    source: {
      file,
      function: "split_huge_pmd_if_needed, split_huge_pmd_address",
      sha: { "6.1": "69bb2b8ce11f", "6.12": "69bb2b8ce11f" },
    },
    locals: { other: t.range },
    body: ({ cpu, mm, va, other }) => [
      when(eq(va, firstPage(regionOf(va))), ret()),
      // range_in_vma()
      atomic(
        set(other, EMPTY),
        each(vaSort, pagesOf(regionOf(va)), (a) => [when(apart(mm, va, a), grow(other, a))]),
      ),
      when(and(vma(mm, va), Range.empty(other)), call(__split_huge_pmd, { cpu, mm, va })),
    ],
  }),
  define(__split_huge_pmd, {
    source: {
      file,
      function: "__split_huge_pmd (6.1), __split_huge_pmd, split_huge_pmd_locked (6.12)",
      sha: { "6.1": "c10b53f73d3d", "6.12": "cb8f890bdc67" },
    },
    body: ({ cpu, mm, va }) => {
      const range = pagesOf(regionOf(va));
      return [
        label("start", call(mmu_notifier_invalidate_range_start, { cpu, mm, range })),
        call(spin_lock_ptl, { mm }),
        when(
          pmd_trans_huge(pmd(mm, regionOf(va))),
          call(__split_huge_pmd_locked, { cpu, mm, region: regionOf(va) }),
        ),
        call(spin_unlock_ptl, { mm }),
        // Until 6.5 nobody but the CPUs hears of it: "they are all still valid".
        label(
          "end",
          since(
            "6.6",
            [call(mmu_notifier_invalidate_range_end, { cpu, mm, range })],
            [call(mmu_notifier_invalidate_range_only_end, { cpu, mm, range })],
          ),
        ),
      ];
    },
  }),
  define(__split_huge_pmd_locked, {
    source: { file, sha: { "6.1": "e32fca16a788", "6.12": "fc5a90cf3253" } },
    abstracts: [
      "migration entries",
      "the huge zero page",
      "file pages",
      "the folio's own mark that it is dirty",
    ],
    locals: { old: desc, entry: desc, pgtable: t.table },
    body: ({ cpu, mm, region, old, entry, pgtable }) => [
      callInto(old, pmdp_invalidate, { cpu, mm, region }),
      set(pgtable, pmd_huge_pte(mm, region)),
      eachPiece(region, old, (frame, va) => [
        set(entry, mk_pte(frame)),
        when(pte_write(old), set(entry, pte_mkwrite(entry))),
        when(not(AF(old)), set(entry, pte_mkold(entry))),
        // 6.1 leaves it to the page alone that it is dirty.
        since("6.6", [when(pte_dirty(old), set(entry, pte_mkdirty(entry)))]),
        // vm_page_prot of a vma that permits nothing
        when(
          varies(entries_protnone),
          when(VM_NONE(mm, va), set(entry, asKind(pte_wrprotect(entry), "protnone"))),
        ),
        call(store_pte, { cpu, mm, va, table: pgtable, value: entry }),
        // set_ptes() of all of them: those that may be joined are.
        since("6.9", [when(CONTPTE, when(contpte_aligned(va), set(is_contiguous(va), TRUE)))]),
      ]),
      label("populate", call(pmd_populate, { cpu, mm, region, table: pgtable })),
    ],
  }),
];

const ranges = [
  define(zap_huge_pmd, {
    source: { file, sha: { "6.1": "77c564c7c592", "6.12": "820da816aaef" } },
    abstracts: [
      "migration entries",
      "the huge zero page",
      "file pages",
      "a batch that is full after it",
    ],
    locals: { old: desc },
    body: ({ cpu, mm, region, old }) => [
      call(spin_lock_ptl, { mm }),
      set(old, pmd(mm, region)),
      when(not(pmd_trans_huge(old)), call(spin_unlock_ptl, { mm }), ret(FALSE)),
      callInto(old, xchg_pmd, { cpu, mm, region, value: PTE_NONE }),
      eachPiece(region, old, (frame) => [
        set(gather_page(cpu, frame), add(gather_page(cpu, frame), num(1))),
      ]),
      // zap_deposited_table(): where a table is needed again, it is another one.
      call(free_table, { table: pmd_huge_pte(mm, region) }),
      set(
        pmd_huge_pte(mm, region),
        after(tableSort, pmd_huge_pte(mm, region), limit("SPARE_TABLES")),
      ),
      call(spin_unlock_ptl, { mm }),
      ret(TRUE),
    ],
  }),
  define(zap_pmd_range, {
    source: { file: "mm/memory.c", sha: { "6.1": "939a1532b953", "6.12": "1f4ea2029130" } },
    abstracts: ["tables: zap_pte_range() looks for them itself"],
    locals: { gathered: t.range, done: t.bool },
    body: ({ cpu, mm, range, gathered, done }) => [
      set(gathered, EMPTY),
      eachHuge({ cpu, mm, range }, (r) => [
        callInto(done, zap_huge_pmd, { cpu, mm, region: r }),
        when(
          done,
          set(gather_pmds(cpu), TRUE),
          each(vaSort, pagesOf(r), (va) => [grow(gathered, va)]),
        ),
      ]),
      ret(gathered),
    ],
  }),
  define(change_huge_pmd, {
    source: { file, sha: { "6.1": "06318c4fcb95", "6.12": "d8e0fa0e3d07" } },
    abstracts: ["NUMA hinting, userfaultfd-wp", "migration entries"],
    locals: { old: desc, entry: desc, reuse: t.bool },
    body: ({ cpu, mm, region, writable, old, entry, reuse }) => [
      call(spin_lock_ptl, { mm }),
      set(old, pmd(mm, region)),
      when(not(pmd_trans_huge(old)), call(spin_unlock_ptl, { mm }), ret(FALSE)),
      // pmdp_invalidate_ad()
      callInto(old, pmdp_invalidate, { cpu, mm, region }),
      set(entry, pte_wrprotect(asKind(old, "none"))),
      // can_change_pmd_writable(): 6.1 leaves it to the next fault.
      since("6.6", [
        set(reuse, PageAnonExclusive(pfnOf(old))),
        when(and(writable, reuse), set(entry, pte_mkwrite(entry))),
      ]),
      call(store_pmd, { cpu, mm, region, value: entry }),
      call(spin_unlock_ptl, { mm }),
      ret(TRUE),
    ],
  }),
  define(change_pmd_range, {
    source: {
      file: "mm/mprotect.c",
      sha: { "6.1": "89e378bb09d7", "6.12": "94b35ca3708f" },
    },
    abstracts: ["tables: change_pte_range() looks for them itself"],
    locals: { gathered: t.range, done: t.bool },
    body: ({ cpu, mm, range, writable, gathered, done }) => [
      set(gathered, EMPTY),
      eachHuge({ cpu, mm, range }, (r) => [
        callInto(done, change_huge_pmd, { cpu, mm, region: r, writable }),
        when(
          done,
          set(gather_pmds(cpu), TRUE),
          each(vaSort, pagesOf(r), (va) => [grow(gathered, va)]),
        ),
      ]),
      ret(gathered),
    ],
  }),
  define(copy_huge_pmd, {
    source: { file, sha: { "6.1": "2032cd04a3b7", "6.12": "d4cc7c084ee5" } },
    abstracts: ["the child's page tables: only its references to the pages", "pinned pages"],
    locals: { old: desc },
    body: ({ cpu, mm, region, old }) => [
      set(old, pmd(mm, region)),
      when(not(isBlock(old)), ret()),
      eachPiece(region, old, (frame) => [
        set(page_refs(frame), add(page_refs(frame), num(1))),
        set(PageAnonExclusive(frame), FALSE),
      ]),
      call(pmdp_set_wrprotect, { cpu, mm, region }),
    ],
  }),
  define(__pte_alloc, {
    source: { file: "mm/memory.c", sha: { "6.1": "dfac1e902b65", "6.12": "dfac1e902b65" } },
    abstracts: ["do_huge_pmd_anonymous_page: what comes back is small"],
    locals: { now: desc },
    body: ({ cpu, mm, va, now }) => [
      call(spin_lock_ptl, { mm }),
      set(now, pmd(mm, regionOf(va))),
      when(
        pte_none(now),
        call(pmd_populate, {
          ...{ cpu, mm, region: regionOf(va) },
          table: pmd_huge_pte(mm, regionOf(va)),
        }),
      ),
      call(spin_unlock_ptl, { mm }),
    ],
  }),
];

export const huge_memory = [...faults, ...splits, ...ranges];

/** After fork() or mprotect(): what nobody may write any more, where huge pages are mapped. */
export const sealedPieces = (mm: Expr<"mm">, range: Expr<"range">): Stmt =>
  when(
    HUGE,
    each(vaSort, range, (va) => {
      const block = pmd(mm, regionOf(va));
      return [
        when(
          and(isBlock(block), not(pte_write(block))),
          emit(events.revoked, { mm, va, reads: FALSE }),
        ),
      ];
    }),
  );
