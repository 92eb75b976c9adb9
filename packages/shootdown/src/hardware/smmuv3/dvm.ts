// SPDX-License-Identifier: Apache-2.0
// Broadcast TLB maintenance as an SMMU with BTM sees it (SMMU 3.17; rules S5-S8, S10, S12).
//
//   TLBI ──► dvm_smmu[issuer] ──► SMMU TLB        (hardware stops here: rule S8, no ATC)
//                     └─ imagined ─► snoop[issuer] ──► ATCs     (machine part `atcsnoop`)

import type { Expr, Place } from "../../ir/expr.ts";
import {
  ANY,
  and,
  eq,
  FALSE,
  inRange,
  knobIs,
  member,
  not,
  or,
  ruleHolds,
  TRUE,
} from "../../ir/expr.ts";
import { pending } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { clear, emit, forall, post, set, when } from "../../ir/stmt.ts";
import { pfnOf } from "../../vocabulary/descriptor.ts";
import { events, tlbi_op } from "../../vocabulary/events.ts";
import { cd_aset, cd_asid, cd_v, cr2_ptm } from "../../vocabulary/iommu.ts";
import { regionsOf, t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { is_xs } from "../../vocabulary/state.ts";
import { drainedAndDropped } from "../pcie/invalidate.ts";
import { dropAll, dropAsid, dropBlocks, dropPages, smmu_tlb, smmu_walk_cache } from "./tlb.ts";
import { drained } from "./transactions.ts";

const is = (op: Expr<"tlbi_op">, ...names: readonly (typeof tlbi_op.values)[number][]) =>
  or(...names.map((n) => eq(op, member(tlbi_op, n))));

/** Operations that match an ASID: contexts with ASET=1 need not listen (S6). */
const byAsid = (op: Expr<"tlbi_op">) => or(byVa(op), is(op, "ASIDE1IS"));
/** By VA; local ones come here without rule S7 alone. */
const byVa = (op: Expr<"tlbi_op">) =>
  or(
    is(op, "VAE1IS", "VALE1IS", "VAE1", "VALE1", "VALE1ISnXS"),
    is(op, "VAE1IS_TTL2", "VALE1IS_TTL2", "VAE1IS_TTL3", "VALE1IS_TTL3"),
  );
/** With a hint (A22) what is of the other level need not go. */
const pagesMeant = (op: Expr<"tlbi_op">) => not(is(op, "VAE1IS_TTL2", "VALE1IS_TTL2"));
const blocksMeant = (op: Expr<"tlbi_op">) => not(is(op, "VAE1IS_TTL3", "VALE1IS_TTL3"));
/** It does not wait for accesses to memory with XS=1 (A28). */
const nXS = (op: Expr<"tlbi_op">) => is(op, "VALE1ISnXS");
/** By VA, of every ASID: private contexts have to listen. */
const byVaAll = (op: Expr<"tlbi_op">) => is(op, "VAAE1IS", "VAALE1IS");

/**
 * Whether the SMMU performs an operation of a PE: a broadcast (S7), if CR2.PTM does not have it
 * ignored (S5). It may listen all the same: over-invalidation is allowed anyway (A4).
 */
export const heard = (broadcast: Expr<"bool">): Expr<"bool"> =>
  and(or(broadcast, not(ruleHolds("S7"))), or(not(cr2_ptm()), not(ruleHolds("S5"))));

/** Runs `then` unless a private context has the ASID. */
const unlessPrivate = (
  asid: Expr<"asid">,
  isPrivate: Place<"bool">,
  then: readonly Stmt[],
): Stmt[] => [
  set(isPrivate, FALSE),
  when(
    ruleHolds("S6"),
    forall(t.pasid, (pasid) => [
      when(and(cd_aset(pasid), eq(cd_asid(pasid), asid)), set(isPrivate, TRUE)),
    ]),
  ),
  when(not(isPrivate), ...then),
];

interface Operation {
  readonly op: Expr<"tlbi_op">;
  readonly asid: Expr<"asid">;
  readonly range: Expr<"range">;
  readonly isPrivate: Place<"bool">;
}

/** What a broadcast removes from the SMMU's TLB. */
function removes({ op, asid, range, isPrivate }: Operation): Stmt[] {
  const region = inRange(regionsOf(range));
  return [
    when(
      byAsid(op),
      ...unlessPrivate(asid, isPrivate, [
        when(and(byVa(op), pagesMeant(op), not(nXS(op))), ...dropPages(asid, range, "broadcast")),
        when(and(byVa(op), blocksMeant(op)), dropBlocks(asid, range)),
        when(
          nXS(op),
          clear(smmu_tlb({ asid, va: inRange(range) }), (d) =>
            or(not(ruleHolds("A28")), not(is_xs(pfnOf(d)))),
          ),
        ),
        when(is(op, "VAE1IS", "VAE1"), clear(smmu_walk_cache({ asid, region }))),
        when(is(op, "ASIDE1IS"), ...dropAsid(asid)),
      ]),
    ),
    when(byVaAll(op), clear(smmu_tlb({ asid: ANY, va: inRange(range) })), dropBlocks(ANY, range)),
    when(is(op, "VAAE1IS"), clear(smmu_walk_cache({ asid: ANY, region }))),
    when(is(op, "VMALLE1IS", "VMALLS12E1IS"), ...dropAll()),
  ];
}

/** What an imagined snooper removes from the ATCs that use that ASID. */
function removesFromAtc(op: Expr<"tlbi_op">, asid: Expr<"asid">, range: Expr<"range">): Stmt[] {
  const whole = is(op, "ASIDE1IS", "VMALLE1IS");
  return [
    forall(t.pasid, (pasid) => [
      when(
        and(cd_v(pasid), eq(cd_asid(pasid), asid), not(cd_aset(pasid))),
        when(whole, ...drainedAndDropped(pasid, WHOLE_MM)),
        when(not(whole), ...drainedAndDropped(pasid, range)),
      ),
    ]),
  ];
}

/** ATC invalidations that an imagined SMMU makes out of broadcasts; not in any specification. */
export const snoop = pending("snoop", {
  keys: { issuer: t.cpu },
  entry: { op: tlbi_op, asid: t.asid, range: t.range },
  capacity: "TLBI_OUTSTANDING",
  locals: { isPrivate: t.bool },
  effect: ({ op, asid, range, isPrivate }) => [
    when(knobIs("atcSnoopOrder", "after-tlb"), ...removesFromAtc(op, asid, range)),
    when(knobIs("atcSnoopOrder", "before-tlb"), ...removes({ op, asid, range, isPrivate })),
    emit(events.dvm_applied, { op, asid, range }),
  ],
  source: { file: "imagined", rules: ["S8"] },
});

/** S10: performed when all that used the entries is visible. */
const visible = ({ op, asid, range }: Omit<Operation, "isPrivate">): Expr<"bool"> =>
  and(
    or(not(byVa(op)), drained(asid, inRange(range))),
    or(not(byVaAll(op)), drained(ANY, inRange(range))),
    or(not(is(op, "ASIDE1IS")), drained(asid, ANY)),
    or(not(is(op, "VMALLE1IS", "VMALLS12E1IS")), drained(ANY, ANY)),
  );

/** Broadcasts of a PE that the SMMU has not performed yet; the PE's DSB waits for them (S10). */
export const dvm_smmu = pending("dvm_smmu", {
  keys: { issuer: t.cpu },
  entry: { op: tlbi_op, asid: t.asid, range: t.range },
  capacity: "TLBI_OUTSTANDING",
  locals: { isPrivate: t.bool },
  ready: ({ op, asid, range }) => visible({ op, asid, range }),
  effect: ({ issuer, op, asid, range, isPrivate }) => [
    when(
      or(knobIs("atcsnoop", "no"), knobIs("atcSnoopOrder", "after-tlb")),
      ...removes({ op, asid, range, isPrivate }),
    ),
    // Only without S8: a broadcast reaches the ATCs.
    when(not(ruleHolds("S8")), ...removesFromAtc(op, asid, range)),
    when(
      knobIs("atcsnoop", "yes"),
      when(knobIs("atcSnoopOrder", "before-tlb"), ...removesFromAtc(op, asid, range)),
      post(snoop({ issuer }), { op, asid, range }),
    ),
    emit(events.dvm_applied, { op, asid, range }),
  ],
  source: { file: "SMMU 3.17, 3.21.1", rules: ["S5", "S6", "S7", "S8", "S10", "S12"] },
});
