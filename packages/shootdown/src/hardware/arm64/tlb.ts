// SPDX-License-Identifier: Apache-2.0
// TLB and walk cache of an arm64 PE (Arm ARM D8.16, D8.17; rules A1-A6, A20).
//
//   pmd ──► walk_cache[cpu, asid, region] ──next──► pte_table ──► tlb[cpu, asid, va]
//            any table it held or reads             what memory holds, or held until a DSB

import type { Expr, Place } from "../../ir/expr.ts";
import {
  ANY,
  after,
  and,
  back,
  eq,
  field,
  ite,
  knobIs,
  lt,
  member,
  ne,
  not,
  or,
  ruleHolds,
  varies,
  withFields,
} from "../../ir/expr.ts";
import type { CellFn } from "../../ir/machine.ts";
import { cell } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  clear,
  either,
  forall,
  lookup,
  set,
  when,
  whenElse,
  yields,
  yieldsHeld,
} from "../../ir/stmt.ts";
import { BLOCKS, isBlock, pieceOf } from "../../vocabulary/blocks.ts";
import {
  cacheable,
  desc,
  isTable,
  nextOf,
  PTE_NONE,
  pfnOf,
  RDONLY,
  valid,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { pfn, Range, regionOf, t, walker } from "../../vocabulary/sorts.ts";
import { asid_of, is_contiguous, pmd, pte_table, reg, s2 } from "../../vocabulary/state.ts";

/** Whether a CPU walks an mm's tables (TTBR0_EL1), and which. */
export const ttbr0_valid = field("ttbr0_valid", [t.cpu], t.bool, 1);
export const ttbr0 = field("ttbr0", [t.cpu], t.mm);

/** Values that walkers may still read after a CPU stored another, until its DSB (rule A20). */
export const unordered_store = cell("unordered_store", {
  keys: { cpu: t.cpu, walker, table: t.table, va: t.va },
  value: desc,
  source: { file: "Arm ARM D8.2, B2.3", rules: ["A20"] },
});

/** A CPU has observed the stores that another has made to descriptors. */
export const stores_observed = field("stores_observed", [t.cpu, t.cpu], t.bool);
/** Somebody observes stores: whoever does writes this, which is how a model knows. */
export const observes_stores = field("observes_stores", [], t.bool);

/** The same of upper-level descriptors. */
export const unordered_upper = cell("unordered_upper", {
  keys: { cpu: t.cpu, walker, mm: t.mm, region: t.region },
  value: desc,
  source: { file: "Arm ARM D8.2, B2.3", rules: ["A20"] },
});

/** Of a PE's stores its own walker is a walker apart: a DSB NSH orders them for it alone. */
const asSeenBy = (cpu: Expr<"cpu">, storer: Expr<"cpu">): Expr<"walker"> =>
  ite(eq(cpu, storer), member(walker, "own"), member(walker, "PE"));

/** Whether stage 2 changes. */
export const STAGE2 = varies(s2);

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

/** An entry for a page of a contiguous group may be made from the descriptor of any other (A8). */
export const coalesced = (va: Expr<"va">, upper: Expr<"desc">): Stmt[] => {
  const member_ = (of: Expr<"va">) => pte_table(nextOf(upper), of);
  const distance = (a: Expr<"va">, b: Expr<"va">) => Range.length(Range.make(a, b));
  return [
    forall(t.va, (of) => [
      when(
        and(is_contiguous(of), ne(of, va), eq(regionOf(of), regionOf(va)), valid(member_(of))),
        whenElse(
          lt(of, va),
          [yields(moved(member_(of), after(pfn, pfnOf(member_(of)), distance(of, va))))],
          [yields(moved(member_(of), before(pfnOf(member_(of)), distance(va, of))))],
        ),
      ),
    ]),
  ];
};

/** The same leaf for another frame. */
const moved = (d: Expr<"desc">, frame: Expr<"pfn">) => withFields(d, { pfn: frame });
const before = (frame: Expr<"pfn">, by: Expr<"int">): Expr<"pfn"> => back(pfn, frame, by);

/** What a walk of this PE may find. */
const walk = (
  { cpu, asid, va }: { cpu: Expr<"cpu">; asid: Expr<"asid">; va: Expr<"va"> },
  upper: Place<"desc">,
): Stmt[] => [
  lookup(upper, walk_cache({ cpu, asid, region: regionOf(va) })),
  whenElse(
    isTable(upper),
    [
      yields(pte_table(nextOf(upper), va)),
      forall(t.cpu, (storer) => [
        yieldsHeld(
          unordered_store({
            ...{ cpu: storer, walker: asSeenBy(cpu, storer), table: nextOf(upper), va },
          }),
        ),
      ]),
      when(and(varies(is_contiguous), ruleHolds("A8"), is_contiguous(va)), ...coalesced(va, upper)),
    ],
    // What a block maps is in a cell of its own.
    [when(not(valid(upper)), yields(PTE_NONE))],
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

/**
 * Leaves of the upper level: each maps the pages of its region to frames in a row. They may be held
 * in pieces; maintenance of any address inside removes all of them (A8).
 */
export const block_tlb = cell("block_tlb", {
  keys: { cpu: t.cpu, asid: t.asid, region: t.region },
  value: desc,
  locals: { upper: desc },
  fill: ({ upper, ...at }) => [lookup(upper, walk_cache(at)), when(isBlock(upper), yields(upper))],
  admits: (d) => and(kept(d), not(isTable(d))),
  exists: BLOCKS,
  source: { file: "Arm ARM D8.17 R_LGSCG", rules: ["A8"] },
});

/** Entries of stage 2: from an intermediate frame to a frame. */
export const s2_tlb = cell("s2_tlb", {
  keys: { cpu: t.cpu, frame: t.pfn },
  value: desc,
  fill: ({ frame }) => [yields(s2(frame))],
  admits: cacheable,
  exists: STAGE2,
  source: { file: "Arm ARM D8.17.6", rules: ["A9"] },
});

/** Entries that hold what both stages give together; maintenance of stage 2 may leave them (A9). */
export const combined = cell("combined", {
  keys: translation,
  value: desc,
  locals: { first: desc, second: desc },
  fill: ({ first, second, ...at }) => [
    lookup(first, tlb(at)),
    whenElse(
      valid(first),
      [
        lookup(second, s2_tlb({ cpu: at.cpu, frame: pfnOf(first) })),
        whenElse(valid(second), [yields(moved(first, pfnOf(second)))], [yields(PTE_NONE)]),
      ],
      [yields(PTE_NONE)],
    ),
  ],
  admits: kept,
  exists: STAGE2,
  source: { file: "Arm ARM D8.17.6.1", rules: ["A9"] },
});

/** What a PE uses for a page: an entry that it may have, or what a walk finds now. */
export const translated = (
  at: { cpu: Expr<"cpu">; asid: Expr<"asid">; va: Expr<"va"> },
  found: Place<"desc">,
): Stmt[] => [
  whenElse(
    STAGE2,
    [lookup(found, combined(at))],
    [
      whenElse(
        BLOCKS,
        [
          either(
            [lookup(found, tlb(at))],
            [
              lookup(found, block_tlb({ cpu: at.cpu, asid: at.asid, region: regionOf(at.va) })),
              set(found, pieceOf(found, at.va)),
            ],
          ),
        ],
        [lookup(found, tlb(at))],
      ),
    ],
  ),
];

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
  fill: ({ found, ...at }) => [...translated(at, found), yields(found)],
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
