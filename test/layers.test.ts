// SPDX-License-Identifier: Apache-2.0
// The layers are as the table says, and the rule file catches every edge that the table forbids.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { root } from "./support/files.ts";

const SRC = "packages/shootdown/src";

/** The table once more, written apart from the rule file on purpose. `*` is all folders before. */
const MAY_IMPORT: readonly (readonly [string, string])[] = [
  ["base", ""],
  ["ir", "base"],
  ["vocabulary", "base ir"],
  ["engine", "base ir"],
  ["hardware", "base ir vocabulary"],
  ["kernel", "base ir vocabulary"],
  ["explore", "base ir engine"],
  ["litmus", "base ir vocabulary hardware kernel engine"],
  ["trace", "base ir vocabulary hardware kernel engine"],
  ["live", "base ir vocabulary hardware kernel engine"],
  ["cost", "base ir vocabulary hardware kernel engine live trace/importers"],
  ["study", "base ir vocabulary engine hardware kernel litmus explore trace live cost"],
  ["report", "*"],
  ["api", "*"],
  ["cli", "api"],
];
const FOLDERS = MAY_IMPORT.map(([folder]) => folder);
const TARGETS = [...FOLDERS, "trace/importers"];

function mayImport(from: string, to: string): boolean {
  if (to === from || to.startsWith(`${from}/`)) return true;
  const row = FOLDERS.indexOf(from);
  const [, list] = MAY_IMPORT[row]!;
  const above = FOLDERS.slice(0, row);
  const names = list === "*" ? above : list.split(" ");
  return names.some((name) => to === name || to.startsWith(`${name}/`));
}

/** Runs the rule file on a tree and returns its violations as `rule: from -> to`. */
async function violations(baseDir: string): Promise<string[]> {
  const { options, ...ruleSet } = createRequire(import.meta.url)("../.dependency-cruiser.cjs");
  const result = await cruise([SRC], { ...options, ruleSet, validate: true, baseDir });
  const { summary } = result.output as ICruiseResult;
  return summary.violations.map(({ rule, from, to }) => `${rule.name}: ${from} -> ${to}`).sort();
}

const source = (name: string) => name.replaceAll("/", "-");

/** A tree with one file for each pair of folders, each importing a leaf of the other folder. */
function writeTree(tree: string): void {
  const write = (file: string, text: string) => writeFileSync(join(tree, SRC, file), text);
  for (const folder of TARGETS) {
    mkdirSync(join(tree, SRC, folder), { recursive: true });
    write(`${folder}/leaf.ts`, "export type Leaf = 1;\n");
  }
  for (const from of FOLDERS) {
    for (const to of TARGETS) {
      write(`${from}/to-${source(to)}.ts`, `import type { Leaf } from "../${to}/leaf.ts";\n`);
    }
    write(`${from}/to-node.ts`, 'import { join } from "node:path";\nexport { join };\n');
    write(`${from}/to-package.ts`, 'import { Command } from "commander";\nexport { Command };\n');
    write(`${from}/any.test.ts`, 'import "../cli/leaf.ts";\nimport "node:fs";\n');
  }
  mkdirSync(join(tree, SRC, "attic"));
  write("attic/new.ts", 'import "../base/leaf.ts";\n');
  write("base/chicken.ts", 'import "./egg.ts";\n');
  write("base/egg.ts", 'import "./chicken.ts";\n');
  write("base/word.ts", 'import type { Line } from "./line.ts";\nexport type Word = Line[];\n');
  write("base/line.ts", 'export * from "./word.ts";\nexport type Line = string;\n');
}

test("the source keeps to the layers", async () => {
  expect(await violations(root)).toEqual([]);
});

describe("the rule file can fail", () => {
  const tree = mkdtempSync(join(tmpdir(), "shootdown-layers-"));
  let found: string[] = [];
  beforeAll(async () => {
    writeTree(tree);
    found = await violations(tree);
  });
  afterAll(() => rmSync(tree, { recursive: true, force: true }));

  test.each(FOLDERS)("%s may import what the table says, and no more", (from) => {
    const expected = TARGETS.filter((to) => !mayImport(from, to)).map(
      (to) => `layer-${from}: ${SRC}/${from}/to-${source(to)}.ts -> ${SRC}/${to}/leaf.ts`,
    );
    expect(found.filter((line) => line.startsWith(`layer-${from}:`))).toEqual(expected.sort());
  });

  test("only the command line imports Node and packages", () => {
    const importers = found
      .filter((line) => line.startsWith("runs-anywhere:"))
      .map((line) => line.replace(/ -> .*/, ""));
    const expected = FOLDERS.filter((folder) => folder !== "cli").flatMap((folder) =>
      ["node", "package"].map((name) => `runs-anywhere: ${SRC}/${folder}/to-${name}.ts`),
    );
    expect(importers).toEqual(expected.sort());
  });

  test("circles of running code are found, circles of types are not", () => {
    const circles = found.filter((line) => line.startsWith("no-circle:"));
    expect(circles).toEqual([`no-circle: ${SRC}/base/chicken.ts -> ${SRC}/base/egg.ts`]);
  });

  test("folders without a row are found", () => {
    expect(found).toContain(`unknown-layer: ${SRC}/attic/new.ts -> ${SRC}/base/leaf.ts`);
  });

  test("test files are not judged", () => {
    expect(found.filter((line) => line.includes(".test.ts"))).toEqual([]);
  });
});
