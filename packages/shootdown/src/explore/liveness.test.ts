// SPDX-License-Identifier: Apache-2.0
// Waiting for ever, on random programs: the components of liveness.ts against all short loops, and
// windows against single entries.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { lower } from "../engine/lower.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { Program, System } from "../engine/program.ts";
import type { Expr } from "../ir/expr.ts";
import { constant, eq, field, member, ne, not, outstanding, place } from "../ir/expr.ts";
import { cell, pending, rule } from "../ir/machine.ts";
import { enumeration, symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { starvedBy } from "./fair-loop.ts";
import type { Waits } from "./fairness.ts";
import { waitsWithoutEnd } from "./liveness.ts";
import type { PathStep } from "./search.ts";
import { VisitedSet } from "./visited.ts";

const value = symbol("value");
const kind = enumeration("kind", ["soft", "hard"]);
const v = (n: number): Expr<"value"> => constant(value, n);
const k = (n: number) => member(kind, (["soft", "hard"] as const)[n % 2]!);
const source = { file: "liveness.test.ts" };
const memory = field("memory", [], value);
const gate = field("gate", [], value);
const x = place<"value">({ k: "local", name: "x", sort: value });

const cache = cell("cache", {
  keys: {},
  value,
  locals: { e: value },
  fill: ({ e }) => [s.set(e, memory()), s.when(ne(e, v(0)), s.yields(e))],
  source,
});

type Action =
  | { readonly do: "store" | "gate" | "await" | "take"; readonly v: number }
  | { readonly do: "post" | "fence"; readonly kind: number }
  | { readonly do: "look" | "clear" };

interface Toy {
  readonly order: readonly (readonly [string, string])[];
  readonly orderBy: boolean;
  /** Whether entries wait for the gate. */
  readonly gated: "no" | "hard" | "all";
  readonly effect: Action;
  readonly threads: readonly { readonly loops: boolean; readonly body: readonly Action[] }[];
  readonly rule: "none" | "may" | "must";
}

function build(toy: Toy): System {
  const queue = pending("queue", {
    keys: {},
    entry: { kind },
    capacity: "N",
    ...(toy.orderBy ? { orderBy: "kind" } : {}),
    order: toy.orderBy ? toy.order : toy.order.length > 0 ? [["*", "*"]] : [],
    ready: ({ kind: own }) => {
      if (toy.gated === "no") return eq(v(0), v(0));
      const open = eq(gate(), v(0));
      return toy.gated === "all" ? open : not(eq(not(open), eq(own, k(1))));
    },
    effect: () => [statement(toy.effect)],
    source,
  });
  function statement(a: Action): Stmt {
    switch (a.do) {
      case "store":
        return s.set(memory(), v(a.v));
      case "gate":
        return s.set(gate(), v(a.v));
      case "await":
        return s.await_(eq(memory(), v(a.v)));
      case "take":
        return s.atomic(s.await_(eq(memory(), v(a.v))), s.set(memory(), v((a.v + 1) % 3)));
      case "post":
        return s.post(queue({}), { kind: k(a.kind) });
      case "fence":
        return s.await_(not(outstanding(queue({}), { kind: k(a.kind) })));
      case "look":
        return s.lookup(x, cache({}));
      case "clear":
        return s.clear(cache({}));
    }
  }
  const acts = rule("acts", {
    forall: {},
    when: () => eq(memory(), v(1)),
    body: () => [s.set(memory(), v(2)), s.set(gate(), v(0))],
    fair: toy.rule === "must",
    source,
  });
  return {
    machine: {
      cells: [cache.decl],
      pending: [queue.decl],
      rules: toy.rule === "none" ? [] : [acts],
      definitions: [],
    },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain: { sizes: { value: 3 }, names: {}, limits: { N: 2 } },
    knobs: {},
    threads: toy.threads.map(({ loops, body }, n) => {
      const stmts = body.map(statement);
      return { name: `T${n}`, locals: { x: value }, body: loops ? [s.loop(...stmts)] : stmts };
    }),
    observers: [],
    initial: [{ field: memory.decl, index: [], value: 1 }],
    entries: [],
  };
}

const anyValue = fc.nat({ max: 2 });
const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({
    do: fc.constantFrom("store" as const, "gate" as const, "await" as const, "take" as const),
    v: anyValue,
  }),
  fc.record({ do: fc.constantFrom("post" as const, "fence" as const), kind: fc.nat({ max: 1 }) }),
  fc.record({ do: fc.constantFrom("look" as const, "clear" as const) }),
);
const word = fc.constantFrom("soft", "hard", "*");

const toys: fc.Arbitrary<Toy> = fc.record({
  order: fc.array(fc.tuple(word, word), { maxLength: 2 }),
  orderBy: fc.boolean(),
  gated: fc.constantFrom("no" as const, "hard" as const, "all" as const),
  effect: fc.oneof(
    fc.record({ do: fc.constantFrom("store" as const, "gate" as const), v: anyValue }),
    fc.record({ do: fc.constant("clear" as const) }),
  ),
  threads: fc.array(
    fc.record({ loops: fc.boolean(), body: fc.array(action, { minLength: 1, maxLength: 3 }) }),
    { minLength: 1, maxLength: 3 },
  ),
  rule: fc.constantFrom("none" as const, "may" as const, "must" as const),
});

const LIMITS = { states_max: 3_000, bytes_max: 2 ** 28 };
const STATES_MAX = 60;
const LOOP_MAX = 5;
const LOOPS_MAX = 1_500;

/** Whether any loop of a few steps starves somebody; undefined if there is too much to look at. */
function bySearchOfLoops(program: Program, waits: Waits): boolean | undefined {
  const machine = new PackedMachine(program, { semantics: "concrete" });
  const { words } = machine;
  const visited = new VisitedSet(words);
  visited.add(machine.initial());
  const steps: { readonly step: PathStep; readonly to: number }[][] = [];
  for (let id = 0; id < visited.count; id++) {
    if (visited.count > STATES_MAX) return undefined;
    const own: (typeof steps)[number] = (steps[id] = []);
    for (const [n, t] of machine.transitions.entries()) {
      machine.successors(t, visited.arena, id * words, () => {
        const step = { transition: n, choices: [...machine.choices] };
        own.push({ step, to: visited.add(machine.state) });
      });
    }
  }
  let looked = 0;
  for (let id = 0; id < visited.count; id++) {
    const from = visited.arena.slice(id * words, (id + 1) * words);
    const from_ = (at: number, loop: readonly PathStep[]): boolean => {
      if (at === id && ++looked && starvedBy(machine, from, loop, waits)) return true;
      if (loop.length === LOOP_MAX || looked > LOOPS_MAX) return false;
      return steps[at]!.some(({ step, to }) => from_(to, [...loop, step]));
    };
    if (from_(id, [])) return true;
  }
  return looked > LOOPS_MAX ? undefined : false;
}

test("whoever waits for ever is found, as by looking at all short loops", () => {
  const reached = { starved: 0, served: 0, loops: 0, always: 0 };
  fc.assert(
    fc.property(toys, fc.boolean(), (toy, entries) => {
      const program = lower(build(toy));
      const waits = { threads: toy.threads.map((_, n) => n), entries };
      const { outcome } = waitsWithoutEnd(program, "concrete", waits, LIMITS);
      if (outcome.limit !== undefined) return;
      const window = waitsWithoutEnd(program, "window", waits, LIMITS);
      expect(window.outcome.observed).toBe(outcome.observed);
      if (outcome.path === undefined) {
        reached.served++;
        expect(bySearchOfLoops(program, waits) ?? false).toBe(false);
        return;
      }
      reached.starved++;
      if (outcome.cycle) reached.loops++;
      if (outcome.observed === "always") reached.always++;
      const machine = new PackedMachine(program, { semantics: "concrete" });
      let state = machine.initial();
      for (const { transition, choices } of outcome.path) {
        expect(machine.replay(machine.transitions[transition]!, choices, state)).toBe(true);
        state = machine.state.slice();
      }
      expect(starvedBy(machine, state, outcome.cycle ?? [], waits)).toBeDefined();
    }),
    { seed: 1, numRuns: 700 },
  );
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(30);
});

test("who can go on only now and then may wait for ever, but for a lock", () => {
  const toy = (first: Action): Toy => ({
    order: [],
    orderBy: false,
    gated: "no",
    effect: { do: "clear" },
    threads: [
      { loops: false, body: [first] },
      {
        loops: true,
        body: [
          { do: "store", v: 2 },
          { do: "store", v: 1 },
        ],
      },
    ],
    rule: "none",
  });
  const ask = (first: Action) =>
    waitsWithoutEnd(lower(build(toy(first))), "window", { threads: [0], entries: false }, LIMITS);
  const { outcome } = ask({ do: "await", v: 1 });
  expect(outcome).toMatchObject({ observed: "sometimes", depth: 0, path: [] });
  expect(outcome.cycle).toHaveLength(2);
  expect(ask({ do: "gate", v: 1 }).outcome.observed).toBe("never");
  // A lock is handed on.
  expect(ask({ do: "take", v: 1 }).outcome.observed).toBe("never");
});
