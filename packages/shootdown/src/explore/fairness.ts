// SPDX-License-Identifier: Apache-2.0
// Fair runs inside a graph of states: components in which nobody is for ever put off who could go
// on, and in which somebody is never served (or everybody is).
//
// Fairness is weak: threads, entries and rules go on in the end if they can all the time; who can
// only now and then may be put off for ever. But locks are handed on: who waits for one (locks.ts)
// gets it in the end if it is free again and again.
//
//   victim thread   nodes are states, its own steps are taken away
//   victim entry    nodes are states with the entry's place, its own effect is taken away
//   no victim       nodes are states: a run in which all are served is looked for

import { components } from "./components.ts";
import type { FairGraph } from "./fair-graph.ts";
import { entriesOf, followed } from "./outstanding.ts";

/** Whose waiting counts: threads by number, and whether entries do. */
export interface Waits {
  readonly threads: readonly number[];
  readonly entries: boolean;
}

/** Who is never served; an entry's place is that where it is first met. */
export type Victim =
  | { readonly thread: number }
  | { readonly set: number; readonly slot: number }
  | undefined;

export interface Step {
  readonly to: number;
  readonly by: number;
}

/** The graph as one victim sees it. */
export class View {
  readonly graph: FairGraph;
  /** Of a thread that is the victim; of a set one of whose entries is. */
  readonly thread: number;
  readonly set: number;
  readonly size: number;
  private readonly waits: Waits;
  private readonly places: number;
  private readonly effects: ReadonlyMap<number, readonly number[]>;

  constructor(graph: FairGraph, waits: Waits, victim: { thread?: number; set?: number }) {
    this.graph = graph;
    this.waits = waits;
    this.thread = victim.thread ?? -1;
    this.set = victim.set ?? -1;
    this.places = this.set < 0 ? 1 : graph.machine.layout.pending[this.set]!.length;
    this.size = graph.visited.count * this.places;
    const { transitions, program } = graph.machine;
    this.effects = new Map(
      program.pending.map((_, set) => {
        const own = [...graph.fair.entries()].filter(([, n]) => {
          const t = transitions[n]!;
          return t.kind === "effect" && t.index === set;
        });
        return [set, own.sort((a, b) => slotOf(a[1]) - slotOf(b[1])).map(([bit]) => bit)];
      }),
    );
    function slotOf(n: number): number {
      return transitions[n]!.slot;
    }
  }

  state = (node: number): number => Math.floor(node / this.places);
  slot = (node: number): number => node % this.places;

  /** Whether one node is met before another. */
  nearer(a: number, b: number): boolean {
    const { level } = this.graph;
    const [x, y] = [level[this.state(a)]!, level[this.state(b)]!];
    return x === y ? a < b : x < y;
  }

  /** Nodes at which there is such a victim. */
  *roots(): Generator<number> {
    const { graph } = this;
    for (let s = 0; s < graph.visited.count; s++) {
      if (this.thread >= 0 && ((graph.running[s]! >>> this.thread) & 1) === 0) continue;
      const places = this.set < 0 ? 1 : this.entries(this.set, s).length;
      for (let slot = 0; slot < places; slot++) yield s * this.places + slot;
    }
  }

  entries(set: number, state: number): number[] {
    const { machine, visited } = this.graph;
    return entriesOf(machine, set, visited.arena, state * machine.words);
  }

  /** Where an entry of a set is after a step; -1 if it was served. */
  follow(set: number, slot: number, from: number, by: number, to: number): number {
    const t = this.graph.machine.transitions[by]!;
    return followed(set, slot, this.entries(set, from), t, this.entries(set, to));
  }

  /** The steps that do not serve the victim. */
  steps = (node: number): Step[] => {
    const { graph, set } = this;
    const from = this.state(node);
    const found: Step[] = [];
    const end = graph.first[from]! + graph.count[from]!;
    for (let i = graph.first[from]!; i < end; i++) {
      const [to, by] = [graph.to[i]!, graph.by[i]!];
      // Threads come first among the transitions.
      if (by === this.thread) continue;
      const slot = set < 0 ? 0 : this.follow(set, this.slot(node), from, by, to);
      if (slot >= 0) found.push({ to: to * this.places + slot, by });
    }
    return found;
  };

  /** Components in which a fair run can stay for ever. */
  fairParts(): number[][] {
    const next = (node: number) => this.steps(node).map((s) => s.to);
    const all = components(this.size, this.roots(), next);
    return all.flatMap((members) => this.fairPartsOf(members));
  }

  private fairPartsOf(members: readonly number[]): number[][] {
    const inside = new Set(members);
    const steps = new Map(
      members.map((m) => [m, this.steps(m).filter((s) => inside.has(s.to))] as const),
    );
    if (members.length === 1 && steps.get(members[0]!)!.length === 0) return [];
    const bad = this.unfairToThreads(members, steps);
    if (!bad) return [];
    for (const m of this.unfairToEntries(members, steps)) bad.add(m);
    if (bad.size === 0) return [[...members]];
    const rest = members.filter((m) => !bad.has(m));
    const left = new Set(rest);
    const next = (node: number) => steps.get(node)!.flatMap((s) => (left.has(s.to) ? [s.to] : []));
    return components(this.size, rest, next).flatMap((part) => this.fairPartsOf(part));
  }

  /**
   * Nodes at which a lock is free that somebody waits for and never gets; undefined if a thread or
   * rule, the victim included, could go on all the time and never does: no part will do.
   */
  private unfairToThreads(
    members: readonly number[],
    steps: ReadonlyMap<number, readonly Step[]>,
  ): Set<number> | undefined {
    const { graph, waits } = this;
    let taken = 0;
    let always = -1;
    for (const m of members) {
      always &= graph.sure[this.state(m)]!;
      for (const { by } of steps.get(m)!) taken |= graph.bit(by);
    }
    const bad = new Set<number>();
    const served = this.thread < 0 && this.set < 0;
    for (const n of graph.fair) {
      const { kind, index } = graph.machine.transitions[n]!;
      const bit = graph.bit(n);
      if (kind === "effect" || (taken & bit) !== 0) continue;
      if ((always & bit) !== 0) return undefined;
      // Nobody may be left waiting.
      const runs = (graph.running[this.state(members[0]!)]! >>> index) & 1;
      if (kind === "rule") continue;
      if (served && waits.threads.includes(index) && runs) return undefined;
      for (const m of members) if (graph.freeLocks(this.state(m)) & bit) bad.add(m);
    }
    if (this.set < 0) return bad;
    const waitsFor = (m: number) => !this.sureEffect(this.set, this.slot(m), this.state(m));
    return members.some(waitsFor) ? bad : undefined;
  }

  /** Whether the entry at a place can take effect for sure. */
  sureEffect(set: number, slot: number, state: number): boolean {
    const bit = this.effects.get(set)![slot]!;
    return ((this.graph.sure[state]! >>> bit) & 1) !== 0;
  }

  /** Nodes from which some entry can never be served or be impossible, inside the component. */
  private unfairToEntries(
    members: readonly number[],
    steps: ReadonlyMap<number, readonly Step[]>,
  ): Set<number> {
    const bad = new Set<number>();
    for (const set of this.graph.machine.program.pending.keys()) {
      for (const m of this.putOff(set, members, steps)) bad.add(m);
    }
    return bad;
  }

  private putOff(
    set: number,
    members: readonly number[],
    steps: ReadonlyMap<number, readonly Step[]>,
  ): number[] {
    const served = this.thread < 0 && this.set < 0 && this.waits.entries;
    const places = this.graph.machine.layout.pending[set]!.length;
    const before = new Map<number, number[]>();
    const good: number[] = [];
    const all: number[] = [];
    for (const m of members) {
      const state = this.state(m);
      const count = this.entries(set, state).length;
      for (let slot = 0; slot < count; slot++) {
        if (set === this.set && slot === this.slot(m)) continue;
        const key = m * places + slot;
        all.push(key);
        let isGood = !served && !this.sureEffect(set, slot, state);
        for (const { to, by } of steps.get(m)!) {
          const at = this.follow(set, slot, state, by, this.state(to));
          if (at < 0) isGood = true;
          else before.set(to * places + at, [...(before.get(to * places + at) ?? []), key]);
        }
        if (isGood) good.push(key);
      }
    }
    const reached = new Set(good);
    for (let key = good.pop(); key !== undefined; key = good.pop()) {
      for (const k of before.get(key) ?? []) {
        if (reached.has(k)) continue;
        reached.add(k);
        good.push(k);
      }
    }
    return all.filter((k) => !reached.has(k)).map((k) => Math.floor(k / places));
  }
}
