// SPDX-License-Identifier: Apache-2.0
// docs/LITMUS.md says what the reader does: its examples are read, its tables are complete.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CODES, MAX_DIAGNOSTICS } from "./codes.ts";
import { DICTIONARY } from "./dictionary.ts";
import { MAX_NUMBER } from "./items.ts";
import { MAX_NESTING } from "./lexer.ts";
import { parseScenario } from "./parse.ts";
import { MAX_CPU, MAX_NAMES } from "./symbols.ts";
import {
  DEVICE_ATTRIBUTES,
  MAP_ATTRIBUTES,
  PAGE_ATTRIBUTES,
  STANDARD_VERBS,
  VMA_ATTRIBUTES,
} from "./words.ts";

const DOC = readFileSync(new URL("../../../../docs/LITMUS.md", import.meta.url), "utf8");

test("its examples are scenarios", () => {
  const examples = [...DOC.matchAll(/^```litmus\n(.*?)^```$/gms)].map((match) => match[1]!);
  expect(examples.length).toBeGreaterThan(1);
  for (const example of examples) {
    const result = parseScenario(example, { dictionary: DICTIONARY });
    expect(result.ok || result.diagnostics).toBe(true);
  }
});

test("it explains every code, in order", () => {
  const rows = [...DOC.matchAll(/^\| (L\d{3}) \|/gm)].map((match) => match[1]);
  expect(rows).toEqual(Object.keys(CODES));
});

test("it has every word", () => {
  const groups = [MAP_ATTRIBUTES, VMA_ATTRIBUTES, PAGE_ATTRIBUTES, DEVICE_ATTRIBUTES];
  const words = groups.flatMap((group) => Object.values(group).flat());
  for (const word of words) expect(DOC).toContain(`"${word}"`);
  for (const verb of STANDARD_VERBS.keys())
    expect(DOC).toMatch(new RegExp(`\`${verb}\\b[^\`]*;\``));
});

test("it has the limits", () => {
  for (const limit of [MAX_CPU, MAX_NAMES, MAX_NESTING, MAX_NUMBER, MAX_DIAGNOSTICS]) {
    expect(DOC).toContain(`| ${limit} |`);
  }
});
