// SPDX-License-Identifier: Apache-2.0
// The TLBs of the ASID model: as fields, so that every checker counts alike, and as cells.
//
//   fields  tlb[cpu][asid] is an mm's page or nothing; walks and evictions are rules
//   cells   tlb[cpu][asid] is a set of mms' pages, and can be closed into windows

import type { System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import { ANY, and, eq, field, ne, not } from "../../packages/shootdown/src/ir/expr.ts";
import type { ObserverDecl, RuleDecl } from "../../packages/shootdown/src/ir/machine.ts";
import { cell, event, observer, on, rule } from "../../packages/shootdown/src/ir/machine.ts";
import {
  await_,
  clear,
  emit,
  forall,
  pick,
  set,
  violate,
  when,
  yields,
} from "../../packages/shootdown/src/ir/stmt.ts";
import { asidSystem } from "./asid-allocator.ts";
import type { AsidOptions } from "./asid-state.ts";
import {
  asid,
  asidOfMm,
  cpu,
  exposed,
  flush_pending,
  INIT,
  mm,
  pteIs,
  running,
  ttbr,
  ttbr_asid,
  walkable,
} from "./asid-state.ts";

const source = { file: "bench/models/asid-tlbs.ts" };

/** Whose page a TLB has under an ASID; 0 is nobody's. */
const tlb = field("tlb", [cpu, asid], mm);

const walks: RuleDecl[] = [
  rule("tlb_fill", {
    forall: { c: cpu, a: asid },
    when: ({ c, a }) => and(eq(ttbr_asid(c), a), eq(tlb(c, a), INIT), walkable(ttbr(c))),
    body: ({ c, a }) => [set(tlb(c, a), ttbr(c)), emit(exposed, {})],
    source,
  }),
  rule("tlb_evict", {
    forall: { c: cpu, a: asid },
    when: ({ c, a }) => ne(tlb(c, a), INIT),
    body: ({ c, a }) => [set(tlb(c, a), INIT)],
    source,
  }),
];

const foreign = "foreign_entry";
const stale = "stale_entry";
const FOREIGN = "a CPU runs an mm and can translate with an entry of another";
const STALE = "an entry of a freed page is left where it can be used, now or without a flush";

/** What a CPU that runs can translate with. */
const used = (c: Expr<"cpu">): Expr<"mm"> => tlb(c, ttbr_asid(c));

const inFields: readonly ObserverDecl[] = [
  observer(
    foreign,
    FOREIGN,
    on(exposed, () => [
      forall(cpu, (c) => [
        when(and(running(c), ne(used(c), INIT), ne(used(c), ttbr(c))), violate(foreign)),
      ]),
    ]),
  ),
  observer(
    stale,
    STALE,
    on(exposed, () => [
      forall(cpu, (c) => [
        when(and(running(c), pteIs(used(c), "freed")), violate(stale)),
        forall(mm, (m) => [
          when(
            and(not(flush_pending(c)), pteIs(m, "freed"), eq(tlb(c, asidOfMm(m)), m)),
            violate(stale),
          ),
        ]),
      ]),
    ]),
  ),
];

/** The model with TLBs of one entry an ASID and page, as plain fields. */
export function asidModel(options: AsidOptions): System {
  return asidSystem(options, {
    flush: (c) => [forall(asid, (a) => [set(tlb(c, a), INIT)])],
    invalidate: (a) => [forall(cpu, (c) => [set(tlb(c, a), INIT)])],
    machine: { cells: [], pending: [], rules: walks, definitions: [] },
    observers: inFields,
  });
}

const tlbs = cell("tlb", {
  keys: { cpu, asid },
  value: mm,
  fill: ({ cpu: c, asid: a }) => [
    await_(and(eq(ttbr_asid(c), a), walkable(ttbr(c)))),
    yields(ttbr(c)),
  ],
  source,
});

const hit = event("hit", { cpu, mm });
const survives = event("survives", {});

const looks: RuleDecl[] = [
  rule("tlb_used", {
    forall: { c: cpu, a: asid },
    locals: { e: mm },
    when: ({ c, a }) => and(running(c), eq(ttbr_asid(c), a)),
    body: ({ c, a, e }) => [pick(e, tlbs({ cpu: c, asid: a })), emit(hit, { cpu: c, mm: e })],
    source,
  }),
  rule("tlb_left", {
    forall: { c: cpu, a: asid, m: mm },
    locals: { e: mm },
    when: ({ c, a, m }) => and(not(flush_pending(c)), pteIs(m, "freed"), eq(asidOfMm(m), a)),
    body: ({ c, a, m, e }) => [
      pick(e, tlbs({ cpu: c, asid: a })),
      when(eq(e, m), emit(survives, {})),
    ],
    source,
  }),
];

const inCells: readonly ObserverDecl[] = [
  observer(
    foreign,
    FOREIGN,
    on(hit, ({ cpu: c, mm: e }) => [when(ne(e, ttbr(c)), violate(foreign))]),
  ),
  observer(
    stale,
    STALE,
    on(hit, ({ mm: e }) => [when(pteIs(e, "freed"), violate(stale))]),
    on(survives, () => [violate(stale)]),
  ),
];

/** The model with TLBs of any number of entries, as cells. */
export function asidCellModel(options: AsidOptions): System {
  return asidSystem(options, {
    flush: (c) => [clear(tlbs({ cpu: c, asid: ANY }))],
    invalidate: (a) => [clear(tlbs({ cpu: ANY, asid: a }))],
    machine: { cells: [tlbs.decl], pending: [], rules: looks, definitions: [] },
    observers: inCells,
  });
}
