// SPDX-License-Identifier: Apache-2.0
// Loops over tables of a few pages, run in every form of the executors and compared.

import { expect } from "vitest";
import { lower } from "../../packages/shootdown/src/engine/lower.ts";
import type { OpenOptions } from "../../packages/shootdown/src/engine/open.ts";
import { OpenMachine } from "../../packages/shootdown/src/engine/open.ts";
import { lowerOpen } from "../../packages/shootdown/src/engine/open-lower.ts";
import { prompt, run } from "../../packages/shootdown/src/engine/open-schedule.ts";
import type { OpenLogEntry, Value } from "../../packages/shootdown/src/engine/open-value.ts";
import { expand, toPacked } from "../../packages/shootdown/src/engine/open-value.ts";
import { PackedMachine } from "../../packages/shootdown/src/engine/packed.ts";
import { DomainOverflow } from "../../packages/shootdown/src/engine/packed-expr.ts";
import type { Initial, Program, System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr, Place } from "../../packages/shootdown/src/ir/expr.ts";
import * as e from "../../packages/shootdown/src/ir/expr.ts";
import { cell, event } from "../../packages/shootdown/src/ir/machine.ts";
import * as sorts from "../../packages/shootdown/src/ir/sort.ts";
import { bool, int } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import * as s from "../../packages/shootdown/src/ir/stmt.ts";

export const PAGES = 8;
export const EVERY = 2;
export const page = sorts.ordered("page");
const pages = sorts.rangeOf("pages", page);
export const Pages = e.rangeOps(page, pages);
const region = sorts.ordered("region");
export const table = sorts.ordered("table");
export const space = sorts.symbol("space");
export const word = sorts.word("word", [
  { name: "valid", sort: bool },
  { name: "frame", sort: page },
  { name: "next", sort: table, overlay: "frame" },
  { name: "ro", sort: bool },
]);

export const flat = e.field("flat", [space, page], word);
export const dir = e.field("dir", [space, region], word);
export const rows = e.field("rows", [table, page], word);
export const life = e.field("life", [page], bool);
export const other = e.field("other", [page], page, 2);
export const counter = e.field("counter", [], int);

export const stored = event("stored", { page, word });
export const summed = event("summed", { pages, int });

/** Old values that some may still see, as loops over tables leave them behind. */
export const kept = cell("kept", {
  keys: { table, p: page },
  value: word,
  source: { file: "open-bulk.test.ts" },
});

export const compute = <S extends string>(
  op: "div" | "sub" | "mul",
  sort: sorts.Ty<S>,
  a: Expr<string>,
  b: Expr<string>,
): Expr<S> => e.expr({ k: "op", op, args: [a.node, b.node], sort });

export const at = (n: number) => e.constant(page, n);
const regionOf = (p: Expr<"page">) => compute("div", region, p, e.num(EVERY));
export const tableOf = (p: Expr<"page">) =>
  e.get(dir(e.constant(space, 0), regionOf(p)), "next", table);
export const deep = (p: Expr<"page">) => rows(tableOf(p), p);
export const near = (p: Expr<"page">) => flat(e.constant(space, 1), p);
const local = <S extends string>(name: string, sort: sorts.Ty<S>): Place<S> =>
  e.place({ k: "local", name, sort });

export const old = local("old", word);
export const next = local("next", table);
export const ok = local("ok", bool);
export const gather = local("gather", pages);
export const n = local("n", int);
export const q = local("q", page);
const LOCALS = { next: table, old: word, ok: bool, gather: pages, n: int, q: page };

export const valid = (x: Expr<"word">) => e.get(x, "valid", bool);
export const count = (by: Expr<"int"> = e.num(1)) => s.set(n, e.add(n, by));
export const NONE = e.constant(word, 0);

/** A thread that runs a loop, and says at the end what it has added up. */
export function system(
  body: (p: Expr<"page">) => readonly Stmt[],
  range: readonly [number, number],
  initial: readonly Initial[],
  stride = 1,
  after: readonly Stmt[] = [],
): System {
  const over = Pages.make(at(range[0]), at(range[1]));
  const loop = s.each(page, over, body, stride === 1 ? undefined : e.num(stride));
  return {
    machine: { cells: [kept.decl], pending: [], rules: [], definitions: [] },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain: {
      sizes: { page: PAGES, region: 4, table: PAGES, space: 2, int: 4096 },
      names: {},
      limits: {},
    },
    knobs: {},
    threads: [
      {
        name: "T",
        locals: LOCALS,
        body: [
          loop,
          ...after,
          s.emit(summed, { pages: gather, int: n }),
          s.emit(stored, { page: q, word: old }),
          s.when(ok, s.emit(summed, { pages: gather, int: n })),
        ],
      },
    ],
    observers: [],
    initial,
    entries: [],
  };
}

interface Result {
  /** What each cell holds. */
  readonly cells: readonly (readonly number[])[];
  readonly log: readonly unknown[];
  readonly fields: Readonly<Record<string, readonly number[]>>;
}

const sizes = (i: sorts.AnySort, p: Program) => p.domain.sizes[i.name]!;

function fieldsOf(p: Program, value: (name: string, index: number[]) => number) {
  return Object.fromEntries(
    p.fields.map((f) => {
      const all = f.index.reduce<number[][]>(
        (done, i) => done.flatMap((d) => Array.from({ length: sizes(i, p) }, (_, v) => [...d, v])),
        [[]],
      );
      return [f.name, all.map((index) => value(f.name, index))];
    }),
  );
}

/** Runs the thread in the packed executor; undefined if the domain is too small. */
function packed(program: Program): Result | undefined {
  const m = new PackedMachine(program, { semantics: "concrete" });
  const log: unknown[] = [];
  m.log = (x) => log.push(x);
  let state = m.initial();
  try {
    for (let steps = 0; steps < 10_000; steps++) {
      m.load(state, 0);
      if (!m.transitions[0]!.run()) break;
      state = m.state.slice();
    }
  } catch (x) {
    if (x instanceof DomainOverflow) return undefined;
    throw x;
  }
  const cells = program.cells[0]!.instances.map((_, n) => m.contents(0, n).sort((a, b) => a - b));
  return { log, cells, fields: fieldsOf(program, (name, index) => m.field(name, index)!) };
}

function open(program: Program, form: Form, sys: System): Result & { groups: number } {
  const entries: OpenLogEntry[] = [];
  const code = form.lowered ? lowerOpen(sys) : program;
  const m = new OpenMachine(code, { ...form, log: (x) => entries.push(x) });
  run(m, prompt());
  expect(m.journal.open).toBe(false);
  const plain = (v: Value) => toPacked(v, pages, program.domain);
  const log = entries
    .flatMap((x) => [...expand(x)])
    .map((x) => ({
      event: x.event,
      args: Object.fromEntries(Object.entries(x.args).map(([k, v]) => [k, plain(v)])),
    }));
  const cells = program.cells[0]!.instances.map(({ key }) =>
    m
      .entries("kept", key)
      .map((x) => x.value)
      .sort((a, b) => a - b),
  );
  const initial = new Map(program.fields.map((f) => [f.name, f.initial]));
  const fields = fieldsOf(program, (name, i) => (m.field(name, i) ?? initial.get(name)) as number);
  return { log, cells, fields, groups: entries.filter((x) => "repeat" in x).length };
}

interface Form extends OpenOptions {
  /** Lowered for the open executor: cells of all keys, whose entries may be runs. */
  readonly lowered: boolean;
}

const stairs = { rows: { index: 0, every: EVERY } };
const FORMS: readonly Form[] = [
  { bulk: false, lowered: false },
  { bulk: false, lowered: true },
  { affine: { word: "frame" }, lowered: false },
  { affine: { word: "frame" }, stairs, lowered: true },
];

/** Every form of the open executor does what the packed one does. */
export function compare(sys: System): number {
  const program = lower(sys, { keepAll: true });
  const expected = packed(program);
  if (!expected) return 0;
  let groups = 0;
  for (const form of FORMS) {
    const found = open(program, form, sys);
    groups = found.groups;
    expect({ form, ...found }).toEqual({ form, ...expected, groups });
  }
  return groups;
}
