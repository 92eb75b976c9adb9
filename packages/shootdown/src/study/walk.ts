// SPDX-License-Identifier: Apache-2.0
// A run of a program on foot: what can happen next, one of it taken; back, and another way.
//
//   0 ──step──► 1 ──step──► 2 ...        a position is a number of steps taken
//               └──step──► 2' ...        cut, then another step: a branch

import { PackedMachine, type Transition } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { reasonHeld } from "../explore/reasons.ts";
import { lanesOf, lanesUsed, type Staged, staged } from "./lanes.ts";
import type { WitnessRow, WitnessStep } from "./player.ts";
import { Player, shownOf, transitionOf, WitnessMismatch } from "./player.ts";
import type { StateView } from "./state-view.ts";
import { StateViewer } from "./state-view.ts";
import type { Why } from "./why.ts";
import { whyEntry } from "./why.ts";

/** A step that is possible, with what it would do. */
export interface Move {
  readonly step: WitnessStep;
  readonly row: WitnessRow;
}

/** States are kept in blocks of so many. */
const BLOCK_STATES = 1024;

export class Walk {
  readonly machine: PackedMachine;
  private readonly viewer: StateViewer;
  private readonly taken: WitnessStep[] = [];
  private readonly blocks: Int32Array[] = [];
  /** Numbered steps before each position. */
  private readonly counts: number[] = [0];
  /** Where the last row was played to: the next one goes on from there. */
  private last: { position: number; readonly player: Player } | undefined;

  constructor(program: Program) {
    this.machine = new PackedMachine(program, { semantics: "concrete" });
    this.viewer = new StateViewer(this.machine);
    this.keep(0, this.machine.initial());
  }

  /** How many steps have been taken. */
  get length(): number {
    return this.taken.length;
  }

  get steps(): readonly WitnessStep[] {
    return this.taken;
  }

  /** Takes a step at the end. Throws WitnessMismatch if it cannot happen there. */
  take(step: WitnessStep): void {
    const { machine } = this;
    const transition = machine.transitions[transitionOf(machine, step)]!;
    if (!machine.replay(transition, step.choices, this.state(this.length))) {
      throw new WitnessMismatch(`${step.kind} ${step.name} cannot happen here`);
    }
    this.counts.push(this.counts.at(-1)! + (transition.free ? 0 : 1));
    this.taken.push(step);
    this.keep(this.length, machine.state);
  }

  /** Forgets all steps from a position on. */
  cut(position: number): void {
    this.taken.length = position;
    this.counts.length = position + 1;
    if (this.last && this.last.position > position) this.last = undefined;
  }

  /** What step `n`, from 1, did. */
  row(n: number): WitnessRow {
    const going = this.last?.position === n - 1 ? this.last.player : this.player(n - 1);
    const row = going.play(this.taken[n - 1]!);
    this.last = { position: n, player: going };
    return row;
  }

  /** Where step `n` was made, and the messages that it sent and was. */
  staged(n: number): Staged {
    const t = this.machine.transitions[transitionOf(this.machine, this.taken[n - 1]!)]!;
    return staged(this.machine, t, this.state(n - 1), this.state(n));
  }

  /** Every lane of the program, in the order of a drawing: CPUs, queue, IOMMU, devices. */
  lanes(): readonly string[] {
    return lanesOf(this.machine);
  }

  /** Those in which something happens; all of them where no step has been taken. */
  lanesUsed(): readonly string[] {
    if (this.length === 0) return this.lanes();
    const { machine } = this;
    const taken = new Set(this.taken.map((step) => transitionOf(machine, step)));
    return lanesUsed(machine, taken, this.state(this.length));
  }

  view(position: number): StateView {
    return this.viewer.view(this.state(position));
  }

  /**
   * Every step that is possible at a position, or those of some transitions; of several that lead
   * to one state the first.
   */
  moves(position: number, is?: (t: Transition) => boolean): Move[] {
    const { machine } = this;
    const state = this.state(position);
    const found: WitnessStep[] = [];
    for (const t of machine.transitions) {
      if (is && !is(t)) continue;
      const { kind, name, slot } = t;
      const seen = new Set<string>();
      machine.successors(t, state, 0, () => {
        const key = machine.state.join();
        if (seen.has(key)) return;
        seen.add(key);
        found.push({ kind, name, slot, choices: [...machine.choices] });
      });
    }
    const seen = shownOf(machine, state);
    const count = this.counts[position]!;
    return found.map((step) => {
      const player = new Player(machine, state, count, seen);
      return { step, row: player.play(step) };
    });
  }

  /**
   * Why a cell holds an entry at a position: who put it there, what changed memory since, and what
   * has missed it; undefined if it holds none.
   */
  why(position: number, instance: number, value: number): Why | undefined {
    const { machine } = this;
    const path = this.taken.slice(0, position).map((step) => ({
      transition: transitionOf(machine, step),
      choices: step.choices,
    }));
    const reason = reasonHeld(machine, path, { instance, value });
    if (!reason) return undefined;
    return whyEntry(machine, reason, position, (n) => this.row(n + 1));
  }

  private player(position: number): Player {
    return new Player(this.machine, this.state(position), this.counts[position]!);
  }

  private state(position: number): Int32Array {
    const { words } = this.machine;
    const block = this.blocks[Math.floor(position / BLOCK_STATES)]!;
    const at = (position % BLOCK_STATES) * words;
    return block.slice(at, at + words);
  }

  private keep(position: number, state: Int32Array): void {
    const { words } = this.machine;
    const n = Math.floor(position / BLOCK_STATES);
    this.blocks[n] ??= new Int32Array(BLOCK_STATES * words);
    this.blocks[n]!.set(state, (position % BLOCK_STATES) * words);
  }
}
