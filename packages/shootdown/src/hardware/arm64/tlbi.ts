// SPDX-License-Identifier: Apache-2.0
// TLB maintenance and DSB of an arm64 PE (Arm ARM D8.17; rules A20-A30).
//
//   TLBI ──► dvm_pe[issuer, target]  for each PE in scope  ──effect──► its tlb, walk_cache
//        └─► dvm_smmu[issuer]        if the SMMU takes part ──effect──► its TLB
//   DSB  waits until nothing that this PE issued is outstanding; nobody else learns it (A27)

import type { CellRef, Expr, KeyPattern } from "../../ir/expr.ts";
import {
  ANY,
  and,
  eq,
  FALSE,
  field,
  inRange,
  knobIs,
  member,
  ne,
  not,
  or,
  outstanding,
  ruleHolds,
  TRUE,
  varies,
} from "../../ir/expr.ts";
import { define, pending } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  atomic,
  await_,
  clear,
  either,
  emit,
  forall,
  post,
  set,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import { BLOCKS } from "../../vocabulary/blocks.ts";
import { pfnOf } from "../../vocabulary/descriptor.ts";
import { ANY_ASID, BROADCAST, dsb_op, events, tlbi_op } from "../../vocabulary/events.ts";
import { dma_wmb, dsb, eret, isb, tlbi } from "../../vocabulary/primitives.ts";
import { EMPTY, firstPage, Range, Regions, regionsOf, t, walker } from "../../vocabulary/sorts.ts";
import { is_global, is_xs } from "../../vocabulary/state.ts";
import { dvm_smmu, heard, snoop } from "../smmuv3/dvm.ts";
import { forgotten } from "./sticky.ts";
import {
  block_tlb,
  combined,
  contextSynchronized,
  faultsForgotten,
  NEEDS_CSE,
  observes_stores,
  prefetched,
  STAGE2,
  s2_tlb,
  stores_observed,
  tlb,
  unordered_store,
  unordered_upper,
  walk_cache,
} from "./tlb.ts";

const is = (op: Expr<"tlbi_op">, ...names: readonly (typeof tlbi_op.values)[number][]) =>
  or(...names.map((n) => eq(op, member(tlbi_op, n))));

/** Rule A21: what an operation looks at. */
const byVa = (op: Expr<"tlbi_op">) =>
  or(
    is(op, "VAE1", "VALE1", "VAE1IS", "VALE1IS", "VALE1ISnXS"),
    is(op, "VAAE1", "VAALE1", "VAAE1IS", "VAALE1IS"),
    is(op, "VAE1IS_TTL2", "VALE1IS_TTL2", "VAE1IS_TTL3", "VALE1IS_TTL3"),
  );
const anyAsid = (op: Expr<"tlbi_op">) => is(op, ...ANY_ASID);
const leafOnly = (op: Expr<"tlbi_op">) =>
  and(
    ruleHolds("A21"),
    or(
      is(op, "VALE1", "VALE1IS", "VAALE1", "VAALE1IS", "VALE1ISnXS"),
      is(op, "VALE1IS_TTL2", "VALE1IS_TTL3"),
    ),
  );
/** Rule A22: with a hint of the wrong level nothing need be removed. */
const pagesMeant = (op: Expr<"tlbi_op">) =>
  not(and(ruleHolds("A22"), is(op, "VAE1IS_TTL2", "VALE1IS_TTL2")));
const blocksMeant = (op: Expr<"tlbi_op">) =>
  not(and(ruleHolds("A22"), is(op, "VAE1IS_TTL3", "VALE1IS_TTL3")));
export const broadcast = (op: Expr<"tlbi_op">) => is(op, ...BROADCAST);

interface Operation {
  readonly op: Expr<"tlbi_op">;
  readonly asid: Expr<"asid">;
  readonly range: Expr<"range">;
}

/**
 * Removes what an operation covers from the caches of a PE. Single instructions see more than the
 * kernel's routines use: global entries, blocks, stage 2, memory with XS=1. `others`: the
 * operation is another PE's.
 */
export function removed(
  cpu: KeyPattern | Expr<"cpu">,
  { op, asid, range }: Operation,
  others: Expr<"bool">,
): Stmt[] {
  const leaves = (tag: KeyPattern | Expr<"asid">, va: KeyPattern | Expr<"va">): Stmt[] => [
    ...cleared(tlb({ cpu, asid: tag, va }), op),
    when(and(NEEDS_CSE, others), ...cleared(prefetched({ cpu, asid: tag, va }), op)),
    when(STAGE2, ...cleared(combined({ cpu, asid: tag, va }), op)),
  ];
  const drop = (tag: KeyPattern | Expr<"asid">, va: KeyPattern, region: KeyPattern): Stmt[] => [
    when(pagesMeant(op), ...leaves(tag, va)),
    // A walk cache is found by the address, however it is indexed.
    when(and(not(leafOnly(op)), ruleHolds("A7")), clear(walk_cache({ cpu, asid: tag, region }))),
    when(
      and(BLOCKS, ruleHolds("A8"), blocksMeant(op)),
      clear(block_tlb({ cpu, asid: tag, region })),
      when(and(NEEDS_CSE, others), clear(prefetched({ cpu, asid: tag, va: whole(va) }))),
    ),
  ];
  // All pages of the regions that a range touches.
  const touched = Range.make(
    firstPage(Regions.lo(regionsOf(range))),
    firstPage(Regions.hi(regionsOf(range))),
  );
  const whole = (va: KeyPattern): KeyPattern => (va === pages ? inRange(touched) : va);
  const pages = inRange(range);
  const regions = inRange(regionsOf(range));
  const ofAsid = forall(t.va, (va) => [when(not(is_global(va)), ...leaves(asid, va))]);
  return [
    whenElse(
      byVa(op),
      [
        whenElse(anyAsid(op), drop(ANY, pages, regions), drop(asid, pages, regions)),
        when(varies(is_global), globalLeaves(range, leaves)),
      ],
      [
        whenElse(
          anyAsid(op),
          [when(not(is(op, "IPAS2E1IS")), ...drop(ANY, ANY, ANY))],
          [
            // A global leaf stays; the tables above it go.
            whenElse(
              and(varies(is_global), ruleHolds("A21")),
              [ofAsid, ...drop(asid, EMPTY_KEY, ANY)],
              drop(asid, ANY, ANY),
            ),
          ],
        ),
      ],
    ),
    when(STAGE2, ...ofStage2(cpu, op, others)),
  ];
}

const EMPTY_KEY: KeyPattern = inRange(EMPTY);

/** Removes entries; an nXS form does not wait for accesses to memory with XS=1 (A28). */
function cleared(entries: CellRef<"desc">, op: Expr<"tlbi_op">): Stmt[] {
  return [
    whenElse(
      and(varies(is_xs), ruleHolds("A28"), is(op, "VALE1ISnXS")),
      [clear(entries, (d) => not(is_xs(pfnOf(d))))],
      [clear(entries)],
    ),
  ];
}

/** By address, a global leaf matches whatever the ASID. */
const globalLeaves = (
  range: Expr<"range">,
  leaves: (tag: KeyPattern, va: Expr<"va">) => Stmt[],
): Stmt =>
  forall(t.va, (va) => [when(and(is_global(va), Range.contains(range, va)), ...leaves(ANY, va))]);

/** Maintenance of stage 2 leaves what combines both stages (A9). */
const ofStage2 = (
  cpu: KeyPattern | Expr<"cpu">,
  op: Expr<"tlbi_op">,
  others: Expr<"bool">,
): Stmt[] => [
  when(is(op, "IPAS2E1IS", "VMALLS12E1IS"), clear(s2_tlb({ cpu, frame: ANY }))),
  when(
    and(is(op, "IPAS2E1IS"), not(ruleHolds("A9"))),
    clear(combined({ cpu, asid: ANY, va: ANY })),
    when(and(NEEDS_CSE, others), clear(prefetched({ cpu, asid: ANY, va: ANY }))),
  ),
];

/** Operations that a PE issued and that another PE (or itself) has not performed yet. */
export const dvm_pe = pending("dvm_pe", {
  keys: { issuer: t.cpu, target: t.cpu },
  entry: { op: tlbi_op, asid: t.asid, range: t.range },
  capacity: "TLBI_OUTSTANDING",
  effect: ({ issuer, target, op, asid, range }) => [
    // An ASID means the same on every PE of the domain.
    when(
      or(ruleHolds("A31"), eq(issuer, target), anyAsid(op)),
      ...removed(target, { op, asid, range }, ne(issuer, target)),
    ),
    when(not(ruleHolds("A4")), forgotten(target)),
    emit(events.tlbi_applied, { cpu: target, op, asid, range }),
  ],
  source: {
    file: "Arm ARM D8.17.5",
    rules: ["A7", "A8", "A9", "A21", "A22", "A23", "A24", "A25", "A28", "A31"],
  },
});

/** The PE's stores to descriptors are visible to these walkers from now on (A20). */
const ordered = (cpu: Expr<"cpu">, by: KeyPattern | Expr<"walker">): Stmt[] => [
  clear(unordered_store({ cpu, walker: by, table: ANY, va: ANY })),
  clear(unordered_upper({ cpu, walker: by, mm: ANY, region: ANY })),
];

/** A barrier orders too what its PE has observed of others (DSB-ob and obs of aarch64.cat). */
const orderedFor = (cpu: Expr<"cpu">, by: KeyPattern | Expr<"walker">): Stmt =>
  when(
    varies(observes_stores),
    forall(t.cpu, (storer) => [when(stores_observed(storer, cpu), ...ordered(storer, by))]),
  );

export const tlbi_definition = define(tlbi, {
  source: { file: "Arm ARM C5.5, D8.17", rules: ["A21", "A23", "A24", "A30", "S5", "S7", "S12"] },
  abstracts: [
    "TG hints",
    "what an nXS form leaves stands for accesses in flight",
    "one range is one operation, whatever its size",
  ],
  body: ({ cpu, op, asid, range }) => [
    emit(events.tlbi, { cpu, op, asid, range }),
    // A store that no DSB has ordered may be seen after the TLBI only.
    when(not(ruleHolds("A30")), ...ordered(cpu, ANY)),
    forall(t.cpu, (target) => [
      when(
        or(broadcast(op), eq(target, cpu), not(ruleHolds("A23"))),
        post(dvm_pe({ issuer: cpu, target }), { op, asid, range }),
      ),
    ]),
    when(
      knobIs("btm", "yes"),
      when(heard(broadcast(op)), post(dvm_smmu({ issuer: cpu }), { op, asid, range })),
    ),
    when(not(ruleHolds("A24")), await_(not(outstanding(dvm_pe({ issuer: cpu, target: ANY }))))),
  ],
});

/** Barriers of the PE alone. */
const local = (op: Expr<"dsb_op">) =>
  or(eq(op, member(dsb_op, "NSH")), eq(op, member(dsb_op, "NSHST")));

/** Entries of the issuer that a DSB of this kind waits for. */
const waits = (cpu: Expr<"cpu">, op: Expr<"dsb_op">) =>
  and(
    or(
      eq(op, member(dsb_op, "ISHST")),
      eq(op, member(dsb_op, "NSHST")),
      and(eq(op, member(dsb_op, "NSH")), not(outstanding(dvm_pe({ issuer: cpu, target: cpu })))),
      and(
        eq(op, member(dsb_op, "ISH")),
        // Complete is what is finished everywhere (A26); only the issuer learns it (A27).
        or(ruleHolds("A26"), not(outstanding(dvm_pe({ issuer: cpu, target: cpu })))),
        or(not(ruleHolds("A26")), not(outstanding(dvm_pe({ issuer: cpu, target: ANY })))),
        or(ruleHolds("A27"), not(outstanding(dvm_pe({ issuer: ANY, target: ANY })))),
        not(outstanding(dvm_smmu({ issuer: cpu }))),
        or(
          knobIs("atcsnoop", "no"),
          knobIs("atcSnoopWait", "no"),
          not(outstanding(snoop({ issuer: cpu }))),
        ),
      ),
    ),
  );

/** Fault `tlbilies`: the last DSB ISH of the PE did not wait; the next one does. */
const completion_lied = field("completion_lied", [t.cpu], t.bool);

export const dsb_definition = define(dsb, {
  source: { file: "Arm ARM B2.3.12, D8.17.8", rules: ["A20", "A26", "A27", "A30", "S10", "S11"] },
  body: ({ cpu, op }) => [
    atomic(
      whenElse(
        knobIs("tlbilies", "yes"),
        [
          either(
            [await_(waits(cpu, op)), set(completion_lied(cpu), FALSE)],
            [
              await_(and(eq(op, member(dsb_op, "ISH")), not(completion_lied(cpu)))),
              set(completion_lied(cpu), TRUE),
            ],
          ),
        ],
        [await_(waits(cpu, op))],
      ),
      whenElse(
        local(op),
        [...ordered(cpu, member(walker, "own"))],
        [...ordered(cpu, ANY), orderedFor(cpu, ANY)],
      ),
      when(not(local(op)), faultsForgotten(cpu)),
      emit(events.dsb, { cpu, op }),
    ),
  ],
});

export const dma_wmb_definition = define(dma_wmb, {
  source: { file: "Arm ARM B2.3; SMMU 3.5", rules: ["A20", "S12"] },
  body: ({ cpu }) => [
    when(
      ruleHolds("S12"),
      atomic(...ordered(cpu, member(walker, "SMMU")), orderedFor(cpu, member(walker, "SMMU"))),
    ),
  ],
});

export const isb_definition = define(isb, {
  source: { file: "Arm ARM B2.3.12, D8.17.8", rules: ["A27"] },
  body: ({ cpu }) => [atomic(contextSynchronized(cpu), emit(events.isb, { cpu }))],
});

export const eret_definition = define(eret, {
  source: { file: "Arm ARM D1.4, D8.17.8", rules: ["A27"] },
  body: ({ cpu }) => [contextSynchronized(cpu)],
});
