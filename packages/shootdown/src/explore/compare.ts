// SPDX-License-Identifier: Apache-2.0
// Comparison of the two semantics of cells: all states of a program with each, projected.
//
//   state = software part (fields, pending entries, threads, latches) + cells
//   for every software part:  union of cell contents, concrete  ==  union of cell contents, window
//
// Machines number values in the order in which they meet them, so contents compare by value.

import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Program } from "../engine/program.ts";
import { search } from "./search.ts";
import { VisitedSet } from "./visited.ts";

export interface Comparison {
  /** Different software parts among the states. */
  readonly projections: number;
  readonly concrete_states: number;
  readonly window_states: number;
  /** Observers whose latch is found set. */
  readonly violated: readonly string[];
  /** What differs, in words; empty if the semantics agree. */
  readonly differences: readonly string[];
}

/**
 * Compares all that is reachable; undefined if that is more than `states_max` states. Windows are
 * those of `windowed`, which differs in what it declares of its cells alone.
 */
export function compareSemantics(
  program: Program,
  states_max: number,
  windowed = program,
): Comparison | undefined {
  const concrete = project(program, "concrete", states_max);
  const window = concrete && project(windowed, "window", states_max);
  if (!concrete || !window) return undefined;
  const differences = compareParts(program, concrete.parts, window.parts);
  const violated: string[] = [];
  for (const [n, name] of program.observers.entries()) {
    const a = verdict(program, "concrete", n, states_max);
    const b = verdict(windowed, "window", n, states_max);
    if (a !== "never") violated.push(name);
    if (a !== b) differences.push(`${name}: concrete ${a}, window ${b}`);
  }
  return {
    projections: concrete.parts.size,
    concrete_states: concrete.states,
    window_states: window.states,
    violated,
    differences,
  };
}

/** Software part -> for each cell instance the values seen in it. */
type Parts = ReadonlyMap<string, readonly ReadonlySet<number>[]>;

interface Projection {
  readonly parts: Parts;
  readonly states: number;
}

/** All states that a machine reaches, or undefined if there are more than `states_max`. */
export function reach(machine: PackedMachine, states_max: number): VisitedSet | undefined {
  const visited = new VisitedSet(machine.words);
  visited.add(machine.initial());
  for (let id = 0; id < visited.count; id++) {
    if (visited.count > states_max) return undefined;
    for (const t of machine.transitions) {
      machine.successors(t, visited.arena, id * machine.words, () => {
        visited.add(machine.state);
      });
    }
  }
  return visited;
}

function project(
  program: Program,
  semantics: Semantics,
  states_max: number,
): Projection | undefined {
  const machine = new PackedMachine(program, { semantics });
  const visited = reach(machine, states_max);
  if (!visited) return undefined;
  // The bits of each word that are no cell's.
  const software = new Int32Array(machine.words).fill(-1);
  for (const { word, shift, mask } of machine.layout.cells.flat()) {
    software[word]! &= ~(mask << shift);
  }
  const parts = new Map<string, Set<number>[]>();
  for (let id = 0; id < visited.count; id++) {
    machine.load(visited.arena, id * machine.words);
    const part = [...software]
      .map((m, w) => ((machine.state[w]! & m) >>> 0).toString(16))
      .join(" ");
    const seen = parts.get(part) ?? machine.cells.instances.map(() => new Set<number>());
    parts.set(part, seen);
    for (const [n, c] of machine.cells.instances.entries()) {
      for (const value of machine.contents(c.group, c.index)) seen[n]!.add(value);
    }
  }
  return { parts, states: visited.count };
}

const listed = (values: ReadonlySet<number>): string =>
  `{${[...values].sort((a, b) => a - b).join()}}`;

function compareParts(program: Program, concrete: Parts, window: Parts): string[] {
  const names = program.cells.flatMap((g) =>
    g.instances.map((c) => `${g.decl.name}[${c.key.join()}]`),
  );
  const found: string[] = [];
  for (const part of window.keys()) {
    if (!concrete.has(part)) found.push(`only in windows: ${part}`);
  }
  for (const [part, cells] of concrete) {
    const others = window.get(part);
    if (!others) {
      found.push(`only concrete: ${part}`);
      continue;
    }
    for (const [n, values] of cells.entries()) {
      const [a, b] = [listed(values), listed(others[n]!)];
      if (a !== b) found.push(`${names[n]} at ${part}: concrete ${a}, window ${b}`);
    }
  }
  return found;
}

/** Whether an observer's latch is found set, and after how many steps. */
function verdict(
  program: Program,
  semantics: Semantics,
  observer: number,
  states_max: number,
): string {
  const limits = { states_max, bytes_max: Number.MAX_SAFE_INTEGER };
  const machine = new PackedMachine(program, { semantics });
  const outcome = search(machine, { latched: (m) => m.violated(observer) }, limits);
  // Not `sometimes` or `always`: windows do not speak of runs that end for want of a fill.
  return outcome.observed === "never" ? "never" : `after ${outcome.depth} steps`;
}
