// SPDX-License-Identifier: Apache-2.0
// Kernels side by side: counts first, then times as intervals, then what decides.
//
//   n1-server             linux-6.1     linux-6.12
//     notifier calls          1,307             89
//     time, ms          3.9 9.6 27.7   3.4 8.6 25.7
//     less than linux-6.1              0.5 1.0 1.9    decided by cmd_ns

import type { Placement } from "../cost/compare.ts";
import type { CountName } from "../cost/course.ts";
import { COUNTS } from "../cost/course.ts";
import { TAGS } from "../cost/profile.ts";
import type { QuantityName } from "../cost/quantities.ts";
import type { Interval } from "../cost/timing.ts";
import type { Workload } from "../cost/workload.ts";
import { type Paint, pad, wrapText } from "./columns.ts";

/** How a count is called in a table. */
export const COUNT_LABELS: Readonly<Record<CountName, string>> = {
  flushes: "flushes of CPU TLBs",
  full_flushes: "  of an address space",
  tlbi: "TLBI instructions",
  dsb: "DSB",
  ipi: "interrupts to CPUs",
  notifier_calls: "notifier calls",
  cmd_tlbi: "CMD_TLBI",
  full_asid: "  of an address space",
  atc_inv: "CMD_ATC_INV",
  atc_all: "  of all pages",
  cmd_sync: "CMD_SYNC",
  pages_asked: "pages asked",
  pages_invalidated: "pages invalidated",
  faults: "page faults",
  steps: "steps of routines",
};
const ORDER = Object.keys(COUNT_LABELS) as CountName[];
/** Zero says something about these. */
const ALWAYS: ReadonlySet<CountName> = new Set(["flushes", "notifier_calls", "pages_asked"]);

export interface CostStyle {
  readonly width: number;
  readonly paint: Paint;
  readonly verbose: boolean;
}

/** One line of NDJSON. */
export function costNdjson(workload: string, p: Placement): string {
  const { kernel, profile, counts, time, decided_by, saves } = p;
  const contract = Object.fromEntries(COUNTS.map((name) => [name, counts[name]]));
  const object = {
    ...{ type: "cost", workload, kernel, profile: profile.name },
    ...{ counts: contract, time_ns: rounded(time), decided_by: decided_by ?? null },
    saves_ns: saves === undefined ? null : rounded(saves.interval),
    undecided: saves?.undecided ?? null,
    saves_decided_by: saves?.decided_by ?? null,
    ...{ operations: p.operations, refills: p.refills },
    skipped: Object.fromEntries(p.skipped),
  };
  return `${JSON.stringify(object)}\n`;
}

const rounded = ({ low, mid, high }: Interval): Interval => ({
  low: Math.round(low),
  mid: Math.round(mid),
  high: Math.round(high),
});

/** What ran, and what is assumed of it. */
export function workloadLines(workload: Workload, operations: number, style: CostStyle): string[] {
  const { width, paint } = style;
  const count = `${number(operations)} operations`;
  const [first, ...more] = indented(`${workload.name}: ${workload.title} (${count})`, width, 0);
  const head = [first!.replace(workload.name, paint("strong", workload.name)), ...more];
  const assumed = workload.assumptions.flatMap((a) => indented(`assumed: ${a}`, width, 2));
  return [...head, ...indented(workload.provenance, width, 2), ...assumed];
}

/** All kernels of one profile. */
export function profileLines(sides: readonly Placement[], style: CostStyle): string[] {
  const { paint } = style;
  const { profile } = sides[0]!;
  const column = Math.max(13, ...sides.map((s) => s.kernel.length + 2));
  const right = (text: string) => text.padStart(column);
  const title = `${paint("strong", profile.name)}  ${profile.title}`;
  const heads = sides.map((s) => right(s.kernel)).join("");
  const rows = countsShown(sides, style.verbose).map((name) =>
    row(
      COUNT_LABELS[name],
      sides.map((s) => right(number(s.counts[name]))),
    ),
  );
  if (sides.some((s) => s.refills > 0)) {
    const cells = sides.map((s) => right(number(s.refills)));
    rows.push(row(REFILLS_LABEL, cells));
  }
  const unit = unitOf(Math.max(...sides.map((s) => s.time.mid)));
  const times = (["low", "mid", "high"] as const).map((corner) =>
    row(
      `time ${corner}, ${unit.name}`,
      sides.map((s) => right(fixed(s.time[corner] / unit.ns))),
    ),
  );
  return [title, pad("", LABEL) + heads, ...rows, ...times, ...verdicts(sides, style)];
}

/** Counts that say something of these, in their order. */
export function countsShown(sides: readonly Placement[], verbose: boolean): CountName[] {
  return ORDER.filter((name) => name !== "steps" || verbose).filter(
    (name) => ALWAYS.has(name) || sides.some((s) => s.counts[name] !== 0),
  );
}

/** Accesses of devices after their translation was invalidated. */
export const REFILLS_LABEL = "translated again";

const LABEL = 26;
const row = (label: string, cells: readonly string[]): string =>
  pad(`  ${label}`, LABEL) + cells.join("");

function verdicts(sides: readonly Placement[], { width, paint }: CostStyle): string[] {
  return verdictsOf(sides).flatMap(({ text, sign }) => {
    const said = indented(text, width, 2);
    // The first line alone of what is not decided.
    if (sign === "unsure") return said.map((l, n) => (n === 0 ? paint(sign, l) : l));
    return sign === "same" ? said : said.map((l) => paint(sign, l));
  });
}

export interface CostVerdict {
  readonly text: string;
  readonly sign: "good" | "bad" | "unsure" | "same";
}

/** Of each further kernel: what it saves, and what would have to be measured. */
export function verdictsOf(sides: readonly Placement[]): CostVerdict[] {
  const [first] = sides;
  const said = new Map<string, string[]>();
  // Kernels that come out alike are said in one line.
  for (const { saves, kernel } of sides) {
    if (saves === undefined) continue;
    const key = JSON.stringify(saves);
    said.set(key, [...(said.get(key) ?? []), kernel]);
  }
  return [...said.values()].map((kernels) => {
    const side = sides.find((s) => s.kernel === kernels[0])!;
    return verdictOf(side, first!, `${kernels.join(", ")} against ${first!.kernel}`);
  });
}

function verdictOf(side: Placement, first: Placement, against: string): CostVerdict {
  const { interval, undecided, decided_by } = side.saves!;
  const { low, mid, high } = interval;
  if (low === 0 && high === 0) return { text: `${against}: the same`, sign: "same" };
  const unit = unitOf(Math.max(Math.abs(low), Math.abs(high)));
  const range = (a: number, b: number) =>
    `${fixed(a / unit.ns)} to ${fixed(b / unit.ns)} ${unit.name}`;
  const decided = decided_by === undefined ? "" : `; ${decides(side, decided_by)}`;
  if (undecided) {
    const text = `${against}: undecided on public data, ${range(low, high)} saved${decided}`;
    return { text, sign: "unsure" };
  }
  const share = mid / Math.max(first.time.mid, side.time.mid);
  const percent = `${Math.abs(100 * share).toFixed(Math.abs(share) < 0.1 ? 1 : 0)} %`;
  return mid > 0
    ? { text: `${against}: saves ${range(low, high)} (${percent})${decided}`, sign: "good" }
    : { text: `${against}: costs ${range(-high, -low)} more (${percent})${decided}`, sign: "bad" };
}

/** The quantity that decides, its value and how it is known. */
function decides({ profile }: Placement, name: QuantityName): string {
  const q = profile.quantities[name];
  if (q === undefined) return `decided by ${name}`;
  return `decided by ${name} = ${q.value} (${q.low} to ${q.high}, ${TAGS[q.tag]})`;
}

/** What the numbers are of, once below all. */
export function footLines(sides: readonly Placement[], style: CostStyle): string[] {
  const skipped = new Map<string, number>();
  for (const s of sides) for (const [what, n] of s.skipped) skipped.set(what, n);
  const left = [...skipped].map(([what, n]) => `not run: ${number(n)} x ${what}`);
  const refills = sides.some((s) => s.refills > 0)
    ? []
    : ["accesses of devices are not in the workload: what they lose is not counted"];
  return [...left, ...refills].flatMap((text) => indented(text, style.width, 0));
}

function indented(text: string, width: number, by: number): string[] {
  const [head, ...rest] = wrapText(text, width - by);
  const first = " ".repeat(by) + head;
  const more = wrapText(rest.join(" "), width - by - 4).filter((l) => l !== "");
  return [first, ...more.map((l) => " ".repeat(by + 4) + l)];
}

export interface Unit {
  readonly name: string;
  readonly ns: number;
}
const UNITS: readonly Unit[] = [
  { name: "s", ns: 1e9 },
  { name: "ms", ns: 1e6 },
  { name: "us", ns: 1e3 },
  { name: "ns", ns: 1 },
];
export const unitOf = (ns: number): Unit => UNITS.find((u) => ns >= 10 * u.ns) ?? UNITS.at(-1)!;

export const fixed = (x: number): string =>
  number(x, Math.abs(x) >= 100 ? 0 : Math.abs(x) >= 10 ? 1 : 2);

/** 12,345.6 */
export function number(x: number, digits = 0): string {
  const [whole, fraction] = Math.abs(x).toFixed(digits).split(".") as [string, string?];
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const sign = x < 0 && Number(x.toFixed(digits)) !== 0 ? "-" : "";
  return sign + grouped + (fraction === undefined ? "" : `.${fraction}`);
}
