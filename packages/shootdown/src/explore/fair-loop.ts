// SPDX-License-Identifier: Apache-2.0
// A run that goes on for ever: whether its loop is fair, and what keeps it from being so.
//
// The loop is made again on a concrete machine. Whoever could go on in all of its states, and
// whatever could happen in all of them, must be in it, and who could take a lock in one of them;
// the victim's turn never comes.

import type { PackedMachine } from "../engine/packed.ts";
import type { Victim, Waits } from "./fairness.ts";
import { locksOf } from "./locks.ts";
import { entriesOf, followed } from "./outstanding.ts";
import type { PathStep } from "./search.ts";
import { waitsForEver } from "./search.ts";

/** What a loop puts off for ever although it could happen. */
export type PutOff =
  | { readonly transition: number }
  | { readonly set: number; readonly slot: number };

/** The states of a loop, one more than its steps; undefined if there is no such loop. */
function statesOf(
  machine: PackedMachine,
  from: Int32Array,
  loop: readonly PathStep[],
): Int32Array[] | undefined {
  const states = [from];
  for (const { transition, choices } of loop) {
    const t = machine.transitions[transition];
    if (!t || !machine.replay(t, choices, states.at(-1)!)) return undefined;
    states.push(machine.state.slice());
  }
  return states.at(-1)!.every((w, i) => w === from[i]) ? states : undefined;
}

function isEnabled(machine: PackedMachine, transition: number, state: Int32Array): boolean {
  let enabled = false;
  machine.successors(machine.transitions[transition]!, state, 0, () => {
    enabled = true;
  });
  return enabled;
}

/** Those whose waiting counts in a state and who may be the victim of a loop through it. */
export function victimsIn(machine: PackedMachine, state: Int32Array, waits: Waits): Victim[] {
  machine.load(state, 0);
  const threads = waits.threads.filter((n) => waitsForEver(machine, n));
  const sets = waits.entries ? [...machine.program.pending.keys()] : [];
  return [
    ...threads.map((thread) => ({ thread })),
    ...sets.flatMap((set) => entriesOf(machine, set, state, 0).map((_, slot) => ({ set, slot }))),
  ];
}

/** Who is never served by a run that goes round the loop for ever, if the run is fair. */
export function starvedBy(
  machine: PackedMachine,
  from: Int32Array,
  loop: readonly PathStep[],
  waits: Waits,
): Victim {
  const states = statesOf(machine, from, loop);
  if (!states) return undefined;
  const round = new Round(machine, states, loop);
  if (round.putOff() !== undefined) return undefined;
  return victimsIn(machine, from, waits).find((v) => round.starves(v));
}

/** What keeps a loop from being a fair run; undefined if nothing does. */
export function putOffIn(
  machine: PackedMachine,
  from: Int32Array,
  loop: readonly PathStep[],
): PutOff | undefined {
  const states = statesOf(machine, from, loop);
  if (!states) throw new Error("the loop does not close");
  return new Round(machine, states, loop).putOff();
}

class Round {
  private readonly machine: PackedMachine;
  private readonly states: readonly Int32Array[];
  private readonly loop: readonly PathStep[];
  private locksOf: ReturnType<typeof locksOf> | undefined;
  private readonly enabled = new Map<string, boolean>();

  constructor(machine: PackedMachine, states: readonly Int32Array[], loop: readonly PathStep[]) {
    this.machine = machine;
    // The last state is the first again.
    this.states = loop.length === 0 ? states : states.slice(0, -1);
    this.loop = loop;
  }

  private can(transition: number, n: number): boolean {
    const key = `${transition} ${n}`;
    let can = this.enabled.get(key);
    if (can === undefined) {
      can = isEnabled(this.machine, transition, this.states[n]!);
      this.enabled.set(key, can);
    }
    return can;
  }

  /** The first that should be in the loop and is not. */
  putOff(): PutOff | undefined {
    const { machine, loop, states } = this;
    for (const [n, t] of machine.transitions.entries()) {
      if (!t.fair || t.kind === "effect") continue;
      if (loop.some((s) => s.transition === n)) continue;
      const can = (_: Int32Array, i: number) => this.can(n, i);
      const free = (s: Int32Array, i: number) => this.locks(n, s) && can(s, i);
      if (states.every(can) || (t.kind === "thread" && states.some(free))) return { transition: n };
    }
    for (const set of machine.program.pending.keys()) {
      const count = entriesOf(machine, set, states[0]!, 0).length;
      for (let slot = 0; slot < count; slot++) {
        if (this.fate(set, slot) === "put off") return { set, slot };
      }
    }
    return undefined;
  }

  private locks(thread: number, state: Int32Array): boolean {
    const { machine } = this;
    this.locksOf ??= locksOf(machine);
    machine.load(state, 0);
    return this.locksOf[thread]![machine.point(thread)]!;
  }

  /** What becomes of an entry that is there when the loop begins, round after round. */
  private fate(set: number, slot: number): "served" | "impossible" | "put off" {
    const { machine, states, loop } = this;
    const effects = [...machine.transitions.entries()].filter(
      ([, t]) => t.kind === "effect" && t.index === set,
    );
    const seen = new Set<number>();
    let impossible = false;
    for (let at = slot; !seen.has(at); ) {
      seen.add(at);
      for (const [n, state] of states.entries()) {
        const [own] = effects.find(([, t]) => t.slot === at)!;
        if (!this.can(own, n)) impossible = true;
        const step = loop[n];
        if (!step) continue;
        const after = states[(n + 1) % states.length]!;
        const entries = [state, after].map((s) => entriesOf(machine, set, s, 0));
        const by = machine.transitions[step.transition]!;
        at = followed(set, at, entries[0]!, by, entries[1]!);
        if (at < 0) return "served";
      }
    }
    return impossible ? "impossible" : "put off";
  }

  starves(victim: Victim): boolean {
    if (!victim) return false;
    if ("set" in victim) return this.fate(victim.set, victim.slot) === "impossible";
    // Threads come first among the transitions. What is not put off and not taken is impossible.
    return !this.loop.some((s) => s.transition === victim.thread);
  }
}
