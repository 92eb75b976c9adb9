// SPDX-License-Identifier: Apache-2.0
// Random small programs in which steps may commute: locks, right and wrong, flags, counters,
// pending sets, cells and what hardware does by itself.

import * as fc from "fast-check";
import type { System, ThreadSpec } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
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
} from "../../packages/shootdown/src/ir/expr.ts";
import {
  cell,
  event,
  observer,
  on,
  pending,
  rule,
} from "../../packages/shootdown/src/ir/machine.ts";
import { bool, enumeration, int, symbol } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import * as s from "../../packages/shootdown/src/ir/stmt.ts";

const address = symbol("address");
const value = symbol("value");
const cpu = symbol("cpu");
const kind = enumeration("kind", ["soft", "hard"]);
const source = { file: "commuting.ts" };
const VALUES = 3;

/** Where an access goes: a fixed address, or that in the thread's register. */
type At = 0 | 1 | "any";

/** A pending set: a fixed one, or the thread's own. */
type Queue = 0 | 1 | "own";

export type Action =
  | { readonly do: "store"; readonly a: At; readonly v: number }
  | { readonly do: "load" | "move" | "choose"; readonly a: At }
  | { readonly do: "insert"; readonly cell: number; readonly a: At; readonly v: number }
  | { readonly do: "xchg" | "await" | "wait-other"; readonly a: At; readonly v: number }
  | { readonly do: "cas"; readonly a: At; readonly v: number; readonly w: number }
  | { readonly do: "flag" | "on" | "test"; readonly n: number; readonly to: boolean }
  | { readonly do: "count" | "recount" | "until-count"; readonly by: number }
  | { readonly do: "post"; readonly q: Queue; readonly a: 0 | 1; readonly kind: number }
  | {
      readonly do: "fence" | "filled" | "busy";
      readonly q: Queue;
      readonly kind: number | undefined;
    }
  | { readonly do: "use"; readonly cell: number; readonly a: At; readonly walks: boolean }
  | { readonly do: "clear"; readonly cell: number; readonly a: 0 | 1 | undefined }
  | { readonly do: "report" }
  | { readonly do: "lock" | "unlock" | "grab" | "free"; readonly l: number }
  | { readonly do: "locked"; readonly l: number; readonly body: readonly Action[] }
  | {
      readonly do: "early";
      readonly l: number;
      readonly v: number;
      readonly body: readonly Action[];
    }
  | { readonly do: "if" | "either"; readonly v: number; readonly body: readonly Action[] }
  | { readonly do: "atomic" | "loop" | "each"; readonly body: readonly Action[] };

export interface RandomProgram {
  readonly order: "none" | "all" | "hard-first";
  readonly effect: "clear" | "store" | "flag" | "post" | "insert";
  readonly ready: boolean;
  readonly second: "memory" | "insert" | "first";
  readonly rules: readonly ("drift" | "ack" | "rise" | "device" | "late" | "breaks")[];
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

type Cells = readonly [typeof first, ReturnType<typeof secondCell>];

function queueOf(p: RandomProgram, cells: Cells) {
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
  return queue;
}

function observersOf(p: RandomProgram) {
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
  return [wrong, raised];
}

/** What a thread does with a pending set. */
function queued(
  i: Action & { readonly do: "post" | "fence" | "filled" | "busy" },
  set: ReturnType<ReturnType<typeof queueOf>>,
): Stmt[] {
  if (i.do === "post") return [s.post(set, { address: fixed(i.a), kind: constant(kind, i.kind) })];
  const asked = outstanding(set, i.kind === undefined ? {} : { kind: constant(kind, i.kind) });
  if (i.do === "busy") return [s.when(asked, s.set(data(fixed(0)), v(2)))];
  return [s.await_(i.do === "fence" ? not(asked) : asked)];
}

/** The statements of a thread's actions; `own` is the number of its own pending set. */
function statements(cells: Cells, queue: ReturnType<typeof queueOf>, own: number) {
  const x = place<"value">({ k: "local", name: "x", sort: value });
  const a = place<"address">({ k: "local", name: "a", sort: address });
  const ok = place<"bool">({ k: "local", name: "ok", sort: bool });
  const at = (n: At): Expr<"address"> => (n === "any" ? a : fixed(n));
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
        return [s.insert(cells[i.cell]!({ address: at(i.a) }), v(i.v))];
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
        return [s.when(flag(fixed(i.n)), s.set(data(fixed(1)), v(i.to ? 2 : 0)))];
      case "count":
        return [s.set(count(), i.by > 0 ? add(count(), num(1)) : sub(count(), num(1)))];
      case "recount":
        return [s.set(count(), num(i.by + 7))];
      case "until-count":
        return [s.await_(lt(count(), num(8 + i.by)))];
      case "post":
      case "fence":
      case "filled":
      case "busy":
        return queued(i, queue({ cpu: constant(cpu, i.q === "own" ? own : i.q) }));
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
      case "free":
        return [s.await_(not(lock(fixed(i.l))))];
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

  return block;
}

function rulesOf(cells: Cells) {
  return {
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
    breaks: rule("breaks", {
      forall: {},
      when: () => and(lock(fixed(0)), flag(fixed(1))),
      body: () => [s.set(lock(fixed(0)), FALSE)],
      source,
    }),
    late: rule("late", {
      forall: {},
      when: () => and(lock(fixed(0)), eq(data(fixed(1)), v(0))),
      body: () => [s.set(data(fixed(1)), v(2))],
      source,
    }),
  };
}

export function build(p: RandomProgram): System {
  const cells = [first, secondCell(p.second)] as const;
  const queue = queueOf(p, cells);
  const rules = rulesOf(cells);
  return {
    machine: {
      cells: cells.map((c) => c.decl),
      pending: [queue.decl],
      rules: p.rules.map((r) => rules[r]),
      definitions: [],
    },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain: {
      sizes: { address: 2, value: VALUES, cpu: 2, int: 16 },
      names: {},
      limits: { QUEUE_MAX: p.slots },
    },
    knobs: {},
    threads: p.threads.map((actions, n): ThreadSpec => {
      const body = statements(cells, queue, n % 2)(actions);
      return { name: `T${n}`, locals: { x: value, a: address, ok: bool }, body };
    }),
    observers: observersOf(p),
    initial: [{ field: count.decl, index: [], value: 8 }],
    entries: [],
    watched: [data.decl, flag.decl, count.decl],
  };
}

/** Mostly the first, so that threads meet. */
const bit: fc.Arbitrary<0 | 1> = fc.constantFrom(0, 0, 1);
const anyCell = fc.nat({ max: 1 });
const anyValue = fc.nat({ max: VALUES - 1 });
const anyAt: fc.Arbitrary<At> = fc.oneof(
  { weight: 5, arbitrary: bit },
  { weight: 1, arbitrary: fc.constant("any" as const) },
);
const maybe = <T>(of: fc.Arbitrary<T>) => fc.option(of, { nil: undefined });
const k = <const T>(...of: T[]) => fc.constantFrom(...of);

/** Few topics in one program, so that its steps meet. */
const topics: Readonly<Record<string, readonly fc.Arbitrary<Action>[]>> = {
  memory: [
    fc.record({ do: k("store"), a: anyAt, v: anyValue }),
    fc.record({ do: k("store"), a: bit, v: anyValue }),
    fc.record({ do: k("load", "move", "choose"), a: anyAt }),
    fc.record({ do: k("xchg", "await", "wait-other"), a: anyAt, v: anyValue }),
    fc.record({ do: k("cas"), a: anyAt, v: anyValue, w: anyValue }),
  ],
  flags: [
    fc.record({ do: k("flag", "on", "flag", "on", "test"), n: bit, to: fc.boolean() }),
    fc.record({ do: k("report") }),
  ],
  counters: [fc.record({ do: k("count", "count", "until-count", "recount"), by: bit })],
  queues: [
    fc.record({ do: k("post"), q: k<Queue>("own", 0, 1), a: bit, kind: bit }),
    fc.record({ do: k("fence", "filled", "busy"), q: k<Queue>("own", 0, 1), kind: maybe(bit) }),
  ],
  cells: [
    fc.record({ do: k("use"), cell: anyCell, a: anyAt, walks: fc.boolean() }),
    fc.record({ do: k("use"), cell: anyCell, a: bit, walks: fc.boolean() }),
    fc.record({ do: k("clear"), cell: anyCell, a: maybe(bit) }),
    fc.record({ do: k("insert"), cell: anyCell, a: anyAt, v: anyValue }),
  ],
};

function threads(of: fc.Arbitrary<Action>): fc.Arbitrary<readonly (readonly Action[])[]> {
  const leaves = (max: number) => fc.array(of, { minLength: 1, maxLength: max });
  /** Locks that are taken without asking, or given back by somebody else. */
  const broken = fc.record({ do: k("lock", "unlock", "grab", "free"), l: bit });
  const action: fc.Arbitrary<Action> = fc.oneof(
    { weight: 16, arbitrary: of },
    { weight: 1, arbitrary: broken },
    { weight: 3, arbitrary: fc.record({ do: k("locked"), l: bit, body: leaves(3) }) },
    { weight: 1, arbitrary: fc.record({ do: k("early"), l: bit, v: anyValue, body: leaves(2) }) },
    { weight: 3, arbitrary: fc.record({ do: k("if", "either"), v: anyValue, body: leaves(2) }) },
    { weight: 2, arbitrary: fc.record({ do: k("atomic"), body: leaves(3) }) },
    { weight: 1, arbitrary: fc.record({ do: k("loop", "each"), body: leaves(2) }) },
  );
  const actions = (max: number) => fc.array(action, { minLength: 1, maxLength: max });
  return fc.oneof(
    fc.array(actions(4), { minLength: 2, maxLength: 2 }),
    fc.array(actions(2), { minLength: 3, maxLength: 3 }),
  );
}

export const randomProgram: fc.Arbitrary<RandomProgram> = fc
  .subarray(Object.keys(topics), { minLength: 1, maxLength: 3 })
  .chain((chosen) =>
    fc.record({
      order: k("none", "all", "hard-first"),
      effect: k("clear", "store", "flag", "post", "insert"),
      ready: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
      second: k("memory", "insert", "first"),
      rules: fc.uniqueArray(k("drift", "ack", "rise", "device", "late", "breaks"), {
        maxLength: 2,
      }),
      slots: fc.integer({ min: 1, max: 2 }),
      threads: threads(fc.oneof(...chosen.flatMap((t) => topics[t]!))),
      bad: anyValue,
    }),
  );
