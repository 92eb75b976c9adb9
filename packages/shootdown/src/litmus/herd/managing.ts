// SPDX-License-Identifier: Apache-2.0
// What the hardware of a PE manages, from a test's header.

import type { Thread } from "./ast.ts";

/** Dirty state is managed together with the access flag (Arm ARM D8.5, TCR_EL1.HD). */
export const managing = ({ HA, HD }: Pick<Thread, "HA" | "HD">) => ({ HA: HA || HD, HD });
