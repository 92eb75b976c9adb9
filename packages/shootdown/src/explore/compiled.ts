// SPDX-License-Identifier: Apache-2.0
// The search on compiled steps: the same outcome as search.ts, state for state.
//
//   machine ──compileSteps──► unit ──exploreFast──► counts, depth, whether something was found
//                                  └─pathFast, with a machine of its own──► the way to it

import { compileSteps } from "../engine/compiled/compile.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { FastOptions } from "./fast/explore.ts";
import { exploreFast } from "./fast/explore.ts";
import type { Target } from "./fast/module.ts";
import type { FastStep } from "./fast/witness.ts";
import { pathFast } from "./fast/witness.ts";
import type { Limits, Outcome, PathStep, Progress, Question } from "./search.ts";
import { endsWell, escapes, search } from "./search.ts";
import { findCycle } from "./stuck.ts";

/** Where the tables of a unit begin in its memory. */
const TABLES = 64;

/** Searches all runs of a machine's program; it must be compilable (`Uncompilable` is thrown). */
export function searchCompiled(
  machine: PackedMachine,
  question: Question,
  limits: Limits,
  progress?: (p: Progress) => void,
  target: Target = "wasm",
): Outcome {
  const { program, semantics } = machine;
  let counter = false;
  const initial = machine.initial();
  const unit = compileSteps(machine, TABLES);
  const outcome = exploreFast(unit, initial, {
    ...fastOptions(machine, unit, question, limits, target, () => {
      counter = true;
    }),
    ...(progress ? { progress } : {}),
  });
  const { states, transitions, exhaustive, limit, found } = outcome;
  const common = { states, transitions };
  if (found === undefined) {
    const observed = exhaustive ? "never" : "inconclusive";
    const base = { ...common, observed, exhaustive, depth: outcome.depth } as const;
    return limit === undefined ? base : { ...base, limit };
  }
  const another = () => new PackedMachine(program, { semantics });
  if (limit === undefined && !counter && !escapes(another(), question)) {
    // Whether it always happens hangs on runs that never end: a question for the whole graph.
    return search(another(), question, limits, progress);
  }
  const way = witness(program, semantics, question, limits, target);
  return {
    ...common,
    observed: "sometimes",
    exhaustive: limit === undefined,
    depth: found,
    ...way,
  };
}

function fastOptions(
  machine: PackedMachine,
  unit: ReturnType<typeof compileSteps>,
  question: Question,
  limits: Limits,
  target: Target,
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
  const onEnd = (words: Int32Array, at: number): boolean => {
    machine.load(words, at);
    const holds = endsWell(machine, question);
    if (!holds) escaped();
    return holds;
  };
  const asked = (latched && !observers) || stuck !== undefined;
  return {
    states_max: limits.states_max,
    bytes_max: limits.bytes_max,
    target,
    imports: (memory) => ({ ...unit.host(memory) }),
    latches,
    ...(asked ? { onNew } : {}),
    ...(final || stuck !== undefined ? { onEnd } : {}),
  };
}

/** The shortest way to what was found, and how it repeats; by a machine with numbers of its own. */
function witness(
  program: PackedMachine["program"],
  semantics: PackedMachine["semantics"],
  question: Question,
  limits: Limits,
  target: Target,
): Pick<Outcome, "path" | "cycle"> {
  const machine = new PackedMachine(program, { semantics });
  const initial = machine.initial();
  const unit = compileSteps(machine, TABLES);
  // Origins cost a word or two a state: let them not be what ends the search.
  const roomy = { ...limits, bytes_max: limits.bytes_max * 2 };
  const options = fastOptions(machine, unit, question, roomy, target, () => {});
  const steps = pathFast(unit, initial, options);
  if (!steps) return {};
  const path = pathSteps(machine, initial, steps);
  const end = steps.at(-1)?.state ?? initial;
  machine.load(end, 0);
  if (question.stuck === undefined || !machine.retrying(question.stuck)) return { path };
  const cycle = findCycle(machine, question.stuck, end);
  return cycle ? { path, cycle } : { path };
}

/** Successors by their place in the list as transitions with choices. */
function pathSteps(
  machine: PackedMachine,
  initial: Int32Array,
  steps: readonly FastStep[],
): PathStep[] {
  let from = initial;
  return steps.map((step) => {
    let at = 0;
    let found: PathStep | undefined;
    for (const [transition, t] of machine.transitions.entries()) {
      if (found) break;
      if (t.free !== step.free) continue;
      machine.successors(t, from, 0, () => {
        if (at++ === step.ordinal) found = { transition, choices: [...machine.choices] };
      });
    }
    if (!found) throw new Error("a step of the search cannot be repeated");
    from = step.state;
    return found;
  });
}
