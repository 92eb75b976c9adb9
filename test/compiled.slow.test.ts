// SPDX-License-Identifier: Apache-2.0
// Compiled steps are the packed executor's, and a search on them has the same outcome.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cellModel } from "../bench/models/shootdown-cells.ts";
import { model } from "../bench/models/shootdown-s.ts";
import { seededRandom } from "../packages/shootdown/src/base/random.ts";
import { Uncompilable } from "../packages/shootdown/src/engine/compiled/frame.ts";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import type { Semantics } from "../packages/shootdown/src/engine/packed.ts";
import { DomainOverflow } from "../packages/shootdown/src/engine/packed-expr.ts";
import type { Program, System } from "../packages/shootdown/src/engine/program.ts";
import type { Outcome, Question } from "../packages/shootdown/src/explore/search.ts";
import { type Engine, explore } from "../packages/shootdown/src/explore/tiers.ts";
import { Checker } from "../packages/shootdown/src/study/check.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";
import { compareSteps } from "./support/compiled.ts";
import { randomSystem } from "./support/random-system.ts";
import { scenarios } from "./support/scenarios.ts";

const SEMANTICS: readonly Semantics[] = ["window", "concrete"];
const QUESTION: Question = {
  latched: (m) => m.violated(0),
  observers: ["use_after_free"],
};
const limits = { states_max: 200_000, bytes_max: 2 ** 30 };

describe("successors, to the bit and in order", () => {
  test.each(["wasm", "javascript"] as const)("of random systems, as %s", (target) => {
    let compared = 0;
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...SEMANTICS), (seed, semantics) => {
        const program = lower(randomSystem(seededRandom(seed)));
        try {
          const { states, difference } = compareSteps(program, semantics, 40, target);
          compared += states;
          expect(difference).toBeUndefined();
        } catch (error) {
          if (!(error instanceof Uncompilable)) throw error;
        }
      }),
      { numRuns: target === "wasm" ? 120 : 30, seed: 7 },
    );
    expect(compared).toBeGreaterThan(500);
  });

  test("of random systems that go beyond the ends of their sorts", () => {
    const sum = { states: 0, refused: 0 };
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...SEMANTICS), (seed, semantics) => {
        const program = lower(randomSystem(seededRandom(seed), { edges: true }));
        try {
          const { states, refused, difference } = compareSteps(program, semantics, 60);
          sum.states += states;
          sum.refused += refused;
          expect(difference).toBeUndefined();
        } catch (error) {
          // It may begin beyond them.
          if (!(error instanceof Uncompilable || error instanceof DomainOverflow)) throw error;
        }
      }),
      { numRuns: 120, seed: 11 },
    );
    expect(sum.states).toBeGreaterThan(1_000);
    expect(sum.refused).toBeGreaterThan(50);
  });

  const systems: readonly (readonly [string, () => System])[] = [
    ["S", () => model({ cpus: 2, upgrade: true })],
    ["M", () => model({ cpus: 3, upgrade: false })],
    ["S with cells", () => cellModel({ cpus: 2, upgrade: true })],
  ];
  test.each(systems)("of model %s", (_name, make) => {
    for (const semantics of SEMANTICS) {
      expect(compareSteps(lower(make()), semantics, 1500).difference).toBeUndefined();
    }
  });
});

/** The programs of a scenario's first Result line and of its last. */
function programs(scenario: ReturnType<typeof scenarios>[number]["scenario"]) {
  const checker = new Checker(scenario);
  const lines = [scenario.expectations[0]!, scenario.expectations.at(-1)!];
  const found = new Map<string, Program>();
  for (const line of lines) {
    const set = Object.fromEntries(line.set.map((s) => [s.knob.text, s.value.text]));
    const configured = configure(line.machine!.text, line.kernel!.text, set, scenario);
    if (!configured.ok) throw new Error(`unknown ${configured.problem.name}`);
    const options = { semantics: "window", limits: { ...limits, states_max: 1 } } as const;
    const verdict = checker.check(configured.configuration, { ...options, dependsOn: false });
    for (const v of verdict.variants) found.set(v.program.hash, v.program);
  }
  return { question: checker.condition, programs: [...found.values()] };
}

/** What must not depend on the engine. */
const core = (o: Outcome): unknown => ({
  observed: o.observed,
  exhaustive: o.exhaustive,
  states: o.states,
  transitions: o.transitions,
  depth: o.depth,
  path: o.path,
  cycle: o.cycle,
});

describe.each(scenarios())("$file", ({ scenario }) => {
  const { question, programs: all } = programs(scenario);

  test.each(SEMANTICS)("the same successors, %s", (semantics) => {
    for (const p of all) expect(compareSteps(p, semantics, 60).difference).toBeUndefined();
  });

  test("the same outcome", () => {
    const run = (engine: Engine) =>
      explore(all[0]!, question, { semantics: "window", engine, limits });
    const closures = run("closures");
    expect(closures.exhaustive).toBe(true);
    expect(core(run("wasm"))).toEqual(core(closures));
  });

  test("the same outcome where fills are steps and some are taken alone", () => {
    const few = { ...limits, states_max: 3_000 };
    const options = { semantics: "concrete", limits: few, reductions: ["collapse"] } as const;
    const closures = explore(all[0]!, question, { ...options, engine: "closures" });
    if (!closures.exhaustive) return;
    const compiled = explore(all[0]!, question, { ...options, engine: "wasm" });
    expect(compiled.states).toBe(closures.states);
    expect(compiled.depth).toBe(closures.depth);
    expect(compiled.observed).toBe(closures.observed);
  });
});

describe("benchmark models", () => {
  const count = (system: System, semantics: Semantics) => {
    const { states, transitions, observed } = explore(lower(system), QUESTION, {
      semantics,
      engine: "wasm",
      limits: { ...limits, states_max: 10 ** 7 },
    });
    return { states, transitions, observed };
  };

  test("S has the states and transitions that other checkers count", () => {
    expect(count(model({ cpus: 2, upgrade: true }), "concrete")).toEqual({
      states: 340_856,
      transitions: 2_663_672,
      observed: "never",
    });
  });

  test("windows: S, M, L", () => {
    const states = [
      cellModel({ cpus: 2, upgrade: true }),
      cellModel({ cpus: 3, upgrade: false }),
      cellModel({ cpus: 3, upgrade: true }),
    ].map((system) => count(system, "window").states);
    expect(states).toEqual([1_491, 8_121, 36_243]);
  });

  test.each([[["symmetry"]], [["collapse"]], [["symmetry", "collapse"]]] as const)(
    "reduced by %j as the reference is",
    (reductions) => {
      const systems = [
        { system: cellModel({ cpus: 3, upgrade: true }), semantics: "window" as const },
        { system: cellModel({ cpus: 2, upgrade: true, bug: 1 }), semantics: "window" as const },
        { system: model({ cpus: 2, upgrade: false }), semantics: "concrete" as const },
      ];
      for (const { system, semantics } of systems) {
        const program = lower(system);
        const run = (engine: Engine) =>
          explore(program, QUESTION, { semantics, engine, limits, reductions });
        expect(core(run("wasm"))).toEqual(core(run("closures")));
      }
    },
  );

  test.each([1, 2] as const)("bug %i is found as deep, by the same steps", (bug) => {
    const systems = [
      { system: cellModel({ cpus: 2, upgrade: false, bug }), semantics: "window" as const },
      { system: model({ cpus: 2, upgrade: false, bug }), semantics: "concrete" as const },
    ];
    for (const { system, semantics } of systems) {
      const program = lower(system);
      const run = (engine: Engine) => explore(program, QUESTION, { semantics, engine, limits });
      const closures = run("closures");
      expect(closures.observed).toBe("sometimes");
      expect(core(run("wasm"))).toEqual(core(closures));
    }
  });
});
