// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { Expr } from "./expr.ts";
import {
  ANY,
  add,
  and,
  constant,
  eq,
  FALSE,
  field,
  get,
  inRange,
  ite,
  knobIs,
  le,
  limit,
  lt,
  member,
  named,
  ne,
  not,
  num,
  or,
  outstanding,
  place,
  rangeOps,
  sub,
  TRUE,
  withFields,
} from "./expr.ts";
import { cell, declare, define, event, observer, on, pending, rule } from "./machine.ts";
import {
  printCell,
  printDefinition,
  printExpr,
  printObserver,
  printPending,
  printRule,
  printStmt,
} from "./print.ts";
import { bool, enumeration, int, ordered, rangeOf, symbol, word } from "./sort.ts";
import { numberSteps } from "./steps.ts";
import * as s from "./stmt.ts";

const page = ordered("page");
const span = rangeOf("span", page);
const pages = rangeOps(page, span);
const core = symbol("core");
const kind = enumeration("kind", ["read", "write"]);
const entry = word("entry", [
  { name: "valid", sort: bool },
  { name: "kind", sort: kind },
]);
const EMPTY = constant(entry, 0);
const valid = (e: Expr<"entry">) => get(e, "valid", bool);

const table = field("table", [page], entry);
const busy = field("busy", [], bool);
const cache = cell("cache", {
  keys: { core, page },
  value: entry,
  source: { file: "toy.md" },
  locals: { e: entry },
  fill: ({ page: p, e }) => [s.set(e, table(p)), s.when(valid(e), s.yields(e))],
  admits: (e) => valid(e),
  ways: 1,
});
const slots = cell("slots", {
  keys: { core },
  value: page,
  source: { file: "toy.md" },
  evicts: false,
});
const queue = pending("queue", {
  keys: { core },
  entry: { op: kind, page },
  capacity: "QUEUE_MAX",
  orderBy: "op",
  order: [["write", "*"]],
  ready: () => not(busy()),
  effect: ({ page: p }) => [s.clear(cache({ core: ANY, page: p }))],
  source: { file: "toy.md", rules: ["Q1", "Q2"] },
});
const bag = pending("bag", {
  keys: {},
  entry: { page },
  capacity: "BAG_MAX",
  effect: () => [],
  source: { file: "toy.md" },
});
const touched = event("touched", { page, by: core });
const helper = declare("helper", { page, hard: bool });
const count = declare("count", { span }, int);
const every = declare("every", { core, page, range: span }, bool);

const body = define(every, {
  source: { file: "toy/every.c", function: "__every", rules: ["A1", "B2"] },
  kernels: "1.0..3.0",
  abstracts: ["locks", "errors"],
  locals: { old: entry, ok: bool, n: int, found: span },
  body: ({ core: c, page: p, range, old, ok, n, found }) => [
    s.set(old, table(p)),
    s.set(busy(), TRUE),
    s.xchg(old, table(p), EMPTY),
    s.cas(ok, table(p), old, withFields(old, { valid: FALSE })),
    s.when(not(ok), s.ret(FALSE)),
    s.whenElse(valid(old), [s.set(ok, TRUE)], [s.set(ok, FALSE)]),
    s.whenElse(
      ok,
      [s.call(helper, { page: p, hard: TRUE }), s.callInto(n, count, { span: range })],
      [s.whenElse(lt(n, num(3)), [s.set(n, num(0))], [s.set(n, num(1))])],
    ),
    s.loop(s.when(busy(), s.again()), s.leave()),
    s.each(page, range, (q) => [s.grow(found, q)], num(2)),
    s.forall(core, (d) => [s.emit(touched, { page: p, by: d })]),
    s.label("wait", s.await_(not(outstanding(queue({ core: c }), { op: member(kind, "write") })))),
    s.retry(valid(table(p))),
    s.choose(c as never, core),
    s.choose(n, int, le(n, limit("N_MAX"))),
    s.either([s.set(n, num(0))], [s.set(n, num(1)), s.leave()]),
    s.atomic(s.lookup(old, cache({ core: c, page: p })), s.pick(old, cache({ core: c, page: p }))),
    s.insert(slots({ core: c }), p),
    s.clear(cache({ core: ANY, page: inRange(range) }), (e) => not(valid(e))),
    s.clear(cache({ core: c, page: p })),
    s.post(queue({ core: c }), { op: member(kind, "read"), page: p }),
    s.since("2.0", [s.set(n, num(20))], [s.set(n, num(10)), s.set(n, num(11))]),
    s.yields(old),
    s.yieldsHeld(cache({ core: c, page: p })),
    s.violate("safe"),
    s.ret(ok),
  ],
});

const EVERY = `\
/*
 * toy/every.c: __every()
 * rules: A1, B2
 * kernels 1.0..3.0, shown at 2.0
 * abstracts: locks, errors
 */
bool every(core, page, span range)
{
        entry old;
        bool ok;
        int n;
        span found;

  1     old = READ table(page);
  2     busy() = true;
  3     old = xchg(table(page), 0);
  4     ok = cmpxchg(table(page), old, { old, .valid = false });
  5     if (!ok)
  6         return false;
  7     if (old.valid)
  8         ok = true;
        else
  9         ok = false;
 10     if (ok) {
 11         helper(page, hard: true);
 12         n = count(span: range);
 13     } else if (n < 3) {
 14         n = 0;
        } else {
 15         n = 1;
        }
 16     for (;;) {
 17         if (busy())
 18             continue;
 19         break;
        }
 20     for_each(page2, range, 2) {
 21         grow(found, page2);
        }
 22     for_all(core2, core) {
 23         emit(touched, page, by: core2);
        }
    wait:
 24     wait_until(!outstanding(queue(core), op: write));
 25     retry_from_here(permitted: table(page).valid);
 26     core = any(core);
 27     n = any(int where n <= N_MAX);
 28     either {
 29         n = 0;
        } or {
 30         n = 1;
 31         break;
        }
        atomic {
 32         old = lookup(cache(core, page));
 33         old = pick(cache(core, page));
        }
 34     insert(slots(core), page);
 35     clear(cache(*, in range) where !entry.valid);
 36     clear(cache(core, page));
 37     post(queue(core), op: read, page);
 38     n = 20;
 39     yield old;
 40     yield all(cache(core, page));
 41     violate(safe);
 42     return ok;
}
`;

test("a routine with every kind of statement", () => {
  expect(printDefinition(body, "2.0")).toBe(EVERY);
});

test("a version before `since` has the other branch, and its own numbers", () => {
  const lines = printDefinition(body, "1.0").split("\n");
  expect(lines).toContain(" * kernels 1.0..3.0, shown at 1.0");
  const at = lines.indexOf(" 38     n = 10;");
  expect(lines.slice(at, at + 3)).toEqual([
    " 38     n = 10;",
    " 39     n = 11;",
    " 40     yield old;",
  ]);
});

test("the numbers are those of the steps", () => {
  const numbers = numberSteps(body.body(), "2.0");
  const lines = printDefinition(body, "2.0").split("\n");
  for (const [stmt, number] of numbers) {
    const line = lines.find((l) => l.startsWith(`${number}`.padStart(3)));
    if (["each", "forall", "grow", "emit"].includes(stmt.k)) continue;
    expect(line).toContain(printStmt(stmt));
  }
});

test("a statement value that stands in two places has one number", () => {
  const twice = s.set(busy(), TRUE);
  const last = s.set(busy(), FALSE);
  expect([...numberSteps([twice, twice, last], "1").values()]).toEqual([1, 2]);
});

test("short sources stay on one line", () => {
  const small = define(declare("small", {}), {
    source: { file: "toy/small.c" },
    body: () => [s.set(busy(), FALSE)],
  });
  expect(printDefinition(small, "9")).toBe(
    "/* toy/small.c: small() */\nvoid small()\n{\n  1     busy() = false;\n}\n",
  );
});

test("long notes are wrapped", () => {
  const small = define(declare("small", {}), {
    source: { file: "toy/small.c" },
    abstracts: ["a lock that is taken around the whole of this", "statistics", "x".repeat(60)],
    body: () => [],
  });
  expect(printDefinition(small, "9")).toBe(`\
/*
 * toy/small.c: small()
 * abstracts: a lock that is taken around the whole of this, statistics,
 *   ${"x".repeat(60)}
 */
void small()
{
}
`);
});

test("a rule: the guard is step 1", () => {
  const spill = rule("spill", {
    forall: { core, from: page },
    when: ({ from }) => valid(table(from)),
    body: ({ from }) => [s.set(table(from), EMPTY)],
    source: { file: "toy.md", rules: ["R7"] },
  });
  expect(printRule(spill, "1")).toBe(`\
/* toy.md; rules: R7 */
rule spill(core, page from)
{
  1     wait_until(table(from).valid);
  2     table(from) = 0;
}
`);
});

test("a cell that fills, and one that does not", () => {
  expect(printCell(cache.decl, "1")).toBe(`\
/* toy.md */
cell cache(core, page) of entry, evicts at any time, 1 at a time
    admits entry if (entry.valid)
    fills with
{
        entry e;

  1     e = READ table(page);
  2     if (e.valid)
  3         yield e;
}
`);
  expect(printCell(slots.decl, "1")).toBe(
    "/* toy.md */\ncell slots(core) of page, never evicts\n    holds what is inserted\n",
  );
});

test("pending sets with and without an order", () => {
  expect(printPending(queue.decl, "1")).toBe(`\
/* toy.md; rules: Q1, Q2 */
pending queue(core), at most QUEUE_MAX of
    { kind op, page }
    in order by op: write before *
    ready if (!busy())
    takes effect
{
  1     clear(cache(*, page));
}
`);
  expect(printPending(bag.decl, "1")).toBe(`\
/* toy.md */
pending bag(), at most BAG_MAX of
    { page }
    in any order
    takes effect
{
}
`);
});

test("an observer", () => {
  const safe = observer(
    "safe",
    "nobody touches an empty page",
    on(touched, ({ page: p }) => [s.when(not(valid(table(p))), s.violate("safe"))]),
    on(event("done", {}), () => [s.violate("safe")]),
  );
  expect(printObserver(safe, "1")).toBe(`\
/* nobody touches an empty page */
observer safe
on touched(page, core by)
{
  1     if (!table(page).valid)
  2         violate(safe);
}
on done()
{
  1     violate(safe);
}
`);
});

const a = place<"bool">({ k: "local", name: "a", sort: bool });
const b = place<"bool">({ k: "local", name: "b", sort: bool });
const i = place<"int">({ k: "local", name: "i", sort: int });
const r = place<"span">({ k: "local", name: "r", sort: span });

test.each([
  [or(and(a, b), not(a)), "a && b || !a"],
  [and(or(a, b), a), "(a || b) && a"],
  [and(a, and(b, a)), "a && (b && a)"],
  [or(a, or(b, and(a, b))), "a || (b || a && b)"],
  [not(and(a, b)), "!(a && b)"],
  [not(busy()), "!busy()"],
  [eq(eq(a, b), a), "(a == b) == a"],
  [ne(a, lt(i, num(2))), "a != i < 2"],
  [sub(i, sub(i, num(1))), "i - (i - 1)"],
  [sub(sub(i, num(1)), i), "i - 1 - i"],
  [add(i, add(i, i)), "i + (i + i)"],
  [add(i, sub(i, i)), "i + (i - i)"],
  [le(add(i, num(1)), limit("N")), "i + 1 <= N"],
  [ite(a, i, num(0)), "a ? i : 0"],
  [add(ite(a, i, num(0)), num(1)), "(a ? i : 0) + 1"],
  [ite(a, i, ite(b, num(1), num(0))), "a ? i : b ? 1 : 0"],
  [pages.one(named(page, "x")), "[x, x + 1)"],
  [pages.lo(r), "r.start"],
  [pages.hi(r), "r.end"],
  [pages.empty(r), "empty(r)"],
  [pages.contains(r, named(page, "x")), "contains(r, x)"],
  [pages.overlaps(r, r), "overlaps(r, r)"],
  [knobIs("depth", "deep"), "knob(depth) == deep"],
  [not(knobIs("depth", "deep")), "!(knob(depth) == deep)"],
  [valid(withFields(EMPTY, { valid: TRUE })), "{ .valid = true }.valid"],
  [member(kind, "write"), "write"],
  [outstanding(queue({ core: ANY })), "outstanding(queue(*))"],
])("%# %s", (e, text) => {
  expect(printExpr(e.node)).toBe(text);
});

test("registers, and statements that are never on a line of their own", () => {
  expect(printExpr({ k: "reg", reg: 4, sort: int })).toBe("r4");
  expect(printStmt(s.when(a, s.leave()))).toBe("if (a)");
  expect(printStmt(s.label("here"))).toBe("here:");
  expect(printStmt(s.since("2", []))).toBe("since 2");
  expect(printStmt(s.atomic())).toBe("atomic");
  expect(printStmt(s.loop())).toBe("for (;;)");
  expect(printStmt(s.ret())).toBe("return;");
});
