// SPDX-License-Identifier: Apache-2.0
// The ASID allocator: nothing is wrong with it, each seeded bug is found, and others count alike.

import { describe, expect, test } from "vitest";
import type { Part } from "../bench/models/asid-properties.ts";
import { ALLOCATOR_PARTS } from "../bench/models/asid-properties.ts";
import type { AsidOptions, Bug } from "../bench/models/asid-state.ts";
import { BUGS } from "../bench/models/asid-state.ts";
import { asidCellModel, asidModel } from "../bench/models/asid-tlbs.ts";
import { lower } from "../packages/shootdown/src/engine/lower.ts";
import type { Semantics } from "../packages/shootdown/src/engine/packed.ts";
import { PackedMachine } from "../packages/shootdown/src/engine/packed.ts";
import type { Program, System } from "../packages/shootdown/src/engine/program.ts";
import { compareSemantics } from "../packages/shootdown/src/explore/compare.ts";
import type { Outcome } from "../packages/shootdown/src/explore/search.ts";
import { search } from "../packages/shootdown/src/explore/search.ts";
import type { Engine, Reduction } from "../packages/shootdown/src/explore/tiers.ts";
import { explore, REDUCTIONS } from "../packages/shootdown/src/explore/tiers.ts";
import type { Peer } from "./support/peers.ts";
import { PEERS } from "./support/peers.ts";

const ONE_CPU: AsidOptions = { cpus: 1, mms: 2, asids: 3, rollovers: 2, pages: 1 };
const TWO_CPUS: AsidOptions = { cpus: 2, mms: 2, asids: 4, rollovers: 1, pages: 1 };
const TWICE: AsidOptions = { ...TWO_CPUS, rollovers: 2 };

const THREE_MMS: AsidOptions = { ...TWO_CPUS, mms: 3, pages: 0 };

const LIMITS = { states_max: 1_000_000, bytes_max: 2 ** 30 };
/** Everything that is reachable, or the shortest run to something wrong, and what is wrong then. */
function ask(options: AsidOptions, engine?: Engine, reductions?: readonly Reduction[]) {
  return askOf(asidModel(options), engine, reductions);
}

function askOf(system: System, engine: Engine = "closures", reductions: readonly Reduction[] = []) {
  const program = lower(system);
  const latched = (m: PackedMachine) => program.observers.some((_, n) => m.violated(n));
  const question = { latched, observers: program.observers };
  const how = { semantics: "concrete", limits: LIMITS, engine, reductions } as const;
  const outcome = explore(program, question, how);
  const { observed, exhaustive, states, transitions, depth } = outcome;
  return { observed, exhaustive, states, transitions, depth, violated: atTheEnd(program, outcome) };
}

/** The observers that have been violated when a path ends. */
function atTheEnd(
  program: Program,
  { path }: Outcome,
  semantics: Semantics = "concrete",
): readonly string[] {
  if (!path) return [];
  const machine = new PackedMachine(program, { semantics });
  let state = machine.initial();
  for (const { transition, choices } of path) {
    if (!machine.replay(machine.transitions[transition]!, choices, state))
      throw new Error("astray");
    state = machine.state.slice();
  }
  machine.load(state, 0);
  return program.observers.filter((_, n) => machine.violated(n));
}

/** Sizes at which all is counted: states, transitions. */
const COUNTED: readonly (readonly [AsidOptions, number, number])[] = [
  [ONE_CPU, 1_028, 1_630],
  [{ ...ONE_CPU, pages: 2 }, 2_016, 3_826],
  [{ ...TWO_CPUS, rollovers: 2, pages: 0 }, 110_249, 222_348],
];

test.each(COUNTED)("every state of %o", (options, states, transitions) => {
  const counts = { observed: "never", exhaustive: true, states, transitions };
  const reference = ask(options);
  expect(reference).toMatchObject(counts);
  expect(ask(options, "wasm")).toEqual(reference);
  expect(ask(options, "javascript")).toEqual(reference);
});

test("two pages, compiled, without and with reductions", () => {
  const options = { ...TWICE, pages: 2 };
  const all = ask(options, "wasm");
  const counts = { states: 627_392, transitions: 2_103_692 };
  expect(all).toMatchObject({ observed: "never", exhaustive: true, ...counts });
  const reduced = ask(options, "wasm", REDUCTIONS);
  expect(reduced).toMatchObject({ observed: "never", exhaustive: true });
  expect(reduced.states).toBeLessThanOrEqual(all.states);
});

test("as many ASIDs as CPUs, and none for init_mm, are too few", () => {
  const outcome = ask({ ...TWO_CPUS, mms: 3, asids: 3, pages: 0 });
  expect(outcome).toMatchObject({ observed: "sometimes", violated: ["asids_exhausted"] });
});

/** Each seeded bug: where it is looked for, steps to the shortest run, what is wrong then. */
const FOUND: Readonly<Record<Bug, readonly [AsidOptions, number, readonly string[]]>> = {
  "rollover sets no pending flush": [TWICE, 41, ["foreign_entry", "stale_entry"]],
  "unmap does no TLBI": [TWICE, 12, ["stale_entry"]],
  "TLBI before the PTE is cleared": [TWICE, 15, ["stale_entry"]],
  "ASID read before the PTE is cleared": [TWICE, 14, ["stale_entry"]],
  "no DSB before the TLBI": [TWICE, 14, ["stale_entry"]],
  "first reserved ASID only": [TWICE, 52, ["asid_unprotected"]],
  "reserved ASID not kept": [{ ...TWICE, pages: 0 }, 75, ["asid_unprotected"]],
  "fast path after a rollover": [THREE_MMS, 42, ["asid_unprotected"]],
  "table of the old mm with the ASID of the new": [TWICE, 18, ["foreign_entry"]],
  "old ASID taken though another has it": [THREE_MMS, 40, ["asid_shared"]],
};

test.each(BUGS)("%s", (bug) => {
  const [options, depth, violated] = FOUND[bug];
  const reference = ask({ ...options, bug });
  expect(reference).toMatchObject({ observed: "sometimes", depth, violated });
  const compiled = ask({ ...options, bug }, "wasm");
  expect(compiled).toEqual(reference);
});

/** Each part of what the allocator promises: a bug that it finds alone, after how many steps. */
const PARTS: Readonly<Record<Part, readonly [Bug, AsidOptions, number]>> = {
  "two contexts alike": ["old ASID taken though another has it", THREE_MMS, 40],
  "two mms run with one ASID": ["old ASID taken though another has it", THREE_MMS, 46],
  "another context is kept": ["first reserved ASID only", { ...TWICE, pages: 0 }, 52],
  "another ASID is kept": ["reserved ASID not kept", { ...TWICE, pages: 0 }, 75],
  "its ASID is free": ["fast path after a rollover", THREE_MMS, 42],
  "its generation is over": ["fast path after a rollover", THREE_MMS, 42],
};

test.each(Object.entries(PARTS))("%s: found alone", (part, [bug, options, depth]) => {
  const alone = (of: AsidOptions) => ({
    ...asidModel(of),
    observers: [ALLOCATOR_PARTS[part as Part]],
  });
  const found = askOf(alone({ ...options, bug }), "wasm");
  expect(found).toMatchObject({ observed: "sometimes", depth });
  expect(found.violated).toHaveLength(1);
  // Of what is right no part complains; with three mms that is many states more.
  expect(askOf(alone({ ...options, mms: 2 }), "wasm")).toMatchObject({
    observed: "never",
    exhaustive: true,
  });
});

const compared: readonly AsidOptions[] = [
  { ...TWO_CPUS, rollovers: 0 },
  { ...ONE_CPU, pages: 2 },
  ...BUGS.slice(0, 3).map((bug) => ({ ...ONE_CPU, bug })),
];

test.each(compared)("windows are exact: %o", (options) => {
  const comparison = compareSemantics(lower(asidCellModel(options)), 100_000);
  expect(comparison?.differences).toEqual([]);
});

function windowDepth(options: AsidOptions) {
  const program = lower(asidCellModel(options));
  const machine = new PackedMachine(program, { semantics: "window" });
  const latched = (m: PackedMachine) => program.observers.some((_, n) => m.violated(n));
  const outcome = search(machine, { latched }, LIMITS);
  const { observed, depth } = outcome;
  return { observed, depth, violated: atTheEnd(program, outcome, "window") };
}

test.each([
  ["rollover sets no pending flush", 41],
  ["unmap does no TLBI", 12],
  ["TLBI before the PTE is cleared", 15],
] as const)("in windows: %s", (bug, depth) => {
  const outcome = windowDepth({ ...TWICE, bug });
  expect(outcome).toEqual({ observed: "sometimes", depth, violated: ["stale_entry"] });
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
