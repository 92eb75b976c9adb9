// SPDX-License-Identifier: Apache-2.0
// Invalidate Requests and their Completions (PCIe Base 10.3; rules P5-P13, P17, P18).
//
//   CMD_ATC_INV ──► invalidate_request[dev] ──removes──► invalidate_completion[dev, TC]
//                     waits for its reads (P7)             behind posted writes of that TC (P9)
//                                      CMD_SYNC ◄── all copies ──────┘
//
// In the short form the request takes effect and is answered in one step.

import type { Expr } from "../../ir/expr.ts";
import {
  ANY,
  add,
  after,
  and,
  constant,
  eq,
  FALSE,
  inRange,
  ite,
  knobIs,
  lt,
  member,
  not,
  num,
  or,
  outstanding,
  ruleHolds,
  sub,
  TRUE,
} from "../../ir/expr.ts";
import { pending } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { await_, clear, either, emit, post, set, when, whenElse } from "../../ir/stmt.ts";
import { command, events } from "../../vocabulary/events.ts";
import {
  ats_off,
  dev_pasid,
  in_flr,
  inv_dropped,
  inv_half,
  itags_awaited,
  page_request_due,
} from "../../vocabulary/iommu.ts";
import { Range, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { atc, atc_global, atc_wide, translation_completion } from "./ats.ts";
import { INFLIGHT } from "./form.ts";
import { posted_write, read_request, TC0, TC1, traffic_class } from "./requests.ts";

/** The commands that become Invalidate Requests; the others are about PASIDs (rules S17, P10). */
export const ATC_COMMANDS = ["CMD_ATC_INV", "CMD_ATC_INV_SSV0", "CMD_ATC_INV_G"] as const;

const is = (op: Expr<"command">, name: (typeof ATC_COMMANDS)[number]) =>
  eq(op, member(command, name));
export const isAtcInv = (op: Expr<"command">): Expr<"bool"> =>
  or(...ATC_COMMANDS.map((name) => is(op, name)));

interface Invalidation {
  readonly dev: Expr<"dev">;
  readonly op: Expr<"command">;
  readonly range: Expr<"range">;
}

/** First pages of entries of two pages that a range touches (P5); without P5, that it holds. */
function firstsOf(range: Expr<"range">): Expr<"range"> {
  const lo = Range.lo(range);
  const hi = Range.hi(range);
  const before = ite(lt(constant(vaSort, 0), lo), after(vaSort, lo, num(-1)), lo);
  return ite(ruleHolds("P5"), Range.make(before, hi), Range.make(lo, after(vaSort, hi, num(-1))));
}

/** All entries of a function with a PASID, or of any, that the range touches. */
function drop(
  dev: Expr<"dev"> | typeof ANY,
  pasid: Expr<"pasid"> | typeof ANY,
  range: Expr<"range">,
): Stmt[] {
  return [
    clear(atc({ dev, pasid, va: inRange(range) })),
    clear(atc_wide({ dev, pasid, va: inRange(firstsOf(range)) })),
    // P8: what is outstanding and overlaps is tagged, and discarded when it arrives.
    when(ruleHolds("P8"), clear(translation_completion({ dev, pasid, va: inRange(range) }))),
  ];
}

/** What the function removes: by PASID, of all PASIDs, global entries as well (rule P10). */
function matching({ dev, op, range }: Invalidation): Stmt[] {
  const all = [...drop(dev, ANY, range), clear(atc_global({ dev, va: inRange(range) }))];
  return [
    when(is(op, "CMD_ATC_INV"), ...drop(dev, dev_pasid(dev), range)),
    when(is(op, "CMD_ATC_INV_SSV0"), when(ruleHolds("P10"), ...all)),
    when(
      is(op, "CMD_ATC_INV_G"),
      whenElse(ruleHolds("P10"), all, drop(dev, dev_pasid(dev), range)),
    ),
  ];
}

/** What a function has sent and what has not arrived. */
export const sent = (dev: Expr<"dev"> | typeof ANY): Expr<"bool"> =>
  or(outstanding(posted_write({ dev, tc: ANY })), outstanding(read_request({ dev })));

/** The effect of an invalidation on all functions, for hardware that none of them answers. */
export const drainedAndDropped = (pasid: Expr<"pasid">, range: Expr<"range">): Stmt[] => [
  when(INFLIGHT, await_(not(sent(ANY)))),
  ...drop(ANY, pasid, range),
];

/** Removal by a function that conforms, or not (rule P17); H9: only the second one is sure. */
function removes(x: Invalidation): Stmt[] {
  const { dev } = x;
  return [
    whenElse(
      and(knobIs("atcignores", "yes"), ruleHolds("P17")),
      [],
      [
        whenElse(
          and(knobIs("atctwice", "yes"), ruleHolds("P18"), not(inv_half(dev))),
          [either([], matching(x)), set(inv_half(dev), TRUE)],
          [...matching(x), set(inv_half(dev), FALSE)],
        ),
      ],
    ),
  ];
}

/** Invalidations that a function has confirmed and not done: only where it lies (rule P17). */
export const late_invalidation = pending("late_invalidation", {
  keys: { dev: t.dev },
  entry: { op: command, range: t.range },
  capacity: "ATC_INVALIDATIONS",
  effect: ({ dev, op, range }) => removes({ dev, op, range }),
  source: { file: "PCIe Base 10.3.3", rules: ["P17"] },
});

/**
 * Whether the function may send its Invalidate Completion by now. It must in the end, with ATS
 * disabled too (P11), and whatever it waits for itself (P13).
 */
const answers = (dev: Expr<"dev">): Expr<"bool"> =>
  and(
    or(knobIs("atcsilent", "no"), not(ruleHolds("P17"))),
    or(ruleHolds("P11"), not(ats_off(dev))),
    or(and(knobIs("atcholds", "no"), ruleHolds("P13")), not(page_request_due(dev))),
  );

/** P7: the function removes, and then confirms; one that lies (P17) the other way round. */
function confirmed(x: Invalidation): Stmt[] {
  const { dev, op, range } = x;
  return [
    whenElse(
      and(knobIs("atcearly", "yes"), ruleHolds("P17")),
      [post(late_invalidation({ dev }), { op, range })],
      removes(x),
    ),
    emit(events.atc_invalidated, { dev, range }),
  ];
}

/** One copy of a Completion, behind the posted writes of its traffic class (P7, P9). */
export const invalidate_completion = pending("invalidate_completion", {
  keys: { dev: t.dev, tc: traffic_class },
  entry: { range: t.range },
  capacity: "ATC_INVALIDATIONS",
  ready: ({ dev, tc }) =>
    or(
      not(ruleHolds("P7")),
      knobIs("integrated", "yes"),
      not(outstanding(posted_write({ dev, tc }))),
    ),
  effect: () => [
    // P12: without tags of its own, an answer counts for all that were asked.
    set(itags_awaited(), ite(ruleHolds("P12"), sub(itags_awaited(), num(1)), num(0))),
  ],
  source: { file: "PCIe Base 10.3.2, 10.3.3", rules: ["P7", "P9", "P12"] },
});

const drained = (dev: Expr<"dev">): Expr<"bool"> =>
  and(
    or(not(ruleHolds("P7")), not(outstanding(read_request({ dev })))),
    // P18: on a fabric on which completions push nothing, the function waits for its writes.
    or(
      knobIs("integrated", "no"),
      not(ruleHolds("P18")),
      not(outstanding(posted_write({ dev, tc: ANY }))),
    ),
  );

/** P11: a function that is being reset may drop a request. */
const unlessDropped = (
  dev: Expr<"dev">,
  taken: readonly Stmt[],
  dropped: readonly Stmt[],
): Stmt[] => [whenElse(and(ruleHolds("P11"), in_flr(dev)), [either(taken, dropped)], taken)];

/** Requests that the function has not answered; each has an ITag, and there are few (P12). */
export const invalidate_request = pending("invalidate_request", {
  keys: { dev: t.dev },
  entry: { op: command, range: t.range },
  capacity: "ATC_INVALIDATIONS",
  ready: ({ dev }) => and(answers(dev), drained(dev)),
  effect: ({ dev, op, range }) => [
    ...unlessDropped(
      dev,
      [
        ...confirmed({ dev, op, range }),
        post(invalidate_completion({ dev, tc: TC0 }), { range }),
        // P9: a copy for each traffic class that carried posted writes, and all are waited for.
        when(
          and(ruleHolds("P9"), outstanding(posted_write({ dev, tc: TC1 }))),
          set(itags_awaited(), add(itags_awaited(), num(1))),
          post(invalidate_completion({ dev, tc: TC1 }), { range }),
        ),
      ],
      // Its tag stays taken.
      [],
    ),
  ],
  source: { file: "PCIe Base 10.3", rules: ["P5", "P6", "P7", "P9", "P10", "P11", "P12", "P13"] },
});

/** When the SMMU may process a command of its queue, as far as functions are concerned. */
export const invalidationsAllow = (op: Expr<"command">, dev: Expr<"dev">): Expr<"bool"> =>
  ite(
    INFLIGHT,
    // All that stand before a CMD_SYNC were sent, and nothing behind it was (S13).
    or(not(eq(op, member(command, "CMD_SYNC"))), eq(itags_awaited(), num(0))),
    and(
      or(not(isAtcInv(op)), answers(dev)),
      or(not(eq(op, member(command, "CMD_SYNC"))), not(inv_dropped())),
    ),
  );

/** The effect of CMD_ATC_INV: an Invalidate Request. */
export function invalidateRequest(x: Invalidation): Stmt[] {
  const { dev, op, range } = x;
  return [
    whenElse(
      INFLIGHT,
      [
        set(itags_awaited(), ite(ruleHolds("P12"), add(itags_awaited(), num(1)), num(1))),
        post(invalidate_request({ dev }), { op, range }),
      ],
      unlessDropped(dev, confirmed(x), [set(inv_dropped(), TRUE)]),
    ),
  ];
}

/** Without a request, and without an answer: at reset and whenever ATS is enabled (rule P11). */
export const dropAll = (dev: Expr<"dev">): Stmt[] => [
  clear(atc({ dev, pasid: ANY, va: ANY })),
  clear(atc_wide({ dev, pasid: ANY, va: ANY })),
  clear(atc_global({ dev, va: ANY })),
  clear(translation_completion({ dev, pasid: ANY, va: ANY })),
];

/** What a function forgets when it stops using a PASID: not the global entries (rule P11). */
export const dropPasid = (dev: Expr<"dev">, pasid: Expr<"pasid">): Stmt[] => [
  clear(atc({ dev, pasid, va: ANY })),
  clear(atc_wide({ dev, pasid, va: ANY })),
  clear(translation_completion({ dev, pasid, va: ANY })),
];
