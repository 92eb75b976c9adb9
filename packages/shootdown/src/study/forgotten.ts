// SPDX-License-Identifier: Apache-2.0
// Calls that tell secondary TLBs, forgotten one at a time: on which machine does anything tell?
//
//   out of band (before 6.6)    mmu_notifier_invalidate_range(), and _end() which calls it
//   in the flush functions      mmu_notifier_arch_invalidate_secondary_tlbs()

import { inVersions } from "../ir/kernel.ts";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { parseScenario } from "../litmus/parse.ts";
import { AUDIT_KNOBS, operationsOf, pairMachine } from "./audit.ts";
import type { Configuration } from "./configuration.ts";
import type { Mutant } from "./mutants.ts";
import { mutantsOf } from "./mutants.ts";
import type { KillerRun, MutateLimits } from "./mutate.ts";
import { Mutator } from "./mutate.ts";
import { excluded, pairScenarios } from "./pair.ts";

/** Machines, and what has to be added to a kernel so that it uses them. */
export const FORGOTTEN_MACHINES: readonly { readonly machine: string; readonly add: string }[] = [
  { machine: "arm64+smmuv3", add: "" },
  { machine: "arm64+smmuv3+ats", add: "" },
  { machine: "arm64+smmuv3+btm", add: "+btm-on" },
  { machine: "arm64+smmuv3+btm+ats", add: "+btm-on" },
];

export interface Forgotten {
  /** `routine:step`. */
  readonly place: string;
  readonly statement: string;
  /** The pair of operations that tells; null: silent, or no pair gets there. */
  readonly by: string | null;
  readonly reached: boolean;
}

const OUT_OF_BAND = /^mmu_notifier_invalidate_range(_end)?\(/;
const IN_THE_FLUSH = /^mmu_notifier_arch_invalidate_secondary_tlbs\(/;

/** The calls of a kernel that tell secondary TLBs, each left out. */
export function notifierCalls({ kernel }: Configuration): readonly Mutant[] {
  const call = inVersions("..6.6", kernel.version) ? OUT_OF_BAND : IN_THE_FLUSH;
  return [...kernel.routines.keys()]
    .filter((name) => !name.startsWith("mmu_notifier_"))
    .flatMap((name) => mutantsOf(kernel, name))
    .filter((m) => m.kind === "drop" && call.test(m.statement));
}

/** What each operation beside accesses of CPU and device makes of each omission. */
export function forgotten(configuration: Configuration, limits: MutateLimits): Forgotten[] {
  const mutator = new Mutator(runsOf(configuration), limits);
  return notifierCalls(configuration).map((mutant) => {
    const { by, reached } = mutator.judge(mutant);
    const { routine, step, statement } = mutant;
    return { place: `${routine}:${step}`, statement, by, reached: by !== null || reached };
  });
}

function runsOf(configuration: Configuration): KillerRun[] {
  const machine = pairMachine(configuration);
  const knobs = { ...AUDIT_KNOBS, ...configuration.knobs };
  const operations = operationsOf(configuration.kernel);
  const accesses = operations.find((o) => o.name === "cpu_access")!;
  return operations.flatMap((o) => {
    if (o === accesses || excluded(o, accesses, machine) !== undefined) return [];
    const own = pairScenarios(o, accesses, machine).filter(
      ({ placement, start }) => placement === "shared" && start === o.name,
    );
    return own.flatMap(({ text }) => {
      const read = parseScenario(text, { dictionary: DICTIONARY });
      const run = { name: o.name, configuration: { ...configuration, knobs } };
      return read.ok ? [{ ...run, scenario: read.scenario }] : [];
    });
  });
}
