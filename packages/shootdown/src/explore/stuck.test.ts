// SPDX-License-Identifier: Apache-2.0
// Endless repetition is found alike among windows and among single entries, on random programs.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { lower } from "../engine/lower.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { System, ThreadSpec } from "../engine/program.ts";
import type { Expr } from "../ir/expr.ts";
import { constant, eq, field, ne, not, outstanding, place } from "../ir/expr.ts";
import type { CellFn } from "../ir/machine.ts";
import { cell, pending, rule } from "../ir/machine.ts";
import { symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { search } from "./search.ts";
import { isCycle, windowsRepeat } from "./stuck.ts";
import { concretise } from "./witness.ts";

const value = symbol("value");
const v = (n: number): Expr<"value"> => constant(value, n);
const source = { file: "stuck.test.ts" };
const memory = field("memory", [], value);
const aux = field("aux", [], value);
const x = place<"value">({ k: "local", name: "x", sort: value });

type Action =
  | { readonly do: "store" | "aux" | "await" | "drop"; readonly v: number }
  | { readonly do: "post" | "fence" }
  | { readonly do: "clear" | "use" | "walk"; readonly cell: number }
  | { readonly do: "insert"; readonly v: number };

interface Toy {
  /** How the second cell is filled from the first. */
  readonly second: "lookup" | "pick" | "whole" | "memory";
  readonly guarded: boolean;
  readonly looksIn: number;
  readonly walks: boolean;
  readonly wants: number;
  /** What the thread does between two tries. */
  readonly handler: readonly Action[];
  readonly others: readonly (readonly Action[])[];
  readonly effect: number;
  readonly drift: "none" | "may" | "must";
}

function build(toy: Toy): System {
  const base = { keys: {}, value, source };
  const first = cell("first", {
    ...base,
    locals: { e: value },
    fill: ({ e }) => [
      ...(toy.guarded ? [s.await_(ne(aux(), v(1)))] : []),
      s.set(e, memory()),
      s.when(ne(e, v(0)), s.yields(e)),
    ],
  });
  const second = cell("second", {
    ...base,
    locals: { e: value },
    fill: ({ e }) => {
      if (toy.second === "whole") return [s.yieldsHeld(first({}))];
      if (toy.second === "memory") return [s.set(e, memory()), s.yields(e)];
      return [(toy.second === "lookup" ? s.lookup : s.pick)(e, first({})), s.yields(e)];
    },
  });
  const noted = cell("noted", { keys: {}, value, source });
  const cells = [first, second, noted] as CellFn<Record<never, never>, "value">[];
  const at = (n: number) => cells[n % cells.length]!({});
  const drops = pending("drops", {
    keys: {},
    entry: {},
    capacity: "N",
    effect: () => [s.clear(at(toy.effect))],
    source,
  });
  const statement = (a: Action): Stmt => {
    switch (a.do) {
      case "store":
        return s.set(memory(), v(a.v));
      case "aux":
        return s.set(aux(), v(a.v));
      case "await":
        return s.await_(eq(memory(), v(a.v)));
      case "drop":
        return s.clear(first({}), (e) => eq(e, v(a.v)));
      case "post":
        return s.post(drops({}), {});
      case "fence":
        return s.await_(not(outstanding(drops({}))));
      case "clear":
        return s.clear(at(a.cell));
      case "use":
        return s.pick(x, at(a.cell));
      case "walk":
        return s.lookup(x, at(a.cell));
      case "insert":
        return s.insert(noted({}), v(a.v));
    }
  };
  const look = (toy.walks ? s.lookup : s.pick)(x, at(toy.looksIn));
  const retries = s.loop(
    s.retry(eq(memory(), v(toy.wants))),
    look,
    s.when(eq(x, v(toy.wants)), s.leave()),
    ...toy.handler.map(statement),
  );
  const threads: ThreadSpec[] = [[retries], ...toy.others.map((o) => o.map(statement))].map(
    (body, n) => ({ name: `T${n}`, locals: { x: value }, body }),
  );
  const drift = rule("drift", {
    forall: {},
    when: () => eq(aux(), v(2)),
    body: () => [s.set(aux(), v(0)), s.clear(at(toy.effect))],
    fair: toy.drift === "must",
    source,
  });
  return {
    machine: {
      cells: cells.map((c) => c.decl),
      pending: [drops.decl],
      rules: toy.drift === "none" ? [] : [drift],
      definitions: [],
    },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain: { sizes: { value: 3 }, names: {}, limits: { N: 1 } },
    knobs: {},
    threads,
    observers: [],
    initial: [{ field: memory.decl, index: [], value: 1 }],
    entries: [],
  };
}

const anyValue = fc.nat({ max: 2 });
const leaf: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constantFrom("store" as const, "store" as const, "aux" as const, "drop" as const),
    v: anyValue,
  }),
  fc.record({ do: fc.constantFrom("post" as const, "fence" as const) }),
  fc.record({
    do: fc.constantFrom("clear" as const, "use" as const, "walk" as const),
    cell: anyValue,
  }),
  fc.record({ do: fc.constant("insert" as const), v: anyValue }),
);
const waits: fc.Arbitrary<Action> = fc.record({ do: fc.constant("await" as const), v: anyValue });

const toy: fc.Arbitrary<Toy> = fc.record({
  second: fc.constantFrom("lookup" as const, "pick" as const, "whole" as const, "memory" as const),
  guarded: fc.boolean(),
  looksIn: anyValue,
  walks: fc.boolean(),
  wants: anyValue,
  handler: fc.array(fc.oneof({ weight: 6, arbitrary: leaf }, waits), { maxLength: 3 }),
  others: fc.array(
    fc.array(fc.oneof({ weight: 6, arbitrary: leaf }, waits), { minLength: 1, maxLength: 4 }),
    { maxLength: 2 },
  ),
  effect: anyValue,
  drift: fc.constantFrom("none" as const, "none" as const, "may" as const, "must" as const),
});

const LIMITS = { states_max: 20_000, bytes_max: 2 ** 28 };
const STUCK = { stuck: 0 };

/** Only repetitions: ends for want of a fill are another matter. */
function repetition(system: System, semantics: "concrete" | "window") {
  const machine = new PackedMachine(lower(system), { semantics });
  const outcome = search(machine, STUCK, LIMITS);
  return { machine, outcome };
}

test("windows repeat where single entries do, and the cycle can be replayed", () => {
  const reached = { stuck: 0, not: 0 };
  fc.assert(
    fc.property(toy, (t) => {
      const system = build(t);
      const concrete = repetition(system, "concrete");
      if (concrete.outcome.limit !== undefined) return;
      const window = repetition(system, "window");
      const [a, b] = [concrete.outcome, window.outcome];
      // An end for want of a fill, which windows do not speak of.
      if (a.path !== undefined && a.cycle === undefined) return;
      if (a.cycle === undefined && b.cycle === undefined) {
        reached.not++;
        return;
      }
      reached.stuck++;
      expect(b.cycle !== undefined).toBe(a.cycle !== undefined);
      expect(b.depth).toBe(a.depth);
      expect(windowsRepeat(lower(system))).toBe(true);
      const { steps, cycle } = concretise(window.machine, concrete.machine, b.path!, b.cycle);
      let state = concrete.machine.initial();
      for (const step of steps) {
        const t = concrete.machine.transitions[step.transition]!;
        expect(concrete.machine.replay(t, step.choices, state)).toBe(true);
        state = concrete.machine.state.slice();
      }
      expect(isCycle(concrete.machine, 0, state, cycle)).toBe(true);
    }),
    { seed: 1, numRuns: 1500 },
  );
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(50);
});
