// SPDX-License-Identifier: Apache-2.0
// Cells that lowering refuses: what is asked for once, and what is tried at any time.

import { expect, test } from "vitest";
import { field, place, TRUE } from "../ir/expr.ts";
import { kernelAt } from "../ir/kernel.ts";
import type { CellDecl } from "../ir/machine.ts";
import { cell, event, observer, on } from "../ir/machine.ts";
import { bool, int } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { lower } from "./lower.ts";

const memory = field("memory", [], int, 1);
const flag = field("flag", [], bool);
const told = event("told", { n: int });
const x = place<"int">({ k: "local", name: "x", sort: int });
const watch = observer(
  "o",
  "o",
  on(told, () => [s.violate("o")]),
);

const lowered = (decl: CellDecl, body: readonly Stmt[], watched: boolean, keepAll = false) =>
  lower(
    {
      machine: { cells: [decl], pending: [], rules: [], definitions: [] },
      kernel: kernelAt("toy", "1.0", []),
      domain: { sizes: { int: 4 }, names: {}, limits: {} },
      knobs: {},
      threads: [{ name: "T", locals: { x: int }, body }],
      observers: watched ? [watch] : [],
      initial: [],
      entries: [],
    },
    { keepAll },
  );

const base = {
  keys: {},
  value: int,
  locals: { e: int },
  source: { file: "toy" },
};

test("what a cell admits hangs on the entry alone", () => {
  const late = cell("late", {
    ...base,
    fill: ({ e }) => [s.set(e, memory()), s.yields(e)],
    admits: () => flag(),
  });
  const body = [s.set(flag(), TRUE), s.pick(x, late({})), s.emit(told, { n: x })];
  for (const keepAll of [true, false]) {
    expect(() => lowered(late.decl, body, false, keepAll)).toThrow(
      "late admits entries by flag, which may change",
    );
  }
});

test("a fill leaves no trace", () => {
  const loud = cell("loud", {
    ...base,
    fill: ({ e }) => [s.set(e, memory()), s.emit(told, { n: e }), s.yields(e)],
  });
  const body = [s.set(memory(), x), s.lookup(x, loud({}))];
  expect(lowered(loud.decl, body, false).cells).toHaveLength(1);
  expect(() => lowered(loud.decl, body, true)).toThrow("the fill of loud changes something");
});
