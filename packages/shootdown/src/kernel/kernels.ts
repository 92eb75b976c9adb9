// SPDX-License-Identifier: Apache-2.0
// Kernels by name: a version and overlays, `linux-6.12+btm-skip+local-upgrade`.

import type { Kernel } from "../ir/kernel.ts";
import { kernelAt, MisplacedEdit } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { pgtable } from "./arch/arm64/asm/pgtable.ts";
import { tlbflush } from "./arch/arm64/asm/tlbflush.ts";
import { fault } from "./arch/arm64/mm/fault.ts";
import { fork } from "./fork.ts";
import { arm_smmu_v3_sva } from "./iommu/arm-smmu-v3-sva.ts";
import { io_pgfault } from "./iommu/io-pgfault.ts";
import { memory } from "./mm/memory.ts";
import { mmap } from "./mm/mmap.ts";
import { mmap_lock } from "./mm/mmap_lock.ts";
import { mmu_gather } from "./mm/mmu_gather.ts";
import { mmu_notifier } from "./mm/mmu_notifier.ts";
import { mprotect } from "./mm/mprotect.ts";
import { page_alloc } from "./mm/page_alloc.ts";
import { pgtable_generic } from "./mm/pgtable-generic.ts";
import { OVERLAYS } from "./overlays.ts";
import { ats } from "./pci/ats.ts";

/** Every definition of every version. */
export const DEFINITIONS: readonly Definition[] = [
  ...pgtable,
  ...tlbflush,
  ...fault,
  ...mmap_lock,
  ...mmu_notifier,
  ...mmu_gather,
  ...memory,
  ...mprotect,
  ...mmap,
  ...page_alloc,
  ...pgtable_generic,
  ...fork,
  ...arm_smmu_v3_sva,
  ...io_pgfault,
  ...ats,
];

/** Versions that were read from their source. */
export const VERSIONS: readonly string[] = ["6.1", "6.12"];

export type KernelName =
  | { readonly ok: true; readonly kernel: Kernel }
  | {
      readonly ok: false;
      readonly unknown: string;
      readonly known: readonly string[];
      /** Why a known part does not fit here; absent if the part is not known. */
      readonly why?: string;
    };

const cache = new Map<string, Kernel>();

/** Whether the statements that an overlay edits are there; bodies are made late. */
function fits(kernel: Kernel, before: Kernel): boolean {
  try {
    for (const [name, routine] of kernel.routines) {
      if (routine !== before.routines.get(name)) routine.body();
    }
    return true;
  } catch (error) {
    if (error instanceof MisplacedEdit) return false;
    throw error;
  }
}

/** The kernel of a name; the part that is not known, if it has one. */
export function kernelNamed(name: string): KernelName {
  const known = cache.get(name);
  if (known) return { ok: true, kernel: known };
  const [base, ...overlays] = name.split("+");
  const version = VERSIONS.find((v) => base === `linux-${v}`);
  if (version === undefined) {
    return { ok: false, unknown: base ?? "", known: VERSIONS.map((v) => `linux-${v}`) };
  }
  let kernel = kernelAt(name, version, DEFINITIONS);
  for (const [at, o] of overlays.entries()) {
    const found = OVERLAYS.find((x) => x.name === o);
    const wrong = { ok: false, unknown: o, known: OVERLAYS.map((x) => x.name) } as const;
    if (!found) return wrong;
    if (overlays.indexOf(o) < at) return { ...wrong, why: "is named twice" };
    const before = kernel;
    kernel = { ...found.overlay(before), name };
    if (!fits(kernel, before)) {
      return { ...wrong, why: `changes what ${overlays.slice(0, at).join("+")} has replaced` };
    }
  }
  cache.set(name, kernel);
  return { ok: true, kernel };
}
