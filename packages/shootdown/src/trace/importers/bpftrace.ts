// SPDX-License-Identifier: Apache-2.0
// What a bpftrace script prints whose lines have the columns of ftrace, as plain text or `-f json`.
//
//   Attaching 12 probes...
//            mmsteps-256     [003] .....    51.127622: mn_register: (f) mm=0x...
//   Lost 17 events
//
//   {"type": "printf", "data": "         mmsteps-256     [003] .....    51.127622: ...\n"}
//   {"type": "lost_events", "data": {"events": 17}}
//
// A printf may end in the middle of a line, and `%s` of kstack is several. Buffers of CPUs are
// printed one after another, so that only the lines of one CPU are in order.
import { type ByteSource, type ImportResult, startOfText } from "./bytes.ts";
import {
  type Dialect,
  type FtraceOptions,
  FtraceReader,
  type FtraceSink,
  type FtraceSummary,
  readFtrace,
} from "./ftrace.ts";
import { ascii, FtraceLine, skipSpaces } from "./ftrace-line.ts";
import { readLog } from "./log-lines.ts";
import type { LineKind } from "./scanned-line.ts";

const ATTACHING = /^Attach(?:ing|ed) \d{1,9} probes?(?:\.\.\.)?$/;
const LOST = /^Lost (?:\d{1,15}|some) events$/;
/** `@name[key]: value`, printed at the end; and warnings of the tool itself. */
const REMARK = /^(?:@[\w[\]: ,.-]*|WARNING: .*|stdin:\d+.*)$/;
const FRAME = /^\s+[\w.$]+(?:\+\d+)?$/;

class BpftraceLine extends FtraceLine {
  override scan(bytes: Uint8Array, start: number, end: number): LineKind {
    const kind = super.scan(bytes, start, end);
    if (kind !== "bad" || end - start > 256) return kind;
    const text = ascii(bytes, start, end);
    if (LOST.test(text)) return "lost";
    if (ATTACHING.test(text) || REMARK.test(text)) return "comment";
    if (!FRAME.test(text)) return "bad";
    this.text_start = skipSpaces(bytes, start, end);
    return "frame";
  }
}

const DIALECT: Dialect = {
  format: "bpftrace",
  scanner: () => new BpftraceLine(),
  recognises: isBpftrace,
  expected: "an event with the columns of ftrace",
  ordered: "cpu",
};

/** The first line that is not blank. */
function firstLine(head: Uint8Array): string {
  const text = ascii(head, startOfText(head), head.length).trimStart();
  const end = text.indexOf("\n");
  return (end < 0 ? text : text.slice(0, end)).trimEnd();
}

export function isBpftrace(head: Uint8Array): boolean {
  return ATTACHING.test(firstLine(head));
}

/** Any line of `bpftrace -f json` begins so. */
export function isBpftraceJson(head: Uint8Array): boolean {
  return /^\{\s*"type"\s*:\s*"(?:attached_probes|printf|lost_events|map|time)"/.test(
    firstLine(head),
  );
}

/** As `readFtrace`, for the plain text. */
export function readBpftrace(
  source: ByteSource,
  sink: FtraceSink,
  options: FtraceOptions = {},
): Promise<ImportResult<FtraceSummary>> {
  return readFtrace(source, sink, options, DIALECT);
}

/** As `readFtrace`, for `-f json`; line numbers are those of the JSON. */
export async function readBpftraceJson(
  source: ByteSource,
  sink: FtraceSink,
  options: FtraceOptions = {},
): Promise<ImportResult<FtraceSummary>> {
  const reader = new FtraceReader(sink, options, { ...DIALECT, format: "bpftrace -f json" }, true);
  const encoder = new TextEncoder();
  const read = await readLog(source, {
    line(line, number) {
      const text = printed(line);
      if (text === undefined) return { why: "no line of bpftrace -f json" };
      reader.at(number);
      if (text !== "") reader.push(encoder.encode(text));
      return true;
    },
    damaged({ line, why }) {
      reader.at(line);
      reader.bad(why);
    },
    chunk: async () => sink.chunk?.(),
  });
  if (!read.ok) return read;
  reader.at(read.value.lines + 1);
  return reader.finish();
}

/** The text that a line stands for; "" for what says nothing of the kernel. */
function printed(line: string): string | undefined {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof message !== "object" || message === null || !("type" in message)) return undefined;
  const { type, data } = message as { readonly type: unknown; readonly data?: unknown };
  if (type === "printf") return typeof data === "string" ? data : undefined;
  if (type !== "lost_events") return typeof type === "string" ? "" : undefined;
  const events = (data as { readonly events?: unknown } | null | undefined)?.events;
  return `Lost ${typeof events === "number" && events >= 0 ? Math.floor(events) : "some"} events\n`;
}
