// SPDX-License-Identifier: Apache-2.0
// The benchmarks by name; bundled by run.mjs and run one at a time:
//
//   node benches.mjs                what there is, as JSON
//   node benches.mjs NAME ENGINE    runs one and prints what it found
//   node benches.mjs NAME c         prints the C of the module that WebAssembly runs

import { isMainThread, Worker, workerData } from "node:worker_threads";
import { compileSteps } from "../packages/shootdown/src/engine/compiled/compile.ts";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { Program, System } from "../packages/shootdown/src/engine/program.ts";
import type { FastOptions } from "../packages/shootdown/src/explore/fast/explore.ts";
import { exploreFast } from "../packages/shootdown/src/explore/fast/explore.ts";
import type { HelperStart } from "../packages/shootdown/src/explore/fast/team.ts";
import { help } from "../packages/shootdown/src/explore/fast/team.ts";
import type { Question } from "../packages/shootdown/src/explore/search.ts";
import type { Reduction } from "../packages/shootdown/src/explore/tiers.ts";
import { explore, REDUCTIONS } from "../packages/shootdown/src/explore/tiers.ts";
import { writeLimit } from "./limit.ts";
import type { AsidOptions } from "./models/asid-state.ts";
import { asidCellModel, asidModel } from "./models/asid-tlbs.ts";
import { cellModel } from "./models/shootdown-cells.ts";
import type { ModelOptions } from "./models/shootdown-s.ts";
import { model } from "./models/shootdown-s.ts";

type Engine = "wasm" | "javascript" | "reference";

/** What a run found; bytes are those of tables and queues, as far as they are known. */
interface Found {
  readonly states: number;
  readonly transitions: number;
  readonly bytes?: number;
}

interface Bench {
  readonly engines: readonly Engine[];
  /** Loads what others do not need, before the clock starts. */
  readonly load?: () => Promise<unknown>;
  readonly run: (engine: Engine) => Found | Promise<Found>;
  /** What the run must find, or its time means nothing. */
  readonly states: number;
  /** It may find less. */
  readonly at_most?: boolean;
  readonly transitions?: number;
  /** Too slow to run unless it is named. */
  readonly slow?: boolean;
  /** What is searched as it is; peers do so too. */
  readonly model?: Model;
}

interface Model {
  readonly system: () => System;
  /** Its file in `peers`, without an ending, and the constants of that. */
  readonly file: string;
  readonly constants: Readonly<Record<string, number>>;
}

const LIMITS = { states_max: 2 ** 31, bytes_max: 2 ** 32 };
/** Where the tables of compiled steps lie. */
const TABLES = 64;
const FAST: readonly Engine[] = ["wasm", "javascript"];
const ALL: readonly Engine[] = [...FAST, "reference"];

const shootdown = (options: ModelOptions): Model => ({
  system: () => model(options),
  file: "shootdown",
  constants: { CPUS: options.cpus, UPGRADE: options.upgrade ? 1 : 0 },
});

const asid = (options: AsidOptions): Model => ({
  system: () => asidModel(options),
  file: "asid-allocator",
  constants: {
    ...{ CPUS: options.cpus, MMS: options.mms, ASIDS: options.asids },
    ...{ ROLLOVERS: options.rollovers, PAGES: options.pages, BUG: 0 },
  },
});

/** Every state of the model as it is, and nothing left out. */
function concrete(
  model: Model,
  [states, transitions]: readonly [number, number],
  engines: readonly Engine[],
): Bench {
  const slow = states > 1e6;
  const run = (engine: Engine): Found =>
    engine === "reference" ? runReference(model) : runCompiled(model, engine, 0);
  return { engines, run, states, transitions, slow, model };
}

/** The same with threads that help; what is of interest is the time on the wall. */
function threads(bench: Bench, count: number): Bench {
  const { model, ...rest } = bench;
  return { ...rest, engines: ["wasm"], run: () => runCompiled(model!, "wasm", count - 1) };
}

/** The model with caches closed into windows, and with more reductions. */
function window(
  system: () => System,
  states: number,
  engines: readonly Engine[],
  reductions: readonly Reduction[] = [],
): Bench {
  const run = (engine: Engine): Found => {
    const program = lower(system());
    const found = explore(program, anythingWrong(program), {
      ...{ semantics: "window", limits: LIMITS, reductions },
      engine: engine === "reference" ? "closures" : engine,
    });
    if (found.observed !== "never") throw new Error(`observed ${found.observed}`);
    return found;
  };
  return { engines, run, states, at_most: reductions.includes("collapse") };
}

const anythingWrong = ({ observers }: Program): Question => ({
  latched: (m) => observers.some((_, n) => m.violated(n)),
  observers,
});

const S = { cpus: 2, upgrade: true };
const M = { cpus: 3, upgrade: false };
const L = { cpus: 3, upgrade: true };
const FOUR = { cpus: 4, upgrade: true };
const ASID = { cpus: 2, mms: 2, asids: 4, rollovers: 2, pages: 1 };
const cells = (options: ModelOptions) => () => cellModel(options);

const benches: Readonly<Record<string, Bench>> = {
  "explore/S": concrete(shootdown(S), [340_856, 2_663_672], ALL),
  "explore/M": concrete(shootdown(M), [4_048_822, 40_473_594], FAST),
  "explore/L": concrete(shootdown(L), [28_223_784, 279_811_712], FAST),
  "explore/M-threads": threads(concrete(shootdown(M), [4_048_822, 40_473_594], FAST), 2),
  "explore/L-threads": threads(concrete(shootdown(L), [28_223_784, 279_811_712], FAST), 2),
  "explore/S-window": window(cells(S), 1_491, ALL),
  "explore/M-window": window(cells(M), 8_121, ALL),
  "explore/L-window": window(cells(L), 36_243, ALL),
  "explore/4-window": window(cells(FOUR), 918_117, FAST),
  "explore/S-symmetry": window(cells(S), 382, ALL, ["symmetry"]),
  "explore/M-symmetry": window(cells(M), 723, ALL, ["symmetry"]),
  "explore/L-symmetry": window(cells(L), 3_160, ALL, ["symmetry"]),
  "explore/4-symmetry": window(cells(FOUR), 21_058, FAST, ["symmetry"]),
  "explore/S-reduced": window(cells(S), 382, ALL, REDUCTIONS),
  "explore/M-reduced": window(cells(M), 723, ALL, REDUCTIONS),
  "explore/L-reduced": window(cells(L), 3_160, ALL, REDUCTIONS),
  "explore/4-reduced": window(cells(FOUR), 21_058, FAST, REDUCTIONS),
  "explore/asid": concrete(asid(ASID), [296_356, 835_822], ALL),
  "explore/asid-window": window(() => asidCellModel(ASID), 210_699, ALL),
  "front/upgrade": {
    engines: ["reference"],
    load: () => import("./front.ts"),
    run: async () => (await import("./front.ts")).front(),
    states: 3,
  },
};

/** A benchmark's steps, and how they are searched. */
function compiled({ system }: Model) {
  const machine = new PackedMachine(lower(system()), { semantics: "concrete" });
  const initial = machine.initial();
  const unit = compileSteps(machine, TABLES);
  const { latches } = machine.layout;
  if (latches.length === 0) throw new Error("nobody looks");
  const fast: FastOptions = {
    ...LIMITS,
    target: "wasm",
    latches: latches.map((l) => ({ word: l.word, mask: l.mask << l.shift })),
    imports: (memory) => ({ ...unit.host(memory) }),
  };
  return { unit, initial, fast };
}

function runCompiled(model: Model, target: "wasm" | "javascript", helpers: number): Found {
  const { unit, initial, fast } = compiled(model);
  const helped = helpers > 0 ? { helpers: { count: helpers, spawn } } : {};
  const outcome = exploreFast(unit, initial, { ...fast, target, ...helped });
  if (outcome.found !== undefined || !outcome.exhaustive)
    throw new Error("not explored to the end");
  return outcome;
}

const spawn = (start: HelperStart): void => {
  new Worker(new URL(import.meta.url), { workerData: start });
};

function runReference({ system }: Model): Found {
  const program = lower(system());
  const how = {
    semantics: "concrete",
    limits: LIMITS,
    engine: "closures",
    reductions: [],
  } as const;
  const outcome = explore(program, anythingWrong(program), how);
  if (outcome.observed !== "never") throw new Error(`observed ${outcome.observed}`);
  return outcome;
}

/** What one run took: the whole process, and the run without loading the program. */
async function measure(name: string, engine: Engine, bench: Bench) {
  await bench.load?.();
  const begin = performance.now();
  const { states, transitions, bytes } = await bench.run(engine);
  const run_ms = performance.now() - begin;
  const fewer = bench.at_most && states < bench.states;
  for (const [what, is, meant] of [
    ["states", states, fewer ? states : bench.states],
    ["transitions", transitions, bench.transitions ?? transitions],
  ] as const) {
    if (is !== meant) throw new Error(`${name}: ${is} ${what} instead of ${meant}`);
  }
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const cpu_seconds = (userCPUTime + systemCPUTime) / 1e6;
  return { states, transitions, bytes: bytes ?? null, run_ms, cpu_seconds, peak_kb: maxRSS };
}

async function main([name, engine]: readonly string[]): Promise<unknown> {
  if (name === undefined) {
    return Object.entries(benches).map(([name, b]) => {
      const { engines, states, transitions, slow = false, model } = b;
      return { name, engines, states, transitions, slow, model: model ?? null };
    });
  }
  const bench = benches[name];
  if (!bench) throw new Error(`no benchmark ${name}`);
  if (engine === "c" && bench.model) {
    const { unit, initial, fast } = compiled(bench.model);
    return writeLimit(unit, initial, fast);
  }
  const known = bench.engines.find((e) => e === engine);
  if (!known) throw new Error(`${name} is not run by ${engine}`);
  return measure(name, known, bench);
}

if (isMainThread) process.stdout.write(`${JSON.stringify(await main(process.argv.slice(2)))}\n`);
else help(workerData as HelperStart);
