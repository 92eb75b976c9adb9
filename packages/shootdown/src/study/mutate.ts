// SPDX-License-Identifier: Apache-2.0
// Mutation: which mutants of a kernel some scenario kills, by a result that comes out otherwise.
//
// A run kills a mutant if the search of the mutated program ends with another result. A mutant
// whose program is equal in every run that calls its routine is `equivalent`: nothing tells it.

import { REDUCTIONS } from "../explore/tiers.ts";
import { machineOf } from "../hardware/machines.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import type { Scenario } from "../litmus/ast.ts";
import { threadsOf } from "../litmus/threads.ts";
import type { World } from "../litmus/world.ts";
import type { CheckOptions, Observation } from "./check.ts";
import { Checker } from "./check.ts";
import type { Configuration } from "./configuration.ts";
import type { Mutant } from "./mutants.ts";

/** One run that can kill. */
export interface KillerRun {
  /** As results name it. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly configuration: Configuration;
}

interface Known {
  readonly name: string;
  readonly checker: Checker;
  readonly configuration: Configuration;
  readonly observed: Observation;
  readonly hashes: string;
  readonly states: number;
  readonly routines: ReadonlySet<string>;
}

export interface MutantResult {
  readonly killed: boolean;
  /** The run that killed it. */
  readonly by: string | null;
  readonly equivalent: boolean;
  /** Runs that use the routine; those of which the program was another. */
  readonly runs: number;
  readonly differing: number;
}

export interface MutateLimits {
  readonly states_max: number;
  readonly bytes_max: number;
}

/** What set-up runs before the programs; see litmus/boot.ts. */
const BOOT: readonly string[] = [
  ...["arm_smmu_device_reset", "arm_smmu_sva_bind", "arm_smmu_attach_commit"],
];

/** The routines that a scenario's programs call, directly or not. */
function reachable(
  scenario: Scenario,
  world: World,
  { kernel, knobs }: Configuration,
): ReadonlySet<string> {
  const found = new Set<string>();
  const bodies = new Map([
    ...machineOf(knobs).definitions.map((d) => [d.name, d] as const),
    ...kernel.routines,
  ]);
  const visit = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === "call") enter(s.callee);
      nested(s).forEach(visit);
    }
  };
  const enter = (name: string): void => {
    if (found.has(name)) return;
    found.add(name);
    visit(bodies.get(name)?.body() ?? []);
  };
  for (const t of threadsOf(scenario, world)) visit(t.body);
  if (world.devices.length > 0) for (const name of BOOT) enter(name);
  return found;
}

/** The runs of a library, each searched once as it is; then mutants against them. */
export class Mutator {
  private readonly known: readonly Known[];
  private readonly options: CheckOptions;

  constructor(runs: readonly KillerRun[], limits: MutateLimits) {
    this.options = {
      ...{ semantics: "window", engine: "auto", reductions: REDUCTIONS, dependsOn: false },
      limits,
    };
    const known = runs.flatMap((run) => this.learn(run));
    // Small ones first: they kill soonest.
    this.known = known.sort((a, b) => a.states - b.states || (a.name < b.name ? -1 : 1));
  }

  private learn({ name, scenario, configuration }: KillerRun): Known[] {
    const checker = new Checker(scenario);
    const verdict = checker.check(configuration, this.options);
    const { observed, states, variants } = verdict;
    if (observed === "inconclusive") return [];
    const routines = reachable(scenario, checker.world, configuration);
    const hashes = variants.map((v) => v.program.hash).join();
    return [{ name, checker, configuration, observed, hashes, states, routines }];
  }

  /** Whether some run calls the routine. */
  uses(routine: string): boolean {
    return this.known.some((k) => k.routines.has(routine));
  }

  judge({ routine, overlay }: Mutant): MutantResult {
    const users = this.known.filter((k) => k.routines.has(routine));
    let differing = 0;
    for (const k of users) {
      const verdict = k.checker.check(k.configuration, { ...this.options, overlay });
      const hashes = verdict.variants.map((v) => v.program.hash).join();
      if (hashes === k.hashes) continue;
      differing++;
      const { observed } = verdict;
      if (observed !== "inconclusive" && observed !== k.observed) {
        return { killed: true, by: k.name, equivalent: false, runs: users.length, differing };
      }
    }
    const equivalent = differing === 0;
    return { killed: false, by: null, equivalent, runs: users.length, differing };
  }
}
