// SPDX-License-Identifier: Apache-2.0
// What x86's TLB code keeps: per mm and per CPU (arch/x86/include/asm/{mmu,tlbflush}.h).

import { field } from "../../../ir/expr.ts";
import { enumeration } from "../../../ir/sort.ts";
import { t } from "../../../vocabulary/sorts.ts";

/** mm->context.tlb_gen. */
export const tlb_gen = field("context.tlb_gen", [t.mm], t.int, 1);
/** mm_cpumask(): CPUs that may have to be told. A lazy CPU stays in it. */
export const mm_cpumask = field("mm_cpumask", [t.mm, t.cpu], t.bool);

/** cpu_tlbstate.loaded_mm: &init_mm, LOADED_MM_SWITCHING, or an mm. */
export const loaded = enumeration("loaded", ["init_mm", "switching", "mm"]);
export const loaded_kind = field("loaded_kind", [t.cpu], loaded);
export const loaded_mm = field("loaded_mm", [t.cpu], t.mm);

/** A slot of cpu_tlbstate.ctxs[] has the mm's ctx_id; and what that slot has caught up to. */
export const ctx_id = field("ctxs.ctx_id", [t.cpu, t.mm], t.bool);
export const ctx_tlb_gen = field("ctxs.tlb_gen", [t.cpu, t.mm], t.int);

/** struct flush_tlb_info of the CPU that initiates a flush; `all` is end == TLB_FLUSH_ALL. */
export const info_mm = field("info.mm", [t.cpu], t.mm);
export const info_range = field("info.range", [t.cpu], t.range);
export const info_all = field("info.all", [t.cpu], t.bool);
export const info_new_tlb_gen = field("info.new_tlb_gen", [t.cpu], t.int);

/** kernel/smp.c: CPUs that a call is meant for, and calls queued by one CPU on another. */
export const cfd_cpumask = field("cfd.cpumask", [t.cpu, t.cpu], t.bool);
export const csd = field("csd", [t.cpu, t.cpu], t.bool);
