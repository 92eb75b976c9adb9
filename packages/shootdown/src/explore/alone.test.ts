// SPDX-License-Identifier: Apache-2.0
// Steps taken alone lose nothing: random small programs have the same final states, and the same
// observers are violated, with every interleaving and with those that are left.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { aloneIn } from "../engine/commute.ts";
import { lower } from "../engine/lower.ts";
import type { Semantics } from "../engine/packed.ts";
import { PackedMachine } from "../engine/packed.ts";
import { DomainOverflow } from "../engine/packed-expr.ts";
import type { Program, System, ThreadSpec } from "../engine/program.ts";
import { programText } from "../engine/text.ts";
import type { Expr } from "../ir/expr.ts";
import {
  ANY,
  add,
  and,
  constant,
  eq,
  FALSE,
  field,
  ite,
  lt,
  ne,
  not,
  num,
  or,
  outstanding,
  place,
  sub,
  TRUE,
} from "../ir/expr.ts";
import { cell, event, observer, on, pending, rule } from "../ir/machine.ts";
import { bool, enumeration, int, symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import type { AloneTable } from "./search.ts";
import { VisitedSet } from "./visited.ts";

const address = symbol("address");
const value = symbol("value");
const cpu = symbol("cpu");
const kind = enumeration("kind", ["soft", "hard"]);
const source = { file: "alone.test.ts" };
const VALUES = 3;

/** Where an access goes: a fixed address, or that in the thread's register. */
type At = 0 | 1 | "any";

type Action =
  | { readonly do: "store"; readonly a: At; readonly v: number }
  | { readonly do: "load" | "move" | "choose" | "insert"; readonly a: At }
  | { readonly do: "xchg" | "await" | "wait-other"; readonly a: At; readonly v: number }
  | { readonly do: "cas"; readonly a: At; readonly v: number; readonly w: number }
  | { readonly do: "flag" | "on" | "test"; readonly n: number; readonly to: boolean }
  | { readonly do: "count" | "until-count"; readonly by: number }
  | { readonly do: "post"; readonly q: number; readonly a: 0 | 1; readonly kind: number }
  | { readonly do: "fence" | "busy"; readonly q: number; readonly kind: number | undefined }
  | { readonly do: "use"; readonly cell: number; readonly a: At; readonly walks: boolean }
  | { readonly do: "clear"; readonly cell: number; readonly a: 0 | 1 | undefined }
  | { readonly do: "report" }
  | { readonly do: "lock" | "unlock" | "grab"; readonly l: number }
  | { readonly do: "locked"; readonly l: number; readonly body: readonly Action[] }
  | {
      readonly do: "early";
      readonly l: number;
      readonly v: number;
      readonly body: readonly Action[];
    }
  | { readonly do: "if" | "either"; readonly v: number; readonly body: readonly Action[] }
  | { readonly do: "atomic" | "loop" | "each"; readonly body: readonly Action[] };

interface RandomProgram {
  readonly order: "none" | "all" | "hard-first";
  readonly effect: "clear" | "store" | "flag" | "post" | "insert";
  readonly ready: boolean;
  readonly second: "memory" | "insert" | "first";
  readonly rules: readonly ("drift" | "ack" | "rise" | "device" | "late")[];
  readonly slots: number;
  readonly threads: readonly (readonly Action[])[];
  readonly bad: number;
}

const data = field("data", [address], value, 1);
const flag = field("flag", [address], bool);
const lock = field("lock", [address], bool);
const count = field("count", [], int);
const v = (n: number): Expr<"value"> => constant(value, n);
const fixed = (n: number) => constant(address, n);

const first = cell("first", {
  keys: { address },
  value,
  locals: { e: value },
  fill: ({ address: a, e }) => [s.set(e, data(a)), s.when(ne(e, v(0)), s.yields(e))],
  source,
});

function secondCell(from: RandomProgram["second"]) {
  const base = { keys: { address }, value, source };
  if (from === "insert") return cell("second", base);
  return cell("second", {
    ...base,
    locals: { e: value },
    fill: ({ address: a, e }) => [
      from === "first" ? s.pick(e, first({ address: a })) : s.set(e, data(a)),
      s.when(not(flag(fixed(1))), s.yields(e)),
    ],
  });
}

const used = event("used", { address, value });
const reported = event("reported", { value });

function build(p: RandomProgram): System {
  const cells = [first, secondCell(p.second)] as const;
  const queue = pending("queue", {
    keys: { cpu },
    entry: { address, kind },
    capacity: "QUEUE_MAX",
    orderBy: "kind",
    order: p.order === "none" ? [] : p.order === "all" ? [["*", "*"]] : [["hard", "soft"]],
    ...(p.ready ? { ready: () => not(flag(fixed(0))) } : {}),
    effect: ({ address: a, kind: k }): Stmt[] => {
      switch (p.effect) {
        case "clear":
          return [s.clear(cells[0]({ address: a }))];
        case "insert":
          return [s.insert(cells[1]({ address: a }), v(2))];
        case "store":
          return [s.set(data(a), v(2))];
        case "flag":
          return [s.set(flag(a), TRUE)];
        case "post":
          // To the other set, once.
          return [
            s.when(
              eq(k, constant(kind, 1)),
              s.post(queue({ cpu: constant(cpu, 1) }), { address: a, kind: constant(kind, 0) }),
            ),
          ];
      }
    },
    source,
  });
  const wrong = observer(
    "wrong",
    "a value that memory does not have is used",
    on(used, ({ address: a, value: e }) => [
      s.when(and(eq(e, v(p.bad)), ne(data(a), e)), s.violate("wrong")),
    ]),
  );
  const raised = observer(
    "raised",
    "something is reported while a flag is up",
    on(reported, ({ value: e }) => [
      s.when(or(flag(fixed(0)), eq(e, v(p.bad))), s.violate("raised")),
    ]),
  );
  const x = place<"value">({ k: "local", name: "x", sort: value });
  const a = place<"address">({ k: "local", name: "a", sort: address });
  const ok = place<"bool">({ k: "local", name: "ok", sort: bool });
  const at = (n: At): Expr<"address"> => (n === "any" ? a : fixed(n));
  const q = (n: number) => queue({ cpu: constant(cpu, n) });
  const block = (actions: readonly Action[]): Stmt[] => actions.flatMap(statement);
  const take = (l: number) => s.atomic(s.await_(not(lock(fixed(l)))), s.set(lock(fixed(l)), TRUE));
  const give = (l: number) => s.set(lock(fixed(l)), FALSE);

  function statement(i: Action): Stmt[] {
    switch (i.do) {
      case "store":
        return [s.set(data(at(i.a)), v(i.v))];
      case "load":
        return [s.set(x, data(at(i.a)))];
      case "move":
        return [s.set(data(at(i.a)), x)];
      case "choose":
        return [s.choose(a, address)];
      case "insert":
        return [s.insert(cells[1]({ address: at(i.a) }), v(1))];
      case "xchg":
        return [s.xchg(x, data(at(i.a)), v(i.v))];
      case "await":
        return [s.await_(eq(data(at(i.a)), v(i.v)))];
      case "wait-other":
        return [s.await_(or(ne(data(at(i.a)), v(i.v)), flag(fixed(1))))];
      case "cas":
        return [s.cas(ok, data(at(i.a)), v(i.v), v(i.w)), s.when(ok, s.set(x, v(0)))];
      case "flag":
        return [s.set(flag(fixed(i.n)), i.to ? TRUE : FALSE)];
      case "on":
        return [s.await_(eq(flag(fixed(i.n)), i.to ? TRUE : FALSE))];
      case "test":
        return [s.when(flag(fixed(i.n)), s.set(x, v(i.to ? 2 : 0)))];
      case "count":
        return [s.atomic(s.set(count(), i.by > 0 ? add(count(), num(1)) : sub(count(), num(1))))];
      case "until-count":
        return [s.await_(lt(count(), num(i.by)))];
      case "post":
        return [s.post(q(i.q), { address: fixed(i.a), kind: constant(kind, i.kind) })];
      case "fence":
      case "busy": {
        const asked = outstanding(
          q(i.q),
          i.kind === undefined ? {} : { kind: constant(kind, i.kind) },
        );
        return i.do === "fence" ? [s.await_(not(asked))] : [s.when(asked, s.set(x, v(2)))];
      }
      case "use":
        return [
          (i.walks ? s.lookup : s.pick)(x, cells[i.cell]!({ address: at(i.a) })),
          s.emit(used, { address: at(i.a), value: x }),
        ];
      case "clear":
        return [s.clear(cells[i.cell]!({ address: i.a === undefined ? ANY : fixed(i.a) }))];
      case "report":
        return [s.emit(reported, { value: x })];
      case "lock":
        return [take(i.l)];
      case "unlock":
        return [give(i.l)];
      case "grab":
        return [s.set(lock(fixed(i.l)), TRUE)];
      case "locked":
        return [take(i.l), ...block(i.body), give(i.l)];
      case "early":
        // Given back in the step of the test, which is asked again.
        return [
          take(i.l),
          s.atomic(s.set(x, data(fixed(0))), s.when(eq(x, v(i.v)), give(i.l))),
          s.when(ne(x, v(i.v)), ...block(i.body), give(i.l)),
        ];
      case "if":
        return [s.when(eq(x, v(i.v)), ...block(i.body))];
      case "either":
        return [s.either(block(i.body), i.v === 0 ? [] : [s.await_(flag(fixed(0)))])];
      case "atomic":
        return [s.atomic(...block(i.body))];
      case "loop":
        return [s.loop(...block(i.body), s.when(flag(fixed(0)), s.leave()))];
      case "each":
        return [s.set(x, v(0)), ...[0, 1].flatMap(() => block(i.body))];
    }
  }

  const rules = {
    drift: rule("drift", {
      forall: { a: address },
      when: ({ a: n }) => eq(data(n), v(2)),
      body: ({ a: n }) => [s.set(data(n), v(1))],
      source,
    }),
    ack: rule("ack", {
      forall: { a: address },
      when: ({ a: n }) => flag(n),
      body: ({ a: n }) => [s.clear(first({ address: ANY })), s.set(flag(n), FALSE)],
      source,
    }),
    rise: rule("rise", {
      forall: {},
      when: () => eq(data(fixed(0)), v(2)),
      body: () => [s.set(flag(fixed(0)), TRUE)],
      source,
    }),
    device: rule("device", {
      forall: { a: address },
      locals: { e: value },
      when: ({ a: n }) => flag(n),
      body: ({ a: n, e }) => [
        s.pick(e, cells[1]({ address: n })),
        s.emit(used, { address: n, value: e }),
        s.set(flag(n), ite(eq(e, v(2)), FALSE, flag(n))),
      ],
      source,
    }),
    late: rule("late", {
      forall: {},
      when: () => and(lock(fixed(0)), eq(data(fixed(1)), v(0))),
      body: () => [s.set(data(fixed(1)), v(2))],
      source,
    }),
  };
  return {
    machine: {
      cells: cells.map((c) => c.decl),
      pending: [queue.decl],
      rules: p.rules.map((r) => rules[r]),
      definitions: [],
    },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain: {
      sizes: { address: 2, value: VALUES, cpu: 2, int: 4 },
      names: {},
      limits: { QUEUE_MAX: p.slots },
    },
    knobs: {},
    threads: p.threads.map((actions, n): ThreadSpec => {
      return { name: `T${n}`, locals: { x: value, a: address, ok: bool }, body: block(actions) };
    }),
    observers: [wrong, raised],
    initial: [{ field: count.decl, index: [], value: 2 }],
    entries: [],
    watched: [data.decl, flag.decl, count.decl],
  };
}

const bit = fc.nat({ max: 1 }) as fc.Arbitrary<0 | 1>;
const anyValue = fc.nat({ max: VALUES - 1 });
const anyAt: fc.Arbitrary<At> = fc.oneof(
  { weight: 5, arbitrary: bit },
  { weight: 1, arbitrary: fc.constant("any" as const) },
);
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const k = <const T extends string>(...of: T[]) => fc.constantFrom(...of);

const leaf: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: k("store"), a: anyAt, v: anyValue }),
  fc.record({ do: k("store"), a: bit, v: anyValue }),
  fc.record({ do: k("load", "move", "choose", "insert"), a: anyAt }),
  fc.record({ do: k("xchg", "await", "wait-other"), a: anyAt, v: anyValue }),
  fc.record({ do: k("cas"), a: anyAt, v: anyValue, w: anyValue }),
  fc.record({ do: k("flag", "on", "test"), n: bit, to: fc.boolean() }),
  fc.record({ do: k("flag", "on"), n: bit, to: fc.boolean() }),
  fc.record({ do: k("count", "until-count"), by: bit }),
  fc.record({ do: k("post"), q: bit, a: bit, kind: bit }),
  fc.record({ do: k("fence", "busy"), q: bit, kind: maybe(bit) }),
  fc.record({ do: k("use"), cell: bit, a: anyAt, walks: fc.boolean() }),
  fc.record({ do: k("clear"), cell: bit, a: maybe(bit) }),
  fc.record({ do: k("report") }),
);
/** Locks that are taken without asking, or given back by somebody else. */
const broken: fc.Arbitrary<Action> = fc.record({ do: k("lock", "unlock", "grab"), l: bit });
const leaves = (max: number) => fc.array(leaf, { minLength: 1, maxLength: max });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 14, arbitrary: leaf },
  { weight: 1, arbitrary: broken },
  { weight: 5, arbitrary: fc.record({ do: k("locked"), l: bit, body: leaves(3) }) },
  { weight: 2, arbitrary: fc.record({ do: k("early"), l: bit, v: anyValue, body: leaves(2) }) },
  { weight: 2, arbitrary: fc.record({ do: k("if", "either"), v: anyValue, body: leaves(2) }) },
  { weight: 2, arbitrary: fc.record({ do: k("atomic"), body: leaves(2) }) },
  { weight: 1, arbitrary: fc.record({ do: k("loop", "each"), body: leaves(2) }) },
);

const randomProgram: fc.Arbitrary<RandomProgram> = fc.record({
  order: k("none", "all", "hard-first"),
  effect: k("clear", "store", "flag", "post", "insert"),
  ready: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
  second: k("memory", "insert", "first"),
  rules: fc.uniqueArray(k("drift", "ack", "rise", "device", "late"), { maxLength: 2 }),
  slots: fc.integer({ min: 1, max: 2 }),
  threads: fc.array(fc.array(action, { minLength: 1, maxLength: 4 }), {
    minLength: 2,
    maxLength: 3,
  }),
  bad: anyValue,
});

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
    { seed: 7, numRuns: Number(process.env["RUNS"] ?? 400) },
  );
  if (process.env["RUNS"]) console.log(seen);
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
});
