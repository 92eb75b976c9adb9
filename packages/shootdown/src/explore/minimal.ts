// SPDX-License-Identifier: Apache-2.0
// Schedules without what is not needed: no step, fill or eviction can be left out of the result.
//
//   fills and evictions  left out, the last first      then every other step, and what repeats
//   fills                moved behind what comes next  as long as the end shows the same

import type { PackedMachine } from "../engine/packed.ts";
import type { PathStep, Question } from "./search.ts";
import { shows } from "./shows.ts";
import type { Schedule } from "./witness.ts";

/** The schedule as short as leaving single steps out makes it. It must show what is asked for. */
export function minimal(machine: PackedMachine, schedule: Schedule, question: Question): Schedule {
  return new Trimmer(machine, question, schedule).run();
}

class Trimmer {
  private readonly machine: PackedMachine;
  private readonly question: Question;
  private steps: readonly PathStep[];
  private cycle: readonly PathStep[];
  /** The state before each step, and the last. */
  private states: readonly Int32Array[];

  constructor(machine: PackedMachine, question: Question, { steps, cycle }: Schedule) {
    this.machine = machine;
    this.question = question;
    this.steps = steps;
    this.cycle = cycle;
    const states = this.follow([machine.initial()], steps, 0);
    if (!states || !shows(machine, states.at(-1)!, cycle, question)) {
      throw new Error("a schedule does not show what was found");
    }
    this.states = states;
  }

  run(): Schedule {
    for (let changed = true; changed; ) {
      changed = this.drop((n) => this.isFree(n));
      changed = this.drop((n) => !this.isFree(n)) || changed;
      changed = this.shorten() || changed;
    }
    this.delay();
    return { steps: this.steps, cycle: this.cycle };
  }

  private isFree(n: number): boolean {
    return this.machine.transitions[this.steps[n]!.transition]!.free;
  }

  /** The states of a changed schedule, the first `kept` steps being the same; undefined: no run. */
  private follow(
    states: readonly Int32Array[],
    steps: readonly PathStep[],
    kept: number,
  ): Int32Array[] | undefined {
    const { machine } = this;
    const made = states.slice(0, kept + 1);
    for (const { transition, choices } of steps.slice(kept)) {
      if (!machine.replay(machine.transitions[transition]!, choices, made.at(-1)!))
        return undefined;
      made.push(machine.state.slice());
    }
    return made;
  }

  /** Takes other steps, the first `kept` being the same, if they show the same. */
  private accept(steps: readonly PathStep[], kept: number): boolean {
    const states = this.follow(this.states, steps, kept);
    if (!states || !shows(this.machine, states.at(-1)!, this.cycle, this.question)) return false;
    this.steps = steps;
    this.states = states;
    return true;
  }

  private drop(which: (n: number) => boolean): boolean {
    let changed = false;
    for (let n = this.steps.length - 1; n >= 0; n--) {
      if (!which(n)) continue;
      if (this.accept([...this.steps.slice(0, n), ...this.steps.slice(n + 1)], n)) changed = true;
    }
    return changed;
  }

  /** Leaves steps out of what repeats. */
  private shorten(): boolean {
    let changed = false;
    const end = this.states.at(-1)!;
    for (let n = this.cycle.length - 1; n >= 0; n--) {
      const shorter = [...this.cycle.slice(0, n), ...this.cycle.slice(n + 1)];
      if (shorter.length === 0 || !shows(this.machine, end, shorter, this.question)) continue;
      this.cycle = shorter;
      changed = true;
    }
    return changed;
  }

  /** Moves every fill and eviction as far back as it goes. */
  private delay(): void {
    for (let n = this.steps.length - 2; n >= 0; n--) {
      for (let at = n; at + 1 < this.steps.length && this.isFree(at); at++) {
        if (this.isFree(at + 1)) break;
        const [step, next] = [this.steps[at]!, this.steps[at + 1]!];
        if (
          !this.accept([...this.steps.slice(0, at), next, step, ...this.steps.slice(at + 2)], at)
        ) {
          break;
        }
      }
    }
  }
}
