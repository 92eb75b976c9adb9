// SPDX-License-Identifier: Apache-2.0
// Waiting for ever: a fair run in which a thread's turn never comes, or a pending entry's effect.
//
//   blocked    a state in which nothing is left that must happen, and somebody still waits
//   lasso      a stem, and a loop that is fair to all but its victim
//
// Windows say whether there can be such a run at all; if so, single entries decide (fair-graph.ts).

import { PackedMachine, type Semantics } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { FairGraph } from "./fair-graph.ts";
import { putOffIn, starvedBy, victimsIn } from "./fair-loop.ts";
import type { Step, Victim, Waits } from "./fairness.ts";
import { View } from "./fairness.ts";
import type { Limits, Outcome, PathStep, Progress } from "./search.ts";

/** The answer, and the semantics that it and its witness are about. */
export interface LivenessOutcome {
  readonly outcome: Outcome;
  readonly semantics: Semantics;
}

/** Whether somebody may wait for ever. `progress` is called now and then; it may throw to stop. */
export function waitsWithoutEnd(
  program: Program,
  semantics: Semantics,
  waits: Waits,
  limits: Limits,
  progress?: (p: Progress) => void,
): LivenessOutcome {
  const answer = (kind: Semantics): LivenessOutcome => {
    const graph = new FairGraph(new PackedMachine(program, { semantics: kind }));
    graph.build(limits, progress);
    return { semantics: kind, outcome: new Liveness(graph, waits).outcome() };
  };
  if (semantics === "window") {
    const may = answer("window");
    if (may.outcome.observed === "never" || may.outcome.limit !== undefined) return may;
  }
  return answer("concrete");
}

/** Where a bad run stays for ever: a state, and a component if it does not stand still. */
interface End {
  readonly state: number;
  readonly view?: View;
  readonly part?: readonly number[];
}

class Liveness {
  private readonly graph: FairGraph;
  private readonly waits: Waits;

  constructor(graph: FairGraph, waits: Waits) {
    this.graph = graph;
    this.waits = waits;
  }

  outcome(): Outcome {
    const { graph } = this;
    const { limit } = graph;
    const counts = {
      exhaustive: limit === undefined,
      states: graph.visited.count,
      transitions: graph.transitions,
      bytes: graph.bytes,
    };
    // What was not expanded looks as if it stood still.
    if (limit !== undefined) {
      return { ...counts, observed: "inconclusive", depth: graph.depth, limit };
    }
    const end = this.end();
    if (!end) return { ...counts, observed: "never", depth: graph.depth };
    const observed = this.escapes() ? "sometimes" : "always";
    const depth = graph.level[end.state]!;
    if (graph.machine.semantics === "window") return { ...counts, observed, depth };
    const path = graph.path(end.state);
    const cycle = end.part ? this.loop(end) : undefined;
    return { ...counts, observed, depth, path, ...(cycle ? { cycle } : {}) };
  }

  /** The nearest end of a bad run; of several equally near the first found, those at rest first. */
  private end(): End | undefined {
    const { graph, waits } = this;
    const { program } = graph.machine;
    let best: End | undefined;
    const offer = (end: End): void => {
      const [a, b] = [graph.level[end.state]!, best ? graph.level[best.state]! : 0];
      if (!best || a < b) best = end;
    };
    for (let state = 0; state < graph.visited.count; state++) {
      if (this.rests(state) && this.victims(state).length > 0) offer({ state });
    }
    const views = [
      ...waits.threads.map((thread) => new View(graph, waits, { thread })),
      ...(waits.entries ? program.pending.map((_, set) => new View(graph, waits, { set })) : []),
    ];
    for (const view of views) {
      for (const part of view.fairParts()) {
        const nearest = part.reduce((a, b) => (view.nearer(b, a) ? b : a));
        offer({ state: view.state(nearest), view, part: [nearest, ...part] });
      }
    }
    return best;
  }

  /** Nothing must happen any more. */
  private rests(state: number): boolean {
    return this.graph.sure[state] === 0;
  }

  private victims(state: number): Victim[] {
    const { machine, visited } = this.graph;
    const { words } = machine;
    const at = visited.arena.slice(state * words, (state + 1) * words);
    return victimsIn(machine, at, this.waits);
  }

  /** Whether some fair run leaves nobody waiting. */
  private escapes(): boolean {
    const { graph } = this;
    for (let state = 0; state < graph.visited.count; state++) {
      if (this.rests(state) && this.victims(state).length === 0) return true;
    }
    return new View(graph, this.waits, {}).fairParts().length > 0;
  }

  /** A loop from the end's state that is fair, and as short as dropping steps makes it. */
  private loop({ state, view, part }: End): PathStep[] {
    const { graph } = this;
    const { machine, visited } = graph;
    const from = visited.arena.slice(state * machine.words, (state + 1) * machine.words);
    const route = new Route(view!, new Set(part), part![0]!);
    for (;;) {
      const loop = route.closed();
      const steps = loop.map(({ from: a, by, to }) =>
        graph.step(view!.state(a), by, view!.state(to)),
      );
      const missing = putOffIn(machine, from, steps);
      if (!missing && starvedBy(machine, from, steps, this.waits)) return steps;
      if (!missing) route.toEntry(view!.set, view!.slot(part![0]!));
      else if ("transition" in missing) route.toTransition(missing.transition);
      else route.toEntry(missing.set, missing.slot);
    }
  }
}

interface Leg extends Step {
  readonly from: number;
}

/** A way through a component, made longer until the loop that it closes is fair. */
class Route {
  private readonly view: View;
  private readonly inside: ReadonlySet<number>;
  private readonly start: number;
  /** Transitions that are made in the component. */
  private readonly made: ReadonlySet<number>;
  private readonly legs: Leg[] = [];

  constructor(view: View, inside: ReadonlySet<number>, start: number) {
    this.view = view;
    this.inside = inside;
    this.start = start;
    this.made = new Set([...inside].flatMap((node) => this.steps(node).map(({ by }) => by)));
  }

  private get at(): number {
    return this.legs.at(-1)?.to ?? this.start;
  }

  private steps(node: number): Leg[] {
    return this.view
      .steps(node)
      .filter((s) => this.inside.has(s.to))
      .map((s) => ({ from: node, ...s }));
  }

  /** The way, and the shortest back to where it began. */
  closed(): Leg[] {
    if (this.legs.length > 0 && this.at === this.start) return this.legs;
    return [...this.legs, ...this.search((leg) => leg.to === this.start)];
  }

  toTransition(n: number): void {
    const { graph } = this.view;
    const cannot = (node: number) => (graph.sure[this.view.state(node)]! & graph.bit(n)) === 0;
    // Who waits for a lock that is free now and then must get it: no other step will do.
    if (this.made.has(n)) {
      this.legs.push(...this.search((leg) => leg.by === n));
      return;
    }
    this.legs.push(...this.search((leg) => leg.by === n || cannot(leg.to)));
  }

  /** Follows an entry that was there at the start until it is served, or cannot be. */
  toEntry(set: number, slot: number): void {
    const { view } = this;
    let place = slot;
    for (const leg of this.legs) {
      place = view.follow(set, place, view.state(leg.from), leg.by, view.state(leg.to));
    }
    type Place = { readonly leg: Leg; readonly place: number; readonly back: Place | undefined };
    const queue: (Place | undefined)[] = [undefined];
    const seen = new Set<string>([`${this.at} ${place}`]);
    for (const back of queue) {
      const node = back?.leg.to ?? this.at;
      for (const leg of this.steps(node)) {
        const next = view.follow(
          set,
          back?.place ?? place,
          view.state(node),
          leg.by,
          view.state(leg.to),
        );
        const here: Place = { leg, place: next, back };
        if (next < 0 || !view.sureEffect(set, next, view.state(leg.to))) {
          const way: Leg[] = [];
          for (let p: Place | undefined = here; p; p = p.back) way.unshift(p.leg);
          this.legs.push(...way);
          return;
        }
        if (seen.has(`${leg.to} ${next}`)) continue;
        seen.add(`${leg.to} ${next}`);
        queue.push(here);
      }
    }
    throw new Error("an entry of a fair component is put off");
  }

  /** The shortest way to a step. */
  private search(goal: (leg: Leg) => boolean): Leg[] {
    const back = new Map<number, Leg>();
    const queue = [this.at];
    for (const node of queue) {
      for (const leg of this.steps(node)) {
        if (goal(leg)) {
          const way = [leg];
          for (let n = node; n !== this.at; n = back.get(n)!.from) way.unshift(back.get(n)!);
          return way;
        }
        if (back.has(leg.to) || leg.to === this.at) continue;
        back.set(leg.to, leg);
        queue.push(leg.to);
      }
    }
    throw new Error("a component is not connected");
  }
}
