// SPDX-License-Identifier: Apache-2.0
// An x86 machine: CPUs with TLBs and interrupts between them; no IOMMU yet.

import type { Machine } from "../../ir/machine.ts";
import {
  cpu_access_definition,
  cpu_any_definition,
  cpu_any_try_definition,
  cpu_try_definition,
  eret_definition,
} from "./access.ts";
import { invlpg_definition, write_cr3_definition } from "./flush.ts";
import {
  ipi,
  local_irq_disable_definition,
  local_irq_enable_definition,
  send_ipi_definition,
  take_interrupt_definition,
} from "./interrupts.ts";
import {
  cmpxchg_definition,
  cmpxchg_pmd_definition,
  observe_definition,
  smp_mb_definition,
  store_buffer,
  store_definition,
  store_pmd_definition,
  store_pte_definition,
  this_cpu_write_definition,
  xchg_definition,
  xchg_pmd_definition,
} from "./memory.ts";
import { accessed_by_speculation, walk_by_speculation } from "./speculation.ts";
import { psc, x86_tlb } from "./tlb.ts";

export const X86_MACHINE: Machine = {
  cells: [psc.decl, x86_tlb.decl],
  pending: [store_buffer.decl, ipi.decl],
  rules: [accessed_by_speculation, walk_by_speculation],
  definitions: [
    cpu_access_definition,
    cpu_try_definition,
    cpu_any_definition,
    cpu_any_try_definition,
    store_definition,
    xchg_definition,
    xchg_pmd_definition,
    cmpxchg_definition,
    cmpxchg_pmd_definition,
    observe_definition,
    store_pte_definition,
    store_pmd_definition,
    invlpg_definition,
    write_cr3_definition,
    this_cpu_write_definition,
    smp_mb_definition,
    send_ipi_definition,
    take_interrupt_definition,
    eret_definition,
    local_irq_disable_definition,
    local_irq_enable_definition,
  ],
};
