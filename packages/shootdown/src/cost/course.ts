// SPDX-License-Identifier: Apache-2.0
// A course: what one run of a kernel routine asked of the machine, in order; and what is counted.
//
//   event log of the open executor ──► acts ──► counts
//                                          └──► clock: time on a profile
//
// Pages are relative to the first page of the operation; a range with hi = Infinity is everything,
// an empty one (0, 0) is what the routine gave.

/** Pages from `lo` to `hi`, end exclusive. */
export interface Pages {
  readonly lo: number;
  readonly hi: number;
}

export type Act =
  /** Instructions of the program on this CPU; of a bulk loop, one repetition. */
  | { readonly act: "steps"; readonly n: number }
  /** Stores to descriptors. */
  | { readonly act: "pte"; readonly n: number }
  /** A page fault of the CPU, or of a device. */
  | { readonly act: "fault"; readonly device: boolean }
  /** TLBI of a range, by the name of the operation, and how many instructions that is. */
  | ({
      readonly act: "tlbi";
      readonly op: string;
      readonly broadcast: boolean;
      readonly instructions: number;
    } & Pages)
  /** A DSB; `completes`: it waits for the TLBIs before it. */
  | { readonly act: "dsb"; readonly completes: boolean }
  /** x86: an interrupt to one more CPU; the next flush of the CPU's own is begun with it. */
  | { readonly act: "ipi" }
  /** x86: what a CPU flushes: the one that runs the routine, or one that was interrupted. */
  | ({ readonly act: "flush"; readonly own: boolean } & Pages)
  /** A call of the callback for secondary TLBs. */
  | ({ readonly act: "notifier" } & Pages)
  /** A list of commands for one range, with a CMD_SYNC that is waited for if `sync`. */
  | ({
      readonly act: "cmdlist";
      readonly op: string;
      readonly sync: boolean;
      /** CMD_ATC_INV: of so many devices, each its own command, with one CMD_SYNC an SMMU. */
      readonly devices: number;
      /** Of a domain of the DMA API: the one SMMU that it has, of last levels alone. */
      readonly dma?: true;
    } & Pages);

/** What one run of a routine asked for. */
export interface Course {
  readonly acts: readonly Act[];
  /** Instructions of the program; of a bulk loop, one repetition. */
  readonly steps: number;
}

/** What is counted, as the command line's contract names it, and what it leaves out. */
export const COUNTS = [
  ...(["flushes", "notifier_calls", "tlbi", "dsb", "ipi", "cmd_tlbi", "cmd_sync"] as const),
  ...(["atc_inv", "pages_asked", "pages_invalidated"] as const),
  // Flushes of all entries of an address space: on CPUs, on the IOMMU, on devices.
  ...(["full_flushes", "full_asid", "atc_all", "faults", "steps"] as const),
] as const;
export type CountName = (typeof COUNTS)[number];
export type Counts = Readonly<Record<CountName, number>>;

export const NO_COUNTS: Counts = Object.fromEntries(COUNTS.map((n) => [n, 0])) as Counts;
