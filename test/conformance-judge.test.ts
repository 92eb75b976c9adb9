// SPDX-License-Identifier: Apache-2.0
// The comparison with herd7 finds what it should: each kind of difference, planted.

import { describe, expect, test } from "vitest";
import { judge, questionsOf } from "./support/conformance/judge.ts";
import { conformancePage } from "./support/conformance/page.ts";
import type { Answer } from "./support/conformance/worker.ts";
import type { CatalogueRow } from "./support/herd.ts";

const row: CatalogueRow = {
  ...{ test: "MP", file: "MP.litmus", threads: 2, isa: "L0", features: "fault" },
  ...{ quantifier: "exists", expected: "Allowed", expected_ets2: "Forbidden" },
  ...{ observation: "Sometimes", states: ["0:X0=0;", "0:X0=1;"], core: true, barriered: true },
};

function decided(states: readonly string[], verdict = "Allowed"): Answer {
  return { k: "decided", states, observation: "Sometimes", verdict };
}

const both = decided(row.states!);
const refused: Answer = { k: "unsupported", reason: "instruction LDXP" };

describe("protocol", () => {
  const defects = (answer: Answer, strong: Answer) =>
    judge("protocol", row, [answer, strong]).defects;

  test("a part of herd's states with the strong ones is right", () => {
    expect(defects(decided(["0:X0=0;"]), decided(["0:X0=0;"]))).toEqual([]);
  });

  test("each way to be wrong", () => {
    expect(defects(decided([]), decided([]))).toEqual(["no final state"]);
    expect(defects(decided(["0:X0=2;"]), decided([]))).toEqual(["not herd's: `0:X0=2;`"]);
    expect(defects(decided(["0:X0=0;"]), both)).toEqual(["lacks the strong `0:X0=1;`"]);
    expect(defects(both, refused)).toEqual(["the strong execution: instruction LDXP"]);
    expect(defects({ k: "crash", reason: "oops" }, both)).toEqual(["crash: oops"]);
  });

  test("where herd did not finish, its states are not asked", () => {
    const late = { ...row, observation: "timeout", states: [] };
    expect(judge("protocol", late, [decided(["0:X0=2;"]), decided([])]).defects).toEqual([]);
  });
});

describe("arm", () => {
  const defects = (answer: Answer, ets2: Answer) => judge("arm", row, [answer, ets2]).defects;

  test("herd's states and both verdicts are right", () => {
    expect(defects(both, decided(["0:X0=0;"], "Forbidden"))).toEqual([]);
  });

  test("each way to be wrong", () => {
    const ets2 = decided([], "Forbidden");
    expect(defects(decided(["0:X0=0;"]), ets2)).toEqual(["lacks `0:X0=1;`"]);
    expect(defects(decided([...row.states!, "0:X0=2;"]), ets2)).toEqual(["not herd's: `0:X0=2;`"]);
    expect(defects(decided(row.states!, "Required"), ets2)).toEqual(["Required, expected Allowed"]);
    expect(defects(both, both)).toEqual(["with ETS2 Allowed, expected Forbidden"]);
    expect(defects(both, refused)).toEqual(["with ETS2: instruction LDXP"]);
  });
});

test("the questions of a mode", () => {
  const asked = (mode: "protocol" | "arm") =>
    questionsOf(mode, row).map((q) => `${q.mode} ${q.ets2}`);
  expect(asked("protocol")).toEqual(["protocol false", "strong false"]);
  expect(asked("arm")).toEqual(["arm false", "arm true"]);
});

test("the page names what is wrong and what is not supported", () => {
  const wrong = { ...row, test: "WRONG" };
  const page = conformancePage({
    protocol: [
      judge("protocol", row, [both, both]),
      judge("protocol", wrong, [decided(["0:X0=9;"]), decided([])]),
      judge("protocol", { ...row, test: "FOREIGN" }, [refused, refused]),
    ],
    arm: [],
  });
  expect(page).toContain("| core | 3 | 2 (66.7 %) | 2 | 2 | 1 | 2 | 1 | 2 |\n");
  expect(page).toContain("### Defects: 1\n\n- `WRONG` (L0): not herd's: `0:X0=9;`.\n");
  expect(page).toContain("### Not supported: 1\n\n- instruction LDXP (1): `FOREIGN`\n");
  expect(page).not.toContain("## arm");
});
