// SPDX-License-Identifier: Apache-2.0
// The short form of a PCIe function gives the answers of the long one (hardware/pcie/form.ts).

import { describe, expect, test } from "vitest";
import { Checker } from "../packages/shootdown/src/study/check.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";
import { scenarios } from "./support/scenarios.ts";

const limits = { states_max: 2_000_000, bytes_max: 2 ** 31 };
const options = { semantics: "window", limits, dependsOn: false } as const;

/** Runs of machines whose devices have ATS, and are in the short form. */
const short = scenarios()
  .map(({ file, scenario }) => ({
    file,
    scenario,
    runs: scenario.expectations.filter(({ machine }) => {
      const parts = machine!.text.split("+");
      return parts.includes("ats") && !parts.includes("inflight");
    }),
  }))
  .filter(({ runs }) => runs.length > 0);

describe.each(short)("$file", ({ scenario, runs }) => {
  const checker = new Checker(scenario);
  test.each(
    runs.map((e) => ({ machine: e.machine!.text, kernel: e.kernel!.text, expectation: e })),
  )("$machine $kernel", ({ machine, kernel, expectation }) => {
    const set = Object.fromEntries(expectation.set.map((s) => [s.knob.text, s.value.text]));
    const found = configure(`${machine}+inflight`, kernel, set, scenario);
    if (!found.ok) throw new Error(`unknown ${found.problem.name}`);
    const { observed } = checker.check(found.configuration, options);
    expect(observed).toBe(expectation.observation.text.toLowerCase());
  });
});
