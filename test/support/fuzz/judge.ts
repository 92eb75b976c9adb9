// SPDX-License-Identifier: Apache-2.0
// What must hold of the check of any input, however broken it is.
import { summaryLines } from "../../../packages/shootdown/src/report/trace.ts";
import { findingLines } from "../../../packages/shootdown/src/report/trace-finding.ts";
import { checkTrace, type TraceOptions } from "../../../packages/shootdown/src/trace/check.ts";
import {
  FINDING_CLASSES,
  type Finding,
  type TraceResult,
  traceStatus,
} from "../../../packages/shootdown/src/trace/finding.ts";
import { bytesOf } from "../../../packages/shootdown/src/trace/importers/bytes.ts";

export interface Judged {
  readonly status: 0 | 1 | 2 | 3;
  readonly findings: readonly Finding[];
  readonly result: TraceResult;
  /** What does not hold; empty if all does. */
  readonly wrong: readonly string[];
}

/** Findings that are kept of one input. */
const KEPT = 5000;

/** The text of a message must hold no leftover of a program. */
const LEFTOVER = /\bundefined\b|\bNaN\b|\bInfinity\b|\[object|\bnull\b/;

export async function judge(bytes: Uint8Array, options: TraceOptions = {}): Promise<Judged> {
  const findings: Finding[] = [];
  const counts: Record<string, number> = {};
  const onFinding = (one: Finding) => {
    counts[one.class] = (counts[one.class] ?? 0) + 1;
    if (findings.length < KEPT) findings.push(one);
  };
  const result = await checkTrace(bytesOf(bytes), { ...options, onFinding });
  const status = traceStatus(result);
  const wrong = [
    ...(result.ok ? summaryFlaws(result.summary, counts) : errorFlaws(result.error)),
    ...findings.flatMap(findingFlaws).slice(0, 5),
  ];
  return { status, findings, result, wrong };
}

function errorFlaws(error: { readonly message: string; readonly line: number }): string[] {
  const good = /^line \d+, column \d+: \S/.test(error.message) && error.line > 0;
  return good ? [] : [`error without a place: ${error.message}`];
}

function summaryFlaws(
  summary: (TraceResult & { ok: true })["summary"],
  counts: Readonly<Record<string, number>>,
): string[] {
  const wrong: string[] = [];
  for (const name of FINDING_CLASSES) {
    const said = summary[name] + (name === "missing" ? summary.dirty_missing : 0);
    if (said !== (counts[name] ?? 0))
      wrong.push(`${name}: ${said} said, ${counts[name] ?? 0} given`);
  }
  const reasons = Object.values(summary.undecidable_reasons).reduce((a, b) => a + b, 0);
  if (reasons !== summary.undecidable) wrong.push("undecidable is not the sum of its reasons");
  for (const reason of Object.keys(summary.undecidable_reasons)) {
    if (LEFTOVER.test(reason)) wrong.push(`reason: ${reason}`);
  }
  const text = JSON.stringify(summary);
  if (/:(?:null)\b/.test(text.replace(/"(?:machine|iotlb|device|submitted)":null/g, ""))) {
    wrong.push(`no number in the summary: ${/"\w+":null/.exec(text)?.[0]}`);
  }
  const lines = summaryLines(summary);
  const bad = lines.find((line) => LEFTOVER.test(line));
  if (bad !== undefined) wrong.push(`summary: ${bad}`);
  return wrong;
}

function findingFlaws(one: Finding): string[] {
  const wrong: string[] = [];
  const { line, time, cpu, start, end, message, deadline_line } = one;
  if (!FINDING_CLASSES.includes(one.class)) wrong.push(`class ${one.class}`);
  if (!Number.isSafeInteger(line) || line < 1) wrong.push(`line ${line}`);
  if (deadline_line !== null && !(deadline_line >= 1)) wrong.push(`deadline ${deadline_line}`);
  if (!Number.isFinite(time) || !Number.isSafeInteger(cpu)) wrong.push(`time ${time}, cpu ${cpu}`);
  if (!/^0x[\da-f]+$/.test(start) || !/^0x[\da-f]+$/.test(end)) wrong.push(`${start}-${end}`);
  else if (BigInt(start) > BigInt(end)) wrong.push(`backwards ${start}-${end}`);
  // What a log says of its own source ends a message, and is quoted as it is.
  const own = message.replace(/ \([^()]*\)$/, "");
  if (LEFTOVER.test(own) || own === "") wrong.push(`message: ${message}`);
  const [head = ""] = findingLines("f", one);
  if ([...head].some((letter) => letter < " ")) wrong.push(`controls: ${JSON.stringify(head)}`);
  return wrong.map((what) => `finding of line ${line}: ${what}`);
}
