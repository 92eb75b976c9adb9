// SPDX-License-Identifier: Apache-2.0
// TLB and walk cache of an arm64 PE (Arm ARM D8.16, D8.17; rules A1-A6, A20).
//
//   pmd ──► walk_cache[cpu, asid, region] ──next──► pte_table ──► tlb[cpu, asid, va]
//            any table it held or reads             what memory holds, or held until a DSB

import { eq, field, member, not } from "../../ir/expr.ts";
import { cell } from "../../ir/machine.ts";
import { forall, lookup, when, whenElse, yields, yieldsHeld } from "../../ir/stmt.ts";
import { cacheable, desc, isTable, nextOf, PTE_NONE, valid } from "../../vocabulary/descriptor.ts";
import { regionOf, t, walker } from "../../vocabulary/sorts.ts";
import { asid_of, pmd, pte_table } from "../../vocabulary/state.ts";

/** Whether a CPU walks an mm's tables (TTBR0_EL1), and which. */
export const ttbr0_valid = field("ttbr0_valid", [t.cpu], t.bool, 1);
export const ttbr0 = field("ttbr0", [t.cpu], t.mm);

/** Values that walkers may still read after a CPU stored another, until its DSB (rule A20). */
export const unordered_store = cell("unordered_store", {
  keys: { cpu: t.cpu, walker, table: t.table, va: t.va },
  value: desc,
  source: { file: "Arm ARM D8.2, B2.3", rules: ["A20"] },
});

/** Table pointers that a walker of this PE may use; leaf-only maintenance leaves them (A21). */
export const walk_cache = cell("walk_cache", {
  keys: { cpu: t.cpu, asid: t.asid, region: t.region },
  value: desc,
  fill: ({ cpu, asid, region }) => [
    when(not(ttbr0_valid(cpu)), yields(PTE_NONE)),
    when(ttbr0_valid(cpu), when(eq(asid_of(ttbr0(cpu)), asid), yields(pmd(ttbr0(cpu), region)))),
  ],
  admits: isTable,
  source: { file: "Arm ARM D8.16", rules: ["A2", "A5", "A7"] },
});

/** Translations that a PE may use: read-only ones survive an upgrade (A3), invalid ones do not. */
export const tlb = cell("tlb", {
  keys: { cpu: t.cpu, asid: t.asid, va: t.va },
  value: desc,
  locals: { upper: desc },
  fill: ({ cpu, asid, va, upper }) => [
    lookup(upper, walk_cache({ cpu, asid, region: regionOf(va) })),
    whenElse(
      valid(upper),
      [
        yields(pte_table(nextOf(upper), va)),
        forall(t.cpu, (storer) => [
          yieldsHeld(
            unordered_store({
              cpu: storer,
              walker: member(walker, "PE"),
              table: nextOf(upper),
              va,
            }),
          ),
        ]),
      ],
      [yields(PTE_NONE)],
    ),
  ],
  admits: cacheable,
  source: { file: "Arm ARM D8.16.1", rules: ["A1", "A2", "A3", "A4", "A6"] },
});
