// SPDX-License-Identifier: Apache-2.0
// The reader of herd's tests on the whole catalogue of Arm's virtual-memory model.

import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../packages/shootdown/src/base/diagnostic.ts";
import type { HerdTest } from "../packages/shootdown/src/litmus/herd/ast.ts";
import { observationOf, verdictOf } from "../packages/shootdown/src/litmus/herd/judge.ts";
import { printState } from "../packages/shootdown/src/litmus/herd/print.ts";
import { readHerdTest } from "../packages/shootdown/src/litmus/herd/read.ts";
import {
  CATALOGUE_ABSENT,
  type CatalogueRow,
  catalogueFile,
  catalogueRows,
} from "./support/herd.ts";
import { parseState } from "./support/herd-states.ts";

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

  test("states are printed as herd7 prints them", () => {
    let count = 0;
    for (const row of catalogueRows()) {
      const herd = read(row);
      for (const text of row.states ?? []) {
        expect(`${row.test} ${printState(herd, parseState(text))}`).toBe(`${row.test} ${text}`);
        count++;
      }
    }
    expect(count).toBeGreaterThan(1500);
  });

  test("observations and verdicts are herd7's", () => {
    for (const row of catalogueRows()) {
      if (row.observation === "timeout") continue;
      const herd = read(row);
      const observation = observationOf(herd, (row.states ?? []).map(parseState));
      const verdict = row.expected === "-" ? "-" : verdictOf(herd, observation);
      const wanted = { observation: row.observation, verdict: row.expected };
      expect({ test: row.test, observation, verdict }).toEqual({ test: row.test, ...wanted });
    }
  });
});
