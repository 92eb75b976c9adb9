// SPDX-License-Identifier: Apache-2.0
// TLB and walk cache of an arm64 PE (Arm ARM D8.16, D8.17; rules A1-A6, A20).
//
//   pmd ──► walk_cache[cpu, asid, region] ──next──► pte_table ──► tlb[cpu, asid, va]
//            any table it held or reads             what memory holds, or held until a DSB

import type { Expr, Place } from "../../ir/expr.ts";
import {
  ANY,
  and,
  eq,
  field,
  ite,
  knobIs,
  member,
  ne,
  not,
  or,
  ruleHolds,
  varies,
} from "../../ir/expr.ts";
import type { CellFn } from "../../ir/machine.ts";
import { cell } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { clear, forall, lookup, when, whenElse, yields, yieldsHeld } from "../../ir/stmt.ts";
import {
  cacheable,
  desc,
  isTable,
  nextOf,
  PTE_NONE,
  RDONLY,
  valid,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { regionOf, t, walker } from "../../vocabulary/sorts.ts";
import { asid_of, pmd, pte_table, reg } from "../../vocabulary/state.ts";

/** Whether a CPU walks an mm's tables (TTBR0_EL1), and which. */
export const ttbr0_valid = field("ttbr0_valid", [t.cpu], t.bool, 1);
export const ttbr0 = field("ttbr0", [t.cpu], t.mm);

/** Values that walkers may still read after a CPU stored another, until its DSB (rule A20). */
export const unordered_store = cell("unordered_store", {
  keys: { cpu: t.cpu, walker, table: t.table, va: t.va },
  value: desc,
  source: { file: "Arm ARM D8.2, B2.3", rules: ["A20"] },
});

/** The same of upper-level descriptors. */
export const unordered_upper = cell("unordered_upper", {
  keys: { cpu: t.cpu, walker, mm: t.mm, region: t.region },
  value: desc,
  source: { file: "Arm ARM D8.2, B2.3", rules: ["A20"] },
});

/** Of a PE's stores its own walker is a walker apart: a DSB NSH orders them for it alone. */
const asSeenBy = (cpu: Expr<"cpu">, storer: Expr<"cpu">): Expr<"walker"> =>
  ite(and(varies(reg), eq(cpu, storer)), member(walker, "own"), member(walker, "PE"));

/** Table pointers that a walker of this PE may use; leaf-only maintenance leaves them (A21). */
export const walk_cache = cell("walk_cache", {
  keys: { cpu: t.cpu, asid: t.asid, region: t.region },
  value: desc,
  fill: ({ cpu, asid, region }) => [
    when(not(ttbr0_valid(cpu)), yields(PTE_NONE)),
    when(
      ttbr0_valid(cpu),
      when(
        eq(asid_of(ttbr0(cpu)), asid),
        yields(pmd(ttbr0(cpu), region)),
        forall(t.cpu, (storer) => [
          yieldsHeld(
            unordered_upper({
              ...{ cpu: storer, walker: asSeenBy(cpu, storer), mm: ttbr0(cpu), region },
            }),
          ),
        ]),
      ),
    ),
  ],
  admits: (d) => and(ruleHolds("A2"), isTable(d)),
  source: { file: "Arm ARM D8.16", rules: ["A2", "A5", "A7"] },
});

/** What a walk of this PE may find. */
const walk = (
  { cpu, asid, va }: { cpu: Expr<"cpu">; asid: Expr<"asid">; va: Expr<"va"> },
  upper: Place<"desc">,
): Stmt[] => [
  lookup(upper, walk_cache({ cpu, asid, region: regionOf(va) })),
  whenElse(
    valid(upper),
    [
      yields(pte_table(nextOf(upper), va)),
      forall(t.cpu, (storer) => [
        yieldsHeld(
          unordered_store({
            ...{ cpu: storer, walker: asSeenBy(cpu, storer), table: nextOf(upper), va },
          }),
        ),
      ]),
    ],
    [yields(PTE_NONE)],
  ),
];

const translation = { cpu: t.cpu, asid: t.asid, va: t.va };

/** Without rule A5: what walks under way have read, which no TLBI reaches. */
export const walk_under_way = cell("walk_under_way", {
  keys: translation,
  value: desc,
  locals: { upper: desc },
  fill: ({ upper, ...at }) => walk(at, upper),
  admits: cacheable,
  exists: not(ruleHolds("A5")),
  source: { file: "Arm ARM R_RVJDB", rules: ["A5"] },
});

/** What a PE may keep: whatever does not fault (A1, A2), also what only denies a write (A3). */
const kept = (d: Expr<"desc">): Expr<"bool"> =>
  and(ruleHolds("A2"), cacheable(d), or(ruleHolds("A3"), not(RDONLY(d)), writableClean(d)));

/** Translations that a PE may use: read-only ones survive an upgrade (A3), invalid ones do not. */
export const tlb: CellFn<typeof translation, "desc"> = cell("tlb", {
  keys: translation,
  value: desc,
  locals: { upper: desc },
  fill: ({ upper, ...at }) => [
    ...walk(at, upper),
    when(not(ruleHolds("A5")), yieldsHeld(walk_under_way(at))),
    // Nobody else's entry makes up for one that is gone.
    when(
      not(ruleHolds("A29")),
      forall(t.cpu, (other) => [yieldsHeld(tlb({ ...at, cpu: other }))]),
    ),
  ],
  admits: kept,
  source: { file: "Arm ARM D8.16.1", rules: ["A1", "A2", "A3", "A4", "A5", "A6", "A29"] },
});

/** Whether a PE's own translations wait for its context synchronization. */
export const NEEDS_CSE = and(varies(reg), ruleHolds("A27"), knobIs("ets2", "no"));

/**
 * Translations that instructions of this PE took before its last context synchronization event: its
 * own TLBI and DSB do not take them back (A20, A27), those of other PEs do. Asked for where single
 * accesses are looked at; a PE that runs the kernel's routines returns from each by an ERET.
 */
export const prefetched = cell("prefetched", {
  keys: translation,
  value: desc,
  locals: { found: desc },
  fill: ({ found, ...at }) => [lookup(found, tlb(at)), yields(found)],
  // Faults too, which no TLB keeps: an instruction may have met one already (A20).
  admits: (d) => or(kept(d), not(cacheable(d))),
  exists: NEEDS_CSE,
  source: { file: "Arm ARM R_BLDZX", rules: ["A20", "A27"] },
});

/** Another PE's DSB makes its stores visible: nobody still meets a fault that is no more. */
export const faultsForgotten = (by: Expr<"cpu">): Stmt =>
  when(
    NEEDS_CSE,
    forall(t.cpu, (other) => [
      when(
        ne(other, by),
        clear(prefetched({ cpu: other, asid: ANY, va: ANY }), (d) => not(cacheable(d))),
      ),
    ]),
  );

/** A context synchronization event of a PE: an ISB, taking an exception, or returning from one. */
export const contextSynchronized = (cpu: Expr<"cpu">): Stmt =>
  when(NEEDS_CSE, clear(prefetched({ cpu, asid: ANY, va: ANY })));
