// SPDX-License-Identifier: Apache-2.0
// Configurations of a scenario, which may have kernels of its own.

import type { Scenario } from "../litmus/ast.ts";
import { kernelOf } from "../litmus/own-kernel.ts";
import type { ConfigurationResult } from "../live/configuration.ts";
import { configure as configureWith } from "../live/configuration.ts";

export type {
  Configuration,
  ConfigurationProblem,
  ConfigurationResult,
} from "../live/configuration.ts";
export { knobNamed } from "../live/configuration.ts";

/** Resolves names, those of a scenario's own kernels too; the first unknown is the problem. */
export const configure = (
  machine: string,
  kernelName: string,
  set: Readonly<Record<string, string>>,
  scenario?: Scenario,
): ConfigurationResult =>
  configureWith(machine, kernelName, set, (name, architecture) =>
    kernelOf(scenario, name, architecture),
  );
