// SPDX-License-Identifier: Apache-2.0
// The scenario library, read.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatDiagnostic } from "../../packages/shootdown/src/base/diagnostic.ts";
import type { Scenario } from "../../packages/shootdown/src/litmus/ast.ts";
import { DICTIONARY } from "../../packages/shootdown/src/litmus/dictionary.ts";
import { parseScenario } from "../../packages/shootdown/src/litmus/parse.ts";
import { root } from "./files.ts";

export interface Shipped {
  /** Path below litmus/. */
  readonly file: string;
  readonly scenario: Scenario;
}

/** Every scenario below litmus/, in the order of their paths. */
export function scenarios(): Shipped[] {
  const folder = join(root, "litmus");
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return files
    .filter((file) => file.endsWith(".litmus"))
    .sort()
    .map((file) => {
      const bytes = readFileSync(join(folder, file));
      const parsed = parseScenario(bytes, { file, dictionary: DICTIONARY });
      if (!parsed.ok) throw new Error(formatDiagnostic(parsed.diagnostics[0]!, parsed.text));
      return { file, scenario: parsed.scenario };
    });
}
