// SPDX-License-Identifier: Apache-2.0
// Decides tests of herd in a process of its own, which can be ended: one question, one answer.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { observationOf, verdictOf } from "../../../packages/shootdown/src/litmus/herd/judge.ts";
import { printStates } from "../../../packages/shootdown/src/litmus/herd/print.ts";
import { readHerdTest } from "../../../packages/shootdown/src/litmus/herd/read.ts";
import { decide } from "../../../packages/shootdown/src/study/herd.ts";
import { CATALOGUE } from "../herd.ts";

export type Mode = "protocol" | "arm" | "strong";

export interface Question {
  readonly file: string;
  readonly mode: Mode;
  readonly ets2: boolean;
}

export type Answer =
  | {
      readonly k: "decided";
      readonly states: readonly string[];
      readonly observation: string;
      readonly verdict: string;
    }
  | { readonly k: "unsupported"; readonly reason: string }
  /** A mistake of the program. */
  | { readonly k: "crash"; readonly reason: string };

function answer({ file, mode, ets2 }: Question): Answer {
  const read = readHerdTest(readFileSync(join(CATALOGUE, "tests", file)), { file });
  if (!read.ok) return { k: "unsupported", reason: read.diagnostics[0]!.message };
  const { test } = read;
  const decision = decide(test, { mode, ets2 });
  if (!decision.ok) return { k: "unsupported", reason: decision.reason };
  const observation = observationOf(test, decision.states);
  const verdict = verdictOf(test, observation);
  return { k: "decided", states: printStates(test, decision.states), observation, verdict };
}

process.on("message", (question: Question) => {
  let reply: Answer;
  try {
    reply = answer(question);
  } catch (error) {
    const line = (error instanceof Error ? (error.stack ?? error.message) : String(error)).split(
      "\n",
    );
    reply = { k: "crash", reason: line[0] ?? "" };
    if (process.env["SHOOTDOWN_DEBUG"]) console.error(line.join("\n"));
  }
  process.send?.(reply);
});
process.on("disconnect", () => process.exit());
process.send?.("ready");
