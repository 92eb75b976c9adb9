// SPDX-License-Identifier: Apache-2.0
// TLB and paging-structure cache of an x86 CPU (Intel SDM vol. 3A, 4.10; rules X1, X2).
//
//   pmd ──► psc[cpu, PCID, region] ──next──► pte_table ──► tlb[cpu, PCID, va]
//
// Entries are tagged with the PCID of an mm on that CPU, `asid_of(mm)` here.

import type { Expr } from "../../ir/expr.ts";
import { ANY, after, and, eq, inRange, ne, not, num, or, ruleHolds } from "../../ir/expr.ts";
import { cell } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { clear, lookup, when, whenElse, yields } from "../../ir/stmt.ts";
import { cacheable, desc, isTable, nextOf, PTE_NONE } from "../../vocabulary/descriptor.ts";
import { firstPage, Range, region, regionOf, t } from "../../vocabulary/sorts.ts";
import { asid_of, pmd, pte_table } from "../../vocabulary/state.ts";
import { cr3, cr3_user } from "../../vocabulary/x86.ts";

/** Whether a CPU walks the tables behind this PCID now. */
const walks = (cpu: Expr<"cpu">, pcid: Expr<"asid">) =>
  and(cr3_user(cpu), eq(asid_of(cr3(cpu)), pcid));

/** The pages of a region. */
const pagesOf = (r: Expr<"region">) =>
  Range.make(firstPage(r), firstPage(after(region, r, num(1))));

/** Paging-structure cache: table pointers, by speculation too. */
export const psc = cell("psc", {
  keys: { cpu: t.cpu, pcid: t.asid, region: t.region },
  value: desc,
  fill: ({ cpu, pcid, region }) => [
    whenElse(walks(cpu, pcid), [yields(pmd(cr3(cpu), region))], [yields(PTE_NONE)]),
  ],
  admits: isTable,
  source: { file: "Intel SDM 4.10.3", rules: ["X1"] },
});

export const x86_tlb = cell("x86_tlb", {
  keys: { cpu: t.cpu, pcid: t.asid, va: t.va },
  value: desc,
  locals: { upper: desc },
  fill: ({ cpu, pcid, va, upper }) => [
    lookup(upper, psc({ cpu, pcid, region: regionOf(va) })),
    // Otherwise none, or a large page.
    whenElse(isTable(upper), [yields(pte_table(nextOf(upper), va))], [yields(upper)]),
  ],
  admits: (entry) => or(cacheable(entry), not(ruleHolds("X1"))),
  source: { file: "Intel SDM 4.10.2, 4.10.4.3", rules: ["X1"] },
});

/** What a page fault removes by itself: the address's entries of the current PCID (X3). */
export const healed = (cpu: Expr<"cpu">, pcid: Expr<"asid">, va: Expr<"va">): Stmt =>
  when(
    ruleHolds("X3"),
    clear(x86_tlb({ cpu, pcid, va })),
    clear(psc({ cpu, pcid, region: regionOf(va) })),
  );

/** Without X4 the translation of the old size would be gone at once. */
export const resized = (mm: Expr<"mm">, r: Expr<"region">, from: Expr<"desc">, to: Expr<"desc">) =>
  when(
    and(not(ruleHolds("X4")), ne(isTable(from), isTable(to))),
    clear(x86_tlb({ cpu: ANY, pcid: asid_of(mm), va: inRange(pagesOf(r)) })),
    clear(psc({ cpu: ANY, pcid: asid_of(mm), region: r })),
  );

/** All entries of a PCID. */
export const droppedPcid = (cpu: Expr<"cpu">, pcid: Expr<"asid"> | typeof ANY): Stmt[] => [
  clear(x86_tlb({ cpu, pcid, va: ANY })),
  clear(psc({ cpu, pcid, region: ANY })),
];
