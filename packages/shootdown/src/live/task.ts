// SPDX-License-Identifier: Apache-2.0
// Operations of a live machine that are under way, and what they wait for.

import type { OpenMachine, OpenThread } from "../engine/open.ts";

/** An operation that is under way. */
export interface Task {
  readonly name: string;
  readonly done: boolean;
  /** Makes its next step; false if it is done or has to wait. */
  step(): boolean;
  /** Makes steps until it is done or has to wait; false if it makes more than `limit`. */
  run(limit: number): boolean;
  /** Where it stands: routine and step number. */
  readonly at: string;
}

/** Something outstanding that may take effect: a TLBI, a command. */
export interface Completion {
  readonly name: string;
  /** Lets it take effect; false if something must come before it. */
  step(): boolean;
}

/** A thread of the machine as a task; `beforeStep` runs before each of its steps. */
export function taskOf(
  open: OpenMachine,
  thread: OpenThread,
  name: string,
  beforeStep?: () => void,
): Task {
  return {
    name,
    get done() {
      return open.halted(thread);
    },
    get at() {
      const { routine, step } = open.at(thread).origin;
      return `${routine}:${step}`;
    },
    step() {
      if (open.halted(thread)) return false;
      beforeStep?.();
      return open.step(thread.transition);
    },
    run(limit) {
      if (!beforeStep) return open.run(thread, limit);
      let n = 0;
      while (n <= limit && this.step()) n++;
      return n <= limit;
    },
  };
}
