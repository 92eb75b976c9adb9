// SPDX-License-Identifier: Apache-2.0
// One execution of a scenario under one schedule, and what the caches hold at its end.

import type { Problem } from "../report/result.ts";
import type { RunReport } from "../report/run.ts";
import { Checker } from "../study/check.ts";
import { runOnce } from "../study/run.ts";
import { parseScenario } from "./check.ts";
import { planRuns, type Selection } from "./plan.ts";

export interface RunOptions extends Omit<Selection, "expect"> {
  /** How the file is called; default `<scenario>`. */
  readonly file?: string;
  /** Names the schedule; default 0. */
  readonly seed?: number;
}

export type RunOpened =
  | { readonly ok: true; readonly report: RunReport }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * Runs a scenario once, in the first of the configurations that its Result lines or the options
 * name; knobs that are not set have their first value. The same seed gives the same run.
 */
export function runScenario(input: Uint8Array | string, options: RunOptions = {}): RunOpened {
  const { file = "<scenario>", seed = 0 } = options;
  const read = parseScenario(input, file);
  if (!read.ok) return read;
  const plan = planRuns(read.scenario, read.text, options);
  if (!plan.ok) return plan;
  const [planned] = plan.runs;
  if (!planned) throw new Error("a plan without runs");
  const { configuration, set, drop } = planned;
  const checker = new Checker(read.scenario);
  const program = checker.fullProgram(configuration, drop?.overlay);
  const { machine, kernelName: kernel } = configuration;
  const test = read.scenario.name.text;
  const head = { file, test, machine, kernel, set, drop: options.drop ?? null };
  return { ok: true, report: { ...head, ...runOnce(program, seed) } };
}
