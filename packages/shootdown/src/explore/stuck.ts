// SPDX-License-Identifier: Apache-2.0
// Endless repetition: a cycle in which one thread tries again, and nothing can help it.
//
// From a state in which the thread is about to try again although memory permits what it wants, no
// other thread can move and nothing is outstanding, run only that thread and what it causes, with
// lookups finding only what the cells hold (entries stay: nothing evicts or refills them for sure).

import type { PackedMachine } from "../engine/packed.ts";
import type { PathStep } from "./search.ts";
import { VisitedSet } from "./visited.ts";

/** More states than this in one repetition are not looked at. */
const CYCLE_STATES_MAX = 10_000;

/**
 * The steps of a cycle through `from`, or undefined. `from` is a copy of the state; the choices of
 * a transition being enumerated stay as they are, the scratch state does not.
 */
export function findCycle(
  machine: PackedMachine,
  thread: number,
  from: Int32Array,
): readonly PathStep[] | undefined {
  const outer = machine.nest();
  try {
    return cycleThrough(machine, thread, from);
  } finally {
    machine.unnest(outer);
  }
}

function cycleThrough(
  machine: PackedMachine,
  thread: number,
  from: Int32Array,
): readonly PathStep[] | undefined {
  if (busy(machine, thread, from, true)) return undefined;
  const own = machine.transitions
    .map((t, n) => ({ t, n }))
    .filter(({ t }) => t.kind === "effect" || (t.kind === "thread" && t.index === thread));
  const seen = new VisitedSet(machine.words);
  seen.add(from);
  const parents: { readonly id: number; readonly step: PathStep }[] = [];
  const queue = [0];
  const keep = machine.hitsOnly;
  machine.hitsOnly = true;
  try {
    for (let i = 0; i < queue.length && seen.count < CYCLE_STATES_MAX; i++) {
      const id = queue[i]!;
      const state = seen.arena.slice(id * machine.words, (id + 1) * machine.words);
      if (id !== 0 && busy(machine, thread, state, false)) continue;
      for (const { t, n } of own) {
        let closed: PathStep | undefined;
        machine.successors(t, state, 0, () => {
          const step = { transition: n, choices: [...machine.choices] };
          const before = seen.count;
          const to = seen.add(machine.state);
          if (to === 0) closed ??= step;
          else if (seen.count > before) {
            parents[to] = { id, step };
            queue.push(to);
          }
        });
        if (closed) return unwind(parents, id, closed);
      }
    }
    return undefined;
  } finally {
    machine.hitsOnly = keep;
  }
}

/** Whether another thread could move, or (if asked) something outstanding could take effect. */
function busy(
  machine: PackedMachine,
  thread: number,
  state: Int32Array,
  effects: boolean,
): boolean {
  return machine.transitions.some((t) => {
    const other = t.kind === "thread" ? t.index !== thread : effects && t.kind === "effect";
    if (!other) return false;
    let enabled = false;
    machine.successors(t, state, 0, () => {
      enabled = true;
    });
    return enabled;
  });
}

function unwind(
  parents: readonly { readonly id: number; readonly step: PathStep }[],
  end: number,
  last: PathStep,
): PathStep[] {
  const steps = [last];
  for (let id = end; id !== 0; id = parents[id]!.id) steps.push(parents[id]!.step);
  return steps.reverse();
}
