// SPDX-License-Identifier: Apache-2.0
// All the ways in which runs end: every state that a test calls an end, by what it shows.

import type { PackedMachine } from "../engine/packed.ts";
import type { Limits, Progress } from "./search.ts";
import { VisitedSet } from "./visited.ts";

export interface Ends<T> {
  /** By key, in the order in which they were found. */
  readonly found: ReadonlyMap<string, T>;
  readonly states: number;
  readonly transitions: number;
  readonly bytes: number;
  readonly exhaustive: boolean;
}

/** Between two calls of `progress`. */
const PROGRESS_STATES = 1 << 12;

/**
 * Visits every reachable state, depth first. `end` looks at the machine's scratch state: undefined,
 * somebody has something left to do; else what it shows. `progress` is called now and then, and may
 * throw to stop; there are no levels, so the depth is 0.
 */
export function ends<T>(
  machine: PackedMachine,
  end: (m: PackedMachine) => { readonly key: string; readonly shows: T } | undefined,
  { states_max, bytes_max }: Limits,
  progress?: (p: Progress) => void,
): Ends<T> {
  const visited = new VisitedSet(machine.words);
  const found = new Map<string, T>();
  const stack: number[] = [];
  let transitions = 0;
  const meet = (): void => {
    const before = visited.count;
    const id = visited.add(machine.state);
    if (visited.count === before) return;
    // What hardware does by itself may go on behind an end, and make another of it.
    stack.push(id);
    const e = end(machine);
    if (e !== undefined && !found.has(e.key)) found.set(e.key, e.shows);
  };
  machine.initial();
  meet();
  for (
    let done = 0;
    stack.length > 0 && visited.count <= states_max && visited.bytes <= bytes_max;
    done++
  ) {
    if ((done & (PROGRESS_STATES - 1)) === 0) {
      const { count: states, bytes } = visited;
      progress?.({ states, transitions, depth: 0, queue: stack.length, bytes });
    }
    const id = stack.pop()!;
    for (const t of machine.transitions) {
      machine.successors(t, visited.arena, id * machine.words, () => {
        transitions++;
        meet();
      });
    }
  }
  const { count: states, bytes } = visited;
  return { found, states, transitions, bytes, exhaustive: stack.length === 0 };
}
