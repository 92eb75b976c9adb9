// SPDX-License-Identifier: Apache-2.0
// What x86 kernels and x86 CPUs ask of each other: CR3, INVLPG, interrupts, stores in flight.

import { field } from "../ir/expr.ts";
import { declare } from "../ir/machine.ts";
import { enumeration } from "../ir/sort.ts";
import { t } from "./sorts.ts";

/** What CR3 points to: the tables of an mm, or with `cr3_user` clear those of no process. */
export const cr3 = field("cr3", [t.cpu], t.mm);
export const cr3_user = field("cr3_user", [t.cpu], t.bool);

/** Per-CPU variables that other CPUs read, and that are stored without a lock prefix. */
export const percpu = enumeration("percpu", ["is_lazy"]);
/** As the CPU itself has it, and as the others see it: its store buffer lies between. */
export const this_cpu = field("this_cpu", [t.cpu, percpu], t.bool);
export const per_cpu = field("per_cpu", [t.cpu, percpu], t.bool);

/** MOV to CR3; without `flush` bit 63 is set, and the PCID keeps its entries (rule X2). */
export const write_cr3 = declare("write_cr3", {
  cpu: t.cpu,
  user: t.bool,
  mm: t.mm,
  flush: t.bool,
});
/** INVLPG in the address space that CR3 points to (rule X2). */
export const invlpg = declare("invlpg", { cpu: t.cpu, va: t.va });
/** A plain store to a per-CPU variable. */
export const this_cpu_write = declare("this_cpu_write", {
  cpu: t.cpu,
  variable: percpu,
  value: t.bool,
});
/** A full barrier; every instruction with a lock prefix is one too. */
export const smp_mb = declare("smp_mb", { cpu: t.cpu });

export const local_irq_disable = declare("local_irq_disable", { cpu: t.cpu });
export const local_irq_enable = declare("local_irq_enable", { cpu: t.cpu });
/** Sends an interrupt to another CPU. */
export const send_ipi = declare("send_ipi", { cpu: t.cpu, target: t.cpu });
/** A CPU takes one interrupt that was sent to it, as soon as there is one and it may. */
export const take_interrupt = declare("take_interrupt", { cpu: t.cpu });
/** The kernel's handler of that interrupt. */
export const interrupt_handler = declare("interrupt_handler", { cpu: t.cpu });
