// SPDX-License-Identifier: Apache-2.0
// Broadcast TLB maintenance as an SMMU with BTM sees it (SMMU 3.17; rules S5-S8, S10, S12).
//
//   TLBI ──► dvm_smmu[issuer] ──► SMMU TLB        (hardware stops here: rule S8, no ATC)
//                     └─ imagined ─► snoop[issuer] ──► ATCs     (machine part `atcsnoop`)

import type { Expr, KeyPattern } from "../../ir/expr.ts";
import { ANY, and, eq, inRange, knobIs, member, not, or } from "../../ir/expr.ts";
import { pending } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { clear, emit, forall, post, when } from "../../ir/stmt.ts";
import { events, tlbi_op } from "../../vocabulary/events.ts";
import { cd_aset, cd_asid, cd_v } from "../../vocabulary/iommu.ts";
import { regionsOf, t } from "../../vocabulary/sorts.ts";
import { atc } from "../pcie/ats.ts";
import { smmu_tlb, smmu_walk_cache } from "./tlb.ts";

const is = (op: Expr<"tlbi_op">, ...names: readonly (typeof tlbi_op.values)[number][]) =>
  or(...names.map((n) => eq(op, member(tlbi_op, n))));

const whole = (op: Expr<"tlbi_op">) => is(op, "ASIDE1IS", "VMALLE1IS");

/** What a broadcast removes from the SMMU's TLB: contexts with ASET=0 and that ASID (S6). */
function removes(op: Expr<"tlbi_op">, asid: Expr<"asid">, range: Expr<"range">): Stmt[] {
  const drop = (va: KeyPattern, region: KeyPattern | undefined): Stmt[] => [
    clear(smmu_tlb({ asid, va })),
    ...(region ? [clear(smmu_walk_cache({ asid, region }))] : []),
  ];
  return [
    forall(t.pasid, (pasid) => [
      when(
        and(cd_v(pasid), eq(cd_asid(pasid), asid), not(cd_aset(pasid))),
        when(is(op, "VALE1IS"), ...drop(inRange(range), undefined)),
        when(is(op, "VAE1IS"), ...drop(inRange(range), inRange(regionsOf(range)))),
        when(whole(op), ...drop(ANY, ANY)),
      ),
    ]),
  ];
}

/** What the imagined snooper removes from the ATCs that use that ASID. */
function removesFromAtc(op: Expr<"tlbi_op">, asid: Expr<"asid">, range: Expr<"range">): Stmt[] {
  return [
    forall(t.pasid, (pasid) => [
      when(
        and(cd_v(pasid), eq(cd_asid(pasid), asid), not(cd_aset(pasid))),
        when(whole(op), clear(atc({ dev: ANY, pasid, va: ANY }))),
        when(not(whole(op)), clear(atc({ dev: ANY, pasid, va: inRange(range) }))),
      ),
    ]),
  ];
}

/** ATC invalidations that an imagined SMMU makes out of broadcasts; not in any specification. */
export const snoop = pending("snoop", {
  keys: { issuer: t.cpu },
  entry: { op: tlbi_op, asid: t.asid, range: t.range },
  capacity: "TLBI_OUTSTANDING",
  effect: ({ op, asid, range }) => [
    when(knobIs("atcSnoopOrder", "after-tlb"), ...removesFromAtc(op, asid, range)),
    when(knobIs("atcSnoopOrder", "before-tlb"), ...removes(op, asid, range)),
    emit(events.dvm_applied, { op, asid, range }),
  ],
  source: { file: "imagined", rules: ["S8"] },
});

/** Broadcasts of a PE that the SMMU has not performed yet; the PE's DSB waits for them (S10). */
export const dvm_smmu = pending("dvm_smmu", {
  keys: { issuer: t.cpu },
  entry: { op: tlbi_op, asid: t.asid, range: t.range },
  capacity: "TLBI_OUTSTANDING",
  effect: ({ issuer, op, asid, range }) => [
    when(
      or(knobIs("atcsnoop", "no"), knobIs("atcSnoopOrder", "after-tlb")),
      ...removes(op, asid, range),
    ),
    when(
      knobIs("atcsnoop", "yes"),
      when(knobIs("atcSnoopOrder", "before-tlb"), ...removesFromAtc(op, asid, range)),
      post(snoop({ issuer }), { op, asid, range }),
    ),
    emit(events.dvm_applied, { op, asid, range }),
  ],
  source: { file: "SMMU 3.17, 3.21.1", rules: ["S5", "S6", "S7", "S8", "S10", "S12"] },
});
