// SPDX-License-Identifier: Apache-2.0
// Which engine searches: closures for what is small, compiled steps for the rest.
//
//   search.ts to STATES_SMALL ──more──► compiled.ts to STATES_MIDDLE ──more──► with reductions
//
// Both visit the same states in the same order, so it does not show in an outcome.

import { aloneIn } from "../engine/commute.ts";
import { Uncompilable } from "../engine/compiled/frame.ts";
import { TooManyValues } from "../engine/interner.ts";
import { CELL_VALUES_MAX, layoutOf } from "../engine/layout.ts";
import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import type { Symmetry } from "../engine/symmetry.ts";
import { symmetryOf } from "../engine/symmetry.ts";
import { searchCompiled } from "./compiled.ts";
import type { Helpers } from "./fast/team.ts";
import { reduced } from "./reduced.ts";
import type { AloneTable, Limits, Outcome, Progress, Question } from "./search.ts";
import { search } from "./search.ts";
import { normalizer } from "./symmetric.ts";

/** `closures` is the reference; `auto` takes what is quickest. */
export type Engine = "auto" | "closures" | "wasm" | "javascript";

/** Ways to visit fewer states for the same answer. */
export const REDUCTIONS = ["symmetry", "collapse"] as const;
export type Reduction = (typeof REDUCTIONS)[number];

/** Compiling takes about as long as closures take for so many states. */
const STATES_SMALL = 5_000;

/** After so many transitions, levels of so many states tell that there are many more to come. */
const TRANSITIONS_TELLING = 7_000;
const LEVEL_LARGE = 120;

/** Plain compiled steps visit so many states before it is asked what need not be visited. */
const STATES_MIDDLE = 1 << 20;
/** The same where any witness will do. */
const STATES_MIDDLE_WHETHER = 1 << 15;

/** Cells begin with room for so many values of words; a search that meets more begins anew. */
const CELL_VALUES_FIRST = 7;

export interface ExploreOptions {
  readonly semantics: Semantics;
  readonly limits: Limits;
  readonly engine?: Engine;
  /** Those that may be used: by `auto` where a program is large, by other engines at once. */
  readonly reductions?: readonly Reduction[];
  readonly progress?: (p: Progress) => void;
  /** Threads that help where a program is large. */
  readonly helpers?: Helpers;
}

/** Searches all runs of a program. */
export function explore(program: Program, question: Question, options: ExploreOptions): Outcome {
  const { limits, semantics, engine = "auto", progress } = options;
  let room = CELL_VALUES_FIRST;
  let covered: Outcome | undefined;
  if (engine === "auto") {
    const small = new PackedMachine(program, { semantics });
    const outcome = searchSmall(small, question, limits, progress);
    if (outcome?.exhaustive || limits.states_max <= STATES_SMALL) return outcome!;
    covered = outcome;
    const known = small.cells.interners.map((i) => i.values.length);
    room = Math.min(CELL_VALUES_MAX, Math.max(2, ...known) + 1);
    const plain = middling(program, question, options, room);
    if (plain) return plain;
  }
  const reductions = options.reductions ?? (engine === "auto" ? REDUCTIONS : []);
  const symmetry = reductions.includes("symmetry") ? symmetryFor(program, question) : undefined;
  const run = (alone: AloneTable | undefined): Outcome => {
    if (engine !== "closures") {
      const found = compiled(program, question, options, room, alone, symmetry, question.whether);
      // The least memory of compiled steps may be more than closures had done with.
      const { limit } = found ?? {};
      if (covered && limit !== undefined && limit === covered.limit) {
        if (found!.states < covered.states) return covered;
      }
      if (found) return found;
    }
    const machine = new PackedMachine(program, { semantics });
    const normal = symmetry && normalizer(machine, symmetry);
    return search(machine, question, limits, progress, alone, normal);
  };
  if (!reductions.includes("collapse")) return run(undefined);
  return reduced(question, () => aloneIn(program, semantics).alone, run);
}

/** What ends a search that had better be made with compiled steps. */
class Large extends Error {}

/** The search on closures, unless it proves large. */
function searchSmall(
  machine: PackedMachine,
  question: Question,
  limits: Limits,
  progress: ExploreOptions["progress"],
): Outcome | undefined {
  if (limits.states_max <= STATES_SMALL) return search(machine, question, limits, progress);
  // It is called at the beginning of each level, among others.
  const tell = (p: Progress): void => {
    progress?.(p);
    if (p.transitions >= TRANSITIONS_TELLING && p.queue >= LEVEL_LARGE) throw new Large();
  };
  try {
    const few = { ...limits, states_max: STATES_SMALL };
    const outcome = search(machine, question, few, tell);
    return outcome;
  } catch (error) {
    if (error instanceof Large) return undefined;
    throw error;
  }
}

/** The search on compiled steps without reductions; what does not end may do so with them. */
function middling(
  program: Program,
  question: Question,
  options: ExploreOptions,
  room: number,
): Outcome | undefined {
  const { limits } = options;
  const most = question.whether ? STATES_MIDDLE_WHETHER : STATES_MIDDLE;
  const middle = { ...limits, states_max: Math.min(limits.states_max, most) };
  const how = { ...options, limits: middle };
  const plain = compiled(program, question, how, room, undefined, undefined, true);
  const ended = plain?.limit === undefined && plain?.observed !== "inconclusive";
  return ended ? plain : undefined;
}

/** The search on compiled steps, unless the program cannot be compiled. */
function compiled(
  program: Program,
  question: Question,
  options: ExploreOptions,
  room: number,
  alone: AloneTable | undefined,
  symmetry: Symmetry | undefined,
  origins = false,
): Outcome | undefined {
  const { limits, semantics, engine, progress, helpers } = options;
  const target = engine === "javascript" || !hasWebAssembly() ? "javascript" : "wasm";
  const how = {
    limits,
    target,
    origins,
    ...(progress ? { progress } : {}),
    ...(helpers ? { helpers } : {}),
    ...(alone ? { alone } : {}),
    ...(symmetry ? { symmetry } : {}),
  } as const;
  for (let cell_values = room; ; cell_values = Math.min(CELL_VALUES_MAX, 2 * cell_values)) {
    try {
      return searchCompiled(new PackedMachine(program, { semantics, cell_values }), question, how);
    } catch (error) {
      if (error instanceof Uncompilable) return undefined;
      if (!(error instanceof TooManyValues) || cell_values === CELL_VALUES_MAX) throw error;
    }
  }
}

/** The symmetries that a question does not notice, if there are any. */
function symmetryFor(program: Program, question: Question): Symmetry | undefined {
  const { observers, stuck } = question;
  // What a condition looks at is not known, unless it says so.
  if (!observers && stuck === undefined) return undefined;
  const distinguished = stuck === undefined ? {} : { threads: [stuck] };
  const symmetry = symmetryOf(program, layoutOf(program), distinguished);
  return symmetry.elements.length > 1 ? symmetry : undefined;
}

const hasWebAssembly = (): boolean => typeof WebAssembly === "object";
