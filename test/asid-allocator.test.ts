// SPDX-License-Identifier: Apache-2.0
// The ASID allocator: nothing is wrong with it, each seeded bug is found, and others count alike.

import { expect, test } from "vitest";
import type { AsidOptions, Bug } from "../bench/models/asid-state.ts";
import { BUGS } from "../bench/models/asid-state.ts";
import { asidCellModel, asidModel } from "../bench/models/asid-tlbs.ts";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import type { Semantics } from "../packages/shootdown/src/engine/packed.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { System } from "../packages/shootdown/src/engine/program.ts";
import { compareSemantics } from "../packages/shootdown/src/explore/compare.ts";
import { search } from "../packages/shootdown/src/explore/search.ts";

const ONE_CPU: AsidOptions = { cpus: 1, mms: 2, asids: 3, rollovers: 2, pages: 1 };
const TWO_CPUS: AsidOptions = { cpus: 2, mms: 2, asids: 4, rollovers: 1, pages: 1 };

function ask(system: System, semantics: Semantics, states_max = 1_000_000) {
  const program = lower(system);
  const machine = new PackedMachine(program, { semantics });
  const latched = (m: PackedMachine) => program.observers.some((_, n) => m.violated(n));
  const outcome = search(machine, { latched }, { states_max, bytes_max: 2 ** 30 });
  let state = machine.initial();
  for (const { transition, choices } of outcome.path ?? []) {
    machine.replay(machine.transitions[transition]!, choices, state);
    state = machine.state.slice();
  }
  machine.load(state, 0);
  const violated = program.observers.filter((_, n) => machine.violated(n));
  return { ...outcome, violated: outcome.path ? violated : [] };
}

test.each([
  [ONE_CPU, 1_028, 1_630],
  [{ ...ONE_CPU, pages: 2 }, 2_016, 3_826],
  [{ ...TWO_CPUS, pages: 0 }, 34_086, 73_272],
])("every state of %o, as Spin and rumur count them", (options, states, transitions) => {
  const outcome = ask(asidModel(options), "concrete");
  expect(outcome).toMatchObject({ observed: "never", exhaustive: true, states, transitions });
});

const SHORT = { ...TWO_CPUS, rollovers: 2 };
/** Each seeded bug: where it is looked for, steps to the shortest run, what is wrong then. */
const FOUND: Readonly<Record<Bug, readonly [AsidOptions, number, readonly string[]]>> = {
  "rollover sets no pending flush": [SHORT, 41, ["foreign_entry", "stale_entry"]],
  "unmap does no TLBI": [SHORT, 12, ["stale_entry"]],
  "TLBI before the PTE is cleared": [SHORT, 15, ["stale_entry"]],
  "ASID read before the PTE is cleared": [SHORT, 14, ["stale_entry"]],
  "no DSB before the TLBI": [SHORT, 14, ["stale_entry"]],
  "first reserved ASID only": [SHORT, 52, ["asid_unprotected"]],
  "reserved ASID not kept": [{ ...SHORT, pages: 0 }, 0, ["asid_unprotected"]],
  "fast path after a rollover": [{ ...TWO_CPUS, mms: 3, pages: 0 }, 0, ["asid_unprotected"]],
  "table of the old mm with the ASID of the new": [SHORT, 18, ["foreign_entry"]],
};

test.each(BUGS)("%s", (bug) => {
  const [options, depth, violated] = FOUND[bug];
  const outcome = ask(asidModel({ ...options, bug }), "concrete");
  expect(outcome).toMatchObject({ observed: "sometimes", depth, violated });
});
