// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { Expr } from "../ir/expr.ts";
import {
  ANY,
  add,
  changes,
  constant,
  eq,
  FALSE,
  field,
  inRange,
  knobIs,
  limit,
  lt,
  ne,
  not,
  num,
  or,
  outstanding,
  place,
  rangeOps,
  TRUE,
  varies,
} from "../ir/expr.ts";
import { kernelAt } from "../ir/kernel.ts";
import type { Definition, Machine } from "../ir/machine.ts";
import { cell, declare, define, event, observer, on, pending, rule } from "../ir/machine.ts";
import { bool, int, ordered, rangeOf, symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { lower } from "./lower.ts";
import type { Program, System } from "./program.ts";
import { codeText } from "./text.ts";

const core = symbol("core");
const page = ordered("page");
const span = rangeOf("span", page);
const pages = rangeOps(page, span);
const source = { file: "toy" };

const memory = field("memory", [page], int);
const flag = field("flag", [], bool);
const cache = cell("cache", {
  keys: { core, page },
  value: int,
  locals: { e: int },
  fill: ({ page: p, e }) => [s.set(e, memory(p)), s.yields(e)],
  source,
});
const copy = cell("copy", {
  keys: { page },
  value: int,
  locals: { e: int },
  fill: ({ page: p, e }) => [s.lookup(e, cache({ core: constant(core, 1), page: p })), s.yields(e)],
  source,
});
const queue = pending("queue", {
  keys: { core },
  entry: { page },
  capacity: "N",
  effect: ({ core: c, page: p }) => [s.clear(cache({ core: c, page: p }))],
  source,
});

const x = place<"int">({ k: "local", name: "x", sort: int });
const ok = place<"bool">({ k: "local", name: "ok", sort: bool });
const range = place<"span">({ k: "local", name: "range", sort: span });
const pg = (n: number): Expr<"page"> => constant(page, n);
const co = (n: number): Expr<"core"> => constant(core, n);
const done = event("done", { n: int });

function system(body: readonly Stmt[], more: Partial<System> = {}, machine: Partial<Machine> = {}) {
  return {
    machine: {
      cells: [cache.decl, copy.decl],
      pending: [queue.decl],
      rules: [],
      definitions: [],
      ...machine,
    },
    kernel: kernelAt("toy", "2.0", []),
    domain: { sizes: { core: 2, page: 2, int: 4 }, names: {}, limits: { N: 2, M: 3 } },
    knobs: {},
    threads: [{ name: "T", locals: { x: int, ok: bool, range: span }, body }],
    observers: [],
    initial: [],
    entries: [],
    ...more,
  } satisfies System;
}

const code = (p: Program, thread = 0): string[] =>
  codeText(p.threads[thread]!)
    .replace(/\br\d+\b/g, "r")
    .split("\n")
    .map((line) => line.trim().replace(/ +/g, " "));

const of = (body: readonly Stmt[], more: Partial<System> = {}, machine: Partial<Machine> = {}) =>
  lower(system(body, more, machine));

test("knobs, limits and versions fold away, and the knobs asked for are named", () => {
  const body = [
    s.when(knobIs("fast", "yes"), s.set(memory(pg(0)), num(1))),
    s.whenElse(lt(num(2), limit("M")), [s.set(memory(pg(0)), num(2))], [s.set(flag(), TRUE)]),
    s.since("2.0", [s.set(memory(pg(1)), num(3))], [s.set(flag(), FALSE)]),
    s.since("2.1", [s.set(flag(), FALSE)]),
    s.await_(eq(memory(pg(0)), num(0))),
  ];
  const program = of(body, { knobs: { fast: "no", other: "x" } });
  expect(code(program)).toEqual([
    "0 memory[0] := 2",
    "1 memory[1] := 3",
    "2 await (memory[0] == 0)",
    "3 halt",
  ]);
  expect(program.knobs).toEqual(["fast"]);
});

test("stores to fields that nothing reads are left out, and so are the fields", () => {
  const body = [
    s.set(flag(), TRUE),
    s.set(memory(pg(0)), num(1)),
    s.await_(ne(memory(pg(0)), num(0))),
  ];
  const program = of(body, { initial: [{ field: flag.decl, index: [], value: 1 }] });
  expect(program.fields.map((f) => f.name)).toEqual(["memory"]);
  expect(program.initial).toEqual([]);
  expect(code(program)[0]).toBe("0 memory[0] := 1");
  expect(
    lower(system(body), { keepAll: true })
      .fields.map((f) => f.name)
      .sort(),
  ).toEqual(["flag", "memory"]);
});

test("fields that nothing writes are constants", () => {
  const body = [s.when(eq(memory(pg(1)), num(3)), s.set(flag(), TRUE)), s.await_(not(flag()))];
  const initial = [{ field: memory.decl, index: [1], value: 3 }];
  const wait = "await not(flag[])";
  expect(code(of(body, { initial }))).toEqual(["0 flag[] := 1", `1 ${wait}`, "2 halt"]);
  expect(code(of(body))).toEqual([`0 ${wait}`, "1 halt"]);
});

test("a model knows which of its fields vary", () => {
  const body = [
    s.when(varies(flag), s.await_(not(flag()))),
    s.when(varies(memory), s.await_(flag())),
    s.set(flag(), FALSE),
  ];
  expect(code(of(body))).toEqual(["0 await not(flag[])", "1 flag[] := 0", "2 halt"]);
});

test("what another version would write does not vary", () => {
  const body = (wait: readonly Stmt[]) => [
    s.when(varies(flag), ...wait),
    s.since("2.1", [s.set(flag(), TRUE)]),
  ];
  const wait = [s.await_(eq(memory(pg(0)), num(1)))];
  expect(code(of(body(wait)))).toEqual(code(of([])));
});

test("what begins otherwise than declared varies, and does not change", () => {
  const body = [
    s.when(varies(flag), s.await_(eq(memory(pg(0)), num(1)))),
    s.when(changes(flag), s.await_(eq(memory(pg(0)), num(0)))),
    s.set(memory(pg(0)), num(1)),
  ];
  const begun = { initial: [{ field: flag.decl, index: [], value: 1 }] };
  expect(code(of(body, begun)).join("\n")).toContain("await (memory[0] == 1)");
  expect(code(of(body, begun)).join("\n")).not.toContain("memory[0] == 0");
  expect(code(of(body)).join("\n")).not.toContain("await");
});

test("an entry does not wait for what nobody issues", () => {
  const slow = pending("slow", {
    keys: { core },
    entry: { page },
    capacity: "N",
    ready: () => or(flag(), not(outstanding(queue({ core: co(1) })))),
    effect: ({ page: p }) => [s.set(memory(p), num(1))],
    source,
  });
  const ready = (body: readonly Stmt[]) => {
    const all = [s.set(flag(), TRUE), s.post(slow({ core: co(0) }), { page: pg(0) }), ...body];
    const pendings = [slow.decl, queue.decl];
    const read = [s.await_(eq(memory(pg(0)), num(1))), s.lookup(x, copy({ page: pg(0) }))];
    return lower(system([...all, ...read], {}, { pending: pendings })).pending[0]?.ready;
  };
  expect(ready([s.post(queue({ core: co(0) }), { page: pg(0) })])).toBe(undefined);
  expect(ready([s.post(queue({ core: co(1) }), { page: pg(0) })])).not.toBe(undefined);
});

test("a branch on what is never outstanding is decided, though no register is known", () => {
  const body = [
    s.when(outstanding(queue({ core: co(0) })), s.set(memory(pg(0)), num(1))),
    s.await_(eq(memory(pg(0)), num(1))),
  ];
  expect(code(of(body))).toEqual(["0 await (memory[0] == 1)", "1 halt"]);
});

test("cells that nobody looks up are left out, with the pending sets that clear them", () => {
  const body = [
    s.post(queue({ core: co(0) }), { page: pg(0) }),
    s.await_(not(outstanding(queue({ core: ANY })))),
    s.set(memory(pg(0)), num(1)),
  ];
  const program = of(body);
  expect(program.cells).toEqual([]);
  expect(program.pending).toEqual([]);
  expect(code(program)).toEqual(["0 halt"]);
  const all = lower(system(body), { keepAll: true });
  expect(all.cells.map((g) => [g.decl.name, g.instances.length])).toEqual([
    ["cache", 4],
    ["copy", 2],
  ]);
  expect(all.pending.map((p) => p.key)).toEqual([[0]]);
});

test.each<[string, readonly Stmt[]]>([
  ["waited for", [s.await_(outstanding(queue({ core: co(0) })))]],
  ["waited for, denied twice", [s.await_(not(not(outstanding(queue({ core: ANY })))))]],
  ["tested", [s.when(outstanding(queue({ core: co(0) })), s.set(flag(), TRUE))]],
  ["kept", [s.set(ok, outstanding(queue({ core: co(0) }))), s.set(flag(), ok)]],
])("a pending set whose entries are %s stays, whatever their effect is", (_, asks) => {
  const body = [s.post(queue({ core: co(0) }), { page: pg(0) }), ...asks, s.await_(flag())];
  expect(of(body).pending.map((p) => p.key)).toEqual([[0]]);
});

test("a cell that is looked up keeps what it is filled from", () => {
  const body = [
    s.set(memory(pg(0)), num(1)),
    s.lookup(x, copy({ page: pg(0) })),
    s.emit(done, { n: x }),
  ];
  const program = of(body);
  expect(program.cells.map((g) => [g.decl.name, g.instances.map((c) => c.key)])).toEqual([
    ["cache", [[1, 0]]],
    ["copy", [[0]]],
  ]);
});

test("a pending set is dead or alive by its keys", () => {
  const body = [
    s.set(memory(pg(0)), num(1)),
    s.post(queue({ core: co(0) }), { page: pg(0) }),
    s.post(queue({ core: co(1) }), { page: pg(0) }),
    s.await_(not(outstanding(queue({ core: co(0) })))),
    s.await_(not(outstanding(queue({ core: co(1) })))),
    s.lookup(x, cache({ core: co(1), page: pg(0) })),
    s.emit(done, { n: x }),
  ];
  const program = of(body);
  expect(program.pending.map((p) => p.key)).toEqual([[1]]);
  expect(code(program)).toEqual([
    "0 memory[0] := 1",
    "1 post queue[1] {page:0}",
    "2 await not(outstanding(queue[1]{}))",
    "3 r := lookup cache[1,0]",
    "4 emit done {n:r}",
    "5 halt",
  ]);
});

test("entries that cells start with go where the cell goes", () => {
  const entries = [
    { cell: cache.decl, index: [0, 0], value: 1 },
    { cell: cache.decl, index: [1, 1], value: 2 },
  ];
  const program = of([s.pick(x, cache({ core: co(1), page: pg(1) }))], { entries });
  expect(program.entries).toEqual([entries[1]]);
});

const plain = (name: string, body: () => readonly Stmt[]): Definition =>
  define(declare(name, {}), { source, body });

test("calls are inlined: arguments once, results, returns from loops", () => {
  const find = declare("find", { from: int, in: span }, bool);
  const definition = define(find, {
    source,
    locals: { v: int },
    body: ({ from, in: over, v }) => [
      s.each(page, over, (p) => [s.set(v, memory(p)), s.when(eq(v, from), s.ret(TRUE))]),
      s.ret(FALSE),
    ],
  });
  const body = [
    s.set(memory(pg(0)), num(1)),
    s.callInto(ok, find, { from: memory(pg(1)), in: pages.make(pg(0), pg(2)) }),
    s.when(ok, s.set(memory(pg(0)), num(2))),
  ];
  expect(code(of(body, {}, { definitions: [definition] }))).toEqual([
    "0 memory[0] := 1",
    "1 r := memory[1]",
    "2 r := 0",
    "3 each r in range(0,2) else 9",
    "4 r := memory[r]",
    "5 unless (r == r) goto 8",
    "6 r := 1",
    "7 goto 10",
    "8 next r + 1 goto 3",
    "9 r := 0",
    "10 unless r goto 12",
    "11 memory[0] := 2",
    "12 halt",
  ]);
});

test("the kernel's definition of a name comes before the machine's", () => {
  const one = plain("work", () => [s.set(memory(pg(0)), num(1))]);
  const two = plain("work", () => [s.set(memory(pg(0)), num(2))]);
  const body = [s.call(declare("work", {}), {}), s.await_(ne(memory(pg(0)), num(0)))];
  const kernel = kernelAt("toy", "1.0", [two]);
  expect(code(of(body, { kernel }, { definitions: [one] }))[0]).toBe("0 memory[0] := 2");
  expect(code(of(body, {}, { definitions: [one] }))[0]).toBe("0 memory[0] := 1");
});

test("origins are routine and step", () => {
  const work = plain("work", () => [
    s.label("here", s.atomic(s.set(flag(), TRUE))),
    s.await_(flag()),
  ]);
  const body = [s.await_(not(flag())), s.call(declare("work", {}), {}), s.set(flag(), FALSE)];
  const program = of(body, {}, { definitions: [work] });
  expect(program.threads[0]!.instrs.map((i) => `${i.origin.routine}:${i.origin.step}`)).toEqual([
    "T:1",
    "work:1",
    "work:2",
    "T:3",
    "T:3",
  ]);
});

test("a forall of a small sort is unrolled, of a large one a loop", () => {
  const body = [
    s.forall(page, (p) => [s.set(memory(p), num(1))]),
    s.await_(ne(memory(pg(0)), num(0))),
  ];
  expect(code(of(body))).toHaveLength(4);
  const domain = { sizes: { core: 2, page: 9, int: 4 }, names: {}, limits: { N: 2 } };
  expect(code(of(body, { domain }))).toEqual([
    "0 r := 0",
    "1 each r in range(0,9) else 4",
    "2 memory[r] := 1",
    "3 next r + 1 goto 1",
    "4 await (memory[0] != 0)",
    "5 halt",
  ]);
});

test("observers run in the step of their event", () => {
  const watch = observer(
    "watch",
    "",
    on(done, ({ n }) => [s.when(ne(memory(pg(0)), n), s.violate("watch"))]),
  );
  const body = [
    s.set(memory(pg(0)), num(1)),
    s.emit(done, { n: num(1) }),
    s.set(memory(pg(0)), num(2)),
  ];
  expect(code(of(body, { observers: [watch] }))).toEqual([
    "0 memory[0] := 1",
    "1 emit done {n:1}",
    "2 + unless (memory[0] != 1) goto 4",
    "3 + violate watch",
    "4 memory[0] := 2",
    "5 halt",
  ]);
});

test("a rule is made once for each of its parameters, unless its guard is never true", () => {
  const drift = rule("drift", {
    forall: { p: page, c: core },
    when: ({ p }) => eq(constant(page, 1), p),
    body: ({ p }) => [s.set(memory(p), num(1))],
    source,
  });
  const program = of([s.await_(ne(memory(pg(1)), num(0)))], {}, { rules: [drift] });
  expect(program.rules.map((r) => r.args)).toEqual([
    [1, 0],
    [1, 1],
  ]);
});

test("equal systems have equal hashes, whatever their registers are called", () => {
  const body = (n: number) => [s.set(memory(pg(0)), num(n)), s.await_(ne(memory(pg(0)), num(n)))];
  const unused = s.when(knobIs("k", "v"), s.set(x, memory(pg(1))));
  expect(of(body(1)).hash).toBe(of(body(1)).hash);
  expect(of(body(1)).hash).not.toBe(of(body(2)).hash);
  expect(of([unused, ...body(1)], { knobs: { k: "w" } }).hash).toBe(of(body(1)).hash);
});

const again = plain("again", () => [s.call(declare("again", {}), {})]);
test.each<readonly [string, readonly Stmt[], string]>([
  ["a missing routine", [s.call(declare("gone", {}), {})], "T calls gone, which is not defined"],
  ["recursion", [s.call(declare("again", {}), {})], "again calls itself"],
  [
    "a missing argument",
    [s.call(declare("work", { n: int }) as never, {} as never)],
    "work: argument n is missing",
  ],
  ["a knob without a value", [s.when(knobIs("k", "v"))], "knob k has no value"],
  ["a limit without a value", [s.await_(eq(num(1), limit("Z")))], "the domain has no limit Z"],
  ["a break outside a loop", [s.leave()], "T: break outside a loop"],
  [
    "an unknown local",
    [s.set(memory(pg(0)), place({ k: "local", name: "q", sort: int }))],
    "unknown local q",
  ],
  [
    "assignment to what is no local",
    [s.set(place<"int">({ k: "local", name: "q", sort: int }), num(1))],
    "T: q is not a local",
  ],
  [
    "a pattern where a key is due",
    [s.lookup(x, cache({ core: ANY, page: inRange(pages.one(pg(0))) }))],
    "a key pattern where a key is due",
  ],
])("%s is an error", (_, body, message) => {
  const work = define(declare("work", { n: int }), {
    source,
    body: ({ n }) => [s.set(memory(pg(0)), add(n, num(1)))],
  });
  expect(() => of(body, {}, { definitions: [again, work] })).toThrow(message);
});

test("a set without its limit, and a sort without its size, are errors", () => {
  const body = [s.post(queue({ core: co(0) }), { page: pg(0) })];
  const domain = { sizes: { core: 2, page: 2, int: 4 }, names: {}, limits: {} };
  expect(() => of(body, { domain })).toThrow("the domain has no limit N");
  const all = [s.forall(core, (c) => [s.post(queue({ core: c }), { page: pg(0) })])];
  expect(() => of(all, { domain: { ...domain, sizes: {} } })).toThrow("no size for core");
});

test("the range local of a thread", () => {
  const body = [
    s.set(range, pages.make(pg(0), pg(0))),
    s.grow(range, pg(1)),
    s.each(page, range, (p) => [s.set(memory(p), num(1))]),
    s.await_(ne(memory(pg(1)), num(0))),
  ];
  expect(code(of(body)).slice(0, 3)).toEqual(["0 r := range(0,0)", "1 grow r 1", "2 r := lo(r)"]);
});
