// SPDX-License-Identifier: Apache-2.0
// The search: breadth first, every interleaving, deterministic; it says what limit it hit.
//
//   level n ──every transition──► successors ──new──► level n+1   (free ones stay in level n)

import type { Seen } from "../engine/model-limit.ts";
import { limited } from "../engine/model-limit.ts";
import type { PackedMachine, Transition } from "../engine/packed.ts";
import type { Due } from "./due.ts";
import { dueRules } from "./due.ts";
import type { Waits } from "./fairness.ts";
import { findCycle } from "./stuck.ts";
import type { NormalForm } from "./symmetric.ts";
import { realPath } from "./symmetric.ts";
import { VisitedSet } from "./visited.ts";

/** What is asked of the runs of a program. */
export interface Question {
  /** Holds from some state on: the answer is known as soon as it is seen. */
  readonly latched?: (m: PackedMachine) => boolean;
  /** `latched` holds just where one of these observers has been violated. */
  readonly observers?: readonly string[];
  /** Holds in a final state. */
  readonly final?: (m: PackedMachine) => boolean;
  /** Index of a thread that may try again for ever. */
  readonly stuck?: number;
  /** Whose waiting for ever is asked for: a question for liveness.ts. */
  readonly waits?: Waits;
  /** Whether it can be is all that is asked: neither whether it always is, nor the shortest way. */
  readonly whether?: boolean;
}

/**
 * Whether a thread of a loaded final state waits for what nobody will do. A program of its own that
 * looks for an entry of a cell waits for luck.
 */
export function waitsForEver(machine: PackedMachine, thread: number): boolean {
  if (machine.halted(thread)) return false;
  const { name, instrs } = machine.program.threads[thread]!;
  const { op, origin } = instrs[machine.at(thread)]!;
  return op !== "lookup" || origin.routine !== name;
}

export interface Limits {
  readonly states_max: number;
  readonly bytes_max: number;
}

/** Bytes of visited states, unless the caller says otherwise. */
export const DEFAULT_BYTES_MAX = 2 ** 30;

export interface Progress {
  readonly states: number;
  readonly transitions: number;
  readonly depth: number;
  readonly queue: number;
  /** Memory for states. */
  readonly bytes: number;
}

export interface Outcome {
  readonly observed: "never" | "sometimes" | "always" | "inconclusive";
  /** Every reachable state was visited (or none was needed any more). */
  readonly exhaustive: boolean;
  readonly states: number;
  readonly transitions: number;
  /** Steps to the witness, or to the last state found. */
  readonly depth: number;
  /** Of memory for states. */
  readonly bytes?: number;
  /** The limit that was hit. */
  readonly limit?: string;
  /** Transitions from the initial state to the witness, with their choices. */
  readonly path?: readonly PathStep[];
  /** Transitions that lead back to the end of `path`. */
  readonly cycle?: readonly PathStep[];
}

export interface PathStep {
  readonly transition: number;
  readonly choices: readonly number[];
}

/** By thread and point: whether a step from there, if it is enabled, may be taken alone. */
export type AloneTable = readonly (readonly boolean[])[];

/**
 * Searches all runs. `progress` is called now and then; it may throw to stop. With `alone` a state
 * in which a thread may step alone has only that thread's successors, of the first such thread.
 * With `normal` one state stands for all that are alike.
 */
export function search(
  machine: PackedMachine,
  question: Question,
  limits: Limits,
  progress?: (p: Progress) => void,
  alone?: AloneTable,
  normal?: NormalForm,
): Outcome {
  return new Search(machine, question, limits, progress, alone, normal).run();
}

/** Between two calls of `progress`. */
const PROGRESS_STATES = 1 << 14;

class Search {
  private readonly machine: PackedMachine;
  private readonly question: Question;
  private readonly limits: Limits;
  private readonly progress: ((p: Progress) => void) | undefined;
  private readonly alone: AloneTable | undefined;
  private readonly normal: NormalForm | undefined;
  private readonly due: Due;
  private readonly visited: VisitedSet;
  private readonly parents: number[] = [-1];
  private readonly via: number[] = [-1];
  private readonly level: number[] = [0];
  private depth = 0;
  private transitions = 0;
  /** Of the step being made: whence, which, whether it is free, and whether anything came of it. */
  private from = 0;
  private taken = 0;
  private free = false;
  private made = false;
  /** What was seen when this level began. */
  private through: Seen = { states: 0, transitions: 0, depth: 0 };
  private current: number[] = [];
  private next: number[] = [];
  private found: { state: number; cycle?: readonly PathStep[] } | undefined;
  /** A maximal run without what is asked for. */
  private counter = false;
  /** One was looked for. */
  private probed = false;

  constructor(
    machine: PackedMachine,
    question: Question,
    limits: Limits,
    progress: ((p: Progress) => void) | undefined,
    alone: AloneTable | undefined,
    normal: NormalForm | undefined,
  ) {
    this.machine = machine;
    this.alone = alone;
    this.normal = normal;
    this.question = question;
    this.limits = limits;
    this.progress = progress;
    this.due = dueRules(machine);
    this.visited = new VisitedSet(machine.words);
  }

  run(): Outcome {
    return limited(
      () => this.levels(),
      () => this.through,
    );
  }

  private levels(): Outcome {
    this.begin();
    let limit: string | undefined;
    while (this.current.length > 0 && limit === undefined) {
      const { current, depth, transitions } = this;
      this.through = { states: this.visited.count, transitions, depth };
      for (let i = 0; i < current.length; i++) {
        const id = current[i]!;
        if (this.level[id] !== this.depth) continue;
        this.expand(id);
        if ((i & (PROGRESS_STATES - 1)) === 0) this.tell(current.length - i + this.next.length);
        limit = this.limitHit();
        if (limit !== undefined) break;
      }
      // Of a level that was cut short nobody knows which witness is the shortest.
      if (limit === undefined && this.found && this.settled()) return this.answer(true, undefined);
      // What a free step has brought into this level was visited with it.
      this.current = this.next.filter((id) => this.level[id]! > this.depth);
      this.next = [];
      if (this.current.length > 0) this.depth++;
    }
    return this.answer(limit === undefined, limit);
  }

  /** Adds the states in which runs begin. */
  private begin(): void {
    const { machine, visited } = this;
    for (const state of machine.initials()) {
      const before = visited.count;
      const id = visited.add(state);
      if (visited.count === before) continue;
      this.parents[id] = -1;
      this.level[id] = 0;
      this.via[id] = 0;
      this.current.push(id);
      machine.load(state, 0);
      this.inspect(id);
    }
  }

  /** The number of the scratch state, or of the state that stands for it. */
  private add(): number {
    this.normal?.(this.machine.state);
    return this.visited.add(this.machine.state);
  }

  private tell(queue: number): void {
    const { depth, transitions } = this;
    const { count: states, bytes } = this.visited;
    this.progress?.({ states, transitions, depth, queue, bytes });
  }

  private limitHit(): string | undefined {
    if (this.visited.count > this.limits.states_max)
      return `--max-states ${this.limits.states_max}`;
    if (this.visited.bytes > this.limits.bytes_max) return `--max-memory ${this.limits.bytes_max}`;
    return undefined;
  }

  private expand(id: number): void {
    const { machine } = this;
    if (this.alone) {
      machine.load(this.visited.arena, id * machine.words);
      const ready = this.alone.flatMap((of, n) => (of[machine.point(n)] ? [n] : []));
      // A thread's transition has the thread's number.
      for (const n of ready) if (this.step(id, n)) return;
    }
    let moves = false;
    for (let n = 0; n < machine.transitions.length; n++) {
      const { kind } = machine.transitions[n]!;
      if (this.step(id, n) && (kind === "thread" || kind === "effect")) moves = true;
    }
    if (!moves) this.final(id);
  }

  /** Makes the successors of a state by one transition; whether there are any. */
  private step(id: number, n: number): boolean {
    const { machine, visited } = this;
    const t = machine.transitions[n]!;
    this.from = id;
    this.taken = n;
    this.free = t.free;
    this.made = false;
    machine.successors(t, visited.arena, id * machine.words, this.meet);
    return this.made;
  }

  /** The scratch state is a successor. One function for all: a step makes none of its own. */
  private readonly meet = (): void => {
    const { visited, free } = this;
    this.transitions++;
    this.made = true;
    const before = visited.count;
    const to = this.add();
    if (visited.count > before) {
      this.parents.push(this.from);
      this.via.push(this.taken);
      this.level.push(free ? this.depth : this.depth + 1);
      (free ? this.current : this.next).push(to);
      this.inspect(to);
    } else if (free && this.level[to]! > this.depth) {
      this.level[to] = this.depth;
      this.parents[to] = this.from;
      this.via[to] = this.taken;
      this.current.push(to);
      this.inspect(to);
    }
  };

  /** Looks at a state that has just been found; the scratch state holds it. */
  private inspect(id: number): void {
    const { machine, question } = this;
    // A free transition may lead to one that costs less than the first found.
    if (this.found && this.level[id]! >= this.level[this.found.state]!) return;
    if (question.latched?.(machine)) this.found = { state: id };
    if (question.stuck !== undefined && machine.retrying(question.stuck)) {
      const keep = machine.state.slice();
      const cycle = findCycle(machine, question.stuck, keep);
      if (cycle) this.found = { state: id, cycle };
    }
  }

  private final(id: number): void {
    const { machine, question, visited } = this;
    if (this.due(visited.arena, id * machine.words)) return;
    machine.load(visited.arena, id * machine.words);
    if (!endsWell(machine, question)) this.counter = true;
    else if (!this.found || this.level[id]! < this.level[this.found.state]!) {
      this.found = { state: id };
    }
  }

  /** Whether some run without the condition never ends: a cycle among states that lack it. */
  private runsForEver(): boolean {
    const { machine, question, visited } = this;
    const { words } = machine;
    // 0 not seen, 1 on the path, 2 done.
    const colour = new Uint8Array(visited.count);
    const next = (id: number): number[] => {
      const found: number[] = [];
      for (const t of machine.transitions) {
        // Fills and evictions alone are no run.
        if (t.free) continue;
        machine.successors(t, visited.arena, id * words, () => {
          if (!question.latched?.(machine)) found.push(this.add());
        });
      }
      return found.filter((to) => to < colour.length);
    };
    const lacks = (id: number): boolean => {
      machine.load(visited.arena, id * words);
      return !question.latched?.(machine);
    };
    for (let start = 0; start < colour.length; start++) {
      if (colour[start] !== 0 || !lacks(start)) continue;
      const path = [{ id: start, to: next(start) }];
      colour[start] = 1;
      for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
        const to = top.to.pop();
        if (to === undefined) {
          colour[top.id] = 2;
          path.pop();
        } else if (colour[to] === 1) return true;
        else if (colour[to] === 0) {
          colour[to] = 1;
          path.push({ id: to, to: next(to) });
        }
      }
    }
    return false;
  }

  /** Whether what was found is all that is asked for. */
  private settled(): boolean {
    return this.question.whether === true || this.escapes();
  }

  /** Whether some maximal run is known to lack what is asked for. */
  private escapes(): boolean {
    if (!this.probed) this.counter ||= escapes(this.machine, this.question);
    this.probed = true;
    return this.counter;
  }

  private answer(exhaustive: boolean, limit: string | undefined): Outcome {
    const { found } = this;
    const { count: states, bytes } = this.visited;
    const common = { exhaustive, states, transitions: this.transitions, bytes };
    if (!found) {
      const observed = exhaustive ? "never" : "inconclusive";
      const base = { ...common, observed, depth: this.depth } as const;
      return limit === undefined ? base : { ...base, limit };
    }
    const { whether } = this.question;
    const sometimes = whether || this.counter || !exhaustive || this.runsForEver();
    const observed = sometimes ? "sometimes" : "always";
    if (this.machine.program.others.length > 0) {
      // A path says what is done, not where it begins.
      return { ...common, observed, depth: this.level[found.state]! };
    }
    const { path, end } = this.normal
      ? realPath(this.machine, this.normal, this.stored(found.state))
      : { path: this.path(found.state), end: undefined };
    const depth = this.level[found.state]!;
    const base = { ...common, observed, depth, path } as const;
    if (!found.cycle) return base;
    // A cycle of the state that stands for the end is not one of the end.
    const cycle = end ? findCycle(this.machine, this.question.stuck!, end) : found.cycle;
    if (!cycle) throw new Error("a cycle of the search cannot be repeated");
    return { ...base, cycle };
  }

  /** The states on the way to a state, and whether the steps to them cost. */
  private stored(to: number): { readonly state: Int32Array; readonly free: boolean }[] {
    const { machine, visited } = this;
    const found: { state: Int32Array; free: boolean }[] = [];
    for (let id = to; this.parents[id]! >= 0; id = this.parents[id]!) {
      const state = visited.arena.slice(id * machine.words, (id + 1) * machine.words);
      found.push({ state, free: machine.transitions[this.via[id]!]!.free });
    }
    return found.reverse();
  }

  /** The transitions that led to a state; choices are found by running each again. */
  private path(to: number): PathStep[] {
    const { machine, visited } = this;
    const { words } = machine;
    const steps: PathStep[] = [];
    for (let id = to; this.parents[id]! >= 0; id = this.parents[id]!) {
      const t: Transition = machine.transitions[this.via[id]!]!;
      let choices: readonly number[] | undefined;
      machine.successors(t, visited.arena, this.parents[id]! * words, () => {
        if (choices) return;
        for (let i = 0; i < words; i++) {
          if (machine.state[i] !== visited.arena[id * words + i]) return;
        }
        choices = [...machine.choices];
      });
      if (!choices) throw new Error("a step of the search cannot be repeated");
      steps.push({ transition: this.via[id]!, choices });
    }
    return steps.reverse();
  }
}

/** Whether what is asked for holds at the end of a run: in the scratch state, none goes on. */
export function endsWell(machine: PackedMachine, question: Question): boolean {
  const waits = question.stuck !== undefined && waitsForEver(machine, question.stuck);
  return waits || question.latched?.(machine) || question.final?.(machine) || false;
}

/** A run that ends without the condition is looked for among so many states. */
const PROBE_STATES_MAX = 20_000;

/** Looks for a maximal run that ends without what is asked for, depth first; bounded. */
export function escapes(machine: PackedMachine, question: Question): boolean {
  const seen = new VisitedSet(machine.words);
  for (const state of machine.initials()) seen.add(state);
  const stack = Array.from({ length: seen.count }, (_, n) => n);
  const { words } = machine;
  const due = dueRules(machine);
  for (let id = stack.pop(); id !== undefined && seen.count < PROBE_STATES_MAX; id = stack.pop()) {
    let moves = false;
    for (const t of machine.transitions) {
      if (t.free) continue;
      machine.successors(t, seen.arena, id * words, () => {
        moves ||= t.kind !== "rule";
        if (question.latched?.(machine)) return;
        const before = seen.count;
        const to = seen.add(machine.state);
        if (seen.count > before) stack.push(to);
      });
    }
    if (moves || due(seen.arena, id * words)) continue;
    machine.load(seen.arena, id * words);
    if (!endsWell(machine, question)) return true;
  }
  return false;
}
