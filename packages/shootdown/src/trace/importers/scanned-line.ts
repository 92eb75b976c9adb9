// SPDX-License-Identifier: Apache-2.0
// What a reader of text needs of a line: its kind, and where in the bytes its parts are.
// ftrace, perf script and bpftrace each have a scanner that fills it in.
import type { EventForm } from "./raw-event.ts";

/** `frame`: a function of the stack of the last event; `stack`: the line that begins one. */
export type LineKind =
  | "event"
  | "comment"
  | "stack"
  | "frame"
  | "lost"
  | "started"
  | "blank"
  | "bad";

/** The state after `scan` returned "event", "stack", "frame", "lost" or "started". */
export interface ScannedLine {
  readonly cpu: number;
  readonly pid: number;
  readonly time_s: number;
  readonly task_start: number;
  readonly task_end: number;
  readonly flags_start: number;
  readonly flags_end: number;
  readonly name_start: number;
  readonly name_end: number;
  /** A hash of the name's bytes, equal to `nameHash` of the name. */
  readonly name_hash: number;
  /** Of a `frame`: where the function's name begins. */
  readonly text_start: number;
  readonly form: EventForm;
}

/** Scans one line after another; the fields are those of the last one. */
export interface LineScanner extends ScannedLine {
  scan(bytes: Uint8Array, start: number, end: number): LineKind;
}
