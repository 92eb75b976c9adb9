// SPDX-License-Identifier: Apache-2.0
// One run as text and as NDJSON: every event, then the caches, then what was violated.
//
//   step agent     event        detail
//      7 CPU0      tlbi         VALE1IS asid(A) x
//                  tlb[CPU0,asid(A),x] = -

import type { RunResult } from "../study/run.ts";
import { columns, type Paint, pad, plain, wrapText } from "./columns.ts";

export interface RunReport extends RunResult {
  readonly file: string;
  readonly test: string;
  readonly machine: string;
  readonly kernel: string;
  readonly set: Readonly<Record<string, string>>;
  readonly drop: string | null;
}

export interface RunStyle {
  readonly width: number;
  readonly paint?: Paint;
  /** Only the end. */
  readonly quiet?: boolean;
}

const STEP_WIDTH = 4;
const AGENT_MAX = 20;

export function runNdjson(report: RunReport): string {
  const { events, caches, violated, steps, unfinished, seed } = report;
  const { file, test, machine, kernel, set, drop } = report;
  const objects = [
    ...events.map((e) => ({ type: "event", ...e })),
    ...caches.map((c) => ({ type: "cache", ...c })),
    {
      ...{ type: "summary", file, test, machine, kernel, set, drop, seed, steps },
      ...{ events: events.length, stale: caches.filter((c) => c.stale).length },
      ...{ violated, unfinished },
    },
  ];
  return objects.map((o) => `${JSON.stringify(o)}\n`).join("");
}

export function runText(report: RunReport, style: RunStyle): string {
  const { width, paint = plain, quiet = false } = style;
  const settings = Object.entries(report.set).map(([k, v]) => ` ${k}=${v}`);
  const { file, machine, kernel, seed } = report;
  const drop = report.drop === null ? "" : ` without ${report.drop}`;
  const head = `${file}: ${machine} ${kernel}${drop}${settings.join("")}, seed ${seed}`;
  const lines = wrapText(head, width).map((l) => paint("strong", l));
  if (!quiet) lines.push(...eventLines(report, width, paint), "");
  lines.push(...cacheLines(report, width, paint), ...endLines(report, width, paint));
  return lines.map((l) => `${l.trimEnd()}\n`).join("");
}

function eventLines({ events }: RunReport, width: number, paint: Paint): string[] {
  const agents = Math.min(AGENT_MAX, Math.max(...events.map((e) => columns(e.agent)), 5));
  const indent = STEP_WIDTH + agents + 2;
  return events.flatMap((e) => {
    const free = e.event === "fill" || e.event === "evict";
    const what = free ? e.event : `${e.event} ${e.detail}`;
    const [first = "", ...rest] = wrapText(what, width - indent);
    const head = `${String(e.step).padStart(STEP_WIDTH)} ${pad(e.agent, agents)} ${first}`;
    const changes = Object.entries(e.changed).map(([name, value]) => `  ${name} = ${value}`);
    const below = [...rest, ...changes.flatMap((c) => indented(c, width - indent))];
    return [head, ...below.map((l) => paint("faint", " ".repeat(indent) + l))];
  });
}

/** Keeps the indentation of the text in the lines it is broken into. */
function indented(text: string, width: number): string[] {
  const by = /^ */.exec(text)![0];
  return wrapText(text.trimStart(), width - by.length).map((l) => by + l);
}

function cacheLines({ caches }: RunReport, width: number, paint: Paint): string[] {
  if (caches.length === 0) return ["no cache holds anything"];
  const names = Math.min(width / 2, Math.max(...caches.map((c) => columns(c.cache))));
  return caches.map(({ cache, holds, stale }) => {
    return `  ${pad(cache, names)}  ${holds}${stale ? paint("bad", "  STALE") : ""}`;
  });
}

function endLines(report: RunReport, width: number, paint: Paint): string[] {
  const { violated, unfinished, steps } = report;
  const ended = unfinished.map(({ thread, at }) => `${thread} is at ${at}`);
  const end =
    ended.length > 0 ? `${steps} steps; ${ended.join(", ")}` : `${steps} steps, all ended`;
  const broken = violated.map((v) => paint("bad", `violated: ${v}`));
  return [...broken, ...wrapText(end, width)];
}
