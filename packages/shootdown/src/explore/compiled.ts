// SPDX-License-Identifier: Apache-2.0
// The search on compiled steps: the same outcome as search.ts, state for state.
//
//   machine ──compileSteps──► unit ──exploreFast──► counts, depth, whether something was found
//                                  └─pathFast, with a machine of its own──► the way to it

import { compileSteps } from "../engine/compiled/compile.ts";
import { normalForm } from "../engine/normal-form.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Symmetry } from "../engine/symmetry.ts";
import { dueRules } from "./due.ts";
import type { FastOptions } from "./fast/explore.ts";
import { exploreFast } from "./fast/explore.ts";
import type { Target } from "./fast/module.ts";
import type { Helpers } from "./fast/team.ts";
import type { FastStep } from "./fast/witness.ts";
import { exploreWithPath, pathFast } from "./fast/witness.ts";
import type { AloneTable, Limits, Outcome, Progress, Question } from "./search.ts";
import { endsWell, escapes, search } from "./search.ts";
import { findCycle } from "./stuck.ts";
import { normalizer, realPath } from "./symmetric.ts";

/** Where the tables of a unit begin in its memory. */
const TABLES = 64;

export interface CompiledOptions {
  readonly limits: Limits;
  readonly target?: Target;
  readonly progress?: (p: Progress) => void;
  /** Threads that help; the outcome does not depend on them. */
  readonly helpers?: Helpers;
  /** Steps that may be taken alone. */
  readonly alone?: AloneTable;
  /** Symmetries that the question does not notice. */
  readonly symmetry?: Symmetry;
  /** Keeps where states come from: more memory, on one thread, and no second search for a way. */
  readonly origins?: boolean;
}

/** Searches all runs of a machine's program; it must be compilable (`Uncompilable` is thrown). */
export function searchCompiled(
  machine: PackedMachine,
  question: Question,
  options: CompiledOptions,
): Outcome {
  const { program, semantics } = machine;
  const { limits, progress } = options;
  let counter = false;
  const several = program.others.length > 0;
  const initial = several ? joined(machine.initials()) : machine.initial();
  const unit = compileSteps(machine, TABLES, options.alone);
  const how = {
    ...fastOptions(machine, unit, question, options, () => {
      counter = true;
    }),
    ...(progress ? { progress } : {}),
    ...(options.helpers ? { helpers: options.helpers } : {}),
  };
  const { outcome, path } =
    options.origins && !several
      ? exploreWithPath(unit, initial, how)
      : { outcome: exploreFast(unit, initial, how), path: undefined };
  const { states, transitions, bytes, exhaustive, limit, found } = outcome;
  const common = { states, transitions, bytes };
  if (found === undefined) {
    const observed = exhaustive ? "never" : "inconclusive";
    const base = { ...common, observed, exhaustive, depth: outcome.depth } as const;
    return limit === undefined ? base : { ...base, limit };
  }
  const { cell_values } = machine;
  const another = () => new PackedMachine(program, { semantics, cell_values });
  if (!question.whether && limit === undefined && !counter && !escapes(another(), question)) {
    // Whether it always happens hangs on runs that never end: a question for the whole graph.
    return search(another(), question, limits, progress);
  }
  // A path says what is done, not where it begins.
  if (several) {
    return { ...common, observed: "sometimes", exhaustive: limit === undefined, depth: found };
  }
  const way = path
    ? wayOf(machine, question, options, path)
    : witness(another(), question, options);
  return {
    ...common,
    observed: "sometimes",
    exhaustive: limit === undefined,
    depth: found,
    ...way,
  };
}

function joined(states: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(states.reduce((n, s) => n + s.length, 0));
  let at = 0;
  for (const s of states) {
    all.set(s, at);
    at += s.length;
  }
  return all;
}

function fastOptions(
  machine: PackedMachine,
  unit: ReturnType<typeof compileSteps>,
  question: Question,
  { limits, target = "wasm", symmetry }: CompiledOptions,
  escaped: () => void,
): FastOptions {
  const { observers, latched, final, stuck } = question;
  const latches = (observers ?? []).flatMap((name) => {
    const latch = machine.layout.latches[machine.program.observers.indexOf(name)];
    return latch ? [{ word: latch.word, mask: latch.mask << latch.shift }] : [];
  });
  const onNew = (words: Int32Array, at: number): boolean => {
    machine.load(words, at);
    if (latched && !observers && latched(machine)) return true;
    return (
      stuck !== undefined &&
      machine.retrying(stuck) &&
      findCycle(machine, stuck, machine.state.slice()) !== undefined
    );
  };
  const due = dueRules(machine);
  const onEnd = (words: Int32Array, at: number): boolean => {
    if (due(words, at)) return false;
    machine.load(words, at);
    const holds = endsWell(machine, question);
    if (!holds) escaped();
    return holds;
  };
  const canon = symmetry && normalForm(machine.program, machine.layout, symmetry, "canon");
  const asked = (latched && !observers) || stuck !== undefined;
  return {
    states_max: limits.states_max,
    bytes_max: limits.bytes_max,
    target,
    imports: (memory) => ({ ...unit.host(memory) }),
    latches,
    ...(canon ? { functions: [canon], canon: [canon.name] } : {}),
    ...(asked ? { onNew } : {}),
    ...(final || stuck !== undefined ? { onEnd } : {}),
  };
}

/** The shortest way to what was found, and how it repeats; by a machine with numbers of its own. */
function witness(
  machine: PackedMachine,
  question: Question,
  options: CompiledOptions,
): Pick<Outcome, "path" | "cycle"> {
  const initial = machine.initial();
  const unit = compileSteps(machine, TABLES, options.alone);
  // Origins cost a word or two a state: let them not be what ends the search.
  const { limits } = options;
  const roomy = { ...options, limits: { ...limits, bytes_max: limits.bytes_max * 2 } };
  const steps = pathFast(
    unit,
    initial,
    fastOptions(machine, unit, question, roomy, () => {}),
  );
  if (!steps) return {};
  return wayOf(machine, question, options, steps);
}

/** Steps of compiled code as those of the machine that it was compiled from. */
function wayOf(
  machine: PackedMachine,
  question: Question,
  options: CompiledOptions,
  steps: readonly FastStep[],
): Pick<Outcome, "path" | "cycle"> {
  const normal = options.symmetry && normalizer(machine, options.symmetry);
  const { path, end } = realPath(machine, normal ?? (() => {}), steps);
  machine.load(end, 0);
  if (question.stuck === undefined || !machine.retrying(question.stuck)) return { path };
  const cycle = findCycle(machine, question.stuck, end);
  return cycle ? { path, cycle } : { path };
}
