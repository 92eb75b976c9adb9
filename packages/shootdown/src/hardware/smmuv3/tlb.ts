// SPDX-License-Identifier: Apache-2.0
// TLB and walk cache of an SMMUv3 for stage 1 of SVA contexts (SMMU 3.17, 3.21; rules S2, S9).
//
// Entries are tagged by ASID, not by StreamID or SubstreamID; caching is as in Armv8-A (S9).

import type { Expr, Place } from "../../ir/expr.ts";
import {
  ANY,
  and,
  eq,
  inRange,
  member,
  ne,
  not,
  or,
  ruleHolds,
  TRUE,
  varies,
} from "../../ir/expr.ts";
import { cell } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  clear,
  either,
  forall,
  lookup,
  set,
  when,
  whenElse,
  yields,
  yieldsHeld,
} from "../../ir/stmt.ts";
import { BLOCKS, isBlock, pieceOf } from "../../vocabulary/blocks.ts";
import {
  cacheable,
  desc,
  isTable,
  nextOf,
  PTE_NONE,
  RDONLY,
  valid,
} from "../../vocabulary/descriptor.ts";
import { cd, cd_aset, cd_asid } from "../../vocabulary/iommu.ts";
import { Range, regionOf, regionsOf, t, walker } from "../../vocabulary/sorts.ts";
import { is_contiguous, is_global, pmd, pte_table } from "../../vocabulary/state.ts";
import { coalesced, unordered_store, unordered_upper } from "../arm64/tlb.ts";
import type { Found } from "./config.ts";
import { CD_ASID, CD_EPD0, CD_V, eachContext, withTables } from "./config.ts";

type Context = Pick<Found, "context">;

/** A context descriptor with this ASID. */
const tagged = (found: Context, pasid: Expr<"pasid">, asid: Expr<"asid">) =>
  and(CD_V(found, pasid), eq(CD_ASID(found, pasid), asid));

/** What may be kept: nothing that faults (A1), what denies a write too (A3). */
const kept = (d: Expr<"desc">) =>
  and(or(cacheable(d), not(ruleHolds("S9"))), or(not(RDONLY(d)), ruleHolds("A3")));

export const smmu_walk_cache = cell("smmu_walk_cache", {
  keys: { asid: t.asid, region: t.region },
  value: desc,
  locals: { context: cd, tables: t.mm },
  fill: ({ asid, region, context, tables }) => [
    eachContext({ context }, ({ dev, pasid }) => [
      when(
        and(tagged({ context }, pasid, asid), not(CD_EPD0({ context }, pasid))),
        ...withTables({ tables }, { dev, pasid }, (mm) => [
          yields(pmd(mm, region)),
          forall(t.cpu, (cpu) => [
            yieldsHeld(unordered_upper({ cpu, walker: member(walker, "SMMU"), mm, region })),
          ]),
        ]),
      ),
    ]),
  ],
  admits: isTable,
  source: { file: "SMMU 3.21.1", rules: ["S2", "S9", "A20"] },
});

/** S2: a global leaf of another context, which serves this ASID too. */
const ofOthers = (
  { asid, va }: { asid: Expr<"asid">; va: Expr<"va"> },
  { upper, context }: { upper: Place<"desc">; context: Place<"cd"> },
): Stmt =>
  when(
    and(varies(is_global), is_global(va)),
    eachContext({ context }, ({ pasid }) => {
      const of = CD_ASID({ context }, pasid);
      const leaf = pte_table(nextOf(upper), va);
      return [
        when(
          and(ne(of, asid), CD_V({ context }, pasid), not(CD_EPD0({ context }, pasid))),
          lookup(upper, smmu_walk_cache({ asid: of, region: regionOf(va) })),
          when(isTable(upper), when(valid(leaf), yields(leaf))),
        ),
      ];
    }),
  );

export const smmu_tlb = cell("smmu_tlb", {
  keys: { asid: t.asid, va: t.va },
  value: desc,
  locals: { upper: desc, context: cd },
  fill: ({ asid, va, upper, context }) => [
    ofOthers({ asid, va }, { upper, context }),
    eachContext({ context }, ({ pasid }) => [
      when(
        tagged({ context }, pasid, asid),
        whenElse(
          CD_EPD0({ context }, pasid),
          // Walks are disabled: a miss is a translation fault.
          [yields(PTE_NONE)],
          [
            lookup(upper, smmu_walk_cache({ asid, region: regionOf(va) })),
            whenElse(
              isTable(upper),
              [
                yields(pte_table(nextOf(upper), va)),
                forall(t.cpu, (storer) => [
                  yieldsHeld(
                    unordered_store({
                      cpu: storer,
                      walker: member(walker, "SMMU"),
                      table: nextOf(upper),
                      va,
                    }),
                  ),
                ]),
                when(
                  and(varies(is_contiguous), ruleHolds("A8"), is_contiguous(va)),
                  ...coalesced(va, upper),
                ),
              ],
              // What a block maps is in a cell of its own.
              [when(not(valid(upper)), yields(PTE_NONE))],
            ),
          ],
        ),
      ),
    ]),
  ],
  admits: kept,
  source: { file: "SMMU 3.17, 3.21.1", rules: ["S2", "S9", "A1", "A2", "A3", "A4", "A8"] },
});

/** Leaves of the upper level: as in a PE, any address inside finds all that is kept of one (A8). */
export const smmu_block_tlb = cell("smmu_block_tlb", {
  keys: { asid: t.asid, region: t.region },
  value: desc,
  locals: { upper: desc, context: cd },
  fill: ({ asid, region, upper, context }) => [
    eachContext({ context }, ({ pasid }) => [
      when(
        and(tagged({ context }, pasid, asid), not(CD_EPD0({ context }, pasid))),
        lookup(upper, smmu_walk_cache({ asid, region })),
        when(isBlock(upper), yields(upper)),
      ),
    ]),
  ],
  admits: (d) => and(kept(d), not(isTable(d))),
  exists: BLOCKS,
  source: { file: "SMMU 3.17, 3.21.1", rules: ["S9", "A8"] },
});

/** What the SMMU uses for a page: an entry that it may have, or what a walk finds now. */
export const translatedBySmmu = (
  into: Place<"desc">,
  asid: Expr<"asid">,
  va: Expr<"va">,
): Stmt[] => [
  whenElse(
    BLOCKS,
    [
      either(
        [lookup(into, smmu_tlb({ asid, va }))],
        [
          lookup(into, smmu_block_tlb({ asid, region: regionOf(va) })),
          set(into, pieceOf(into, va)),
        ],
      ),
    ],
    [lookup(into, smmu_tlb({ asid, va }))],
  ),
];

/** Removes blocks: of an ASID or all, those that a range touches or all. */
export const dropBlocks = (asid: Expr<"asid"> | typeof ANY, range?: Expr<"range">): Stmt =>
  when(
    and(BLOCKS, ruleHolds("A8")),
    clear(smmu_block_tlb({ asid, region: range ? inRange(regionsOf(range)) : ANY })),
  );

/** Removes everything. */
export const dropAll = (): Stmt[] => [
  clear(smmu_tlb({ asid: ANY, va: ANY })),
  dropBlocks(ANY),
  clear(smmu_walk_cache({ asid: ANY, region: ANY })),
];

/**
 * Removes the pages of a range for an ASID, and whatever the ASID those that are global; a
 * broadcast leaves global ones of private contexts (S6).
 */
export const dropPages = (
  asid: Expr<"asid">,
  range: Expr<"range">,
  by: "command" | "broadcast",
): Stmt[] => [
  clear(smmu_tlb({ asid, va: inRange(range) })),
  when(
    varies(is_global),
    forall(t.va, (va) => [
      when(
        and(is_global(va), Range.contains(range, va)),
        forall(t.pasid, (of) => [
          when(
            by === "command" ? TRUE : not(cd_aset(of)),
            clear(smmu_tlb({ asid: cd_asid(of), va })),
          ),
        ]),
      ),
    ]),
  ),
];

/** Removes what an ASID has; a global leaf stays (A21). */
export const dropAsid = (asid: Expr<"asid">): Stmt[] => [
  whenElse(
    and(varies(is_global), ruleHolds("A21")),
    [forall(t.va, (va) => [when(not(is_global(va)), clear(smmu_tlb({ asid, va })))])],
    [clear(smmu_tlb({ asid, va: ANY }))],
  ),
  dropBlocks(asid),
  clear(smmu_walk_cache({ asid, region: ANY })),
];
