// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { cellModel } from "../../../../bench/models/shootdown-cells.ts";
import { model } from "../../../../bench/models/shootdown-s.ts";
import type { Expr } from "../ir/expr.ts";
import { and, constant, eq, expr, field, lt, member, ne, num, place, TRUE } from "../ir/expr.ts";
import { cell } from "../ir/machine.ts";
import { bool, enumeration, int, ordered, symbol, word } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { layoutOf } from "./layout.ts";
import { lower } from "./lower.ts";
import type { Initial, System } from "./program.ts";
import type { Distinguished } from "./symmetry.ts";
import { orbitsText, symmetryOf } from "./symmetry.ts";

const who = symbol("who");
const page = ordered("page");
const mode = enumeration("mode", ["off", "on"]);
const entry = word("entry", [
  { name: "valid", sort: bool },
  { name: "page", sort: page },
]);
const flag = field("flag", [who], bool);
const table = field("table", [who, page], mode);
const order = field("order", [page], page);
const entries = field("entries", [page], entry);
const count = field("count", [], int);
const p = place<"page">({ k: "local", name: "p", sort: page });
const q = place<"page">({ k: "local", name: "q", sort: page });
const ON = member(mode, "on");
const source = { file: "symmetry.test.ts" };

const me = (n: number) => constant(who, n);
const one = (n: number) => constant(page, n);

function system(
  body: (me: Expr<"who">, n: number) => readonly Stmt[],
  initial: readonly Initial[] = [],
  threads = 2,
): System {
  return {
    machine: { cells: [kept.decl], pending: [], rules: [], definitions: [] },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: { who: threads, page: 3, int: 4 }, names: {}, limits: {} },
    knobs: {},
    threads: Array.from({ length: threads }, (_, n) => ({
      name: `T${n}`,
      locals: { p: page, q: page },
      body: body(me(n), n),
    })),
    observers: [],
    initial,
    entries: [],
  };
}

const kept = cell("kept", { keys: { who }, value: page, source });

function found(sys: System, distinguished?: Distinguished) {
  const program = lower(sys);
  return symmetryOf(program, layoutOf(program), distinguished);
}
const orbits = (sys: System, distinguished?: Distinguished) =>
  orbitsText(found(sys, distinguished));

/** Some steps that treat all pages and threads alike. */
const alike = (m: Expr<"who">): Stmt[] => [
  s.choose(p, page),
  s.set(table(m, p), ON),
  s.await_(eq(table(m, p), ON)),
];

test("threads of the same code are exchanged with who they are, and pages by themselves", () => {
  expect(orbits(system(alike))).toBe("who 0 1, page 0 1 2, thread 0 1");
  expect(found(system(alike)).elements).toHaveLength(2 * 6);
});

test("threads of one code without any values are exchanged", () => {
  const body = () => [s.set(count(), num(1)), s.await_(eq(count(), num(1)))];
  expect(orbits(system(body, [], 3))).toBe("thread 0 1 2");
});

test("a constant, an initial value or a difference in code keeps a value apart", () => {
  const first = (m: Expr<"who">) => [...alike(m), s.set(table(m, one(0)), ON)];
  expect(orbits(system(first))).toBe("who 0 1, page 1 2, thread 0 1");
  const initial = [{ field: table.decl, index: [1, 2], value: 1 }];
  expect(orbits(system(alike, initial))).toBe("page 0 1");
  const second = (m: Expr<"who">, n: number) => (n === 0 ? alike(m) : alike(m).slice(0, 2));
  expect(orbits(system(second))).toBe("page 0 1 2");
});

test("a register that is read before it is set begins as the first value", () => {
  const unset = (m: Expr<"who">) => [s.set(table(m, p), ON), ...alike(m)];
  expect(orbits(system(unset))).toBe("who 0 1, page 1 2, thread 0 1");
});

test("values of memory are exchanged together with where they lie", () => {
  const follow = (m: Expr<"who">) => [
    s.choose(p, page),
    s.set(q, order(p)),
    s.set(order(p), q),
    s.when(ne(p, q), s.set(table(m, q), ON), s.await_(eq(table(m, p), ON))),
  ];
  const cycle = [1, 2, 0].map((value, n) => ({ field: order.decl, index: [n], value }));
  // Of the six permutations of three pages the three rotations keep the cycle.
  expect(found(system(follow, cycle)).elements).toHaveLength(2 * 3);
  const loops = [0, 1, 2].map((value, n) => ({ field: order.decl, index: [n], value }));
  expect(found(system(follow, loops)).elements).toHaveLength(2 * 6);
});

test("the order of what a step does, and of conditions, does not matter where it cannot", () => {
  const both = (m: Expr<"who">, n: number) => {
    const stores = [0, 1, 2].map((at) => s.set(table(m, one(at)), ON));
    const conditions = [0, 1, 2].map((at) => eq(table(m, one(at)), ON));
    const turned = <T>(list: T[]) => (n === 0 ? list : list.reverse());
    const guarded = turned([...conditions]).map((c, at) =>
      s.when(c, s.set(table(m, one(n === 0 ? at : 2 - at)), member(mode, "off"))),
    );
    return [
      s.atomic(...turned(stores)),
      s.await_(and(...turned(conditions))),
      s.atomic(...guarded),
    ];
  };
  expect(orbits(system(both))).toBe("who 0 1, page 0 1 2, thread 0 1");
  const steps = (m: Expr<"who">) => [
    ...[0, 1, 2].map((at) => s.set(table(m, one(at)), ON)),
    s.await_(eq(table(m, one(0)), ON)),
  ];
  expect(orbits(system(steps))).toBe("who 0 1, thread 0 1");
  const clash = (m: Expr<"who">) => [
    s.choose(p, page),
    s.atomic(s.set(table(m, p), ON), s.set(table(m, one(0)), member(mode, "off"))),
    s.await_(eq(table(m, one(1)), ON)),
  ];
  expect(orbits(system(clash))).toBe("who 0 1, thread 0 1");
});

test("sorts that are ordered, computed with, or kept in cells stay, with the reason", () => {
  const less = (m: Expr<"who">) => [...alike(m), s.await_(lt(p, order(p)))];
  expect(found(system(less)).ordered.get("page")).toBe("lt orders its values");
  const mixed = (m: Expr<"who">) => [
    ...alike(m),
    s.set(flag(expr<"who">(p.node)), TRUE),
    s.await_(flag(m)),
  ];
  expect(found(system(mixed)).ordered.get("page")).toBe("a value of it is used as who");
  expect(found(system(mixed)).ordered.get("who")).toBe("a value of page is used as one");
  const cells = (m: Expr<"who">) => [
    ...alike(m),
    s.insert(kept({ who: m }), p),
    s.pick(q, kept({ who: m })),
    s.set(table(m, q), ON),
  ];
  expect(found(system(cells)).ordered.get("page")).toBe("cells hold values of it");
  expect(orbits(system(cells))).toBe("who 0 1, thread 0 1");
});

test("a word that begins as 0 names the first value", () => {
  const words = (m: Expr<"who">) => [
    ...alike(m),
    s.set(entries(p), entries(q)),
    s.await_(eq(entries(p), entries(q))),
  ];
  expect(orbits(system(words))).toBe("who 0 1, page 1 2, thread 0 1");
});

test("a question keeps apart what it looks at", () => {
  expect(orbits(system(alike), { threads: [1] })).toBe("page 0 1 2");
  expect(orbits(system(alike), { values: [{ sort: "page", value: 2 }] })).toBe(
    "who 0 1, page 0 1, thread 0 1",
  );
  const symmetry = found(system(alike), { fields: ["table"] });
  expect(symmetry.elements).toHaveLength(1);
  expect(symmetry.ordered.get("page")).toBe("the question looks at table");
});

test("large groups are cut down, and it is said", () => {
  const body = () => [s.set(count(), num(1)), s.await_(eq(count(), num(1)))];
  const six = found(system(body, [], 6));
  expect([six.elements.length, six.cut]).toEqual([720, false]);
  const seven = found(system(body, [], 7));
  expect([seven.elements.length, seven.cut]).toEqual([720, true]);
});

test.each([
  ["S", model({ cpus: 2, upgrade: true, operands: "sets" }), "page 0 1, cpu 0 1, thread 0 1"],
  // Where there is no page or CPU, the number of the first stands.
  ["S", model({ cpus: 3, upgrade: true }), "cpu 1 2, thread 1 2"],
  ["L", cellModel({ cpus: 3, upgrade: true }), "page 0 1, cpu 0 1 2, thread 0 1 2"],
])("symmetries of model %s", (_, sys, expected) => {
  expect(orbits(sys)).toBe(expected);
});
