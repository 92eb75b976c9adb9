// SPDX-License-Identifier: Apache-2.0
// Parts of a machine's name that are about an SMMUv3: faults to inject.

import { type Part, part } from "../part.ts";

export const SMMU_PARTS: readonly Part[] = [
  part("atctimeout", "fault: the completion of one ATC invalidation never comes (S30)"),
  part("atcur", "fault: functions answer invalidations with UR and perform none (S31)"),
];
