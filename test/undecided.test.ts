// SPDX-License-Identifier: Apache-2.0
// Knobs that are flipped for what a verdict depends on, where a limit ends the other search.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openCheck } from "../packages/shootdown/src/api/check.ts";
import { detailsOf } from "../packages/shootdown/src/report/check-text.ts";

const file = "litmus/hardware/pcie/write-after-clean.litmus";
const text = readFileSync(new URL(`../${file}`, import.meta.url));

function run(limits: { states_max?: number }) {
  const opened = openCheck(text, { file, witness: "none", ...limits });
  if (opened.kind !== "scenario") throw new Error(opened.kind);
  return opened.check.run(opened.check.runs[0]!).run;
}

test("a knob whose flip did not end is undecided, not one that the verdict depends on", () => {
  const whole = run({});
  expect(whole).toMatchObject({ ok: true, depends_on: [], undecided: [] });
  const { observed, states } = whole;
  const few = run({ states_max: states });
  expect(few).toMatchObject({ observed, ok: true, depends_on: [], undecided: ["httu"] });
  expect(detailsOf(few).at(-1)).toBe("depends on: no knob; undecided: httu");
});
