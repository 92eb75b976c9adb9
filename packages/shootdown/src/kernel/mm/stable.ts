// SPDX-License-Identifier: Apache-2.0
// check_stable_address_space() of include/linux/oom.h: what the OOM reaper has begun to take away
// is not mapped again.

import type { Expr } from "../../ir/expr.ts";
import { varies } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { when } from "../../ir/stmt.ts";
import { mmf_unstable } from "../state.ts";

/** `otherwise` if the reaper is at this address space. */
export const stableOr = (mm: Expr<"mm">, otherwise: readonly Stmt[]): readonly Stmt[] => [
  when(varies(mmf_unstable), when(mmf_unstable(mm), ...otherwise)),
];
