// SPDX-License-Identifier: Apache-2.0
// The matrix of an audit says why an operation need not tell secondary TLBs, unless it had to.

import { expect, test } from "vitest";
import type { PairLine } from "./audit.ts";
import { matrixText } from "./audit.ts";

const line = (a: string, b: string, verdict: PairLine["verdict"], known = false): PairLine => ({
  ...{ type: "pair", a, b, kernel: "k", machine: "m", verdict, property: null, properties: [] },
  ...{ finding: null, known, states: 1, runs: 1, seconds: 0, reason: null },
  ...{ why: null, scenario: null },
});

const operations = [
  { name: "cpu_access", silent: null },
  { name: "upgrade", silent: null },
  { name: "aging", silent: "nobody relies on it" },
];
const printed = (...lines: PairLine[]) =>
  matrixText(operations, lines, 80).includes("nobody relies on it");

test("beside nobody who has found anything", () => {
  expect(printed(line("cpu_access", "aging", "safe"), line("upgrade", "aging", "safe"))).toBe(true);
});

test("where what is found is known and may be the other's", () => {
  const upgrade = line("upgrade", "aging", "violation", true);
  expect(printed(line("cpu_access", "aging", "safe"), upgrade)).toBe(true);
  // Nobody has asked about aging by itself, or at all.
  expect(printed(upgrade)).toBe(false);
  expect(printed(line("cpu_access", "upgrade", "safe"))).toBe(false);
});

test("not where it violates something by itself, nor what nobody knows", () => {
  expect(printed(line("aging", "aging", "violation", true))).toBe(false);
  expect(printed(line("cpu_access", "aging", "violation", true))).toBe(false);
  const unknown = line("upgrade", "aging", "violation");
  expect(printed(line("cpu_access", "aging", "safe"), unknown)).toBe(false);
});
