// SPDX-License-Identifier: Apache-2.0
// An AMD server that broadcasts invalidations itself (INVLPGB, TLBSYNC).

import { DEFAULT_FEATURES, type Profile, quantity as q } from "../profile.ts";
import { ATS, NO_NUMBER, X86, X86_IOMMU } from "./common.ts";

export const amd_invlpgb: Profile = {
  name: "amd-invlpgb",
  title: "AMD, 64 cores, INVLPGB, AMD IOMMU",
  machine: "x86",
  features: { ...DEFAULT_FEATURES, cpus: 64, iommu: "amd", range_inv: true, invlpgb: true },
  quantities: {
    ...X86,
    ...X86_IOMMU,
    ...ATS,
    cmd_sync_ns: q("A", 700, `${NO_NUMBER}; as VT-d`, [400, 1000]),
    invlpgb_ns: q("A", 200, NO_NUMBER, [100, 500]),
    tlbsync_ns: q("A", 700, NO_NUMBER, [300, 2000]),
    device_fault_ns: q("A", 20000, `${NO_NUMBER}; PPR`, [10000, 40000]),
  },
};
