// SPDX-License-Identifier: Apache-2.0
// Every rule that a monitor names is one that somebody can look up.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FINDING_CLASSES } from "./finding.ts";
import { ruleOf, ruleText } from "./rules.ts";

const here = new URL(".", import.meta.url).pathname;
const ID = /"((?:[ASVXZ]|P)\d{1,2}|P-[A-Z]+)"/g;

const sources = readdirSync(here, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
  .map((name) => [name, readFileSync(join(here, name), "utf8")] as const);

test("each id in the monitors has a text, and the page of trace has those of no other page", () => {
  const page = readFileSync(join(here, "../../../../docs/TRACE.md"), "utf8");
  const named = sources.flatMap(([file, text]) =>
    [...text.matchAll(ID)].map(([, id = ""]) => ({ file, id })),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter(({ id }) => ruleText(id) === undefined)).toEqual([]);
  const own = named.filter(({ id }) => /^V|^P-/.test(id));
  expect(own.filter(({ id }) => !new RegExp(`\\b${id}\\b`).test(page))).toEqual([]);
});

test("each class of the monitor of notifiers has a rule for each change", () => {
  const changes = ["upgrade", "downgrade", "unmap", "frame", "flags", "table", null] as const;
  for (const found of FINDING_CLASSES) {
    for (const change of changes) expect(ruleText(ruleOf(found, change))).toBeDefined();
  }
});
