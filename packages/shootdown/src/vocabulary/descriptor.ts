// SPDX-License-Identifier: Apache-2.0
// Stage 1 descriptors of VMSAv8-64, as the kernel writes them and the walkers read them.
//
//  63   56 55    54  53  52   51  50 48 47             12 11 10  9 8  7      6    4 2  1     0
// +-------+-----+---+---+----+---+-----+----------------+--+--+----+------+----+----+-----+-----+
// |       |DIRTY|UXN|PXN|CONT|DBM|     | output address |nG|AF| SH |RDONLY|USER|attr|table|valid|
// +-------+-----+---+---+----+---+-----+----------------+--+--+----+------+----+----+-----+-----+
//          software         = PTE_WRITE                           AP[2]
//
// Sources: Arm ARM D8.3; kernel arch/arm64/include/asm/pgtable-{hwdef,prot}.h, 6.1 and 6.12.

import type { Expr } from "../ir/expr.ts";
import {
  and,
  constant,
  eq,
  FALSE,
  get,
  member,
  not,
  or,
  ruleHolds,
  TRUE,
  withFields,
} from "../ir/expr.ts";
import { bool, enumeration, word } from "../ir/sort.ts";
import { pfn, table } from "./sorts.ts";

/**
 * What the kernel means by an entry that is invalid to hardware (arch/arm64/include/asm/pgtable.h,
 * include/linux/swapops.h): nothing; PROT_NONE, which keeps its page; a PMD that is being split,
 * which does too; or an entry of swap type, which names a page in `pfn`.
 */
export const entry_kind = enumeration("entry_kind", [
  ...(["none", "protnone", "present_invalid", "swap", "migration"] as const),
  ...(["device_private", "device_exclusive", "hwpoison"] as const),
]);
type EntryKind = (typeof entry_kind.values)[number];

/** A descriptor: invalid, a leaf (`pfn`), or a pointer to a table (`table`, `next`). */
export const desc = word("desc", [
  { name: "valid", sort: bool },
  { name: "table", sort: bool },
  { name: "AF", sort: bool },
  { name: "RDONLY", sort: bool },
  { name: "DBM", sort: bool },
  { name: "DIRTY", sort: bool },
  { name: "pfn", sort: pfn },
  { name: "next", sort: table, overlay: "pfn" },
  // Software's: hardware looks at nothing but `valid` of an invalid descriptor.
  { name: "kind", sort: entry_kind },
]);

export type Desc = Expr<"desc">;

/** Bit positions in a 64-bit last-level descriptor; `pfn` is bits 47:12. */
export const ARM64_BITS = {
  valid: 0,
  AF: 10,
  RDONLY: 7,
  DBM: 51,
  DIRTY: 55,
} as const;

/** `__pte(0)`: no translation. */
export const PTE_NONE: Desc = constant(desc, 0);

export const valid = (d: Desc) => get(d, "valid", bool);
export const isTable = (d: Desc) => and(valid(d), get(d, "table", bool));
export const AF = (d: Desc) => get(d, "AF", bool);
export const RDONLY = (d: Desc) => get(d, "RDONLY", bool);
export const DBM = (d: Desc) => get(d, "DBM", bool);
export const DIRTY = (d: Desc) => get(d, "DIRTY", bool);
export const pfnOf = (d: Desc) => get(d, "pfn", pfn);
export const nextOf = (d: Desc) => get(d, "next", table);

/** What an invalid entry stands for; `none` of a valid one. */
export const kindOf = (d: Desc) => get(d, "kind", entry_kind);
export const isKind = (d: Desc, kind: EntryKind) => eq(kindOf(d), member(entry_kind, kind));
/** The same entry, invalid to hardware, which stands for something; or valid again, for `none`. */
export const asKind = (d: Desc, kind: EntryKind): Desc =>
  withFields(d, { valid: kind === "none" ? TRUE : FALSE, kind: member(entry_kind, kind) });

/** A table descriptor. */
export const tableDesc = (next: Expr<"table">): Desc =>
  withFields(PTE_NONE, { valid: TRUE, table: TRUE, next });

/** A leaf with these attributes. */
export const leaf = (
  frame: Expr<"pfn">,
  bits: { RDONLY: Expr<"bool">; DBM: Expr<"bool">; DIRTY: Expr<"bool">; AF: Expr<"bool"> },
): Desc => withFields(PTE_NONE, { valid: TRUE, ...bits, pfn: frame });

/** Rule A1: a translation or access-flag fault is never cached. Anything else may be (A2, A3). */
export const cacheable = (d: Desc) => or(and(valid(d), AF(d)), not(ruleHolds("A1")));

/** Whether an access is allowed by a leaf whose access flag is set, dirty state not managed. */
export const permits = (d: Desc, write: Expr<"bool">) =>
  and(valid(d), AF(d), or(not(write), not(RDONLY(d))));

/** Rule A14: writable-clean, which hardware that manages dirty state turns into writable-dirty. */
export const writableClean = (d: Desc) => and(valid(d), AF(d), DBM(d), RDONLY(d));

/** The descriptor after a hardware dirty update. */
export const withDirtyState = (d: Desc): Desc => withFields(d, { RDONLY: FALSE });
/** The descriptor after a hardware access-flag update. */
export const withAccessFlag = (d: Desc): Desc => withFields(d, { AF: TRUE });
