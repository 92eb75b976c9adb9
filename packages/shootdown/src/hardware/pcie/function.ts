// SPDX-License-Identifier: Apache-2.0
// How a PCIe function translates an address for an access (PCIe Base 10.2; rules P1-P6, P17).
//
//   atc, or the other entries ──denied──► asks again (P3) ──► U=1? ──► untranslated, by the SMMU
//                                                         └─ fault ──► a forged address (P17)

import type { Expr, Place } from "../../ir/expr.ts";
import {
  after,
  and,
  constant,
  ite,
  knobIs,
  lt,
  member,
  not,
  num,
  outstanding,
  ruleHolds,
  TRUE,
  withFields,
} from "../../ir/expr.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { await_, choose, either, lookup, set, when, whenElse } from "../../ir/stmt.ts";
import { leaf, permits } from "../../vocabulary/descriptor.ts";
import { command } from "../../vocabulary/events.ts";
import { cd_asid, dev_pasid } from "../../vocabulary/iommu.ts";
import { pfn, va as vaSort } from "../../vocabulary/sorts.ts";
import type { Configured } from "../smmuv3/ats.ts";
import { answeredRequest } from "../smmuv3/ats.ts";
import { cmdq } from "../smmuv3/cmdq.ts";
import { translatedBySmmu } from "../smmuv3/tlb.ts";
import { atc, atc_global, atc_wide, GLOBAL, has_asked, nextFrame, WIDE } from "./ats.ts";
import { ATC_COMMANDS } from "./invalidate.ts";

interface Translation extends Configured {
  readonly dev: Expr<"dev">;
  readonly va: Expr<"va">;
  readonly write: Expr<"bool">;
  /** What is found. */
  readonly entry: Place<"desc">;
  /** A frame that a device which lies makes up. */
  readonly forged: Place<"pfn">;
}

/** Any entry that serves the page: its own, a global one, or half of one of two pages. */
function found({ dev, va, entry }: Translation): Stmt[] {
  const pasid = dev_pasid(dev);
  const own = lookup(entry, atc({ dev, pasid, va }));
  const isSecond = lt(constant(vaSort, 0), va);
  const before = ite(isSecond, after(vaSort, va, num(-1)), va);
  const second = [
    await_(isSecond),
    lookup(entry, atc_wide({ dev, pasid, va: before })),
    set(entry, withFields(entry, { pfn: nextFrame(entry) })),
  ];
  return [
    whenElse(
      GLOBAL,
      [either([own], [lookup(entry, atc_global({ dev, va }))])],
      [
        whenElse(
          WIDE,
          [either([own], [lookup(entry, atc_wide({ dev, pasid, va }))], second)],
          [own],
        ),
      ],
    ),
  ];
}

/** Without P6 a function stops using entries as soon as software wants them gone. */
const nothingWanted = (dev: Expr<"dev">): Stmt[] =>
  ATC_COMMANDS.map((name) =>
    await_(not(outstanding(cmdq({}), { op: member(command, name), dev }))),
  );

/** Translates by the ATC; what the function is given goes into `entry`. */
export function translateByAtc(x: Translation): Stmt[] {
  const { dev, va, write, entry, forged } = x;
  const at = { dev, pasid: dev_pasid(dev) };
  const ask = translatedBySmmu(entry, cd_asid(at.pasid), va);
  const madeUp = leaf(forged, { RDONLY: not(TRUE), DBM: TRUE, DIRTY: TRUE, AF: TRUE });
  return [
    when(not(ruleHolds("P1")), set(has_asked(dev, va), TRUE)),
    when(not(ruleHolds("P6")), ...nothingWanted(dev)),
    ...found(x),
    // P3: a function is permitted, not obliged, to ask again when it needs more.
    when(
      and(ruleHolds("P3"), knobIs("atcReRequest", "yes")),
      when(not(permits(entry, write)), ...answeredRequest(entry, x, at, va)),
    ),
    // P4: the entry says what is permitted, and the SMMU where the page is now.
    when(
      and(knobIs("atcuntranslated", "yes"), ruleHolds("P4")),
      when(permits(entry, write), ...ask),
    ),
    when(
      and(knobIs("atcforges", "yes"), ruleHolds("P17")),
      either([], [choose(forged, pfn), set(entry, madeUp)]),
    ),
  ];
}
