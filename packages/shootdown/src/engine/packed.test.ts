// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import {
  after,
  kind,
  page,
  pg,
  queue,
  queueMachine,
  read,
  run,
  table,
} from "../../../../test/support/queue-machine.ts";
import {
  add,
  constant,
  eq,
  FALSE,
  field,
  get,
  ite,
  le,
  lt,
  member,
  ne,
  num,
  place,
  rangeOps,
  sub,
  TRUE,
  withFields,
} from "../ir/expr.ts";
import { event, observer, on, rule } from "../ir/machine.ts";
import { bool, int, rangeOf, word } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import type { PackedMachine } from "./packed.ts";
import { DomainOverflow } from "./packed-expr.ts";
import type { System } from "./program.ts";

const span = rangeOf("span", page);
const pages = rangeOps(page, span);
const pair = word("pair", [
  { name: "low", sort: page },
  { name: "high", sort: int },
]);
const source = { file: "toy" };
const a = field("a", [], int);
const b = field("b", [], int);
const words = field("words", [], pair);
const x = place<"int">({ k: "local", name: "x", sort: int });
const y = place<"int">({ k: "local", name: "y", sort: int });
const ok = place<"bool">({ k: "local", name: "ok", sort: bool });
const p = place<"page">({ k: "local", name: "p", sort: page });
const range = place<"span">({ k: "local", name: "range", sort: span });
const w = place<"pair">({ k: "local", name: "w", sort: pair });
const locals = { x: int, y: int, ok: bool, p: page, range: span, w: pair };

const machine = (threads: readonly (readonly Stmt[])[], more: Partial<System> = {}) =>
  queueMachine(threads, more, locals);

/** The values of a field after each step. */
const history = (m: PackedMachine, name: string, ...index: number[]) =>
  run(m).map((state) => read(m, state, name, ...index));

test("one shared access a step, with the local work after it", () => {
  const m = machine([
    [
      s.set(a(), num(1)),
      s.set(x, num(1)),
      s.set(x, add(x, num(1))),
      s.when(eq(x, num(2)), s.set(x, num(5))),
      s.set(y, a()),
      s.set(a(), add(x, y)),
    ],
  ]);
  expect(history(m, "a")).toEqual([1, 1, 6]);
});

test("a thread that begins with local work takes a step for it", () => {
  const m = machine([[s.set(x, num(1)), s.set(a(), x)]]);
  expect(history(m, "a")).toEqual([0, 1]);
});

test("a branch on shared state is an access, a branch on locals is not", () => {
  const m = machine([
    [
      s.when(eq(a(), num(0)), s.set(x, num(1))),
      s.when(eq(x, num(1)), s.set(y, num(2))),
      s.set(a(), y),
    ],
  ]);
  expect(history(m, "a")).toEqual([0, 2]);
});

test("a step of another thread comes between two accesses, not between joined ones", () => {
  const apart = machine([[s.set(a(), num(1)), s.set(b(), num(1))], []]);
  const together = machine([[s.atomic(s.set(a(), num(1)), s.set(b(), num(1)))], []]);
  expect(history(apart, "b")).toEqual([0, 1]);
  expect(history(together, "b")).toEqual([1]);
});

test("an atomic block is a step of its own, however it begins", () => {
  const beginnings: readonly (readonly Stmt[])[] = [
    [],
    [s.set(x, num(3))],
    [s.when(ok, s.set(b(), num(7)))],
    [s.emit(event("seen", {}), {})],
    [s.set(y, x), s.set(y, num(1))],
    [s.await_(TRUE)],
  ];
  for (const begin of beginnings) {
    const m = machine([
      [s.set(a(), num(1)), s.atomic(...begin, s.set(b(), num(1)), s.set(a(), x))],
    ]);
    expect(history(m, "b")).toEqual([0, 1]);
  }
  const m = machine([[s.atomic(s.set(a(), num(1))), s.atomic(s.set(b(), num(1)))]]);
  expect(history(m, "b")).toEqual([0, 1]);
});

test("an await holds its thread until the condition is true", () => {
  const m = machine([[s.await_(eq(a(), num(1))), s.set(b(), num(1))], [s.set(a(), num(1))]]);
  const start = m.initial();
  expect(run(m, start, "T0")).toEqual([]);
  const [set] = run(m, start, "T1");
  expect(run(m, set!, "T0").map((state) => read(m, state, "b"))).toEqual([0, 1]);
});

test("an await inside an atomic block holds all of it", () => {
  const m = machine([
    [s.atomic(s.set(b(), num(1)), s.await_(eq(a(), num(1))))],
    [s.set(a(), num(1))],
  ]);
  const start = m.initial();
  expect(run(m, start, "T0")).toEqual([]);
  const [set] = run(m, start, "T1");
  expect(run(m, set!, "T0").map((state) => read(m, state, "b"))).toEqual([1]);
});

test("threads end", () => {
  const m = machine([[s.set(a(), num(1))], []]);
  const start = m.initial();
  m.load(start, 0);
  expect([m.halted(0), m.halted(1)]).toEqual([false, true]);
  const [end] = run(m);
  m.load(end!, 0);
  expect(m.halted(0)).toBe(true);
});

test("exchange and compare-and-swap", () => {
  const m = machine([
    [
      s.xchg(x, a(), num(5)),
      s.set(b(), x),
      s.cas(ok, a(), num(4), num(6)),
      s.when(ok, s.set(b(), num(7))),
      s.cas(ok, a(), num(5), add(x, num(6))),
      s.when(ok, s.set(b(), num(6))),
    ],
  ]);
  expect(m.initial().length).toBe(m.words);
  const initial = [{ field: a.decl, index: [], value: 1 }];
  const n = machine([[s.xchg(x, a(), num(5)), s.set(b(), x)]], { initial });
  expect(history(n, "b")).toEqual([0, 1]);
  expect(history(m, "a")).toEqual([5, 5, 5, 6, 6]);
  expect(history(m, "b")).toEqual([0, 0, 0, 0, 6]);
});

test("choices: every value, those that fit, none that fits", () => {
  const m = machine([[s.choose(p, page), s.set(table(p), num(1))]]);
  const chosen = after(m, m.initial(), "T0", () => [...m.choices]);
  expect(chosen).toEqual([[0], [1], [2], [3]]);
  const fit = machine([[s.choose(x, int, lt(num(5), x)), s.set(a(), x)]]);
  const ends = after(fit, fit.initial(), "T0", () => fit.state.slice());
  expect(ends.map((e) => read(fit, run(fit, e)[0]!, "a"))).toEqual([6, 7]);
  const one = machine([[s.choose(x, int, eq(x, num(3))), s.set(a(), x)]]);
  expect(history(one, "a")).toEqual([0, 3]);
  const none = machine([[s.choose(x, int, FALSE), s.set(a(), x)]]);
  expect(run(none)).toEqual([]);
});

test("either: each branch, then what follows", () => {
  const branches = [[s.set(x, num(1))], [s.set(x, num(2)), s.set(y, num(1))], []] as const;
  const m = machine([[s.either(...branches), s.set(a(), add(x, y))]]);
  const ends = after(m, m.initial(), "T0", () => m.state.slice());
  expect(ends.map((e) => read(m, run(m, e)[0]!, "a"))).toEqual([1, 3, 0]);
});

test("loops: each with a stride, break and continue", () => {
  const m = machine([
    [
      s.each(page, pages.make(pg(0), pg(4)), (q) => [s.set(table(q), num(1))], num(2)),
      s.each(page, pages.make(pg(3), pg(3)), (q) => [s.set(table(q), num(7))]),
      s.each(page, pages.make(pg(1), pg(4)), (q) => [
        s.when(eq(table(q), num(1)), s.again()),
        s.when(eq(q, pg(3)), s.leave()),
        s.set(table(q), num(2)),
      ]),
      s.loop(s.set(x, add(x, num(1))), s.when(le(num(3), x), s.leave())),
      s.set(a(), x),
    ],
  ]);
  const end = run(m).at(-1)!;
  expect([0, 1, 2, 3].map((q) => read(m, end, "table", q))).toEqual([1, 2, 1, 0]);
  expect(read(m, end, "a")).toBe(3);
});

test("forall of a large sort is a loop over all its values", () => {
  const domain = { sizes: { page: 12, int: 8 }, names: {}, limits: { N: 2 } };
  const m = machine([[s.forall(page, (q) => [s.set(table(q), num(4))])]], { domain });
  const end = run(m).at(-1)!;
  const all = Array.from({ length: 12 }, (_, q) => read(m, end, "table", q));
  expect(all).toEqual(all.map(() => 4));
});

test("ranges grow from empty, both ways, and are kept between steps", () => {
  const m = machine([
    [
      s.set(range, pages.make(pg(0), pg(0))),
      s.grow(range, pg(2)),
      s.set(a(), num(1)),
      s.grow(range, pg(1)),
      s.grow(range, pg(3)),
      s.set(b(), ite(pages.contains(range, pg(1)), num(1), num(0))),
      s.set(a(), ite(pages.overlaps(range, pages.one(pg(0))), num(1), num(0))),
      s.each(page, range, (q) => [s.set(table(q), num(5))]),
      s.set(a(), ite(pages.empty(range), num(1), num(2))),
      s.when(eq(pages.lo(range), pg(1)), s.set(b(), num(6))),
    ],
  ]);
  const end = run(m).at(-1)!;
  expect([0, 1, 2, 3].map((q) => read(m, end, "table", q))).toEqual([0, 5, 5, 5]);
  expect([read(m, end, "a"), read(m, end, "b")]).toEqual([2, 6]);
});

test("words: fields are read and replaced", () => {
  const m = machine([
    [
      s.set(words(), withFields(constant(pair, 0), { low: pg(3), high: num(5) })),
      s.set(w, words()),
      s.set(w, withFields(w, { high: num(6) })),
      s.set(a(), get(w, "high", int)),
      s.when(eq(get(words(), "low", page), pg(3)), s.set(b(), get(words(), "high", int))),
    ],
  ]);
  const end = run(m).at(-1)!;
  expect([read(m, end, "a"), read(m, end, "b"), read(m, end, "words")]).toEqual([6, 5, 3 + 5 * 4]);
});

test.each<readonly [string, readonly Stmt[]]>([
  ["a", [s.set(a(), add(num(7), num(1)))]],
  ["a", [s.set(x, a()), s.set(a(), sub(x, num(1)))]],
  ["a local of T0", [s.set(x, num(8)), s.set(a(), num(1)), s.set(a(), sub(x, num(8)))]],
  ["queue.n", [s.post(queue({ page: pg(0) }), { kind: member(kind, "read"), n: num(8) })]],
])("a value that does not fit %s overflows the domain", (what, body) => {
  const m = machine([body]);
  expect(() => run(m)).toThrow(DomainOverflow);
  expect(() => run(m)).toThrow(`${what} exceeds the domain`);
});

test("a step without a shared access that never ends is a mistake", () => {
  const m = machine([[s.set(a(), num(1)), s.loop(s.set(x, num(1)))]]);
  expect(() => run(m)).toThrow("a step that does not end");
});

test("rules run as one step where their guard holds", () => {
  const move = rule("move", {
    forall: { q: page },
    when: ({ q }) => ne(table(q), num(0)),
    body: ({ q }) => [s.set(a(), table(q)), s.set(table(q), num(0))],
    source,
  });
  const m = machine([[]], {
    machine: { cells: [], pending: [], rules: [move], definitions: [] },
    initial: [{ field: table.decl, index: [2], value: 5 }],
  });
  const rules = m.transitions.filter((t) => t.kind === "rule");
  expect(rules.map((t) => t.name)).toEqual(["move(0)", "move(1)", "move(2)", "move(3)"]);
  const enabled = rules.flatMap((t) =>
    after(m, m.initial(), t.name, () => [t.name, m.field("a", [])]),
  );
  expect(enabled).toEqual([["move(2)", 5]]);
});

test("observers latch, events and origins are logged", () => {
  const seen = event("seen", { n: int });
  const watch = observer(
    "watch",
    "",
    on(seen, ({ n }) => [s.when(eq(n, num(2)), s.violate("watch"))]),
  );
  const body = [
    s.set(a(), num(1)),
    s.emit(seen, { n: num(1) }),
    s.set(a(), num(2)),
    s.emit(seen, { n: a() }),
  ];
  const m = machine([body], { observers: [watch] });
  const events: string[] = [];
  const origins: string[] = [];
  m.log = (e) => events.push(`${e.event} ${JSON.stringify(e.args)}`);
  m.trace = (o) => origins.push(`${o.routine}:${o.step}`);
  const latched = run(m).map((state) => {
    m.load(state, 0);
    return m.violated(0);
  });
  expect(latched).toEqual([false, true]);
  expect(events).toEqual(['seen {"n":1}', 'seen {"n":2}']);
  expect(origins.slice(0, 2)).toEqual(["T0:1", "T0:2"]);
});

test("fields start with their own value, or that of the system", () => {
  const c = field("c", [page], int, 3);
  const m = machine([[s.set(a(), c(pg(0))), s.set(c(pg(0)), num(0))]], {
    initial: [{ field: c.decl, index: [2], value: 6 }],
  });
  const start = m.initial();
  expect([0, 1, 2, 3].map((q) => read(m, start, "c", q))).toEqual([3, 3, 6, 3]);
  expect(read(m, start, "nothing")).toBeUndefined();
});

test("a program is the same machine every time", () => {
  const make = () =>
    machine([[s.choose(p, page), s.set(table(p), num(1))], [s.set(a(), TRUE as never)]]);
  const [m, n] = [make(), make()];
  expect(m.program.hash).toBe(n.program.hash);
  expect([...m.initial()]).toEqual([...n.initial()]);
  const all = (o: PackedMachine) =>
    ["T0", "T1"].flatMap((name) => after(o, o.initial(), name, () => [...o.state].join()));
  expect(all(m)).toEqual(all(n));
});
