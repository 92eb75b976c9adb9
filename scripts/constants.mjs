// SPDX-License-Identifier: Apache-2.0
// What the build, the tests and run-ts.mjs put into the sources: compile-time constants.

import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Declared in packages/shootdown/types/constants.d.ts. */
export function constants() {
  const manifest = new URL("../packages/shootdown/package.json", import.meta.url);
  const { version } = JSON.parse(readFileSync(manifest, "utf8"));
  return { __SHOOTDOWN_VERSION__: JSON.stringify(version) };
}
