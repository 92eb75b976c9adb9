// SPDX-License-Identifier: Apache-2.0
// Two Sapphire Rapids sockets, VT-d in scalable mode, accelerators with ATS.

import { DEFAULT_FEATURES, type Profile, quantity as q } from "../profile.ts";
import { ATS, NO_NUMBER, X86, X86_IOMMU } from "./common.ts";

export const sapphire_rapids: Profile = {
  name: "sapphire-rapids",
  title: "Sapphire Rapids, 2 x 48 cores, VT-d, DSA with ATS",
  machine: "x86",
  features: { ...DEFAULT_FEATURES, cpus: 96, nodes: 2, iommu: "vtd", range_inv: true },
  quantities: {
    ...X86,
    ...X86_IOMMU,
    ...ATS,
    device_fault_ns: q("A", 10000, `${NO_NUMBER}; PRI as the stall of an SMMUv3`, [5000, 30000]),
  },
};
