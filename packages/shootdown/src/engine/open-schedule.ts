// SPDX-License-Identifier: Apache-2.0
// Schedulers of the open executor: who makes the next step, and how its choices fall.

import type { Random } from "../base/random.ts";
import type { OpenMachine, OpenTransition } from "./open.ts";

/** Makes one step of the machine, and says which; undefined if nothing is enabled. */
export type Scheduler = (machine: OpenMachine) => OpenTransition | undefined;

export interface PromptOptions {
  /** Outstanding entries take effect before any thread moves; else when none can. Default false. */
  readonly eager?: boolean;
}

/**
 * The lowest-numbered enabled thread runs, first choices first. When no thread can, the first
 * outstanding entry that may takes effect; and when there is none, but a thread waits, the rules
 * get their turns.
 */
export function prompt(options: PromptOptions = {}): Scheduler {
  let turn = 0;
  const threads = (machine: OpenMachine) => {
    for (const t of machine.threads) if (machine.step(t.transition)) return t.transition;
    return undefined;
  };
  return (machine) => {
    const effects = () => machine.stepEffect();
    const moved = options.eager ? (effects() ?? threads(machine)) : (threads(machine) ?? effects());
    if (moved || machine.threads.every((t) => machine.halted(t))) return moved;
    const rules = machine.rules();
    for (let n = 0; n < rules.length; n++) {
      const at = (turn + n) % rules.length;
      if (!machine.step(rules[at]!)) continue;
      turn = at + 1;
      return rules[at];
    }
    return undefined;
  };
}

export interface SeededOptions {
  /** Fills and evictions happen too. Default false. */
  readonly free?: boolean;
}

/** Anything enabled, at random: thread steps, effects and rules alike. */
export function seeded(random: Random, options: SeededOptions = {}): Scheduler {
  return (machine) => {
    const enabled = machine.enabled();
    if (enabled.length === 0) return undefined;
    if (options.free) enabled.push(...machine.enabledFree());
    const t = enabled[random.below(enabled.length)]!;
    // Choices made at random may not fit together; those found in order do.
    if (!machine.step(t, (count) => random.below(count)) && !machine.step(t)) return undefined;
    return t;
  };
}

/**
 * Runs a machine until its scheduler finds nothing to do, or for `limit` steps. Returns the steps
 * that were made.
 */
export function run(machine: OpenMachine, scheduler: Scheduler, limit = Infinity): number {
  let steps = 0;
  while (steps < limit && scheduler(machine)) steps++;
  return steps;
}
