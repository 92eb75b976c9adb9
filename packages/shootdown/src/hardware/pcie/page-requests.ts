// SPDX-License-Identifier: Apache-2.0
// Page Requests that nobody waits for: groups, stop markers, a full queue (rules P15, P16, S29).
//
//   function ──► page_request[dev] ──► priq[dev] ──► ppr_valid, ppr_va ... ──► software
//       ▲           stop marker last      full: dropped, and Success if last       │
//       └───────────────────────── PRG Response ◄──────────────────────────────────┘

import {
  add,
  and,
  constant,
  eq,
  FALSE,
  ite,
  le,
  limit,
  lt,
  member,
  not,
  num,
  or,
  ruleHolds,
  sub,
  TRUE,
} from "../../ir/expr.ts";
import { define, pending } from "../../ir/machine.ts";
import { enumeration } from "../../ir/sort.ts";
import { atomic, await_, post, set, when, whenElse } from "../../ir/stmt.ts";
import {
  ppr_last,
  ppr_stop,
  ppr_va,
  ppr_valid,
  ppr_write,
  prg_responses,
  priq_count,
  priq_overflow,
} from "../../vocabulary/iommu.ts";
import {
  await_prg_response,
  cmd_pri_resp,
  priq_cons,
  send_page_request,
  send_stop_marker,
} from "../../vocabulary/primitives.ts";
import { t, va as vaSort } from "../../vocabulary/sorts.ts";

/** A stop marker is ordered behind page requests; an unordered one is there without P16 alone. */
const message = enumeration("message", ["request", "stop", "unordered_stop"]);
const REQUEST = member(message, "request");
const full = le(limit("PRIQ_ENTRIES"), priq_count());

/** The PRI queue; software sees its entries in order. */
export const priq = pending("priq", {
  keys: { dev: t.dev },
  entry: { stop: t.bool, va: t.va, write: t.bool, last: t.bool },
  capacity: "PRIQ_ENTRIES",
  order: [["*", "*"]],
  ready: ({ dev }) => not(ppr_valid(dev)),
  effect: ({ dev, stop, va, write, last }) => [
    set(ppr_stop(dev), stop),
    set(ppr_va(dev), va),
    set(ppr_write(dev), write),
    set(ppr_last(dev), last),
    set(ppr_valid(dev), TRUE),
  ],
  source: { file: "SMMU 8.1, 8.2", rules: ["S29"] },
});

/** Messages on the link. */
export const page_request = pending("page_request", {
  keys: { dev: t.dev },
  entry: { kind: message, va: t.va, write: t.bool, last: t.bool },
  capacity: "PAGE_REQUESTS",
  orderBy: "kind",
  order: [
    ["request", "request"],
    ["request", "stop"],
    ["stop", "request"],
  ],
  effect: ({ dev, kind, va, write, last }) => [
    whenElse(
      and(ruleHolds("S29"), or(priq_overflow(), full)),
      [
        // S29: dropped, all that follow too, and the last of a group is answered Success.
        set(priq_overflow(), TRUE),
        when(
          and(eq(kind, REQUEST), last),
          set(prg_responses(dev), add(prg_responses(dev), num(1))),
        ),
      ],
      [
        await_(not(full)),
        set(priq_count(), add(priq_count(), num(1))),
        post(priq({ dev }), { stop: not(eq(kind, REQUEST)), va, write, last }),
      ],
    ),
  ],
  source: { file: "PCIe Base 10.4; SMMU 8.1", rules: ["P15", "P16", "S29"] },
});

export const priq_cons_definition = define(priq_cons, {
  source: { file: "SMMU 8.1", rules: ["S29"] },
  body: ({ dev }) => [
    atomic(
      set(ppr_valid(dev), FALSE),
      set(priq_count(), sub(priq_count(), num(1))),
      // OVACKFLG follows OVFLG.
      set(priq_overflow(), FALSE),
    ),
  ],
});

export const send_page_request_definition = define(send_page_request, {
  source: { file: "PCIe Base 10.4.1", rules: ["P15"] },
  abstracts: ["credits", "PRG indices: a function has one group at a time"],
  body: ({ dev, va, write, last }) => [
    post(page_request({ dev }), { kind: REQUEST, va, write, last }),
  ],
});

export const send_stop_marker_definition = define(send_stop_marker, {
  source: { file: "PCIe Base 10.4.1.2", rules: ["P16"] },
  body: ({ dev }) => [
    post(page_request({ dev }), {
      kind: ite(ruleHolds("P16"), member(message, "stop"), member(message, "unordered_stop")),
      va: constant(vaSort, 0),
      write: FALSE,
      last: TRUE,
    }),
  ],
});

export const await_prg_response_definition = define(await_prg_response, {
  source: { file: "PCIe Base 10.4.2", rules: ["P15"] },
  abstracts: ["response codes: all are Success"],
  body: ({ dev }) => [
    atomic(
      await_(lt(num(0), prg_responses(dev))),
      set(prg_responses(dev), sub(prg_responses(dev), num(1))),
    ),
  ],
});

export const cmd_pri_resp_definition = define(cmd_pri_resp, {
  source: { file: "SMMU 4.5.2", rules: ["S19"] },
  abstracts: ["the way through the command queue, which promises nothing"],
  body: ({ dev }) => [set(prg_responses(dev), add(prg_responses(dev), num(1)))],
});
