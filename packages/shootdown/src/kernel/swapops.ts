// SPDX-License-Identifier: Apache-2.0
// Entries that stand for a page without mapping it: include/linux/swapops.h, 6.1 and 6.12.
//
//   swap               pfn  the slot, named after the page that was written there
//   migration          pfn  the page that is on its way; DBM, AF, DIRTY as the entry had them
//   device_exclusive   pfn  a page of memory that a device alone uses; DBM as the entry had it
//   device_private     pfn  a page in the memory of a device
//
// RDONLY of such an entry is no permission: it is clear where the page was exclusive.

import type { Expr } from "../ir/expr.ts";
import { and, applied, FALSE, member, not, TRUE, varies, withFields } from "../ir/expr.ts";
import type { Desc } from "../vocabulary/descriptor.ts";
import { DBM, entry_kind, isKind, PTE_NONE, RDONLY } from "../vocabulary/descriptor.ts";
import { entries_exclusive, is_device_private } from "./state.ts";

/** Whether anything moves into the memory of a device, or is given to one alone. */
export const DEVICE_PRIVATE = varies(is_device_private);
export const DEVICE_EXCLUSIVE = varies(entries_exclusive);

const kind = (k: (typeof entry_kind.values)[number]) => member(entry_kind, k);

/** The swap entry of a page. */
export const make_swap_entry = (frame: Expr<"pfn">, exclusive: Expr<"bool">): Desc =>
  applied(
    "make_swap_entry",
    [frame, exclusive],
    withFields(PTE_NONE, { pfn: frame, kind: kind("swap"), RDONLY: not(exclusive) }),
  );

/** The migration entry that replaces a present one. */
export const make_migration_entry = (e: Desc, exclusive: Expr<"bool">): Desc =>
  applied(
    "make_migration_entry",
    [e, exclusive],
    withFields(e, { valid: FALSE, kind: kind("migration"), RDONLY: not(exclusive) }),
  );

/** The same entry of a page that may not be written; exclusive as it was. */
export const make_readable_entry = (e: Desc): Desc =>
  applied("make_readable_entry", [e], withFields(e, { DBM: FALSE }));
/** The same entry of a page that another process has too: pte_swp_clear_exclusive() and others. */
export const make_shared_entry = (e: Desc): Desc =>
  applied("make_shared_entry", [e], withFields(e, { DBM: FALSE, RDONLY: TRUE }));
/** The entry of a page in the memory of a device, in place of one that would map it. */
export const make_device_private_entry = (e: Desc): Desc =>
  applied(
    "make_device_private_entry",
    [e],
    withFields(e, { valid: FALSE, kind: kind("device_private") }),
  );
/** The same entry of a page that only a device may access: of that, DBM alone is kept. */
export const make_device_exclusive_entry = (frame: Expr<"pfn">, writable: Expr<"bool">): Desc =>
  applied(
    "make_device_exclusive_entry",
    [frame, writable],
    withFields(PTE_NONE, { pfn: frame, kind: kind("device_exclusive"), DBM: writable }),
  );
/** What is left of a mapping of a page whose memory has failed. */
export const make_hwpoison_entry = (frame: Expr<"pfn">): Desc =>
  applied(
    "make_hwpoison_entry",
    [frame],
    withFields(PTE_NONE, { pfn: frame, kind: kind("hwpoison") }),
  );

export const is_swap_entry = (e: Desc) => isKind(e, "swap");
export const is_migration_entry = (e: Desc) => isKind(e, "migration");
export const is_device_private_entry = (e: Desc) => isKind(e, "device_private");
export const is_device_exclusive_entry = (e: Desc) => isKind(e, "device_exclusive");
export const is_hwpoison_entry = (e: Desc) => isKind(e, "hwpoison");
/** Of migration, device-private and device-exclusive entries. */
export const is_writable_entry = (e: Desc) => applied("is_writable_entry", [e], DBM(e));
/** The page was exclusive, whether it could be written or not: pte_swp_exclusive() and others. */
export const is_exclusive_entry = (e: Desc) => applied("is_exclusive_entry", [e], not(RDONLY(e)));
/** Neither exclusive nor writable. */
export const is_readable_entry = (e: Desc) =>
  applied("is_readable_entry", [e], and(RDONLY(e), not(DBM(e))));
