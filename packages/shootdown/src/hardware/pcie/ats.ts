// SPDX-License-Identifier: Apache-2.0
// The address translation cache of a PCIe function (PCIe Base 10.2; rules P1-P5, P8).
//
//   SMMU TLB ──Translation Completion──► translation_completion ──► atc, atc_global, atc_wide
//                (in flight; not kept apart in the short form)      until an Invalidate Request
//
// A function asks when it likes (P1), keeps what it likes of the answers, and loses an entry only
// to an invalidation that software sends (S8: no broadcast reaches it).

import type { Expr, Place } from "../../ir/expr.ts";
import {
  after,
  and,
  eq,
  field,
  knobIs,
  limitOf,
  lt,
  not,
  num,
  or,
  ruleHolds,
} from "../../ir/expr.ts";
import { cell } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { lookup, when, whenElse, yields } from "../../ir/stmt.ts";
import { cacheable, desc, pfnOf, RDONLY, valid } from "../../vocabulary/descriptor.ts";
import { cd, dev_pasid, ste } from "../../vocabulary/iommu.ts";
import { pfn, t, va as vaSort } from "../../vocabulary/sorts.ts";
import type { Configured } from "../smmuv3/ats.ts";
import { answeredRequest } from "../smmuv3/ats.ts";
import { INFLIGHT } from "./form.ts";

/** Rule P4: answers with Global=1 may be kept for all PASIDs; an SMMU never gives them (S25). */
export const GLOBAL = and(or(knobIs("atcglobal", "yes"), not(ruleHolds("S25"))), ruleHolds("P4"));
/** Answers of more than one page (rule P5). */
export const WIDE = knobIs("atcwide", "yes");

const keys = { dev: t.dev, pasid: t.pasid, va: t.va };

/** Rule P2: an answer with neither R nor W is never kept. */
const kept = (d: Expr<"desc">) => or(cacheable(d), not(ruleHolds("P2")));

/** What only a model without speculative requests (rule P1) needs: the function has asked. */
export const has_asked = field("has_asked", [t.dev, t.va], t.bool);

/**
 * Answers on their way to the function. A request is sent whenever the function likes, so one that
 * was sent and not answered is no state; one that is tagged to be discarded is gone from here.
 */
export const translation_completion = cell("translation_completion", {
  keys,
  value: desc,
  locals: { answer: desc, stream: ste, context: cd },
  fill: ({ dev, pasid, va, answer, ...found }) => [
    when(
      and(INFLIGHT, or(ruleHolds("P1"), has_asked(dev, va))),
      ...answeredRequest(answer, found, { dev, pasid }, va),
      yields(answer),
    ),
  ],
  admits: kept,
  exists: INFLIGHT,
  source: { file: "PCIe Base 10.2.3, 10.3.6", rules: ["P1", "P8", "S22"] },
});

/** What the translation agent answers for a page. */
function answered(
  into: Place<"desc">,
  found: Configured,
  at: { dev: Expr<"dev">; pasid: Expr<"pasid">; va: Expr<"va"> },
  then: readonly Stmt[],
): Stmt[] {
  const { dev, pasid, va } = at;
  return [
    whenElse(
      INFLIGHT,
      [lookup(into, translation_completion({ dev, pasid, va })), ...then],
      [...answeredRequest(into, found, { dev, pasid }, va), ...then],
    ),
  ];
}

export const atc = cell("atc", {
  keys,
  value: desc,
  locals: { answer: desc, stream: ste, context: cd },
  fill: ({ dev, pasid, va, answer, ...found }) => [
    when(
      or(ruleHolds("P1"), has_asked(dev, va)),
      ...answered(answer, found, { dev, pasid, va }, [yields(answer)]),
    ),
  ],
  admits: kept,
  source: { file: "PCIe Base 10.2.3", rules: ["P1", "P2", "P3", "P5", "P8", "S22"] },
});

/** Entries from answers with Global=1: a request of any PASID may use them. */
export const atc_global = cell("atc_global", {
  keys: { dev: t.dev, va: t.va },
  value: desc,
  locals: { answer: desc, stream: ste, context: cd },
  fill: ({ dev, va, answer, ...found }) => [
    when(GLOBAL, ...answered(answer, found, { dev, pasid: dev_pasid(dev), va }, [yields(answer)])),
  ],
  admits: kept,
  exists: GLOBAL,
  source: { file: "PCIe Base 10.2.3.8", rules: ["P4", "S25"] },
});

export const next = (page: Expr<"va">) => after(vaSort, page, num(1));
export const nextFrame = (d: Expr<"desc">) => after(pfn, pfnOf(d), num(1));

/** Entries of two pages, by the first: frames that adjoin, with one permission (rule P5). */
export const atc_wide = cell("atc_wide", {
  keys,
  value: desc,
  locals: { first: desc, second: desc, stream: ste, context: cd },
  fill: ({ dev, pasid, va, first, second, ...found }) => [
    when(
      and(WIDE, lt(next(va), limitOf(vaSort, "TASK_SIZE"))),
      ...answered(first, found, { dev, pasid, va }, [
        ...answered(second, found, { dev, pasid, va: next(va) }, [
          when(
            and(valid(first), valid(second), eq(pfnOf(second), nextFrame(first))),
            when(eq(RDONLY(first), RDONLY(second)), yields(first)),
          ),
        ]),
      ]),
    ),
  ],
  admits: kept,
  exists: WIDE,
  source: { file: "PCIe Base 10.2.3", rules: ["P1", "P2", "P5"] },
});
