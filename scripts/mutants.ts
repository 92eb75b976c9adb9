// SPDX-License-Identifier: Apache-2.0
// Writes the figures of docs/MUTANTS.md: `npm run mutants FILE.ndjson...`, files of
// `shootdown mutate --format ndjson`; without files, the table of forgotten calls.

import { readFileSync, writeFileSync } from "node:fs";
import type { MutantLine } from "../packages/shootdown/src/report/mutate.ts";
import { mutateSummary } from "../packages/shootdown/src/report/mutate.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";
import { readExplained, reasonFor } from "../packages/shootdown/src/study/explained.ts";
import type { Forgotten } from "../packages/shootdown/src/study/forgotten.ts";
import { FORGOTTEN_MACHINES, forgotten } from "../packages/shootdown/src/study/forgotten.ts";

const target = "docs/MUTANTS.md";
const KERNELS = ["linux-6.1", "linux-6.12"];
const LIMITS = { states_max: 10_000, bytes_max: 2 ** 30 };

/** What is between two marks is replaced. */
function replaced(page: string, mark: string, lines: readonly string[]): string {
  const [begin, end] = [`<!-- ${mark} -->\n`, `<!-- end of ${mark} -->\n`];
  const from = page.indexOf(begin) + begin.length;
  const to = page.indexOf(end);
  if (from < begin.length || to < 0) throw new Error(`${target} has no mark ${mark}`);
  return `${page.slice(0, from)}${lines.map((l) => `${l}\n`).join("")}${page.slice(to)}`;
}

function tableOfForgotten(): string[] {
  const lines = [
    "| kernel | machine | calls | noticed | silent | not reached |",
    "|---|---|---|---|---|---|",
  ];
  const silent = new Map<string, string[]>();
  for (const version of KERNELS) {
    for (const { machine, add } of FORGOTTEN_MACHINES) {
      const kernel = `${version}${add}`;
      const found = configure(machine, kernel, {});
      if (!found.ok) throw new Error(found.problem.name);
      const all = forgotten(found.configuration, LIMITS);
      const told = all.filter((f) => f.by !== null).length;
      const quiet = all.filter((f) => f.by === null && f.reached);
      const rest = all.length - told - quiet.length;
      lines.push(`| ${[kernel, machine, all.length, told, quiet.length, rest].join(" | ")} |`);
      const where = `${kernel} on ${machine}`;
      silent.set(names(quiet), [...(silent.get(names(quiet)) ?? []), where]);
      console.log(lines.at(-1));
    }
  }
  const said = [...silent].flatMap(([calls, where]) => [
    "",
    `Silent in ${where.join(", ")}:`,
    calls,
  ]);
  return [...lines, ...said];
}

const names = (found: readonly Forgotten[]): string =>
  found.length === 0 ? "none" : found.map((f) => `\`${f.place}\``).join(" ");

function score(files: readonly string[], page: string): string[] {
  const known = readExplained(page);
  if (!known.ok) throw new Error(`line ${known.line}: ${known.message}`);
  const lines = files
    .flatMap((file) => readFileSync(file, "utf8").split("\n"))
    .filter((l) => l.startsWith('{"type":"mutant"'))
    .map((l) => JSON.parse(l) as MutantLine)
    .map((l) => ({ ...l, explained: survives(l) ? reasonFor(known.explained, l) : null }));
  const rows = [
    "| kernel | mutants | equivalent | killed | by a result, a property, an ending | " +
      "of the others | explained | unreached | open |",
    "|---|---|---|---|---|---|---|---|---|",
  ];
  const open: string[] = [];
  for (const kernel of [...new Set(lines.map((l) => l.kernel))].sort()) {
    const own = lines.filter((l) => l.kernel === kernel);
    const s = mutateSummary(own, 0, false);
    const share = `${((100 * s.killed) / Math.max(1, s.mutants - s.equivalent)).toFixed(1)} %`;
    const left = s.survived - s.explained - s.unreached;
    const hows = ["result", "property", "ending"].map((h) => own.filter((l) => l.how === h).length);
    const killed = [s.equivalent, s.killed, hows.join(", "), share];
    const figures = [s.mutants, ...killed, s.explained, s.unreached, left];
    rows.push(`| ${[kernel, ...figures].join(" | ")} |`);
    const survivors = own.filter((l) => survives(l) && l.explained === null);
    const routines = [...new Set(survivors.map((l) => l.routine))].sort();
    open.push(`${kernel}, survivors by routine (those not reached in brackets):`, "");
    const words = routines.map((r) => {
      const all = survivors.filter((l) => l.routine === r);
      const unreached = all.filter((l) => !l.reached).length;
      return `\`${r}\` ${all.length - unreached}${unreached > 0 ? ` (${unreached})` : ""}`;
    });
    open.push(words.join(", "), "");
  }
  return [...rows, "", ...open];
}

const survives = (l: MutantLine): boolean => !l.killed && !l.equivalent;

const files = process.argv.slice(2);
let page = readFileSync(target, "utf8");
if (files.length > 0) page = replaced(page, "score", score(files, page));
if (files.length === 0) {
  page = replaced(page, "forgotten", tableOfForgotten());
}
writeFileSync(target, page);
