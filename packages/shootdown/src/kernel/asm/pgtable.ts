// SPDX-License-Identifier: Apache-2.0
// Page-table entries as generic code handles them: what <asm/pgtable.h> of any architecture gives.
//
//   clean read-only   RDONLY=1 DBM=0 DIRTY=0        dirty read-only   RDONLY=1 DBM=0 DIRTY=1
//   clean writable    RDONLY=1 DBM=1 DIRTY=0        dirty writable    RDONLY=0 DBM=1
//
// vocabulary/descriptor.ts says which bits of an architecture these are.

import type { Expr, Place } from "../../ir/expr.ts";
import {
  after,
  and,
  applied,
  back,
  eq,
  FALSE,
  ite,
  not,
  or,
  TRUE,
  varies,
  withFields,
} from "../../ir/expr.ts";
import { declare } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, callInto, set, since, whenElse } from "../../ir/stmt.ts";
import { isBlock } from "../../vocabulary/blocks.ts";
import type { Desc } from "../../vocabulary/descriptor.ts";
import {
  AF,
  DBM,
  DIRTY,
  desc,
  isKind,
  leaf,
  PTE_NONE,
  pfnOf,
  RDONLY,
  valid,
} from "../../vocabulary/descriptor.ts";
import { pfn, Range, t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import { contpte_aligned } from "../state.ts";

export const pte_none = (e: Desc) => applied("pte_none", [e], eq(e, PTE_NONE));
/** PROT_NONE, of mprotect() or NUMA balancing: the page is kept, hardware has no translation. */
export const pte_protnone = (e: Desc) => applied("pte_protnone", [e], isKind(e, "protnone"));
export const pte_present = (e: Desc) =>
  applied("pte_present", [e], or(valid(e), isKind(e, "protnone")));
export const pte_write = (e: Desc) => applied("pte_write", [e], DBM(e));
export const pte_hw_dirty = (e: Desc) => applied("pte_hw_dirty", [e], and(DBM(e), not(RDONLY(e))));
export const pte_dirty = (e: Desc) => applied("pte_dirty", [e], or(DIRTY(e), pte_hw_dirty(e)));
export const pte_mkyoung = (e: Desc): Desc =>
  applied("pte_mkyoung", [e], withFields(e, { AF: TRUE }));
export const pte_mkold = (e: Desc): Desc => applied("pte_mkold", [e], withFields(e, { AF: FALSE }));
/** Sets DIRTY; a writable entry loses RDONLY. */
export const pte_mkdirty = (e: Desc): Desc =>
  applied(
    "pte_mkdirty",
    [e],
    withFields(e, { DIRTY: TRUE, RDONLY: ite(DBM(e), FALSE, RDONLY(e)) }),
  );
export const pte_young = (e: Desc) => applied("pte_young", [e], AF(e));
/** Clears DIRTY and sets RDONLY; a writable entry stays one. */
export const pte_mkclean = (e: Desc): Desc =>
  applied("pte_mkclean", [e], withFields(e, { DIRTY: FALSE, RDONLY: TRUE }));
/** Sets DBM; a dirty entry loses RDONLY. `pte_mkwrite_novma` since 6.6. */
export const pte_mkwrite = (e: Desc): Desc =>
  applied(
    "pte_mkwrite",
    [e],
    withFields(e, { DBM: TRUE, RDONLY: ite(DIRTY(e), FALSE, RDONLY(e)) }),
  );
/** Keeps what hardware dirtied in DIRTY; clears DBM, sets RDONLY. */
export const pte_wrprotect = (e: Desc): Desc =>
  applied("pte_wrprotect", [e], withFields(e, { DIRTY: pte_dirty(e), DBM: FALSE, RDONLY: TRUE }));
/** A new entry for a private anonymous page: protection without write, young. */
export const mk_pte = (frame: Parameters<typeof leaf>[0]): Desc =>
  applied("mk_pte", [frame], leaf(frame, { RDONLY: TRUE, DBM: FALSE, DIRTY: FALSE, AF: TRUE }));

/**
 * Whether entries may be joined to groups: what that needs costs nothing elsewhere. Asked of what
 * nobody writes, because the writes of is_contiguous are behind this and would keep each other.
 */
export const CONTPTE = varies(contpte_aligned);
/** What an entry says; AF and dirty state of one in a group are those of any of them. */
export const ptep_get = declare("ptep_get", { mm: t.mm, va: t.va }, desc);
/** Reads an entry into a local. */
export const readPte = (into: Place<"desc">, mm: Expr<"mm">, va: Expr<"va">): Stmt =>
  since(
    "6.9",
    [whenElse(CONTPTE, [callInto(into, ptep_get, { mm, va })], [set(into, pte(mm, va))])],
    [set(into, pte(mm, va))],
  );

const distance = (from: Expr<"va">, to: Expr<"va">) => Range.length(Range.make(from, to));
/** The frame at a later address of a row, where `e` is at `from`; and at an earlier one. */
export const pte_advance_pfn = (e: Desc, from: Expr<"va">, to: Expr<"va">): Expr<"pfn"> =>
  applied("pte_advance_pfn", [e, from, to], after(pfn, pfnOf(e), distance(from, to)));
export const pte_retreat_pfn = (e: Desc, from: Expr<"va">, to: Expr<"va">): Expr<"pfn"> =>
  applied("pte_retreat_pfn", [e, from, to], back(pfn, pfnOf(e), distance(to, from)));

const upper = { cpu: t.cpu, mm: t.mm, region: t.region };
const here = { cpu: t.cpu, mm: t.mm, va: t.va };

export const set_pte_at = declare("set_pte_at", { ...here, entry: desc });
export const ptep_get_and_clear = declare("ptep_get_and_clear", here, desc);
export const ptep_set_wrprotect = declare("ptep_set_wrprotect", here);
/** The same of one entry of a range that is cleared, or loses its permission, as a whole. */
export const clear_full_ptes = declare("clear_full_ptes", { ...here, range: t.range }, desc);
export const wrprotect_ptes = declare("wrprotect_ptes", { ...here, range: t.range });

/** Clears an entry of a range: a contiguous group goes as a whole, if it lies in the range. */
export const clearFullPtes = (
  at: { cpu: Expr<"cpu">; mm: Expr<"mm">; va: Expr<"va"> },
  range: Expr<"range">,
  old: Place<"desc">,
): Stmt[] => [
  since(
    "6.9",
    [
      whenElse(
        CONTPTE,
        [callInto(old, clear_full_ptes, { ...at, range })],
        [callInto(old, ptep_get_and_clear, at)],
      ),
    ],
    [callInto(old, ptep_get_and_clear, at)],
  ),
];

/** The same where a range loses its write permission. */
export const wrprotectPtes = (
  at: { cpu: Expr<"cpu">; mm: Expr<"mm">; va: Expr<"va"> },
  range: Expr<"range">,
): Stmt[] => [
  since(
    "6.9",
    [whenElse(CONTPTE, [call(wrprotect_ptes, { ...at, range })], [call(ptep_set_wrprotect, at)])],
    [call(ptep_set_wrprotect, at)],
  ),
];

/** An entry of the upper level that maps a huge page, also while it is being split. */
export const pmd_trans_huge = (e: Desc) =>
  applied("pmd_trans_huge", [e], or(isBlock(e), isKind(e, "present_invalid"), pte_protnone(e)));

/** Takes a huge page out, as invalid entry that still names it, and flushes; the old one. */
export const pmdp_invalidate = declare("pmdp_invalidate", upper, desc);
/** Takes out a table that is to give way to a huge page, and flushes; the old entry. */
export const pmdp_collapse_flush = declare("pmdp_collapse_flush", upper, desc);
export const pmdp_set_wrprotect = declare("pmdp_set_wrprotect", upper);
export const pmd_populate = declare("pmd_populate", { ...upper, table: t.table });
/** `ptep_set_access_flags` of a huge page. */
export const pmdp_set_access_flags = declare(
  "pmdp_set_access_flags",
  { ...upper, entry: desc, dirty: t.bool },
  t.bool,
);
/** Clears the access flag, and with `clean` what says that the page was written; since 6.10. */
export const clear_young_dirty_ptes = declare("clear_young_dirty_ptes", {
  ...here,
  clean: t.bool,
});

/** Clears the access flag, and may flush; whether it was set. */
export const ptep_clear_flush_young = declare("ptep_clear_flush_young", here, t.bool);
/** The same of a huge page. */
export const pmdp_clear_flush_young = declare("pmdp_clear_flush_young", upper, t.bool);
/** Whether a TLB may hold the entry: PROT_NONE ones too, while a flush is pending. */
export const pte_accessible = declare(
  "pte_accessible",
  { cpu: t.cpu, mm: t.mm, entry: desc },
  t.bool,
);

/** Makes an entry more permissive; whether it changed. */
export const ptep_set_access_flags = declare(
  "ptep_set_access_flags",
  { cpu: t.cpu, mm: t.mm, va: t.va, entry: desc, dirty: t.bool },
  t.bool,
);
