// SPDX-License-Identifier: Apache-2.0
// The report of costs: well-formed, closed, escaped, with the same numbers as the NDJSON.

import { expect, test } from "vitest";
import { compare } from "../../cost/compare.ts";
import { plotOf } from "../../cost/plots.ts";
import { profileNamed } from "../../cost/profiles.ts";
import type { Call, Operation, Workload } from "../../cost/workload.ts";
import { costNdjson } from "../cost.ts";
import { logAxis } from "./cost-axis.ts";
import { type CostReport, costHtml } from "./cost-html.ts";
import { cliffLines, plotSvg } from "./cost-plot.ts";

const EVIL = `</style><script>alert(1)</script> & "it's" \u0001`;
const kernels = ["linux-6.1", "linux-6.12"];
const profiles = [profileNamed("n1-server")!, profileNamed("sapphire-rapids")!];

const span = { start: 2 ** 30, end: 2 ** 30 + 40 * 4096 };
const calls: Call[] = [
  ...([{ call: "mmap", span, writable: true, accessible: true }] as const).map((c) => ({
    ...{ ...c, shared: false, file: false, populate: false },
  })),
  { call: "touch", span, write: true },
  { call: "munmap", span },
];
const operations = calls.map((call): Operation => ({ at_ns: 0, tid: 1, pid: 1, line: 0, call }));
const workload: Workload = {
  ...{ name: EVIL, title: EVIL, provenance: EVIL, assumptions: [EVIL], operations },
};
const sides = [...compare(workload, kernels, profiles)];
const plots = profiles.map((profile) => plotOf("pages", kernels, profile));
const report: CostReport = {
  ...{ kernels, profiles, workloads: [{ workload, sides }], plots, version: "1.2.3" },
};
const html = costHtml(report, "default-src 'none'");

/** Every element that is opened is closed, in order; attributes are quoted. */
function wellFormed(text: string): void {
  const open: string[] = [];
  const VOID = ["meta", "rect", "line", "circle", "polygon", "polyline"];
  const tag = /<(\/?)([a-z][a-z0-9]*)((?:\s[a-zA-Z][a-zA-Z0-9-]*="[^"<]*")*)\s*(\/?)>/gy;
  for (let at = text.indexOf("<html"); at >= 0; at = text.indexOf("<", tag.lastIndex)) {
    tag.lastIndex = at;
    const found = tag.exec(text);
    if (found === null) throw new Error(`at ${text.slice(at, at + 60)}`);
    if (found[1] === "/") expect(open.pop()).toBe(found[2]);
    else if (!VOID.includes(found[2]!)) open.push(found[2]!);
  }
  expect(open).toEqual([]);
}

test("well-formed, and nothing of the input is an element", () => {
  wellFormed(html);
  expect(html).not.toContain("<script");
  expect(html).toContain("&lt;/style&gt;&lt;script&gt;alert(1)");
  expect(html).not.toContain("\u0001");
});

test("it asks for nothing", () => {
  expect(html).not.toMatch(/\b(?:src|href|style|on[a-z]+)="/);
  expect(html).not.toMatch(/url\(|@import|<link|<img/);
  // Of XML's namespace alone.
  for (const url of html.match(/https?:[^"<\s]*/g) ?? []) {
    expect(url).toBe("http://www.w3.org/2000/svg");
  }
});

test("numbers are those of the NDJSON", () => {
  const data = [...html.matchAll(/<data value="([^"]*)">/g)].map((m) => Number(m[1]));
  const has = new Set(data);
  for (const side of sides) {
    const said = JSON.parse(costNdjson("x", side));
    for (const corner of ["low", "mid", "high"]) {
      expect(has.has(said.time_ns[corner]), `${side.kernel} ${corner}`).toBe(true);
    }
    for (const name of ["flushes", "tlbi", "notifier_calls", "cmd_tlbi", "pages_invalidated"]) {
      expect(has.has(said.counts[name]), `${side.kernel} ${name}`).toBe(true);
    }
  }
});

test("each quantity of each profile is there, and those assumed are marked", () => {
  for (const { name, quantities } of profiles) {
    const section = html.slice(html.indexOf(`Quantities of ${name}`));
    for (const q of Object.keys(quantities)) expect(section).toContain(`<code>${q}</code>`);
  }
  const assumed = profiles.flatMap((p) => Object.values(p.quantities)).filter((q) => q.tag === "A");
  const marked = html.match(/<tr class="assumed"><th>(?!the time|what is)/g) ?? [];
  expect(marked).toHaveLength(assumed.length);
});

test("cliffs are drawn and said: 512 pages, 33 on x86", () => {
  const [arm, x86] = plots as [(typeof plots)[0], (typeof plots)[0]];
  expect(plotSvg(arm, kernels)).toContain(">512 pages: a drop</text>");
  expect(cliffLines(arm).join("\n")).toMatch(/from 511 to 512 pages: .*CMD_TLBI 511 to 1/);
  expect(plotSvg(x86, kernels)).toContain(">34 pages: a drop</text>");
  expect(cliffLines(x86).join("\n")).toMatch(/from 33 to 34 pages/);
  wellFormed(`<html>${plotSvg(arm, kernels)}</html>`);
});

test("a logarithmic axis goes through its ends", () => {
  const axis = logAxis([1, 100], 0, 200);
  expect([1, 10, 100].map((x) => Math.round(axis.at(x)))).toEqual([0, 100, 200]);
  expect(axis.ticks).toEqual([1, 10, 100]);
});
