// SPDX-License-Identifier: Apache-2.0
// docs/MODEL.md is current, and what the heads of scenarios say of freedoms and failures fits.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  ATC_FREEDOMS,
  CPU_FREEDOMS,
  SMMU_FREEDOMS,
} from "../packages/shootdown/src/hardware/rules/freedoms.ts";
import { FAILURES, PERMITTED } from "../packages/shootdown/src/hardware/rules/known.ts";
import { RULES } from "../packages/shootdown/src/hardware/rules/registry.ts";
import type { MatrixColumn } from "../packages/shootdown/src/hardware/rules/rule.ts";
import type { Scenario } from "../packages/shootdown/src/litmus/ast.ts";
import type { LabelKey } from "../packages/shootdown/src/litmus/words.ts";
import { modelPage, runsOn } from "../packages/shootdown/src/study/model.ts";
import { root } from "./support/files.ts";
import { scenarios } from "./support/scenarios.ts";

const library = scenarios();
const freedoms = [...CPU_FREEDOMS, ...SMMU_FREEDOMS, ...ATC_FREEDOMS];

const labelled = (key: LabelKey, id: string) =>
  library.filter(({ scenario }) => scenario.labels[key]?.some(({ text }) => text === id));

const observed = ({ expectations }: Pick<Scenario, "expectations">): string[] =>
  expectations.map((e) => e.observation.text);

test("the page is up to date", () => {
  expect(readFileSync(join(root, "docs/MODEL.md"), "utf8"), "npm run model").toBe(
    modelPage(library),
  );
});

test("ids are those of the notes", () => {
  const counted = (letter: string, last: number) =>
    Array.from({ length: last }, (_, i) => `${letter}${i + 1}`);
  const ids = (list: readonly { readonly id: string }[]) => list.map(({ id }) => id);
  expect(ids(freedoms)).toEqual([...counted("F", 18), ...counted("I", 20), ...counted("C", 13)]);
  expect(ids(PERMITTED)).toEqual(counted("E", 15));
  expect(ids(FAILURES)).toEqual(counted("H", 12));
});

test("cells name rules that exist", () => {
  const named = freedoms.flatMap(({ columns }) => Object.values(columns).map((v) => v.rule));
  expect(named.filter((id) => !RULES.has(id))).toEqual([]);
});

test("an allowed freedom is seen in some scenario that names it, a forbidden one is absent", () => {
  const wrong = freedoms.flatMap(({ id, columns }) => {
    const shown = labelled("Cells", id);
    return Object.entries(columns).flatMap(([column, { is }]) => {
      const runs = shown.flatMap(({ scenario }) => runsOn(scenario, column as MatrixColumn));
      if (runs.length === 0) return [];
      const answers = observed({ expectations: runs });
      const allowed = answers.some((o) => o !== "Never");
      const absent = answers.includes("Never");
      const fits = is === "allowed" ? allowed : is === "forbidden" ? absent : allowed || absent;
      return fits ? [] : [`${id} ${column}: ${shown.map(({ file }) => file).join(" ")}`];
    });
  });
  expect(wrong).toEqual([]);
});

test("what must stay silent does, in some run of each scenario that names it", () => {
  const loud = PERMITTED.flatMap(({ id }) => labelled("Silent", id)).filter(
    ({ scenario }) => !observed(scenario).includes("Never"),
  );
  expect(loud.map(({ file }) => file)).toEqual([]);
});

test("failures are found where they were, and not where they were fixed", () => {
  const wrong = FAILURES.filter(({ id }) => {
    const answers = labelled("Bug", id).flatMap(({ scenario }) => observed(scenario));
    return answers.length > 0 && !(answers.includes("Never") && answers.some((o) => o !== "Never"));
  });
  expect(wrong.map(({ id }) => id)).toEqual([]);
});
