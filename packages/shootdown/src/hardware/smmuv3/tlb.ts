// SPDX-License-Identifier: Apache-2.0
// TLB and walk cache of an SMMUv3 for stage 1 of SVA contexts (SMMU 3.17, 3.21; rules S2, S9).
//
// Entries are tagged by ASID, not by StreamID or SubstreamID; caching is as in Armv8-A (S9).

import type { Expr } from "../../ir/expr.ts";
import { and, eq, member, not } from "../../ir/expr.ts";
import { cell } from "../../ir/machine.ts";
import { forall, lookup, when, whenElse, yields, yieldsHeld } from "../../ir/stmt.ts";
import { cacheable, desc, isTable, nextOf, PTE_NONE, valid } from "../../vocabulary/descriptor.ts";
import { cd_asid, cd_epd0, cd_ttb0, cd_v } from "../../vocabulary/iommu.ts";
import { regionOf, t, walker } from "../../vocabulary/sorts.ts";
import { pmd, pte_table } from "../../vocabulary/state.ts";
import { unordered_store } from "../arm64/tlb.ts";

/** A context descriptor with this ASID whose walks are disabled: a miss is a translation fault. */
const stopped = (pasid: Expr<"pasid">, asid: Expr<"asid">) =>
  and(cd_v(pasid), cd_epd0(pasid), eq(cd_asid(pasid), asid));

/** A context descriptor that walks with this ASID. */
const walks = (pasid: Expr<"pasid">, asid: Expr<"asid">) =>
  and(cd_v(pasid), not(cd_epd0(pasid)), eq(cd_asid(pasid), asid));

export const smmu_walk_cache = cell("smmu_walk_cache", {
  keys: { asid: t.asid, region: t.region },
  value: desc,
  fill: ({ asid, region }) => [
    forall(t.pasid, (pasid) => [when(walks(pasid, asid), yields(pmd(cd_ttb0(pasid), region)))]),
  ],
  admits: isTable,
  source: { file: "SMMU 3.21.1", rules: ["S2", "S9"] },
});

export const smmu_tlb = cell("smmu_tlb", {
  keys: { asid: t.asid, va: t.va },
  value: desc,
  locals: { upper: desc },
  fill: ({ asid, va, upper }) => [
    forall(t.pasid, (pasid) => [
      when(stopped(pasid, asid), yields(PTE_NONE)),
      when(
        walks(pasid, asid),
        lookup(upper, smmu_walk_cache({ asid, region: regionOf(va) })),
        whenElse(
          valid(upper),
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
          [yields(PTE_NONE)],
        ),
      ),
    ]),
  ],
  admits: cacheable,
  source: { file: "SMMU 3.17, 3.21.1", rules: ["S2", "S9", "A1", "A2", "A3", "A4"] },
});
