// SPDX-License-Identifier: Apache-2.0
// The benchmarks by name; `node benches.mjs NAME` (bundled by run.mjs) runs one and prints a line.
//
//   explore/S         every state of the concrete model, 2 CPUs, unmap and upgrade
//   explore/S-window  the same with caches closed into windows; M-window, L-window likewise
//   explore/M         3 CPUs, unmap only, concrete: four million states, only when asked for

import { lower } from "../packages/shootdown/src/engine/lower.ts";
import type { Semantics } from "../packages/shootdown/src/engine/packed.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { System } from "../packages/shootdown/src/engine/program.ts";
import { search } from "../packages/shootdown/src/explore/search.ts";
import { cellModel } from "./models/shootdown-cells.ts";
import { model } from "./models/shootdown-s.ts";

interface Bench {
  readonly engine: string;
  /** Too slow to run unless it is named. */
  readonly slow?: boolean;
  /** States that the run must find, or its time means nothing. */
  readonly states: number;
  readonly run: () => number;
}

const LIMITS = { states_max: 2 ** 31, bytes_max: 8 * 2 ** 30 };

/** Explores a correct protocol to the end. */
function explore(system: System, semantics: Semantics): number {
  const machine = new PackedMachine(lower(system), { semantics });
  const outcome = search(machine, { latched: (m) => m.violated(0) }, LIMITS);
  if (outcome.observed !== "never") throw new Error(`observed ${outcome.observed}`);
  return outcome.states;
}

const concrete = (cpus: number, upgrade: boolean, states: number, slow = false): Bench => ({
  engine: "reference",
  slow,
  states,
  run: () => explore(model({ cpus, upgrade }), "concrete"),
});
const window = (cpus: number, upgrade: boolean, states: number): Bench => ({
  engine: "reference",
  states,
  run: () => explore(cellModel({ cpus, upgrade }), "window"),
});

const benches: Readonly<Record<string, Bench>> = {
  "explore/S": concrete(2, true, 340_856),
  "explore/S-window": window(2, true, 1_491),
  "explore/M-window": window(3, false, 8_121),
  "explore/L-window": window(3, true, 36_243),
  "explore/M": concrete(3, false, 4_048_822, true),
};

/** What one run took: the whole process, from its start. */
function measure(name: string, { engine, states, run }: Bench) {
  const found = run();
  if (found !== states) throw new Error(`${name}: ${found} states instead of ${states}`);
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpu_seconds = Math.round((userCPUTime + systemCPUTime) / 1e4) / 100;
  return { name, engine, states: found, cpu_seconds, peak_mb: Math.round(maxRSS / 1024) };
}

const [name] = process.argv.slice(2);
const bench = name === undefined ? undefined : benches[name];
if (name !== undefined && bench) {
  process.stdout.write(`${JSON.stringify(measure(name, bench))}\n`);
} else {
  const names = Object.entries(benches).map(([n, b]) => ({ name: n, slow: b.slow ?? false }));
  process.stdout.write(`${JSON.stringify(names)}\n`);
}
