// SPDX-License-Identifier: Apache-2.0
// The end of the check of a recording as text: the verdict, and the counts in columns.
//
//   verdict                 violates: 94 missing
//   changes judged            224   of 2 address spaces, in 8810 events
//     conforming              127
//     missing                  94
import { printable } from "../base/diagnostic.ts";
import { FINDING_CLASSES, type Reasons, type TraceSummary, traceStatus } from "../trace/finding.ts";
import { wrapText } from "./columns.ts";
import { MAIL_WIDTH } from "./trace-finding.ts";
import { flushLines, iommuLines } from "./trace-iommu.ts";

const LABEL_WIDTH = 24;
const COUNT_WIDTH = 8;
const INDENT = 4;

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
    ...entry("verdict", verdict(s)),
    ...entry("format", s.format),
    ...entry("kernel", `${s.kernel}: ${s.contract}`),
    ...entry("machine", machine(s)),
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

/** What the exit status says, in words. */
function verdict(s: TraceSummary): string {
  const counts: readonly (readonly [string, number])[] = [
    ...FINDING_CLASSES.filter((name) => name !== "excess" && name !== "depends").map(
      (name) => [name, name === "missing" ? s.missing + s.dirty_missing : s[name]] as const,
    ),
  ];
  const found = counts.filter(([, count]) => count > 0).map(([name, count]) => `${count} ${name}`);
  const unclear = [
    ...(s.depends > 0 ? [`${s.depends} depend on denyRewalk`] : []),
    ...(s.undecidable > 0 ? [`${s.undecidable} undecidable`] : []),
  ];
  switch (traceStatus({ ok: true, summary: s })) {
    case 1:
      return `violates: ${[...found, ...unclear].join(", ")}`;
    case 0:
      return "conforms, as far as it is recorded";
    default:
      return `cannot tell: ${unclear.length > 0 ? unclear.join(", ") : "nothing to judge"}`;
  }
}

function machine({ machine: asked, layout }: TraceSummary): string {
  const entries = layout === "none" ? "no page-table entries recorded" : `${layout} entries`;
  return asked === null ? entries : `${asked}, as asked for; ${entries}`;
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

/** Words in lines that begin with `indent` spaces. */
function wrap(text: string, indent: number): string[] {
  return wrapText(text, MAIL_WIDTH - indent).map((line) => " ".repeat(indent) + line);
}
