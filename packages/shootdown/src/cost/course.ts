// SPDX-License-Identifier: Apache-2.0
// A course: what one run of a kernel routine asked of the machine, in order; and what is counted.
//
//   event log of the open executor ──► acts ──► counts
//                                          └──► clock: time on a profile
//
// Pages are relative to the first page of the operation; a range with hi = Infinity is everything.

/** Pages from `lo` to `hi`, end exclusive. */
export interface Pages {
  readonly lo: number;
  readonly hi: number;
}

export type Act =
  /** Steps of the program on this CPU; a group of a bulk loop counts every repetition. */
  | { readonly act: "steps"; readonly n: number }
  /** Stores to descriptors. */
  | { readonly act: "pte"; readonly n: number }
  /** So many TLBI instructions for one range. */
  | ({ readonly act: "tlbi"; readonly ops: number; readonly broadcast: boolean } & Pages)
  /** A DSB; `completes`: it waits for the TLBIs before it. */
  | { readonly act: "dsb"; readonly completes: boolean }
  /** x86: interrupts to other CPUs, for which the sender waits. */
  | ({ readonly act: "ipi"; readonly targets: number } & Pages)
  /** x86: what a CPU flushes of its own. */
  | ({ readonly act: "flush" } & Pages)
  /** A call of the callback for secondary TLBs. */
  | { readonly act: "notifier" }
  /** A list of commands for one range, with a CMD_SYNC that is waited for if `sync`. */
  | ({ readonly act: "cmdlist"; readonly op: string; readonly sync: boolean } & Pages);

/** What is counted, as the command line's contract names it, and what it leaves out. */
export const COUNTS = [
  ...(["flushes", "notifier_calls", "tlbi", "dsb", "ipi", "cmd_tlbi", "cmd_sync"] as const),
  ...(["atc_inv", "pages_asked", "pages_invalidated"] as const),
  /** Flushes of all entries of an address space on CPUs, on the IOMMU, on devices. */
  ...(["full_flushes", "full_asid", "atc_all", "faults", "steps"] as const),
] as const;
export type CountName = (typeof COUNTS)[number];
export type Counts = Readonly<Record<CountName, number>>;

export const NO_COUNTS: Counts = Object.fromEntries(COUNTS.map((n) => [n, 0])) as Counts;

export interface Course {
  readonly acts: readonly Act[];
  /** Steps of the program, a group of a bulk loop by its repetitions. */
  readonly steps: number;
  /** Page faults of CPUs. */
  readonly faults: number;
}
