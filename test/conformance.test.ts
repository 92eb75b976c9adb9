// SPDX-License-Identifier: Apache-2.0
// A sample of herd's catalogue, decided: docs/CONFORMANCE.md claims no more than what is so.
// The whole of it is `npm run conformance -- --check`.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../packages/shootdown/src/base/random.ts";
import { type Judged, judge, questionsOf } from "./support/conformance/judge.ts";
import { askAll, TIME_LIMIT } from "./support/conformance/pool.ts";
import { root } from "./support/files.ts";
import { CATALOGUE_ABSENT, type CatalogueRow, catalogueRows } from "./support/herd.ts";

const SEED = 1;
const SAMPLE = 100;

/** For a decision; what takes longer is left to the whole run. */
const SECONDS = 5;

const title =
  CATALOGUE_ABSENT === undefined
    ? `a sample of herd's catalogue, seed ${SEED}`
    : `a sample of herd's catalogue (skipped: ${CATALOGUE_ABSENT})`;

function sample(): CatalogueRow[] {
  const rows = catalogueRows();
  const random = seededRandom(SEED);
  return Array.from({ length: SAMPLE }, () => rows.splice(random.below(rows.length), 1)[0]!);
}

async function run(mode: "protocol" | "arm"): Promise<Judged[]> {
  const rows = sample();
  const questions = rows.flatMap((row) => questionsOf(mode, row));
  const options = { processes: availableParallelism(), seconds: SECONDS };
  const answers = await askAll(questions, options);
  const each = questions.length / rows.length;
  return rows.map((row, i) => judge(mode, row, answers.slice(i * each, (i + 1) * each)));
}

/** What the page says of a mode: the names under a heading of it. */
function named(mode: string, heading: string): Set<string> {
  const page = readFileSync(join(root, "docs/CONFORMANCE.md"), "utf8");
  const part = page.split(/^## /m).find((p) => p.startsWith(`${mode}\n`)) ?? "";
  const lists = part.split(/^### /m).filter((p) => p.startsWith(heading));
  return new Set(lists.flatMap((p) => [...p.matchAll(/`([^`]+)`/g)].map((m) => m[1]!)));
}

describe.skipIf(CATALOGUE_ABSENT !== undefined)(title, () => {
  test("protocol: a part of herd's states, with those of the strong execution", async () => {
    const judged = await run("protocol");
    const slow = (d: string) => d.includes(TIME_LIMIT);
    const wrong = judged.flatMap(({ row, defects }) =>
      defects.filter((d) => !slow(d)).map((d) => `${row.test}: ${d}`),
    );
    expect(wrong).toEqual([]);
    expect(lost("protocol", judged)).toEqual([]);
  });

  test("arm: herd's states and verdicts, but for what the page names", async () => {
    const judged = await run("arm");
    const known = named("arm", "Differences");
    const wrong = judged.filter((j) => j.defects.length > 0 && !known.has(j.row.test));
    const slow = (d: string) => d.includes(TIME_LIMIT);
    const told = wrong
      .filter((j) => !j.defects.every(slow))
      .map((j) => `${j.row.test}: ${j.defects.join("; ")}`);
    expect(told).toEqual([]);
    expect(lost("arm", judged)).toEqual([]);
  });
});

/** Tests that the page counts as supported and that are not. */
function lost(mode: string, judged: readonly Judged[]): string[] {
  const known = named(mode, "Not supported");
  return judged
    .filter((j) => j.unsupported !== undefined && j.unsupported !== TIME_LIMIT)
    .filter((j) => !known.has(j.row.test))
    .map((j) => `${j.row.test}: ${j.unsupported}`);
}
