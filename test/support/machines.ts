// SPDX-License-Identifier: Apache-2.0
// Every machine of the model, for tests that look at all of hardware.

import { MACHINE } from "../../packages/shootdown/src/hardware/machines.ts";
import { X86_MACHINE } from "../../packages/shootdown/src/hardware/x86/machine.ts";
import type { Machine } from "../../packages/shootdown/src/ir/machine.ts";

export const MACHINES: readonly Machine[] = [MACHINE, X86_MACHINE];
