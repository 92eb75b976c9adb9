// SPDX-License-Identifier: Apache-2.0
// The text of the tracefs file `trace` of any kernel, and of `trace-cmd report`, read as a stream.
import {
  type ByteSource,
  DamagedGzip,
  type ImportResult,
  importError,
  isDirect,
  plainBytes,
  startOfText,
} from "./bytes.ts";
import { ascii, FtraceLine } from "./ftrace-line.ts";
import { FtraceReader } from "./ftrace-reader.ts";
import {
  type Dialect,
  type FtraceOptions,
  type FtraceSink,
  type FtraceSummary,
  REPORT_HEADER,
  SHOWN_BYTES,
} from "./ftrace-types.ts";

export { FtraceReader } from "./ftrace-reader.ts";
export * from "./ftrace-types.ts";

/** Whether an input that begins with `head` (HEAD_BYTES of it are enough) is ftrace text. */
export function isFtrace(head: Uint8Array | string): boolean {
  const bytes = typeof head === "string" ? new TextEncoder().encode(head) : head;
  const line = new FtraceLine();
  let start = startOfText(bytes);
  for (let seen = 0; seen < 100 && start < bytes.length; seen++) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    const kind = line.scan(bytes, start, end);
    if (kind === "event" || kind === "lost" || kind === "started") return true;
    const text = ascii(bytes, start, Math.min(end, start + SHOWN_BYTES)).trimEnd();
    if (/^# tracer: \S/.test(text) || REPORT_HEADER.test(text)) return true;
    if (kind !== "comment" && kind !== "blank" && kind !== "stack") return false;
    start = end + 1;
  }
  return false;
}

export const FTRACE: Dialect = {
  format: "ftrace",
  scanner: () => new FtraceLine(),
  recognises: isFtrace,
  expected: "an event as the nop and function tracers print it",
  ordered: "all",
  columns: "ftrace",
};

/**
 * Reads a whole trace, gzipped or not.
 *
 * @returns what was read; or, as a value, why the input is no ftrace text (or damaged gzip), with
 *     the position. Rejects only with what the source or the sink throw.
 */
export async function readFtrace(
  source: ByteSource,
  sink: FtraceSink,
  options: FtraceOptions = {},
  dialect: Dialect = FTRACE,
): Promise<ImportResult<FtraceSummary>> {
  const reader = new FtraceReader(sink, options, dialect);
  try {
    if (isDirect(source)) {
      for (;;) {
        const count = await source.readInto(reader.space);
        if (count === 0) break;
        const error = reader.take(count);
        if (error !== undefined) return { ok: false, error };
        if (sink.chunk !== undefined) await sink.chunk();
      }
      return reader.finish();
    }
    for await (const chunk of plainBytes(source)) {
      const error = reader.push(chunk);
      if (error !== undefined) return { ok: false, error };
      if (sink.chunk !== undefined) await sink.chunk();
    }
  } catch (reason) {
    if (!(reason instanceof DamagedGzip)) throw reason;
    if (reader.events > 0) return reader.finish(reason.message);
    return { ok: false, error: importError(reader.lines + 1, 1, reason.message) };
  }
  return reader.finish();
}
