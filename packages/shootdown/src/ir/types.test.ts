// SPDX-License-Identifier: Apache-2.0
// Wrong uses of the combinators are compile errors, at the argument that is wrong.
//
// `tsc` is the test: an unused `@ts-expect-error` is an error. Nothing here is ever run.

import { expect, test } from "vitest";
import type { Expr } from "./expr.ts";
import {
  ANY,
  add,
  and,
  constant,
  eq,
  field,
  ite,
  lt,
  member,
  not,
  num,
  outstanding,
  rangeOps,
  TRUE,
} from "./expr.ts";
import { cell, declare, define, event, observer, on, pending, rule } from "./machine.ts";
import { bool, enumeration, int, ordered, rangeOf, symbol } from "./sort.ts";
import * as s from "./stmt.ts";

const space = symbol("space");
const page = ordered("page");
const span = rangeOf("span", page);
const entry = symbol("entry");
const kind = enumeration("kind", ["read", "write"]);
const pages = rangeOps(page, span);
const source = { file: "types.test.ts" };

const table = field("table", [space, page], entry);
const cache = cell("cache", { keys: { space, page }, value: entry, source });
const queue = pending("queue", {
  keys: { space },
  entry: { kind, page },
  capacity: "N",
  orderBy: "kind",
  effect: ({ space: a, page: p }) => [s.clear(cache({ space: a, page: p }))],
  source,
});
const flush = declare("flush", { space, range: span });
const count = declare("count", { range: span }, int);
const moved = event("moved", { space, page });
const EMPTY = constant(entry, 0);

const routine = declare("routine", { a: space, p: page, range: span }, bool);

export const wrong = () =>
  define(routine, {
    source,
    locals: { old: entry, n: int, ok: bool },
    body: ({ a, p, range, old, n, ok }) => [
      s.set(table(a, p), EMPTY),
      s.set(
        table(
          // @ts-expect-error indices swapped
          p,
          a,
        ),
        EMPTY,
      ),
      s.set(
        table(a, p),
        // @ts-expect-error a number where an entry is due
        n,
      ),
      s.set(
        // @ts-expect-error a parameter is not a place
        p,
        p,
      ),
      s.set(
        n,
        // @ts-expect-error a local of another sort
        old,
      ),

      s.xchg(old, table(a, p), EMPTY),
      s.xchg(
        n,
        // @ts-expect-error the old value does not fit the local
        table(a, p),
        EMPTY,
      ),
      s.xchg(
        old,
        table(a, p),
        // @ts-expect-error a page where an entry is due
        p,
      ),

      s.cas(ok, table(a, p), old, EMPTY),
      s.cas(
        // @ts-expect-error the answer is a bool
        n,
        table(a, p),
        old,
        EMPTY,
      ),
      s.cas(
        ok,
        table(a, p),
        // @ts-expect-error expects an entry
        n,
        EMPTY,
      ),
      s.cas(
        ok,
        table(a, p),
        old,
        // @ts-expect-error stores an entry
        TRUE,
      ),

      s.call(flush, { space: a, range }),
      s.call(flush, {
        space: a,
        // @ts-expect-error a page where a range is due
        range: p,
      }),
      s.call(
        flush,
        // @ts-expect-error an argument is missing
        { space: a },
      ),
      s.call(flush, {
        space: a,
        range,
        // @ts-expect-error an argument too many
        hard: ok,
      }),
      s.call(
        // @ts-expect-error a result that is thrown away
        count,
        { range },
      ),

      s.callInto(n, count, { range }),
      s.callInto(
        old,
        // @ts-expect-error the result does not fit the local
        count,
        { range },
      ),
      s.callInto(n, count, {
        // @ts-expect-error a page where a range is due
        range: p,
      }),
      s.callInto(
        n,
        // @ts-expect-error there is no result
        flush,
        { space: a, range },
      ),

      s.emit(moved, { space: a, page: p }),
      s.emit(moved, {
        // @ts-expect-error fields swapped
        space: p,
        // @ts-expect-error fields swapped
        page: a,
      }),
      s.emit(
        moved,
        // @ts-expect-error a field is missing
        { space: a },
      ),

      s.post(queue({ space: a }), { kind: member(kind, "read"), page: p }),
      s.post(
        queue({
          // @ts-expect-error a page where a space is due
          space: p,
        }),
        { kind: member(kind, "read"), page: p },
      ),
      s.post(queue({ space: a }), {
        kind: member(kind, "read"),
        // @ts-expect-error a space where a page is due
        page: a,
      }),
      s.post(queue({ space: a }), {
        kind: member(
          kind,
          // @ts-expect-error no such value
          "erase",
        ),
        page: p,
      }),
      s.post(
        queue({ space: a }),
        // @ts-expect-error a field is missing
        { page: p },
      ),

      s.clear(cache({ space: ANY, page: p }), (e) => eq(e, old)),
      s.clear(
        cache({
          space: ANY,
          // @ts-expect-error a space where a page is due
          page: a,
        }),
      ),
      s.clear(
        cache(
          // @ts-expect-error a key is missing
          { space: a },
        ),
      ),
      s.clear(cache({ space: a, page: p }), (e) =>
        eq(
          e,
          // @ts-expect-error compared with another sort
          p,
        ),
      ),

      s.lookup(old, cache({ space: a, page: p })),
      s.lookup(
        n,
        // @ts-expect-error the cell holds another sort
        cache({ space: a, page: p }),
      ),
      s.pick(
        n,
        // @ts-expect-error the cell holds another sort
        cache({ space: a, page: p }),
      ),
      s.insert(
        cache({ space: a, page: p }),
        // @ts-expect-error the cell holds another sort
        n,
      ),

      s.when(eq(old, EMPTY), s.ret(ok)),
      s.when(
        eq(
          old,
          // @ts-expect-error sorts differ
          p,
        ),
      ),
      s.when(
        // @ts-expect-error not a condition
        n,
      ),
      s.when(
        and(
          ok,
          // @ts-expect-error not a condition
          p,
        ),
      ),
      s.await_(
        not(
          // @ts-expect-error not a condition
          old,
        ),
      ),
      s.await_(
        not(
          outstanding(queue({ space: a }), {
            // @ts-expect-error a space where a page is due
            page: a,
          }),
        ),
      ),
      s.set(
        n,
        add(
          n,
          // @ts-expect-error pages are not numbers
          p,
        ),
      ),
      s.set(ok, lt(n, num(3))),
      s.set(
        ok,
        lt(
          n,
          // @ts-expect-error sorts differ
          p,
        ),
      ),
      s.set(
        n,
        ite(
          ok,
          n,
          // @ts-expect-error branches differ
          old,
        ),
      ),
      s.choose(
        n,
        // @ts-expect-error the sort is not the local's
        page,
      ),
      s.when(pages.contains(range, p)),
      s.when(
        pages.contains(
          // @ts-expect-error element and range swapped
          p,
          range,
        ),
      ),
      s.each(page, range, (q) => [
        s.set(
          table(
            a,
            // @ts-expect-error the loop variable is the page
            a,
          ),
          EMPTY,
        ),
        s.set(table(a, q), EMPTY),
      ]),
    ],
  });

export const wrongDeclarations = () => [
  pending("bad", {
    keys: {},
    entry: { page },
    capacity: "N",
    // @ts-expect-error not a field of the entry
    orderBy: "kind",
    effect: () => [],
    source,
  }),
  rule("bad", {
    forall: { p: page },
    // @ts-expect-error a guard is a condition
    when: ({ p }) => p,
    body: () => [],
    source,
  }),
  rule("bad", {
    forall: { p: page },
    when: () => TRUE,
    body: ({
      // @ts-expect-error no such parameter
      q,
    }) => [s.await_(q as Expr<"bool">)],
    source,
  }),
  observer(
    "bad",
    "",
    on(moved, ({ page: p }) => [
      s.set(
        table(
          // @ts-expect-error a page where a space is due
          p,
          p,
        ),
        EMPTY,
      ),
    ]),
  ),
  cell("bad", {
    keys: { page },
    value: entry,
    // @ts-expect-error a condition on the entry
    admits: (e) => e,
    source,
  }),
];

test("wrong uses are for the compiler", () => {
  expect([typeof wrong, typeof wrongDeclarations]).toEqual(["function", "function"]);
});
