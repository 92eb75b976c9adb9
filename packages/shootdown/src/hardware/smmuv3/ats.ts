// SPDX-License-Identifier: Apache-2.0
// An SMMU towards functions with ATS: what it answers, and what it checks (S18, S22, S24, S28).
//
//   Translation Request ──STE.EATS? CD.V?──► SMMU TLB ──► answer      (UR, CA: nothing is given)
//   Translated Request  ──CR0.ATSCHK: STE.EATS?──► memory

import type { Expr, Place } from "../../ir/expr.ts";
import { and, not, or, ruleHolds } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { set, when, whenElse } from "../../ir/stmt.ts";
import { BLOCKS, isBlock, pieceOf } from "../../vocabulary/blocks.ts";
import { isTable, PTE_NONE } from "../../vocabulary/descriptor.ts";
import { cd_epd0, cd_ttb0, cr0_atschk } from "../../vocabulary/iommu.ts";
import { regionOf } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import type { Found, Stream } from "./config.ts";
import { CD_ASID, CD_V, findContext, findStream, STE_EATS, STE_V } from "./config.ts";
import { translatedBySmmu } from "./tlb.ts";

export type Configured = Pick<Found, "stream" | "context">;

/** Without S18 an answer is what a walk finds now, whatever the TLB holds. */
function freshWalk(into: Place<"desc">, { pasid }: Stream, va: Expr<"va">): Stmt {
  const mm = cd_ttb0(pasid);
  const upper = pmd(mm, regionOf(va));
  return whenElse(
    and(not(cd_epd0(pasid)), isTable(upper)),
    [set(into, pte(mm, va))],
    [
      whenElse(
        and(BLOCKS, not(cd_epd0(pasid)), isBlock(upper)),
        [set(into, pieceOf(upper, va))],
        [set(into, PTE_NONE)],
      ),
    ],
  );
}

/**
 * The answer to a translation request: from the TLB (S18), or nothing if ATS is disabled for the
 * stream (UR) or the configuration is wrong (CA). A context without walks may still hit the TLB.
 */
export const answeredRequest = (
  into: Place<"desc">,
  found: Configured,
  at: Stream,
  va: Expr<"va">,
): Stmt[] => [
  findStream(found, at.dev),
  findContext(found, at),
  whenElse(
    or(
      not(ruleHolds("S22")),
      and(STE_V(found, at.dev), STE_EATS(found, at.dev), CD_V(found, at.pasid)),
    ),
    [
      whenElse(ruleHolds("S18"), translatedBySmmu(into, CD_ASID(found, at.pasid), va), [
        freshWalk(into, at, va),
      ]),
    ],
    [set(into, PTE_NONE)],
  ),
];

/** A Translated Request that arrives: what it does, unless it is refused by now (S24, S4). */
export const arrived = (found: Configured, dev: Expr<"dev">, then: readonly Stmt[]): Stmt[] => [
  whenElse(
    and(cr0_atschk(), ruleHolds("S24")),
    [findStream(found, dev), when(and(STE_V(found, dev), STE_EATS(found, dev)), ...then)],
    then,
  ),
];

/** A Translated Request: unchecked, or refused where ATS is disabled for the stream (S24). */
export const checkedRequest = (
  entry: Place<"desc">,
  found: Configured,
  dev: Expr<"dev">,
): Stmt[] => [
  when(
    and(cr0_atschk(), ruleHolds("S24")),
    findStream(found, dev),
    when(not(and(STE_V(found, dev), STE_EATS(found, dev))), set(entry, PTE_NONE)),
  ),
];

/** An untranslated request of a stream; an invalid STE or CD aborts it. */
export const untranslated = (
  entry: Place<"desc">,
  found: Configured,
  at: Stream,
  va: Expr<"va">,
): Stmt[] => [
  findStream(found, at.dev),
  findContext(found, at),
  when(
    and(STE_V(found, at.dev), CD_V(found, at.pasid)),
    // EPD0 disables walks, not what is cached.
    ...translatedBySmmu(entry, CD_ASID(found, at.pasid), va),
  ),
];
