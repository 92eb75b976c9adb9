// SPDX-License-Identifier: Apache-2.0
// What every routine owes to the others, in the spirit of lockdep: entries change under the
// page-table lock, what was begun is ended, what was taken is given back.

import type { FieldDecl } from "../ir/expr.ts";
import { add, eq, field, not, num, or, sub } from "../ir/expr.ts";
import type { ObserverDecl } from "../ir/machine.ts";
import { observer, on } from "../ir/machine.ts";
import { set, violate, when, whenElse } from "../ir/stmt.ts";
import { isBlock } from "../vocabulary/blocks.ts";
import { isTable } from "../vocabulary/descriptor.ts";
import { events } from "../vocabulary/events.ts";
import { regionOf, t } from "../vocabulary/sorts.ts";
import { pmd } from "../vocabulary/state.ts";
import {
  active_invalidate_ranges,
  interval_invalidating,
  mmu_invalidate_in_progress,
  mmu_lock,
} from "./shadow-state.ts";
import {
  gather_delayed_rmap,
  gather_page,
  gather_table,
  i_mmap_readers,
  i_mmap_rwsem,
  irqs_off,
  mmap_lock_readers,
  mmap_lock_writer,
  PG_locked,
  ptl,
  sync_waits,
  tlb_flush_pending,
  tlb_ubc_flush_required,
  vmap_purge_lock,
} from "./state.ts";

/** The observer's memory: ranges of which notifiers were told the start and not the end. */
export const ranges_begun = field("ranges_begun", [t.mm], t.int);

const without_ptl = observer(
  "without_ptl",
  "an entry of a table that is linked changes while nobody holds the page-table lock of its mm",
  on(events.pte_store, ({ mm, va }) => [
    when(isTable(pmd(mm, regionOf(va))), when(not(ptl(mm)), violate("without_ptl"))),
  ]),
  on(events.block_store, ({ mm, old, value }) => [
    when(or(isBlock(old), isBlock(value)), when(not(ptl(mm)), violate("without_ptl"))),
  ]),
);

const unbalanced = observer(
  "unbalanced",
  "the end of a range is told to notifiers that were not told its start",
  on(events.notifier_start, ({ mm }) => [set(ranges_begun(mm), add(ranges_begun(mm), num(1)))]),
  on(events.notifier_end, ({ mm }) => [
    whenElse(
      eq(ranges_begun(mm), num(0)),
      [violate("unbalanced")],
      [set(ranges_begun(mm), sub(ranges_begun(mm), num(1)))],
    ),
  ]),
);

export const DISCIPLINE: readonly ObserverDecl[] = [without_ptl, unbalanced];

/** What is zero where everything has been given back. */
export const HELD: readonly FieldDecl[] = [
  ...[ptl, mmap_lock_readers, mmap_lock_writer, PG_locked].map((f) => f.decl),
  ...[i_mmap_rwsem, i_mmap_readers, vmap_purge_lock, mmu_lock].map((f) => f.decl),
  ...[irqs_off, sync_waits, tlb_flush_pending, ranges_begun].map((f) => f.decl),
  ...[mmu_invalidate_in_progress, active_invalidate_ranges].map((f) => f.decl),
  ...[interval_invalidating, tlb_ubc_flush_required].map((f) => f.decl),
  ...[gather_page, gather_table, gather_delayed_rmap].map((f) => f.decl),
];
