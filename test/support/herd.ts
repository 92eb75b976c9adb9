// SPDX-License-Identifier: Apache-2.0
// Where the catalogue of herd's VMSA tests is: it does not belong to the repository.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A row of `expected.ndjson`. */
export interface CatalogueRow {
  readonly test: string;
  readonly file: string;
  readonly threads: number;
  readonly isa: string;
  readonly features: string;
  readonly quantifier: string;
  readonly expected: string;
  readonly expected_ets2: string;
  readonly observation: string;
  readonly states: readonly string[] | null;
  readonly core: boolean;
  readonly barriered: boolean;
}

const BESIDE = fileURLToPath(new URL("../../../shared/external/herd-vmsa", import.meta.url));

export const CATALOGUE = process.env["SHOOTDOWN_HERD_VMSA"] ?? BESIDE;

/** Why tests of the catalogue cannot run; undefined if they can. */
export const CATALOGUE_ABSENT = existsSync(join(CATALOGUE, "expected.ndjson"))
  ? undefined
  : `no herd catalogue in ${CATALOGUE} (set SHOOTDOWN_HERD_VMSA)`;

export function catalogueRows(): CatalogueRow[] {
  const lines = readFileSync(join(CATALOGUE, "expected.ndjson"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as CatalogueRow);
}

export function catalogueFile(row: CatalogueRow): Uint8Array {
  return readFileSync(join(CATALOGUE, "tests", row.file));
}
