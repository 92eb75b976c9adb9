// SPDX-License-Identifier: Apache-2.0
// The D06 board, where the command queue of an SMMUv3 was measured best: two sockets of 48 cores.

import { DEFAULT_FEATURES, type Profile, quantity as q } from "../profile.ts";
import { ARM64, SMMUV3 } from "./common.ts";

const GARRY = "[PATCH v2 0/2] iommu/arm-smmu-v3: Improve cmdq lock efficiency, 2020-08-21";

export const kunpeng_920: Profile = {
  name: "kunpeng-920",
  title: "Kunpeng 920 (D06), 2 x 48 cores, SMMUv3",
  machine: "arm64+smmuv3",
  features: { ...DEFAULT_FEATURES, cpus: 96, nodes: 2, iommu: "smmuv3" },
  quantities: {
    ...ARM64,
    ...SMMUV3,
    // One invalidation and its CMD_SYNC are 263 ns at no contention.
    cmd_ns: q("D", 33, `${GARRY}: 263 ns a submission, less CMD_SYNC`, [0, 73]),
  },
};
