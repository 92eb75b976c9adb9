// SPDX-License-Identifier: Apache-2.0
// ATC invalidations that go wrong: timeouts and answers UR (SMMU 3.9.1.4-5, 7.1; rules S30, S31).
//
//   CMD_ATC_INV ─lost─► atc_timed_out ──next CMD_SYNC──► gerror_cmdq ──software──► CMD_SYNC again
//
// One invalidation is lost in a run. CMD_SYNC does not say whose, and passes when it is tried
// again, though the invalidation never happened.

import type { Expr } from "../../ir/expr.ts";
import { and, FALSE, field, knobIs, not, or, ruleHolds, TRUE } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { either, set, whenElse } from "../../ir/stmt.ts";
import { gerror_cmdq } from "../../vocabulary/iommu.ts";
import { t } from "../../vocabulary/sorts.ts";

/** An Invalidate Completion may fail to come. */
export const TIMEOUTS = knobIs("atctimeout", "yes");

/** The one timeout has not happened yet. */
export const atc_timeout_left = field("atc_timeout_left", [], t.bool, 1);
/** A timeout that no CMD_SYNC has reported yet. */
export const atc_timed_out = field("atc_timed_out", [], t.bool);

/** What becomes of a CMD_ATC_INV: `performed`, or lost, or answered UR and not performed. */
export const delivered = (performed: readonly Stmt[]): Stmt[] => [
  whenElse(
    and(TIMEOUTS, ruleHolds("S30"), atc_timeout_left()),
    [either(performed, [set(atc_timeout_left(), FALSE), set(atc_timed_out(), TRUE)])],
    [whenElse(and(knobIs("atcur", "yes"), ruleHolds("S31")), [either(performed, [])], performed)],
  ),
];

/** Whether the queue goes on: it has stopped at a CMD_SYNC that reports a timeout. */
export const running = (sync: Expr<"bool">): Expr<"bool"> =>
  or(not(TIMEOUTS), and(not(gerror_cmdq()), or(not(sync), not(atc_timed_out()))));
