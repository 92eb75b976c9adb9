// SPDX-License-Identifier: Apache-2.0
// The address translation cache of a PCIe function (PCIe Base 10.2, 10.3; rules P1-P9).
//
// An ATC takes what the SMMU's TLB or walk answers, keeps it as long as it likes, and loses it only
// to an invalidation that software sends (S8: no broadcast reaches it). Outstanding translation
// requests that overlap an invalidation are discarded (P8), so they are not kept apart.

import { cell } from "../../ir/machine.ts";
import { lookup, when, yields } from "../../ir/stmt.ts";
import { cacheable, desc } from "../../vocabulary/descriptor.ts";
import { cd_asid, cd_v } from "../../vocabulary/iommu.ts";
import { t } from "../../vocabulary/sorts.ts";
import { smmu_tlb } from "../smmuv3/tlb.ts";

export const atc = cell("atc", {
  keys: { dev: t.dev, pasid: t.pasid, va: t.va },
  value: desc,
  locals: { answer: desc },
  fill: ({ pasid, va, answer }) => [
    // A request for a context without walks may still be answered from the SMMU's TLB.
    when(cd_v(pasid), lookup(answer, smmu_tlb({ asid: cd_asid(pasid), va })), yields(answer)),
  ],
  admits: cacheable,
  source: { file: "PCIe Base 10.2.3", rules: ["P1", "P2", "P3", "P5", "S22"] },
});
