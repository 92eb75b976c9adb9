// SPDX-License-Identifier: Apache-2.0
// `whether`: one run that shows it is enough, and a search says no more than that.

import { expect, test } from "vitest";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { parseScenario } from "../litmus/parse.ts";
import type { Verdict } from "./check.ts";
import { Checker } from "./check.ts";
import { configure } from "./configuration.ts";

const scenario = (condition: string, first: string): string => `MM whether

(*
 * Two CPUs, each with a page of its own.
 *)

{
  mm A;
  page P, Q;
  map A:x -> P;
  map A:y -> Q;
}

CPU0(A) { ${first} munmap x; }
CPU1(A) { load y; munmap y; }

exists (${condition})
`;

function verdicts(condition: string, first = ""): readonly [Verdict, Verdict] {
  const parsed = parseScenario(scenario(condition, first), { dictionary: DICTIONARY });
  const found = configure("arm64", "linux-6.12", { hafdbs: "no" });
  if (!parsed.ok || !found.ok) throw new Error("a scenario that cannot be read");
  const check = (checker: Checker, whether: boolean) =>
    checker.check(found.configuration, {
      ...{ semantics: "window", engine: "auto", reductions: ["collapse"], dependsOn: false },
      ...{ whether, limits: { states_max: 100_000, bytes_max: 2 ** 28 } },
    });
  // Outcomes are kept: one asked for all, and one for whether, are two.
  const checker = new Checker(parsed.scenario, new Map());
  return [check(checker, false), check(checker, true)];
}

test("what always is, is sometimes", () => {
  const [all, one] = verdicts("A:x = none");
  expect([all.observed, one.observed]).toEqual(["always", "sometimes"]);
});

test("what never is takes all states, as without it", () => {
  const [all, one] = verdicts("use_after_free");
  expect([all.observed, one.observed]).toEqual(["never", "never"]);
  expect(one.states).toBe(all.states);
});

test("a search ends with the first violation, and has the path to it", () => {
  const [all, one] = verdicts("break_before_make", "set_pte x Q; set_pte x P;");
  expect([all.observed, one.observed]).toEqual(["always", "sometimes"]);
  expect(one.states).toBeLessThan(all.states);
  expect(one.variant.outcome.path).toBeDefined();
});
