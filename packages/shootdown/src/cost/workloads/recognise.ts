// SPDX-License-Identifier: Apache-2.0
// Which format a workload is written in, by its first lines.
import { startOfText } from "../../trace/importers/bytes.ts";
import { recognise as recogniseTrace } from "../../trace/importers/formats.ts";
import { HEAD_BYTES } from "../../trace/importers/ftrace.ts";
import { isPerfTrace } from "./perf-trace.ts";
import { bodyOf, straceLine } from "./strace-line.ts";
import { isText } from "./text.ts";

export const WORKLOAD_FORMATS = ["text", "strace", "perf trace", "recording"] as const;
export type WorkloadFormat = (typeof WORKLOAD_FORMATS)[number];

/** Lines that are looked at: a program's own output may stand between those of strace. */
const LINES = 200;

const EVENTS: ReadonlySet<string> = new Set(["ftrace", "perf", "bpftrace", "bpftrace-json"]);

/** `begin`: the first bytes, or all of it. */
export function recogniseWorkload(begin: Uint8Array): WorkloadFormat | undefined {
  const head = begin.subarray(0, HEAD_BYTES);
  const text = new TextDecoder().decode(head.subarray(startOfText(head)));
  const lines = text.split(/\r?\n/, LINES).filter((line) => line.trim() !== "");
  if (isText(lines[0] ?? "")) return "text";
  const trace = recogniseTrace(head);
  if (trace !== undefined && EVENTS.has(trace)) return "recording";
  if (lines.some(isPerfTrace)) return "perf trace";
  return lines.some(isStrace) ? "strace" : undefined;
}

function isStrace(text: string): boolean {
  const line = straceLine(text);
  const body = line === undefined ? undefined : bodyOf(line.body);
  if (line === undefined || body === undefined) return false;
  if (body.kind === "resumed" || body.kind === "gone") return true;
  return body.kind === "call" && (body.begun || / = (?:-?\d|0x|\?)/.test(text));
}
