// SPDX-License-Identifier: Apache-2.0
// Calls of a function on other CPUs: kernel/smp.c, 6.1 and 6.12; the function is flush_tlb_func.

import { and, FALSE, ne, not, TRUE } from "../../../ir/expr.ts";
import { declare, define } from "../../../ir/machine.ts";
import { atomic, await_, call, callInto, forall, label, set, when } from "../../../ir/stmt.ts";
import { t } from "../../../vocabulary/sorts.ts";
import {
  interrupt_handler,
  local_irq_disable,
  local_irq_enable,
  send_ipi,
} from "../../../vocabulary/x86.ts";
import { cfd_cpumask, csd, mm_cpumask } from "./state.ts";

/** csd->func: `from` is f->initiating_cpu. */
export const flush_tlb_func = declare("flush_tlb_func", { cpu: t.cpu, from: t.cpu });
/** The condition under which a CPU is called. */
export const should_flush_tlb = declare(
  "should_flush_tlb",
  { cpu: t.cpu, mm: t.mm, target: t.cpu },
  t.bool,
);
/** Calls flush_tlb_func on the CPUs of mm_cpumask(); with `cond` only where it should flush. */
export const smp_call_function_many_cond = declare("smp_call_function_many_cond", {
  ...{ cpu: t.cpu, mm: t.mm, cond: t.bool },
});

export const smp = [
  define(smp_call_function_many_cond, {
    source: { file: "kernel/smp.c", sha: { "6.1": "4b85fac2c775", "6.12": "ef8e65dd6c2e" } },
    abstracts: ["an interrupt for each call, also where one is on its way"],
    locals: { run: t.bool },
    body: ({ cpu, mm, cond, run }) => [
      atomic(forall(t.cpu, (c) => [set(cfd_cpumask(cpu, c), mm_cpumask(mm, c))])),
      label(
        "ipi",
        forall(t.cpu, (c) => [
          when(
            and(ne(c, cpu), cfd_cpumask(cpu, c)),
            set(run, TRUE),
            when(cond, callInto(run, should_flush_tlb, { cpu, mm, target: c })),
            when(run, set(csd(cpu, c), TRUE), call(send_ipi, { cpu, target: c })),
          ),
        ]),
      ),
      when(
        cfd_cpumask(cpu, cpu),
        set(run, TRUE),
        when(cond, callInto(run, should_flush_tlb, { cpu, mm, target: cpu })),
        when(
          run,
          call(local_irq_disable, { cpu }),
          call(flush_tlb_func, { cpu, from: cpu }),
          call(local_irq_enable, { cpu }),
        ),
      ),
      // csd_lock_wait()
      label(
        "wait",
        forall(t.cpu, (c) => [when(ne(c, cpu), await_(not(csd(cpu, c))))]),
      ),
    ],
  }),
  define(interrupt_handler, {
    source: {
      file: "kernel/smp.c",
      function: "generic_smp_call_function_single_interrupt, __flush_smp_call_function_queue",
      sha: { "6.1": "4d233d80c4e2", "6.12": "097c71f0c214" },
    },
    body: ({ cpu }) => [
      forall(t.cpu, (from) => [
        when(
          and(ne(from, cpu), csd(from, cpu)),
          call(flush_tlb_func, { cpu, from }),
          set(csd(from, cpu), FALSE),
        ),
      ]),
    ],
  }),
];
