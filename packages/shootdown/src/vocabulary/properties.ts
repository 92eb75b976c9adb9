// SPDX-License-Identifier: Apache-2.0
// The properties, as observers of events (docs/LITMUS.md says them in words).

import type { Expr } from "../ir/expr.ts";
import { and, eq, FALSE, member, not, or, TRUE, varies } from "../ir/expr.ts";
import type { ObserverDecl } from "../ir/machine.ts";
import { observer, on } from "../ir/machine.ts";
import type { Stmt } from "../ir/stmt.ts";
import { each, set, violate, when, whenElse } from "../ir/stmt.ts";
import { isBlock, pagesOf, pieceOf } from "./blocks.ts";
import { break_before_make } from "./break-before-make.ts";
import { DBM, DIRTY, isTable, nextOf, PTE_NONE, pfnOf, RDONLY, valid } from "./descriptor.ts";
import { events } from "./events.ts";
import { regionOf, va as vaSort } from "./sorts.ts";
import {
  copied,
  droppable,
  dropped,
  group_clean,
  is_contiguous,
  life,
  page_life,
  pmd,
  pte,
  pte_table,
  replaced,
  sealed,
  table_life,
  walks_watched,
} from "./state.ts";

const FREED = member(life, "freed");

export const use_after_free = observer(
  "use_after_free",
  "a CPU or device accesses a frame that the kernel has given back",
  on(events.access, ({ frame }) => [when(eq(page_life(frame), FREED), violate("use_after_free"))]),
);

/** Notes the entry that a store replaces. */
const noteReplaced = (mm: Expr<"mm">, va: Expr<"va">, old: Expr<"desc">): Stmt =>
  when(valid(old), set(replaced(mm, va), old));

/** The same of a store to the upper level: of a block, or of a table with all that is in it. */
const noteReplacedBlock = (mm: Expr<"mm">, r: Expr<"region">, old: Expr<"desc">): Stmt =>
  each(vaSort, pagesOf(r), (va) => [
    when(isBlock(old), set(replaced(mm, va), pieceOf(old, va))),
    when(isTable(old), noteReplaced(mm, va, pte_table(nextOf(old), va))),
  ]);

/** A block that is linked gives its pages to whoever was denied them. */
const givenBack = (
  mm: Expr<"mm">,
  { region: r, value }: { readonly region: Expr<"region">; readonly value: Expr<"desc"> },
  denied: typeof sealed,
): Stmt =>
  when(
    isBlock(value),
    each(vaSort, pagesOf(r), (va) => [
      when(hasFrame(denied(mm, va), pfnOf(pieceOf(value, va))), set(denied(mm, va), PTE_NONE)),
    ]),
  );

/** Whether an entry is remembered and has this frame. */
const hasFrame = (entry: Expr<"desc">, frame: Expr<"pfn">) =>
  and(valid(entry), eq(pfnOf(entry), frame));

export const stale_write = observer(
  "stale_write",
  "a CPU or device writes a frame after the kernel relies on it that its mm cannot",
  on(events.pte_store, ({ mm, va, old, value }) => [
    noteReplaced(mm, va, old),
    when(
      and(valid(value), DBM(value), hasFrame(sealed(mm, va), pfnOf(value))),
      set(sealed(mm, va), PTE_NONE),
    ),
  ]),
  on(events.block_store, ({ mm, region, old, value }) => [
    noteReplacedBlock(mm, region, old),
    when(DBM(value), givenBack(mm, { region, value }, sealed)),
  ]),
  on(events.revoked, ({ mm, va }) => [set(sealed(mm, va), replaced(mm, va))]),
  on(events.access, ({ mm, va, frame, write }) => [
    when(and(write, hasFrame(sealed(mm, va), frame)), violate("stale_write")),
  ]),
);

export const stale_access = observer(
  "stale_access",
  "a CPU or device accesses a frame that, as the kernel relies on it, its mm maps no longer",
  on(events.pte_store, ({ mm, va, old, value }) => [
    noteReplaced(mm, va, old),
    when(
      and(valid(value), hasFrame(dropped(mm, va), pfnOf(value))),
      set(dropped(mm, va), PTE_NONE),
    ),
  ]),
  on(events.block_store, ({ mm, region, old, value }) => [
    noteReplacedBlock(mm, region, old),
    givenBack(mm, { region, value }, dropped),
  ]),
  on(events.revoked, ({ mm, va, reads }) => [when(reads, set(dropped(mm, va), replaced(mm, va)))]),
  on(events.access, ({ mm, va, frame }) => [
    when(hasFrame(dropped(mm, va), frame), violate("stale_access")),
  ]),
);

const clean = (e: Expr<"desc">): Expr<"bool"> =>
  and(valid(e), not(or(DIRTY(e), and(DBM(e), not(RDONLY(e))))));

/** The entry of a page that is being written does not say so. */
const leftClean = (mm: Expr<"mm">, va: Expr<"va">, frame: Expr<"pfn">): Expr<"bool"> =>
  and(isTable(pmd(mm, regionOf(va))), hasFrame(pte(mm, va), frame), clean(pte(mm, va)));

/** Any entry of a contiguous group says it for all; while they are converted, software does. */
const groupLeftClean = (mm: Expr<"mm">, va: Expr<"va">): Stmt[] => [
  set(group_clean(), TRUE),
  each(vaSort, pagesOf(regionOf(va)), (a) => [
    when(and(is_contiguous(a), not(clean(pte(mm, a)))), set(group_clean(), FALSE)),
  ]),
  when(group_clean(), violate("lost_write")),
  set(group_clean(), FALSE),
];

export const lost_write = observer(
  "lost_write",
  "a CPU or device writes a frame whose contents the kernel has already copied or written out",
  on(events.page_copied, ({ frame }) => [set(copied(frame), TRUE)]),
  on(events.pte_store, ({ value }) => [
    when(and(valid(value), DBM(value)), set(copied(pfnOf(value)), FALSE)),
    when(and(varies(droppable), valid(value)), set(droppable(pfnOf(value)), FALSE)),
  ]),
  on(events.page_droppable, ({ frame }) => [set(droppable(frame), TRUE)]),
  on(events.access, ({ mm, va, frame, write }) => [
    when(and(write, copied(frame)), violate("lost_write")),
    when(
      varies(droppable),
      when(
        and(write, droppable(frame), leftClean(mm, va, frame)),
        whenElse(and(varies(is_contiguous), is_contiguous(va)), groupLeftClean(mm, va), [
          violate("lost_write"),
        ]),
      ),
    ),
  ]),
  on(events.block_store, ({ region, value }) => [
    when(
      and(isBlock(value), DBM(value)),
      each(vaSort, pagesOf(region), (va) => [set(copied(pfnOf(pieceOf(value, va))), FALSE)]),
    ),
  ]),
);

export const table_use_after_free = observer(
  "table_use_after_free",
  "a walker of a CPU or of the SMMU reads a page table that the kernel has given back",
  on(events.walk, ({ table }) => [
    when(eq(table_life(table), FREED), set(walks_watched(), TRUE), violate("table_use_after_free")),
  ]),
);

export const assertion_failed = observer(
  "assertion_failed",
  "what an assert(...) of the scenario's own kernel says does not hold",
  on(events.assertion_failed, () => [violate("assertion_failed")]),
);

/** By the name that a scenario's condition uses. */
export const OBSERVERS: ReadonlyMap<string, ObserverDecl> = new Map(
  [
    ...[use_after_free, stale_write, stale_access, lost_write],
    ...[table_use_after_free, break_before_make, assertion_failed],
  ].map((o) => [o.name, o]),
);

/** Those of a live machine: none that looks at every address at once, nor at walks alone. */
export const LIVE_OBSERVERS: readonly ObserverDecl[] = [use_after_free, stale_write, stale_access];
