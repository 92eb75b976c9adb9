// SPDX-License-Identifier: Apache-2.0
// Witnesses: a path found among windows becomes a concrete schedule, and is replayed.
//
//   window path ──each value looked up──► the latest state at which its cell could take it
//               ──fills put there───────► concrete schedule ──replay──► the same end, or an error
//
// A value in a window is there because some fill could have put it there. The fill goes as late as
// possible, and so do those that it rests on (a chain of captures).

import type { PickRecord } from "../engine/cells.ts";
import type { PackedMachine } from "../engine/packed.ts";
import type { PathStep } from "./search.ts";

export interface Schedule {
  readonly steps: readonly PathStep[];
  /** Steps that lead from the end of `steps` back to it. */
  readonly cycle: readonly PathStep[];
}

/** A step of a window path, with what it found. */
interface Visited {
  readonly step: PathStep;
  readonly before: Int32Array;
  readonly picks: readonly PickRecord[];
}

interface Fill {
  readonly instance: number;
  readonly value: number;
}

/**
 * The concrete schedule of a window path. Both machines run the same program. Throws if the path
 * cannot be made concrete: that is a mistake of the engine, never of the model.
 */
export function concretise(
  window: PackedMachine,
  concrete: PackedMachine,
  path: readonly PathStep[],
  cycle: readonly PathStep[] = [],
): Schedule {
  return new Concretiser(window, concrete, path, cycle).run();
}

class Concretiser {
  private readonly window: PackedMachine;
  private readonly concrete: PackedMachine;
  private readonly visited: Visited[] = [];
  /** Fills to make before each step of the path. */
  private readonly fills: Fill[][];
  private readonly path: readonly PathStep[];
  private readonly cycle: readonly PathStep[];

  constructor(
    window: PackedMachine,
    concrete: PackedMachine,
    path: readonly PathStep[],
    cycle: readonly PathStep[],
  ) {
    this.window = window;
    this.concrete = concrete;
    this.path = path;
    this.cycle = cycle;
    this.fills = Array.from({ length: path.length + 1 }, () => []);
  }

  run(): Schedule {
    this.follow();
    for (const [k, v] of this.visited.entries()) {
      // What repeats must be in place before the repetition begins.
      const latest = Math.min(k, this.path.length);
      for (const pick of v.picks) this.need(pick, k, latest);
      const t = this.window.transitions[v.step.transition];
      if (t?.kind === "fill") this.rests(t.index, v.step.choices[0]!, k);
    }
    return this.play();
  }

  /** A cell that is no window takes a value in step `k`: what it takes it from must hold it. */
  private rests(instance: number, value: number, k: number): void {
    const { window } = this;
    window.load(this.visited[k]!.before, 0);
    const options = window.cells.fillOptions(instance).filter((o) => o.value === value);
    const option = options.sort((a, b) => held(a.picks) - held(b.picks))[0];
    for (const inner of option?.picks ?? []) this.need(inner, k, k);
  }

  /** Replays the path and the cycle on windows, noting each state and each look-up. */
  private follow(): void {
    const { window } = this;
    let state = window.initial();
    for (const [k, step] of [...this.path, ...this.cycle].entries()) {
      window.hitsOnly = k >= this.path.length;
      const t = window.transitions[step.transition]!;
      if (!window.replay(t, step.choices, state)) throw new Error(`step ${k} cannot be repeated`);
      this.visited.push({ step, before: state, picks: [...window.picks] });
      state = window.state.slice();
    }
    window.hitsOnly = false;
    this.visited.push({ step: { transition: -1, choices: [] }, before: state, picks: [] });
  }

  /** Plans what must be in cells for a look-up of step `k` to find its value. */
  private need(pick: PickRecord, k: number, latest: number): void {
    const { window } = this;
    window.load(this.visited[k]!.before, 0);
    const option = window.cells.fillOptions(pick.instance).find((o) => o.value === pick.value);
    if (!pick.held && k <= this.path.length) {
      // A fresh walk: what it met on its way must be in place, or be found by a walk itself.
      for (const inner of option?.picks ?? []) this.need(inner, k, latest);
      return;
    }
    // What is no window was filled by a step of the path.
    if (!window.cells.isWindow(window.cells.instances[pick.instance]!.group)) return;
    this.plan(pick.instance, pick.value, latest);
  }

  /** Puts a fill before the latest step at which the cell can take the value and keeps it. */
  private plan(instance: number, value: number, latest: number): void {
    const { window } = this;
    const bit = window.cells.bit(instance, value);
    const fillable = window.cells.instances[instance]!.fill !== undefined;
    for (let j = latest; j >= 0; j--) {
      window.load(this.visited[j]!.before, 0);
      if (!(window.cells.mask(instance) & bit)) break;
      const options = window.cells.fillOptions(instance).filter((o) => o.value === value);
      // Prefer the option that rests on the fewest other entries.
      const option = options.sort((a, b) => held(a.picks) - held(b.picks))[0];
      if (!option) continue;
      for (const inner of option.picks) this.need(inner, j, j);
      const before = this.fills[j]!;
      if (!before.some((f) => f.instance === instance && f.value === value)) {
        before.push({ instance, value });
      }
      return;
    }
    // Inserted by a step, or there from the start: nothing to do.
    if (fillable && !this.initially(instance, value)) {
      throw new Error(`no fill explains ${window.cells.name(instance)}`);
    }
  }

  private initially(instance: number, value: number): boolean {
    const { program } = this.window;
    const decl = this.window.cells.decl(instance);
    const { key } = this.window.cells.instances[instance]!;
    return program.entries.some(
      (e) => e.cell === decl && e.value === value && e.index.every((v, i) => v === key[i]),
    );
  }

  /** Runs the plan on the concrete machine. */
  private play(): Schedule {
    const { concrete } = this;
    let state = concrete.initial();
    const run = (step: PathStep): void => {
      const t = concrete.transitions[step.transition]!;
      if (!concrete.replay(t, step.choices, state)) {
        throw new Error(`${t.kind} ${t.name} cannot be replayed`);
      }
      state = concrete.state.slice();
    };
    const steps: PathStep[] = [];
    for (const [k, step] of this.path.entries()) {
      this.fill(k, steps, run);
      const same = this.concreteStep(step);
      run(same);
      steps.push(same);
    }
    this.fill(this.path.length, steps, run);
    const once = (): void => {
      concrete.hitsOnly = true;
      for (const step of this.cycle) run(step);
      concrete.hitsOnly = false;
    };
    const evictions = this.evictions(state);
    const full = state;
    for (const step of evictions) run(step);
    once();
    // What the repetition puts into a cell itself has to be there from the start.
    const again = state;
    state = full;
    for (const step of evictions.filter((e) => !this.holds(again, e))) {
      run(step);
      steps.push(step);
    }
    const end = state;
    once();
    if (this.cycle.length > 0 && state.some((w, i) => w !== end[i])) {
      throw new Error("the repetition does not close");
    }
    return { steps, cycle: this.cycle };
  }

  /** The same step of the concrete machine, which has fills and evictions of all cells. */
  private concreteStep(step: PathStep): PathStep {
    const { kind, index, free } = this.window.transitions[step.transition]!;
    if (!free) return step;
    const all = this.concrete.transitions;
    return { ...step, transition: all.findIndex((t) => t.kind === kind && t.index === index) };
  }

  /** Whether a state has the entry that a step evicts. */
  private holds(state: Int32Array, { transition, choices }: PathStep): boolean {
    const { concrete } = this;
    const { index } = concrete.transitions[transition]!;
    concrete.load(state, 0);
    return (concrete.cells.mask(index) & concrete.cells.bit(index, choices[0]!)) !== 0;
  }

  /** What a repetition does not need and others might find. */
  private evictions(end: Int32Array): PathStep[] {
    const { concrete, window } = this;
    if (this.cycle.length === 0) return [];
    const cycle = this.visited.slice(this.path.length);
    const needed = new Set(cycle.flatMap((v) => v.picks.map((p) => `${p.instance} ${p.value}`)));
    return concrete.transitions.flatMap((t, transition) => {
      if (t.kind !== "evict") return [];
      const { group, index } = concrete.cells.instances[t.index]!;
      if (!window.cells.isWindow(group)) return [];
      concrete.load(end, 0);
      return concrete
        .contents(group, index)
        .filter((value) => !needed.has(`${t.index} ${value}`))
        .map((value) => ({ transition, choices: [value] }));
    });
  }

  /** Makes the fills planned before step `k`, those that are not in place already. */
  private fill(k: number, steps: PathStep[], run: (step: PathStep) => void): void {
    const { concrete } = this;
    for (const { instance, value } of this.fills[k]!) {
      const transition = concrete.transitions.findIndex(
        (t) => t.kind === "fill" && t.index === instance,
      );
      if (concrete.cells.mask(instance) & concrete.cells.bit(instance, value)) continue;
      const step = { transition, choices: [value] };
      run(step);
      steps.push(step);
    }
  }
}

const held = (picks: readonly PickRecord[]): number => picks.filter((p) => p.held).length;
