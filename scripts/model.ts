// SPDX-License-Identifier: Apache-2.0
// Writes docs/MODEL.md; with `--check` only says whether it is up to date.

import { readFileSync, writeFileSync } from "node:fs";
import { modelPage } from "../packages/shootdown/src/study/model.ts";
import { scenarios } from "../test/support/scenarios.ts";

const target = "docs/MODEL.md";
const text = modelPage(scenarios());
if (process.argv.includes("--check")) {
  const same = readFileSync(target, "utf8") === text;
  console.log(same ? `${target} is up to date` : `${target} differs: run npm run model`);
  process.exitCode = same ? 0 : 1;
} else {
  writeFileSync(target, text);
}
