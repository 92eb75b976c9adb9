// SPDX-License-Identifier: Apache-2.0
// Hardware update of dirty state by an SMMU (SMMU 3.13; rules S9, S23): where it writes, and that a
// translation request is enough.

import type { Expr, Place } from "../../ir/expr.ts";
import { and, eq, knobIs, not, ruleHolds } from "../../ir/expr.ts";
import { rule } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { cas, lookup, set, when, whenElse } from "../../ir/stmt.ts";
import { BLOCKS, isBlock, pieceOf } from "../../vocabulary/blocks.ts";
import {
  desc,
  isTable,
  nextOf,
  withDirtyState,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { ats_off, cd, cd_ttb0, dev_ats, dev_pasid, ste } from "../../vocabulary/iommu.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { pmd, pte_table } from "../../vocabulary/state.ts";
import type { Configured } from "./ats.ts";
import { answeredRequest } from "./ats.ts";
import type { Stream } from "./config.ts";
import { CD_ASID, CD_EPD0, CD_V, findContext } from "./config.ts";
import { smmu_walk_cache } from "./tlb.ts";

/**
 * The table that an update goes to: what a walk finds now, by a table pointer that may be cached.
 * A context that does not walk may still write what its TLB has translated.
 */
export const walksToUpdate = (
  upper: Place<"desc">,
  found: Configured,
  at: Stream,
  va: Expr<"va">,
): Stmt[] => [
  findContext(found, at),
  whenElse(
    and(CD_V(found, at.pasid), not(CD_EPD0(found, at.pasid))),
    [lookup(upper, smmu_walk_cache({ asid: CD_ASID(found, at.pasid), region: regionOf(va) }))],
    [set(upper, pmd(cd_ttb0(at.pasid), regionOf(va)))],
  ),
];

/**
 * S23: a translation request with NW=0 makes a writable-clean page dirty, written or not. A
 * function sends one whenever it likes (P1).
 */
export const request_makes_dirty = rule("request_makes_dirty", {
  forall: { dev: t.dev, va: t.va, table: t.table },
  locals: { entry: desc, upper: desc, done: t.bool, stream: ste, context: cd },
  when: ({ dev, va, table }) =>
    and(
      ...[knobIs("httu", "yes"), ruleHolds("S23"), ruleHolds("P1")],
      ...[dev_ats(dev), not(ats_off(dev)), writableClean(pte_table(table, va))],
    ),
  body: ({ dev, va, table, entry, upper, done, ...found }) => {
    const at = { dev, pasid: dev_pasid(dev) };
    return [
      ...answeredRequest(entry, found, at, va),
      when(
        writableClean(entry),
        ...walksToUpdate(upper, found, at, va),
        when(
          and(isTable(upper), eq(nextOf(upper), table)),
          cas(done, pte_table(table, va), entry, withDirtyState(entry)),
        ),
      ),
    ];
  },
  source: { file: "SMMU 3.13.7", rules: ["S23", "P1"] },
});

/** The upper-level entry that a device's context leads to. */
const ofContext = (dev: Expr<"dev">, va: Expr<"va">) => pmd(cd_ttb0(dev_pasid(dev)), regionOf(va));

/** The same of a block. */
export const request_makes_block_dirty = rule("request_makes_block_dirty", {
  forall: { dev: t.dev, va: t.va },
  locals: { entry: desc, upper: desc, done: t.bool, stream: ste, context: cd },
  when: ({ dev, va }) =>
    and(
      ...[BLOCKS, knobIs("httu", "yes"), ruleHolds("S23"), ruleHolds("P1")],
      ...[dev_ats(dev), not(ats_off(dev)), isBlock(ofContext(dev, va))],
      writableClean(ofContext(dev, va)),
    ),
  body: ({ dev, va, entry, upper, done, ...found }) => {
    const at = { dev, pasid: dev_pasid(dev) };
    return [
      ...answeredRequest(entry, found, at, va),
      when(
        writableClean(entry),
        ...walksToUpdate(upper, found, at, va),
        when(
          isBlock(upper),
          when(
            eq(pieceOf(upper, va), entry),
            cas(done, ofContext(dev, va), upper, withDirtyState(upper)),
          ),
        ),
      ),
    ];
  },
  source: { file: "SMMU 3.13.7", rules: ["S23", "P1"] },
});
