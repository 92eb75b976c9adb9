// SPDX-License-Identifier: Apache-2.0
// The ASID allocator: nothing is wrong with it, each seeded bug is found, and others count alike.

import { describe, expect, test } from "vitest";
import type { AsidOptions, Bug } from "../bench/models/asid-state.ts";
import { BUGS } from "../bench/models/asid-state.ts";
import { asidCellModel, asidModel } from "../bench/models/asid-tlbs.ts";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import type { Semantics } from "../packages/shootdown/src/engine/packed.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { System } from "../packages/shootdown/src/engine/program.ts";
import { compareSemantics } from "../packages/shootdown/src/explore/compare.ts";
import { search } from "../packages/shootdown/src/explore/search.ts";
import type { Peer } from "./support/peers.ts";
import { PEERS } from "./support/peers.ts";

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

/** Sizes at which all is counted: states, transitions. */
const COUNTED: readonly (readonly [AsidOptions, number, number])[] = [
  [ONE_CPU, 1_028, 1_630],
  [{ ...ONE_CPU, pages: 2 }, 2_016, 3_826],
  [{ ...TWO_CPUS, pages: 0 }, 56_435, 113_316],
];

test.each(COUNTED)("every state of %o", (options, states, transitions) => {
  const outcome = ask(asidModel(options), "concrete");
  expect(outcome).toMatchObject({ observed: "never", exhaustive: true, states, transitions });
});

test("as many ASIDs as CPUs, and none for init_mm, are too few", () => {
  const outcome = ask(asidModel({ ...TWO_CPUS, mms: 3, asids: 3, pages: 0 }), "concrete");
  expect(outcome).toMatchObject({ observed: "sometimes", violated: ["asids_exhausted"] });
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
  "reserved ASID not kept": [{ ...SHORT, pages: 0 }, 75, ["asid_unprotected"]],
  "fast path after a rollover": [{ ...TWO_CPUS, mms: 3, pages: 0 }, 42, ["asid_unprotected"]],
  "table of the old mm with the ASID of the new": [SHORT, 18, ["foreign_entry"]],
};

test.each(BUGS)("%s", (bug) => {
  const [options, depth, violated] = FOUND[bug];
  const outcome = ask(asidModel({ ...options, bug }), "concrete");
  expect(outcome).toMatchObject({ observed: "sometimes", depth, violated });
});

const compared: readonly AsidOptions[] = [
  { ...TWO_CPUS, rollovers: 0 },
  { ...ONE_CPU, pages: 2 },
  ...BUGS.map((bug) => ({ ...ONE_CPU, bug })),
];

test.each(compared)("windows are exact: %o", (options) => {
  const comparison = compareSemantics(lower(asidCellModel(options)), 100_000);
  expect(comparison?.differences).toEqual([]);
});

test.each([
  ["rollover sets no pending flush", 41],
  ["unmap does no TLBI", 12],
  ["TLBI before the PTE is cleared", 15],
] as const)("in windows: %s", (bug, depth) => {
  const outcome = ask(asidCellModel({ ...SHORT, bug }), "window");
  expect(outcome).toMatchObject({ observed: "sometimes", depth, violated: ["stale_entry"] });
});

/** The constants of the models in bench/peers. */
const constantsOf = ({ cpus, mms, asids, rollovers, pages, bug }: AsidOptions) => ({
  ...{ CPUS: cpus, MMS: mms, ASIDS: asids, ROLLOVERS: rollovers, PAGES: pages },
  BUG: bug ? BUGS.indexOf(bug) + 1 : 0,
});

const title = (p: Peer) => (p.installed ? p.name : `${p.name} is not installed`);

for (const peer of PEERS) {
  describe.skipIf(!peer.installed)(title(peer), () => {
    test.each(COUNTED.slice(1))("counts alike: %o", (options, states, transitions) => {
      const result = peer.check("asid-allocator", constantsOf(options));
      expect(result).toEqual({ error: false, states, transitions });
    });

    test.each(BUGS.slice(0, 3))("finds: %s", (bug) => {
      const result = peer.check("asid-allocator", constantsOf({ ...ONE_CPU, bug }));
      expect(result.error).toBe(true);
    });
  });
}
