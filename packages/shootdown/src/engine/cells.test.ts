// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { Expr } from "../ir/expr.ts";
import { ANY, constant, eq, field, inRange, ne, place, rangeOps } from "../ir/expr.ts";
import type { CellDecl } from "../ir/machine.ts";
import { cell } from "../ir/machine.ts";
import { ordered, rangeOf, symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { TooManyValues } from "./interner.ts";
import { CELL_VALUES_MAX } from "./layout.ts";
import { lower } from "./lower.ts";
import type { Semantics } from "./packed.ts";
import { PackedMachine } from "./packed.ts";
import type { System } from "./program.ts";

const page = ordered("page");
const span = rangeOf("span", page);
const pages = rangeOps(page, span);
const value = symbol("value");
const source = { file: "toy" };
const memory = field("memory", [page], value, 1);
const pg = (n: number): Expr<"page"> => constant(page, n);
const v = (n: number): Expr<"value"> => constant(value, n);
const x = place<"value">({ k: "local", name: "x", sort: value });

const near = cell("near", {
  keys: { page },
  value,
  locals: { e: value },
  fill: ({ page: p, e }) => [s.set(e, memory(p)), s.when(ne(e, v(0)), s.yields(e))],
  admits: (e) => ne(e, v(3)),
  source,
});
const far = cell("far", {
  keys: { page },
  value,
  locals: { e: value },
  fill: ({ page: p, e }) => [s.lookup(e, near({ page: p })), s.yields(e)],
  source,
});
const pinned = cell("pinned", { keys: {}, value, evicts: false, source });
const narrow = cell("narrow", {
  keys: {},
  value,
  locals: { p: page },
  fill: ({ p }) => [s.choose(p, page), s.yields(memory(p))],
  ways: 1,
  source,
});

function machine(
  semantics: Semantics,
  body: readonly Stmt[],
  more: Partial<System> = {},
  values = 5,
): PackedMachine {
  const system: System = {
    machine: {
      cells: [near.decl, far.decl, pinned.decl, narrow.decl],
      pending: [],
      rules: [],
      definitions: [],
    },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: { page: 2, value: values }, names: {}, limits: {} },
    knobs: {},
    threads: [{ name: "T", locals: { x: value }, body }],
    observers: [],
    initial: [],
    entries: [],
    ...more,
  };
  // Everything is kept, because these tests look at cells that no statement looks at.
  return new PackedMachine(lower(system, { keepAll: true }), { semantics });
}

const contents = (m: PackedMachine, decl: CellDecl, ...key: number[]): number[] => {
  const c = m.cells.find(decl, key)!;
  return m.contents(c.group, c.index).sort((a, b) => a - b);
};

/** Runs the thread's next step, which must have one successor. */
function step(m: PackedMachine): void {
  const from = m.state.slice();
  const after: Int32Array[] = [];
  m.successors(m.transitions[0]!, from, 0, () => after.push(m.state.slice()));
  expect(after).toHaveLength(1);
  m.load(after[0]!, 0);
}

test("windows: a value stays possible until it is cleared, along the chain", () => {
  const m = machine("window", [
    s.set(memory(pg(0)), v(2)),
    s.clear(near({ page: pg(0) })),
    s.set(memory(pg(0)), v(0)),
    s.clear(near({ page: pg(0) })),
    s.clear(far({ page: ANY })),
  ]);
  m.load(m.initial(), 0);
  const both = () => [contents(m, near.decl, 0), contents(m, far.decl, 0)];
  expect(both()).toEqual([[1], [1]]);
  step(m);
  expect(both()).toEqual([
    [1, 2],
    [1, 2],
  ]);
  step(m);
  expect(both()).toEqual([[2], [1, 2]]);
  step(m);
  expect(both()).toEqual([[2], [1, 2]]);
  step(m);
  expect(both()).toEqual([[], [1, 2]]);
  step(m);
  expect(both()).toEqual([[], []]);
  expect(contents(m, far.decl, 1)).toEqual([1]);
});

test("windows: what a cell does not admit passes through it all the same", () => {
  const m = machine("window", [s.set(memory(pg(0)), v(3))]);
  m.load(m.initial(), 0);
  step(m);
  expect(contents(m, near.decl, 0)).toEqual([1]);
  expect(contents(m, far.decl, 0)).toEqual([1, 3]);
});

test("concrete: fills and evictions are free transitions", () => {
  const m = machine("concrete", []);
  const kinds = m.transitions.map((t) => `${t.kind} ${t.name} ${t.free ? "free" : ""}`.trim());
  expect(kinds).toEqual([
    "thread T",
    "fill near[0] free",
    "evict near[0] free",
    "fill near[1] free",
    "evict near[1] free",
    "fill far[0] free",
    "evict far[0] free",
    "fill far[1] free",
    "evict far[1] free",
    "fill narrow[] free",
    "evict narrow[] free",
  ]);
});

const outcomes = (m: PackedMachine, name: string, read: () => number[]): number[][] => {
  const from = m.state.slice();
  const found: number[][] = [];
  const t = m.transitions.find((c) => `${c.kind} ${c.name}` === name)!;
  m.successors(t, from, 0, () => found.push(read()));
  m.load(from, 0);
  return found;
};

test("concrete: a fill adds one value, an eviction takes one, a full cell waits", () => {
  const initial = [{ field: memory.decl, index: [1], value: 4 }];
  const entries = [
    { cell: near.decl, index: [0], value: 1 },
    { cell: near.decl, index: [0], value: 2 },
  ];
  const m = machine("concrete", [s.set(memory(pg(0)), v(2))], { initial, entries });
  m.load(m.initial(), 0);
  const held = () => contents(m, near.decl, 0);
  expect(held()).toEqual([1, 2]);
  expect(outcomes(m, "fill near[0]", held)).toEqual([]);
  expect(outcomes(m, "evict near[0]", held).sort()).toEqual([[1], [2]]);
  expect(outcomes(m, "fill narrow[]", () => contents(m, narrow.decl))).toEqual([[1], [4]]);
  m.cells.add(narrow.decl, [], 1);
  expect(outcomes(m, "fill narrow[]", () => contents(m, narrow.decl))).toEqual([]);
});

test("lookups find what is held or walked, picks only what is held", () => {
  const m = machine("concrete", [s.lookup(x, near({ page: pg(0) })), s.set(memory(pg(1)), x)], {
    entries: [{ cell: near.decl, index: [0], value: 4 }],
  });
  m.load(m.initial(), 0);
  const picks = () => m.picks.flatMap((p) => [p.value, p.held ? "held" : "fresh"]) as never[];
  // In the order in which the machine met the values.
  expect(outcomes(m, "thread T", picks)).toEqual([
    [4, "held"],
    [1, "fresh"],
  ]);
  m.hitsOnly = true;
  expect(outcomes(m, "thread T", picks)).toEqual([[4, "held"]]);
  const p = machine("concrete", [s.pick(x, near({ page: pg(0) })), s.set(memory(pg(1)), x)]);
  p.load(p.initial(), 0);
  expect(outcomes(p, "thread T", picks)).toEqual([]);
});

test("fill options name the value and what it was looked up in", () => {
  const m = machine("concrete", [], { entries: [{ cell: near.decl, index: [0], value: 4 }] });
  m.load(m.initial(), 0);
  const at = m.cells.instances.indexOf(m.cells.find(far.decl, [0])!);
  expect(m.cells.name(at)).toBe("far[0]");
  const options = m.cells.fillOptions(at);
  const picks = options.map((o) => [
    o.value,
    o.picks.map((p) => m.cells.name(p.instance)),
    o.picks[0]?.held,
  ]);
  expect(picks).toEqual([
    [4, ["near[0]"], true],
    [1, ["near[0]"], false],
  ]);
});

test("insert, and clear by range and by condition", () => {
  const m = machine("window", [
    s.insert(pinned({}), v(2)),
    s.insert(pinned({}), v(4)),
    s.set(memory(pg(0)), v(0)),
    s.clear(pinned({}), (e) => eq(e, v(2))),
    s.clear(near({ page: inRange(pages.one(pg(0))) })),
  ]);
  m.load(m.initial(), 0);
  step(m);
  step(m);
  expect(contents(m, pinned.decl)).toEqual([2, 4]);
  step(m);
  step(m);
  expect(contents(m, pinned.decl)).toEqual([4]);
  step(m);
  expect([contents(m, near.decl, 0), contents(m, near.decl, 1)]).toEqual([[], [1]]);
});

test("more values than a cell can tell apart is a limit with a name", () => {
  const body = Array.from({ length: CELL_VALUES_MAX + 1 }, (_, n) => s.insert(pinned({}), v(n)));
  const m = machine("window", body, {}, 64);
  m.load(m.initial(), 0);
  for (let n = 0; n < CELL_VALUES_MAX; n++) step(m);
  expect(contents(m, pinned.decl)).toHaveLength(CELL_VALUES_MAX);
  expect(() => step(m)).toThrow(TooManyValues);
  expect(() => step(m)).toThrow("more than 32 distinct values of sort value reach a cell");
});

test("a replay follows its choices by value, or says that it cannot", () => {
  const body = [s.lookup(x, near({ page: pg(0) })), s.set(memory(pg(1)), x)];
  const m = machine("concrete", body, { entries: [{ cell: near.decl, index: [0], value: 4 }] });
  const from = m.initial();
  const thread = m.transitions[0]!;
  for (const value of [1, 4]) {
    expect(m.replay(thread, [value], from)).toBe(true);
    const after = m.state.slice();
    expect(m.replay(thread, [], after)).toBe(true);
    expect(m.field("memory", [1])).toBe(value);
  }
  expect(m.replay(thread, [2], from)).toBe(false);
  expect(m.replay(thread, [], from)).toBe(false);
  expect(m.replay(thread, [4, 4], from)).toBe(false);
  const fill = m.transitions.find((t) => t.name === "far[0]")!;
  expect(m.replay(fill, [4], from)).toBe(true);
  expect(contents(m, far.decl, 0)).toEqual([4]);
});
