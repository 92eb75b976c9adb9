// SPDX-License-Identifier: Apache-2.0
// Which runs a mutant of a routine can make a difference to: those that may call it, and those of
// which something hangs on who writes a field.

import { writtenFields } from "../engine/written.ts";
import { machineOf } from "../hardware/machines.ts";
import type { Overlay } from "../ir/kernel.ts";
import type { Definition } from "../ir/machine.ts";
import { nested } from "../ir/steps.ts";
import type { Stmt } from "../ir/stmt.ts";
import { threadsOf } from "../litmus/threads.ts";
import type { World } from "../litmus/world.ts";
import { worldOf } from "../litmus/world.ts";
import type { Configuration } from "./configuration.ts";
import type { KillerRun } from "./mutate.ts";

/** What set-up runs before the programs; see litmus/boot.ts. */
const BOOT: readonly string[] = ["arm_smmu_device_reset", "arm_smmu_sva_bind"];

export type Find = (name: string) => Definition | undefined;

export const finder = ({ kernel, knobs }: Configuration): Find => {
  const machine = new Map(machineOf(knobs).definitions.map((d) => [d.name, d]));
  return (name) => kernel.routines.get(name) ?? machine.get(name);
};

/** The routines that statements call, directly or not. */
export function closureOf(bodies: readonly (readonly Stmt[])[], find: Find): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (stmts: readonly Stmt[]): void => {
    for (const s of stmts) {
      if (s.k === "call" && !found.has(s.callee)) {
        found.add(s.callee);
        visit(find(s.callee)?.body() ?? []);
      }
      nested(s).forEach(visit);
    }
  };
  bodies.forEach(visit);
  return found;
}

/** What set-up runs before the programs, if there are devices. */
export const bootOf = ({ devices }: World): readonly Stmt[] =>
  devices.length === 0 ? [] : BOOT.map((callee) => ({ k: "call", callee, args: [] }));

/** The routines that the programs of a run may call. */
export function routinesOf({ scenario, configuration }: KillerRun): ReadonlySet<string> {
  const world = worldOf(scenario);
  const bodies = [...threadsOf(scenario, world).map((t) => t.body), bootOf(world)];
  return closureOf(bodies, finder(configuration));
}

/** What decides whether a mutant can make a difference. */
export interface Noticing {
  /** The routines of which its programs are made, and which set it up. */
  readonly asked: ReadonlySet<string>;
  /** What may be called counts here, whether or not it is: who writes a field decides much. */
  readonly roots: readonly (readonly Stmt[])[];
  readonly written: string;
}

export const writtenText = (
  roots: readonly (readonly Stmt[])[],
  find: Find,
  version: string,
): string => [...writtenFields(roots, find, version)].sort().join();

/** Whether the program of a run may be another with a routine edited. */
export function mayNotice(
  configuration: Configuration,
  { asked, roots, written }: Noticing,
  routine: string,
  overlay: Overlay,
): boolean {
  if (asked.has(routine)) return true;
  const kernel = overlay(configuration.kernel);
  // What nobody calls may still be the only one who writes a field.
  const find = finder({ ...configuration, kernel });
  return writtenText(roots, find, kernel.version) !== written;
}
