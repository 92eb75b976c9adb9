// SPDX-License-Identifier: Apache-2.0
// The open machine as a live one: threads that come later, schedulers, and large address spaces.

import { expect, test } from "vitest";
import { seededRandom } from "../base/random.ts";
import type { Expr, Place } from "../ir/expr.ts";
import * as e from "../ir/expr.ts";
import { event, pending } from "../ir/machine.ts";
import * as sorts from "../ir/sort.ts";
import { bool, int } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { OpenMachine } from "./open.ts";
import { lowerOpen, lowerRoutine } from "./open-lower.ts";
import { prompt, run, seeded } from "./open-schedule.ts";
import type { OpenLogEntry } from "./open-value.ts";
import { DomainOverflow } from "./packed-expr.ts";
import type { System } from "./program.ts";

const page = sorts.ordered("page");
const pages = sorts.rangeOf("pages", page);
const Pages = e.rangeOps(page, pages);
const frame = sorts.ordered("frame");
const region = sorts.ordered("region");
const table = sorts.ordered("table");
const space = sorts.symbol("space");
const word = sorts.word("word", [
  { name: "valid", sort: bool },
  { name: "frame", sort: frame },
  { name: "next", sort: table, overlay: "frame" },
]);
const flat = e.field("flat", [space, page], word);
const dir = e.field("dir", [space, region], word);
const rows = e.field("rows", [table, page], word);
const used = e.field("used", [frame], bool);
const total = e.field("total", [], int);

const removed = event("removed", { page, word });
const finished = event("finished", { pages, int });
const source = { file: "open.test.ts" };
const later = pending("later", {
  keys: { space },
  entry: { n: int },
  capacity: "LATER",
  effect: ({ n }) => [s.set(total(), e.add(total(), n))],
  source,
});

const PER_TABLE = 512;
const COUNT = 2 ** 28;
const FIRST = 2 ** 20 + 5;
const SELF = e.constant(space, 40_000);
const local = <S extends string>(name: string, sort: sorts.Ty<S>): Place<S> =>
  e.place({ k: "local", name, sort });
const old = local("old", word);
const gather = local("gather", pages);
const n = local("n", int);

type Entry = (p: Expr<"page">) => Place<"word">;
const near: Entry = (p) => flat(SELF, p);
const deep: Entry = (p) =>
  rows(e.get(dir(SELF, e.divided(region, p, e.num(PER_TABLE))), "next", table), p);

function system(body: readonly Stmt[], more: readonly (readonly Stmt[])[] = []): System {
  return {
    machine: { cells: [], pending: [later.decl], rules: [], definitions: [] },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain: {
      sizes: {
        ...{ page: 2 ** 36, frame: 2 ** 36, region: 2 ** 27, table: 2 ** 27 },
        ...{ space: 2 ** 16, int: 2 ** 40 },
      },
      names: {},
      limits: { LATER: 2 },
    },
    knobs: {},
    threads: [body, ...more].map((b, i) => ({
      name: `T${i}`,
      locals: { old: word, gather: pages, n: int },
      body: b,
    })),
    observers: [],
    initial: [],
    entries: [],
  };
}

const range = Pages.make(e.constant(page, FIRST), e.constant(page, FIRST + COUNT));
const fill = (entry: Entry): Stmt =>
  s.each(page, range, (p) => {
    const at = e.after(frame, p, e.num(3));
    return [
      s.set(entry(p), e.withFields(e.constant(word, 0), { valid: e.TRUE, frame: at })),
      s.set(used(at), e.TRUE),
    ];
  });
const empty = (entry: Entry): Stmt[] => [
  s.each(page, range, (p) => [
    s.xchg(old, entry(p), e.constant(word, 0)),
    s.when(
      e.get(old, "valid", bool),
      s.emit(removed, { page: p, word: old }),
      s.set(used(e.get(old, "frame", frame)), e.FALSE),
      s.grow(gather, p),
      s.set(n, e.add(n, e.num(1))),
    ),
  ]),
  s.emit(finished, { pages: gather, int: n }),
];

const OPTIONS = { affine: { word: "frame" }, stairs: { rows: { index: 0, every: PER_TABLE } } };

test.each([
  ["flat", near],
  ["two-level", deep],
])("a %s table of 2^28 entries is filled and emptied in a batch or two", (_name, entry) => {
  const log: OpenLogEntry[] = [];
  const sys = system([fill(entry), ...empty(entry)]);
  const m = new OpenMachine(lowerOpen(sys), { ...OPTIONS, log: (x) => log.push(x) });
  m.fields.of(dir.decl);
  const tables = [40_000, Math.floor(FIRST / PER_TABLE)];
  m.fields.setRun("dir", tables, COUNT / PER_TABLE + 1, 1 + 2 * 1000, 2);
  run(m, prompt());
  expect(m.halted(m.threads[0]!)).toBe(true);
  expect(log).toHaveLength(2);
  expect(log[0]).toMatchObject({
    repeat: COUNT,
    events: [
      {
        event: "removed",
        args: {
          page: { base: FIRST, slope: 1 },
          word: { base: 1 + 2 * (FIRST + 3), slope: 2 },
        },
      },
    ],
  });
  expect(log[1]).toEqual({
    event: "finished",
    args: { pages: { lo: FIRST, hi: FIRST + COUNT }, int: COUNT },
  });
  expect(m.fields.runs("used", [0], 2 ** 36)).toEqual([]);
});

const routine = (sys: System) =>
  lowerRoutine(sys, {
    name: "add",
    parameters: { by: int },
    locals: {},
    body: [
      s.set(total(), e.add(total(), local("by", int))),
      s.post(later({ space: e.constant(space, 1) }), { n: e.num(100) }),
    ],
  });

test("a routine is called with arguments while the machine lives", () => {
  const sys = system([s.set(total(), e.num(1))]);
  const m = new OpenMachine(lowerOpen(sys));
  run(m, prompt());
  const { thread, parameters } = routine(sys);
  for (const by of [10, 20]) m.spawn(thread, new Map([[parameters.get("by")!, by]]));
  expect(run(m, prompt(), 4)).toBe(4);
  expect(m.field("total", [])).toBe(31);
  expect(m.outstanding("later", [1])).toEqual([{ n: 100 }, { n: 100 }]);
  run(m, prompt());
  expect(m.field("total", [])).toBe(231);
  expect(m.threads.every((t) => m.halted(t))).toBe(true);
});

test("a full set holds its poster back until an entry takes effect", () => {
  const sys = system([s.set(total(), e.num(0))]);
  const m = new OpenMachine(lowerOpen(sys));
  const { thread, parameters } = routine(sys);
  const by = parameters.get("by")!;
  for (let i = 0; i < 3; i++) m.spawn(thread, new Map([[by, 0]]));
  run(m, prompt());
  expect(m.field("total", [])).toBe(300);
  const eager = new OpenMachine(lowerOpen(sys));
  for (let i = 0; i < 3; i++) eager.spawn(thread, new Map([[by, 0]]));
  run(eager, prompt({ eager: true }), 5);
  expect(eager.outstanding("later", [1])).toEqual([]);
});

test("a seed gives one schedule", () => {
  const add = s.set(total(), e.add(total(), e.num(1)));
  const twice = s.set(total(), e.add(total(), total()));
  const sys = system([add, twice, add], [[twice, add, twice]]);
  const totals = (seed: number) => {
    const m = new OpenMachine(lowerOpen(sys));
    run(m, seeded(seededRandom(seed)));
    return m.field("total", []);
  };
  const all = Array.from({ length: 20 }, (_, seed) => totals(seed));
  expect(all).toEqual(Array.from({ length: 20 }, (_, seed) => totals(seed)));
  expect(new Set(all).size).toBeGreaterThan(2);
});

test("a value that does not fit its sort is an error, and the step did not happen", () => {
  const big = e.constant(frame, 2 ** 36);
  const sys = system([
    s.set(near(e.constant(page, 1)), e.withFields(e.constant(word, 0), { frame: big })),
  ]);
  const m = new OpenMachine(lowerOpen(sys));
  expect(() => run(m, prompt())).toThrow(DomainOverflow);
  expect(m.threads[0]!.pc).toBe(0);
});
