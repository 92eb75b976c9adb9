// SPDX-License-Identifier: Apache-2.0
// Checking a litmus test of herd: its text in, the set of its final states and the verdict out.

import { DEFAULT_BYTES_MAX, type Progress } from "../explore/search.ts";
import { holds, observationOf, verdictOf } from "../litmus/herd/judge.ts";
import { printStates } from "../litmus/herd/print.ts";
import { readHerdTest } from "../litmus/herd/read.ts";
import type { LitmusMode, LitmusResult, Problem } from "../report/result.ts";
import { type Decision, decide } from "../study/herd.ts";
import { problemAt } from "./problem.ts";

export interface LitmusOptions {
  readonly file?: string;
  /** Default `protocol`. */
  readonly mode?: LitmusMode;
  readonly set?: Readonly<Record<string, string>>;
  readonly states_max?: number;
  readonly bytes_max?: number;
  /** These are of scenarios: with one of them a test is not decided. */
  readonly expect?: unknown;
  readonly drop?: unknown;
  readonly without_rules?: readonly string[];
  readonly clock?: () => number;
  /** Called now and then; it may throw to stop. */
  readonly progress?: (p: Progress, test: string) => void;
}

export const LITMUS_MODES: readonly LitmusMode[] = ["protocol", "arm"];

export type LitmusOpened =
  | { readonly ok: true; readonly result: LitmusResult }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads and decides a test; never throws because of its text. */
export function checkLitmus(input: Uint8Array | string, options: LitmusOptions = {}): LitmusOpened {
  const { file = "<litmus>", mode = "protocol", set = {}, states_max: statesMax } = options;
  const read = readHerdTest(input, { file });
  if (!read.ok)
    return { ok: false, problems: read.diagnostics.map((d) => problemAt(d, read.text)) };
  const { test } = read;
  const clock = options.clock ?? (() => 0);
  const start = clock();
  const ets2 = set["ets2"] === "yes";
  const named = { type: "litmus", file, test: test.name } as const;
  const { bytes_max: bytesMax = DEFAULT_BYTES_MAX, progress } = options;
  const limits = {
    bytesMax,
    ...(statesMax === undefined ? {} : { statesMax }),
    ...(progress ? { progress: (p: Progress) => progress(p, test.name) } : {}),
  };
  const foreign = foreignOption(options);
  const decision: Decision =
    foreign === undefined
      ? decide(test, { mode, ets2, ...limits })
      : { ok: false, reason: `${foreign} is for scenarios` };
  if (!decision.ok) {
    return { ok: true, result: { ...named, supported: false, mode, reason: decision.reason } };
  }
  // States that print alike are one for herd, and what is asked for is among what is printed.
  const observation = observationOf(test, decision.states);
  const positive = decision.states.filter((state) => holds(test, test.condition, state));
  const result = {
    ...({ ...named, supported: true, mode, ets2, observation } as const),
    verdict: verdictOf(test, observation),
    states: printStates(test, decision.states),
    positive: printStates(test, positive).length,
    seconds: Math.round((clock() - start) * 1000) / 1000,
  };
  return { ok: true, result };
}

/** An option that would go without effect, and so leave a wrong impression. */
function foreignOption({ expect, drop, without_rules = [] }: LitmusOptions): string | undefined {
  if (without_rules.length > 0) return "--without-rule";
  if (drop !== undefined) return "--drop";
  return expect === undefined ? undefined : "--expect";
}
