// SPDX-License-Identifier: Apache-2.0
// The same schedule gives the same events, states and enabled steps in both executors.

import fc from "fast-check";
import { describe, test } from "vitest";
import { model } from "../bench/models/shootdown-s.ts";
import { seededRandom } from "../packages/shootdown/src/base/random.ts";
import type { System } from "../packages/shootdown/src/engine/program.ts";
import { runBoth } from "./support/executors.ts";
import { randomSystem } from "./support/random-system.ts";

/** Systems to run in both executors: name, how it is made, how many schedules, of how many steps. */
const SYSTEMS: readonly (readonly [string, (seed: number) => System, number, number])[] = [
  [
    "random systems",
    (seed) => randomSystem(seededRandom(seed)),
    Number(process.env.RUNS ?? 60),
    30,
  ],
  ["model S", () => model({ cpus: 2, upgrade: true }), 2, 25],
];

describe.each(SYSTEMS)("%s", (_name, make, numRuns, steps) => {
  test.each([
    ["of the packed program", true],
    ["lowered for the open executor", false],
  ])("%s", (_form, instances) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        runBoth(make(seed), instances, seededRandom(seed + 1), steps);
      }),
      { numRuns, seed: 7 },
    );
  });
});
