// SPDX-License-Identifier: Apache-2.0
// Writes litmus/museum/README.md; with `--check` only says whether it is up to date.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { formatDiagnostic } from "../packages/shootdown/src/base/diagnostic.ts";
import { DICTIONARY } from "../packages/shootdown/src/litmus/dictionary.ts";
import { parseScenario } from "../packages/shootdown/src/litmus/parse.ts";
import { exhibitOf, museum } from "../packages/shootdown/src/study/museum.ts";

const folder = "litmus/museum";
const target = `${folder}/README.md`;
const paths = readdirSync(folder, { recursive: true }).map(String);
const exhibits = paths
  .filter((p) => p.endsWith(".litmus"))
  .map((path) => {
    const file = `${folder}/${path}`;
    const parsed = parseScenario(readFileSync(file), { file, dictionary: DICTIONARY });
    if (!parsed.ok) throw new Error(formatDiagnostic(parsed.diagnostics[0]!, parsed.text));
    const exhibit = exhibitOf(path, parsed.scenario);
    if (typeof exhibit === "string") throw new Error(exhibit);
    return exhibit;
  });
const text = museum(exhibits);
if (process.argv.includes("--check")) {
  const same = readFileSync(target, "utf8") === text;
  console.log(same ? `${target} is up to date` : `${target} differs: run npm run museum`);
  process.exitCode = same ? 0 : 1;
} else {
  writeFileSync(target, text);
  console.log(`${exhibits.length} bugs`);
}
