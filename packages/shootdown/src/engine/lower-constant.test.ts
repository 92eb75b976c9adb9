// SPDX-License-Identifier: Apache-2.0
// Cells that always hold the same: a look-up is that value, if every look-up knows which cell.

import { expect, test } from "vitest";
import { constant, eq, field, num, place } from "../ir/expr.ts";
import { kernelAt } from "../ir/kernel.ts";
import type { Machine } from "../ir/machine.ts";
import { cell, event, pending } from "../ir/machine.ts";
import { int, symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { lower } from "./lower.ts";
import type { System } from "./program.ts";

const core = symbol("core");
const source = { file: "toy" };
const memory = field("memory", [], int);
const which = field("which", [], core);
const done = event("done", { n: int });
const x = place<"int">({ k: "local", name: "x", sort: int });
const c = place<"core">({ k: "local", name: "c", sort: core });
const first = constant(core, 0);

const same = cell("same", {
  keys: { core },
  value: int,
  fill: () => [s.yields(num(3))],
  source,
});

const program = (body: readonly Stmt[], machine: Partial<Machine> = {}) =>
  lower({
    machine: { cells: [same.decl], pending: [], rules: [], definitions: [], ...machine },
    kernel: kernelAt("toy", "1.0", []),
    domain: { sizes: { core: 2, int: 4 }, names: {}, limits: { N: 1 } },
    knobs: {},
    threads: [{ name: "T", locals: { x: int, c: core }, body }],
    observers: [],
    initial: [],
    entries: [],
  } satisfies System);

const cells = (p: ReturnType<typeof program>) =>
  p.cells.flatMap((g) => g.instances.map((i) => `${g.decl.name}[${i.key.join()}]`));

test("a look-up of a cell that always holds the same is that value", () => {
  const p = program([s.lookup(x, same({ core: first })), s.emit(done, { n: x })]);
  expect(cells(p)).toEqual([]);
  expect(p.threads[0]!.instrs.map((i) => i.op)).toEqual(["emit", "halt"]);
});

test("a cell into which somebody puts another value does not always hold the same", () => {
  const put = s.insert(same({ core: first }), num(2));
  const p = program([put, s.lookup(x, same({ core: first })), s.emit(done, { n: x })]);
  expect(cells(p)).toEqual(["same[0]"]);
  expect(p.threads[0]!.instrs.map((i) => i.op)).toEqual(["insert", "lookup", "emit", "halt"]);
});

test("a cell that does not admit what it could take holds nothing", () => {
  const shut = cell("shut", {
    keys: {},
    value: int,
    fill: () => [s.yields(num(3))],
    admits: (e) => eq(e, num(2)),
    source,
  });
  const p = program([s.pick(x, shut({})), s.emit(done, { n: x })], { cells: [shut.decl] });
  expect(cells(p)).toEqual(["shut[]"]);
});

test("an effect knows what a cell holds that is always the same", () => {
  const reader = pending("reader", {
    keys: {},
    entry: {},
    capacity: "N",
    locals: { e: int },
    effect: ({ e }) => [s.lookup(e, same({ core: first })), s.set(memory(), e)],
    source,
  });
  const body = [s.post(reader({}), {}), s.await_(eq(memory(), num(3)))];
  const p = program(body, { pending: [reader.decl] });
  expect(cells(p)).toEqual([]);
  expect(p.pending[0]!.instrs.map((i) => i.op)).not.toContain("lookup");
});

test("a cell that is looked up by a register stays, whoever else knows which it is", () => {
  const p = program([
    s.set(which(), first),
    s.set(c, which()),
    s.lookup(x, same({ core: c })),
    s.emit(done, { n: x }),
    s.lookup(x, same({ core: first })),
    s.emit(done, { n: x }),
  ]);
  expect(cells(p)).toEqual(["same[0]", "same[1]"]);
  expect(p.threads[0]!.instrs.filter((i) => i.op === "lookup")).toHaveLength(2);
});

test("a cell that another takes from as a whole stays", () => {
  const lender = cell("lender", {
    keys: { core },
    value: int,
    fill: ({ core: n }) => [s.yieldsHeld(same({ core: n }))],
    source,
  });
  const body = [s.lookup(x, lender({ core: first })), s.emit(done, { n: x })];
  const p = program(body, { cells: [same.decl, lender.decl] });
  expect(cells(p)).toEqual(["same[0]", "lender[0]"]);
});
