// SPDX-License-Identifier: Apache-2.0
// Writes the scanner's module as text; with `--check` only says whether it is up to date.
// Putting it together anew takes longer than most recordings to read.

import { readFileSync, writeFileSync } from "node:fs";
import { scannerModule } from "../packages/shootdown/src/trace/importers/scan/module.ts";

const target = "packages/shootdown/src/trace/importers/scan/scanner-bytes.ts";
const COLUMNS = 92;
const lines = Buffer.from(scannerModule())
  .toString("base64")
  .match(new RegExp(`.{1,${COLUMNS}}`, "g"));
const text = `// SPDX-License-Identifier: Apache-2.0
// The module that module.ts puts together, written by \`npm run scanner\`.

const BASE64 = [
${lines?.map((line) => `  "${line}",`).join("\n")}
].join("");

export const scannerBytes = (): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(BASE64), (c) => c.charCodeAt(0));
`;
if (process.argv.includes("--check")) {
  const same = readFileSync(target, "utf8") === text;
  console.log(same ? `${target} is up to date` : `${target} differs: run npm run scanner`);
  process.exitCode = same ? 0 : 1;
} else writeFileSync(target, text);
