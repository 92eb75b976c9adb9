// SPDX-License-Identifier: Apache-2.0
// QEMU's trace of its VT-d model: the invalidation queue as the emulated IOMMU reads it.
//
//   27776@1795328305.802947:vtd_inv_desc invalidate desc type iotlb high 0xffff4000 low 0x800f2
//   thread  wall clock s     event       text
//
// With `-msg timestamp=off` lines begin with the event. Other events of QEMU may stand between.
import {
  type ByteSource,
  DamagedGzip,
  type ImportError,
  type ImportResult,
  importError,
  joinBytes,
  LineCutter,
  MAX_LINE_BYTES,
  plainBytes,
} from "./bytes.ts";
import type { IommuRecord } from "./iommu-record.ts";
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

/** Bytes looked at to recognise the format; the queue is first used late in a boot. */
const HEAD_BYTES = 64 * 1024;
const HEAD_LINES = 256;

/** A trace line of QEMU: thread and time if it has them, the event's name, its text. */
const QEMU_LINE = /^(?:(\d{1,10})@(\d{1,12}\.\d{6}):)?([a-z]\w{2,63})(?: (.*))?$/;

/** A line of the VT-d model; the model's name alone tells it from the other QEMU traces. */
const VTD_EVENT = /^(?:\d{1,10}@\d{1,12}\.\d{6}:)?vtd_\w+(?: |$)/;
const ANY_EVENT = /^(?:\d{1,10}@\d{1,12}\.\d{6}:)\w+(?: |$)/;

/** Whether an input that begins with `head` is QEMU's trace of its VT-d model. */
export function isVtdLog(head: Uint8Array | string): boolean {
  const text = typeof head === "string" ? head : latin1(head, 0, Math.min(head.length, HEAD_BYTES));
  for (const line of text.split("\n", HEAD_LINES)) {
    const bare = line.endsWith("\r") ? line.slice(0, -1) : line;
    if (VTD_EVENT.test(bare)) return true;
    if (bare !== "" && !ANY_EVENT.test(bare)) return false;
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
  const reader = new VtdLogReader(sink);
  try {
    for await (const chunk of plainBytes(source)) {
      const error = reader.push(chunk);
      if (error !== undefined) return { ok: false, error };
      await sink.chunk?.();
    }
  } catch (reason) {
    if (!(reason instanceof DamagedGzip)) throw reason;
    if (reader.lines === 0) return { ok: false, error: importError(1, 1, reason.message) };
    return reader.finish(reason.message);
  }
  return reader.finish();
}

/** The same for a caller that has the chunks (decompressed, of any size) one after another. */
export class VtdLogReader {
  readonly #sink: VtdLogSink;
  readonly #cutter: LineCutter;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #head: Uint8Array | undefined = new Uint8Array(0);
  #lines = 0;
  #events = 0;
  #ignored = 0;
  #first: number | undefined;
  #last: number | undefined;

  constructor(sink: VtdLogSink) {
    this.#sink = sink;
    this.#cutter = new LineCutter(
      (bytes, start, end) => this.#line(bytes, start, end),
      () => this.#tooLong(),
    );
  }

  get lines(): number {
    return this.#lines;
  }

  push(chunk: Uint8Array): ImportError | undefined {
    if (this.#head === undefined) {
      this.#cutter.push(chunk);
      return undefined;
    }
    this.#head = joinBytes(this.#head, chunk);
    return this.#head.length < HEAD_BYTES ? undefined : this.#recognise();
  }

  /** To be called once, after the last chunk; `cut`: why there are no more. */
  finish(cut?: string): ImportResult<VtdLogSummary> {
    const error = this.#head === undefined ? undefined : this.#recognise();
    if (error !== undefined) return { ok: false, error };
    this.#cutter.finish();
    if (cut !== undefined) this.#damage("", cut);
    const [first_time_s, last_time_s] = [this.#first, this.#last];
    const counts = { lines: this.#lines, events: this.#events, ignored_lines: this.#ignored };
    return {
      ok: true,
      value: { format: "QEMU's VT-d trace", ...counts, first_time_s, last_time_s },
    };
  }

  #recognise(): ImportError | undefined {
    const head = this.#head ?? new Uint8Array(0);
    if (!isVtdLog(head)) return importError(1, 1, "not QEMU's trace of its VT-d model (vtd_*)");
    this.#head = undefined;
    this.#cutter.push(head);
    return undefined;
  }

  #line(bytes: Uint8Array, start: number, end: number): void {
    this.#lines++;
    if (start === end) return;
    // Most lines are translations; the name is compared before anything is decoded.
    if (!hasQueueEvent(bytes, start, end)) {
      if (!isQemuLine(bytes, start, end)) this.#damage("", "not a line of QEMU's trace");
      return;
    }
    const raw = this.#decoder.decode(bytes.subarray(start, end));
    const found = QEMU_LINE.exec(raw);
    if (found === null) {
      this.#damage(raw, "not a line of QEMU's trace");
      return;
    }
    const [, thread = "0", time = "0", event = "", text = ""] = found;
    const at = this.#at(raw, Number(thread), Number(time), event, text);
    const record = decode(at);
    if (record === undefined) return;
    this.#events++;
    this.#first ??= at.time_s;
    this.#last = at.time_s;
    this.#sink.record(record);
  }

  #at(raw: string, pid: number, time_s: number, event: string, text: string): RawEvent {
    const text_start = raw.length - text.length;
    const parts = { task_start: 0, task_end: 0, flags_start: 0, flags_end: 0, text_start };
    return new RawEvent({ line: this.#lines, time_s, cpu: 0, pid }, event, "event", raw, parts);
  }

  /** A line that may have been anything. */
  #damage(raw: string, why: string): void {
    this.#ignored++;
    const at = this.#at(raw, 0, this.#last ?? 0, "vtd_inv_desc", raw);
    this.#sink.record({ kind: "malformed", why, at });
  }

  #tooLong(): void {
    this.#lines++;
    this.#damage("", `longer than ${MAX_LINE_BYTES} bytes`);
  }
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

const NAME = [..."vtd_inv_"].map((letter) => letter.charCodeAt(0));

/** Whether "vtd_inv_" stands at the beginning, or behind the first colon. */
function hasQueueEvent(bytes: Uint8Array, start: number, end: number): boolean {
  const colon = bytes[start] === NAME[0] ? start - 1 : bytes.indexOf(58, start);
  const from = colon >= start - 1 && colon < end ? colon + 1 : start;
  for (let i = 0; i < NAME.length; i++) if (bytes[from + i] !== NAME[i]) return false;
  return from + NAME.length <= end;
}

/** Whether it begins like a line of QEMU's trace. */
function isQemuLine(bytes: Uint8Array, start: number, end: number): boolean {
  return QEMU_LINE.test(latin1(bytes, start, Math.min(end, start + 120)));
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}
