// SPDX-License-Identifier: Apache-2.0
// Cost: a workload with several kernels on several machines.

import type { Diagnostic } from "../base/diagnostic.ts";
import { quote } from "../base/diagnostic.ts";
import { suggestion } from "../base/suggest.ts";
import { compare, type Placement, type SideOptions, unfitKernel } from "../cost/compare.ts";
import type { Profile } from "../cost/profile.ts";
import { readProfile } from "../cost/profile-json.ts";
import { FIVE, PROFILES, profileNamed } from "../cost/profiles.ts";
import { readSetting, type Setting, unfitting, withSettings } from "../cost/setting.ts";
import { readSweep, type Sweep, swept } from "../cost/sweep.ts";
import type { Workload } from "../cost/workload.ts";
import type { ReadOptions } from "../cost/workloads/input.ts";
import { openWorkload } from "../cost/workloads/open.ts";
import type { Problem } from "../report/result.ts";
import type { ByteSource } from "../trace/importers/bytes.ts";
import { selectionProblems } from "./plan.ts";
import { problem, problemAt } from "./problem.ts";

/** Placements that are compared if none is named: of 2022, with its mistake, mended, and now. */
export const COST_KERNELS: readonly string[] = [
  "linux-6.1",
  "linux-6.6",
  "linux-6.12",
  "linux-6.19",
];

export type WorkloadOpened =
  | { readonly ok: true; readonly workload: Workload }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a workload: a file of a known format, or `synthetic:...`, which reads no `chunks`. */
export async function readWorkload(
  name: string,
  chunks: ByteSource,
  options: ReadOptions = {},
): Promise<WorkloadOpened> {
  const read = await openWorkload(name, chunks, options);
  if ("workload" in read) return { ok: true, workload: read.workload };
  return { ok: false, problems: read.diagnostics.map((d) => problemAt(d, d.source)) };
}

export interface CostSelection {
  readonly kernels?: readonly string[];
  /** Names, or profiles of one's own that were read. */
  readonly profiles?: readonly (string | Profile)[];
  /** `QUANTITY=LOW..HIGH` */
  readonly sweeps?: readonly string[];
  /** `FEATURE=VALUE` */
  readonly settings?: readonly string[];
}

export type CostPlan =
  | {
      readonly ok: true;
      readonly kernels: readonly string[];
      readonly profiles: readonly Profile[];
    }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What is to be compared, with every mistake in the names. */
export function planCost(selection: CostSelection): CostPlan {
  const { kernels = [], profiles = [], sweeps = [], settings = [] } = selection;
  const problems: Problem[] = [...selectionProblems({ kernels })];
  const found: Profile[] = [];
  for (const given of profiles) {
    const profile = typeof given === "string" ? profileNamed(given) : given;
    if (profile !== undefined) found.push(profile);
    else problems.push(unknownProfile(given as string));
  }
  const read: Sweep[] = [];
  for (const text of sweeps) {
    const sweep = readSweep(text);
    if ("quantity" in sweep) read.push(sweep);
    else problems.push(problemAt(sweep, text));
  }
  const chosen = found.length > 0 ? found : FIVE;
  const set: Setting[] = [];
  for (const text of settings) {
    const setting = readSetting(text);
    const wrong = "feature" in setting ? unfitting(text, setting, chosen) : setting;
    if (wrong !== undefined) problems.push(problemAt(wrong, text));
    else set.push(setting as Setting);
  }
  if (problems.length > 0) return { ok: false, problems };
  for (const { quantity } of read) {
    if (chosen.some((p) => p.quantities[quantity] !== undefined)) continue;
    problems.push(problem(`--sweep ${quote(quantity)}: none of the profiles has this quantity`));
  }
  for (const kernel of problems.length > 0 ? [] : kernels) {
    for (const profile of chosen) {
      const why = unfitKernel(kernel, profile);
      if (why === undefined) continue;
      problems.push(problem(`--kernel ${quote(kernel)} on ${profile.name}: ${why}`));
    }
  }
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    kernels: kernels.length > 0 ? kernels : COST_KERNELS,
    profiles: chosen.map((p) => withSettings(swept(p, read), set)),
  };
}

function unknownProfile(name: string): Problem {
  const names = PROFILES.map((p) => p.name);
  const note = suggestion(name, names) ?? `known are ${names.join(", ")}, and files of one's own`;
  return problem(`--profile ${quote(name)}: unknown profile`, { note });
}

export type ProfileOpened =
  | { readonly ok: true; readonly profile: Profile }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** A profile of one's own, in JSON. */
export function openProfile(text: string, file: string): ProfileOpened {
  const read = readProfile(text, file);
  if (read.ok) return read;
  return { ok: false, problems: read.diagnostics.map((d: Diagnostic) => problemAt(d, text)) };
}

/** Kernels in their order on each profile in its order; a workload may be gone through often. */
export function costOf(
  workload: Workload,
  plan: CostPlan & { readonly ok: true },
  options: SideOptions = {},
): Generator<Placement, void, undefined> {
  return compare(workload, plan.kernels, plan.profiles, options);
}
