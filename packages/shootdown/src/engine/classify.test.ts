// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { cellModel } from "../../../../bench/models/shootdown-cells.ts";
import { searchCompiled } from "../explore/compiled.ts";
import { search } from "../explore/search.ts";
import { concretise } from "../explore/witness.ts";
import { and, constant, eq, field, local, ne } from "../ir/expr.ts";
import type { CellDecl, RuleDecl } from "../ir/machine.ts";
import { cell, event, observer, on, rule } from "../ir/machine.ts";
import { symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { classify, treatmentTexts } from "./classify.ts";
import { lower } from "./lower.ts";
import { PackedMachine } from "./packed.ts";
import type { System } from "./program.ts";

const value = symbol("value");
const v = (n: number) => constant(value, n);
const memory = field("memory", [], value);
const seen = field("seen", [], value);
const source = { file: "classify.test.ts" };
const x = local("x", value);
const y = local("y", value);
const used = event("used", { value, other: value });

const far = cell("far", {
  keys: {},
  value,
  locals: { e: value },
  fill: ({ e }) => [s.set(e, memory()), s.yields(e)],
  source,
});
const near = (ways?: number) =>
  cell("near", {
    keys: {},
    value,
    locals: { e: value },
    fill: ({ e }) => [s.pick(e, far({})), s.yields(e)],
    ...(ways === undefined ? {} : { ways }),
    source,
  });

function system(
  body: readonly Stmt[],
  cells: readonly { readonly decl: CellDecl }[],
  rules: readonly RuleDecl[] = [],
): System {
  return {
    machine: { cells: cells.map((c) => c.decl), pending: [], rules, definitions: [] },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: { value: 3 }, names: {}, limits: {} },
    knobs: {},
    threads: [{ name: "T", locals: { x: value, y: value }, body }],
    observers: [
      observer(
        "back",
        "a value is seen to come back",
        on(used, ({ value: a, other: b }) => [
          s.when(and(eq(a, v(1)), eq(b, v(0))), s.violate("back")),
        ]),
      ),
    ],
    initial: [],
    entries: [],
  };
}

const treatments = (sys: System) =>
  classify(lower(sys)).map((c) => `${c.cell.name}: ${c.treatment}: ${c.why}`);

test("who looks into a cell, and what for, decides how it is treated", () => {
  const looks = near();
  const reports = rule("reports", {
    forall: {},
    locals: { e: value },
    when: () => eq(memory(), v(1)),
    body: ({ e }) => [s.pick(e, looks({})), s.emit(used, { value: e, other: e })],
    source,
  });
  const keeps = rule("keeps", {
    forall: {},
    locals: { e: value },
    when: () => eq(memory(), v(1)),
    body: ({ e }) => [s.pick(e, looks({})), s.set(seen(), e), s.await_(ne(seen(), v(2)))],
    source,
  });
  const store = [s.set(memory(), v(1))];
  expect(treatments(system(store, [far, looks], [reports]))).toEqual([
    "far: exact: only other cells take from it",
    "near: exact: reports only reports it",
  ]);
  expect(treatments(system(store, [far, looks], [reports, keeps]))[1]).toBe(
    "near: refined: keeps goes on with it",
  );
  const one = near(2);
  const both = [...store, s.lookup(x, one({})), s.emit(used, { value: x, other: x })];
  expect(treatments(system(both, [far, one]))[1]).toBe(
    "near: concrete: it has room for 2 entries, so that what it holds keeps others out",
  );
});

test("all cells of the benchmark models are exact", () => {
  const found = classify(lower(cellModel({ cpus: 2, upgrade: true })));
  expect(treatmentTexts(found)).toEqual([
    "tlb exact (tlb_used only reports it)",
    "stlb exact (stlb_used only reports it)",
    "req exact (req_used only reports it)",
    "atc exact (atc_used only reports it)",
    "dma exact (dma_used only reports it)",
  ]);
});

/** Memory goes from 0 to 1; the cell is looked at until it shows 1, and then once more. */
const twice = (ways?: number) => {
  const c = near(ways);
  const looks = (to: typeof x) => s.pick(to, c({}));
  const body = [s.set(memory(), v(1)), looks(x), looks(y), s.emit(used, { value: x, other: y })];
  return { sys: system(body, [far, c]), cell: c };
};

test.each([undefined, 1, 2])("only that cell falls back: room for %s", (ways) => {
  const program = lower(twice(ways).sys);
  const concrete = new PackedMachine(program, { semantics: "concrete" });
  const window = new PackedMachine(program, { semantics: "window" });
  const free = window.transitions.filter((t) => t.free).map((t) => `${t.kind} ${t.name}`);
  expect(free).toEqual(ways === undefined ? [] : ["fill near[]", "evict near[]"]);
  const limits = { states_max: 1e5, bytes_max: 1e9 };
  const question = { latched: (m: PackedMachine) => m.violated(0) };
  const [a, b] = [concrete, window].map((m) => search(m, question, limits));
  // With room for one the old value can come back through the window that it is filled from.
  expect(a).toMatchObject({ observed: "sometimes", depth: 3 });
  expect(b).toMatchObject({ observed: "sometimes", depth: 3 });
  expect(b!.states).toBeLessThan(a!.states);
  const { steps } = concretise(window, concrete, b!.path!);
  let state = concrete.initial();
  for (const step of steps) {
    expect(concrete.replay(concrete.transitions[step.transition]!, step.choices, state)).toBe(true);
    state = concrete.state.slice();
  }
  concrete.load(state, 0);
  expect(concrete.violated(0)).toBe(true);
});

test("windows that fill from such a cell follow it, compiled too", () => {
  const upper = cell("upper", {
    keys: {},
    value,
    locals: { e: value },
    fill: ({ e }) => [s.set(e, memory()), s.yields(e)],
    ways: 1,
    source,
  });
  const lower_ = cell("lower", {
    keys: {},
    value,
    locals: { e: value },
    fill: ({ e }) => [s.pick(e, upper({})), s.yields(e)],
    source,
  });
  const looks = [
    s.pick(x, lower_({})),
    s.pick(y, lower_({})),
    s.emit(used, { value: x, other: y }),
  ];
  const sys = system([s.set(memory(), v(1)), ...looks], [upper, lower_]);
  const outcomes = (["concrete", "window"] as const).flatMap((semantics) => {
    const make = () => new PackedMachine(lower(sys), { semantics });
    const question = { latched: (m: PackedMachine) => m.violated(0), observers: ["back"] };
    const limits = { states_max: 1e5, bytes_max: 1e9 };
    const plain = search(make(), question, limits);
    // Memory is the engine's own matter.
    expect({ ...searchCompiled(make(), question, { limits }), bytes: plain.bytes }).toEqual(plain);
    return [plain];
  });
  expect(outcomes.map((o) => [o.observed, o.depth])).toEqual([
    ["sometimes", 3],
    ["sometimes", 3],
  ]);
  expect(outcomes[1]!.states).toBeLessThan(outcomes[0]!.states);
});
