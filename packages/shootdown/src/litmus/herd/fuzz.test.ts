// SPDX-License-Identifier: Apache-2.0
// Hostile input: no text makes the reader throw or hang, and every diagnostic points into the text.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { mutations } from "../../../../../test/support/mutations.ts";
import { formatDiagnostic } from "../../base/diagnostic.ts";
import { MAX_DIAGNOSTICS } from "../codes.ts";
import { readHerdTest } from "./read.ts";

const SEED = `AArch64 T+t
"words"
TTHM=P1:HA HD
Variant=vmsa,fatal
{ int64_t x=1; pte_x=(oa:phy_y, valid:0); 0:X1=PTE(x); [z]=y; int *p = &z; 1:X9=label:"P1:L0"; }
 P0           | P1                   | P1.F           ;
 STR X2,[X1]  | L0: LDR W4,[X3,W2,SXTW] | ADR X9,L0   ;
 TLBI VAAE1IS,X9 | CBNZ W4,L0        | MSR ELR_EL1,X9 ; (* so *)
locations [0:X1; x; fault(P0,x);]
exists (0:X2=1 /\\ ~fault(P1:L0,x,MMU:Permission) \\/ not ([PTE(x)]=(oa:PA(x), af:0)))
`;

const PIECES = [
  ...'{}[]();:,~=.#|&*"',
  ..."\n\t\r\0\uFEFF\u2028\uFFFDé",
  ...[
    "(*",
    "*)",
    "/\\",
    "\\/",
    "exists (",
    "locations [",
    "P2 |",
    "pte_",
    "PTE(",
    "label:",
    "fault(",
  ],
  ...["999999999999999999999999", "0x", "\u{1F600}", "\uD800", "AArch64", "TTHM=", "attrs:("],
];

function expectSane(input: Uint8Array | string): void {
  const result = readHerdTest(input, { file: "f" });
  if (result.ok) return;
  expect(result.diagnostics.length).toBeGreaterThan(0);
  expect(result.diagnostics.length).toBeLessThanOrEqual(MAX_DIAGNOSTICS);
  for (const diagnostic of result.diagnostics) {
    const { line, col, offset, end } = diagnostic.span;
    expect(end).toBeGreaterThanOrEqual(offset);
    expect(offset).toBeLessThanOrEqual(result.text.length);
    const before = result.text.slice(0, offset).split("\n");
    expect([line, col]).toEqual([before.length, before.at(-1)!.length + 1]);
    expect(formatDiagnostic(diagnostic, result.text)).toMatch(/^f:\d+:\d+: error: /);
  }
}

test("the seed is read", () => {
  expect(readHerdTest(SEED)).toMatchObject({ ok: true });
});

test("mutated tests", () => {
  fc.assert(fc.property(mutations(SEED, PIECES), expectSane), { numRuns: 3000, seed: 1 });
});

test("cut and spliced tests", () => {
  for (let at = 0; at < SEED.length; at++) {
    expectSane(SEED.slice(0, at));
    expectSane(SEED.slice(0, at) + SEED.slice((at * 7) % SEED.length));
  }
});

test("flipped bytes", () => {
  const bytes = new TextEncoder().encode(SEED);
  for (let at = 0; at < bytes.length; at++) {
    const flipped = bytes.slice();
    flipped[at]! ^= 1 << (at % 8);
    expectSane(flipped);
  }
});

test("long input is read in linear time", () => {
  const start = performance.now();
  for (const piece of [
    "(",
    "{",
    "[",
    "(*",
    "x=1;",
    "P0|",
    "L:",
    "~",
    " ",
    "int ",
    "*",
    "a",
    "0:X0=1 /\\ ",
  ]) {
    expectSane(`${SEED}${piece.repeat(50_000)}`);
    expectSane(`AArch64 T\n{${piece.repeat(50_000)}`);
    expectSane(`AArch64 T\n{${piece.repeat(20_000)}}\nP0;\n${piece.repeat(20_000)};`);
  }
  expect(performance.now() - start).toBeLessThan(20_000);
});
