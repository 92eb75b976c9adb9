// SPDX-License-Identifier: Apache-2.0
// The two semantics of cells agree on random small protocols.
//
// Cells with `ways` stay concrete beside windows. A cell of one way that holds an old value must
// lose it before it takes another, so two looks at it can see new-then-old only if memory changes
// back; a window forgets that. Cells of any number of entries need no restriction: the set of all
// entries that were ever possible and were not cleared is itself a concrete content, so eviction at
// will is not even needed.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { classify } from "../engine/classify.ts";
import { lower } from "../engine/lower.ts";
import type { System, ThreadSpec } from "../engine/program.ts";
import type { Expr, Place } from "../ir/expr.ts";
import {
  ANY,
  and,
  constant,
  eq,
  field,
  ite,
  member,
  ne,
  not,
  outstanding,
  place,
  TRUE,
} from "../ir/expr.ts";
import type { CellFn } from "../ir/machine.ts";
import { cell, event, observer, on, pending, rule } from "../ir/machine.ts";
import { bool, enumeration, symbol } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { compareSemantics } from "./compare.ts";

const address = symbol("address");
const value = symbol("value");
const kind = enumeration("kind", ["soft", "hard"]);
const source = { file: "compare.test.ts" };
const VALUES = 3;

type Guard = "always" | "aux" | "quiet" | "outstanding";

/** Where a cell is filled from: memory, or an earlier cell of the list. */
interface CellSpec {
  readonly from:
    | "memory"
    | "insert"
    | { readonly cell: number; readonly how: "lookup" | "pick" | "whole" };
  readonly guard: Guard;
  readonly maps: boolean;
  readonly yieldsTwo: boolean;
  readonly refuses: number | undefined;
  readonly evicts: boolean;
  readonly ways: number | undefined;
}

type Action =
  | { readonly do: "store"; readonly a: number; readonly v: number }
  | { readonly do: "xchg"; readonly a: number; readonly v: number }
  | { readonly do: "cas"; readonly a: number; readonly v: number; readonly w: number }
  | { readonly do: "aux"; readonly v: number }
  | { readonly do: "await"; readonly a: number; readonly v: number }
  | { readonly do: "fence"; readonly kind: number }
  | { readonly do: "post"; readonly a: number; readonly kind: number }
  | { readonly do: "use"; readonly cell: number; readonly a: number; readonly walks: boolean }
  | { readonly do: "clear"; readonly cell: number; readonly a: number | undefined }
  | { readonly do: "insert"; readonly cell: number; readonly a: number; readonly v: number }
  | { readonly do: "if"; readonly v: number; readonly body: readonly Action[] }
  | { readonly do: "atomic"; readonly body: readonly Action[] }
  | { readonly do: "until"; readonly cell: number; readonly a: number; readonly v: number };

interface Protocol {
  readonly addresses: number;
  readonly cells: readonly CellSpec[];
  readonly order: "none" | "all" | "hard-first";
  readonly effect: { readonly cell: number; readonly only: number | undefined };
  readonly drift: boolean;
  readonly device: number | undefined;
  readonly threads: readonly (readonly Action[])[];
  readonly bad: number;
}

const aux = field("aux", [], value);
const v = (n: number): Expr<"value"> => constant(value, n);

function build(p: Protocol): System {
  const memory = field("memory", [address], value, 1);
  const at = (n: number) => constant(address, n % p.addresses);
  const cells: CellFn<{ address: typeof address }, "value">[] = [];
  const queue = pending("queue", {
    keys: {},
    entry: { address, kind },
    capacity: "QUEUE_MAX",
    orderBy: "kind",
    order: p.order === "none" ? [] : p.order === "all" ? [["*", "*"]] : [["hard", "soft"]],
    effect: ({ address: a }) => {
      const c = cells[p.effect.cell % cells.length]!;
      const { only } = p.effect;
      const entry = only === undefined ? undefined : (e: Expr<"value">) => eq(e, v(only));
      return [s.clear(c({ address: a }), entry)];
    },
    source,
  });
  const guards: Record<Guard, Expr<"bool">> = {
    always: TRUE,
    aux: eq(aux(), v(0)),
    quiet: not(outstanding(queue({}))),
    outstanding: outstanding(queue({})),
  };
  for (const [n, spec] of p.cells.entries()) cells.push(makeCell(n, spec, guards[spec.guard]));

  function makeCell(n: number, spec: CellSpec, guard: Expr<"bool">) {
    const { from, refuses } = spec;
    const base = { keys: { address }, value, source, evicts: spec.evicts };
    const bounded = spec.ways === undefined ? {} : { ways: spec.ways };
    const admits = refuses === undefined ? {} : { admits: (e: Expr<"value">) => ne(e, v(refuses)) };
    // The first cell has no earlier one.
    if (from === "insert") return cell(`c${n}`, { ...base, ...admits, ...bounded });
    return cell(`c${n}`, {
      ...base,
      ...admits,
      ...bounded,
      locals: { e: value },
      fill: ({ address: a, e }) => {
        const upper = from === "memory" ? undefined : cells[from.cell % Math.max(1, n)];
        if (from === "memory" || n === 0 || !upper) return offers(s.set(e, memory(a)), e);
        const source = upper({ address: a });
        if (from.how === "whole") return [s.await_(guard), s.yieldsHeld(source)];
        return offers((from.how === "lookup" ? s.lookup : s.pick)(e, source), e);
      },
    });

    function offers(read: Stmt, e: Place<"value">): Stmt[] {
      const yields = spec.maps ? ite(eq(e, v(1)), v(2), e) : e;
      return [
        s.await_(guard),
        read,
        s.when(ne(e, v(0)), s.yields(yields)),
        ...(spec.yieldsTwo ? [s.yields(v(2))] : []),
      ];
    }
  }

  const used = event("used", { address, value });
  const wrong = observer(
    "wrong",
    "a value that memory does not have is used",
    on(used, ({ address: a, value: e }) => [
      s.when(and(eq(e, v(p.bad)), ne(memory(a), e)), s.violate("wrong")),
    ]),
  );
  const flagged = observer(
    "flagged",
    "a value is used while the flag is up",
    on(used, ({ value: e }) => [s.when(eq(aux(), e), s.violate("flagged"))]),
  );

  const local = place<"value">({ k: "local", name: "x", sort: value });
  const ok = place<"bool">({ k: "local", name: "ok", sort: bool });
  const use = (into: Place<"value">, c: number, a: number, walks: boolean): Stmt[] => [
    (walks ? s.lookup : s.pick)(into, cells[c % cells.length]!({ address: at(a) })),
    s.emit(used, { address: at(a), value: into }),
  ];
  const kinds = ["soft", "hard"] as const;
  const block = (actions: readonly Action[]): Stmt[] => actions.flatMap(statement);

  function statement(a: Action): Stmt[] {
    switch (a.do) {
      case "store":
        return [s.set(memory(at(a.a)), v(a.v))];
      case "xchg":
        return [s.xchg(local, memory(at(a.a)), v(a.v))];
      case "cas":
        return [s.cas(ok, memory(at(a.a)), v(a.v), v(a.w)), s.when(ok, s.set(local, v(0)))];
      case "aux":
        return [s.set(aux(), v(a.v))];
      case "await":
        return [s.await_(ne(memory(at(a.a)), v(a.v)))];
      case "fence":
        return [s.await_(not(outstanding(queue({}), { kind: member(kind, kinds[a.kind]!) })))];
      case "post":
        return [s.post(queue({}), { address: at(a.a), kind: member(kind, kinds[a.kind]!) })];
      case "use":
        return use(local, a.cell, a.a, a.walks);
      case "clear":
        return [
          s.clear(cells[a.cell % cells.length]!({ address: a.a === undefined ? ANY : at(a.a) })),
        ];
      case "insert":
        return [s.insert(cells[a.cell % cells.length]!({ address: at(a.a) }), v(a.v))];
      case "if":
        return [s.when(eq(local, v(a.v)), ...block(a.body))];
      case "atomic":
        return [s.atomic(...block(a.body))];
      case "until":
        return [s.loop(...use(local, a.cell, a.a, true), s.when(eq(local, v(a.v)), s.leave()))];
    }
  }

  const { device } = p;
  const rules = [
    ...(p.drift
      ? [
          rule("drift", {
            forall: { a: address },
            when: ({ a }) => eq(memory(a), v(2)),
            body: ({ a }) => [s.set(memory(a), v(1))],
            source,
          }),
        ]
      : []),
    ...(device === undefined
      ? []
      : [
          rule("device", {
            forall: { a: address },
            locals: { e: value },
            when: () => ne(aux(), v(0)),
            body: ({ a, e }) => [
              s.pick(e, cells[device % cells.length]!({ address: a })),
              s.emit(used, { address: a, value: e }),
              s.set(aux(), ite(eq(e, v(2)), v(0), aux())),
            ],
            source,
          }),
        ]),
  ];
  return {
    machine: { cells: cells.map((c) => c.decl), pending: [queue.decl], rules, definitions: [] },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain: { sizes: { address: p.addresses, value: VALUES }, names: {}, limits: { QUEUE_MAX: 2 } },
    knobs: {},
    threads: p.threads.map((actions, n): ThreadSpec => {
      return { name: `T${n}`, locals: { x: value, ok: bool }, body: block(actions) };
    }),
    observers: [wrong, flagged],
    initial: [],
    entries: [],
  };
}

const small = fc.nat({ max: 1 });
const anyValue = fc.nat({ max: VALUES - 1 });
const anyCell = fc.nat({ max: 2 });

const cellSpec: fc.Arbitrary<CellSpec> = fc.record({
  from: fc.oneof(
    { weight: 3, arbitrary: fc.constant("memory" as const) },
    { weight: 1, arbitrary: fc.constant("insert" as const) },
    {
      weight: 4,
      arbitrary: fc.record({
        cell: anyCell,
        how: fc.constantFrom("lookup" as const, "pick" as const, "whole" as const),
      }),
    },
  ),
  guard: fc.oneof(
    { weight: 5, arbitrary: fc.constant("always" as const) },
    {
      weight: 2,
      arbitrary: fc.constantFrom("aux" as const, "quiet" as const, "outstanding" as const),
    },
  ),
  maps: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
  yieldsTwo: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, fc.boolean()),
  refuses: fc.option(anyValue, { nil: undefined, freq: 2 }),
  evicts: fc.boolean(),
  ways: fc.option(fc.constantFrom(1, 2), { nil: undefined, freq: 3 }),
});

const leaf: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant("store" as const), a: small, v: anyValue }),
  fc.record({ do: fc.constant("xchg" as const), a: small, v: anyValue }),
  fc.record({ do: fc.constant("cas" as const), a: small, v: anyValue, w: anyValue }),
  fc.record({ do: fc.constant("aux" as const), v: anyValue }),
  fc.record({ do: fc.constant("await" as const), a: small, v: anyValue }),
  fc.record({ do: fc.constant("fence" as const), kind: small }),
  fc.record({ do: fc.constant("post" as const), a: small, kind: small }),
  fc.record({ do: fc.constant("use" as const), cell: anyCell, a: small, walks: fc.boolean() }),
  fc.record({ do: fc.constant("use" as const), cell: anyCell, a: small, walks: fc.boolean() }),
  fc.record({
    do: fc.constant("clear" as const),
    cell: anyCell,
    a: fc.option(small, { nil: undefined }),
  }),
  fc.record({ do: fc.constant("insert" as const), cell: anyCell, a: small, v: anyValue }),
);
/** A loop in an atomic block may be a step that does not end, so it only stands outside. */
const until: fc.Arbitrary<Action> = fc.record({
  do: fc.constant("until" as const),
  cell: anyCell,
  a: small,
  v: anyValue,
});
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 12, arbitrary: leaf },
  { weight: 1, arbitrary: until },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("if" as const),
      v: anyValue,
      body: fc.array(leaf, { minLength: 1, maxLength: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("atomic" as const),
      body: fc.array(leaf, { minLength: 1, maxLength: 3 }),
    }),
  },
);

const protocol: fc.Arbitrary<Protocol> = fc.record({
  addresses: fc.integer({ min: 1, max: 2 }),
  cells: fc.array(cellSpec, { minLength: 1, maxLength: 3 }),
  order: fc.constantFrom("none" as const, "all" as const, "hard-first" as const),
  effect: fc.record({ cell: anyCell, only: fc.option(anyValue, { nil: undefined }) }),
  drift: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.boolean()),
  device: fc.option(anyCell, { nil: undefined }),
  threads: fc.array(fc.array(action, { minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 2,
  }),
  bad: anyValue,
});

/** Protocols with more concrete states are passed over. */
const STATES_MAX = 8_000;

test("windows say the same as single fills and evictions", () => {
  const reached = { chains: 0, smaller: 0, violated: 0, innocent: 0, mixed: 0, all: 0 };
  fc.assert(
    fc.property(protocol, (p) => {
      const program = lower(build(p));
      const result = compareSemantics(program, STATES_MAX);
      if (!result) return;
      if (program.cells.length > 1) reached.chains++;
      if (result.window_states < result.concrete_states) reached.smaller++;
      if (result.violated.length > 0) reached.violated++;
      else reached.innocent++;
      const treatments = new Set(classify(program).map((c) => c.treatment));
      if (!treatments.has("concrete")) reached.all++;
      else if (treatments.size > 1) reached.mixed++;
      expect(result.differences).toEqual([]);
    }),
    { seed: 1, numRuns: 400 },
  );
  // The generator reaches what it is for.
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(50);
});

/** A thread that changes memory from 1 to 2 and looks twice at a cell that fills from it. */
const twoLooks: Protocol = {
  addresses: 1,
  cells: [
    {
      from: "memory",
      guard: "always",
      maps: false,
      yieldsTwo: false,
      refuses: undefined,
      evicts: true,
      ways: undefined,
    },
  ],
  order: "none",
  effect: { cell: 0, only: undefined },
  drift: false,
  device: undefined,
  threads: [
    [
      { do: "store", a: 0, v: 2 },
      { do: "use", cell: 0, a: 0, walks: false },
    ],
  ],
  bad: 1,
};

test("projections, states and violations are counted", () => {
  expect(compareSemantics(lower(build(twoLooks)), STATES_MAX)).toEqual({
    // At the start, after the store, and with 1 (seen to be wrong) or 2 read.
    projections: 4,
    // {} {1}, then three times {} {1} {2} {1,2}.
    concrete_states: 14,
    window_states: 4,
    violated: ["wrong"],
    differences: [],
  });
});

test("a cell of one way stays as it is: a window would say too much", () => {
  const system = build(twoLooks);
  const [only] = system.machine.cells;
  Object.assign(only!, { ways: 1 });
  const program = lower(system);
  const result = compareSemantics(program, STATES_MAX);
  // Once 2 has been read from it the cell cannot hold 1 any more.
  expect(result?.differences).toEqual([]);
  expect(result?.window_states).toBe(result?.concrete_states);
  expect(classify(program)[0]).toMatchObject({
    treatment: "concrete",
    why: "it has room for one entry, so that what it holds keeps others out",
  });
});

test("a window of a cell of one way would say too much", () => {
  const bounded = build(twoLooks);
  Object.assign(bounded.machine.cells[0]!, { ways: 1 });
  const result = compareSemantics(lower(bounded), STATES_MAX, lower(build(twoLooks)));
  expect(result?.differences).toHaveLength(1);
  expect(result?.differences[0]).toMatch(/^c0\[0\] at .*: concrete \{2\}, window \{1,2\}$/);
});

test("more states than asked for are not compared", () => {
  expect(compareSemantics(lower(build(twoLooks)), 5)).toBeUndefined();
});
