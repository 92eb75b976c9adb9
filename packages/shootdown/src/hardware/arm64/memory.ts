// SPDX-License-Identifier: Apache-2.0
// Stores to descriptors: visible to CPUs at once, to walkers once a DSB has ordered them (A20).

import type { Expr, Place } from "../../ir/expr.ts";
import { and, FALSE, ne, ruleHolds, TRUE, varies } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, cas, emit, forall, insert, ret, set, when, xchg } from "../../ir/stmt.ts";
import { BLOCKS } from "../../vocabulary/blocks.ts";
import { desc, isTable, nextOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import {
  cmpxchg_desc,
  cmpxchg_pmd,
  observe_stores,
  store_desc,
  store_pmd,
  store_pte,
  xchg_desc,
  xchg_pmd,
} from "../../vocabulary/primitives.ts";
import { regionOf, t, walker } from "../../vocabulary/sorts.ts";
import { pmd, pte, pte_table } from "../../vocabulary/state.ts";
import { observes_stores, stores_observed, unordered_store, unordered_upper } from "./tlb.ts";

interface Where {
  readonly cpu: Expr<"cpu">;
  readonly mm: Expr<"mm">;
  readonly va: Expr<"va">;
  /** The table that holds the entry; absent: the one that the upper level points to. */
  readonly table?: Expr<"table">;
}

/** What others have observed of a CPU's stores is not all any more. */
const unobserved = (cpu: Expr<"cpu">): Stmt =>
  when(
    varies(observes_stores),
    forall(t.cpu, (by) => [set(stores_observed(cpu, by), FALSE)]),
  );

/** The store happened: walkers may see the old value for a while. */
const stored = ({ cpu, mm, va, table }: Where, old: Place<"desc">, value: Expr<"desc">): Stmt[] => [
  when(
    and(ruleHolds("A20"), ne(old, value)),
    forall(walker, (w) => [
      insert(
        unordered_store({ cpu, walker: w, table: table ?? nextOf(pmd(mm, regionOf(va))), va }),
        old,
      ),
    ]),
  ),
  unobserved(cpu),
  emit(events.pte_store, { cpu, mm, va, old, value }),
];

const source = { file: "Arm ARM D8.2", rules: ["A20"] };

export const store_definition = define(store_desc, {
  source,
  locals: { old: desc },
  body: ({ cpu, mm, va, value, old }) => [
    atomic(xchg(old, pte(mm, va), value), ...stored({ cpu, mm, va }, old, value)),
  ],
});

export const xchg_definition = define(xchg_desc, {
  source,
  locals: { old: desc },
  body: ({ cpu, mm, va, value, old }) => [
    atomic(xchg(old, pte(mm, va), value), ...stored({ cpu, mm, va }, old, value)),
    ret(old),
  ],
});

export const cmpxchg_definition = define(cmpxchg_desc, {
  source,
  locals: { ok: t.bool, old: desc },
  body: ({ cpu, mm, va, expect, value, ok, old }) => [
    atomic(
      cas(ok, pte(mm, va), expect, value),
      when(ok, set(old, expect), ...stored({ cpu, mm, va }, old, value)),
    ),
    ret(ok),
  ],
});

export const store_pte_definition = define(store_pte, {
  source,
  locals: { old: desc },
  body: ({ cpu, mm, va, table, value, old }) => [
    atomic(xchg(old, pte_table(table, va), value), ...stored({ cpu, mm, va, table }, old, value)),
  ],
});

export const observe_definition = define(observe_stores, {
  source: { file: "Arm ARM B2.3.12; herd aarch64.cat", rules: ["A20"] },
  abstracts: ["stores observed without a lock"],
  body: ({ cpu }) => [
    atomic(
      set(observes_stores(), TRUE),
      forall(t.cpu, (by) => [when(ne(by, cpu), set(stores_observed(by, cpu), TRUE))]),
    ),
  ],
});

interface Upper {
  readonly cpu: Expr<"cpu">;
  readonly mm: Expr<"mm">;
  readonly region: Expr<"region">;
}

/** The same of an upper-level store. */
const linked = ({ cpu, mm, region }: Upper, old: Place<"desc">, value: Expr<"desc">): Stmt[] => [
  when(
    and(ruleHolds("A20"), ne(old, value)),
    forall(walker, (w) => [insert(unordered_upper({ cpu, walker: w, mm, region }), old)]),
  ),
  unobserved(cpu),
  when(BLOCKS, emit(events.block_store, { cpu, mm, region, old, value })),
  when(isTable(old), emit(events.pmd_clear, { cpu, region, table: nextOf(old) })),
  when(isTable(value), emit(events.pmd_populate, { cpu, region, table: nextOf(value) })),
];

export const store_pmd_definition = define(store_pmd, {
  source,
  locals: { old: desc },
  body: ({ cpu, mm, region, value, old }) => [
    atomic(xchg(old, pmd(mm, region), value), ...linked({ cpu, mm, region }, old, value)),
  ],
});

export const xchg_pmd_definition = define(xchg_pmd, {
  source,
  locals: { old: desc },
  body: ({ cpu, mm, region, value, old }) => [
    atomic(xchg(old, pmd(mm, region), value), ...linked({ cpu, mm, region }, old, value)),
    ret(old),
  ],
});

export const cmpxchg_pmd_definition = define(cmpxchg_pmd, {
  source,
  locals: { ok: t.bool, old: desc },
  body: ({ cpu, mm, region, expect, value, ok, old }) => [
    atomic(
      cas(ok, pmd(mm, region), expect, value),
      when(ok, set(old, expect), ...linked({ cpu, mm, region }, old, value)),
    ),
    ret(ok),
  ],
});
