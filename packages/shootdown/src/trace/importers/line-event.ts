// SPDX-License-Identifier: Apache-2.0
// From a scanned line to an event: the text decoded, and where its parts are in it.
import { MAX_CPUS } from "./ftrace-types.ts";
import type { KnownName } from "./names.ts";
import { type EventForm, RawEvent } from "./raw-event.ts";
import type { ScannedLine } from "./scanned-line.ts";

const DECODER = new TextDecoder("utf-8", { ignoreBOM: true });

/** An event of a line that was scanned; undefined if it only has the name of one. */
export function eventOf(
  bytes: Uint8Array,
  start: number,
  end: number,
  line: ScannedLine,
  name: KnownName,
  number: number,
): RawEvent | undefined {
  const raw = DECODER.decode(bytes.subarray(start, end));
  // Bytes and characters part only where a task's name is not ASCII: before every other offset.
  const prefix = line.text_start - start;
  const back =
    raw.length === end - start
      ? 0
      : DECODER.decode(bytes.subarray(start, line.text_start)).length - prefix;
  let text_start = prefix + back;
  let event = name.event;
  // trace-cmd report puts a mark's real name in front of its text.
  if (name.form === "print") {
    const mark = "tracing_mark_write: ";
    if (!raw.startsWith(mark, text_start)) return undefined;
    text_start += mark.length;
    event = "tracing_mark_write";
  }
  const form: EventForm = name.form === undefined || name.form === "print" ? line.form : name.form;
  const cpu = line.cpu < MAX_CPUS ? line.cpu : 0;
  const head = { line: number, time_s: line.time_s, cpu, pid: line.pid };
  const parts = {
    task_start: line.task_start - start,
    task_end: line.task_end - start + back,
    flags_start: line.flags_start - start + back,
    flags_end: line.flags_end - start + back,
    text_start,
  };
  return new RawEvent(head, event, form, raw, parts);
}
