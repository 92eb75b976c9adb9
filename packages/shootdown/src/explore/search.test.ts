// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import { cellModel } from "../../../../bench/models/shootdown-cells.ts";
import { model } from "../../../../bench/models/shootdown-s.ts";
import { lower } from "../engine/lower.ts";
import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import type { System } from "../engine/program.ts";
import { eq, FALSE, field, ne, not, num, outstanding, place, TRUE } from "../ir/expr.ts";
import type { Machine } from "../ir/machine.ts";
import { cell, event, observer, on, pending, rule } from "../ir/machine.ts";
import { bool, int } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import type { Outcome, Progress, Question } from "./search.ts";
import { search } from "./search.ts";
import { explore } from "./tiers.ts";

const LIMITS = { states_max: 1_000_000, bytes_max: 2 ** 30 };
const source = { file: "toy" };
const a = field("a", [], int);
const b = field("b", [], int);
const open = field("open", [], bool);
const x = place<"int">({ k: "local", name: "x", sort: int });
const used = event("used", { n: int });
const bad = observer(
  "bad",
  "",
  on(used, ({ n }) => [s.when(eq(n, num(2)), s.violate("bad"))]),
);

const cache = cell("cache", {
  keys: {},
  value: int,
  locals: { e: int },
  fill: ({ e }) => [s.set(e, a()), s.yields(e)],
  source,
});
const drops = pending("drops", {
  keys: {},
  entry: {},
  capacity: "N",
  effect: () => [s.clear(cache({}))],
  source,
});

function system(threads: readonly (readonly Stmt[])[], machine: Partial<Machine> = {}): System {
  return {
    machine: { cells: [cache.decl], pending: [drops.decl], rules: [], definitions: [], ...machine },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: { int: 4 }, names: {}, limits: { N: 1 } },
    knobs: {},
    threads: threads.map((body, n) => ({ name: `T${n}`, locals: { x: int }, body })),
    observers: [bad],
    initial: [],
    entries: [],
  };
}

const violated: Question = { latched: (m) => m.violated(0) };
const endsWith = (value: number): Question => ({ final: (m) => m.field("b", []) === value });

function ask(
  sys: System,
  question: Question,
  semantics: Semantics = "concrete",
  limits = LIMITS,
): Outcome & { readonly machine: PackedMachine } {
  const machine = new PackedMachine(lower(sys), { semantics });
  return { ...search(machine, question, limits), machine };
}

/** Replays a path; the machine's scratch state is its end. */
function follow(machine: PackedMachine, path: Outcome["path"]): void {
  let state = machine.initial();
  machine.load(state, 0);
  for (const step of path ?? []) {
    const t = machine.transitions[step.transition]!;
    expect(machine.replay(t, step.choices, state)).toBe(true);
    state = machine.state.slice();
  }
  machine.load(state, 0);
}

/** Keeps `b` in the program, so that final conditions can ask for it. */
const keepB = s.await_(ne(b(), num(3)));
const store = (n: number) => s.set(b(), num(n));

test("model S without upgrades has the number of states that other tools count", () => {
  const outcome = ask(model({ cpus: 2, upgrade: false }), violated);
  expect(outcome).toMatchObject({
    observed: "never",
    exhaustive: true,
    states: 141_917,
    transitions: 1_169_576,
    depth: 30,
  });
});

test.each([
  [{ cpus: 2, upgrade: false }, 530, "never", 28],
  [{ cpus: 2, upgrade: true }, 1_491, "never", 36],
  [{ cpus: 3, upgrade: false }, 8_121, "never", 33],
  [{ cpus: 2, upgrade: true, bug: 1 as const }, undefined, "sometimes", 15],
  [{ cpus: 2, upgrade: true, bug: 2 as const }, undefined, "sometimes", 10],
])("windows of %o", (options, states, observed, depth) => {
  const outcome = ask(cellModel(options), violated, "window");
  expect(outcome).toMatchObject({ observed, depth, exhaustive: true });
  if (states !== undefined) expect(outcome.states).toBe(states);
});

test("never, sometimes and always, for conditions on final states", () => {
  const either = system([[s.either([store(1)], [store(2)]), keepB]]);
  expect(ask(either, endsWith(0))).toMatchObject({ observed: "never", exhaustive: true });
  expect(ask(either, endsWith(2))).toMatchObject({ observed: "sometimes", exhaustive: true });
  const both = system([[s.either([store(1), store(2)], [store(2)]), keepB]]);
  expect(ask(both, endsWith(2))).toMatchObject({ observed: "always", exhaustive: true });
});

test("never, sometimes and always, for latched violations", () => {
  const use = (n: number) => s.emit(used, { n: num(n) });
  const one = (n: number) => system([[s.set(a(), num(1)), use(n), s.await_(eq(a(), num(1)))]]);
  expect(ask(one(1), violated).observed).toBe("never");
  expect(ask(one(2), violated)).toMatchObject({ observed: "always", depth: 1 });
  const some = system([[s.either([use(2)], [use(1)])]]);
  expect(ask(some, violated)).toMatchObject({ observed: "sometimes", depth: 1 });
});

test("a run that is stuck for want of its turn is maximal too", () => {
  const waits = system([
    [store(1), s.await_(eq(a(), num(1))), s.set(a(), num(1)), store(2), keepB],
  ]);
  expect(ask(waits, endsWith(2)).observed).toBe("never");
  expect(ask(waits, endsWith(1)).observed).toBe("always");
});

test("the witness is shortest, can be replayed, and free steps cost nothing", () => {
  const long = [s.set(a(), num(1)), s.set(a(), num(3)), s.set(a(), num(2))];
  const threads = [
    [...long, s.await_(ne(b(), num(1)))],
    [s.await_(eq(a(), num(2))), s.pick(x, cache({})), s.emit(used, { n: x })],
  ];
  for (const semantics of ["concrete", "window"] as const) {
    const outcome = ask(system(threads), violated, semantics);
    expect(outcome).toMatchObject({ observed: "sometimes", depth: 5 });
    const kinds = outcome.path!.map((p) => outcome.machine.transitions[p.transition]!.kind);
    expect(kinds.filter((k) => k === "thread")).toHaveLength(5);
    expect(kinds.filter((k) => k !== "thread")).toEqual(semantics === "concrete" ? ["fill"] : []);
    follow(outcome.machine, outcome.path);
    expect(outcome.machine.violated(0)).toBe(true);
  }
});

test("a condition that a fill makes true costs no more than the fill", () => {
  const threads = [[s.set(a(), num(2)), s.set(a(), num(3)), s.pick(x, cache({})), s.set(a(), x)]];
  // Also true after the next step of the thread, which is tried before the fill.
  const latched = (m: PackedMachine) => m.field("a", []) === 3 || m.contents(0, 0).includes(2);
  const depths = (["concrete", "window"] as const).map(
    (semantics) => ask(system(threads), { latched }, semantics).depth,
  );
  expect(depths).toEqual([1, 1]);
});

test("limits make the answer inconclusive, or leave a witness standing", () => {
  const sys = model({ cpus: 2, upgrade: false });
  const few = ask(sys, violated, "concrete", { ...LIMITS, states_max: 1000 });
  expect(few).toMatchObject({
    observed: "inconclusive",
    exhaustive: false,
    limit: "--max-states 1000",
  });
  expect(few.states).toBeLessThan(1100);
  const small = ask(sys, violated, "concrete", { ...LIMITS, bytes_max: 100_000 });
  expect(small).toMatchObject({ observed: "inconclusive", limit: "--max-memory 100000" });
  const bug = ask(cellModel({ cpus: 2, upgrade: true, bug: 2 }), violated, "window", {
    ...LIMITS,
    states_max: 300,
  });
  expect(bug.observed).toBe("sometimes");
});

test("progress is told, and may stop the search", () => {
  const told: Progress[] = [];
  const machine = new PackedMachine(lower(cellModel({ cpus: 2, upgrade: true })), {
    semantics: "window",
  });
  search(machine, violated, LIMITS, (p) => told.push(p));
  expect(told.length).toBeGreaterThan(0);
  // An arena of 128 states, and a table of twice as many numbers.
  const bytes = 4 * 128 * (machine.words + 2);
  expect(told[0]).toEqual({ states: 5, transitions: 4, depth: 0, queue: 5, bytes });
  const stop = () => {
    throw new Error("stopped");
  };
  expect(() => search(machine, violated, LIMITS, stop)).toThrow("stopped");
});

test("the same question has the same answer, witness and numbers", () => {
  const make = () => {
    const { machine: _, ...outcome } = ask(
      cellModel({ cpus: 2, upgrade: true, bug: 1 }),
      violated,
      "window",
    );
    return outcome;
  };
  expect(make()).toEqual(make());
});

/** What a retry loop finds in its cell: 0 denies. */
const retryLoop = (permitted = TRUE): Stmt[] => [
  s.loop(s.retry(permitted), s.lookup(x, cache({})), s.when(ne(x, num(0)), s.leave())),
  s.emit(used, { n: x }),
];
const allow = s.set(a(), num(1));
const stuck: Question = { stuck: 0 };

test("a denying entry that nothing drops lets a thread retry for ever", () => {
  for (const semantics of ["concrete", "window"] as const) {
    const outcome = ask(system([retryLoop(eq(a(), num(1))), [allow]]), stuck, semantics);
    expect(outcome).toMatchObject({ observed: "sometimes", exhaustive: true });
    const { machine, path, cycle } = outcome;
    follow(machine, path);
    const state = machine.state.slice();
    expect(machine.retrying(0)).toBe(true);
    // The cycle leads back to where it began.
    let at = state;
    for (const step of cycle!) {
      expect(machine.replay(machine.transitions[step.transition]!, step.choices, at)).toBe(true);
      at = machine.state.slice();
    }
    expect([...at]).toEqual([...state]);
  }
});

test("without the denying entry it is not stuck, it waits for one", () => {
  const never = cell("cache", { keys: {}, value: int, source });
  const loop = [
    s.loop(s.retry(TRUE), s.pick(x, never({})), s.when(ne(x, num(0)), s.leave())),
    s.emit(used, { n: x }),
  ];
  const sys = system([loop, [s.insert(never({}), num(1))]], { cells: [never.decl] });
  expect(ask(sys, stuck)).toMatchObject({ observed: "never", exhaustive: true });
  const denied = system([loop, [s.insert(never({}), num(0))]], { cells: [never.decl] });
  expect(ask(denied, stuck)).toMatchObject({ observed: "sometimes" });
});

test("a loop that is not permitted to go on is not stuck, it waits", () => {
  const outcome = ask(system([retryLoop(eq(a(), num(1))), [s.await_(FALSE), allow]]), stuck);
  expect(outcome.observed).toBe("never");
});

test("an outstanding entry may still help, so nothing is stuck before it lands", () => {
  const drop = s.post(drops({}), {});
  const fence = s.await_(not(outstanding(drops({}))));
  for (const semantics of ["concrete", "window"] as const) {
    const helped = system([retryLoop(eq(a(), num(1))), [allow, drop, fence]]);
    expect(ask(helped, stuck, semantics).observed).toBe("never");
    // Dropped before the permission is given, the entry comes back.
    const early = system([retryLoop(eq(a(), num(1))), [drop, fence, allow]]);
    expect(ask(early, stuck, semantics).observed).toBe("sometimes");
  }
});

test("another thread that can move may still help; one that waits cannot", () => {
  const clears = s.clear(cache({}));
  const helper = system([retryLoop(eq(a(), num(1))), [allow, clears]]);
  expect(ask(helper, stuck, "window").observed).toBe("never");
  const waiting = system([retryLoop(eq(a(), num(1))), [allow, s.await_(open()), clears], []]);
  expect(ask(waiting, stuck, "window").observed).toBe("sometimes");
});

test("looking for a cycle does not disturb the choices being tried", () => {
  // Each choice leads to a state about to retry, from which the thread moves on.
  const body = [s.choose(x, int), s.retry(TRUE), s.set(a(), x), s.await_(ne(a(), num(3)))];
  const seen = new Set<number | undefined>();
  const machine = new PackedMachine(lower(system([body])), { semantics: "window" });
  const latched = (m: PackedMachine) => {
    seen.add(m.field("a", []));
    return false;
  };
  search(machine, { latched, stuck: 0 }, LIMITS);
  expect([...seen].sort()).toEqual([0, 1, 2, 3]);
});

const engines = ["closures", "javascript", "wasm"] as const;

test("what a free step brings into a level makes no further level", () => {
  // A rule does at the cost of a step what the fill does without.
  const acts = rule("acts", {
    forall: {},
    when: () => eq(a(), num(0)),
    body: () => [s.insert(cache({}), num(0))],
    source,
  });
  const body = [s.await_(eq(a(), num(1))), s.pick(x, cache({})), s.set(a(), x)];
  const program = lower(system([body], { rules: [acts] }));
  for (const engine of engines) {
    const outcome = explore(program, violated, { semantics: "concrete", limits: LIMITS, engine });
    expect(outcome).toMatchObject({ observed: "never", states: 2, depth: 0 });
  }
});

test("a run does not end where hardware must still do something", () => {
  const first = [s.set(b(), num(1))];
  const rules = (fair: boolean, to: number) =>
    rule("acts", {
      forall: {},
      when: () => eq(b(), num(1)),
      body: () => [s.set(b(), num(to))],
      fair,
      source,
    });
  const observed = (fair: boolean, to: number, value: number) => {
    const program = lower({
      ...system([first], { rules: [rules(fair, to)] }),
      watched: [b.decl],
    });
    const found = engines.map((engine) => {
      const how = { semantics: "concrete", limits: LIMITS, engine } as const;
      return explore(program, endsWith(value), how).observed;
    });
    expect(new Set(found).size).toBe(1);
    return found[0];
  };
  expect(observed(true, 2, 1)).toBe("never");
  expect(observed(true, 2, 2)).toBe("always");
  expect(observed(false, 2, 1)).toBe("sometimes");
  expect(observed(false, 2, 2)).toBe("sometimes");
  // What changes nothing is not waited for.
  expect(observed(true, 1, 1)).not.toBe("never");
});

test("memory counts from the first state", () => {
  const program = lower(system([[s.set(a(), num(1)), s.set(a(), num(2))]]));
  for (const engine of [...engines, "auto"] as const) {
    const limits = { ...LIMITS, bytes_max: 10 };
    const outcome = explore(program, violated, { semantics: "window", limits, engine });
    expect(outcome).toMatchObject({
      ...{ observed: "inconclusive", exhaustive: false },
      limit: "--max-memory 10",
    });
    expect(outcome.states).toBeGreaterThan(0);
  }
});

test("of two searches that memory ends the one is told that went further", () => {
  const program = lower(cellModel({ cpus: 2, upgrade: true }));
  const limits = { ...LIMITS, bytes_max: 20_000 };
  const [auto, closures] = (["auto", "closures"] as const).map((engine) =>
    explore(program, violated, { semantics: "window", limits, engine }),
  );
  expect(closures).toMatchObject({ observed: "inconclusive", limit: "--max-memory 20000" });
  expect(auto).toEqual(closures);
});

test("a witness found in a level that was cut short is not known to be the shortest", () => {
  const sys = cellModel({ cpus: 2, upgrade: true, bug: 2 });
  const whole = ask(sys, violated, "window");
  const cut = ask(sys, violated, "window", { ...LIMITS, states_max: whole.states - 1 });
  expect(whole).toMatchObject({ observed: "sometimes", exhaustive: true });
  expect(cut).toMatchObject({ observed: "sometimes", exhaustive: false });
});
