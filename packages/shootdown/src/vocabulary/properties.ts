// SPDX-License-Identifier: Apache-2.0
// The properties, as observers of events (docs/LITMUS.md says them in words).

import type { Expr } from "../ir/expr.ts";
import { and, eq, member, ne, not, or, ruleHolds, TRUE } from "../ir/expr.ts";
import type { ObserverDecl } from "../ir/machine.ts";
import { observer, on } from "../ir/machine.ts";
import type { Stmt } from "../ir/stmt.ts";
import { forall, set, violate, when } from "../ir/stmt.ts";
import { mayBeCached } from "./change.ts";
import { DBM, PTE_NONE, pfnOf, RDONLY, valid } from "./descriptor.ts";
import { ANY_ASID, BROADCAST, dsb_op, events, tlbi_op } from "./events.ts";
import { Range, t } from "./sorts.ts";
import {
  asid_of,
  break_stage,
  breaking,
  breaking_cpu,
  broken,
  dropped,
  life,
  page_life,
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
  on(events.revoked, ({ mm, va, reads }) => [when(reads, set(dropped(mm, va), replaced(mm, va)))]),
  on(events.access, ({ mm, va, frame }) => [
    when(hasFrame(dropped(mm, va), frame), violate("stale_access")),
  ]),
);

export const table_use_after_free = observer(
  "table_use_after_free",
  "a walker of a CPU or of the SMMU reads a page table that the kernel has given back",
  on(events.walk, ({ table }) => [
    when(eq(table_life(table), FREED), set(walks_watched(), TRUE), violate("table_use_after_free")),
  ]),
);

/**
 * Rule A17: a change that other agents must not see both sides of. Permissions and dirty state may
 * change in place; contents of frames are not modelled: between read-only leaves they are the same.
 */
const needsBreak = (old: Expr<"desc">, value: Expr<"desc">): Expr<"bool"> =>
  and(
    ruleHolds("A17"),
    mayBeCached(old),
    mayBeCached(value),
    ne(pfnOf(old), pfnOf(value)),
    or(not(RDONLY(old)), not(RDONLY(value)), DBM(old), DBM(value)),
  );

/** How far the sequence of rule A18 has come for a page. */
const stage = (name: (typeof break_stage.values)[number]) => member(break_stage, name);
const reachesAll = (op: Expr<"tlbi_op">): Expr<"bool"> =>
  or(...BROADCAST.map((name) => eq(op, member(tlbi_op, name))));
const covers = (op: Expr<"tlbi_op">, asid: Expr<"asid">, mm: Expr<"mm">): Expr<"bool"> =>
  or(eq(asid, asid_of(mm)), ...ANY_ASID.map((name) => eq(op, member(tlbi_op, name))));

/** For each page whose sequence stands at `from`, by this CPU where it matters. */
const advance = (
  from: (typeof break_stage.values)[number],
  to: (typeof break_stage.values)[number],
  cpu: Expr<"cpu">,
  also: (mm: Expr<"mm">, va: Expr<"va">) => Expr<"bool">,
): Stmt =>
  forall(t.mm, (mm) => [
    forall(t.va, (va) => [
      when(
        and(eq(breaking(mm, va), stage(from)), also(mm, va)),
        set(breaking(mm, va), stage(to)),
        set(breaking_cpu(mm, va), cpu),
      ),
    ]),
  ]);

export const break_before_make = observer(
  "break_before_make",
  "an entry changes its frame in use, without the sequence that makes everybody forget the old one",
  on(events.pte_store, ({ cpu, mm, va, old, value }) => [
    when(needsBreak(old, value), violate("break_before_make")),
    when(
      and(ruleHolds("A18"), not(valid(old)), needsBreak(broken(mm, va), value)),
      when(ne(breaking(mm, va), stage("complete")), violate("break_before_make")),
    ),
    when(
      and(valid(old), not(valid(value))),
      set(broken(mm, va), old),
      set(breaking(mm, va), stage("stored")),
      set(breaking_cpu(mm, va), cpu),
    ),
    when(valid(value), set(broken(mm, va), PTE_NONE)),
  ]),
  on(events.tlbi, ({ cpu, op, asid, range }) => [
    when(
      reachesAll(op),
      advance("ordered", "sent", cpu, (mm, va) =>
        and(Range.contains(range, va), covers(op, asid, mm)),
      ),
    ),
  ]),
  on(events.dsb, ({ cpu, op }) => [
    when(
      eq(op, member(dsb_op, "ISH")),
      advance("sent", "complete", cpu, (mm, va) => eq(breaking_cpu(mm, va), cpu)),
    ),
    when(
      ne(op, member(dsb_op, "NSH")),
      advance("stored", "ordered", cpu, (mm, va) => eq(breaking_cpu(mm, va), cpu)),
    ),
  ]),
);

/** By the name that a scenario's condition uses. */
export const OBSERVERS: ReadonlyMap<string, ObserverDecl> = new Map(
  [...[use_after_free, stale_write, stale_access, table_use_after_free], break_before_make].map(
    (o) => [o.name, o],
  ),
);

/** Those of a live machine: none that looks at every address at once, nor at walks alone. */
export const LIVE_OBSERVERS: readonly ObserverDecl[] = [use_after_free, stale_write, stale_access];
