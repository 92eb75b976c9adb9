// SPDX-License-Identifier: Apache-2.0
// What an x86 CPU does without an access: accessed flags set, tables walked (Intel SDM 4.8, 4.10).

import type { Expr } from "../../ir/expr.ts";
import { and, eq, member, not, varies } from "../../ir/expr.ts";
import { rule } from "../../ir/machine.ts";
import { emit, pick, set, when } from "../../ir/stmt.ts";
import { AF, desc, isTable, nextOf, valid, withAccessFlag } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { asid_of, life, pmd, pte, table_life, walks_watched } from "../../vocabulary/state.ts";
import { cr3, cr3_user } from "../../vocabulary/x86.ts";
import { psc } from "./tlb.ts";

/** The CPU walks tables that lead to an entry for this page. */
const reaches = (cpu: Expr<"cpu">, va: Expr<"va">): Expr<"bool"> =>
  and(cr3_user(cpu), isTable(pmd(cr3(cpu), regionOf(va))));

/** The accessed flag is set for an access that never happens; then X1 lets the entry in. */
export const accessed_by_speculation = rule("accessed_by_speculation", {
  forall: { cpu: t.cpu, va: t.va },
  when: ({ cpu, va }) =>
    and(reaches(cpu, va), and(valid(pte(cr3(cpu), va)), not(AF(pte(cr3(cpu), va))))),
  body: ({ cpu, va }) => [set(pte(cr3(cpu), va), withAccessFlag(pte(cr3(cpu), va)))],
  source: { file: "Intel SDM 4.8, 4.10.2.3", rules: ["X1"] },
});

/** A walker goes on from a table pointer that it holds, for no access in particular. */
export const walk_by_speculation = rule("walk_by_speculation", {
  forall: { cpu: t.cpu, region: t.region, table: t.table },
  locals: { upper: desc },
  when: ({ cpu, table }) =>
    and(varies(walks_watched), cr3_user(cpu), eq(table_life(table), member(life, "freed"))),
  body: ({ cpu, region, table, upper }) => [
    pick(upper, psc({ cpu, pcid: asid_of(cr3(cpu)), region })),
    when(eq(nextOf(upper), table), emit(events.walk, { table })),
  ],
  source: { file: "Intel SDM 4.10.3.1", rules: ["X1"] },
});
