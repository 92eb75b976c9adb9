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

/** What is wrong with a line, and where: in this line and column, if nothing else is said. */
export interface Flaw {
  readonly why: string;
  readonly line?: number;
  readonly column?: number;
}

/** Damage of which it may be known where in its line it is. */
export interface LogDamage extends Damage {
  readonly column?: number;
}

export interface LineSink {
  /** A line that is not blank; false, or what is wrong, if it is none of the format. */
  line(text: string, number: number): boolean | Flaw;
  /** Called once, behind the last line; what is wrong with the end. */
  end?(): Flaw | undefined;
  damaged(damage: LogDamage): void;
  /** Called, and waited for, whenever a piece of the input has been read. */
  chunk?(): Promise<void>;
}

export interface LogSummary {
  readonly lines: number;
  readonly ignored_lines: number;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const CONTROL = /[\x01-\x08\x0b-\x1f\x7f]/;

/** Reads to the end; an error only for damaged gzip before the first line. */
export async function readLog(
  source: ByteSource,
  sink: LineSink,
): Promise<ImportResult<LogSummary>> {
  const decoder = new TextDecoder();
  let lines = 0;
  let ignored_lines = 0;
  const bad = (why: string, line = lines, column?: number) => {
    ignored_lines++;
    sink.damaged({ line, why, event: true, ...(column === undefined ? {} : { column }) });
  };
  const judge = (found: boolean | Flaw | undefined) => {
    if (found === false) bad("not a line of this format");
    else if (typeof found === "object") bad(found.why, found.line, found.column);
  };
  const cutter = new LineCutter(
    (bytes, start, end) => {
      const from = lines++ === 0 ? start + startOfText(bytes.subarray(start, end)) : start;
      const text = decoder.decode(bytes.subarray(from, end));
      if (text.includes("\0")) bad("NUL bytes");
      else if (CONTROL.test(text)) bad("control characters");
      else if (text.trim() !== "") judge(sink.line(text, lines));
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
    judge(sink.end?.());
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
