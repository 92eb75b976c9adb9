// SPDX-License-Identifier: Apache-2.0
// The same server with an SMMUv3 that takes part in broadcast TLB maintenance.

import { DEFAULT_FEATURES, type Profile, quantity as q } from "../profile.ts";
import { ARM64, ATS, NO_NUMBER, SMMUV3 } from "./common.ts";

export const n2_btm: Profile = {
  name: "n2-btm",
  title: "Arm server, 96 cores, SMMUv3 with BTM, ATS devices",
  machine: "arm64+smmuv3+btm+ats",
  features: { ...DEFAULT_FEATURES, cpus: 96, iommu: "smmuv3", tlbi_range: true },
  quantities: {
    ...ARM64,
    ...SMMUV3,
    ...ATS,
    // The SMMU is one more target of every broadcast: 0 to 0.5 us.
    dsb_base_ns: q("A", 514, `${NO_NUMBER}; 264 ns as without the SMMU, and 0 to 500`, [264, 764]),
    dvm_service_ns: q("A", 300, `${NO_NUMBER}; as without the SMMU, and its snoop`, [50, 600]),
  },
};
