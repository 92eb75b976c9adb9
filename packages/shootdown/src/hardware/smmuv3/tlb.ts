// SPDX-License-Identifier: Apache-2.0
// TLB and walk cache of an SMMUv3 for stage 1 of SVA contexts (SMMU 3.17, 3.21; rules S2, S9).
//
// Entries are tagged by ASID, not by StreamID or SubstreamID; caching is as in Armv8-A (S9).

import type { Expr } from "../../ir/expr.ts";
import { and, eq, member, not, or, ruleHolds } from "../../ir/expr.ts";
import { cell } from "../../ir/machine.ts";
import { forall, lookup, when, whenElse, yields, yieldsHeld } from "../../ir/stmt.ts";
import {
  cacheable,
  desc,
  isTable,
  nextOf,
  PTE_NONE,
  RDONLY,
  valid,
} from "../../vocabulary/descriptor.ts";
import { cd } from "../../vocabulary/iommu.ts";
import { regionOf, t, walker } from "../../vocabulary/sorts.ts";
import { pmd, pte_table } from "../../vocabulary/state.ts";
import { BLOCKS, pieceOf, unordered_store, unordered_upper } from "../arm64/tlb.ts";
import type { Found } from "./config.ts";
import { CD_ASID, CD_EPD0, CD_V, eachContext, withTables } from "./config.ts";

type Context = Pick<Found, "context">;

/** A context descriptor with this ASID. */
const tagged = (found: Context, pasid: Expr<"pasid">, asid: Expr<"asid">) =>
  and(CD_V(found, pasid), eq(CD_ASID(found, pasid), asid));

/** What may be kept: nothing that faults (A1), what denies a write too (A3). */
const kept = (d: Expr<"desc">) =>
  and(or(cacheable(d), not(ruleHolds("S9"))), or(not(RDONLY(d)), ruleHolds("A3")));

export const smmu_walk_cache = cell("smmu_walk_cache", {
  keys: { asid: t.asid, region: t.region },
  value: desc,
  locals: { context: cd, tables: t.mm },
  fill: ({ asid, region, context, tables }) => [
    eachContext({ context }, ({ dev, pasid }) => [
      when(
        and(tagged({ context }, pasid, asid), not(CD_EPD0({ context }, pasid))),
        ...withTables({ tables }, { dev, pasid }, (mm) => [
          yields(pmd(mm, region)),
          forall(t.cpu, (cpu) => [
            yieldsHeld(unordered_upper({ cpu, walker: member(walker, "SMMU"), mm, region })),
          ]),
        ]),
      ),
    ]),
  ],
  admits: isTable,
  source: { file: "SMMU 3.21.1", rules: ["S2", "S9", "A20"] },
});

export const smmu_tlb = cell("smmu_tlb", {
  keys: { asid: t.asid, va: t.va },
  value: desc,
  locals: { upper: desc, context: cd },
  fill: ({ asid, va, upper, context }) => [
    eachContext({ context }, ({ pasid }) => [
      when(
        tagged({ context }, pasid, asid),
        whenElse(
          CD_EPD0({ context }, pasid),
          // Walks are disabled: a miss is a translation fault.
          [yields(PTE_NONE)],
          [
            lookup(upper, smmu_walk_cache({ asid, region: regionOf(va) })),
            whenElse(
              isTable(upper),
              [
                yields(pte_table(nextOf(upper), va)),
                forall(t.cpu, (storer) => [
                  yieldsHeld(
                    unordered_store({
                      cpu: storer,
                      walker: member(walker, "SMMU"),
                      table: nextOf(upper),
                      va,
                    }),
                  ),
                ]),
              ],
              [
                // A block is kept page by page.
                whenElse(
                  and(BLOCKS, valid(upper)),
                  [yields(pieceOf(upper, va))],
                  [yields(PTE_NONE)],
                ),
              ],
            ),
          ],
        ),
      ),
    ]),
  ],
  admits: kept,
  source: { file: "SMMU 3.17, 3.21.1", rules: ["S2", "S9", "A1", "A2", "A3", "A4"] },
});
