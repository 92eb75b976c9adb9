// SPDX-License-Identifier: Apache-2.0
// One finding of a recording as text that fits into a mail.
//
//   trace.txt:471: missing: ptep_set_access_flags: upgrade not invalidated
//       mm        0xffff0000409a4f00
//       pages     0xffff8cab1000-0xffff8cab2000, one
//       what      may now be written; no invalidation of the secondary TLB ...
//       entry     0x6000007ed60fc3 -> 0xe800007ed60f43
//       rule      A3: an entry that only denies may stay
import { printable } from "../base/diagnostic.ts";
import type { Finding } from "../trace/finding.ts";
import { PAGE_BITS } from "../trace/importers/word64.ts";
import { ruleText } from "../trace/rules.ts";
import { columns, pad, wrapText } from "./columns.ts";
import { entryText, layoutOfEntries } from "./entry-text.ts";

/** Under 75 columns, as mails of the kernel are. */
export const MAIL_WIDTH = 74;
const INDENT = 4;
const LABEL_WIDTH = 10;

/** What is wrong, in a few words behind the class. */
export function shortSentence({ class: found, operation, change, rule }: Finding): string {
  const what = change === null ? "" : `${change} `;
  switch (found) {
    case "missing":
      if (rule === "A18") return `${operation}: ${what}without break-before-make`;
      return `${operation}: ${what}not invalidated`;
    case "short":
      return `${operation}: ${what}invalidated in part`;
    case "late":
      return `${operation}: ${what}invalidated too late`;
    case "order":
      return `${operation}: in the wrong order`;
    case "unpaired":
      return `${operation}: no other half`;
    case "depends":
      return `${operation}: ${what}not invalidated`;
    case "excess":
      return `${operation}: wider than asked for`;
  }
}

/** The lines of a finding: `file:line: class: ...`, what there is to say, and those around it. */
export function findingLines(file: string, finding: Finding): string[] {
  const place = `${printable(file)}:${finding.line}: ${finding.class}:`;
  const short = printable(shortSentence(finding));
  const fits = columns(place) + 1 + columns(short) <= MAIL_WIDTH;
  const head = fits ? [`${place} ${short}`] : [place, ...indented(short)];
  return [...head, ...details(finding), ...context(finding)];
}

function details(finding: Finding): string[] {
  const { message, start, end, caller, during, stack, rule, knob, entries } = finding;
  const said = ruleText(rule);
  const doing = [
    finding.operation,
    ...(caller === undefined ? [] : [`called by ${caller}`]),
    ...(during === undefined ? [] : [`in ${during}`]),
  ];
  return [
    ...whose(finding),
    ...field("pages", `${start}-${end}${size(start, end)}`),
    ...field("what", message.replace(`${start}-${end} `, "")),
    ...(entries > 1 ? field("entries", `${entries}, side by side or by one operation`) : []),
    ...entryLines(finding),
    ...field("rule", said === undefined ? rule : `${rule}: ${said}`),
    ...(knob === undefined ? [] : field("knob", `${knob} decides: --set ${knob}=yes or no`)),
    ...field("doing", doing.join(", ")),
    ...field("task", taskOf(finding)),
    ...(stack === undefined ? [] : field("stack", stack.join(" < "))),
  ];
}

function entryLines({ old, new: now, mm }: Finding): string[] {
  if (old === null) return [];
  const layout = mm?.startsWith("0x") === true ? layoutOfEntries(old, now) : undefined;
  const before = entryText(old, layout);
  const after = now === null ? undefined : entryText(now, layout);
  return [
    ...field("entry", `${old} -> ${now ?? "cleared"}`),
    ...(before === undefined ? [] : field("", `old ${before}`)),
    ...(after === undefined ? [] : field("", `new ${after}`)),
  ];
}

/** The address space, or the IOMMU's domain and device. */
function whose({ mm, domain, device }: Finding): string[] {
  const kernel = mm?.startsWith("0x") === true;
  return [
    ...(mm === null ? [] : field(kernel ? "mm" : "space", mm)),
    ...(domain === undefined ? [] : field("domain", domain)),
    ...(device === undefined ? [] : field("device", device)),
  ];
}

function size(start: string, end: string): string {
  const bytes = Number(end) - Number(start);
  const pages = bytes / 2 ** PAGE_BITS;
  if (!Number.isInteger(pages) || pages <= 0 || pages > 2 ** 36) return "";
  return `, ${pages === 1 ? "one" : pages}`;
}

function taskOf({ task, pid, cpu, time }: Finding): string {
  const name = task === "" ? "" : `${task}${pid === 0 ? "" : `-${pid}`}, `;
  return `${name}CPU ${cpu}, at ${time}`;
}

/** The lines around it, broken where they are long; its own is marked. */
function context({ context: near = [], line }: Finding): string[] {
  return near.flatMap(({ line: number, text }) => {
    const mark = number === line ? ">" : " ";
    const width = MAIL_WIDTH - 15;
    const [first = "", ...rest] = wrapText(printable(text).replaceAll(/ +/g, " "), width);
    return [
      `${mark} ${String(number).padStart(8)} | ${first}`,
      ...rest.map((more) => `${" ".repeat(10)} |   ${more}`.trimEnd()),
    ];
  });
}

function indented(text: string): string[] {
  return wrapText(text, MAIL_WIDTH - INDENT).map((line) => " ".repeat(INDENT) + line);
}

function field(label: string, text: string): string[] {
  const width = MAIL_WIDTH - INDENT - LABEL_WIDTH;
  return wrapText(printable(text), width).map((line, at) => {
    const left = pad(at === 0 ? label : "", LABEL_WIDTH);
    return `${" ".repeat(INDENT)}${left}${line}`;
  });
}
