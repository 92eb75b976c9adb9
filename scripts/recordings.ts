// SPDX-License-Identifier: Apache-2.0
// Writes docs/RECORDINGS.md from the recordings; with `--check` only says whether it is up to date.

import { readFileSync, writeFileSync } from "node:fs";
import type { Comparison } from "../test/support/recordings/compare.ts";
import { compareFolder } from "../test/support/recordings/compare.ts";
import { hasRecording, MM_FOLDERS, readFolder } from "../test/support/recordings/folder.ts";
import { page } from "../test/support/recordings/report.ts";

const target = "docs/RECORDINGS.md";
if (MM_FOLDERS.every(hasRecording)) {
  const done = new Map<string, Comparison>();
  for (const name of MM_FOLDERS) done.set(name, compareFolder(readFolder(name)));
  const text = page({ names: MM_FOLDERS, of: (name) => done.get(name)! });
  if (process.argv.includes("--check")) {
    const same = readFileSync(target, "utf8") === text;
    console.log(same ? `${target} is up to date` : `${target} differs: run npm run recordings`);
    process.exitCode = same ? 0 : 1;
  } else {
    writeFileSync(target, text);
  }
} else {
  console.log("neither SHOOTDOWN_TRACES nor ../shared/traces has the recordings");
  process.exitCode = 2;
}
