// SPDX-License-Identifier: Apache-2.0
// A toy machine with a queue of entries of three kinds, for tests of the packed executor.

import { expect } from "vitest";
import { lower } from "../../packages/shootdown/src/engine/lower.ts";
import { PackedMachine } from "../../packages/shootdown/src/engine/packed.ts";
import type { System, ThreadSpec } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import { and, constant, eq, FALSE, field, not, num } from "../../packages/shootdown/src/ir/expr.ts";
import { pending } from "../../packages/shootdown/src/ir/machine.ts";
import { enumeration, int, ordered } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import * as s from "../../packages/shootdown/src/ir/stmt.ts";

export const page = ordered("page");
export const kind = enumeration("kind", ["read", "write", "sync"]);
export const table = field("table", [page], int);
export const pg = (n: number): Expr<"page"> => constant(page, n);

/** An entry writes its number into the table; while it is busy, none with 0 takes effect. */
export const queueOf = (order: readonly (readonly [string, string])[], busy = FALSE) =>
  pending("queue", {
    keys: { page },
    entry: { kind, n: int },
    capacity: "N",
    orderBy: "kind",
    order,
    ready: ({ n }) => not(and(busy, eq(n, num(0)))),
    effect: ({ page: at, n }) => [s.set(table(at), n)],
    source: { file: "toy" },
  });
export const queue = queueOf([]);

/** A machine that runs these threads, T0 and so on, and nothing else unless `more` says so. */
export function queueMachine(
  threads: readonly (readonly Stmt[])[],
  more: Partial<System> = {},
  locals: ThreadSpec["locals"] = {},
): PackedMachine {
  const system: System = {
    machine: { cells: [], pending: [queue.decl], rules: [], definitions: [] },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: { page: 4, int: 8 }, names: {}, limits: { N: 2 } },
    knobs: {},
    threads: threads.map((body, n) => ({ name: `T${n}`, locals, body })),
    observers: [],
    initial: [],
    entries: [],
    ...more,
  };
  return new PackedMachine(lower(system, { keepAll: true }), { semantics: "concrete" });
}

/** The successors of a state by the transitions of that name; what `read` sees in each. */
export function after<T>(m: PackedMachine, from: Int32Array, name: string, read: () => T): T[] {
  const found: T[] = [];
  for (const t of m.transitions) {
    if (t.name === name) m.successors(t, from, 0, () => found.push(read()));
  }
  return found;
}

/** The states after each step of a thread that has one successor a step, until it stops. */
export function run(m: PackedMachine, from = m.initial(), name = "T0"): Int32Array[] {
  const states: Int32Array[] = [];
  for (let state = from; ; state = states.at(-1)!) {
    const next = after(m, state, name, () => m.state.slice());
    if (next.length === 0) return states;
    expect(next).toHaveLength(1);
    states.push(next[0]!);
  }
}

/** A field of a state. */
export const read = (m: PackedMachine, state: Int32Array, name: string, ...index: number[]) => {
  m.load(state, 0);
  return m.field(name, index);
};
