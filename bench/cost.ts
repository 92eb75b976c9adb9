// SPDX-License-Identifier: Apache-2.0
// Runs a made-up workload on the five profiles and prints how long each took, as one line of JSON:
//
//   node cost.mjs SHAPE OPERATIONS FEW KERNEL
//
// `executor`: FEW operations with nothing remembered, which is how fast the executor itself is.

import { compare } from "../packages/shootdown/src/cost/compare.ts";
import { FIVE } from "../packages/shootdown/src/cost/profiles.ts";
import type { Workload } from "../packages/shootdown/src/cost/workload.ts";
import { openSynthetic } from "../packages/shootdown/src/cost/workloads/synthetic.ts";

const cpuSeconds = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

interface Total {
  cpu_seconds: number;
  operations: number;
  steps: number;
  ran: number;
  known: number;
}

function run(workload: Workload, kernel: string, memory: boolean): Total {
  const begin = cpuSeconds();
  const total = { cpu_seconds: 0, operations: 0, steps: 0, ran: 0, known: 0 };
  for (const side of compare(workload, [kernel], FIVE, { memory })) {
    total.operations += side.operations;
    total.steps += side.counts.steps;
    total.ran += side.ran;
    total.known += side.known;
  }
  return { ...total, cpu_seconds: cpuSeconds() - begin };
}

function workloadOf(name: string): Workload {
  const opened = openSynthetic(name);
  if ("workload" in opened) return opened.workload;
  throw new Error(opened.diagnostics.map((d) => d.message).join("; "));
}

const [shape, ops, few, kernel] = process.argv.slice(2);
const all = run(workloadOf(`synthetic:${shape},ops=${ops}`), kernel!, true);
const honest = run(workloadOf(`synthetic:${shape},ops=${few}`), kernel!, false);
process.stdout.write(`${JSON.stringify({ ...all, executor: honest })}\n`);
