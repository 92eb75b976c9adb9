// SPDX-License-Identifier: Apache-2.0
// Translated Requests in flight (PCIe Base 10.2.3, 10.3.3): posted writes by traffic class, reads.
//
//   device ──► posted_write[dev, TC0|TC1] ──► memory        (nobody answers)
//         └──► read_request[dev] ──────────► memory ──► its Completion

import type { Expr } from "../../ir/expr.ts";
import { FALSE, member, TRUE } from "../../ir/expr.ts";
import { pending } from "../../ir/machine.ts";
import { enumeration } from "../../ir/sort.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { either, emit, post, whenElse } from "../../ir/stmt.ts";
import { events } from "../../vocabulary/events.ts";
import { cd, ste } from "../../vocabulary/iommu.ts";
import { t } from "../../vocabulary/sorts.ts";
import { arrived } from "../smmuv3/ats.ts";
import { INFLIGHT } from "./form.ts";

/** Two are enough to show that each has its own order. */
export const traffic_class = enumeration("traffic_class", ["TC0", "TC1"]);
export const TC0 = member(traffic_class, "TC0");
export const TC1 = member(traffic_class, "TC1");

/** For the check that the SMMU makes of a request that arrives. */
const locals = { stream: ste, context: cd };
const entry = { agent: t.agent, mm: t.mm, va: t.va, frame: t.pfn };

export const posted_write = pending("posted_write", {
  keys: { dev: t.dev, tc: traffic_class },
  entry,
  capacity: "DEVICE_REQUESTS",
  locals,
  effect: ({ dev, agent, mm, va, frame, stream, context }) =>
    arrived({ stream, context }, dev, [emit(events.access, { agent, mm, va, frame, write: TRUE })]),
  source: { file: "PCIe Base 10.3.3", rules: ["P6", "P7", "P9"] },
});

/** Done when its Completion is back; the read itself happens then or before. */
export const read_request = pending("read_request", {
  keys: { dev: t.dev },
  entry,
  capacity: "DEVICE_REQUESTS",
  locals,
  effect: ({ dev, agent, mm, va, frame, stream, context }) =>
    arrived({ stream, context }, dev, [
      emit(events.access, { agent, mm, va, frame, write: FALSE }),
    ]),
  source: { file: "PCIe Base 10.3.3", rules: ["P6", "P7"] },
});

interface Request {
  readonly dev: Expr<"dev">;
  readonly agent: Expr<"agent">;
  readonly mm: Expr<"mm">;
  readonly va: Expr<"va">;
  readonly frame: Expr<"pfn">;
  readonly write: Expr<"bool">;
}

/** The access with a translated address: now, or after a while on the link. */
export function request({ dev, agent, mm, va, frame, write }: Request): Stmt {
  const on = { agent, mm, va, frame };
  return whenElse(
    INFLIGHT,
    [
      whenElse(
        write,
        [
          either(
            [post(posted_write({ dev, tc: TC0 }), on)],
            [post(posted_write({ dev, tc: TC1 }), on)],
          ),
        ],
        [post(read_request({ dev }), on)],
      ),
    ],
    [emit(events.access, { ...on, write })],
  );
}
