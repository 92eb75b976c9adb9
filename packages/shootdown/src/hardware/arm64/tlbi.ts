// SPDX-License-Identifier: Apache-2.0
// TLB maintenance and DSB of an arm64 PE (Arm ARM D8.17; rules A20-A30).
//
//   TLBI ──► dvm_pe[issuer, target]  for each PE in scope  ──effect──► its tlb, walk_cache
//        └─► dvm_smmu[issuer]        if the SMMU takes part ──effect──► its TLB
//   DSB  waits until nothing that this PE issued is outstanding; nobody else learns it (A27)

import type { Expr } from "../../ir/expr.ts";
import {
  ANY,
  and,
  eq,
  inRange,
  knobIs,
  member,
  not,
  or,
  outstanding,
  ruleHolds,
} from "../../ir/expr.ts";
import { define, pending } from "../../ir/machine.ts";
import { atomic, await_, clear, emit, forall, post, when } from "../../ir/stmt.ts";
import { dsb_op, events, tlbi_op } from "../../vocabulary/events.ts";
import { dma_wmb, dsb, isb, tlbi } from "../../vocabulary/primitives.ts";
import { regionsOf, t, walker } from "../../vocabulary/sorts.ts";
import { dvm_smmu, heard, snoop } from "../smmuv3/dvm.ts";
import { tlb, unordered_store, walk_cache } from "./tlb.ts";

const is = (op: Expr<"tlbi_op">, ...names: readonly (typeof tlbi_op.values)[number][]) =>
  or(...names.map((n) => eq(op, member(tlbi_op, n))));

/** By VA: rule A21, first four rows. */
const byVa = (op: Expr<"tlbi_op">) => is(op, "VAE1", "VALE1", "VAE1IS", "VALE1IS");
/** Also removes what lies above the last level. */
const nonLeaf = (op: Expr<"tlbi_op">) => is(op, "VAE1", "VAE1IS");
export const broadcast = (op: Expr<"tlbi_op">) =>
  is(op, "VAE1IS", "VALE1IS", "ASIDE1IS", "VMALLE1IS");

/** Operations that a PE issued and that another PE (or itself) has not performed yet. */
export const dvm_pe = pending("dvm_pe", {
  keys: { issuer: t.cpu, target: t.cpu },
  entry: { op: tlbi_op, asid: t.asid, range: t.range },
  capacity: "TLBI_OUTSTANDING",
  effect: ({ target, op, asid, range }) => [
    when(
      byVa(op),
      clear(tlb({ cpu: target, asid, va: inRange(range) })),
      when(
        nonLeaf(op),
        clear(walk_cache({ cpu: target, asid, region: inRange(regionsOf(range)) })),
      ),
    ),
    when(
      is(op, "ASIDE1IS"),
      clear(tlb({ cpu: target, asid, va: ANY })),
      clear(walk_cache({ cpu: target, asid, region: ANY })),
    ),
    when(
      is(op, "VMALLE1IS"),
      clear(tlb({ cpu: target, asid: ANY, va: ANY })),
      clear(walk_cache({ cpu: target, asid: ANY, region: ANY })),
    ),
    emit(events.tlbi_applied, { cpu: target, op, asid, range }),
  ],
  source: { file: "Arm ARM D8.17.5", rules: ["A21", "A23", "A24", "A25"] },
});

export const tlbi_definition = define(tlbi, {
  source: { file: "Arm ARM C5.5, D8.17", rules: ["A21", "A23", "A24", "S5", "S7", "S12"] },
  abstracts: ["TTL and TG hints", "nXS", "one range is one operation, whatever its size"],
  body: ({ cpu, op, asid, range }) => [
    emit(events.tlbi, { cpu, op, asid, range }),
    forall(t.cpu, (target) => [
      when(
        or(broadcast(op), eq(target, cpu)),
        post(dvm_pe({ issuer: cpu, target }), { op, asid, range }),
      ),
    ]),
    when(
      knobIs("btm", "yes"),
      when(heard(broadcast(op)), post(dvm_smmu({ issuer: cpu }), { op, asid, range })),
    ),
  ],
});

/** Entries of the issuer that a DSB of this kind waits for. */
const waits = (cpu: Expr<"cpu">, op: Expr<"dsb_op">) =>
  and(
    or(
      eq(op, member(dsb_op, "ISHST")),
      and(eq(op, member(dsb_op, "NSH")), not(outstanding(dvm_pe({ issuer: cpu, target: cpu })))),
      and(
        eq(op, member(dsb_op, "ISH")),
        not(outstanding(dvm_pe({ issuer: cpu, target: ANY }))),
        not(outstanding(dvm_smmu({ issuer: cpu }))),
        or(
          knobIs("atcsnoop", "no"),
          knobIs("atcSnoopWait", "no"),
          not(outstanding(snoop({ issuer: cpu }))),
        ),
      ),
    ),
  );

export const dsb_definition = define(dsb, {
  source: { file: "Arm ARM B2.3.12, D8.17.8", rules: ["A20", "A26", "A27", "A30", "S10", "S11"] },
  abstracts: ["ISB: the context synchronization that a PE needs for its own TLB comes with it"],
  body: ({ cpu, op }) => [
    atomic(
      await_(waits(cpu, op)),
      clear(unordered_store({ cpu, walker: ANY, table: ANY, va: ANY })),
      emit(events.dsb, { cpu, op }),
    ),
  ],
});

export const dma_wmb_definition = define(dma_wmb, {
  source: { file: "Arm ARM B2.3; SMMU 3.5", rules: ["A20", "S12"] },
  body: ({ cpu }) => [
    when(
      ruleHolds("S12"),
      clear(unordered_store({ cpu, walker: member(walker, "SMMU"), table: ANY, va: ANY })),
    ),
  ],
});

export const isb_definition = define(isb, {
  source: { file: "Arm ARM B2.3.12, D8.17.8", rules: ["A27"] },
  abstracts: ["a DSB synchronizes the context of its PE too"],
  body: ({ cpu }) => [emit(events.isb, { cpu })],
});
