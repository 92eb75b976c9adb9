// SPDX-License-Identifier: Apache-2.0
// Lines of a log as text, one after another in bounded memory; damage is said, with its line.
import {
  type ByteSource,
  DamagedGzip,
  type ImportResult,
  importError,
  LineCutter,
  MAX_LINE_BYTES,
  plainBytes,
  startOfText,
} from "./bytes.ts";
import type { Damage } from "./ftrace.ts";

export interface LineSink {
  /** A line that is not blank; false if it is none of the format. */
  line(text: string, number: number): boolean;
  damaged(damage: Damage): void;
  /** Called, and waited for, whenever a piece of the input has been read. */
  chunk?(): Promise<void>;
}

export interface LogSummary {
  readonly lines: number;
  readonly ignored_lines: number;
}

/** Reads to the end; an error only for damaged gzip before the first line. */
export async function readLog(
  source: ByteSource,
  sink: LineSink,
): Promise<ImportResult<LogSummary>> {
  const decoder = new TextDecoder();
  let lines = 0;
  let ignored_lines = 0;
  const bad = (why: string) => {
    ignored_lines++;
    sink.damaged({ line: lines, why, event: true });
  };
  const cutter = new LineCutter(
    (bytes, start, end) => {
      const from = lines++ === 0 ? start + startOfText(bytes.subarray(start, end)) : start;
      const text = decoder.decode(bytes.subarray(from, end));
      if (text.includes("\0")) bad("NUL bytes");
      else if (text.trim() !== "" && !sink.line(text, lines)) bad("not a line of this format");
    },
    () => {
      lines++;
      bad(`longer than ${MAX_LINE_BYTES} bytes`);
    },
  );
  try {
    for await (const chunk of plainBytes(source)) {
      cutter.push(chunk);
      await sink.chunk?.();
    }
    cutter.finish();
  } catch (reason) {
    if (!(reason instanceof DamagedGzip)) throw reason;
    if (lines === 0) return { ok: false, error: importError(1, 1, reason.message) };
    lines++;
    bad(reason.message);
  }
  await sink.chunk?.();
  return { ok: true, value: { lines, ignored_lines } };
}

/** The lines of a head that are complete, or its only one. */
export function headLines(head: Uint8Array, most: number): string[] {
  const text = new TextDecoder().decode(head.subarray(startOfText(head)));
  const lines = text.split("\n", most + 1);
  return (lines.length > 1 ? lines.slice(0, -1) : lines)
    .map((line) => line.trimEnd())
    .filter((line) => line !== "");
}
