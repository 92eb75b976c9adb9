// SPDX-License-Identifier: Apache-2.0
// Which engine searches: closures for what is small, compiled steps for the rest.
//
//   search.ts until STATES_SMALL ──more──► compiled.ts from the start
//
// Both visit the same states in the same order, so it does not show in an outcome.

import { Uncompilable } from "../engine/compiled/frame.ts";
import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { searchCompiled } from "./compiled.ts";
import type { Limits, Outcome, Progress, Question } from "./search.ts";
import { search } from "./search.ts";

/** `closures` is the reference; `auto` takes what is quickest. */
export type Engine = "auto" | "closures" | "wasm" | "javascript";

/** Compiling takes about as long as closures take for so many states. */
const STATES_SMALL = 2_000;

export interface ExploreOptions {
  readonly semantics: Semantics;
  readonly limits: Limits;
  readonly engine?: Engine;
  readonly progress?: (p: Progress) => void;
}

/** Searches all runs of a program. */
export function explore(program: Program, question: Question, options: ExploreOptions): Outcome {
  const { limits, semantics, engine = "auto", progress } = options;
  const machine = () => new PackedMachine(program, { semantics });
  if (engine === "closures") return search(machine(), question, limits, progress);
  if (engine === "auto") {
    const few = { ...limits, states_max: Math.min(limits.states_max, STATES_SMALL) };
    const outcome = search(machine(), question, few);
    if (outcome.exhaustive || few.states_max === limits.states_max) return outcome;
  }
  try {
    const target = engine === "javascript" || !hasWebAssembly() ? "javascript" : "wasm";
    return searchCompiled(machine(), question, limits, progress, target);
  } catch (error) {
    if (!(error instanceof Uncompilable)) throw error;
    return search(machine(), question, limits, progress);
  }
}

const hasWebAssembly = (): boolean => typeof WebAssembly === "object";
