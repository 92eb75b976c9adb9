// SPDX-License-Identifier: Apache-2.0
// What docs/PARITY.md says; how a comparison comes to be a line of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { root } from "./support/files.ts";
import { parityOf, parityPage } from "./support/parity.ts";
import { scenarios } from "./support/scenarios.ts";

const library = scenarios();
const fork = library.find(({ file }) => file === "permission-upgrade/fork.litmus")!;

test("the page speaks of scenarios that there are, and nothing disagrees", () => {
  const page = readFileSync(join(root, "docs/PARITY.md"), "utf8");
  const rows = [...page.matchAll(/^\| (\S+\.litmus) \| (\d+) \| (\d+) \| (\d+) \|/gm)];
  const files = rows.map((m) => m[1]!);
  const known = library.map(({ file }) => file);
  expect(rows.length).toBeGreaterThan(100);
  // In the order of the library, which has newer scenarios too: the page takes minutes to write.
  expect(files).toEqual(known.filter((file) => files.includes(file)));
  const sum = (column: number) => rows.reduce((n, m) => n + Number(m[column]), 0);
  expect(page).toContain(`ends on ${sum(3)} of ${sum(2)} programs, and all agree there.`);
  expect(sum(4)).toBe(sum(3));
  expect(page).not.toContain("## Where they disagree");
});

test("every program of a scenario is compared once, and has the row that the page has", () => {
  const told: string[] = [];
  const parity = parityOf(fork, ({ name }) => told.push(name));
  expect(parity.programs.map(({ name }) => name)).toEqual(told);
  expect(new Set(told).size).toBe(told.length);
  expect(told[0]).toBe("arm64+smmuv3+btm+ats linux-6.1+btm-skip hafdbs=no httu=no atcReRequest=no");
  expect(parity.programs.flatMap(({ differences }) => differences)).toEqual([]);
  const row = parityPage([parity]).trimEnd().split("\n").at(-1)!;
  const page = readFileSync(join(root, "docs/PARITY.md"), "utf8");
  // Programs, and those that ended and agree; how many states each has is of its day.
  const counted = row.split(" | ").slice(0, 4).join(" | ");
  expect(page, "npm run parity").toContain(`\n${counted} | `);
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
