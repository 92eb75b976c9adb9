// SPDX-License-Identifier: Apache-2.0
// docs/WORKLOADS.md: its figures are those of the files, its examples are read.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ADVICE } from "../packages/shootdown/src/cost/workload.ts";
import { openWorkload } from "../packages/shootdown/src/cost/workloads/open.ts";
import { SHAPES } from "../packages/shootdown/src/cost/workloads/shapes.ts";
import { PARAMETERS } from "../packages/shootdown/src/cost/workloads/synthetic.ts";
import { bytesOf } from "../packages/shootdown/src/trace/importers/bytes.ts";
import { WORKLOADS_PAGE, withTable, workloadTable } from "./support/workloads.ts";

const page = readFileSync(WORKLOADS_PAGE, "utf8");
const examples = [...page.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map(([, kind, text]) => {
  return { kind: kind!, text: text! };
});

test("the figures are those of the files", async () => {
  expect(page, "npm run workloads").toBe(withTable(page, await workloadTable()));
});

test("the examples are workloads", async () => {
  const inputs = examples.filter(({ kind }) => kind === "text");
  expect(inputs.length).toBe(4);
  for (const { text } of inputs) {
    const result = await openWorkload("example", bytesOf(text));
    expect("diagnostics" in result ? result.diagnostics : []).toEqual([]);
  }
});

test("every generator, parameter and advice is described", () => {
  for (const { name } of SHAPES) expect(page).toContain(`| \`${name}\` |`);
  for (const name of Object.keys(PARAMETERS)) expect(page).toContain(`| \`${name}\` |`);
  for (const name of ADVICE) expect(page).toContain(name);
});

test("the generators that the page names can be opened", async () => {
  const names = [...page.matchAll(/synthetic:[\w=,-]+/g)].map(([name]) => name);
  expect(names.length).toBeGreaterThan(2);
  for (const name of names.filter((one) => !one.includes("NAME"))) {
    expect("workload" in (await openWorkload(name, bytesOf("")))).toBe(true);
  }
});
