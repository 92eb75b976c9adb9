// SPDX-License-Identifier: Apache-2.0
// Writes docs/PARITY.md; with arguments prints it for scenarios whose paths contain one of them.
//
// What goes on is told on stderr; the status is 1 if an engine disagrees with the reference.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../test/support/files.ts";
import { parityOf, parityPage } from "../test/support/parity.ts";
import { scenarios } from "../test/support/scenarios.ts";

const asked = process.argv.slice(2);
const chosen = scenarios().filter(
  ({ file }) => asked.length === 0 || asked.some((part) => file.includes(part)),
);
const all = chosen.map((shipped) => {
  const begin = performance.now();
  const parity = parityOf(shipped, ({ name, reference, differences }) => {
    if (reference.limit !== undefined) console.error(`  ${name}: ${reference.limit}`);
    for (const d of differences) console.error(`  ${name}: ${d}`);
  });
  const seconds = ((performance.now() - begin) / 1000).toFixed(1);
  console.error(`${shipped.file}: ${parity.programs.length} programs, ${seconds} s`);
  return parity;
});
const page = parityPage(all);
if (asked.length === 0) writeFileSync(join(root, "docs/PARITY.md"), page);
else console.log(page);
if (all.some((s) => s.programs.some((p) => p.differences.length > 0))) process.exitCode = 1;
