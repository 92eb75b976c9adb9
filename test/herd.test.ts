// SPDX-License-Identifier: Apache-2.0
// The reader of herd's tests on the whole catalogue of Arm's virtual-memory model.

import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../packages/shootdown/src/base/diagnostic.ts";
import type { HerdTest } from "../packages/shootdown/src/litmus/herd/ast.ts";
import { readHerdTest } from "../packages/shootdown/src/litmus/herd/read.ts";
import {
  CATALOGUE_ABSENT,
  type CatalogueRow,
  catalogueFile,
  catalogueRows,
} from "./support/herd.ts";

const title = CATALOGUE_ABSENT
  ? `herd's catalogue (skipped: ${CATALOGUE_ABSENT})`
  : "herd's catalogue";

function read(row: CatalogueRow): HerdTest {
  const result = readHerdTest(catalogueFile(row), { file: row.file });
  if (result.ok) return result.test;
  throw new Error(result.diagnostics.map((d) => formatDiagnostic(d, result.text)).join("\n"));
}

describe.skipIf(CATALOGUE_ABSENT !== undefined)(title, () => {
  test("every file is read, and nothing in it is foreign", () => {
    const rows = catalogueRows();
    expect(rows.length).toBeGreaterThan(600);
    for (const row of rows) {
      const { name, threads, quantifier, unsupported } = read(row);
      const found = { name, threads: threads.length, quantifier, unsupported };
      const { test: expected, threads: count } = row;
      const wanted = { name: expected, threads: count, quantifier: row.quantifier };
      expect(found).toEqual({ ...wanted, unsupported: undefined });
    }
  });
});
