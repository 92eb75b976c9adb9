// SPDX-License-Identifier: Apache-2.0
// How fast `shootdown cost` runs a workload: a million made-up operations on the five profiles.
//
//   steps_per_second            program steps that the result stands for, a CPU second
//   executor_steps_per_second   the same with nothing remembered: every operation is run

import { spawnSync } from "node:child_process";
import { join } from "node:path";

const OPERATIONS = 1_000_000;
/** What is run with nothing remembered. */
const FEW = 3000;
const KERNEL = "linux-6.12";

export const COST_BENCHES = ["java", "node", "random", "mprotect", "fork-cow"].map((shape) => ({
  name: `cost/${shape}`,
  shape,
}));

export const isCost = ({ name }) => name.startsWith("cost/");

const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const rounded = (n, digits) => Math.round(n * 10 ** digits) / 10 ** digits;

/** One line: medians of the rounds. */
export function runCost({ name, shape }, { options, dir }) {
  const runs = [];
  for (let n = 0; n < options.rounds; n++) {
    const begin = performance.now();
    const args = [join(dir, "cost.mjs"), shape, OPERATIONS, FEW, KERNEL].map(String);
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
    const wall_seconds = (performance.now() - begin) / 1000;
    runs.push({ ...JSON.parse(stdout), wall_seconds });
  }
  const { operations, steps, ran, known, executor } = runs[0];
  const cpu_seconds = median(runs.map((r) => r.cpu_seconds));
  const alone = median(runs.map((r) => r.executor.cpu_seconds));
  const line = {
    ...{ type: "bench", name, kernel: KERNEL, operations, steps, ran, known },
    cpu_seconds: rounded(cpu_seconds, 3),
    wall_seconds: rounded(median(runs.map((r) => r.wall_seconds)), 3),
    steps_per_second: Math.round(steps / cpu_seconds),
    executor_steps_per_second: Math.round(executor.steps / alone),
    rounds: runs.length,
  };
  return [line];
}

export const costText = (b) =>
  [
    b.name.padEnd(18),
    `${b.operations} operations`.padStart(20),
    `${b.cpu_seconds.toFixed(2)} CPU s`.padStart(12),
    `${b.ran} run, ${b.known} known`.padStart(28),
    `${(b.steps_per_second / 1e6).toFixed(2)} M steps/s`.padStart(18),
    `${(b.executor_steps_per_second / 1e6).toFixed(2)} M with nothing known`.padStart(26),
  ].join(" ");
