// SPDX-License-Identifier: Apache-2.0
// Stores of an x86 CPU: to page tables seen by walkers at once, to per-CPU variables later (TSO).

import type { Expr, Place } from "../../ir/expr.ts";
import { not, outstanding, ruleHolds } from "../../ir/expr.ts";
import { define, pending } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  atomic,
  await_,
  call,
  cas,
  emit,
  label,
  post,
  ret,
  set,
  when,
  xchg,
} from "../../ir/stmt.ts";
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
import { t } from "../../vocabulary/sorts.ts";
import { pmd, pte, pte_table } from "../../vocabulary/state.ts";
import { per_cpu, percpu, smp_mb, this_cpu, this_cpu_write } from "../../vocabulary/x86.ts";
import { resized } from "./tlb.ts";

/** Stores that a CPU has made and that the others do not see yet. */
export const store_buffer = pending("store_buffer", {
  keys: { cpu: t.cpu },
  entry: { variable: percpu },
  capacity: "STORE_BUFFER",
  effect: ({ cpu, variable }) => [set(per_cpu(cpu, variable), this_cpu(cpu, variable))],
  source: { file: "Intel SDM 8.2", rules: ["X5"] },
});

export const this_cpu_write_definition = define(this_cpu_write, {
  source: { file: "Intel SDM 8.2", rules: ["X5"] },
  abstracts: ["of two stores to one variable in the buffer only the later one is seen"],
  body: ({ cpu, variable, value }) => [
    atomic(
      set(this_cpu(cpu, variable), value),
      when(
        not(outstanding(store_buffer({ cpu }), { variable })),
        post(store_buffer({ cpu }), { variable }),
      ),
    ),
  ],
});

export const smp_mb_definition = define(smp_mb, {
  source: { file: "Intel SDM 8.2.2", rules: ["X5"] },
  body: ({ cpu }) => [when(ruleHolds("X5"), await_(not(outstanding(store_buffer({ cpu })))))],
});

const source = { file: "Intel SDM 4.10.2.3, 8.2" };
const abstracts = [
  "a store to a page table is seen at once: what software does about it begins with a lock prefix",
];

export const store_definition = define(store_desc, {
  source,
  abstracts,
  locals: { old: desc },
  body: ({ cpu, mm, va, value, old }) => [
    atomic(xchg(old, pte(mm, va), value), emit(events.pte_store, { cpu, mm, va, old, value })),
  ],
});

export const xchg_definition = define(xchg_desc, {
  source,
  locals: { old: desc },
  body: ({ cpu, mm, va, value, old }) => [
    call(smp_mb, { cpu }),
    atomic(xchg(old, pte(mm, va), value), emit(events.pte_store, { cpu, mm, va, old, value })),
    ret(old),
  ],
});

export const cmpxchg_definition = define(cmpxchg_desc, {
  source,
  locals: { ok: t.bool },
  body: ({ cpu, mm, va, expect, value, ok }) => [
    call(smp_mb, { cpu }),
    atomic(
      cas(ok, pte(mm, va), expect, value),
      when(ok, emit(events.pte_store, { cpu, mm, va, old: expect, value })),
    ),
    ret(ok),
  ],
});

export const store_pte_definition = define(store_pte, {
  source,
  abstracts,
  locals: { old: desc },
  body: ({ cpu, mm, va, table, value, old }) => [
    atomic(
      xchg(old, pte_table(table, va), value),
      emit(events.pte_store, { cpu, mm, va, old, value }),
    ),
  ],
});

export const observe_definition = define(observe_stores, {
  source,
  abstracts,
  body: () => [label("nothing")],
});

interface Upper {
  readonly cpu: Expr<"cpu">;
  readonly mm: Expr<"mm">;
  readonly region: Expr<"region">;
}

/** An upper-level store happened. */
const linked = ({ cpu, mm, region }: Upper, old: Place<"desc">, value: Expr<"desc">): Stmt[] => [
  resized(mm, region, old, value),
  when(isTable(old), emit(events.pmd_clear, { cpu, region, table: nextOf(old) })),
  when(isTable(value), emit(events.pmd_populate, { cpu, region, table: nextOf(value) })),
];

const upper = { source: { ...source, rules: ["X4"] }, abstracts };

export const store_pmd_definition = define(store_pmd, {
  ...upper,
  locals: { old: desc },
  body: ({ cpu, mm, region, value, old }) => [
    atomic(xchg(old, pmd(mm, region), value), ...linked({ cpu, mm, region }, old, value)),
  ],
});

export const xchg_pmd_definition = define(xchg_pmd, {
  ...upper,
  locals: { old: desc },
  body: ({ cpu, mm, region, value, old }) => [
    call(smp_mb, { cpu }),
    atomic(xchg(old, pmd(mm, region), value), ...linked({ cpu, mm, region }, old, value)),
    ret(old),
  ],
});

export const cmpxchg_pmd_definition = define(cmpxchg_pmd, {
  ...upper,
  locals: { ok: t.bool, old: desc },
  body: ({ cpu, mm, region, expect, value, ok, old }) => [
    call(smp_mb, { cpu }),
    atomic(
      cas(ok, pmd(mm, region), expect, value),
      when(ok, set(old, expect), ...linked({ cpu, mm, region }, old, value)),
    ),
    ret(ok),
  ],
});
