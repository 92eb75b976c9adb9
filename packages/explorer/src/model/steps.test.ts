// SPDX-License-Identifier: Apache-2.0
// Steps come in blocks, few at a time: who scrubs past thousands does not wait for them.

import type { StagedStep } from "shootdown";
import { expect, test } from "vitest";
import { BLOCK_STEPS, Steps } from "./steps.ts";

const LENGTH = 100_000;
const step = (n: number) => ({ n: n + 1 }) as StagedStep;
const blockOf = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, n) => step(from + n));

test("what is seen is asked for once, what has passed by never", async () => {
  const asked: number[] = [];
  let steps: Steps;
  let at = 0;
  const load = async (from: number, to: number) => {
    asked.push(from);
    return blockOf(from, to);
  };
  // Who draws asks again for what is still to be seen.
  steps = new Steps(LENGTH, load, () => void steps.get(at));
  for (at = 0; at < LENGTH; at += 10) steps.get(at);
  at = LENGTH - 1;
  await new Promise((resolve) => setTimeout(resolve, 10));
  expect(steps.get(LENGTH - 1)).toEqual(step(LENGTH - 1));
  expect(asked.length).toBeLessThan(5);
  expect(new Set(asked).size).toBe(asked.length);
  expect(steps.get(-1)).toBeUndefined();
  expect(steps.get(LENGTH)).toBeUndefined();
});

test("what is known is not asked for", () => {
  const fail = () => Promise.reject(new Error("asked"));
  const steps = new Steps(BLOCK_STEPS + 3, fail, () => undefined, blockOf(0, BLOCK_STEPS + 3));
  for (const n of [0, BLOCK_STEPS - 1, BLOCK_STEPS, BLOCK_STEPS + 2]) {
    expect(steps.get(n)).toEqual(step(n));
  }
  steps.around(0, BLOCK_STEPS + 2);
});
