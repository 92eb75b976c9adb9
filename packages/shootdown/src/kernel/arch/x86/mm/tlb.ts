// SPDX-License-Identifier: Apache-2.0
// Shootdown by interrupt and lazy TLB: arch/x86/mm/tlb.c, 6.1 and 6.12 (rule X5).
//
//   flusher   tlb_gen++, then mm_cpumask and is_lazy ──► IPI to who is not lazy ──► flush_tlb_func
//   switch    mm_cpumask set (is_lazy cleared, full barrier), then tlb_gen read
//
// One of the two sees the other: either the interrupt is sent, or the generation is new.

import type { Expr } from "../../../../ir/expr.ts";
import {
  add,
  and,
  eq,
  FALSE,
  knobIs,
  le,
  limit,
  lt,
  member,
  ne,
  not,
  num,
  or,
  TRUE,
} from "../../../../ir/expr.ts";
import { declare, define } from "../../../../ir/machine.ts";
import type { Stmt } from "../../../../ir/stmt.ts";
import {
  atomic,
  call,
  callInto,
  each,
  emit,
  forall,
  label,
  ret,
  set,
  since,
  when,
  whenElse,
} from "../../../../ir/stmt.ts";
import { events } from "../../../../vocabulary/events.ts";
import { leave_mm } from "../../../../vocabulary/primitives.ts";
import { Range, t, va as vaSort } from "../../../../vocabulary/sorts.ts";
import {
  invlpg,
  local_irq_disable,
  local_irq_enable,
  per_cpu,
  percpu,
  smp_mb,
  this_cpu,
  this_cpu_write,
  write_cr3,
} from "../../../../vocabulary/x86.ts";
import { mmu_notifier_arch_invalidate_secondary_tlbs } from "../../../mm/mmu_notifier.ts";
import { flush_tlb_func, should_flush_tlb, smp_call_function_many_cond } from "../smp.ts";
import {
  ctx_id,
  ctx_tlb_gen,
  info_all,
  info_mm,
  info_new_tlb_gen,
  info_range,
  loaded,
  loaded_kind,
  loaded_mm,
  mm_cpumask,
  tlb_gen,
} from "../state.ts";

const file = "arch/x86/mm/tlb.c";
const on = { cpu: t.cpu, mm: t.mm };

export const flush_tlb_mm_range = declare("flush_tlb_mm_range", {
  ...{ ...on, range: t.range },
  /** end == TLB_FLUSH_ALL. */
  ...{ all: t.bool, freed_tables: t.bool },
});
export const inc_mm_tlb_gen = declare("inc_mm_tlb_gen", on, t.int);
export const native_flush_tlb_multi = declare("native_flush_tlb_multi", {
  ...{ ...on, freed_tables: t.bool },
});
export const cpumask_set_cpu = declare("cpumask_set_cpu", on);
export const cpumask_clear_cpu = declare("cpumask_clear_cpu", on);
/** With interrupts off, switch_mm_irqs_off(). */
export const switch_mm = declare("switch_mm", on);
export const switch_mm_irqs_off = declare("switch_mm_irqs_off", on);
/** switch_mm_irqs_off() to &init_mm. */
export const switch_to_init_mm = declare("switch_to_init_mm", { cpu: t.cpu });
export const enter_lazy_tlb = declare("enter_lazy_tlb", on);
/** The first part of a switch: the CPU gives up what it has loaded. */
export const leave_loaded = declare("leave_loaded", { cpu: t.cpu });
export const native_flush_tlb_local = declare("native_flush_tlb_local", on);

const IS_LAZY = member(percpu, "is_lazy");
const INIT_MM = member(loaded, "init_mm");
const SWITCHING = member(loaded, "switching");
const MM = member(loaded, "mm");

/** cpu_tlbstate.loaded_mm == mm */
const isLoaded = (cpu: Expr<"cpu">, mm: Expr<"mm">) =>
  and(eq(loaded_kind(cpu), MM), eq(loaded_mm(cpu), mm));

/** trace_tlb_flush() and counters have no effect; the loaded mm is the last thing written. */
const nowLoaded = (cpu: Expr<"cpu">, mm: Expr<"mm">): Stmt =>
  atomic(set(loaded_kind(cpu), MM), set(loaded_mm(cpu), mm));

const flushers = [
  define(inc_mm_tlb_gen, {
    source: {
      file: "arch/x86/include/asm/tlbflush.h",
      rules: ["X5"],
      sha: { "6.1": "b1d14346de2e", "6.12": "b1d14346de2e" },
    },
    locals: { gen: t.int },
    body: ({ cpu, mm, gen }) => [
      call(smp_mb, { cpu }),
      atomic(set(gen, add(tlb_gen(mm), num(1))), set(tlb_gen(mm), gen)),
      ret(gen),
    ],
  }),
  define(flush_tlb_mm_range, {
    source: { file, rules: ["X5"], sha: { "6.1": "bf785910e03c", "6.12": "afb504ebbe71" } },
    locals: { gen: t.int, others: t.bool, whole: t.bool },
    body: ({ cpu, mm, range, all, freed_tables, gen, others, whole }) => [
      set(whole, or(all, lt(limit("TLB_SINGLE_PAGE_FLUSH_CEILING"), Range.length(range)))),
      label("tlb_gen", callInto(gen, inc_mm_tlb_gen, { cpu, mm })),
      // get_flush_tlb_info()
      atomic(
        set(info_mm(cpu), mm),
        set(info_range(cpu), range),
        set(info_all(cpu), whole),
        set(info_new_tlb_gen(cpu), gen),
      ),
      label(
        "cpumask",
        atomic(
          set(others, FALSE),
          forall(t.cpu, (c) => [when(ne(c, cpu), when(mm_cpumask(mm, c), set(others, TRUE)))]),
        ),
      ),
      whenElse(
        others,
        [call(native_flush_tlb_multi, { cpu, mm, freed_tables })],
        [
          when(
            isLoaded(cpu, mm),
            call(local_irq_disable, { cpu }),
            call(flush_tlb_func, { cpu, from: cpu }),
            call(local_irq_enable, { cpu }),
          ),
        ],
      ),
      since("6.6", [call(mmu_notifier_arch_invalidate_secondary_tlbs, { cpu, mm, range })]),
    ],
  }),
  define(native_flush_tlb_multi, {
    source: { file, rules: ["X5"], sha: { "6.1": "a3d95bb0d42e", "6.12": "a3d95bb0d42e" } },
    body: ({ cpu, mm, freed_tables }) => [
      // on_each_cpu_mask(), or on_each_cpu_cond_mask(should_flush_tlb)
      label("call", call(smp_call_function_many_cond, { cpu, mm, cond: not(freed_tables) })),
    ],
  }),
  define(should_flush_tlb, {
    source: { file, rules: ["X5"], sha: { "6.1": "64124c24ecf7", "6.12": "64124c24ecf7" } },
    abstracts: ["trim_cpumask: a call now and then to a CPU that has left the mm"],
    locals: { kind: loaded, same: t.bool, lazy: t.bool },
    body: ({ mm, target, kind, same, lazy }) => [
      atomic(set(kind, loaded_kind(target)), set(same, isLoaded(target, mm))),
      set(lazy, per_cpu(target, IS_LAZY)),
      ret(and(not(lazy), or(eq(kind, SWITCHING), same))),
    ],
  }),
  define(flush_tlb_func, {
    source: { file, rules: ["X5"], sha: { "6.1": "59bbe0242d0b", "6.12": "59bbe0242d0b" } },
    locals: { mm: t.mm, local_gen: t.int, mm_gen: t.int, partial: t.bool },
    body: ({ cpu, from, mm, local_gen, mm_gen, partial }) => [
      when(not(isLoaded(cpu, info_mm(from))), ret()),
      when(this_cpu(cpu, IS_LAZY), label("leave", call(switch_to_init_mm, { cpu })), ret()),
      set(mm, loaded_mm(cpu)),
      set(local_gen, ctx_tlb_gen(cpu, mm)),
      label("old", when(le(info_new_tlb_gen(from), local_gen), ret())),
      set(mm_gen, tlb_gen(mm)),
      when(eq(local_gen, mm_gen), ret()),
      set(
        partial,
        and(
          not(info_all(from)),
          and(
            eq(info_new_tlb_gen(from), add(local_gen, num(1))),
            eq(info_new_tlb_gen(from), mm_gen),
          ),
        ),
      ),
      label(
        "flush",
        whenElse(
          partial,
          // flush_tlb_one_user()
          [each(vaSort, info_range(from), (va) => [call(invlpg, { cpu, va })])],
          [call(native_flush_tlb_local, { cpu, mm })],
        ),
      ),
      set(ctx_tlb_gen(cpu, mm), mm_gen),
      // trace_tlb_flush()
      emit(events.tlb_flush, { cpu, from, range: info_range(from), all: not(partial) }),
    ],
  }),
  define(native_flush_tlb_local, {
    source: { file, sha: { "6.1": "172108c80b09", "6.12": "172108c80b09" } },
    body: ({ cpu, mm }) => [call(write_cr3, { cpu, user: TRUE, mm, flush: TRUE })],
  }),
];

const switches = [
  define(cpumask_set_cpu, {
    source: {
      file: "include/linux/cpumask.h",
      sha: { "6.1": "a628ac321def", "6.12": "2408c0d16821" },
    },
    body: ({ cpu, mm }) => [call(smp_mb, { cpu }), set(mm_cpumask(mm, cpu), TRUE)],
  }),
  define(cpumask_clear_cpu, {
    source: {
      file: "include/linux/cpumask.h",
      sha: { "6.1": "2903086cd774", "6.12": "2903086cd774" },
    },
    body: ({ cpu, mm }) => [call(smp_mb, { cpu }), set(mm_cpumask(mm, cpu), FALSE)],
  }),
  define(switch_mm, {
    source: { file, sha: { "6.1": "ccc5014a2506", "6.12": "a62039decc64" } },
    body: ({ cpu, mm }) => [
      call(local_irq_disable, { cpu }),
      call(switch_mm_irqs_off, { cpu, mm }),
      call(local_irq_enable, { cpu }),
    ],
  }),
  define(switch_mm_irqs_off, {
    source: { file, rules: ["X5"], sha: { "6.1": "e4e88d32f913", "6.12": "a99e711015b7" } },
    abstracts: ["fewer mms than TLB_NR_DYN_ASIDS", "LAM, LDT, mitigations, page-table isolation"],
    locals: { was_lazy: t.bool, gen: t.int, need_flush: t.bool },
    body: ({ cpu, mm, was_lazy, gen, need_flush }) => [
      set(was_lazy, this_cpu(cpu, IS_LAZY)),
      when(was_lazy, call(this_cpu_write, { cpu, variable: IS_LAZY, value: FALSE })),
      whenElse(
        isLoaded(cpu, mm),
        [
          when(not(was_lazy), ret()),
          label("barrier", call(smp_mb, { cpu })),
          set(gen, tlb_gen(mm)),
          label("catch-up", when(eq(ctx_tlb_gen(cpu, mm), gen), ret())),
          set(need_flush, TRUE),
        ],
        [
          call(leave_loaded, { cpu }),
          label("cpumask", call(cpumask_set_cpu, { cpu, mm })),
          label("tlb_gen", set(gen, tlb_gen(mm))),
          // choose_new_asid()
          set(
            need_flush,
            or(knobIs("pcid", "no"), or(not(ctx_id(cpu, mm)), lt(ctx_tlb_gen(cpu, mm), gen))),
          ),
        ],
      ),
      when(need_flush, set(ctx_id(cpu, mm), TRUE), set(ctx_tlb_gen(cpu, mm), gen)),
      label("cr3", call(write_cr3, { cpu, user: TRUE, mm, flush: need_flush })),
      nowLoaded(cpu, mm),
    ],
  }),
  define(leave_loaded, {
    source: {
      file,
      function: "switch_mm_irqs_off",
      sha: { "6.1": "e4e88d32f913", "6.12": "a99e711015b7" },
    },
    locals: { had: t.bool, prev: t.mm },
    body: ({ cpu, had, prev }) => [
      atomic(
        set(had, eq(loaded_kind(cpu), MM)),
        set(prev, loaded_mm(cpu)),
        set(loaded_kind(cpu), SWITCHING),
      ),
      when(had, call(cpumask_clear_cpu, { cpu, mm: prev })),
    ],
  }),
  define(switch_to_init_mm, {
    source: {
      file,
      function: "switch_mm_irqs_off",
      sha: { "6.1": "e4e88d32f913", "6.12": "a99e711015b7" },
    },
    body: ({ cpu }) => [
      when(this_cpu(cpu, IS_LAZY), call(this_cpu_write, { cpu, variable: IS_LAZY, value: FALSE })),
      when(eq(loaded_kind(cpu), INIT_MM), ret()),
      call(leave_loaded, { cpu }),
      call(write_cr3, {
        ...{ cpu, user: FALSE, mm: loaded_mm(cpu), flush: knobIs("pcid", "no") },
      }),
      set(loaded_kind(cpu), INIT_MM),
    ],
  }),
  define(enter_lazy_tlb, {
    source: { file, sha: { "6.1": "cff3b2a14654", "6.12": "cff3b2a14654" } },
    body: ({ cpu }) => [
      when(
        ne(loaded_kind(cpu), INIT_MM),
        call(this_cpu_write, { cpu, variable: IS_LAZY, value: TRUE }),
      ),
    ],
  }),
  define(leave_mm, {
    source: {
      file: "kernel/exit.c",
      function: "exit_mm",
      sha: { "6.1": "cb3a0f7fcf10", "6.12": "27f05a717518" },
    },
    body: ({ cpu }) => [
      when(
        ne(loaded_kind(cpu), INIT_MM),
        call(this_cpu_write, { cpu, variable: IS_LAZY, value: TRUE }),
      ),
    ],
  }),
];

export const x86_tlb = [...flushers, ...switches];
