// SPDX-License-Identifier: Apache-2.0
// What a live machine of x86 has beside: CPUs that take interrupts, and no IOMMU.

import type { ThreadSpec } from "../engine/program.ts";
import { constant } from "../ir/expr.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { define } from "../ir/machine.ts";
import { call, loop } from "../ir/stmt.ts";
import {
  arm_smmu_mm_arch_invalidate_secondary_tlbs,
  arm_smmu_mm_release,
} from "../kernel/iommu/arm-smmu-v3-sva.ts";
import { t } from "../vocabulary/sorts.ts";
import { take_interrupt } from "../vocabulary/x86.ts";

/** What each CPU does beside its operations. */
export const interrupts = (cpus: number): readonly ThreadSpec[] =>
  Array.from({ length: cpus }, (_, n) => ({
    name: `CPU${n}.irq`,
    locals: {},
    body: [loop(call(take_interrupt, { cpu: constant(t.cpu, n) }))],
  }));

const file = "drivers/iommu/arm/arm-smmu-v3/arm-smmu-v3-sva.c";
const nobody = {
  source: { file },
  abstracts: ["x86 has no IOMMU in the model: nobody subscribes"],
  body: () => [],
};
const NOBODY: readonly Definition[] = [
  define(arm_smmu_mm_arch_invalidate_secondary_tlbs, nobody),
  define(arm_smmu_mm_release, nobody),
];

/** The kernel, with callbacks that are never called because nobody has subscribed. */
export function withoutIommu(kernel: Kernel): Kernel {
  const routines = new Map(kernel.routines);
  for (const d of NOBODY) routines.set(d.name, d);
  return { ...kernel, routines };
}
