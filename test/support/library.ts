// SPDX-License-Identifier: Apache-2.0
// Every Result line of a part of the library, on both semantics, and every witness replayed.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../packages/shootdown/src/base/diagnostic.ts";
import { DICTIONARY } from "../../packages/shootdown/src/litmus/dictionary.ts";
import { parseScenario } from "../../packages/shootdown/src/litmus/parse.ts";
import { Checker } from "../../packages/shootdown/src/study/check.ts";
import { configure } from "../../packages/shootdown/src/study/configuration.ts";
import { replayWitness, witnessOf } from "../../packages/shootdown/src/study/witness.ts";
import { root as project } from "./files.ts";

const root = join(project, "litmus");
const limits = { states_max: 2_000_000, bytes_max: 2 ** 31 };

/** Scenarios whose path below litmus/ the caller wants. */
export function testLibrary(wanted: (file: string) => boolean): void {
  const files = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((f) => f.endsWith(".litmus") && wanted(f))
    .sort();
  test("the library is there", () => {
    expect(files.length).toBeGreaterThan(5);
  });
  describe.each(files)("%s", testScenario);
}

function load(file: string) {
  const parsed = parseScenario(readFileSync(join(root, file)), { file, dictionary: DICTIONARY });
  if (!parsed.ok) throw new Error(formatDiagnostic(parsed.diagnostics[0]!, parsed.text));
  return parsed.scenario;
}

function testScenario(file: string): void {
  const scenario = load(file);
  const checker = new Checker(scenario);
  test.each(
    scenario.expectations.map((e) => {
      const set = Object.fromEntries(e.set.map((s) => [s.knob.text, s.value.text]));
      const machine = e.machine!.text;
      const kernel = e.kernel!.text;
      const settings = Object.entries(set).map(([k, v]) => `${k}=${v}`);
      const name = [machine, kernel, ...settings].join(" ");
      return { name, machine, kernel, set, expected: e.observation.text.toLowerCase() };
    }),
  )("$expected $name", ({ machine, kernel, set, expected }) => {
    const configured = configure(machine, kernel, set, scenario);
    if (!configured.ok) throw new Error(`unknown ${configured.problem.name}`);
    const { configuration } = configured;
    const window = checker.check(configuration, { semantics: "window", limits, dependsOn: false });
    expect(window.observed).toBe(expected);
    expect(window.exhaustive).toBe(true);
    const options = { semantics: "concrete", limits, dependsOn: false } as const;
    const concrete = checker.check(configuration, options);
    expect(concrete.observed).toBe(expected);
    for (const verdict of [window, concrete]) {
      const witness = witnessOf(scenario, configuration, verdict, checker.condition);
      expect(witness === undefined).toBe(expected === "never");
      if (!witness) continue;
      const copy = JSON.parse(JSON.stringify(witness)) as typeof witness;
      const program = checker.programFor(configuration, copy.knobs);
      expect(replayWitness(copy, program, checker.condition).confirmed).toBe(true);
    }
    // The shortest witness is as long on either.
    if (expected !== "never") expect(window.depth).toBe(concrete.depth);
  });
}
