// SPDX-License-Identifier: Apache-2.0
// Rules of hardware: all are registered, and what scenarios say about them is true.

import { describe, expect, test } from "vitest";
import { filesOf } from "../packages/shootdown/src/hardware/rules/files.ts";
import { carriers, RULES } from "../packages/shootdown/src/hardware/rules/registry.ts";
import { ruleKnob } from "../packages/shootdown/src/ir/expr.ts";
import { rulesAsked } from "../packages/shootdown/src/ir/rules.ts";
import type { Scenario } from "../packages/shootdown/src/litmus/ast.ts";
import { Checker } from "../packages/shootdown/src/study/check.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";
import { OBSERVERS } from "../packages/shootdown/src/vocabulary/properties.ts";
import { MACHINES } from "./support/machines.ts";
import { scenarios } from "./support/scenarios.ts";

/** Sections 0 to 4.1 of the hardware notes: letter and last number. */
const RANGES: readonly (readonly [string, number])[] = [
  ["Z", 5],
  ["A", 32],
  ["S", 31],
  ["P", 18],
  ["X", 5],
];

const limits = { states_max: 2_000_000, bytes_max: 2 ** 31 };
const used = MACHINES.flatMap((machine) => carriers(machine));
const named = new Set(used.flatMap((c) => c.named));
const watched = [...OBSERVERS.values()].flatMap((o) => rulesAsked(o));
const asked = new Set([...used.flatMap((c) => c.asked), ...watched]);
const library = scenarios();
const labelled = new Set(library.flatMap(({ scenario }) => rulesOf(scenario)));

function rulesOf({ labels }: Scenario): string[] {
  return (labels.Rules ?? []).map(({ text }) => text);
}

/** What each Result line observes, without the rule if one is given. */
function observations(scenario: Scenario, checker: Checker, without?: string): string[] {
  const knobs = without === undefined ? {} : { [ruleKnob(without)]: "no" };
  return scenario.expectations.map((e) => {
    const set = Object.fromEntries(e.set.map((s) => [s.knob.text, s.value.text]));
    const found = configure(e.machine!.text, e.kernel!.text, set, scenario);
    if (!found.ok) throw new Error(`unknown ${found.problem.name}`);
    const configuration = {
      ...found.configuration,
      knobs: { ...found.configuration.knobs, ...knobs },
    };
    const options = { semantics: "window", limits, dependsOn: false } as const;
    return checker.check(configuration, options).observed;
  });
}

describe("the registry", () => {
  test("has every rule of the notes, and no other", () => {
    const ids = RANGES.flatMap(([letter, last]) =>
      Array.from({ length: last }, (_, i) => `${letter}${i + 1}`),
    );
    expect([...RULES.keys()]).toEqual(ids);
  });

  test("says something about each", () => {
    for (const { title, text, source } of RULES.values()) {
      expect(title).toMatch(/\S/);
      expect(text).toMatch(/[.]$/);
      expect(source).toMatch(/\S/);
    }
  });

  test("names the rules that others follow from", () => {
    const from = [...RULES.values()].flatMap(({ status }) =>
      status.kind === "follows" ? status.from : [],
    );
    expect(from.filter((id) => !RULES.has(id))).toEqual([]);
  });

  test("has every id that the model uses", () => {
    const ids = [...new Set([...named, ...asked])];
    expect(ids.filter((id) => !RULES.has(id))).toEqual([]);
  });
});

describe("what the model and the library say of rules", () => {
  test("the build finds the files of each rule that the model asks for", () => {
    expect([...asked].filter((id) => filesOf(id).length === 0)).toEqual([]);
  });

  test("each rule that is modelled is asked for, and has a scenario", () => {
    const modelled = [...RULES.values()].filter(({ status }) => status.kind === "modelled");
    const without = modelled.filter(({ id }) => !labelled.has(id) || !asked.has(id));
    expect(without.map(({ id }) => id)).toEqual([]);
  });

  test("each rule of a scenario is modelled", () => {
    const others = [...labelled].filter((id) => RULES.get(id)?.status.kind !== "modelled");
    expect(others).toEqual([]);
  });
});

describe.each(library.filter(({ scenario }) => rulesOf(scenario).length > 0))(
  "$file",
  ({ scenario }) => {
    const checker = new Checker(scenario);
    test.each(rulesOf(scenario))("hangs on %s", (id) => {
      const before = observations(scenario, checker);
      const after = observations(scenario, checker, id);
      expect(after, `no Result line notices that ${id} is gone`).not.toEqual(before);
      // A limit that is hit is no answer.
      const changed = after.filter((observed, i) => observed !== before[i]);
      expect(changed.some((observed) => observed !== "inconclusive")).toBe(true);
    });
  },
);
