// SPDX-License-Identifier: Apache-2.0
// Transactions that the SMMU has translated and that are not visible yet (SMMU 3.21.1, 3.21.3).
//
//   device ──translated──► transaction[dev, ASID, page] ──► memory
//                             └── holds back the invalidation of what it used (S10, S4)
//
// In the short form an access is done in the step that translates it (pcie/form.ts): a transaction
// that is still on its way does nothing that one which begins before the invalidation does not do.

import type { Expr, KeyPattern } from "../../ir/expr.ts";
import { ANY, not, or, outstanding, ruleHolds } from "../../ir/expr.ts";
import { pending } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { emit, post, whenElse } from "../../ir/stmt.ts";
import { events } from "../../vocabulary/events.ts";
import { t } from "../../vocabulary/sorts.ts";
import { INFLIGHT } from "../pcie/form.ts";

export const transaction = pending("transaction", {
  keys: { dev: t.dev, asid: t.asid, va: t.va },
  entry: { agent: t.agent, mm: t.mm, frame: t.pfn, write: t.bool },
  capacity: "DEVICE_REQUESTS",
  effect: ({ va, agent, mm, frame, write }) => [
    emit(events.access, { agent, mm, va, frame, write }),
  ],
  source: { file: "SMMU 3.21.1", rules: ["S10"] },
});

interface Translated {
  readonly dev: Expr<"dev">;
  readonly asid: Expr<"asid">;
  readonly agent: Expr<"agent">;
  readonly mm: Expr<"mm">;
  readonly va: Expr<"va">;
  readonly frame: Expr<"pfn">;
  readonly write: Expr<"bool">;
}

/** The access: now, or after a while. */
export const transacts = ({ dev, asid, va, agent, mm, frame, write }: Translated): Stmt =>
  whenElse(
    INFLIGHT,
    [post(transaction({ dev, asid, va }), { agent, mm, frame, write })],
    [emit(events.access, { agent, mm, va, frame, write })],
  );

type Key<S extends string> = Expr<S> | typeof ANY;

/** S10: nothing that was translated with these entries is on its way. */
export const drained = (asid: Key<"asid">, va: Expr<"va"> | KeyPattern): Expr<"bool"> =>
  or(not(ruleHolds("S10")), not(outstanding(transaction({ dev: ANY, asid, va }))));

/** S4: nothing that was translated with the configuration of the stream is on its way. */
export const streamDrained = (dev: Key<"dev">): Expr<"bool"> =>
  or(not(ruleHolds("S4")), not(outstanding(transaction({ dev, asid: ANY, va: ANY }))));
