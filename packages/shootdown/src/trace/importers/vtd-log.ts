// SPDX-License-Identifier: Apache-2.0
// QEMU's trace of its VT-d model: the invalidation queue as the emulated IOMMU reads it.
//
//   27776@1795328305.802947:vtd_inv_desc invalidate desc type iotlb high 0xffff4000 low 0x800f2
//   thread  wall clock s     event       text
//
// With `-msg timestamp=off` lines begin with the event. Other events of QEMU may stand between.
import type { ByteSource, ImportResult } from "./bytes.ts";
import type { IommuRecord } from "./iommu-record.ts";
import { headLines, type LogDamage, readLog } from "./log-lines.ts";
import { RawEvent } from "./raw-event.ts";
import { decodeDescriptor } from "./vtd-descriptor.ts";
import { parseWord } from "./word64.ts";

export interface VtdLogSummary {
  readonly format: "QEMU's VT-d trace";
  readonly lines: number;
  /** Lines of the queue: descriptors, completed waits, bells. */
  readonly events: number;
  readonly ignored_lines: number;
  readonly first_time_s: number | undefined;
  readonly last_time_s: number | undefined;
}

export interface VtdLogSink {
  record(record: IommuRecord): void;
  /** After each piece of the input; the reader waits. */
  chunk?(): Promise<void>;
}

/** Lines looked at to recognise the format; the queue is first used late in a boot. */
const HEAD_LINES = 256;

/** A trace line of QEMU: thread and time if it has them, the event's name, its text. */
const QEMU_LINE = /^(?:(\d{1,10})@(\d{1,12}\.\d{6}):)?([a-z]\w{2,63})(?: (.*))?$/;

/** A line of the VT-d model; the model's name alone tells it from the other QEMU traces. */
const VTD_EVENT = /^(?:\d{1,10}@\d{1,12}\.\d{6}:)?vtd_\w+(?: |$)/;
const ANY_EVENT = /^(?:\d{1,10}@\d{1,12}\.\d{6}:)\w+(?: |$)/;

/** Whether an input that begins with `head` is QEMU's trace of its VT-d model. */
export function isVtdLog(head: Uint8Array | string): boolean {
  const bytes = typeof head === "string" ? new TextEncoder().encode(head) : head;
  for (const line of headLines(bytes, HEAD_LINES)) {
    if (VTD_EVENT.test(line)) return true;
    if (!ANY_EVENT.test(line)) return false;
  }
  return false;
}

/**
 * Reads a whole log, gzipped or not.
 *
 * @returns what was read; or, as a value, why the input is no such log, with the position.
 */
export async function readVtdLog(
  source: ByteSource,
  sink: VtdLogSink,
): Promise<ImportResult<VtdLogSummary>> {
  let events = 0;
  let first_time_s: number | undefined;
  let last_time_s: number | undefined;
  const malformed = (raw: string, why: string, line: number) => {
    const at = eventOf({ line, time_s: last_time_s ?? 0, pid: 0 }, "vtd_inv_desc", raw, raw);
    sink.record({ kind: "malformed", why, at });
  };
  const read = await readLog(source, {
    line(raw, line) {
      const found = QEMU_LINE.exec(raw);
      if (found === null) return { why: "not a line of QEMU's trace" };
      const [, thread = "0", time, event = "", text = ""] = found;
      if (event.startsWith("smmu")) return { why: "an SMMU's line in a log of VT-d: not judged" };
      // Most lines are translations.
      if (!event.startsWith("vtd_inv_")) return true;
      const time_s = time === undefined ? (last_time_s ?? 0) : Number(time);
      if (time_s < (last_time_s ?? 0)) malformed(raw, "time goes backwards", line);
      const record = decode(eventOf({ line, time_s, pid: Number(thread) }, event, raw, text));
      if (record === undefined) return true;
      events++;
      first_time_s ??= time_s;
      last_time_s = time_s;
      sink.record(record);
      return true;
    },
    // A line that may have been anything.
    damaged: ({ why, line }: LogDamage) => malformed("", why, line),
    ...(sink.chunk === undefined ? {} : { chunk: () => sink.chunk!() }),
  });
  if (!read.ok) return read;
  const counts = { ...read.value, events, first_time_s, last_time_s };
  return { ok: true, value: { format: "QEMU's VT-d trace", ...counts } };
}

function eventOf(
  at: { readonly line: number; readonly time_s: number; readonly pid: number },
  event: string,
  raw: string,
  text: string,
): RawEvent {
  const text_start = raw.length - text.length;
  const parts = { task_start: 0, task_end: 0, flags_start: 0, flags_end: 0, text_start };
  return new RawEvent({ ...at, cpu: 0 }, event, "event", raw, parts);
}

/** Names that QEMU gives the kinds; pairs of a name and the type it must be with. */
const QEMU_TYPES: ReadonlyMap<string, readonly number[]> = new Map([
  ["context-cache", [1]],
  ["iotlb", [2]],
  ["device", [3]],
  ["iec", [4]],
  ["wait", [5]],
  ["piotlb", [6]],
  ["pc", [7]],
]);

const DESC = /^invalidate desc type (\S+) high (0x[\da-f]{1,16}) low (0x[\da-f]{1,16})$/;

function decode(at: RawEvent): IommuRecord | undefined {
  switch (at.event) {
    case "vtd_inv_desc": {
      const [, type = "", high = "", low = ""] = DESC.exec(at.text) ?? [];
      const qw0 = parseWord(low);
      const qw1 = parseWord(high);
      if (qw0 === undefined || qw1 === undefined) {
        return { kind: "malformed", why: "vtd_inv_desc has no two words", at };
      }
      const descriptor = decodeDescriptor(qw0, qw1);
      if (QEMU_TYPES.get(type)?.includes(descriptor.type) === false) {
        return { kind: "malformed", why: `vtd_inv_desc of type ${type} is of another type`, at };
      }
      return { kind: "descriptor", queue: "dmar0", descriptor, words: `${low} ${high}`, at };
    }
    case "vtd_inv_desc_wait_sw":
      return { kind: "waited", at };
    case "vtd_inv_qi_tail":
      return { kind: "rung", at };
    default:
      // vtd_inv_desc_iotlb_pages and the like say a descriptor once more.
      return undefined;
  }
}
