// SPDX-License-Identifier: Apache-2.0
// The figures of the shipped workloads, as docs/WORKLOADS.md shows them.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openWorkload } from "../../packages/shootdown/src/cost/workloads/open.ts";
import { SHIPPED } from "../../packages/shootdown/src/cost/workloads/shipped.ts";
import { summarise } from "../../packages/shootdown/src/cost/workloads/summary.ts";
import { bytesOf } from "../../packages/shootdown/src/trace/importers/bytes.ts";
import { root } from "./files.ts";

export const WORKLOADS_PAGE = join(root, "docs/WORKLOADS.md");

const HEAD = [
  "| name | processes, tasks | mmap | ranges | of no used page | median pages | of 1 page " +
    "| of 512 and more | pages used | fork, exec | ms |",
  "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
];

/** A row for each of them. */
export async function workloadTable(): Promise<string> {
  const rows: string[] = [];
  for (const { name } of SHIPPED) {
    const path = join(root, `packages/shootdown/fixtures/workloads/${name}.txt.gz`);
    const result = await openWorkload(name, bytesOf(readFileSync(path)));
    if (!("workload" in result)) throw new Error(`${name}: ${result.diagnostics[0]?.message}`);
    const s = summarise(result.workload);
    const share = (part: number) => `${Math.round((100 * part) / s.ranges)} %`;
    const cells = [
      ...[`\`${name}\``, `${s.processes}, ${s.tasks}`, s.calls.mmap ?? 0, s.ranges],
      ...[share(s.unused), s.median_pages, share(s.one_page), share(s.many_pages), s.touches],
      ...[`${s.calls.fork ?? 0}, ${s.calls.exec ?? 0}`, Math.round(1000 * s.seconds)],
    ];
    rows.push(`| ${cells.join(" | ")} |`);
  }
  return [...HEAD, ...rows].join("\n");
}

const BEGIN = "<!-- figures: npm run workloads -->";
const END = "<!-- end of figures -->";

/** The page with the table in its place. */
export function withTable(page: string, table: string): string {
  const from = page.indexOf(BEGIN) + BEGIN.length;
  const to = page.indexOf(END);
  if (from < BEGIN.length || to < from) throw new Error("the page has no place for the figures");
  return `${page.slice(0, from)}\n${table}\n${page.slice(to)}`;
}
