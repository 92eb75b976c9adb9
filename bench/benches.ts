// SPDX-License-Identifier: Apache-2.0
// The benchmarks by name; bundled by run.mjs and run one at a time:
//
//   node benches.mjs                what there is, as JSON
//   node benches.mjs NAME ENGINE    runs one and prints what it found
//   node benches.mjs NAME c         prints the C of the module that WebAssembly runs

import { compileSteps } from "../packages/shootdown/src/engine/compiled/compile.ts";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import type { Semantics } from "../packages/shootdown/src/engine/packed.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { System } from "../packages/shootdown/src/engine/program.ts";
import type { FastOptions } from "../packages/shootdown/src/explore/fast/explore.ts";
import { exploreFast } from "../packages/shootdown/src/explore/fast/explore.ts";
import { search } from "../packages/shootdown/src/explore/search.ts";
import { writeLimit } from "./limit.ts";
import { cellModel } from "./models/shootdown-cells.ts";
import { model } from "./models/shootdown-s.ts";

type Engine = "wasm" | "javascript" | "reference";

/** What a run found; bytes are those of tables and queues. */
interface Found {
  readonly states: number;
  readonly transitions: number;
  readonly bytes?: number;
}

interface Bench {
  readonly system: () => System;
  readonly semantics: Semantics;
  readonly engines: readonly Engine[];
  /** What the run must find, or its time means nothing. */
  readonly states: number;
  readonly transitions?: number;
  /** Too slow to run unless it is named. */
  readonly slow?: boolean;
  /** How peers are told which model it is. */
  readonly peers?: { readonly cpus: number; readonly upgrade: boolean };
}

const LIMITS = { states_max: 2 ** 31, bytes_max: 2 ** 32 };
/** Where the tables of compiled steps lie. */
const TABLES = 64;
const OBSERVER = "use_after_free";
const FAST: readonly Engine[] = ["wasm", "javascript"];

function concrete(
  cpus: number,
  upgrade: boolean,
  [states, transitions]: readonly [number, number],
  engines: readonly Engine[],
): Bench {
  const slow = states > 1e6;
  return {
    ...{ system: () => model({ cpus, upgrade }), semantics: "concrete", peers: { cpus, upgrade } },
    ...{ engines, states, transitions, slow },
  };
}

const window = (
  cpus: number,
  upgrade: boolean,
  states: number,
  engines: readonly Engine[],
): Bench => ({
  ...{ system: () => cellModel({ cpus, upgrade }), semantics: "window" },
  ...{ engines, states },
});

const benches: Readonly<Record<string, Bench>> = {
  "explore/S": concrete(2, true, [340_856, 2_663_672], [...FAST, "reference"]),
  "explore/M": concrete(3, false, [4_048_822, 40_473_594], FAST),
  "explore/L": concrete(3, true, [28_223_784, 279_811_712], FAST),
  "explore/S-window": window(2, true, 1_491, [...FAST, "reference"]),
  "explore/M-window": window(3, false, 8_121, [...FAST, "reference"]),
  "explore/L-window": window(3, true, 36_243, [...FAST, "reference"]),
  "explore/4-window": window(4, true, 918_117, ["wasm"]),
};

/** A benchmark's machine and steps, and how they are searched. */
function compiled(bench: Bench, target: "wasm" | "javascript") {
  const machine = new PackedMachine(lower(bench.system()), { semantics: bench.semantics });
  const initial = machine.initial();
  const unit = compileSteps(machine, TABLES);
  const latch = machine.layout.latches[machine.program.observers.indexOf(OBSERVER)];
  if (!latch) throw new Error("nobody looks");
  const options: FastOptions = {
    ...LIMITS,
    target,
    latches: [{ word: latch.word, mask: latch.mask << latch.shift }],
    imports: (memory) => ({ ...unit.host(memory) }),
  };
  return { unit, initial, options };
}

function runCompiled(bench: Bench, target: "wasm" | "javascript"): Found {
  const { unit, initial, options } = compiled(bench, target);
  const outcome = exploreFast(unit, initial, options);
  if (outcome.found !== undefined || !outcome.exhaustive)
    throw new Error("not explored to the end");
  return outcome;
}

function runReference(bench: Bench): Found {
  const machine = new PackedMachine(lower(bench.system()), { semantics: bench.semantics });
  const question = { latched: (m: PackedMachine) => m.violated(0) };
  const outcome = search(machine, question, LIMITS);
  if (outcome.observed !== "never") throw new Error(`observed ${outcome.observed}`);
  return outcome;
}

/** What one run took: the whole process, from its start. */
function measure(name: string, engine: Engine, bench: Bench) {
  const found = engine === "reference" ? runReference(bench) : runCompiled(bench, engine);
  const { states, transitions, bytes } = found;
  for (const [what, is, meant] of [
    ["states", states, bench.states],
    ["transitions", transitions, bench.transitions ?? transitions],
  ] as const) {
    if (is !== meant) throw new Error(`${name}: ${is} ${what} instead of ${meant}`);
  }
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpu_seconds = (userCPUTime + systemCPUTime) / 1e6;
  return { states, transitions, bytes: bytes ?? null, cpu_seconds, peak_kb: maxRSS };
}

function main([name, engine]: readonly string[]): unknown {
  if (name === undefined) {
    return Object.entries(benches).map(([name, { engines, states, slow = false, peers }]) => {
      return { name, engines, states, slow, peers: peers ?? null };
    });
  }
  const bench = benches[name];
  if (!bench) throw new Error(`no benchmark ${name}`);
  if (engine === "c") {
    const { unit, initial, options } = compiled(bench, "wasm");
    return writeLimit(unit, initial, options);
  }
  const known = bench.engines.find((e) => e === engine);
  if (!known) throw new Error(`${name} is not run by ${engine}`);
  return measure(name, known, bench);
}

process.stdout.write(`${JSON.stringify(main(process.argv.slice(2)))}\n`);
