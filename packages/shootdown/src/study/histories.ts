// SPDX-License-Identifier: Apache-2.0
// Software histories: what software does and sees in the runs of a program, as a language.
//
//   states and steps ──what each step shows──► automaton ──┐ equal if, after every history,
//   of the other program ─────────────────────► automaton ─┴ both may show the same next
//
// Shown: stores to page tables, pages and tables that are handed out and given back, accesses and
// faults, what the kernel relies on, and that a run has ended. Not shown: barriers, invalidations,
// commands, calls of notifiers, locks.

import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { VisitedSet } from "../explore/visited.ts";
import { events } from "../vocabulary/events.ts";

const SHOWN: ReadonlySet<string> = new Set(
  [
    ...[events.pte_store, events.pmd_clear, events.pmd_populate, events.block_store],
    ...[events.page_allocated, events.page_freed, events.table_freed],
    ...[events.page_copied, events.page_droppable, events.revoked],
    ...[events.access, events.fault, events.abort],
  ].map((e) => e.name),
);

/** By state: silent steps, and steps by what they show. */
export interface Histories {
  readonly silent: readonly (readonly number[])[];
  readonly shown: readonly ReadonlyMap<string, readonly number[]>[];
  /** Statements that are run in some of them, as `routine:step`. */
  readonly reached: ReadonlySet<string>;
}

/** That a program has no histories that could be compared, and why. */
export type NoHistories = "large" | "broken";

const END = "end";

/** The histories of a program; `broken`: a counter overflows, or what is not there is read. */
export function historiesOf(
  program: Program,
  semantics: Semantics,
  states_max: number,
): Histories | NoHistories {
  try {
    return found(program, semantics, states_max);
  } catch {
    return "broken";
  }
}

function found(
  program: Program,
  semantics: Semantics,
  states_max: number,
): Histories | NoHistories {
  const machine = new PackedMachine(program, { semantics });
  const shown: string[] = [];
  machine.log = ({ event, args }) => {
    if (SHOWN.has(event)) shown.push(`${event} ${Object.values(args).join()}`);
  };
  // Each attempt of a step begins by loading the state.
  const load = machine.load.bind(machine);
  machine.load = (states, offset) => {
    shown.length = 0;
    load(states, offset);
  };
  const graph = new Graph();
  machine.trace = ({ routine, step }) => void graph.reached.add(`${routine}:${step}`);
  const visited = new VisitedSet(machine.words);
  visited.add(machine.initial());
  graph.state(0);
  // Between the events of one step there are states of the automaton alone.
  const nodes = [0];
  for (let id = 0; id < visited.count; id++) {
    if (visited.count > states_max) return "large";
    let moves = false;
    for (const t of machine.transitions) {
      machine.successors(t, visited.arena, id * machine.words, () => {
        if (t.kind === "thread" || t.kind === "effect") moves = true;
        const to = visited.add(machine.state);
        nodes[to] ??= graph.add();
        graph.path(nodes[id]!, shown, nodes[to]!);
      });
    }
    if (!moves) graph.path(nodes[id]!, [END], graph.add());
  }
  return graph;
}

class Graph implements Histories {
  readonly silent: number[][] = [];
  readonly shown: Map<string, number[]>[] = [];
  readonly reached = new Set<string>();

  add(): number {
    return this.state(this.silent.length);
  }

  state(n: number): number {
    this.silent[n] ??= [];
    this.shown[n] ??= new Map();
    return n;
  }

  path(from: number, letters: readonly string[], to: number): void {
    let at = from;
    for (const [n, letter] of letters.entries()) {
      const next = n === letters.length - 1 ? to : this.add();
      const known = this.shown[at]!.get(letter);
      if (!known) this.shown[at]!.set(letter, [next]);
      else if (!known.includes(next)) known.push(next);
      at = next;
    }
    if (at !== to && !this.silent[at]!.includes(to)) this.silent[at]!.push(to);
  }
}

/** Whether two programs have the same histories; undefined: not found out within `pairs_max`. */
export function sameHistories(a: Histories, b: Histories, pairs_max: number): boolean | undefined {
  const sets = [new Sets(a), new Sets(b)] as const;
  const seen = new Set<string>();
  const work: [Closed, Closed][] = [[sets[0].closed([0]), sets[1].closed([0])]];
  for (let pair = work.pop(); pair; pair = work.pop()) {
    const key = `${pair[0].id}|${pair[1].id}`;
    if (seen.has(key)) continue;
    seen.add(key);
    if (seen.size > pairs_max) return undefined;
    const [left, right] = pair.map((p, n) => sets[n]!.after(p)) as [Next, Next];
    if (left.size !== right.size) return false;
    for (const [letter, to] of left) {
      const other = right.get(letter);
      if (!other) return false;
      work.push([to, other]);
    }
  }
  return true;
}

/** States that a history may lead to. */
interface Closed {
  readonly id: number;
  readonly states: readonly number[];
}
type Next = ReadonlyMap<string, Closed>;

class Sets {
  private readonly of: Histories;
  private readonly known = new Map<string, Closed>();
  private readonly next = new Map<Closed, Next>();

  constructor(of: Histories) {
    this.of = of;
  }

  /** These states and what silent steps lead to. */
  closed(from: Iterable<number>): Closed {
    const states = new Set(from);
    for (const s of states) for (const to of this.of.silent[s]!) states.add(to);
    const sorted = [...states].sort((x, y) => x - y);
    const key = sorted.join();
    let found = this.known.get(key);
    if (!found) this.known.set(key, (found = { id: this.known.size, states: sorted }));
    return found;
  }

  after(from: Closed): Next {
    let next = this.next.get(from);
    if (next) return next;
    const reached = new Map<string, Set<number>>();
    for (const s of from.states) {
      for (const [letter, to] of this.of.shown[s]!) {
        let set = reached.get(letter);
        if (!set) reached.set(letter, (set = new Set()));
        for (const x of to) set.add(x);
      }
    }
    next = new Map([...reached].map(([letter, states]) => [letter, this.closed(states)]));
    this.next.set(from, next);
    return next;
  }
}
