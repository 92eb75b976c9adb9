// SPDX-License-Identifier: Apache-2.0
// Systems searched together show what one of them shows and nothing else, by any engine.

import { expect, test } from "vitest";
import { explore } from "../explore/tiers.ts";
import { eq, field, num, place } from "../ir/expr.ts";
import { kernelAt } from "../ir/kernel.ts";
import { int } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { bundled } from "./bundle.ts";
import { lower } from "./lower.ts";
import type { System } from "./program.ts";

const mode = field("mode", [], int);
const flag = field("flag", [], int);
const seen = field("seen", [], int);
const x = place<"int">({ k: "local", name: "x", sort: int });
const machine = { cells: [], pending: [], rules: [], definitions: [] };
const domain = { sizes: { int: 8 }, names: {}, limits: {} };
const LIMITS = { states_max: 10_000, bytes_max: 2 ** 26 };

/** T stores, U violates if it reads what is looked for in the mode that it knows. */
function system(stores: number, begins: number, looksFor: number): System {
  const writer: Stmt[] = [s.set(flag(), num(stores)), s.set(flag(), num(0))];
  const reader: Stmt[] = [
    s.set(x, flag()),
    s.set(seen(), num(1)),
    s.when(eq(x, num(3)), s.when(eq(mode(), num(looksFor)), s.violate("bad"))),
  ];
  return {
    ...{ machine, domain, entries: [], knobs: {}, kernel: KERNEL },
    initial: [{ field: mode.decl, index: [], value: begins }],
    observers: [{ name: "bad", describes: "the value in its mode", on: [] }],
    threads: [
      { name: "T", locals: {}, body: writer },
      { name: "U", locals: {}, body: reader },
    ].map((t) => ({ ...t, locals: t.name === "U" ? { x: int } : {} })),
  };
}

const KERNEL = kernelAt("toy", "1.0", []);
const QUESTION = { latched: () => false, observers: ["bad"] };

const [two, three, late] = [system(2, 1, 1), system(3, 1, 1), system(3, 5, 1)];

test("whether one of them shows it", () => {
  for (const engine of ["closures", "wasm", "javascript", "auto"] as const) {
    for (const reductions of [[], ["collapse"]] as const) {
      const ask = (...systems: System[]) =>
        explore(
          lower(bundled(systems)!),
          { ...QUESTION, latched: (m) => m.violated(0) },
          { semantics: "window", limits: LIMITS, engine, reductions },
        );
      for (const alone of [two, late]) expect(ask(alone).observed, engine).toBe("never");
      expect(ask(three).observed).toBe("sometimes");
      expect(ask(two, late)).toMatchObject({ observed: "never", exhaustive: true });
      expect(ask(two, three).observed, engine).toBe("sometimes");
      expect(ask(late, two, three).observed, engine).toBe("sometimes");
    }
  }
});

test("threads that differ within a block, a loop or a condition do not do the same", () => {
  const inside = (wrap: (body: Stmt[]) => Stmt, stores: number): System => {
    const [writer, reader] = system(stores, 1, 1).threads;
    const body = [wrap([s.set(flag(), num(stores)), s.leave()])];
    return { ...system(stores, 1, 1), threads: [{ ...writer!, body }, reader!] };
  };
  const loop = (body: Stmt[]) => s.loop(...body);
  const nested = (body: Stmt[]) => s.loop(s.when(eq(mode(), num(1)), ...body));
  for (const wrap of [loop, nested]) {
    const ask = (...systems: System[]) =>
      explore(
        lower(bundled(systems)!),
        { ...QUESTION, latched: (m) => m.violated(0) },
        { semantics: "window", limits: LIMITS },
      ).observed;
    expect(ask(inside(wrap, 2))).toBe("never");
    expect(ask(inside(wrap, 2), inside(wrap, 3))).toBe("sometimes");
  }
});

test("the states of each are visited", () => {
  const states = (...systems: System[]) => {
    const program = lower(bundled(systems)!);
    const how = { semantics: "window", limits: LIMITS, engine: "closures" } as const;
    return explore(program, { final: () => false }, how).states;
  };
  expect(states(two, late)).toBeGreaterThanOrEqual(states(two) + states(late));
});

test("a field that begins in several ways is no constant", () => {
  expect(lower(two).fields.map((f) => f.name)).not.toContain("mode");
  const together = lower(bundled([three, late])!);
  expect(together.fields.map((f) => f.name)).toContain("mode");
  expect(together.others).toHaveLength(1);
  expect(together.hash).not.toBe(lower(three).hash);
});

test("one system stays what it is; those of other sizes or kernels do not go together", () => {
  expect(bundled([two])).toBe(two);
  expect(bundled([])).toBeUndefined();
  const larger = { ...three, domain: { ...domain, sizes: { int: 9 } } };
  expect(bundled([two, larger])).toBeUndefined();
  expect(bundled([two, { ...three, kernel: kernelAt("toy", "2.0", []) }])).toBeUndefined();
  expect(bundled([two, { ...three, observers: [] }])).toBeUndefined();
});
