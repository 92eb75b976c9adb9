// SPDX-License-Identifier: Apache-2.0
// docs/HERD.md says what the reader does: its example is read, its tables are complete.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { DESCRIPTOR_DEFAULTS } from "./ast.ts";
import { HERD_CODES } from "./codes.ts";
import { PERFORMED_BEFORE } from "./order.ts";
import { readHerdTest } from "./read.ts";
import { MAX_NESTING } from "./scan.ts";

const DOC = readFileSync(new URL("../../../../../docs/HERD.md", import.meta.url), "utf8");

test("its examples are tests", () => {
  const examples = [...DOC.matchAll(/^```aarch64\n(.*?)^```$/gms)].map((match) => match[1]!);
  expect(examples.length).toBeGreaterThan(0);
  for (const example of examples) {
    const result = readHerdTest(example);
    expect(result.ok || result.diagnostics).toBe(true);
  }
});

test("it explains every code, in order", () => {
  const rows = [...DOC.matchAll(/^\| (H\d{3}) \|/gm)].map((match) => match[1]);
  expect(rows).toEqual(Object.keys(HERD_CODES));
});

test("it has the usual values of a descriptor, and the limit", () => {
  const { attrs: _, ...bits } = DESCRIPTOR_DEFAULTS;
  for (const [name, value] of Object.entries(bits)) expect(DOC).toContain(`${name}:${value}`);
  expect(DOC).toContain(`more than ${MAX_NESTING} deep`);
});

test("it has every order that a step waits for", () => {
  const section = DOC.slice(
    DOC.indexOf("| order | from | to |"),
    DOC.indexOf("Addresses and data"),
  );
  for (const { name } of PERFORMED_BEFORE) {
    expect(section, name).toContain(name.replace(/, then a fault$/, ""));
  }
});
