// SPDX-License-Identifier: Apache-2.0
// Writes docs/AUDIT.md: `npm run audits FILE...`, files of `shootdown audit --format ndjson`.

import { readFileSync, writeFileSync } from "node:fs";
import type { AuditSummary, PairLine } from "../packages/shootdown/src/report/audit.ts";
import { auditSummary, matrixText } from "../packages/shootdown/src/report/audit.ts";
import { wrapText } from "../packages/shootdown/src/report/columns.ts";
import { operationsOf } from "../packages/shootdown/src/study/audit.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";

const HEAD = `# Audits

Every pair of operations of [audit](man/shootdown-audit.md) on a kernel and a machine: what comes
out, and which finding of [FINDINGS.md](FINDINGS.md) has what is violated. What
\`shootdown audit --format ndjson\` printed becomes this page by \`npm run audits FILE...\`.
`;

const WIDTH = 100;

function page(files: readonly string[]): string {
  const lines = files.flatMap((f) => readFileSync(f, "utf8").trim().split("\n"));
  const objects = lines.map((l) => JSON.parse(l) as PairLine | AuditSummary);
  const groups = new Map<string, PairLine[]>();
  for (const line of objects) {
    if (line.type !== "pair") continue;
    const key = `${line.kernel} on ${line.machine}`;
    groups.set(key, [...(groups.get(key) ?? []), line]);
  }
  return [HEAD, ...[...groups].map(([title, own]) => section(title, own))].join("\n");
}

function section(title: string, lines: readonly PairLine[]): string {
  const { kernel, machine } = lines[0]!;
  const found = configure(machine, kernel, {});
  if (!found.ok) throw new Error(found.problem.name);
  const operations = operationsOf(found.configuration.kernel);
  const s = auditSummary(lines, 0, false);
  const rows = operations.map(({ name, silent = null }) => ({ name, silent }));
  const counts = [
    `${s.pairs} pairs, ${s.states} states: ${s.safe} safe`,
    `${s.violations} violations, ${s.known} of them known`,
    `${s.inconclusive} inconclusive, ${s.excluded} that are not at the same time`,
  ];
  const text = [
    `## ${title}`,
    "",
    ...wrapText(`${counts.join("; ")}.`, WIDTH),
    "",
    "```text",
    matrixText(rows, lines, WIDTH).trimEnd(),
    "```",
    "",
    ...violations(lines),
    ...inconclusive(lines),
  ];
  return `${text.join("\n")}\n`;
}

/** Pairs that violate something, by finding and by what. */
function violations(lines: readonly PairLine[]): string[] {
  const by = new Map<string, string[]>();
  for (const l of lines) {
    if (l.verdict !== "violation") continue;
    const key = `${l.finding ?? "In no finding"}, ${l.properties.join(", ")}`;
    by.set(key, [...(by.get(key) ?? []), `${l.a} | ${l.b}`]);
  }
  const sorted = [...by].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
  return sorted.flatMap(([key, pairs]) => [
    ...wrapText(`* ${key}: ${pairs.join("; ")}`, WIDTH),
    "",
  ]);
}

function inconclusive(lines: readonly PairLine[]): string[] {
  const open = lines.filter((l) => l.verdict === "inconclusive");
  return open.flatMap((l) => wrapText(`* inconclusive: ${l.a} | ${l.b}: ${l.reason}`, WIDTH));
}

writeFileSync("docs/AUDIT.md", page(process.argv.slice(2)));
