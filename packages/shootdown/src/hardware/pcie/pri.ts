// SPDX-License-Identifier: Apache-2.0
// Page Requests of a function (PCIe Base 10.4; rules P13, P15, S29).
//
//   denied ──Page Request──► worker: handle_mm_fault ──PRG Response──► Success: asks again
//              └─ queue full ──► Success at once                       Invalid Request: aborts
//
// A group is one request. With the part `pri` a function asks for more than it needs, and again.

import type { Expr, Place } from "../../ir/expr.ts";
import { and, FALSE, knobIs, ne, not, ruleHolds, TRUE } from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { callInto, either, set, when, whenElse } from "../../ir/stmt.ts";
import { page_request_due } from "../../vocabulary/iommu.ts";
import { handle_device_fault } from "../../vocabulary/primitives.ts";

interface PageRequest {
  readonly dev: Expr<"dev">;
  readonly mm: Expr<"mm">;
  readonly worker: Expr<"cpu">;
  readonly va: Expr<"va">;
  readonly write: Expr<"bool">;
  /** The response: whether the function may try again. */
  readonly resolved: Place<"bool">;
  /** Whether the request has W=1. */
  readonly asked: Place<"bool">;
  /** The queue was full once in this access: not for ever. */
  readonly overflowed: Place<"bool">;
}

/** Makes a page request and waits for the response. */
export function pageRequest(x: PageRequest): Stmt[] {
  const { dev, mm, worker: cpu, va, write, resolved, asked, overflowed } = x;
  const handled = (w: Expr<"bool">) =>
    callInto(resolved, handle_device_fault, { cpu, dev, mm, va, write: w });
  const sent = [
    // P15: W=1 without need; what is refused so is asked for again as it is needed.
    whenElse(
      ruleHolds("P15"),
      [either([set(asked, write)], [set(asked, TRUE)])],
      [set(asked, write)],
    ),
    handled(asked),
    when(and(not(resolved), ne(asked, write)), handled(write)),
    // P15: the same once more; how that ends is of no interest to anybody.
    when(ruleHolds("P15"), either([], [handled(asked), set(resolved, TRUE)])),
  ];
  return [
    set(page_request_due(dev), TRUE),
    whenElse(
      knobIs("pri", "yes"),
      [
        whenElse(
          and(ruleHolds("S29"), not(overflowed)),
          [either(sent, [set(overflowed, TRUE), set(resolved, TRUE)])],
          sent,
        ),
      ],
      [handled(write)],
    ),
    set(page_request_due(dev), FALSE),
  ];
}
