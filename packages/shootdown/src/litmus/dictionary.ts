// SPDX-License-Identifier: Apache-2.0
// The statements, routines and properties that scenarios may use, as this model has them.

import { ATC_FREEDOMS, CPU_FREEDOMS, SMMU_FREEDOMS } from "../hardware/rules/freedoms.ts";
import { FAILURES, PERMITTED } from "../hardware/rules/known.ts";
import { RULES } from "../hardware/rules/registry.ts";
import type { AnySort } from "../ir/sort.ts";
import { DISCIPLINE } from "../kernel/discipline.ts";
import { DEFINITIONS } from "../kernel/kernels.ts";
import { OBSERVERS } from "../vocabulary/properties.ts";
import { t } from "../vocabulary/sorts.ts";
import type { Scenario } from "./ast.ts";
import { AT_REST } from "./at-rest.ts";
import { fieldSignatures } from "./own-fields.ts";
import type { Dictionary, Param, Signature } from "./words.ts";
import { STANDARD_VERBS } from "./words.ts";

/** What stands for a parameter of this sort in a call; undefined: it cannot be written. */
export function paramOf(sort: AnySort): Param | undefined {
  const params = new Map<AnySort, Param>([
    [t.mm, "mm"],
    [t.va, "va"],
    [t.range, "pages"],
    [t.pfn, "page"],
    // What the file has there at the start.
    [t.pgoff, "page"],
    [t.dev, "device"],
    [t.int, "number"],
    [t.bool, ["yes", "no"]],
  ]);
  return params.get(sort);
}

/** The parameters that a call writes: all but the CPU or agent, which is the caller. */
export function written(params: Readonly<Record<string, AnySort>>): [string, AnySort][] {
  return Object.entries(params).filter(([, sort]) => sort !== t.cpu && sort !== t.agent);
}

/** Every routine whose parameters can all be written. */
function routines(): ReadonlyMap<string, Signature> {
  const found = new Map<string, Signature>();
  for (const d of DEFINITIONS) {
    const params = written(d.params).map(([, sort]) => paramOf(sort));
    if (params.some((p) => p === undefined)) continue;
    found.set(d.name, { params: params as Param[], by: "cpu" });
  }
  return found;
}

/** The routines of `kernel` blocks; null where a parameter cannot be written. */
function own(scenario: Scenario): ReadonlyMap<string, Signature | null> {
  const found = new Map<string, Signature | null>();
  for (const [name, sorts] of ownParams(scenario)) {
    const params = written(sorts).map(([, sort]) => paramOf(sort));
    const writable = params.every((p) => p !== undefined);
    found.set(name, writable ? { params, by: "cpu" } : null);
  }
  return found;
}

/** The parameters of the routines of `kernel` blocks; those of unknown sorts are left out. */
export function ownParams(scenario: Scenario): ReadonlyMap<string, Record<string, AnySort>> {
  const sorts = new Map(Object.values(t).map((s): [string, AnySort] => [s.name, s]));
  const found = new Map<string, Record<string, AnySort>>();
  for (const m of scenario.kernels.flatMap((b) => b.members)) {
    if (m.k !== "routine") continue;
    const params = m.params.map(({ sort, name }) => [name.text, sorts.get(sort.text)] as const);
    if (params.some(([, sort]) => sort === undefined)) continue;
    found.set(m.name.text, Object.fromEntries(params) as Record<string, AnySort>);
  }
  return found;
}

const PROPERTIES: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ...[...OBSERVERS.keys()].map((name) => [name, { params: [] }] as const),
  ...DISCIPLINE.map(({ name }) => [name, { params: [] }] as const),
  ...[...AT_REST.keys()].map((name) => [name, { params: [] }] as const),
  ["stuck", { params: ["device"] }],
  ["never_completes", { params: ["agent"], optional: 1 }],
  ["young", { params: ["place"] }],
  ["dirty", { params: ["place"] }],
]);

/** The language's statements, with the arguments that this model gives a meaning. */
const VERBS: ReadonlyMap<string, Signature> = new Map<string, Signature>([
  ...STANDARD_VERBS,
  ["fork", { params: [], by: "user" }],
]);

export const DICTIONARY: Dictionary = {
  verbs: VERBS,
  routines: routines(),
  own,
  fields: fieldSignatures,
  properties: PROPERTIES,
  labels: {
    Rules: [...RULES.keys()],
    Cells: [...CPU_FREEDOMS, ...SMMU_FREEDOMS, ...ATC_FREEDOMS].map(({ id }) => id),
    Silent: PERMITTED.map(({ id }) => id),
    Bug: FAILURES.map(({ id }) => id),
  },
};
