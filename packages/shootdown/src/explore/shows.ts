// SPDX-License-Identifier: Apache-2.0
// Whether a run shows what was asked for, judged by its last state and by what repeats after it.

import type { PackedMachine } from "../engine/packed.ts";
import { dueRules } from "./due.ts";
import { starvedBy } from "./fair-loop.ts";
import type { PathStep, Question } from "./search.ts";
import { waitsForEver } from "./search.ts";
import { isCycle } from "./stuck.ts";

/** `end` is a state of a concrete machine; `cycle` leads from there back to it. */
export function shows(
  machine: PackedMachine,
  end: Int32Array,
  cycle: readonly PathStep[],
  question: Question,
): boolean {
  const { stuck, waits } = question;
  if (waits) return starvedBy(machine, end, cycle, waits) !== undefined;
  if (cycle.length > 0) return stuck !== undefined && isCycle(machine, stuck, end, cycle);
  machine.load(end, 0);
  if (question.latched?.(machine)) return true;
  if (!rests(machine, end)) return false;
  machine.load(end, 0);
  if (stuck !== undefined && waitsForEver(machine, stuck)) return true;
  return question.final?.(machine) ?? false;
}

/** Whether no thread and nothing outstanding can go on, nor hardware that must. */
function rests(machine: PackedMachine, state: Int32Array): boolean {
  if (dueRules(machine)(state, 0)) return false;
  return !machine.transitions.some((t) => {
    if (t.kind !== "thread" && t.kind !== "effect") return false;
    let moves = false;
    machine.successors(t, state, 0, () => {
      moves = true;
    });
    return moves;
  });
}
