// SPDX-License-Identifier: Apache-2.0
// Machines of one measurement each, that published results are compared with.

import { DEFAULT_FEATURES, type Profile, quantity as q } from "../profile.ts";
import { ARM64, NO_NUMBER, SMMUV3 } from "./common.ts";

export const snapdragon_888: Profile = {
  name: "snapdragon-888",
  title: "Snapdragon 888, 8 cores",
  machine: "arm64",
  features: { ...DEFAULT_FEATURES, cpus: 8 },
  quantities: ARM64,
};

export const thunderx2: Profile = {
  name: "thunderx2",
  title: "ThunderX2, 2 x 32 cores with four threads each",
  machine: "arm64+smmuv3",
  features: { ...DEFAULT_FEATURES, cpus: 256, nodes: 2, iommu: "smmuv3" },
  quantities: { ...ARM64, ...SMMUV3 },
};

export const ampere_32: Profile = {
  name: "ampere-32",
  title: "Ampere, 32 cores, one node",
  machine: "arm64+smmuv3",
  features: { ...DEFAULT_FEATURES, cpus: 32, iommu: "smmuv3" },
  quantities: { ...ARM64, ...SMMUV3 },
};

/** A host with FEAT_TLBIRANGE; its mail does not name it, 64 cores are assumed. */
export const vhe_host: Profile = {
  name: "vhe-host",
  title: "Arm host with range TLBI, 64 cores",
  machine: "arm64",
  features: { ...DEFAULT_FEATURES, cpus: 64, tlbi_range: true },
  quantities: ARM64,
};

const RANJAN = "[PATCHv5] iommu/arm-smmu: Optimize ->tlb_flush_walk(), 2021-08-11";

export const qti_sm8150: Profile = {
  name: "qti-sm8150",
  title: "QTI SM8150, SMMUv2",
  machine: "arm64",
  features: { ...DEFAULT_FEATURES, cpus: 8, iommu: "smmuv2" },
  quantities: {
    ...ARM64,
    ...SMMUV3,
    smmuv2_tlbi_ns: q("D", 120, `${RANJAN}: 981.6 us / 8176`, [100, 150]),
    smmuv2_sync_ns: q("A", 500, NO_NUMBER, [200, 2000]),
  },
};
