// SPDX-License-Identifier: Apache-2.0
// Hardware update of access flag and dirty state, by a PE or an SMMU (Arm ARM D8.5; rules A12-A14).

import type { Expr, Place } from "../ir/expr.ts";
import { and, eq, FALSE, ite, ruleHolds, TRUE, withFields } from "../ir/expr.ts";
import type { Stmt } from "../ir/stmt.ts";
import { atomic, cas, choose, emit, set, when, whenElse } from "../ir/stmt.ts";
import { BLOCKS, isBlock, pieceOf } from "../vocabulary/blocks.ts";
import { isTable, nextOf, PTE_NONE, permits, pfnOf } from "../vocabulary/descriptor.ts";
import { events } from "../vocabulary/events.ts";
import { FAULTED, Range, reachedFrame, regionOf, t } from "../vocabulary/sorts.ts";
import { pmd, pte_table, reg } from "../vocabulary/state.ts";

export interface Updated {
  readonly agent: Expr<"agent">;
  readonly mm: Expr<"mm">;
  readonly va: Expr<"va">;
  readonly write: Expr<"bool">;
  /** What was translated; afterwards what memory holds. */
  readonly entry: Place<"desc">;
  /** The table that the update goes to. */
  readonly upper: Place<"desc">;
  /** Whether the access is done. */
  readonly done: Place<"bool">;
  /** What else belongs to the step that decides about the access. */
  readonly record?: readonly Stmt[];
}

/**
 * Walks again, by `walk`, through a table pointer that may be cached: hardware may write a table
 * that software has unlinked. Writes `updated` over the descriptor if memory still holds `entry`;
 * otherwise takes what memory holds now (A14: a stale copy must not be used). Then makes the access
 * if that is permitted.
 */
export function hardwareUpdate(u: Updated, walk: readonly Stmt[], updated: Expr<"desc">): Stmt[] {
  const { agent, mm, va, write, entry, done, upper, record = [] } = u;
  const at = pte_table(nextOf(upper), va);
  return [
    atomic(
      ...walk,
      whenElse(
        isTable(upper),
        [
          whenElse(
            ruleHolds("A14"),
            [cas(done, at, entry, updated)],
            [set(at, updated), set(done, TRUE)],
          ),
          set(entry, ite(done, updated, at)),
        ],
        [whenElse(and(BLOCKS, isBlock(upper)), ofBlock(u, updated), nothing(u))],
      ),
      set(done, permits(entry, write)),
      when(done, emit(events.access, { agent, mm, va, frame: pfnOf(entry), write })),
      ...record,
    ),
  ];
}

const nothing = ({ entry, done }: Updated): Stmt[] => [set(entry, PTE_NONE), set(done, FALSE)];

/** The same of a block, if what was translated is a piece of what the walk has found now. */
function ofBlock({ mm, va, entry, done, upper }: Updated, updated: Expr<"desc">): Stmt[] {
  const at = pmd(mm, regionOf(va));
  // What `updated` does to a piece, it does to the block.
  const value = withFields(updated, { pfn: pfnOf(upper) });
  return [
    whenElse(
      eq(pieceOf(upper, va), entry),
      [
        whenElse(
          ruleHolds("A14"),
          [cas(done, at, upper, value)],
          [set(at, value), set(done, TRUE)],
        ),
        set(entry, ite(done, updated, PTE_NONE)),
      ],
      [set(entry, pieceOf(upper, va)), set(done, FALSE)],
    ),
  ];
}

/** Keeps what a single try came to in a register of its agent. */
export const recorded = (
  agent: Expr<"agent">,
  into: Expr<"register">,
  { entry, done }: Pick<Updated, "entry" | "done">,
): Stmt[] => [set(reg(agent, into), ite(done, reachedFrame(pfnOf(entry)), FAULTED))];

/** A load or a store of any page of a range. */
export const anyAccess = (
  range: Expr<"range">,
  va: Place<"va">,
  write: Place<"bool">,
): readonly Stmt[] => [choose(va, t.va, Range.contains(range, va)), choose(write, t.bool)];
