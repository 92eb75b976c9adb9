// SPDX-License-Identifier: Apache-2.0
// Endless repetition: a cycle in which one thread tries again, and nothing can help it.
//
// From a state in which the thread is about to try again although memory permits what it wants, no
// other thread can move and nothing is outstanding, run only that thread and what it causes. What
// is in caches stays: nothing evicts or refills it for sure.
//
//   concrete   look-ups find what the cells hold; the cycle returns to the very state
//   window     each look-up commits the cell to the value found (a mask beside the state); nothing
//              is refilled, so that a value that the cycle itself clears does not come back; others
//              are looked at with the cells holding the commitments alone

import type { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import type { CellDecl } from "../ir/machine.ts";
import type { PathStep } from "./search.ts";
import { entryBit, unsureBits } from "./unsure.ts";
import { VisitedSet } from "./visited.ts";

/** More states than this in one repetition are not looked at. */
const CYCLE_STATES_MAX = 10_000;

/** Most repetitions, and most that are none, have fewer. */
const CYCLE_STATES_FEW = 32;

/** A limit of the search for repetitions: what is not found may be there. */
export class RepetitionTooLong extends Error {
  constructor() {
    super(`more than ${CYCLE_STATES_MAX} states in one repetition`);
  }
}

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
  const { hitsOnly, frozen } = machine;
  machine.frozen = true;
  try {
    return repetitionOf(machine, thread).through(from);
  } finally {
    machine.hitsOnly = hitsOnly;
    machine.frozen = frozen;
    machine.unnest(outer);
  }
}

/**
 * Whether windows tell where a thread repeats: an entry that is in the way of a repetition, or of
 * others' waiting, must be able to go, and every value of a window must be able to stay.
 */
export function windowsRepeat(program: Program): boolean {
  const exact = ({ evicts, ways }: CellDecl) => evicts && ways === undefined;
  return program.cells.every((g) => exact(g.decl) || g.instances.every((c) => !c.fill));
}

/** Whether `cycle` is one: it repeats, and neither in its states nor beside them is there help. */
export function isCycle(
  machine: PackedMachine,
  thread: number,
  from: Int32Array,
  cycle: readonly PathStep[],
): boolean {
  machine.load(from, 0);
  if (cycle.length === 0 || !machine.retrying(thread)) return false;
  const repetition = repetitionOf(machine, thread);
  if (!cycle.every((step) => repetition.owns(step.transition))) return false;
  return repetition.round(cycle, from, true)?.every((w, i) => w === from[i]) === true;
}

/** Made once: it is asked for many states. */
function repetitionOf(machine: PackedMachine, thread: number): Repetition {
  const known = repetitions.get(machine) ?? new Map<number, Repetition>();
  repetitions.set(machine, known);
  const made = known.get(thread) ?? new Repetition(machine, thread);
  known.set(thread, made);
  return made;
}

const repetitions = new WeakMap<PackedMachine, Map<number, Repetition>>();

/** A state of the cycle being built, and how it was reached. */
interface Reached {
  readonly parent: number;
  readonly step: PathStep;
}

class Repetition {
  private readonly machine: PackedMachine;
  private readonly own: readonly number[];
  private readonly others: readonly number[];
  private readonly quiet: readonly number[];
  private readonly isWindow: boolean;
  /** Bits of cells whose content nobody can be sure of. */
  private readonly unsure: Int32Array;

  constructor(machine: PackedMachine, thread: number) {
    this.machine = machine;
    this.isWindow = machine.semantics === "window";
    const { transitions } = machine;
    const numbers = [...transitions.keys()];
    const caused = (n: number) => transitions[n]!.kind === "effect" || transitions[n]!.fair;
    this.quiet = numbers.filter((n) => transitions[n]!.kind !== "thread" && caused(n));
    this.own = numbers.filter((n) => {
      const { kind, index } = transitions[n]!;
      return kind === "thread" ? index === thread : caused(n);
    });
    this.others = numbers.filter((n) => transitions[n]!.kind === "thread" && !this.owns(n));
    this.unsure = unsureBits(machine);
  }

  owns(transition: number): boolean {
    return this.own.includes(transition);
  }

  through(from: Int32Array): readonly PathStep[] | undefined {
    const { machine } = this;
    const { words } = machine;
    const none = new Int32Array(words);
    if (this.helped(this.committed(from, none), true)) return undefined;
    const seen = new VisitedSet(2 * words, CYCLE_STATES_FEW);
    seen.add(joined(from, none));
    const reached: Reached[] = [];
    for (let id = 0; id < seen.count; id++) {
      if (seen.count > CYCLE_STATES_MAX) throw new RepetitionTooLong();
      const state = seen.arena.slice(2 * id * words, (2 * id + 1) * words);
      const kept = seen.arena.slice((2 * id + 1) * words, 2 * (id + 1) * words);
      if (id !== 0 && this.helped(this.committed(state, kept), false)) continue;
      const candidates: { step: PathStep; to: Int32Array; kept: Int32Array }[] = [];
      machine.hitsOnly = true;
      for (const transition of this.own) {
        machine.successors(machine.transitions[transition]!, state, 0, () => {
          const step = { transition, choices: [...machine.choices] };
          candidates.push({ step, to: machine.state.slice(), kept: this.keep(kept) });
        });
      }
      machine.hitsOnly = false;
      for (const { step, to, kept: now } of candidates) {
        if (this.closes(from, to)) {
          const cycle = unwind(reached, id, step);
          if (this.repeats(cycle, from, now)) return cycle;
        }
        const before = seen.count;
        const next = seen.add(joined(to, now));
        if (seen.count > before) reached[next] = { parent: id, step };
      }
    }
    return undefined;
  }

  /** Whether another thread could move, or (if asked) something outstanding could take effect. */
  helped(state: Int32Array, effects: boolean): boolean {
    const { machine } = this;
    const numbers = effects ? [...this.others, ...this.quiet] : this.others;
    return numbers.some((n) => {
      let enabled = false;
      machine.successors(machine.transitions[n]!, state, 0, () => {
        enabled = true;
      });
      return enabled;
    });
  }

  /** The commitments with those of the step just made. */
  private keep(kept: Int32Array): Int32Array {
    if (!this.isWindow) return kept;
    const { picks } = this.machine;
    const now = kept.slice();
    for (const { instance, value } of picks) {
      const { word, bit } = entryBit(this.machine, instance, value);
      now[word]! |= bit;
    }
    return now;
  }

  /** A window state with cells that hold what is committed and no more; a concrete one as it is. */
  private committed(state: Int32Array, kept: Int32Array): Int32Array {
    const reduced = state.slice();
    for (const [w, bits] of this.unsure.entries()) reduced[w]! &= ~bits | kept[w]!;
    return reduced;
  }

  /** Whether a state is that of the beginning, but for entries that the cycle has cleared. */
  private closes(from: Int32Array, to: Int32Array): boolean {
    return this.unsure.every((bits, w) => {
      const other = to[w]! ^ from[w]!;
      return (other & ~bits) === 0 && (other & to[w]!) === 0;
    });
  }

  /**
   * Whether the cycle can go on for ever, with cells that hold what it found, and what it puts into
   * them itself: in its second round from there nothing changes any more.
   */
  private repeats(cycle: readonly PathStep[], from: Int32Array, kept: Int32Array): boolean {
    const first = this.round(cycle, this.committed(from, kept), false);
    if (!first) return false;
    return this.round(cycle, first, true)?.every((w, i) => w === first[i]) === true;
  }

  /** The state after the cycle, undefined if it cannot be made, or (if asked) there is help. */
  round(cycle: readonly PathStep[], from: Int32Array, alone: boolean): Int32Array | undefined {
    const { machine } = this;
    let state = from;
    for (const [n, { transition, choices }] of cycle.entries()) {
      if (alone && this.helped(state, n === 0)) return undefined;
      machine.hitsOnly = true;
      const ran = machine.replay(machine.transitions[transition]!, choices, state);
      machine.hitsOnly = false;
      if (!ran) return undefined;
      state = machine.state.slice();
    }
    return state;
  }
}

const joined = (state: Int32Array, kept: Int32Array): Int32Array => {
  const both = new Int32Array(state.length + kept.length);
  both.set(state);
  both.set(kept, state.length);
  return both;
};

function unwind(reached: readonly Reached[], end: number, last: PathStep): PathStep[] {
  const steps = [last];
  for (let id = end; id !== 0; id = reached[id]!.parent) steps.push(reached[id]!.step);
  return steps.reverse();
}
