// SPDX-License-Identifier: Apache-2.0
// A Grace-class socket pair with GPUs behind ATS. That it has neither range commands nor BTM is
// inferred from the lockup of 2023 and nowhere documented: both are features one can set.

import { DEFAULT_FEATURES, type Profile, quantity as q } from "../profile.ts";
import { ARM64, ATS, SMMUV3 } from "./common.ts";

const NV_182 = "NVIDIA/NV-Kernels PR 182, 184: 1.4 M strict completions a second and socket";

export const grace: Profile = {
  name: "grace",
  title: "Grace class, 2 x 72 cores, SMMUv3, ATS GPUs",
  machine: "arm64+smmuv3+ats",
  features: {
    ...DEFAULT_FEATURES,
    cpus: 144,
    nodes: 2,
    iommu: "smmuv3",
    smmus: 4,
    devices: 4,
    tlbi_range: true,
    repeat_tlbi: true,
  },
  quantities: {
    ...ARM64,
    ...SMMUV3,
    ...ATS,
    cmd_sync_ns: q("A", 250, "as the other SMMUv3", [190, 270]),
    // 714 ns = 60 + 250 + 72 k.
    cmdq_lock_per_cpu_ns: q("D", 5.6, `${NV_182}; (714 - 310) ns / 72 cores`, [4.1, 18.1]),
    iotlb_refill_ns: q("A", 800, "a larger mesh than where 330 ns was seen", [330, 1500]),
    device_fault_ns: q("R", 30000, "far faults of GPUs, Zheng et al., HPCA 2016", [20000, 50000]),
  },
};
