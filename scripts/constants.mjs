// SPDX-License-Identifier: Apache-2.0
// What the build, the tests and run-ts.mjs put into the sources: compile-time constants.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Declared in packages/shootdown/types/constants.d.ts. */
export function constants() {
  const manifest = new URL("../packages/shootdown/package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, "utf8"));
  return {
    __SHOOTDOWN_VERSION__: JSON.stringify(version),
    __SHOOTDOWN_RULE_FILES__: JSON.stringify(ruleFiles()),
  };
}

const SRC = "packages/shootdown/src";

/** Where a source file says that it implements a rule: `rules: ["A1"]`, `ruleHolds("A1")`. */
const NAMED = /\brules:\s*\[([^\]]*)\]|\bruleHolds\(([^)]*)\)/g;

/** Rule id to the hardware and vocabulary files that name it. */
function ruleFiles() {
  const found = {};
  for (const folder of ["hardware", "vocabulary"]) {
    for (const name of readdirSync(join(root, SRC, folder), { recursive: true }).sort()) {
      const path = join(folder, name).replaceAll("\\", "/");
      if (!path.endsWith(".ts") || path.endsWith(".test.ts")) continue;
      if (path.startsWith("hardware/rules/")) continue;
      for (const [, list, single] of readFileSync(join(root, SRC, path), "utf8").matchAll(NAMED)) {
        for (const [, id] of (list ?? single).matchAll(/"([A-Z]+\d+)"/g)) {
          found[id] ??= [];
          if (!found[id].includes(path)) found[id].push(path);
        }
      }
    }
  }
  return found;
}
