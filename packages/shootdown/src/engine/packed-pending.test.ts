// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import {
  after,
  kind,
  queueMachine as machine,
  page,
  pg,
  queue,
  queueOf,
  read,
  run,
} from "../../../../test/support/queue-machine.ts";
import type { Expr } from "../ir/expr.ts";
import { ANY, eq, field, member, num, outstanding, rangeOps } from "../ir/expr.ts";
import { int, rangeOf } from "../ir/sort.ts";
import * as s from "../ir/stmt.ts";

const span = rangeOf("span", page);
const pages = rangeOps(page, span);
const a = field("a", [], int);
const b = field("b", [], int);

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
