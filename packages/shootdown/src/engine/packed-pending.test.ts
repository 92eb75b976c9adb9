// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { Expr } from "../ir/expr.ts";
import {
  ANY,
  and,
  constant,
  eq,
  FALSE,
  field,
  member,
  not,
  num,
  outstanding,
  rangeOps,
} from "../ir/expr.ts";
import { pending } from "../ir/machine.ts";
import { enumeration, int, ordered, rangeOf } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { lower } from "./lower.ts";
import { PackedMachine } from "./packed.ts";
import type { System } from "./program.ts";

const page = ordered("page");
const span = rangeOf("span", page);
const pages = rangeOps(page, span);
const kind = enumeration("kind", ["read", "write", "sync"]);
const source = { file: "toy" };
const a = field("a", [], int);
const b = field("b", [], int);
const table = field("table", [page], int);
const pg = (n: number): Expr<"page"> => constant(page, n);

const queueOf = (order: readonly (readonly [string, string])[], busy = FALSE) =>
  pending("queue", {
    keys: { page },
    entry: { kind, n: int },
    capacity: "N",
    orderBy: "kind",
    order,
    ready: ({ n }) => not(and(busy, eq(n, num(0)))),
    effect: ({ page: at, n }) => [s.set(table(at), n)],
    source,
  });
const queue = queueOf([]);

function machine(threads: readonly (readonly Stmt[])[], more: Partial<System> = {}): PackedMachine {
  const system: System = {
    machine: { cells: [], pending: [queue.decl], rules: [], definitions: [] },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: { page: 4, int: 8 }, names: {}, limits: { N: 2 } },
    knobs: {},
    threads: threads.map((body, n) => ({ name: `T${n}`, locals: {}, body })),
    observers: [],
    initial: [],
    entries: [],
    ...more,
  };
  return new PackedMachine(lower(system, { keepAll: true }), { semantics: "concrete" });
}

/** The successors of a state by the transitions of that name; what `read` sees in each. */
function after<T>(m: PackedMachine, from: Int32Array, name: string, read: () => T): T[] {
  const found: T[] = [];
  for (const t of m.transitions) {
    if (t.name === name) m.successors(t, from, 0, () => found.push(read()));
  }
  return found;
}

/** The states after each step of a thread that has one successor a step, until it stops. */
function run(m: PackedMachine, from = m.initial(), name = "T0"): Int32Array[] {
  const states: Int32Array[] = [];
  for (let state = from; ; state = states.at(-1)!) {
    const next = after(m, state, name, () => m.state.slice());
    if (next.length === 0) return states;
    expect(next).toHaveLength(1);
    states.push(next[0]!);
  }
}

const read = (m: PackedMachine, state: Int32Array, name: string, ...index: number[]) => {
  m.load(state, 0);
  return m.field(name, index);
};
const kinds = ["read", "write", "sync"] as const;
/** Which of the entries of these kinds, in this order, may take effect first. */
function ready(
  order: readonly (readonly [string, string])[],
  posted: readonly (typeof kinds)[number][],
): number[] {
  const q = queueOf(order);
  const body = posted.map((k, n) =>
    s.post(q({ page: pg(0) }), { kind: member(kind, k), n: num(n + 1) }),
  );
  const m = machine([body], {
    machine: { cells: [], pending: [q.decl], rules: [], definitions: [] },
    domain: { sizes: { page: 4, int: 8 }, names: {}, limits: { N: 4 } },
  });
  const end = run(m).at(-1)!;
  return after(m, end, "queue[0]", () => m.field("table", [0])!).sort();
}

test("the order of effects is what the matrix says", () => {
  expect(ready([], ["read", "write", "sync"])).toEqual([1, 2, 3]);
  expect(ready([["*", "*"]], ["read", "write", "sync"])).toEqual([1]);
  expect(ready([["read", "write"]], ["read", "write", "sync", "write"])).toEqual([1, 3]);
  expect(ready([["read", "write"]], ["write", "read", "write"])).toEqual([1, 2]);
  expect(ready([["*", "sync"]], ["read", "write", "sync"])).toEqual([1, 2]);
  expect(ready([["sync", "*"]], ["read", "sync", "write"])).toEqual([1, 2]);
  expect(ready([["write", "write"]], ["write", "write", "read"])).toEqual([1, 3]);
});

test("an entry that is not ready waits, and does not hold up those it is not before", () => {
  const q = queueOf([], eq(b(), num(0)));
  const body = [0, 1].map((n) =>
    s.post(q({ page: pg(0) }), { kind: member(kind, "read"), n: num(n) }),
  );
  const m = machine([body, [s.set(b(), num(1))]], {
    machine: { cells: [], pending: [q.decl], rules: [], definitions: [] },
  });
  const [, posted] = run(m);
  expect(after(m, posted!, "queue[0]", () => m.field("table", [0]))).toEqual([1]);
  const [open] = run(m, posted!, "T1");
  expect(after(m, open!, "queue[0]", () => m.field("table", [0]))).toEqual([0, 1]);
});

test("a full set blocks its posters, and an effect makes room", () => {
  const post = (n: number) =>
    s.post(queue({ page: pg(1) }), { kind: member(kind, "read"), n: num(n) });
  const m = machine([[post(1), post(2), post(3)]]);
  const states = run(m);
  expect(states).toHaveLength(2);
  const landed = after(m, states[1]!, "queue[1]", () => m.state.slice());
  expect(landed).toHaveLength(2);
  expect(run(m, landed[0]!)).toHaveLength(1);
});

test("equal contents of an unordered set are equal states; of an ordered one they are not", () => {
  const both = (q: typeof queue) => {
    const post = (n: number) =>
      s.post(q({ page: pg(0) }), { kind: member(kind, "read"), n: num(n) });
    const ends = [
      [1, 2],
      [2, 1],
    ].map((ns) => {
      const m = machine([ns.map(post)], {
        machine: { cells: [], pending: [q.decl], rules: [], definitions: [] },
      });
      return [...run(m).at(-1)!].join();
    });
    return ends[0] === ends[1];
  };
  expect(both(queue)).toBe(true);
  expect(both(queueOf([["*", "*"]]))).toBe(false);
});

test("outstanding asks by key and by field", () => {
  const asks: readonly (readonly [Expr<"bool">, boolean])[] = [
    [outstanding(queue({ page: ANY })), true],
    [outstanding(queue({ page: pg(1) })), true],
    [outstanding(queue({ page: pg(2) })), false],
    [outstanding(queue({ page: { k: "in", range: pages.make(pg(0), pg(2)).node } })), true],
    [outstanding(queue({ page: { k: "in", range: pages.make(pg(2), pg(4)).node } })), false],
    [outstanding(queue({ page: ANY }), { kind: member(kind, "read") }), true],
    [outstanding(queue({ page: ANY }), { kind: member(kind, "write") }), false],
    [outstanding(queue({ page: ANY }), { kind: member(kind, "read"), n: num(4) }), false],
  ];
  for (const [ask, expected] of asks) {
    const post = s.post(queue({ page: pg(1) }), { kind: member(kind, "read"), n: num(3) });
    // The other pages' sets exist too.
    const others = s.when(
      eq(a(), num(7)),
      s.post(queue({ page: pg(2) }), { kind: member(kind, "sync"), n: a() }),
    );
    const m = machine([[others, post, s.when(ask, s.set(b(), num(1)))]]);
    expect(read(m, run(m).at(-1)!, "b") === 1).toBe(expected);
  }
});
