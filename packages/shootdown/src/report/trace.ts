// SPDX-License-Identifier: Apache-2.0
// The check of a recording as text: a line for each finding, then the counts in columns.
//
//   trace.txt:471: missing: ptep_set_access_flags (upgrade): 0xffff8cab1000-0xffff8cab2000 ...
//
//   changes judged            224   of 2 address spaces, in 8810 events
//     conforming              127
//     missing                  94
import { printable } from "../base/diagnostic.ts";
import type { Finding, Reasons, TraceSummary } from "../trace/finding.ts";
import { flushLines, iommuLines } from "./trace-iommu.ts";

/** The text goes beyond no column but where a word is longer. */
const WIDTH = 74;
const LABEL_WIDTH = 24;
const COUNT_WIDTH = 8;
const INDENT = 4;

/** The lines of one finding: `file:line: class: ...`, then those around it, if it has any. */
export function findingLines(file: string, finding: Finding): string[] {
  const { line, operation, change, old, new: now } = finding;
  const kind = change === null ? "" : ` (${change})`;
  const entry = old === null ? "" : `, ${old} -> ${now ?? "?"}`;
  const what = `${operation}${kind}: ${finding.message} [${whose(finding)}${entry}]`;
  const head = `${file}:${line}: ${finding.class}: ${what}`;
  const context = (finding.context ?? []).map(
    (near) => `${near.line === line ? ">" : " "} ${String(near.line).padStart(8)} | ${near.text}`,
  );
  return [head, ...context].map(printable);
}

/** The address space, or the IOMMU's domain and device, and the rule. */
function whose({ mm, domain, device, start, end, rule }: Finding): string {
  if (mm !== null) return rule === undefined ? `mm ${mm}` : `mm ${mm}, ${rule}`;
  const parts = [
    domain === undefined ? undefined : `domain ${domain}`,
    device === undefined ? undefined : `device ${device}`,
    `${start}-${end}`,
    rule,
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}

/** The lines of the summary, of at most 74 columns. */
export function summaryLines(summary: TraceSummary): string[] {
  const s = summary;
  const spaces = s.watched_mms === 1 ? "1 address space" : `${s.watched_mms} address spaces`;
  const log = s.judged !== undefined && s.watched_mms === 0;
  const alone = s.iommu !== undefined && s.watched_mms === 0;
  const counts: readonly (readonly [string, number, string, boolean])[] = [
    alone
      ? ["events read", s.events, "", true]
      : log
        ? ["invalidations judged", s.changes, `in ${s.events} events`, true]
        : ["changes judged", s.changes, `of ${spaces}, in ${s.events} events`, true],
    ["  conforming", s.conforming, log ? "completed" : "invalidated in time", !alone],
    ["  missing", s.missing, "", !alone],
    ["  missing (flags)", s.dirty_missing, "clean to dirty, no hardware dirty state", false],
    ["  short", s.short, "other pages were invalidated", false],
    ["  late", s.late, "after the kernel relied on it", false],
    ["  order", s.order, "before the change", false],
    ["  depends", s.depends, "right if a denial is walked again (V10)", false],
    ["permission upgrades", s.upgrades, "by ptep_set_access_flags", !log && !alone],
    ["dirty upgrades", s.dirty_upgrades, "clean to dirty, ptep_set_access_flags", false],
    ["unpaired", s.unpaired, "range_start and range_end do not pair", false],
    ["excess", s.excess, "wider than asked for (advice)", false],
    ["cannot tell", s.undecidable, "", false],
    ["lines not understood", s.ignored_lines, "", false],
    ["events malformed", s.malformed, "", false],
    ["places with lost events", s.lost_places, "", false],
  ];
  const shown = counts.filter(([, count, , always]) => always || count > 0);
  return [
    ...entry("format", s.format),
    ...entry("kernel", `${s.kernel}: ${s.contract}`),
    ...entry("descriptors", s.layout),
    "",
    ...shown.map(([label, count, text]) => row(label, count, text)),
    ...Object.entries(s.counts ?? {}).flatMap(([group, counts]) => reasons(group, counts)),
    ...reasons("cannot tell, because", s.undecidable_reasons),
    ...reasons("nothing owed", s.exempt),
    ...reasons("not judged", s.not_judged),
    ...reasons("forgotten, at the limit", s.evicted),
    ...(s.iommu === undefined ? [] : iommuLines(s.iommu)),
    ...(s.cpu_flushes === undefined ? [] : flushLines(s.cpu_flushes)),
    ...(!(s.judged ?? s.watched_mms > 0) ? ["", ...wrap(nothing(s), 0)] : []),
    ...s.notes.flatMap((note, at) => [...(at === 0 ? [""] : []), ...wrap(`note: ${note}`, 0)]),
  ].map((line) => printable(line).trimEnd());
}

/** What was not there, and what records it. */
function nothing({ judged }: TraceSummary): string {
  if (judged !== undefined) return "nothing in it to judge";
  return (
    "no address space with a notifier: nothing was judged; record mn_register and the other " +
    "mn_* probes (docs/TRACE.md), or name one with --mm"
  );
}

function row(label: string, count: number, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${String(count).padStart(COUNT_WIDTH)}   ${text}`;
}

function entry(label: string, text: string): string[] {
  const [first = "", ...rest] = wrap(text, LABEL_WIDTH);
  return [`${label.padEnd(LABEL_WIDTH)}${first.trimStart()}`, ...rest];
}

function reasons(title: string, counts: Reasons): string[] {
  const entries = Object.entries(counts);
  if (entries.length === 0) return [];
  const lines = entries.flatMap(([why, count]) => {
    const [first = "", ...rest] = wrap(why, COUNT_WIDTH + INDENT);
    return [`${String(count).padStart(COUNT_WIDTH)}    ${first.trimStart()}`, ...rest];
  });
  return ["", `${title}:`, ...lines];
}

/** Words in lines that begin with `indent` spaces and end before column WIDTH. */
function wrap(text: string, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => " ".repeat(indent) + one);
}
