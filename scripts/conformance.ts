// SPDX-License-Identifier: Apache-2.0
// Decides every test of herd's catalogue in both modes and writes docs/CONFORMANCE.md.
//
//   npm run conformance                        all of it
//   npm run conformance -- --check             only says whether the page is up to date
//   npm run conformance -- --only '^MP' [--mode arm]   prints the page for these tests
//   --seconds N (a decision, default 60), -j N (processes)

import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { type Judged, judge, questionsOf } from "../test/support/conformance/judge.ts";
import {
  conformancePage,
  protocolDefects,
  type Results,
} from "../test/support/conformance/page.ts";
import { askAll } from "../test/support/conformance/pool.ts";
import { CATALOGUE_ABSENT, catalogueRows } from "../test/support/herd.ts";

const TARGET = "docs/CONFORMANCE.md";

/** Decisions that took longer are named. */
const SLOW_SECONDS = 10;

const { values: options } = parseArgs({
  options: {
    check: { type: "boolean" },
    only: { type: "string" },
    mode: { type: "string" },
    seconds: { type: "string", default: "60" },
    jobs: { type: "string", short: "j", default: String(availableParallelism()) },
  },
});

async function run(mode: "protocol" | "arm"): Promise<Judged[]> {
  if (options.mode !== undefined && options.mode !== mode) return [];
  const only = new RegExp(options.only ?? "");
  const rows = catalogueRows().filter((row) => only.test(row.test));
  const questions = rows.map((row) => questionsOf(mode, row));
  let done = 0;
  const answers = await askAll(questions.flat(), {
    processes: Number(options.jobs),
    seconds: Number(options.seconds),
    asked: (question, answer, seconds) => {
      done++;
      if (process.stderr.isTTY)
        process.stderr.write(`\r${mode} ${done}/${questions.flat().length} `);
      if (seconds < SLOW_SECONDS && answer.k !== "crash") return;
      const what = answer.k === "crash" ? answer.reason : `${seconds.toFixed(1)} s`;
      process.stderr.write(`${question.mode} ets2=${question.ets2} ${question.file}: ${what}\n`);
    },
  });
  let at = 0;
  return rows.map((row, i) => {
    const { length } = questions[i]!;
    at += length;
    return judge(mode, row, answers.slice(at - length, at));
  });
}

if (CATALOGUE_ABSENT !== undefined) {
  console.error(`conformance: ${CATALOGUE_ABSENT}`);
  process.exitCode = 2;
} else {
  const results: Results = { protocol: await run("protocol"), arm: await run("arm") };
  const text = conformancePage(results);
  const defects = protocolDefects(results).length;
  if (defects > 0) console.error(`protocol: ${defects} tests with defects`);
  process.exitCode = defects > 0 ? 1 : 0;
  if (options.only !== undefined || options.mode !== undefined) process.stdout.write(text);
  else if (!options.check) writeFileSync(TARGET, text);
  else if (readFileSync(TARGET, "utf8") === text) console.log(`${TARGET} is up to date`);
  else {
    console.log(`${TARGET} differs: run npm run conformance`);
    process.exitCode = 1;
  }
}
