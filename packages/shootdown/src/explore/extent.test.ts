// SPDX-License-Identifier: Apache-2.0
// What exceeds a domain ends a search, whichever engine comes to it first.

import { expect, test } from "vitest";
import { lower } from "../engine/lower.ts";
import type { Seen } from "../engine/model-limit.ts";
import { DomainOverflow } from "../engine/packed-expr.ts";
import type { Program, System } from "../engine/program.ts";
import type { Expr } from "../ir/expr.ts";
import * as e from "../ir/expr.ts";
import { cell, event, observer, on, pending } from "../ir/machine.ts";
import { bool, int, ordered, rangeOf, symbol, word } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import type { Engine } from "./tiers.ts";
import { explore } from "./tiers.ts";

const row = symbol("row");
const page = ordered("page");
const pages = rangeOf("pages", page);
const Pages = e.rangeOps(page, pages);
const entry = word("entry", [
  { name: "frame", sort: page },
  { name: "valid", sort: bool },
]);
/** Three pages: their numbers do not fill their bits. */
const SIZES = { row: 2, page: 3, int: 20 };

const flat = e.field("flat", [page], bool);
const rows = e.field("rows", [row, page], bool);
const at = e.field("at", [page], page);
const held = e.field("held", [page], entry);
const by = e.field("by", [], int, 1);
const counted = ["a", "b", "c"].map((name) => e.field(name, [], int));
const COUNTS = e.num(18);
const p0 = e.constant(page, 0);
const x = e.local("x", bool);
const p = e.local("p", page);
const w = e.local("w", entry);
const r = e.local("r", pages);

const seen = event("seen", { x: bool });
const bad = observer(
  "bad",
  "",
  on(seen, (l) => [s.when(l.x, s.violate("bad"))]),
);
const kept = cell("kept", {
  keys: { p: page },
  value: bool,
  fill: ({ p }) => [s.yields(flat(p))],
  source: { file: "toy" },
});

const mail = pending("mail", {
  keys: { row },
  entry: { p: page },
  capacity: "MAIL",
  effect: ({ p }) => [s.set(flat(p), e.TRUE)],
  source: { file: "toy" },
});

/** Three threads count for a while; then a fourth takes these steps. */
function late(...steps: readonly Stmt[]): Program {
  const counts = counted.map((c) => [
    s.loop(s.when(e.eq(c(), COUNTS), s.leave()), s.set(c(), e.add(c(), e.num(1)))),
  ]);
  const ready = e.and(...counted.map((c) => e.eq(c(), COUNTS)));
  const more = e.after(page, at(p0), e.num(1));
  const last = [
    s.await_(ready),
    s.set(at(p0), more),
    s.set(p, e.after(page, at(p0), e.num(2))),
    s.set(flat(e.constant(page, 1)), e.FALSE),
    s.set(rows(e.constant(row, 0), p0), e.FALSE),
    s.set(by(), e.num(0)),
    ...steps,
    s.emit(seen, { x }),
  ];
  const locals = { x: bool, p: page, w: entry, r: pages };
  const system: System = {
    machine: { cells: [kept.decl], pending: [mail.decl], rules: [], definitions: [] },
    kernel: { name: "toy", version: "0", routines: new Map() },
    domain: { sizes: SIZES, names: {}, limits: { MAIL: 1 } },
    knobs: {},
    threads: [...counts, last].map((body, n) => ({
      ...{ name: `T${n}`, body },
      locals: n === 3 ? locals : {},
    })),
    observers: [bad],
    initial: [],
    entries: [],
  };
  return lower(system);
}

const ENGINES: readonly Engine[] = ["closures", "wasm", "javascript", "auto"];

/** What each engine says and has seen, which must be the same. */
function said(program: Program): string {
  const limits = { states_max: 100_000, bytes_max: 2 ** 28 };
  const seen: (Seen | undefined)[] = [];
  const question = { latched: () => false, observers: ["bad"] };
  const answers = ENGINES.map((engine) => {
    try {
      const o = explore(program, question, { semantics: "window", engine, limits, reductions: [] });
      expect(o.states).toBeGreaterThan(5_000);
      return o.observed;
    } catch (error) {
      if (!(error instanceof DomainOverflow)) throw error;
      seen.push(error.seen);
      return error.message;
    }
  });
  for (const s of seen) {
    expect(s).toEqual(seen[0]);
    expect(s!.states).toBeGreaterThan(5_000);
  }
  expect(new Set(answers).size).toBe(1);
  return answers[0]!;
}

/** The page behind the last; the thread's local p is that. */
const beyond: Expr<"page"> = p;
const isPage = e.lt(beyond, e.constant(page, 3));

test.each([
  ["an index of flat", [s.set(x, flat(beyond))]],
  ["an index of flat", [s.set(x, e.not(flat(e.constant(page, 3))))]],
  ["an index of rows", [s.set(x, rows(e.constant(row, 0), beyond))]],
  [
    "an index of rows",
    [s.set(rows(e.constant(row, 0), beyond), e.TRUE), s.set(x, rows(e.constant(row, 1), at(p0)))],
  ],
  ["an index of rows", [s.cas(x, rows(e.constant(row, 0), beyond), e.TRUE, e.FALSE)]],
  ["an index of flat", [s.set(x, e.and(e.not(isPage), flat(beyond)))]],
  ["an index of flat", [s.set(x, e.or(isPage, flat(beyond)))]],
  ["an index of flat", [s.set(x, e.ite(isPage, e.FALSE, flat(beyond)))]],
  ["an index of flat", [s.await_(e.not(e.or(isPage, flat(beyond)))), s.set(x, e.FALSE)]],
  ["an index of at", [s.set(x, flat(at(e.after(page, at(p0), e.num(2)))))]],
  ["a key of kept", [s.lookup(x, kept({ p: beyond }))]],
  [
    "entry.frame",
    [
      s.set(w, e.withFields(held(p0), { frame: e.after(page, p, e.num(1)) })),
      s.set(x, e.eq(e.get(w, "frame", page), at(p0))),
    ],
  ],
  [
    "a bound of pages",
    [s.set(r, Pages.make(e.after(page, p, e.num(1)), p)), s.set(x, Pages.empty(r))],
  ],
  ["a quotient by 0", [s.set(x, e.eq(e.divided(page, at(p0), by()), e.constant(page, 1)))]],
] as const)("%s, after 5,000 states", (what, steps) => {
  expect(said(late(...steps))).toBe(`${what} exceeds the domain`);
});

test.each([
  [s.set(x, e.and(isPage, flat(beyond)))],
  [s.set(x, e.and(e.and(isPage, e.TRUE), e.eq(at(beyond), p)))],
  [s.set(x, e.not(e.or(e.not(isPage), flat(beyond))))],
  [s.set(x, e.not(e.or(e.not(isPage), rows(e.constant(row, 0), beyond))))],
  [s.set(x, e.ite(isPage, flat(beyond), e.FALSE))],
  [s.set(x, e.ite(e.not(isPage), e.FALSE, e.and(e.TRUE, flat(beyond))))],
  [s.when(isPage, s.set(x, flat(beyond)))],
] as const)("what a guard keeps from being asked ends nothing: %#", (step) => {
  expect(said(late(step))).toBe("never");
});

const post = (r: number, to: Expr<"page"> = p0) =>
  s.post(mail({ row: e.constant(row, r) }), { p: to });
/** Somebody looks, or nothing would be posted. */
const look = s.set(x, e.and(flat(p0), e.FALSE));

test.each([
  [s.atomic(post(0), post(0))],
  [s.atomic(post(1), post(0), post(1))],
  [s.atomic(s.when(flat(p0), post(0)), post(0), s.when(e.not(flat(p0)), post(0)))],
  [s.atomic(s.each(page, Pages.make(p0, e.constant(page, 2)), (to) => [post(0, to)]))],
  [s.atomic(s.forall(page, (to) => [post(1, to)]))],
] as const)("more than a set holds, posted in one step: %#", (step) => {
  expect(said(late(step, look))).toBe("what one step posts to mail exceeds the domain");
});

test.each([
  [post(0), post(0), post(0)],
  [s.atomic(post(0), post(1)), s.atomic(post(1), post(0))],
  [s.atomic(s.whenElse(flat(p0), [post(0)], [post(0)]), post(1))],
  [s.each(page, Pages.make(p0, e.constant(page, 2)), (to) => [post(0, to)])],
])("as much as a set holds, posted in one step, waits for room: %#", (...steps) => {
  expect(said(late(...steps, look))).toBe("never");
});
