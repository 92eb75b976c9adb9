// SPDX-License-Identifier: Apache-2.0
// Steps taken alone lose nothing: random small programs have the same final states, and the same
// observers are violated, with every interleaving and with those that are left.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Action, RandomProgram } from "../../../../test/support/commuting.ts";
import { build, randomProgram } from "../../../../test/support/commuting.ts";
import { aloneIn } from "../engine/commute.ts";
import { lower } from "../engine/lower.ts";
import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import { DomainOverflow } from "../engine/packed-expr.ts";
import type { Program } from "../engine/program.ts";
import { programText } from "../engine/text.ts";
import type { AloneTable } from "./search.ts";
import { VisitedSet } from "./visited.ts";

/** Programs with more states are passed over. */
const STATES_MAX = 4_000;

interface Reached {
  readonly states: number;
  readonly finals: readonly string[];
  readonly violated: readonly string[];
}

/** All that a machine reaches, of each state with a thread that may step alone only that step. */
function reach(machine: PackedMachine, alone: AloneTable): Reached | undefined {
  const visited = new VisitedSet(machine.words);
  const finals: string[] = [];
  const violated = new Set<string>();
  visited.add(machine.initial());
  for (let id = 0; id < visited.count; id++) {
    if (visited.count > STATES_MAX) return undefined;
    machine.load(visited.arena, id * machine.words);
    for (const [n, name] of machine.program.observers.entries()) {
      if (machine.violated(n)) violated.add(name);
    }
    const step = (n: number): boolean => {
      let made = false;
      machine.successors(machine.transitions[n]!, visited.arena, id * machine.words, () => {
        visited.add(machine.state);
        made = true;
      });
      return made;
    };
    if (alone.flatMap((of, n) => (of[machine.point(n)] ? [n] : [])).some(step)) continue;
    const made = machine.transitions.filter((t, n) => step(n) && /thread|effect/.test(t.kind));
    if (made.length > 0) continue;
    finals.push(visited.arena.slice(id * machine.words, (id + 1) * machine.words).join());
  }
  return { states: visited.count, finals: finals.sort(), violated: [...violated].sort() };
}

function compared(program: Program, semantics: Semantics) {
  // One machine for both: it numbers the values in cells as they appear.
  const machine = new PackedMachine(program, { semantics });
  const everything = program.threads.map(() => []);
  const all = unlessRefused(() => reach(machine, everything));
  const some = all && reach(machine, aloneIn(program, semantics).alone);
  return all && some && { all, some };
}

/** Counters may leave the domain, and loops may have no shared access left. */
function unlessRefused<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof DomainOverflow || /does not end/.test(String(error))) return undefined;
    throw error;
  }
}

test.each(["window", "concrete"] as const)("nothing is lost, %s", (semantics) => {
  const seen = { smaller: 0, violated: 0, innocent: 0, ended: 0, several: 0 };
  fc.assert(
    fc.property(randomProgram, (p) => {
      const program = lower(build(p));
      const result = compared(program, semantics);
      if (!result) return;
      const { all, some } = result;
      if (some.states < all.states) seen.smaller++;
      if (all.violated.length > 0) seen.violated++;
      else seen.innocent++;
      if (all.finals.length > 0) seen.ended++;
      if (all.finals.length > 3) seen.several++;
      const { states, ...ends } = some;
      const { states: more, ...allEnds } = all;
      const same = JSON.stringify(ends) === JSON.stringify(allEnds);
      if (!same || states > more) throw new Error(programText(program));
    }),
    { seed: 7, numRuns: Number(process.env["RUNS"] ?? 700) },
  );
  if (process.env["RUNS"]) console.log(seen);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
});

const plain: RandomProgram = {
  order: "none",
  effect: "insert",
  ready: false,
  second: "first",
  rules: [],
  slots: 1,
  threads: [],
  bad: 2,
};
const post = { do: "post", q: "own", a: 0, kind: 0 } as const;
const raise = { do: "flag", n: 1, to: true } as const;
const store = (a: 0 | 1, v: number) => ({ do: "store", a, v }) as const;
const load = (a: 0 | 1) => ({ do: "load", a }) as const;
const use = (cell: number) => ({ do: "use", cell, a: 0, walks: false }) as const;
const clear = (cell: number) => ({ do: "clear", cell, a: undefined }) as const;
const report = { do: "report" } as const;
/** Either the action and then 2 in memory, or 0 in the other place, as one step. */
const maybe = (first: Action): Action => ({
  do: "atomic",
  body: [{ do: "either", v: 0, body: [first, store(0, 2)] }, store(1, 0)],
});
const locked = (...body: Action[]): Action => ({ do: "locked", l: 0, body });
const looks = locked(store(0, 0), load(0), report);

/** Each needs a part of the check that random programs seldom need. */
const cases: Readonly<Record<string, Partial<RandomProgram>>> = {
  "a branch that is opened by a flag": {
    threads: [[maybe({ do: "on", n: 1, to: true })], [raise]],
  },
  "a branch that posts to a full set": { effect: "flag", threads: [[post, maybe(post)], [report]] },
  "a branch that waits for an entry": {
    effect: "flag",
    threads: [[post, maybe({ do: "fence", q: "own", kind: undefined })], [report]],
  },
  "an entry that has to be there": {
    effect: "flag",
    threads: [[post, { do: "filled", q: "own", kind: undefined }, store(0, 2)], [report]],
  },
  "somebody asks whether an entry is there": {
    ready: true,
    threads: [
      [{ do: "on", n: 0, to: true }, raise, post],
      [
        { do: "flag", n: 0, to: true },
        { do: "on", n: 1, to: true },
        { do: "busy", q: 0, kind: undefined },
        { do: "flag", n: 0, to: false },
      ],
    ],
  },
  "a cell is emptied while another fills from it": {
    bad: 1,
    threads: [
      [store(0, 2), { do: "flag", n: 0, to: true }, clear(0)],
      [{ do: "on", n: 0, to: true }, clear(1), use(1)],
    ],
  },
  "a cell fills from one that is emptied": {
    bad: 1,
    threads: [
      [store(0, 2), { do: "flag", n: 0, to: true }, clear(1), use(1)],
      [{ do: "on", n: 0, to: true }, clear(0)],
    ],
  },
  "an entry that comes later": {
    second: "insert",
    threads: [
      [use(1)],
      [
        { do: "insert", cell: 1, a: 0, v: 1 },
        { ...post, q: 1 },
      ],
    ],
  },
  "what a cell takes is handed on, unless a flag is up": {
    threads: [[{ do: "insert", cell: 0, a: 0, v: 2 }], [raise], [use(1)]],
  },
  "what memory has is cached, unless a flag is up": {
    second: "memory",
    threads: [[store(0, 2)], [raise], [use(1)]],
  },
  "others wait behind a loop": {
    bad: 0,
    threads: [[{ do: "loop", body: [store(1, 0), store(1, 1)] }], [report]],
  },
  "a lock given back by one who has not got it": {
    threads: [[looks], [{ do: "unlock", l: 0 }], [locked(store(0, 2))]],
  },
  "a lock given back by hardware": {
    rules: ["breaks"],
    threads: [[looks], [raise], [locked(store(0, 2))]],
  },
  "a lock found free one step too early": {
    threads: [0, 2].map((v) => [
      { do: "free", l: 0 },
      { do: "grab", l: 0 },
      store(0, v),
      load(0),
      report,
      { do: "unlock", l: 0 },
    ]),
  },
  "a flag that only one way raises": {
    bad: 1,
    threads: [
      [load(0), { do: "if", v: 2, body: [raise] }, store(1, 2)],
      [store(0, 2)],
      [{ do: "on", n: 1, to: true }, load(1), report],
    ],
  },
  "a register that is exchanged after a test": {
    threads: [
      [
        load(0),
        {
          do: "if",
          v: 1,
          body: [
            { do: "xchg", a: 0, v: 0 },
            { do: "if", v: 2, body: [store(1, 2)] },
          ],
        },
      ],
      [store(0, 2), load(1), report],
    ],
  },
  "a register that is looked up after a test": {
    threads: [
      [load(0), { do: "if", v: 1, body: [use(0), { do: "if", v: 2, body: [store(1, 2)] }] }],
      [store(0, 2), load(1), report],
    ],
  },
  "hardware that waits for a flag to fall": {
    ready: true,
    threads: [[post, { do: "flag", n: 0, to: true }]],
  },
  "a wait on one of two ways": {
    threads: [
      [store(0, 0), load(0), report, raise],
      [
        {
          do: "atomic",
          body: [
            { do: "either", v: 0, body: [{ do: "on", n: 1, to: true }, store(1, 0)] },
            store(0, 2),
          ],
        },
      ],
    ],
  },
  "a wait for a place that is not known": {
    threads: [
      [store(0, 0), raise, load(1), report],
      [
        { do: "on", n: 1, to: true },
        { do: "choose", a: 0 },
        { do: "atomic", body: [{ do: "await", a: "any", v: 1 }, store(1, 2)] },
      ],
    ],
  },
  "an exchange of what is the same": {
    threads: [[{ do: "xchg", a: 0, v: 2 }, report], [store(0, 2)]],
  },
};

test.each(Object.entries(cases))("%s", (_, given) => {
  const result = compared(lower(build({ ...plain, ...given })), "window");
  expect(result).toBeDefined();
  const { states, ...ends } = result!.some;
  expect(ends).toEqual({ finals: result!.all.finals, violated: result!.all.violated });
});
