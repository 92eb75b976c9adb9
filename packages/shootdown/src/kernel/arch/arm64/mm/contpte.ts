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
  pte_advance_pfn,
  pte_dirty,
  pte_mkdirty,
  pte_mkyoung,
  pte_retreat_pfn,
  ptep_get,
} from "../../../asm/pgtable.ts";
import { contpte_aligned } from "../../../state.ts";
import { __flush_tlb_range } from "../asm/tlbflush.ts";

const file = "arch/arm64/mm/contpte.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };

export const contpte_convert = declare("contpte_convert", { ...at, entry: desc, cont: t.bool });
export const contpte_try_unfold = declare("contpte_try_unfold", at);
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
