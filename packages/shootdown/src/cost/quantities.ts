// SPDX-License-Identifier: Apache-2.0
// The quantities that a profile of a machine gives a value to. The unit ends the name.
//
//   dsb_base_ns    nanoseconds          bystander_share    a share, 0 to 1

/** What of a machine needs a quantity; a profile gives those of the parts that it has. */
export type Part = "any" | "arm64" | "x86" | "invlpgb" | "iommu" | "smmuv2" | "ats";

interface QuantityKind {
  readonly part: Part;
  readonly describes: string;
}

const kind = (part: Part, describes: string): QuantityKind => ({ part, describes });

export const QUANTITIES = {
  work_ns: kind("any", "a nanosecond of the program's own work: one, by definition"),
  step_ns: kind("any", "one step of a kernel routine"),
  pte_ns: kind("any", "one store to a descriptor"),
  fault_ns: kind("any", "entry and exit of a page fault of a CPU"),
  tlb_refill_ns: kind("any", "a walk of a CPU after its TLB lost an entry that it uses"),

  tlbi_local_ns: kind("arm64", "one TLBI instruction for this CPU"),
  tlbi_broadcast_ns: kind("arm64", "one TLBI instruction for all CPUs, its issue"),
  dsb_local_ns: kind("arm64", "a DSB with no broadcast TLBI before it"),
  dsb_base_ns: kind("arm64", "completion of broadcast TLBIs, unloaded, that no CPU adds to"),
  dsb_per_cpu_ns: kind("arm64", "what each CPU adds to that completion"),
  dvm_service_ns: kind("arm64", "how long one completion keeps the DVM server, one sender"),
  dvm_per_sender_ns: kind("arm64", "what each further CPU that sends adds to it"),
  bystander_share: kind("arm64", "what every other CPU loses while a completion is pending"),

  ipi_first_ns: kind("x86", "an interrupt to one CPU until its acknowledgement is seen"),
  ipi_next_ns: kind("x86", "what each further target adds"),
  ipi_handler_ns: kind("x86", "of that time, what the target spends in the handler"),
  invlpg_ns: kind("x86", "one INVLPG"),
  full_flush_ns: kind("x86", "a flush of a CPU's whole TLB"),
  invlpgb_ns: kind("invlpgb", "one INVLPGB, for at most eight pages"),
  tlbsync_ns: kind("invlpgb", "TLBSYNC"),

  notifier_ns: kind("iommu", "a call of the callback for secondary TLBs, its walk alone"),
  cmd_build_ns: kind("iommu", "a CPU builds and writes one command"),
  cmd_ns: kind("iommu", "the command queue consumes one command"),
  cmd_sync_ns: kind("iommu", "CMD_SYNC on an empty queue, until it is seen"),
  cmdq_lock_per_cpu_ns: kind("iommu", "what each CPU that uses the queue adds to a submission"),
  cmdq_remote_ns: kind("iommu", "what a queue in another node's memory adds to CMD_SYNC"),
  trap_ns: kind("iommu", "a trap to the hypervisor at each write of the queue, where virtual"),
  iotlb_refill_ns: kind("iommu", "a walk of the IOMMU for an entry that its TLB lost"),
  device_fault_ns: kind("iommu", "an I/O page fault from the device's access to its retry"),
  dma_work_ns: kind("iommu", "CPU work of dma_map and dma_unmap of one page, no invalidation"),

  smmuv2_tlbi_ns: kind("smmuv2", "one register write of a TLB invalidation"),
  smmuv2_sync_ns: kind("smmuv2", "TLBSYNC and the poll of its status"),

  atc_round_trip_ns: kind("ats", "ATC invalidation from the command to its completion"),
  atc_per_page_ns: kind("ats", "what each page of the range adds at the device"),
  atc_refill_ns: kind("ats", "a translation request for an entry that the ATC lost"),
} as const;

export type QuantityName = keyof typeof QUANTITIES;

export const QUANTITY_NAMES = Object.keys(QUANTITIES) as readonly QuantityName[];

/** Place of a quantity in a vector of values. */
export const QUANTITY_INDEX = Object.fromEntries(
  QUANTITY_NAMES.map((name, index) => [name, index]),
) as Readonly<Record<QuantityName, number>>;

/** The largest value that is believed: a minute, or the whole. */
export function largest(name: QuantityName): number {
  return name.endsWith("_share") ? 1 : 60e9;
}
