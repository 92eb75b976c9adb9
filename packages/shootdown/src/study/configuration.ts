// SPDX-License-Identifier: Apache-2.0
// Configurations: a machine, a kernel and knobs, by name, as Result lines and options give them.

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Knob } from "../hardware/machines.ts";
import { KNOBS, machineKnobs, PARTS } from "../hardware/machines.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { Scenario } from "../litmus/ast.ts";
import { kernelOf } from "../litmus/own-kernel.ts";
import { ARCHITECTURES, architectureOf } from "../vocabulary/architecture.ts";

export interface Configuration {
  readonly machine: string;
  readonly kernelName: string;
  readonly kernel: Kernel;
  /** Parts of the machine, and the knobs that were set. */
  readonly knobs: Readonly<Record<string, string>>;
}

export interface ConfigurationProblem {
  /** Which name is wrong; `block`: a `kernel` block of the scenario does not fit. */
  readonly what: "machine" | "kernel" | "knob" | "value" | "block";
  readonly name: string;
  readonly known: readonly string[];
  /** Why a known name does not fit here; absent if the name is not known. */
  readonly why?: string;
  /** Of a block: what is wrong, at its place in the scenario. */
  readonly diagnostics?: readonly Diagnostic[];
}

export type ConfigurationResult =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly problem: ConfigurationProblem };

export const knobNamed = (name: string): Knob | undefined => KNOBS.find((k) => k.name === name);

/** Resolves names, those of a scenario's own kernels too; the first unknown is the problem. */
export function configure(
  machine: string,
  kernelName: string,
  set: Readonly<Record<string, string>>,
  scenario?: Scenario,
): ConfigurationResult {
  const fail = (problem: ConfigurationProblem) => ({ ok: false, problem }) as const;
  const parts = machineKnobs(machine);
  if (!parts.ok) {
    const known = [...ARCHITECTURES, ...PARTS.map((p) => p.name)];
    const { unknown: name, why } = parts;
    return fail({ what: "machine", name, known, ...(why === undefined ? {} : { why }) });
  }
  const named = kernelOf(scenario, kernelName, architectureOf(parts.knobs));
  if (!named.ok) {
    if ("diagnostics" in named) {
      return fail({ what: "block", name: kernelName, known: [], diagnostics: named.diagnostics });
    }
    const { unknown: name, known, why } = named;
    return fail({ what: "kernel", name, known, ...(why === undefined ? {} : { why }) });
  }
  for (const [name, value] of Object.entries(set)) {
    const knob = knobNamed(name);
    if (!knob) return fail({ what: "knob", name, known: KNOBS.map((k) => k.name) });
    if (!knob.values.includes(value)) {
      return fail({ what: "value", name: `${name}=${value}`, known: knob.values });
    }
  }
  const { kernel } = named;
  return {
    ok: true,
    configuration: { machine, kernelName, kernel, knobs: { ...parts.knobs, ...set } },
  };
}
