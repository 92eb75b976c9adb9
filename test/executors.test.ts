// SPDX-License-Identifier: Apache-2.0
// The same schedule gives the same events, states and enabled steps in both executors.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, test } from "vitest";
import { model } from "../bench/models/shootdown-s.ts";
import { seededRandom } from "../packages/shootdown/src/base/random.ts";
import type { System } from "../packages/shootdown/src/engine/program.ts";
import { KNOBS, machineKnobs } from "../packages/shootdown/src/hardware/machines.ts";
import { kernelNamed } from "../packages/shootdown/src/kernel/kernels.ts";
import { elaborate } from "../packages/shootdown/src/litmus/elaborate.ts";
import { parseScenario } from "../packages/shootdown/src/litmus/parse.ts";
import { worldOf } from "../packages/shootdown/src/litmus/world.ts";
import { runBoth } from "./support/executors.ts";
import { root } from "./support/files.ts";
import { randomSystem } from "./support/random-system.ts";

/** The system of a scenario of the library, knobs at their first values. */
function scenario(name: string, machine: string, kernel: string): () => System {
  return () => {
    const parsed = parseScenario(readFileSync(join(root, "litmus", `${name}.litmus`)));
    const parts = machineKnobs(machine);
    const version = kernelNamed(kernel);
    if (!parsed.ok || !parts.ok || !version.ok) throw new Error(`no ${name} ${machine} ${kernel}`);
    const open = Object.fromEntries(KNOBS.map((k) => [k.name, k.values[0]]));
    const world = worldOf(parsed.scenario);
    return elaborate(parsed.scenario, world, version.kernel, { ...open, ...parts.knobs });
  };
}

const ATS = "arm64+smmuv3+btm+ats";

/** Systems to run in both executors: name, how it is made, schedules, steps of each. */
const SYSTEMS: readonly (readonly [string, (seed: number) => System, number, number])[] = [
  ["random systems", (seed) => randomSystem(seededRandom(seed)), 60, 30],
  ["model S", () => model({ cpus: 2, upgrade: true }), 2, 25],
  ["munmap", scenario("permission-upgrade/unmap-table", ATS, "linux-6.12"), 4, 80],
  ["a page fault", scenario("permission-upgrade/upgrade", "arm64+smmuv3", "linux-6.1"), 4, 80],
  ["fork", scenario("permission-upgrade/fork", ATS, "linux-6.1"), 4, 80],
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
