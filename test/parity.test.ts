// SPDX-License-Identifier: Apache-2.0
// docs/PARITY.md speaks of every scenario; how a comparison comes to be a line of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./support/files.ts";
import { parityOf, parityPage } from "./support/parity.ts";
import { scenarios } from "./support/scenarios.ts";

const library = scenarios();
const fork = library.find(({ file }) => file === "permission-upgrade/fork.litmus")!;

test("the page has a row of every scenario, and nothing disagrees", () => {
  const page = readFileSync(join(root, "docs/PARITY.md"), "utf8");
  const rows = [...page.matchAll(/^\| (\S+\.litmus) \| (\d+) \|/gm)].map((m) => m[1]);
  expect(rows, "npm run parity").toEqual(library.map(({ file }) => file));
  const lines = library.reduce((n, { scenario }) => n + scenario.expectations.length, 0);
  expect(page, "npm run parity").toContain(`\nOf ${lines.toLocaleString("en-US")} Result lines `);
  expect(page).toContain(", and all agree there.");
  expect(page).not.toContain("## Where they disagree");
});

test("every program of a scenario is compared once, and has the row that the page has", () => {
  const told: string[] = [];
  const parity = parityOf(fork, ({ name }) => told.push(name));
  expect(parity.programs.map(({ name }) => name)).toEqual(told);
  expect(new Set(told).size).toBe(told.length);
  expect(told[0]).toBe("arm64+smmuv3+btm+ats linux-6.1+btm-skip hafdbs=no httu=no atcReRequest=no");
  expect(parity.programs.flatMap(({ differences }) => differences)).toEqual([]);
  const row = parityPage([parity]).trimEnd().split("\n").at(-1);
  const page = readFileSync(join(root, "docs/PARITY.md"), "utf8");
  expect(page, "npm run parity").toContain(`\n${row}\n`);
});

test("a program on which the reference does not end is named, not compared", () => {
  const parity = parityOf(fork, undefined, 100);
  const endless = parity.programs.filter(({ reference }) => reference.limit !== undefined);
  expect(endless.length).toBeGreaterThan(0);
  expect(endless.flatMap(({ differences }) => differences)).toEqual([]);
  const page = parityPage([parity]);
  for (const { name } of endless) {
    expect(page).toContain(`* ${fork.file}, ${name}: --max-states 100; the default: `);
  }
});

test("what disagrees is named", () => {
  const [program] = parityOf(fork).programs;
  const wrong = { ...program!, differences: ["default: never; reference: always"] };
  const page = parityPage([{ file: fork.file, lines: 1, programs: [wrong] }]);
  expect(page).toContain(
    `## Where they disagree\n\n* ${fork.file}, ${wrong.name}: default: never; reference: always\n`,
  );
  expect(page).toMatch(/ends on 1 of 1 programs, and 1 disagree\./);
});
