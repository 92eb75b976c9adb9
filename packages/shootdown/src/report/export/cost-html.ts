// SPDX-License-Identifier: Apache-2.0
// A comparison of costs as one document: it needs no program and asks for nothing.
//
//   what ran, what is assumed
//   each workload, each profile    counts | times as bars | what each kernel saves | what decides
//   each profile                   plots with their cliffs
//   each profile                   all its quantities, with where they are from

import type { Placement } from "../../cost/compare.ts";
import type { Plot } from "../../cost/plots.ts";
import { type Profile, type Quantity, TAGS } from "../../cost/profile.ts";
import { QUANTITIES, QUANTITY_NAMES, type QuantityName } from "../../cost/quantities.ts";
import type { Workload } from "../../cost/workload.ts";
import {
  COUNT_LABELS,
  countsShown,
  fixed,
  number,
  REFILLS_LABEL,
  unitOf,
  verdictsOf,
} from "../cost.ts";
import { escaped } from "./cost-axis.ts";
import { savingBars, timeBars } from "./cost-bars.ts";
import { cliffLines, PLOT_WORDS, plotSvg } from "./cost-plot.ts";
import { COST_STYLE } from "./cost-style.ts";

export interface CostOfWorkload {
  readonly workload: Workload;
  /** Kernels in their order on each profile in its order. */
  readonly sides: readonly Placement[];
}

export interface CostReport {
  readonly kernels: readonly string[];
  readonly profiles: readonly Profile[];
  readonly workloads: readonly CostOfWorkload[];
  readonly plots: readonly Plot[];
  /** Of this program. */
  readonly version: string;
}

/** `policy`: what the document may load; nothing but its style. */
export function costHtml(report: CostReport, policy: string): string {
  const names = report.workloads.map((w) => w.workload.name).join(", ");
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
    '<meta name="color-scheme" content="light dark">',
    `<title>Cost of ${escaped(names)}</title>`,
    `<style>${COST_STYLE}</style>`,
    "</head>",
    "<body>",
    ...head(report, names),
    "<main>",
    costSections(report),
    "</main>",
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

/** Its sections, for a page that has a head of its own. */
export const costSections = (report: CostReport): string =>
  [
    ...report.workloads.flatMap((w) => ofWorkload(w, report)),
    ...plotsIn(report),
    ...report.profiles.flatMap(quantitiesOf),
  ].join("\n");

function head({ kernels, profiles, version }: CostReport, names: string): string[] {
  return [
    "<header>",
    `<h1>What invalidations cost: ${escaped(names)}</h1>`,
    "<p>The kernels' own routines, run for every operation of the workload in a model of the " +
      "machine. Counts are exact. Times are intervals: the low and the high end of all that " +
      "nobody has measured. They are no times of a machine that its owner has not calibrated: " +
      "locks of the kernel, caches and frequencies are not in them.</p>",
    "<dl>",
    `<dt>Kernels</dt><dd>${kernels.map(escaped).join(", ")}; the first is what the others ` +
      "are compared with</dd>",
    `<dt>Profiles</dt><dd>${profiles.map((p) => escaped(p.name)).join(", ")}</dd>`,
    `<dt>Made by</dt><dd>shootdown ${escaped(version)}</dd>`,
    "</dl>",
    "</header>",
  ];
}

function ofWorkload({ workload, sides }: CostOfWorkload, { profiles }: CostReport): string[] {
  const { name, title, provenance, assumptions } = workload;
  const skipped = new Map<string, number>();
  for (const s of sides) for (const [what, n] of s.skipped) skipped.set(what, n);
  const lost = sides.some((s) => s.refills > 0)
    ? []
    : ["accesses of devices are not in the workload: what they lose is not counted"];
  const left = [...skipped].map(([what, n]) => `not run: ${number(n)} x ${what}`);
  const assumed = [...assumptions, ...left, ...lost].map((a) => `<li>${escaped(a)}</li>`);
  return [
    `<section><h2>${escaped(name)}</h2>`,
    "<dl>",
    `<dt>What ran</dt><dd>${escaped(title)}</dd>`,
    `<dt>From</dt><dd>${escaped(provenance)}</dd>`,
    `<dt>Operations</dt><dd>${number(sides[0]?.operations ?? 0)}</dd>`,
    `<dt>Assumed</dt><dd><ul>${assumed.join("")}</ul></dd>`,
    "</dl>",
    ...profiles.flatMap((p) => onProfile(sides.filter((s) => s.profile.name === p.name))),
    "</section>",
  ];
}

function onProfile(sides: readonly Placement[]): string[] {
  const [first] = sides;
  if (first === undefined) return [];
  const saved = savingBars(sides);
  const verdicts = verdictsOf(sides).map(
    ({ text, sign }) => `<li class="${sign}">${escaped(text)}</li>`,
  );
  return [
    titled(first.profile),
    '<div class="pair">',
    `<div class="wide">${countsTable(sides)}</div>`,
    `<div><figure><figcaption><b>Time, low to high</b></figcaption>${timeBars(sides)}</figure>`,
    ...(saved === undefined
      ? []
      : [
          `<figure><figcaption><b>Saved against ${escaped(first.kernel)}</b></figcaption>`,
          `${saved}<ul>${verdicts.join("")}</ul></figure>`,
        ]),
    "</div></div>",
    decidesTable(sides),
  ];
}

const titled = ({ name, title }: Profile): string =>
  `<h3>${escaped(name)} <small>${escaped(title)}</small></h3>`;

function countsTable(sides: readonly Placement[]): string {
  const heads = sides.map((s) => `<th class="n">${escaped(s.kernel)}</th>`).join("");
  const cell = (value: number, shown: string) =>
    `<td class="n"><data value="${value}">${shown}</data></td>`;
  const counts = countsShown(sides, false).map((name) => {
    const text = COUNT_LABELS[name];
    const sub = text.startsWith(" ") ? ' class="sub"' : "";
    const cells = sides.map((s) => cell(s.counts[name], number(s.counts[name])));
    return `<tr><th${sub}>${escaped(text.trim())}</th>${cells.join("")}</tr>`;
  });
  if (sides.some((s) => s.refills > 0)) {
    const cells = sides.map((s) => cell(s.refills, number(s.refills)));
    counts.push(`<tr><th>${REFILLS_LABEL}</th>${cells.join("")}</tr>`);
  }
  const unit = unitOf(Math.max(...sides.map((s) => s.time.mid)));
  const times = (["low", "mid", "high"] as const).map((corner) => {
    const cells = sides.map((s) =>
      cell(Math.round(s.time[corner]), fixed(s.time[corner] / unit.ns)),
    );
    return `<tr class="time"><th>time ${corner}, ${unit.name}</th>${cells.join("")}</tr>`;
  });
  const body = [...counts, ...times].join("\n");
  return `<table><thead><tr><td></td>${heads}</tr></thead><tbody>\n${body}\n</tbody></table>`;
}

/** Which quantity moves each result most: the one to measure. */
function decidesTable(sides: readonly Placement[]): string {
  const rows = new Map<string, { of: string[]; name: string }>();
  const add = (of: string, name: string | undefined, group: string) => {
    if (name === undefined) return;
    const row = rows.get(group + name) ?? { of: [], name };
    row.of.push(of);
    rows.set(group + name, row);
  };
  for (const s of sides) add(s.kernel, s.decided_by, "the time of ");
  for (const s of sides) if (s.saves) add(s.kernel, s.saves.decided_by, "what is saved by ");
  const { quantities } = sides[0]!.profile;
  const body = [...rows].map(([key, { of, name }]) => {
    const group = key.slice(0, key.length - name.length);
    const what = `<th>${group}${of.map(escaped).join(", ")}</th>`;
    return quantityRow(name as QuantityName, quantities[name as QuantityName], what);
  });
  if (body.length === 0) return "";
  return (
    '<div class="wide"><table><thead><tr><th>What decides</th>' +
    `${QUANTITY_HEADS}</tr></thead><tbody>\n${body.join("\n")}\n</tbody></table></div>`
  );
}

const QUANTITY_HEADS =
  '<th>quantity</th><th class="n">value</th><th class="n">range</th><th>known how</th>' +
  "<th>source</th>";

function quantityRow(name: QuantityName, q: Quantity | undefined, before: string): string {
  const what = `<td><code>${name}</code></td>`;
  if (q === undefined) return `<tr>${before}${what}<td colspan="4">not in the profile</td></tr>`;
  const range = q.low === q.high ? "" : `${number3(q.low)} to ${number3(q.high)}`;
  return (
    `<tr${q.tag === "A" ? ' class="assumed"' : ""}>${before}${what}` +
    `<td class="n"><data value="${q.value}">${number3(q.value)}</data></td>` +
    `<td class="n">${range}</td><td class="tag">${q.tag}: ${escaped(TAGS[q.tag])}</td>` +
    `<td>${escaped(q.source)}</td></tr>`
  );
}

/** Up to three digits after the point. */
const number3 = (x: number): string => {
  const digits = Number.isInteger(x) ? 0 : 3;
  return digits === 0 ? number(x) : number(x, digits).replace(/0+$/, "");
};

function plotsIn({ plots, profiles, kernels }: CostReport): string[] {
  if (plots.length === 0) return [];
  const body = profiles.flatMap((profile) => {
    const own = plots.filter((p) => p.profile.name === profile.name);
    if (own.length === 0) return [];
    return [
      titled(profile),
      '<div class="pair">',
      ...own.map((plot) => figureOf(plot, kernels)),
      "</div>",
    ];
  });
  return [
    "<section><h2>Where the cliffs are</h2>",
    "<p>Small loops run by the same routines and against the same clock, one point a run. The " +
      "band behind a line is its interval; cliffs are found in the points, not known.</p>",
    ...body,
    "</section>",
  ];
}

function figureOf(plot: Plot, kernels: readonly string[]): string {
  const { title, about } = PLOT_WORDS[plot.kind];
  const zero = plot.series.filter((s) => s.points.every((p) => p.y === 0));
  const none = zero.map((s) => `${s.names.join(", ")}: nothing, at any number`);
  const said = [...cliffLines(plot), ...none].map((l) => `<li>${escaped(l)}</li>`);
  return [
    `<figure><figcaption><b>${title}</b> <span class="faint">${escaped(about)} ` +
      "Time of one round.</span></figcaption>",
    plotSvg(plot, kernels),
    said.length === 0 ? "" : `<ul>${said.join("")}</ul>`,
    "</figure>",
  ].join("\n");
}

/** All that the machine's profile says. */
function quantitiesOf(profile: Profile): string[] {
  const { quantities, features, machine } = profile;
  const rows = QUANTITY_NAMES.flatMap((name) => {
    const q = quantities[name];
    return q === undefined
      ? []
      : [quantityRow(name, q, `<th>${escaped(QUANTITIES[name].describes)}</th>`)];
  });
  const assumed = Object.values(quantities).filter((q) => q.tag === "A").length;
  const parts = Object.entries(features).map(([name, value]) => `${name} ${value}`);
  return [
    `<section><h2>Quantities of ${escaped(profile.name)}</h2>`,
    `<p>${escaped(machine)}: ${parts.map(escaped).join(", ")}. Of ${rows.length} quantities ` +
      `${assumed} are assumed, and marked.</p>`,
    `<div class="wide"><table><thead><tr><th>What</th>${QUANTITY_HEADS}</tr></thead><tbody>`,
    ...rows,
    "</tbody></table></div></section>",
  ];
}
