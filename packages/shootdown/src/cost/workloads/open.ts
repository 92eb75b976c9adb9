// SPDX-License-Identifier: Apache-2.0
// The one door to workloads: a file of any format that is known, or the name of a generator.
import { type ByteSource, DamagedGzip } from "../../trace/importers/bytes.ts";
import { peek, unknownFormat } from "../../trace/importers/formats.ts";
import { HEAD_BYTES } from "../../trace/importers/ftrace.ts";
import type { ReadOptions, ReadResult } from "./input.ts";
import { readPerfTrace } from "./perf-trace.ts";
import { CODES, problemAt } from "./problem.ts";
import { recogniseWorkload, type WorkloadFormat } from "./recognise.ts";
import { readRecording } from "./recording.ts";
import { readStrace } from "./strace.ts";
import { isSynthetic, openSynthetic } from "./synthetic.ts";
import { readText } from "./text.ts";

const READERS: Readonly<Record<WorkloadFormat, typeof readText>> = {
  text: readText,
  strace: readStrace,
  "perf trace": readPerfTrace,
  recording: readRecording,
};

const KNOWN =
  "known are strace (-f -ttt -T), perf trace, ftrace and perf script recordings, " +
  "and the text format of docs/WORKLOADS.md; gzip is undone";

/** Reads a workload; `name` is the file's, as results call it, or `synthetic:SHAPE,KEY=VALUE`. */
export async function openWorkload(
  name: string,
  chunks: ByteSource,
  options: ReadOptions = {},
): Promise<ReadResult> {
  if (isSynthetic(name)) return openSynthetic(name);
  try {
    const { head, source } = await peek(chunks);
    const format = recogniseWorkload(head);
    if (format !== undefined) return await READERS[format](name, source, options);
    const { line, column, message } = unknownFormat(head.subarray(0, HEAD_BYTES));
    const why = message.replace(/^line \d+, column \d+: /, "").replace(/; known are .*$/, "");
    const code = head.length === 0 ? CODES.empty : CODES.format;
    const first = new TextDecoder().decode(head.subarray(0, 400)).split(/\r?\n/)[line - 1] ?? "";
    const place = { file: name, line, column, length: first.length, source: first };
    return { diagnostics: [problemAt(place, code, why, KNOWN)] };
  } catch (reason) {
    if (!(reason instanceof DamagedGzip)) throw reason;
    const place = { file: name, line: 1, column: 1, length: 0, source: "" };
    return { diagnostics: [problemAt(place, CODES.format, reason.message)] };
  }
}
