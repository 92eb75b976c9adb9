// SPDX-License-Identifier: Apache-2.0
// What a PE does without an access: speculative updates of descriptors, and walks (rules A12, A13).

import type { Expr } from "../../ir/expr.ts";
import { and, eq, knobIs, member, not, ruleHolds, varies } from "../../ir/expr.ts";
import { rule } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { emit, pick, set, when } from "../../ir/stmt.ts";
import { BLOCKS, isBlock } from "../../vocabulary/blocks.ts";
import {
  AF,
  desc,
  isTable,
  nextOf,
  valid,
  withAccessFlag,
  withDirtyState,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { asid_of, life, pmd, pte, table_life, walks_watched } from "../../vocabulary/state.ts";
import { smmu_walk_cache } from "../smmuv3/tlb.ts";
import { ttbr0, ttbr0_valid, walk_cache } from "./tlb.ts";

/** The CPU walks tables that lead to an entry for this page. */
const reaches = (cpu: Expr<"cpu">, va: Expr<"va">): Expr<"bool"> =>
  and(ttbr0_valid(cpu), isTable(pmd(ttbr0(cpu), regionOf(va))));

/** Hardware manages access flag and dirty state. */
const managed = knobIs("hafdbs", "yes");

const update = (
  cpu: Expr<"cpu">,
  va: Expr<"va">,
  to: (d: Expr<"desc">) => Expr<"desc">,
): Stmt[] => {
  const at = pte(ttbr0(cpu), va);
  return [set(at, to(at))];
};

/** The access flag is set for an access that never happens. */
export const speculative_access = rule("speculative_access", {
  forall: { cpu: t.cpu, va: t.va },
  when: ({ cpu, va }) =>
    and(
      ...[managed, ruleHolds("A12"), reaches(cpu, va)],
      and(valid(pte(ttbr0(cpu), va)), not(AF(pte(ttbr0(cpu), va)))),
    ),
  body: ({ cpu, va }) => update(cpu, va, withAccessFlag),
  source: { file: "Arm ARM D8.5 R_LHQRX", rules: ["A12"] },
});

/** The same of a block. */
export const speculative_block_access = rule("speculative_block_access", {
  forall: { cpu: t.cpu, region: t.region },
  when: ({ cpu, region }) =>
    and(
      ...[BLOCKS, managed, ruleHolds("A12"), ttbr0_valid(cpu)],
      and(isBlock(pmd(ttbr0(cpu), region)), not(AF(pmd(ttbr0(cpu), region)))),
    ),
  body: ({ cpu, region }) => [
    set(pmd(ttbr0(cpu), region), withAccessFlag(pmd(ttbr0(cpu), region))),
  ],
  source: { file: "Arm ARM D8.5 R_LHQRX", rules: ["A12"] },
});

/** Without rule A13: dirty state is set for a write that never happens. */
export const speculative_write = rule("speculative_write", {
  forall: { cpu: t.cpu, va: t.va },
  when: ({ cpu, va }) =>
    and(managed, not(ruleHolds("A13")), reaches(cpu, va), writableClean(pte(ttbr0(cpu), va))),
  body: ({ cpu, va }) => update(cpu, va, withDirtyState),
  source: { file: "Arm ARM R_RNMLQ", rules: ["A13"] },
});

/** A walker goes on from a table pointer that it holds, for no access in particular. */
export const speculative_walk = rule("speculative_walk", {
  forall: { cpu: t.cpu, region: t.region, table: t.table },
  locals: { upper: desc },
  when: ({ cpu, table }) =>
    and(varies(walks_watched), ttbr0_valid(cpu), eq(table_life(table), member(life, "freed"))),
  body: ({ cpu, region, table, upper }) => [
    pick(upper, walk_cache({ cpu, asid: asid_of(ttbr0(cpu)), region })),
    when(eq(nextOf(upper), table), emit(events.walk, { table })),
  ],
  source: { file: "Arm ARM I_NDFND, R_SQBCS", rules: ["A2"] },
});

/** The same of the SMMU's walker. */
export const speculative_smmu_walk = rule("speculative_smmu_walk", {
  forall: { asid: t.asid, region: t.region, table: t.table },
  locals: { upper: desc },
  when: ({ table }) =>
    and(
      ...[varies(walks_watched), knobIs("smmuv3", "yes")],
      eq(table_life(table), member(life, "freed")),
    ),
  body: ({ asid, region, table, upper }) => [
    pick(upper, smmu_walk_cache({ asid, region })),
    when(eq(nextOf(upper), table), emit(events.walk, { table })),
  ],
  source: { file: "SMMU 3.21.1", rules: ["S9"] },
});
