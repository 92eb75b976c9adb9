// SPDX-License-Identifier: Apache-2.0
// Whether a run gets to what a mutant edits: where it never does, the mutant is the same to it.

import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { VisitedSet } from "../explore/visited.ts";
import type { Mutant } from "./mutants.ts";

/** Statements that some run of a program makes, as `routine:step`. */
export type Reached = ReadonlySet<string>;

/** Every statement that is run; undefined: the program has more states, or breaks. */
export function reachedIn(
  program: Program,
  semantics: Semantics,
  states_max: number,
): Reached | undefined {
  const reached = new Set<string>();
  try {
    const machine = new PackedMachine(program, { semantics });
    machine.trace = ({ routine, step }) => void reached.add(`${routine}:${step}`);
    const visited = new VisitedSet(machine.words);
    visited.add(machine.initial());
    for (let id = 0; id < visited.count; id++) {
      if (visited.count > states_max) return undefined;
      for (const t of machine.transitions) {
        machine.successors(t, visited.arena, id * machine.words, () => {
          visited.add(machine.state);
        });
      }
    }
    return reached;
  } catch {
    return undefined;
  }
}

/** Statements that have instructions of their own: others have become part of these. */
export function statementsOf({ threads, rules, pending }: Program): Reached {
  const all = [...threads, ...rules, ...pending].flatMap((c) => c.instrs);
  return new Set(all.map(({ origin: { routine, step } }) => `${routine}:${step}`));
}

/**
 * Whether a run may get to what is edited. What is moved may come to where the run gets: there any
 * statement of the routine counts.
 */
export function mayReach(
  { routine, step, kind, inside }: Mutant,
  reached: Reached | undefined,
  statements: Reached,
): boolean {
  if (!reached) return true;
  const moved = kind === "swap" || kind === "earlier" || kind === "later";
  const counts = moved
    ? [...statements].filter((s) => s.startsWith(`${routine}:`))
    : [step, ...inside].map((n) => `${routine}:${n}`).filter((s) => statements.has(s));
  return counts.length === 0 || counts.some((s) => reached.has(s));
}
