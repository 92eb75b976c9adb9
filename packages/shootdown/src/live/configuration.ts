// SPDX-License-Identifier: Apache-2.0
// Configurations: a machine, a kernel and knobs, by name, as Result lines and options give them.

import type { Diagnostic } from "../base/diagnostic.ts";
import type { Knob } from "../hardware/machines.ts";
import { KNOBS, machineKnobs, PARTS } from "../hardware/machines.ts";
import type { Kernel } from "../ir/kernel.ts";
import type { KernelName } from "../kernel/kernels.ts";
import { kernelNamed } from "../kernel/kernels.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
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

/** A kernel by its name; or what is wrong with blocks that it is made of. */
export type KernelResolver = (
  name: string,
  architecture: Architecture,
) => KernelName | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Resolves names; the first unknown is the problem. */
export function configure(
  machine: string,
  kernelName: string,
  set: Readonly<Record<string, string>>,
  kernelOf: KernelResolver = kernelNamed,
): ConfigurationResult {
  const fail = (problem: ConfigurationProblem) => ({ ok: false, problem }) as const;
  const parts = machineKnobs(machine);
  if (!parts.ok) {
    const known = [...ARCHITECTURES, ...PARTS.map((p) => p.name)];
    const { unknown: name, why } = parts;
    return fail({ what: "machine", name, known, ...(why === undefined ? {} : { why }) });
  }
  const named = kernelOf(kernelName, architectureOf(parts.knobs));
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
