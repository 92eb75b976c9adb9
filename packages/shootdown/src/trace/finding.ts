// SPDX-License-Identifier: Apache-2.0
// What a check of a recording says: findings, the summary, and the exit status they come to.
import type { ImportError } from "./importers/bytes.ts";
import type { FlushCount, IommuSummary } from "./iommu/monitor.ts";

export const FINDING_CLASSES = [
  ...(["missing", "short", "late", "order", "unpaired", "depends", "excess"] as const),
] as const;
export type FindingClass = (typeof FINDING_CLASSES)[number];

export type FindingChange = "upgrade" | "downgrade" | "unmap" | "frame" | "flags" | "table";

/** A line of the recording that a finding is about, or that stands near it. */
export interface ContextLine {
  readonly line: number;
  readonly text: string;
}

/** One finding, with the fields of the NDJSON. Addresses are text, ends exclusive. */
export interface Finding {
  readonly type: "finding";
  readonly class: FindingClass;
  /** Line of the event that made the change (or the call, for `excess` and `unpaired`), from 1. */
  readonly line: number;
  /** Seconds of the recording's clock. */
  readonly time: number;
  readonly cpu: number;
  /** Null for what is not about an address space of the CPU. */
  readonly mm: string | null;
  /** What should have been invalidated; for `excess` and `unpaired` the range of the call. */
  readonly start: string;
  readonly end: string;
  /** The event that made the change, as the probe is named. */
  readonly operation: string;
  /** Null for `excess` and `unpaired`, which are about calls. */
  readonly change: FindingChange | null;
  /** Entry before and after; null where the recording does not have it. */
  readonly old: string | null;
  readonly new: string | null;
  readonly message: string;
  readonly pid: number;
  readonly task: string;
  /** Entries that were changed alike, next to each other; 1 where that is not known. */
  readonly entries: number;
  /** Line of the event at which the kernel relied on the invalidation. */
  readonly deadline_line: number | null;
  /** Functions on the kernel's stack at that event, the innermost first, if they were recorded. */
  readonly stack?: readonly string[];
  /** Of several recordings of one run, the one that the lines are of; absent for the first. */
  readonly source?: string;
  /** When that was; null where it is not known. */
  readonly deadline_time: number | null;
  /** The hardware rule or property that it is about: an id of docs/MODEL.md or docs/TRACE.md. */
  readonly rule: string;
  /** The system call or page fault that the task was in, if it is recorded. */
  readonly during?: string;
  /** The function that called the operation, if its return probe says so. */
  readonly caller?: string;
  /** Of the IOMMU: the domain, by its id or by what names it in the recording. */
  readonly domain?: string;
  /** Of a device's TLB: "01:00.0". */
  readonly device?: string;
  /** Of `depends`: the knob whose value decides. */
  readonly knob?: string;
  /** With `explain`: the lines of this task and address space that led here, in order. */
  readonly context?: readonly ContextLine[];
}

/** How many times each reason came up. */
export type Reasons = Readonly<Record<string, number>>;

/** The last object of the NDJSON. */
export interface TraceSummary {
  readonly type: "summary";
  readonly format: string;
  /** The modelled kernel whose contract the recording follows: "linux-6.1", "linux-6.12". */
  readonly kernel: string;
  /** The contract in words, and how it was recognised. */
  readonly contract: string;
  readonly layout: string;
  readonly machine: string | null;
  readonly events: number;
  readonly watched_mms: number;
  /** Changes of entries of watched mms that were judged, those that owe nothing included. */
  readonly changes: number;
  /** Of these, changes that owed an invalidation and got it. */
  readonly conforming: number;
  readonly upgrades: number;
  readonly dirty_upgrades: number;
  readonly dirty_missing: number;
  /** Findings of each class; `missing` without those that `dirty_missing` counts. */
  readonly missing: number;
  readonly short: number;
  readonly late: number;
  readonly order: number;
  readonly unpaired: number;
  /** Right or wrong by a property of the hardware that is not known; see `knob`. */
  readonly depends: number;
  readonly excess: number;
  /** Changes without a verdict, and why: which event is missing in the recording. */
  readonly undecidable: number;
  readonly undecidable_reasons: Reasons;
  /** Changes that by the kernel's contract need no invalidation, by reason. */
  readonly exempt: Reasons;
  /** What the monitor saw and does not judge, by reason. */
  readonly not_judged: Reasons;
  readonly ignored_lines: number;
  readonly malformed: number;
  /** Places at which events were dropped, and events known to be lost. */
  readonly lost_places: number;
  readonly lost_events: number;
  /** What limits of memory made the monitor forget, by limit. */
  readonly evicted: Reasons;
  /** What no recording of this kind can show, in sentences. */
  readonly notes: readonly string[];
  /** Counts of what a recording of this kind is about, by group: commands, instructions, pages. */
  readonly counts?: Readonly<Record<string, Reasons>>;
  /** What the recording shows of an IOMMU's queue and of the DMA API; absent without one. */
  readonly iommu?: IommuSummary;
  /** The CPUs' own flushes by reason, of which flushes of everything; absent without any. */
  readonly cpu_flushes?: Readonly<Record<string, FlushCount>>;
  /** Whether there was something to judge, where that is not an address space with a notifier. */
  readonly judged?: boolean;
}

export type TraceResult =
  | { readonly ok: true; readonly summary: TraceSummary }
  | { readonly ok: false; readonly error: ImportError };

/**
 * The exit status: 2 for an input that cannot be read, 1 with any finding but `excess`, 3 without
 * one when something could not be decided or nothing was judged, else 0.
 */
export function traceStatus(result: TraceResult): 0 | 1 | 2 | 3 {
  if (!result.ok) return 2;
  const s = result.summary;
  const wrong = s.missing + s.dirty_missing + s.short + s.late + s.order + s.unpaired;
  if (wrong > 0) return 1;
  const unclear = s.undecidable > 0 || s.depends > 0;
  return unclear || !(s.judged ?? s.watched_mms > 0) ? 3 : 0;
}
