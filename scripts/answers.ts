// SPDX-License-Identifier: Apache-2.0
// Writes docs/ANSWERS.md; with `--check` only says whether it is up to date.

import { readFileSync, writeFileSync } from "node:fs";
import { answers } from "../packages/shootdown/src/study/answers.ts";

const target = "docs/ANSWERS.md";
const text = answers((path) => readFileSync(path, "utf8"));
if (process.argv.includes("--check")) {
  const same = readFileSync(target, "utf8") === text;
  console.log(same ? `${target} is up to date` : `${target} differs: run npm run answers`);
  process.exitCode = same ? 0 : 1;
} else {
  writeFileSync(target, text);
}
