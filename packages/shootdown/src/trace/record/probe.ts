// SPDX-License-Identifier: Apache-2.0
// What a line of the recorder's table says: a probe, a tracepoint, or why something has neither.
//
//   event   the name under which the monitor reads it, the same for every kernel
//   at      the function behind it, by version: symbol and parameters, in order
//   fields  what is recorded:  mm=vma->vm_mm:x64   a member of what a parameter points to
//                              addr=address:x64    a parameter
//                              old=*ptep:x64       the word it points to
//                              pgcount=\1:u64      a constant
import type { Interval } from "./version.ts";

export const ARCHES = ["arm64", "x86"] as const;
export type Arch = (typeof ARCHES)[number];

/** What a user may leave out. `calls` and `stacks` cost the most and are left out if not named. */
export const PARTS = ["mm", "cpu", "kvm", "dma", "vtd", "calls", "stacks"] as const;
export type Part = (typeof PARTS)[number];

/** A function that one version of Linux has for an event. */
export interface Place {
  readonly symbol: string;
  /** Its parameters up to the last that is read, in order, by the names that `fields` uses. */
  readonly params: string;
  readonly kernels?: Interval;
  readonly arch?: Arch;
  /** Where they differ from those of the probe. */
  readonly fields?: string;
}

export interface Probe {
  readonly event: string;
  readonly part: Part;
  /** Of those for a version the first that the kernel has is taken. */
  readonly at: readonly Place[];
  readonly fields: string;
  /** Fields of the event `EVENT_ret` at the function's return; undefined: it is not recorded. */
  readonly returns?: string;
  /** What the monitor learns from it. */
  readonly reveals: string;
  /** Some builds have no such function; why, and what shows it then. */
  readonly maybe?: string;
  /** Versions and machines without it, and what shows the same there. */
  readonly absent?: readonly Absence[];
}

/** Something that cannot be recorded on some kernels. */
export interface Absence {
  readonly kernels?: Interval;
  readonly arch?: Arch;
  readonly why: string;
  /** Of which other event, or by whom, it is told. */
  readonly shown: string;
}

/** A tracepoint of the kernel itself. */
export interface Tracepoint {
  /** GROUP/NAME below events/ of tracefs. */
  readonly path: string;
  /** The name under which the monitor reads it. */
  readonly event: string;
  readonly part: Part;
  readonly arch?: Arch;
  readonly kernels?: Interval;
  readonly reveals: string;
  /** For bpftrace: a format as the kernel prints it, and its arguments. */
  readonly print: readonly [format: string, ...args: string[]];
}

/** Structures behind parameters of these names. */
export const STRUCT_OF: Readonly<Record<string, string>> = {
  vma: "vm_area_struct",
  src_vma: "vm_area_struct",
  dst_vma: "vm_area_struct",
  old: "vm_area_struct",
  range: "mmu_notifier_range",
  tlb: "mmu_gather",
  vmf: "vm_fault",
  gather: "iommu_iotlb_gather",
  pmc: "pagetable_move_control",
  info: "flush_tlb_info",
};

/** Other names that a kernel's own types give to a parameter. */
export const ALIASES: Readonly<Record<string, readonly string[]>> = {
  address: ["addr", "haddr", "start"],
  addr: ["address"],
  entry: ["pte"],
  pte: ["entry"],
  old_pte: ["old"],
  ptep: ["pte"],
  pmdp: ["pmd"],
  npages: ["size"],
  pgsize: ["size"],
  src: ["old"],
  dst: ["new"],
  folio: ["page"],
  start: ["addr"],
  nr: ["nr_ptes"],
};
