// SPDX-License-Identifier: Apache-2.0
// Where members lie in the structures that probes look into, by version, in bytes.
//
// 6.1 and 6.12 were read in the BTF of Debian's kernels on both machines, 6.18 on x86. The others
// are from the history of include/linux/{mm_types,mm,mmu_notifier,iommu}.h and asm-generic/tlb.h.
// A kernel's own BTF decides where there is one.
import { type Interval, type Version, within } from "./version.ts";

export interface Layout {
  readonly struct: string;
  readonly kernels: Interval;
  readonly members: Readonly<Record<string, number>>;
  /** An option that moves members. */
  readonly config?: string;
}

export const LAYOUTS: readonly Layout[] = [
  {
    struct: "vm_area_struct",
    kernels: "..6.0",
    members: { vm_start: 0, vm_end: 8, vm_mm: 64, vm_flags: 80 },
  },
  {
    struct: "vm_area_struct",
    kernels: "6.1..",
    members: { vm_start: 0, vm_end: 8, vm_mm: 16, vm_flags: 32 },
  },
  {
    struct: "mmu_notifier_range",
    kernels: "..6.2",
    members: { mm: 8, start: 16, end: 24, flags: 32, event: 36 },
  },
  {
    struct: "mmu_notifier_range",
    kernels: "6.3..",
    members: { mm: 0, start: 8, end: 16, flags: 24, event: 28 },
  },
  {
    struct: "mmu_gather",
    kernels: "..",
    members: { mm: 0, start: 16, end: 24, fullmm: 32 },
    config: "without MMU_GATHER_TABLE_FREE start, end and bits lie 8 bytes lower",
  },
  { struct: "vm_fault", kernels: "..5.11", members: { address: 24, flags: 8 } },
  { struct: "vm_fault", kernels: "5.12..5.17", members: { address: 24, flags: 32, orig_pte: 56 } },
  { struct: "vm_fault", kernels: "5.18..", members: { address: 24, flags: 40, orig_pte: 64 } },
  { struct: "iommu_iotlb_gather", kernels: "..5.14", members: { start: 0, end: 8 } },
  {
    struct: "iommu_iotlb_gather",
    kernels: "5.15..5.17",
    members: { start: 0, end: 8, queued: 32 },
  },
  { struct: "iommu_iotlb_gather", kernels: "5.18..", members: { start: 0, end: 8, queued: 40 } },
  {
    struct: "flush_tlb_info",
    kernels: "5.13..",
    members: { mm: 0, start: 8, end: 16, initiating_cpu: 32 },
  },
  {
    struct: "pagetable_move_control",
    kernels: "6.15..",
    members: { old: 0, old_addr: 16, new_addr: 32, len_in: 40 },
  },
];

/** Bytes from the start of a structure to a member in a version; undefined: there is none. */
export function offsetIn(struct: string, member: string, version: Version): number | undefined {
  const layout = LAYOUTS.find((one) => one.struct === struct && within(one.kernels, version));
  return layout?.members[member];
}
