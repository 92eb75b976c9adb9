// SPDX-License-Identifier: Apache-2.0
// What a reader of events is asked for and what it hands out: of ftrace text, perf and bpftrace.
import type { RawEvent } from "./raw-event.ts";
import type { Shelf } from "./scan/shelf.ts";
import type { LineScanner } from "./scanned-line.ts";

/** Events are missing here. */
export interface LostEvents {
  readonly line: number;
  /** Undefined where the trace does not say which. */
  readonly cpu: number | undefined;
  /** Undefined where the trace does not say how many. */
  readonly count: number | undefined;
  /**
   * `dropped`: between the neighbouring lines. `overwritten`: before the first line. `started`: of
   * this CPU, before this line, while other CPUs were already recorded.
   */
  readonly why: "dropped" | "overwritten" | "started";
}

/** A line that is not what the format has there: what it said is not known. */
export interface Damage {
  readonly line: number;
  readonly why: string;
  /** It may have been an event. */
  readonly event: boolean;
}

/** Who gets what is read, in the order of the lines. */
export interface FtraceSink {
  event(event: RawEvent): void;
  lost?(lost: LostEvents): void;
  damaged?(damage: Damage): void;
  /** Called, and waited for, whenever a piece of the input has been read. */
  chunk?(): Promise<void>;
}

/** A spelling of the same events. */
export interface Dialect {
  readonly format: string;
  readonly scanner: () => LineScanner;
  readonly recognises: (head: Uint8Array) => boolean;
  /** Why a line of another format is none of this one. */
  readonly expected: string;
  /** Whether the lines of all CPUs are in the order of their times, or only those of each. */
  readonly ordered: "all" | "cpu";
  /** Lines have the columns that the scanner in WebAssembly knows. */
  readonly columns?: "ftrace";
}

export interface FtraceOptions {
  /**
   * Names of the events to hand on; all, if undefined. System calls are named `sys_x` for entry
   * and exit, marks `tracing_mark_write`, in both formats.
   */
  readonly wanted?: ReadonlySet<string>;
  /** Where events wait that may never matter. */
  readonly shelf?: Shelf;
  /** `javascript` does without the scanner in WebAssembly; the results are the same. */
  readonly engine?: "auto" | "javascript";
}

export interface IgnoredLine {
  readonly line: number;
  readonly why: string;
  /** The beginning of it, of at most SHOWN_BYTES. */
  readonly text: string;
}

export interface FtraceSummary {
  readonly format: string;
  /** From the header: "nop", "function" ...; undefined without one. */
  readonly tracer: string | undefined;
  readonly lines: number;
  /** Lines that are events, wanted or not. */
  readonly events: number;
  /** Lines that are neither events nor anything else of the format. */
  readonly ignored_lines: number;
  /** The first REMEMBERED_LINES of them. */
  readonly ignored: readonly IgnoredLine[];
  /** Places at which events were lost, and how many are known to be. */
  readonly lost_places: number;
  readonly lost_events: number;
  /** Of the first and the last event; undefined without any. */
  readonly first_time_s: number | undefined;
  readonly last_time_s: number | undefined;
}

/** Bytes looked at to recognise a format. */
export const HEAD_BYTES = 16 * 1024;
export const REMEMBERED_LINES = 8;
export const SHOWN_BYTES = 120;
export const REPORT_HEADER = /^(cpus|version)\s*=\s*\d+$/;
/** CPUs whose last event and time are remembered. */
export const MAX_CPUS = 4096;
/** What a line has that was an event before it was damaged. */
export const LIKE_AN_EVENT = /\[\d+\]|=0x|: \w+:/;

export const FTRACE_FORMATS =
  "the tracefs `trace` file (ftrace text), the output of `trace-cmd report`";
