// SPDX-License-Identifier: Apache-2.0
// Stores to descriptors: visible to CPUs at once, to walkers once a DSB has ordered them (A20).

import type { Expr, Place } from "../../ir/expr.ts";
import { ne } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, cas, emit, forall, insert, ret, set, when, xchg } from "../../ir/stmt.ts";
import { desc, nextOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { cmpxchg_desc, store_desc, xchg_desc } from "../../vocabulary/primitives.ts";
import { regionOf, t, walker } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import { unordered_store } from "./tlb.ts";

interface Where {
  readonly cpu: Expr<"cpu">;
  readonly mm: Expr<"mm">;
  readonly va: Expr<"va">;
}

/** The store happened: walkers may see the old value for a while. */
const stored = ({ cpu, mm, va }: Where, old: Place<"desc">, value: Expr<"desc">): Stmt[] => [
  when(
    ne(old, value),
    forall(walker, (w) => [
      insert(unordered_store({ cpu, walker: w, table: nextOf(pmd(mm, regionOf(va))), va }), old),
    ]),
  ),
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
