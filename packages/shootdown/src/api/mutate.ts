// SPDX-License-Identifier: Apache-2.0
// Mutation: which routines scenarios use, and which of their mutants are killed, as plain data.

import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import { DEFAULT_BYTES_MAX } from "../explore/search.ts";
import type { MutantLine } from "../report/mutate.ts";
import type { Problem } from "../report/result.ts";
import { AUDIT_KNOBS, operationsOf, pairMachine } from "../study/audit.ts";
import { configure } from "../study/configuration.ts";
import type { Explained } from "../study/explained.ts";
import { readExplained, reasonFor } from "../study/explained.ts";
import type { Mutant } from "../study/mutants.ts";
import { mutantsOf } from "../study/mutants.ts";
import type { KillerRun } from "../study/mutate.ts";
import { Mutator } from "../study/mutate.ts";
import { excluded, pairScenarios } from "../study/pair.ts";
import { parseScenario } from "./check.ts";
import { planRuns } from "./plan.ts";
import { problem, wordsFor } from "./problem.ts";

/** States of one search; a run that has more kills nothing. */
const STATES_MAX = 200_000;

export interface ScenarioText {
  readonly name: string;
  readonly text: string;
}

export interface MutateJob {
  readonly kernel: string;
  readonly routine: string;
  /** The scenarios; a worker that has them needs no more. */
  readonly scenarios: readonly ScenarioText[];
  /** Also pairs of an audit. */
  readonly pairs: boolean;
  readonly states_max?: number;
  readonly explained: readonly Explained[];
  /** What was found out earlier about mutants of this routine: what killed them is tried first. */
  readonly earlier?: readonly MutantLine[];
  /** What is not found out again, if it is about the same statement. */
  readonly done?: readonly MutantLine[];
}

/** The mutants of one routine, one after the other. */
export function mutateRoutine(job: MutateJob, clock: () => number): MutantLine[] {
  const { kernel: kernelName, routine, explained, earlier = [], done = [] } = job;
  const found = configure("arm64", kernelName, {});
  if (!found.ok) throw new Error(wordsFor(found.problem).message);
  const mutants = mutantsOf(found.configuration.kernel, routine);
  const isDone = mutants.map((m) => done.find((l) => isOf(l, m) && l.step === m.step));
  if (isDone.length > 0 && isDone.every((l) => l !== undefined)) return isDone;
  const mutator = mutatorOf(job);
  if (!mutator.uses(routine)) return [];
  return mutants.map((mutant, n) => {
    const known = isDone[n];
    if (known) return known;
    const start = clock();
    const { step, kind, statement } = mutant;
    const named = { routine, kernel: kernelName, step, kind, statement };
    const killer = earlier.find((l) => l.by !== null && isOf(l, mutant))?.by;
    const result = mutator.judge(mutant, killer ?? undefined);
    const survived = !result.killed && !result.equivalent;
    return {
      type: "mutant",
      ...named,
      ...result,
      explained: survived ? reasonFor(explained, named) : null,
      seconds: Math.round((clock() - start) * 1000) / 1000,
    };
  });
}

/** Statements are known by their text: their numbers change as routines grow. */
const isOf = (line: MutantLine, { kind, statement }: Mutant): boolean =>
  line.kind === kind && line.statement === statement;

const mutators = new Map<string, Mutator>();

function mutatorOf({ kernel, scenarios, pairs, states_max: states = STATES_MAX }: MutateJob) {
  const key = JSON.stringify([kernel, states, pairs, scenarios.map((s) => s.name)]);
  let known = mutators.get(key);
  if (!known) {
    const limits = { states_max: states, bytes_max: DEFAULT_BYTES_MAX };
    const runs = [...runsOf(scenarios, kernel), ...(pairs ? pairRuns(kernel) : [])];
    mutators.set(key, (known = new Mutator(runs, limits)));
  }
  return known;
}

/** The runs that Result lines ask for on this kernel, on arm64. */
function runsOf(scenarios: readonly ScenarioText[], kernel: string): KillerRun[] {
  return scenarios.flatMap(({ name, text }): KillerRun[] => {
    const read = parseScenario(text, name);
    if (!read.ok) return [];
    const plan = planRuns(read.scenario, read.text, {});
    if (!plan.ok) return [];
    return plan.runs
      .filter(({ configuration: c }) => c.kernelName === kernel && !c.machine.startsWith("x86"))
      .map(({ configuration: c, set }) => ({
        name: [name, c.machine, ...Object.entries(set).map((s) => s.join("="))].join(" "),
        scenario: read.scenario,
        configuration: { ...c, knobs: { ...AUDIT_KNOBS, ...c.knobs } },
      }));
  });
}

/** Pairs of an audit as runs: each operation beside accesses, and beside itself. */
function pairRuns(kernelName: string): KillerRun[] {
  const found = configure(PAIR_MACHINE, kernelName, AUDIT_KNOBS);
  if (!found.ok) return [];
  const { configuration } = found;
  const machine = pairMachine(configuration);
  const operations = operationsOf(configuration.kernel);
  const accesses = operations.find((o) => o.name === "cpu_access");
  return operations.flatMap((o) =>
    [accesses ?? o, o].flatMap((other) => {
      if (excluded(o, other, machine) !== undefined) return [];
      return pairScenarios(o, other, machine).flatMap(({ text }) => {
        const read = parseScenario(text);
        const name = `audit --show ${o.name} ${other.name} ${PAIR_MACHINE}`;
        return read.ok ? [{ name, scenario: read.scenario, configuration }] : [];
      });
    }),
  );
}

const PAIR_MACHINE = "arm64+smmuv3+ats";

export type MutatePlan =
  | { readonly ok: true; readonly routines: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The routines of a kernel that have statements, or those that are asked for. */
export function planMutation(kernelName: string, only: readonly string[]): MutatePlan {
  const found = configure("arm64", kernelName, {});
  if (!found.ok) {
    const { message, note } = wordsFor(found.problem);
    return { ok: false, problems: [problem(message, { note })] };
  }
  const { routines } = found.configuration.kernel;
  const problems = only
    .filter((name) => !routines.has(name))
    .map((name) => {
      const note = suggestion(name, routines.keys()) ?? "shootdown list routines";
      return problem(`${kernelName} has no routine ${quote(name)}`, { note });
    });
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, routines: only.length > 0 ? only : [...routines.keys()].sort() };
}

/** Survivors that docs/MUTANTS.md explains. */
export function explainedMutants(
  text: string,
  file: string,
): { readonly explained: readonly Explained[]; readonly problems: readonly Problem[] } {
  const read = readExplained(text);
  if (read.ok) return { explained: read.explained, problems: [] };
  return { explained: [], problems: [problem(`line ${read.line}: ${read.message}`, { file })] };
}
