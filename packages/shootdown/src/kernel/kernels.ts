// SPDX-License-Identifier: Apache-2.0
// Kernels by name: a version and overlays, `linux-6.12+btm-skip+local-upgrade`.

import type { Kernel } from "../ir/kernel.ts";
import { kernelAt } from "../ir/kernel.ts";
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
];

/** Versions that were read from their source. */
export const VERSIONS: readonly string[] = ["6.1", "6.12"];

export type KernelName =
  | { readonly ok: true; readonly kernel: Kernel }
  | { readonly ok: false; readonly unknown: string; readonly known: readonly string[] };

const cache = new Map<string, Kernel>();

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
  for (const o of overlays) {
    const found = OVERLAYS.find((x) => x.name === o);
    if (!found) return { ok: false, unknown: o, known: OVERLAYS.map((x) => x.name) };
    kernel = { ...found.overlay(kernel), name };
  }
  cache.set(name, kernel);
  return { ok: true, kernel };
}
