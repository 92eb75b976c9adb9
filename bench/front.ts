// SPDX-License-Identifier: Apache-2.0
// The way of a scenario from its source to the first states, as a benchmark.

import { readFileSync } from "node:fs";
import { DICTIONARY } from "../packages/shootdown/src/litmus/dictionary.ts";
import { parseScenario } from "../packages/shootdown/src/litmus/parse.ts";
import { Checker } from "../packages/shootdown/src/study/check.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";

/** From the source of a scenario to the first state. */
export function front(): { readonly states: number; readonly transitions: number } {
  const file = process.env["BENCH_SCENARIO"] ?? "";
  const parsed = parseScenario(readFileSync(file), { file, dictionary: DICTIONARY });
  const set = { hafdbs: "no", httu: "no" };
  const configured = configure("arm64+smmuv3", "linux-6.12", set);
  if (!parsed.ok || !configured.ok) throw new Error("no scenario");
  const limits = { states_max: 1, bytes_max: 2 ** 30 };
  const how = { semantics: "window", limits, dependsOn: false } as const;
  const { variants } = new Checker(parsed.scenario).check(configured.configuration, how);
  const outcome = variants[0]?.outcome;
  if (!outcome) throw new Error("no search");
  return outcome;
}
