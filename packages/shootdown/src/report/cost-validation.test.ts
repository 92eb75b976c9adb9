// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { calibrate } from "../cost/calibrate.ts";
import { profileNamed } from "../cost/profiles.ts";
import { type Case, judged } from "../cost/validate/result.ts";
import { calibrationLines } from "./cost-calibration.ts";
import {
  validationLines,
  validationObject,
  validationSummary,
  validationSummaryLine,
} from "./cost-validation.ts";

const given: Case = {
  ...{ id: "V1", title: "A queue", source: "a mail", profile: "grace", unit: "ns", note: "none" },
  cells: [
    { label: "8 CPUs", published: 282, simulated: 278.29978, band: [253.8, 310.2], fitted: true },
    { label: "a rule", simulated: 14.7, band: [4, Number.POSITIVE_INFINITY], fitted: false },
  ],
};
const good = judged(given);
const bad = judged({
  ...{ ...given, id: "V13-VFIO", negative_control: true },
  cells: [{ label: "100", published: 23, simulated: 45, band: [22, 24], fitted: false }],
});

test("text lines up, and says what is fitted and what is outside", () => {
  expect(validationLines(good, { width: 60 })).toEqual([
    "V1        in the band   A queue",
    "     8 CPUs  282  278.3  253.8 to 310.2  fitted",
    "     a rule    -   14.7  from 4",
    "     grace; ns",
    "     none",
    "     a mail",
  ]);
  expect(validationLines(bad, { width: 60 }).slice(0, 2)).toEqual([
    "V13-VFIO  fails, must   A queue",
    "     100  23  45  22 to 24  outside",
  ]);
  const lost = judged({ ...given, cells: [{ ...given.cells[0]!, simulated: 500 }] });
  expect(validationLines(lost, { width: 60 })[0]).toBe("V1        OUTSIDE       A queue");
});

test("an object a result, of the worst figure, with all of them", () => {
  const object = JSON.parse(JSON.stringify(validationObject(good)));
  expect(object).toMatchObject({
    ...{ type: "validation", id: "V1", source: "a mail", published: 282, band: [253.8, 310.2] },
    ...{ ok: true, fitted: true, negative_control: false, as_expected: true },
  });
  expect(object.error).toBeCloseTo(0.0131, 3);
  expect(object.cells[1]).toMatchObject({ published: null, band: [4, null] });
  expect(validationObject(bad)).toMatchObject({ ok: false, as_expected: true, simulated: 45 });
});

test("the summary counts controls apart", () => {
  const summary = validationSummary([good, bad]);
  expect(summary).toEqual({
    ...{ type: "summary", validations: 1, ok: 1, required: 1, required_ok: 1 },
    ...{ controls: 1, controls_failed: 1 },
  });
  expect(validationSummaryLine(summary)).toBe(
    "1 of 1 published results in the band (1 of the 1 that count), 1 of 1 negative controls " +
      "outside, as they have to be",
  );
});

test("a calibration: quantities, and the residual of each sample", () => {
  const text = [8, 16, 32].map((n) => `tlbi_cores cpus ${n} flush_ns ${n === 16 ? 500 : 9 * n}\n`);
  const read = calibrate([{ file: "t.txt", text: text.join("") }], profileNamed("grace")!, "mine");
  if (!read.ok) throw new Error(read.diagnostic.message);
  const lines = calibrationLines(read.calibration, (tone, line) => `${tone}:${line}`);
  expect(lines[0]).toContain("tlbi_cores: flush_ns = dsb_base_ns + dsb_per_cpu_ns x cpus");
  expect(lines[1]).toMatch(/^ {2}dsb_base_ns +\d+(\.\d+)? \(/);
  expect(lines.filter((line) => line.includes("t.txt:"))).toHaveLength(3);
  expect(lines.some((line) => line.startsWith("bad:"))).toBe(true);
});
