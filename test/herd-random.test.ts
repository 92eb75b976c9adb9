// SPDX-License-Identifier: Apache-2.0
// Random tests of herd against each other: a freer way to decide them, or a weaker program, allows
// no less.

import { expect, test } from "vitest";
import { seededRandom } from "../packages/shootdown/src/base/random.ts";
import { printStates } from "../packages/shootdown/src/litmus/herd/print.ts";
import { readHerdTest } from "../packages/shootdown/src/litmus/herd/read.ts";
import { type DecideOptions, decide } from "../packages/shootdown/src/study/herd.ts";
import { randomHerdTest } from "./support/random-herd.ts";

const TESTS = Number(process.env["SHOOTDOWN_RANDOM_TESTS"] ?? 120);

/** Of each of these ways, the first allows no more than the second. */
const WITHIN: readonly (readonly [string, string])[] = [
  ["strong", "protocol"],
  ["protocol", "arm"],
  ["protocol with ets2", "protocol"],
  ["protocol with ets2", "arm with ets2"],
  ["arm with ets2", "arm"],
];

/** What only forbids; without it nothing is lost. */
const ORDERING = /\b(?:DSB \w+|DMB \w+|ISB|TLBI [\w,]+)/g;

function optionsOf(way: string): DecideOptions {
  const [mode] = way.split(" ");
  return { mode: mode as DecideOptions["mode"], ets2: way.endsWith("ets2") };
}

function statesOf(text: string, way: string): string[] {
  const read = readHerdTest(text);
  if (!read.ok) throw new Error(read.diagnostics[0]!.message);
  const decision = decide(read.test, optionsOf(way));
  if (!decision.ok) throw new Error(decision.reason);
  return printStates(read.test, decision.states);
}

/** Fails with the test if `few` is empty or has what `many` has not. */
function expectWithin(few: readonly string[], many: readonly string[], why: string): void {
  const lost = few.filter((state) => !many.includes(state));
  if (few.length === 0 || lost.length > 0) expect(`${why}\n${lost.join("\n")}`).toBe("");
}

test(`${TESTS} tests: strong within protocol within arm, ets2 within without`, () => {
  for (let seed = 0; seed < TESTS; seed++) {
    const text = randomHerdTest(seededRandom(seed));
    const found = new Map<string, string[]>();
    for (const way of new Set(WITHIN.flat())) found.set(way, statesOf(text, way));
    for (const [few, many] of WITHIN) {
      const why = `seed ${seed}: ${few} within ${many}\n${text}`;
      expectWithin(found.get(few)!, found.get(many)!, why);
    }
  }
});

test(`${TESTS} tests: a barrier or an invalidation less allows no less`, () => {
  let weakened = 0;
  for (let seed = 0; seed < TESTS; seed++) {
    const text = randomHerdTest(seededRandom(seed));
    const way = ["protocol", "arm", "arm with ets2"][seed % 3]!;
    const places = [...text.matchAll(ORDERING)];
    if (places.length === 0) continue;
    const place = places[seed % places.length]!;
    const end = place.index + place[0].length;
    const without = `${text.slice(0, place.index)}NOP${text.slice(end)}`;
    const why = `seed ${seed}: ${way} without ${place[0]}\n${text}`;
    expectWithin(statesOf(text, way), statesOf(without, way), why);
    weakened++;
  }
  expect(weakened).toBeGreaterThan(TESTS / 2);
});
