// SPDX-License-Identifier: Apache-2.0
// Kernels by name: a version and overlays, `linux-6.12+btm-skip+local-upgrade`.

import type { Kernel, Overlay } from "../ir/kernel.ts";
import { kernelAt, MisplacedEdit } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import { pgtable } from "./arch/arm64/asm/pgtable.ts";
import { tlb } from "./arch/arm64/asm/tlb.ts";
import { tlbbatch } from "./arch/arm64/asm/tlbbatch.ts";
import { tlbflush } from "./arch/arm64/asm/tlbflush.ts";
import { young } from "./arch/arm64/asm/young.ts";
import { kvm_mmu } from "./arch/arm64/kvm/mmu.ts";
import { contpte } from "./arch/arm64/mm/contpte.ts";
import { fault } from "./arch/arm64/mm/fault.ts";
import { pgtable as x86_pgtable } from "./arch/x86/asm/pgtable.ts";
import { tlb as x86_tlb_gather } from "./arch/x86/asm/tlb.ts";
import { tlbbatch as x86_tlbbatch } from "./arch/x86/asm/tlbbatch.ts";
import { tlbflush as x86_tlbflush } from "./arch/x86/asm/tlbflush.ts";
import { young as x86_young } from "./arch/x86/asm/young.ts";
import { fault as x86_fault } from "./arch/x86/mm/fault.ts";
import { x86_tlb } from "./arch/x86/mm/tlb.ts";
import { smp } from "./arch/x86/smp.ts";
import { fork } from "./fork.ts";
import { exec } from "./fs/exec.ts";
import { task_mmu, task_mmu_huge } from "./fs/task_mmu.ts";
import { arm_smmu_v3_ats } from "./iommu/arm-smmu-v3-ats.ts";
import { arm_smmu_v3_domain } from "./iommu/arm-smmu-v3-domain.ts";
import { arm_smmu_v3_sva } from "./iommu/arm-smmu-v3-sva.ts";
import { io_pgfault } from "./iommu/io-pgfault.ts";
import { page_requests } from "./iommu/page-requests.ts";
import { filemap } from "./mm/filemap.ts";
import { filemap_faults } from "./mm/filemap-fault.ts";
import { gup } from "./mm/gup.ts";
import { hmm } from "./mm/hmm.ts";
import { huge_memory } from "./mm/huge_memory.ts";
import { hugetlb } from "./mm/hugetlb.ts";
import { khugepaged } from "./mm/khugepaged.ts";
import { ksm } from "./mm/ksm.ts";
import { madvise } from "./mm/madvise.ts";
import { madvise_pageouts } from "./mm/madvise-pageout.ts";
import { memory } from "./mm/memory.ts";
import { memory_failures } from "./mm/memory-failure.ts";
import { memory_file } from "./mm/memory-file.ts";
import { memory_zap } from "./mm/memory-zap.ts";
import { mempolicy } from "./mm/mempolicy.ts";
import { migrate } from "./mm/migrate.ts";
import { migrate_device } from "./mm/migrate_device.ts";
import { mmap } from "./mm/mmap.ts";
import { mmap_lock } from "./mm/mmap_lock.ts";
import { mmu_gather } from "./mm/mmu_gather.ts";
import { mmu_gather_full } from "./mm/mmu_gather-full.ts";
import { mmu_interval } from "./mm/mmu_interval.ts";
import { mmu_notifier } from "./mm/mmu_notifier.ts";
import { mprotect } from "./mm/mprotect.ts";
import { mprotect_none, mprotect_none_huge } from "./mm/mprotect-none.ts";
import { mremap } from "./mm/mremap.ts";
import { oom_kill } from "./mm/oom_kill.ts";
import { page_alloc } from "./mm/page_alloc.ts";
import { page_vma_mapped } from "./mm/page_vma_mapped.ts";
import { page_writeback } from "./mm/page-writeback.ts";
import { pgtable_generic, pgtable_generic_huge } from "./mm/pgtable-generic.ts";
import { rmap } from "./mm/rmap.ts";
import { rmap_aging } from "./mm/rmap-aging.ts";
import { rmap_walks } from "./mm/rmap-walks.ts";
import { swapin } from "./mm/swapin.ts";
import { truncate } from "./mm/truncate.ts";
import { userfaultfd } from "./mm/userfaultfd.ts";
import { userfaultfd_move } from "./mm/userfaultfd-move.ts";
import { vmalloc } from "./mm/vmalloc.ts";
import { vmscan } from "./mm/vmscan.ts";
import { OVERLAYS } from "./overlays.ts";
import { ats } from "./pci/ats.ts";
import { shadow_fault } from "./shadow.ts";
import { uprobes } from "./uprobes.ts";
import { kvm_pages } from "./virt/hva_to_pfn.ts";
import { kvm_main } from "./virt/kvm_main.ts";

/** What every architecture has. */
const GENERIC: readonly Definition[] = [
  ...mmap_lock,
  ...mmu_notifier,
  ...mmu_interval,
  ...hmm,
  ...kvm_pages,
  ...kvm_main,
  ...mmu_gather,
  ...memory,
  ...memory_file,
  ...memory_zap,
  ...mprotect,
  ...madvise,
  ...madvise_pageouts,
  ...mprotect_none,
  ...mempolicy,
  ...userfaultfd,
  ...mmap,
  ...mremap,
  ...gup,
  ...oom_kill,
  ...userfaultfd_move,
  ...page_alloc,
  ...pgtable_generic,
  ...filemap,
  ...filemap_faults,
  ...page_vma_mapped,
  ...rmap,
  ...rmap_aging,
  ...swapin,
  ...vmscan,
  ...migrate,
  ...migrate_device,
  ...rmap_walks,
  ...page_writeback,
  ...ksm,
  ...memory_failures,
  ...truncate,
  ...uprobes,
  ...fork,
  ...task_mmu,
];

/** What an architecture adds: at a version, generic and own names are defined once. */
const ARCHITECTURES: Readonly<Record<Architecture, readonly Definition[]>> = {
  x86: [
    ...x86_pgtable,
    ...x86_young,
    ...x86_tlbflush,
    ...x86_tlb_gather,
    ...x86_tlbbatch,
    ...x86_fault,
    ...x86_tlb,
    ...smp,
  ],
  arm64: [
    ...pgtable,
    ...young,
    ...tlbflush,
    ...tlb,
    ...mmu_gather_full,
    ...tlbbatch,
    ...fault,
    ...arm_smmu_v3_sva,
    ...io_pgfault,
    ...page_requests,
    ...ats,
    ...arm_smmu_v3_ats,
    ...pgtable_generic_huge,
    ...huge_memory,
    ...mprotect_none_huge,
    ...task_mmu_huge,
    ...vmalloc,
    ...exec,
    ...khugepaged,
    ...hugetlb,
    ...arm_smmu_v3_domain,
    ...contpte,
    ...kvm_mmu,
    ...shadow_fault,
  ],
};

/** Every definition of every version and architecture. */
export const DEFINITIONS: readonly Definition[] = [
  ...GENERIC,
  ...Object.values(ARCHITECTURES).flat(),
];

/** Versions that were read from their source: Debian's linux-source packages. */
export const READ: readonly string[] = ["6.1", "6.12"];

/** Versions by name; those that were not read differ by the commits that definitions name. */
export const VERSIONS: readonly string[] = ["6.1", "6.6", "6.12", "6.19"];

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

/** The kernel with an overlay; undefined if a statement that it edits is not there. */
export function overlaid(before: Kernel, overlay: Overlay, name: string): Kernel | undefined {
  try {
    const kernel: Kernel = { ...overlay(before), name };
    // Bodies are made late.
    for (const [routine, definition] of kernel.routines) {
      if (definition !== before.routines.get(routine)) definition.body();
    }
    return kernel;
  } catch (error) {
    if (error instanceof MisplacedEdit) return undefined;
    throw error;
  }
}

/** The kernel of a name; the part that is not known, if it has one. */
export function kernelNamed(name: string, architecture: Architecture = "arm64"): KernelName {
  const key = `${architecture} ${name}`;
  const known = cache.get(key);
  if (known) return { ok: true, kernel: known };
  const [base, ...overlays] = name.split("+");
  const version = VERSIONS.find((v) => base === `linux-${v}`);
  if (version === undefined) {
    return { ok: false, unknown: base ?? "", known: VERSIONS.map((v) => `linux-${v}`) };
  }
  let kernel = kernelAt(name, version, [...GENERIC, ...ARCHITECTURES[architecture]]);
  for (const [at, o] of overlays.entries()) {
    const found = OVERLAYS.find((x) => x.name === o);
    const wrong = { ok: false, unknown: o, known: OVERLAYS.map((x) => x.name) } as const;
    if (!found) return wrong;
    if (overlays.indexOf(o) < at) return { ...wrong, why: "is named twice" };
    const before = kernel;
    const after = overlaid(before, found.overlay, name);
    if (!after) {
      const why =
        at > 0
          ? `changes what ${overlays.slice(0, at).join("+")} has replaced`
          : `changes what linux-${version} does not have on ${architecture}`;
      return { ...wrong, why };
    }
    kernel = after;
  }
  cache.set(key, kernel);
  return { ok: true, kernel };
}
