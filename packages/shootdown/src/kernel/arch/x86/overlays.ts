// SPDX-License-Identifier: Apache-2.0
// Overlays of kernels for x86: what a shootdown without one of its steps would be.

import { local, TRUE } from "../../../ir/expr.ts";
import type { Overlay } from "../../../ir/kernel.ts";
import { editing } from "../../../ir/kernel.ts";
import type { Stmt } from "../../../ir/stmt.ts";
import { call, ret } from "../../../ir/stmt.ts";
import type { NamedOverlay } from "../../overlays.ts";
import { native_flush_tlb_multi } from "./mm/tlb.ts";
import { smp_call_function_many_cond } from "./smp.ts";

/** A labelled statement of a routine runs before another one. */
const earlier =
  (routine: string, what: string, before: string): Overlay =>
  (base) => {
    let moved: Stmt[] = [];
    const without = editing(routine, what, (s) => {
      moved = [s];
      return [];
    });
    return editing(routine, before, (s) => [...moved, s])(without(base));
  };

export const X86_OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "no-ipi",
    describes: "x86: a flush calls no other CPU, and waits for none",
    overlay: editing("smp_call_function_many_cond", "ipi", () => []),
  },
  {
    name: "no-ipi-wait",
    describes: "x86: a flush does not wait for the CPUs that it called",
    overlay: editing("smp_call_function_many_cond", "wait", () => []),
  },
  {
    name: "no-lazy-barrier",
    describes: "x86: no full barrier between clearing is_lazy and reading tlb_gen",
    overlay: editing("switch_mm_irqs_off", "barrier", () => []),
  },
  {
    name: "no-catch-up",
    describes: "x86: a CPU that leaves lazy TLB mode does not compare tlb_gen",
    overlay: editing("switch_mm_irqs_off", "catch-up", () => [ret()]),
  },
  {
    name: "late-cpumask",
    describes: "x86: a switch reads tlb_gen before it enters mm_cpumask",
    overlay: earlier("switch_mm_irqs_off", "tlb_gen", "cpumask"),
  },
  {
    name: "late-tlb-gen",
    describes: "x86: a flush looks at mm_cpumask before it raises tlb_gen",
    overlay: earlier("flush_tlb_mm_range", "cpumask", "tlb_gen"),
  },
  {
    name: "skip-lazy",
    describes: "x86: lazy CPUs are not called even if page tables were freed",
    overlay: editing("native_flush_tlb_multi", "call", () => [
      call(smp_call_function_many_cond, {
        cpu: local("cpu", native_flush_tlb_multi.params.cpu),
        mm: local("mm", native_flush_tlb_multi.params.mm),
        cond: TRUE,
      }),
    ]),
  },
];
