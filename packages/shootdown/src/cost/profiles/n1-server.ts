// SPDX-License-Identifier: Apache-2.0
// A server of 96 Arm cores whose SMMUv3 does not listen to broadcast invalidations.

import { DEFAULT_FEATURES, type Profile } from "../profile.ts";
import { ARM64, SMMUV3 } from "./common.ts";

export const n1_server: Profile = {
  name: "n1-server",
  title: "Arm server, 96 cores, SMMUv3 without BTM",
  machine: "arm64+smmuv3",
  features: { ...DEFAULT_FEATURES, cpus: 96, iommu: "smmuv3" },
  quantities: { ...ARM64, ...SMMUV3 },
};
