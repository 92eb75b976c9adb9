// SPDX-License-Identifier: Apache-2.0
// The table of Linux's operations: what it names is there, what it does not name has a reason.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { DEFINITIONS } from "../packages/shootdown/src/kernel/kernels.ts";
import { OPERATIONS } from "../packages/shootdown/src/study/operations.ts";
import { root } from "./support/files.ts";
import { BESIDE, ROWS } from "./support/linux-rows.ts";
import { operationsPage } from "./support/operations-page.ts";

test("there are 47 rows, each once", () => {
  expect(new Set(ROWS.map((r) => r.operation)).size).toBe(47);
});

describe.each(ROWS.map((row, n) => [n + 1, row.operation, row] as const))(
  "row %i: %s",
  (_, __, row) => {
    test("its routines, scenarios and audit rows are there", () => {
      const routines = new Set(DEFINITIONS.map((d) => d.name));
      expect(row.routines.filter((r) => !routines.has(r))).toEqual([]);
      const missing = row.scenarios.filter((s) => !existsSync(join(root, "litmus", `${s}.litmus`)));
      expect(missing).toEqual([]);
      const audited = new Set(OPERATIONS.map((o) => o.name));
      expect(row.audit.filter((a) => !audited.has(a))).toEqual([]);
    });

    test("what has no routines, no scenario or no audit has a reason", () => {
      const whole = [row.routines, row.scenarios, row.audit].every((names) => names.length > 0);
      expect(whole || row.left !== undefined).toBe(true);
    });
  },
);

test("every operation of audits is in a row", () => {
  const named = new Set([...ROWS.flatMap((r) => r.audit), ...BESIDE]);
  expect(OPERATIONS.map((o) => o.name).filter((name) => !named.has(name))).toEqual([]);
});

test("the page is up to date", () => {
  const page = readFileSync(join(root, "docs/OPERATIONS.md"), "utf8");
  expect(page, "npm run operations").toBe(operationsPage());
});
