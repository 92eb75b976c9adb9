// SPDX-License-Identifier: Apache-2.0
// Witnesses of the whole library: nothing can be left out of them, and they say why.

import { describe, expect, test } from "vitest";
import { openReplay } from "../packages/shootdown/src/api/replay.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { PathStep, Question } from "../packages/shootdown/src/explore/search.ts";
import { shows } from "../packages/shootdown/src/explore/shows.ts";
import type { Scenario } from "../packages/shootdown/src/litmus/ast.ts";
import { Checker } from "../packages/shootdown/src/study/check.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";
import type { WitnessStep } from "../packages/shootdown/src/study/player.ts";
import type { Witness } from "../packages/shootdown/src/study/witness.ts";
import { witnessOf } from "../packages/shootdown/src/study/witness.ts";
import { scenarios } from "./support/scenarios.ts";

const limits = { states_max: 1_000_000, bytes_max: 2 ** 30 };

/** Every witness of a scenario, with the machine that it runs on. */
function* witnesses(scenario: Scenario) {
  const checker = new Checker(scenario);
  for (const e of scenario.expectations) {
    if (e.observation.text === "Never") continue;
    const set = Object.fromEntries(e.set.map((s) => [s.knob.text, s.value.text]));
    const configured = configure(e.machine!.text, e.kernel!.text, set, scenario);
    if (!configured.ok) throw new Error(`unknown ${configured.problem.name}`);
    const options = { semantics: "window", limits, dependsOn: false } as const;
    const verdict = checker.check(configured.configuration, options);
    const { condition } = checker;
    const witness = witnessOf(scenario, configured.configuration, verdict, condition)!;
    const { program } = verdict.variant;
    yield { witness, condition, machine: new PackedMachine(program, { semantics: "concrete" }) };
  }
}

/** Whether a run of these steps shows what is asked for. */
function stillShows(
  machine: PackedMachine,
  steps: readonly PathStep[],
  cycle: readonly PathStep[],
  question: Question,
): boolean {
  let state = machine.initial();
  for (const { transition, choices } of steps) {
    if (!machine.replay(machine.transitions[transition]!, choices, state)) return false;
    state = machine.state.slice();
  }
  return shows(machine, state, cycle, question);
}

const without = <T>(list: readonly T[], n: number): T[] => list.filter((_, i) => i !== n);

describe.each(scenarios())("$file", ({ scenario }) => {
  test("no step, fill or eviction of a witness can be left out", () => {
    for (const { witness, condition, machine } of witnesses(scenario)) {
      const numbered = (list: readonly WitnessStep[]): PathStep[] =>
        list.map((s) => ({
          transition: machine.transitions.findIndex(
            (t) => t.kind === s.kind && t.name === s.name && t.slot === s.slot,
          ),
          choices: s.choices,
        }));
      const [steps, cycle] = [numbered(witness.steps), numbered(witness.cycle)];
      const can = (s: readonly PathStep[], c: readonly PathStep[]) =>
        stillShows(machine, s, c, condition);
      expect(can(steps, cycle)).toBe(true);
      expect(steps.filter((_, n) => can(without(steps, n), cycle))).toEqual([]);
      if (cycle.length === 1) continue;
      expect(cycle.filter((_, n) => can(steps, without(cycle, n)))).toEqual([]);
    }
  });
});

const FILE = "permission-upgrade/upgrade.litmus";

function upgrade(): Witness {
  const found = scenarios().find((s) => s.file === FILE)!;
  for (const { witness } of witnesses(found.scenario)) return witness;
  throw new Error("no witness");
}

const text = (w: Witness) => `${JSON.stringify(w, undefined, 2)}\n`;

test("why: the entry found, who took it, what changed memory, what missed it", () => {
  const opened = openReplay(text(upgrade()));
  if (!opened.ok) throw new Error(opened.problems[0]!.message);
  expect(opened.shown.confirmed).toBe(true);
  const parts = [
    /^step \d+ found P ro in smmu_tlb\[.*\], taken after step \d+; /,
    /step \d+ \(CPU0, cmpxchg_desc:1\) had changed memory, /,
    /and nothing invalidated smmu_tlb after that$/,
  ];
  expect(opened.shown.why).toMatch(new RegExp(parts.map((p) => p.source).join("")));
});

test("a claim that was edited is refused where it stands", () => {
  const witness = upgrade();
  const cases: readonly (readonly [keyof Witness, Partial<Witness>, RegExp])[] = [
    ["test", { test: "other" }, /the scenario is 'upgrade', not 'other'/],
    ["property", { property: "use_after_free" }, /the scenario asks for 'stuck\(D\)'/],
    ["knobs", { knobs: { ...witness.knobs, smmuv3: "no" } }, /smmuv3=yes, not smmuv3=no/],
  ];
  for (const [field, change, message] of cases) {
    const edited = text({ ...witness, ...change });
    const opened = openReplay(edited, "w.json");
    if (opened.ok) throw new Error(`${field} was accepted`);
    const [problem] = opened.problems;
    expect(problem!.message).toMatch(message);
    expect(edited.split("\n")[problem!.line! - 1]).toContain(`"${field}":`);
  }
});

test("a repetition written down many times is read, one that does not repeat shows nothing", () => {
  const witness = upgrade();
  const often = Array.from({ length: 2_000 }, () => witness.cycle).flat();
  const opened = openReplay(text({ ...witness, cycle: often }));
  expect(opened.ok && opened.shown.confirmed).toBe(true);
  const cut = openReplay(text({ ...witness, cycle: witness.cycle.slice(0, -1) }));
  expect(cut.ok && !cut.shown.confirmed).toBe(true);
});
