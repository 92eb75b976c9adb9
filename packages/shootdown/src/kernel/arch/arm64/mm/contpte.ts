// SPDX-License-Identifier: Apache-2.0
// Groups of contiguous entries: arch/arm64/mm/contpte.c, 6.12; since 6.9.
//
//   unfold   all entries cleared, AF and dirty gathered ──TLBI of the group──► set, each alone
//
// The CONT bit is is_contiguous(va): it changes while all entries of the group are invalid.

import type { Expr } from "../../../../ir/expr.ts";
import { and, eq, FALSE, ne, not, or, TRUE, withFields } from "../../../../ir/expr.ts";
import { declare, define } from "../../../../ir/machine.ts";
import type { Stmt } from "../../../../ir/stmt.ts";
import {
  call,
  callInto,
  each,
  grow,
  label,
  leave,
  loop,
  ret,
  set,
  when,
} from "../../../../ir/stmt.ts";
import { pagesOf } from "../../../../vocabulary/blocks.ts";
import type { Desc } from "../../../../vocabulary/descriptor.ts";
import {
  AF,
  DBM,
  DIRTY,
  desc,
  PTE_NONE,
  pfnOf,
  RDONLY,
  valid,
} from "../../../../vocabulary/descriptor.ts";
import { cmpxchg_desc, store_desc, xchg_desc } from "../../../../vocabulary/primitives.ts";
import { EMPTY, Range, regionOf, t, va as vaSort } from "../../../../vocabulary/sorts.ts";
import { is_contiguous, pte } from "../../../../vocabulary/state.ts";
import {
  clear_full_ptes,
  pte_advance_pfn,
  pte_dirty,
  pte_mkclean,
  pte_mkdirty,
  pte_mkold,
  pte_mkyoung,
  pte_retreat_pfn,
  pte_wrprotect,
  ptep_get,
  wrprotect_ptes,
} from "../../../asm/pgtable.ts";
import { contpte_aligned } from "../../../state.ts";
import { __flush_tlb_range } from "../asm/tlbflush.ts";

const file = "arch/arm64/mm/contpte.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };

export const contpte_convert = declare("contpte_convert", { ...at, entry: desc, cont: t.bool });
export const contpte_try_unfold = declare("contpte_try_unfold", at);
/** Of a group that is only partly in a range all entries become old, or clean. */
export const contpte_clear_young_dirty_ptes = declare("contpte_clear_young_dirty_ptes", {
  ...at,
  clean: t.bool,
});
/** All of a group becomes old. */
export const contpte_ptep_clear_flush_young = declare("contpte_ptep_clear_flush_young", at, t.bool);
/** A group that is only partly in a range is unfolded. */
export const contpte_try_unfold_partial = declare("contpte_try_unfold_partial", {
  ...at,
  range: t.range,
});
export const contpte_try_fold = declare("contpte_try_fold", { ...at, entry: desc });
/** Where the write bit stays as it is; otherwise the group is unfolded first. */
export const contpte_ptep_set_access_flags = declare(
  "contpte_ptep_set_access_flags",
  { ...at, entry: desc, dirty: t.bool },
  t.bool,
);

/** Only ever more permissive: adds AF, DBM, DIRTY, takes RDONLY away. */
export const morePermissive = (old: Desc, entry: Desc): Desc =>
  withFields(old, {
    AF: or(AF(old), AF(entry)),
    DBM: or(DBM(old), DBM(entry)),
    DIRTY: or(DIRTY(old), DIRTY(entry)),
    RDONLY: and(RDONLY(old), RDONLY(entry)),
  });

/** The entries that the CONT bit joins with one, and those that it might. */
const eachOf = (
  va: Expr<"va">,
  member: (a: Expr<"va">) => Expr<"bool">,
  body: (a: Expr<"va">) => readonly Stmt[],
): Stmt => each(vaSort, pagesOf(regionOf(va)), (a) => [when(member(a), ...body(a))]);

/** Flags that differ in an entry of a group. */
const differs = (e: Desc, entry: Desc): Expr<"bool"> =>
  or(
    ...[ne(AF(e), AF(entry)), ne(DBM(e), DBM(entry))],
    ...[ne(DIRTY(e), DIRTY(entry)), ne(RDONLY(e), RDONLY(entry))],
  );

export const contpte = [
  define(ptep_get, {
    source: { file, function: "contpte_ptep_get", sha: { "6.12": "145050884e62" } },
    kernels: "6.9..",
    abstracts: ["contpte_ptep_get_lockless() tries again while the entries do not fit"],
    locals: { orig: desc, entry: desc },
    body: ({ mm, va, orig, entry }) => [
      set(orig, pte(mm, va)),
      when(not(and(valid(orig), is_contiguous(va))), ret(orig)),
      eachOf(va, is_contiguous, (a) => [
        set(entry, pte(mm, a)),
        when(pte_dirty(entry), set(orig, pte_mkdirty(orig))),
        when(AF(entry), set(orig, pte_mkyoung(orig))),
      ]),
      ret(orig),
    ],
  }),
  define(contpte_convert, {
    source: { file, sha: { "6.12": "2a88875eb1b6" } },
    kernels: "6.9..",
    locals: { pte_: desc, old: desc, first: t.va, group: t.range },
    body: ({ cpu, mm, va, entry, cont, pte_, old, first, group }) => [
      set(pte_, entry),
      set(group, EMPTY),
      eachOf(va, contpte_aligned, (a) => [
        grow(group, a),
        callInto(old, xchg_desc, { cpu, mm, va: a, value: PTE_NONE }),
        when(pte_dirty(old), set(pte_, pte_mkdirty(pte_))),
        when(AF(old), set(pte_, pte_mkyoung(pte_))),
      ]),
      label(
        "flush",
        call(__flush_tlb_range, { cpu, mm, range: group, last_level: TRUE, by_table: FALSE }),
      ),
      set(first, Range.lo(group)),
      set(pte_, withFields(pte_, { pfn: pte_retreat_pfn(entry, va, first) })),
      eachOf(va, contpte_aligned, (a) => [
        set(is_contiguous(a), cont),
        call(store_desc, {
          ...{ cpu, mm, va: a },
          value: withFields(pte_, { pfn: pte_advance_pfn(pte_, first, a) }),
        }),
      ]),
    ],
  }),
  define(contpte_try_unfold, {
    source: {
      file: "arch/arm64/mm/contpte.c, arch/arm64/include/asm/pgtable.h",
      function: "contpte_try_unfold, __contpte_try_unfold",
      sha: { "6.12": "41a106b50abe" },
    },
    kernels: "6.9..",
    locals: { entry: desc },
    body: ({ cpu, mm, va, entry }) => [
      set(entry, pte(mm, va)),
      label(
        "unfold",
        when(
          and(valid(entry), is_contiguous(va)),
          call(contpte_convert, { cpu, mm, va, entry, cont: FALSE }),
        ),
      ),
    ],
  }),
  define(contpte_ptep_clear_flush_young, {
    source: {
      file,
      function: "contpte_ptep_clear_flush_young, contpte_ptep_test_and_clear_young",
      sha: { "6.12": "c9b701f3e2ba" },
    },
    kernels: "6.9..",
    abstracts: ["__flush_tlb_range_nosync(): a DSB is issued"],
    locals: { old: desc, ok: t.bool, young: t.bool, group: t.range },
    body: ({ cpu, mm, va, old, ok, young, group }) => [
      set(young, FALSE),
      set(group, EMPTY),
      eachOf(va, is_contiguous, (a) => [
        grow(group, a),
        loop(
          set(old, pte(mm, a)),
          callInto(ok, cmpxchg_desc, { ...{ cpu, mm, va: a, expect: old }, value: pte_mkold(old) }),
          when(ok, leave()),
        ),
        when(AF(old), set(young, TRUE)),
      ]),
      label(
        "flush",
        when(
          young,
          call(__flush_tlb_range, { cpu, mm, range: group, last_level: TRUE, by_table: FALSE }),
        ),
      ),
      ret(young),
    ],
  }),
  define(contpte_clear_young_dirty_ptes, {
    source: { file, sha: { "6.12": "4bb2f07a3293" } },
    kernels: "6.10..",
    locals: { old: desc, value: desc, ok: t.bool },
    body: ({ cpu, mm, va, clean, old, value, ok }) => [
      eachOf(va, is_contiguous, (a) => [
        loop(
          set(old, pte(mm, a)),
          set(value, pte_mkold(old)),
          when(clean, set(value, pte_mkclean(value))),
          callInto(ok, cmpxchg_desc, { cpu, mm, va: a, expect: old, value }),
          when(ok, leave()),
        ),
      ]),
    ],
  }),
  define(clear_full_ptes, {
    source: {
      file: "arch/arm64/mm/contpte.c, arch/arm64/include/asm/pgtable.h",
      function:
        "contpte_clear_full_ptes, contpte_get_and_clear_full_ptes, contpte_try_unfold_partial",
      sha: { "6.12": "4b0e15d4c156" },
    },
    kernels: "6.9..",
    abstracts: ["one entry of the range a call"],
    locals: { entry: desc, old: desc, left: t.bool },
    body: ({ cpu, mm, va, range, entry, old, left }) => [
      call(contpte_try_unfold_partial, { cpu, mm, va, range }),
      callInto(old, xchg_desc, { cpu, mm, va, value: PTE_NONE }),
      // Whoever maps something there again begins with a group that is none.
      when(
        is_contiguous(va),
        set(left, FALSE),
        eachOf(va, is_contiguous, (a) => [
          set(entry, pte(mm, a)),
          when(valid(entry), set(left, TRUE)),
        ]),
        when(
          not(left),
          eachOf(va, is_contiguous, (a) => [set(is_contiguous(a), FALSE)]),
        ),
      ),
      ret(old),
    ],
  }),
  define(wrprotect_ptes, {
    source: {
      file: "arch/arm64/mm/contpte.c, arch/arm64/include/asm/pgtable.h",
      function: "contpte_wrprotect_ptes, __ptep_set_wrprotect",
      sha: { "6.12": "866b7ff3b99b" },
    },
    kernels: "6.9..",
    abstracts: ["one entry of the range a call"],
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, va, range, old, ok }) => [
      call(contpte_try_unfold_partial, { cpu, mm, va, range }),
      loop(
        set(old, pte(mm, va)),
        callInto(ok, cmpxchg_desc, { cpu, mm, va, expect: old, value: pte_wrprotect(old) }),
        when(ok, leave()),
      ),
    ],
  }),
  define(contpte_try_unfold_partial, {
    source: { file, sha: { "6.12": "a5afc64ad594" } },
    kernels: "6.9..",
    locals: { entry: desc, whole: t.bool },
    body: ({ cpu, mm, va, range, entry, whole }) => [
      set(entry, pte(mm, va)),
      when(
        and(valid(entry), is_contiguous(va)),
        set(whole, TRUE),
        eachOf(va, is_contiguous, (a) => [when(not(Range.contains(range, a)), set(whole, FALSE))]),
        label("partial", when(not(whole), call(contpte_try_unfold, { cpu, mm, va }))),
      ),
    ],
  }),
  define(contpte_try_fold, {
    source: {
      file: "arch/arm64/mm/contpte.c, arch/arm64/include/asm/pgtable.h",
      function: "contpte_try_fold, __contpte_try_fold",
      sha: { "6.12": "b15c19bcd439" },
    },
    kernels: "6.9..",
    abstracts: ["pages of a group are of one folio, and aligned as it is"],
    locals: { old: desc, last: t.va, fits: t.bool },
    body: ({ cpu, mm, va, entry, old, last, fits }) => [
      when(not(and(valid(entry), contpte_aligned(va), not(is_contiguous(va)))), ret()),
      set(fits, TRUE),
      set(last, va),
      eachOf(va, contpte_aligned, (a) => [set(last, a)]),
      // It is the last entry of the group, or nothing is folded.
      when(ne(last, va), ret()),
      eachOf(va, contpte_aligned, (a) => [
        when(
          fits,
          set(old, pte(mm, a)),
          when(not(and(valid(old), eq(DBM(old), DBM(entry)))), set(fits, FALSE)),
          when(fits, when(ne(pte_advance_pfn(old, a, va), pfnOf(entry)), set(fits, FALSE))),
        ),
      ]),
      when(fits, call(contpte_convert, { cpu, mm, va, entry, cont: TRUE })),
    ],
  }),
  define(contpte_ptep_set_access_flags, {
    source: {
      file,
      function: "contpte_ptep_set_access_flags, contpte_all_subptes_match_access_flags",
      sha: { "6.12": "c93ded9e2ef9" },
    },
    kernels: "6.9..",
    abstracts: ["where the write bit changes: the wrapper unfolds the group and sets one"],
    locals: { old: desc, ok: t.bool, same: t.bool, group: t.range },
    body: ({ cpu, mm, va, entry, dirty, old, ok, same, group }) => [
      set(same, TRUE),
      eachOf(va, is_contiguous, (a) => [
        set(old, pte(mm, a)),
        when(differs(old, entry), set(same, FALSE)),
      ]),
      label("no-op", when(same, ret(FALSE))),
      set(group, EMPTY),
      eachOf(va, is_contiguous, (a) => [
        grow(group, a),
        set(old, pte(mm, a)),
        loop(
          callInto(ok, cmpxchg_desc, {
            ...{ cpu, mm, va: a, expect: old },
            value: morePermissive(old, entry),
          }),
          when(ok, leave()),
          set(old, pte(mm, a)),
        ),
      ]),
      label(
        "flush",
        when(
          dirty,
          call(__flush_tlb_range, { cpu, mm, range: group, last_level: TRUE, by_table: FALSE }),
        ),
      ),
      ret(TRUE),
    ],
  }),
];
