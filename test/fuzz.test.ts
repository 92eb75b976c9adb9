// SPDX-License-Identifier: Apache-2.0
// A little of `npm run fuzz`: the same damaged recordings each time, and the beginning of floods.
import { expect, test } from "vitest";
import { shippedSamples } from "./support/fuzz/corpus.ts";
import { floods, pour } from "./support/fuzz/floods.ts";
import { fuzz } from "./support/fuzz/fuzz.ts";

const LINES = 8_000;
const FLOOD_BYTES = 200_000;

test("damaged recordings: verdicts are well formed, and damage never conforms", async () => {
  const done = await fuzz({ seed: 1, lines: LINES, samples: shippedSamples() });
  expect(done.failures).toEqual([]);
  expect(Object.keys(done.formats)).toHaveLength(9);
  expect(done.violations).toBeGreaterThan(done.inputs / 3);
});

test("every flood ends, and what is not judged of it is said", async () => {
  for (const flood of floods) {
    const { wrong, status } = await pour(flood, FLOOD_BYTES, false);
    expect([flood.name, wrong]).toEqual([flood.name, []]);
    expect([0, 1, 2, 3]).toContain(status);
  }
});
