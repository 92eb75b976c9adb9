// SPDX-License-Identifier: Apache-2.0
// All states of a program and all steps between them, with what is sure to be possible in each.
//
//   fair transition   a thread's step, an effect, a rule that must happen in the end
//   sure              it can be made whatever caches hold: in windows with all of them empty
//
// A concrete state is as it is. Of a window state every concrete one has at least what is sure, so
// that each fair concrete run is a fair run here too: what never happens here never happens.

import type { PackedMachine } from "../engine/packed.ts";
import { locksOf } from "./locks.ts";
import type { Limits, PathStep, Progress } from "./search.ts";
import { waitsForEver } from "./search.ts";
import { unsureBits } from "./unsure.ts";
import { VisitedSet } from "./visited.ts";

/** Threads and fair transitions are kept as bits of a word. */
const BITS_MAX = 31;
const PROGRESS_STATES = 1 << 14;
/** Bytes of one step in the lists below, about. */
const STEP_BYTES = 16;

/** A program with more threads, or more that can happen at a time, than is told apart. */
export class TooManyAtOnce extends Error {
  constructor() {
    super(`more than ${BITS_MAX} threads, effects and rules that must happen in the end`);
  }
}

export class FairGraph {
  readonly machine: PackedMachine;
  /** Transitions that must happen in the end if they can all the time. */
  readonly fair: readonly number[];
  readonly visited: VisitedSet;
  readonly level: number[] = [0];
  /** Steps from each state: `to[i]` by `by[i]` for `first[s] <= i < first[s] + count[s]`. */
  readonly first: number[] = [0];
  readonly count: number[] = [0];
  readonly to: number[] = [];
  readonly by: number[] = [];
  /** For each state: which of `fair` are sure, and which of them can be made at all. */
  readonly sure: number[] = [0];
  readonly some: number[] = [0];
  /** For each state: threads that have not ended and do not themselves look for an entry. */
  readonly running: number[] = [0];
  /** For each state: which of `fair` are threads that wait for a lock. */
  private readonly locking: number[] = [0];
  private readonly locks: readonly (readonly boolean[])[];
  depth = 0;
  limit: string | undefined;
  private readonly parents: number[] = [-1];
  private readonly via: number[] = [-1];
  private readonly bits: Int32Array;
  /** Bits of cells whose content nobody can be sure of. */
  private readonly unsure: Int32Array;

  constructor(machine: PackedMachine) {
    this.machine = machine;
    const { transitions } = machine;
    this.fair = [...transitions.keys()].filter((n) => transitions[n]!.fair);
    if (this.fair.length > BITS_MAX) throw new TooManyAtOnce();
    this.bits = new Int32Array(transitions.length);
    for (const [bit, n] of this.fair.entries()) this.bits[n] = 1 << bit;
    this.visited = new VisitedSet(machine.words);
    this.unsure = unsureBits(machine);
    this.locks = locksOf(machine);
  }

  build(limits: Limits, progress?: (p: Progress) => void): void {
    this.visited.add(this.machine.initial());
    this.look(0);
    let current = [0];
    let next: number[] = [];
    while (current.length > 0) {
      for (let i = 0; i < current.length; i++) {
        const id = current[i]!;
        if (this.level[id] !== this.depth || this.count[id]! > 0) continue;
        this.expand(id, current, next);
        if ((i & (PROGRESS_STATES - 1)) === 0) this.tell(progress, current.length - i);
        this.limit = this.limitHit(limits);
        if (this.limit !== undefined) return;
      }
      current = next.filter((id) => this.level[id]! > this.depth);
      next = [];
      if (current.length > 0) this.depth++;
    }
  }

  /** The bit of a transition in `sure` and `some`; 0 if it need not happen. */
  bit(transition: number): number {
    return this.bits[transition]!;
  }

  /** Which of `fair` are threads that wait for a lock, and could take it for sure in a state. */
  freeLocks(state: number): number {
    return this.sure[state]! & this.locking[state]!;
  }

  get transitions(): number {
    return this.to.length;
  }

  /** The transitions that led to a state. */
  path(to: number): PathStep[] {
    const steps: PathStep[] = [];
    for (let id = to; this.parents[id]! >= 0; id = this.parents[id]!) {
      steps.push(this.step(this.parents[id]!, this.via[id]!, id));
    }
    return steps.reverse();
  }

  /** A step between two states with its choices. */
  step(from: number, transition: number, to: number): PathStep {
    const { machine, visited } = this;
    let choices: readonly number[] | undefined;
    const t = machine.transitions[transition]!;
    machine.successors(t, visited.arena, from * machine.words, () => {
      if (choices || !this.holds(to)) return;
      choices = [...machine.choices];
    });
    if (!choices) throw new Error("a step of the search cannot be repeated");
    return { transition, choices };
  }

  private holds(id: number): boolean {
    const { machine, visited } = this;
    const { words } = machine;
    return machine.state.every((w, i) => w === visited.arena[id * words + i]);
  }

  /** Bytes held, about. */
  get bytes(): number {
    return this.visited.bytes + STEP_BYTES * (this.to.length + 2 * this.visited.count);
  }

  private tell(progress: ((p: Progress) => void) | undefined, queue: number): void {
    const { depth, transitions, bytes } = this;
    progress?.({ states: this.visited.count, transitions, depth, queue, bytes });
  }

  private limitHit(limits: Limits): string | undefined {
    if (this.visited.count > limits.states_max) return `--max-states ${limits.states_max}`;
    return this.bytes > limits.bytes_max ? `--max-memory ${limits.bytes_max}` : undefined;
  }

  private expand(id: number, current: number[], next: number[]): void {
    const { machine, visited } = this;
    this.first[id] = this.to.length;
    const seen = new Set<number>();
    for (const [n, t] of machine.transitions.entries()) {
      if (seen.size > 0) seen.clear();
      machine.successors(t, visited.arena, id * machine.words, () => {
        const before = visited.count;
        const to = visited.add(machine.state);
        if (seen.has(to)) return;
        seen.add(to);
        this.to.push(to);
        this.by.push(n);
        const isNew = visited.count > before;
        if (isNew) this.meet(to);
        else if (!t.free || this.level[to]! <= this.depth) return;
        this.parents[to] = id;
        this.via[to] = n;
        this.level[to] = t.free ? this.depth : this.depth + 1;
        (t.free ? current : next).push(to);
      });
      if (seen.size > 0) this.some[id]! |= this.bit(n);
    }
    this.count[id] = this.to.length - this.first[id]!;
    this.sure[id] = this.surelyEnabled(id);
  }

  private meet(to: number): void {
    this.first.push(0);
    this.count.push(0);
    this.sure.push(0);
    this.some.push(0);
    this.running.push(0);
    this.locking.push(0);
    this.look(to);
  }

  /** Notes what the scratch state says of threads. */
  private look(id: number): void {
    const { machine } = this;
    let running = 0;
    let locking = 0;
    for (const n of machine.program.threads.keys()) {
      if (waitsForEver(machine, n)) running |= 1 << n;
      // A thread's transition has the thread's number.
      if (this.locks[n]![machine.point(n)]) locking |= this.bit(n);
    }
    this.running[id] = running;
    this.locking[id] = locking;
  }

  private surelyEnabled(id: number): number {
    const { machine, visited, unsure } = this;
    const { words } = machine;
    const state = visited.arena.slice(id * words, (id + 1) * words);
    const some = this.some[id]!;
    if (unsure.every((bits, w) => (state[w]! & bits) === 0)) return some;
    for (const [w, bits] of unsure.entries()) state[w]! &= ~bits;
    let sure = 0;
    for (const [bit, n] of this.fair.entries()) {
      if (((some >>> bit) & 1) === 0) continue;
      machine.successors(machine.transitions[n]!, state, 0, () => {
        sure |= 1 << bit;
      });
    }
    return sure;
  }
}
