// SPDX-License-Identifier: Apache-2.0

import { expect, test } from "vitest";
import type { Expr, Node } from "../ir/expr.ts";
import {
  add,
  and,
  constant,
  eq,
  expr,
  FALSE,
  field,
  get,
  inRange,
  ite,
  knobIs,
  le,
  limit,
  lt,
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
} from "../ir/expr.ts";
import { pending } from "../ir/machine.ts";
import type { AnySort, Ty } from "../ir/sort.ts";
import { bool, int, ordered, rangeOf, word } from "../ir/sort.ts";
import type { Scope } from "./fold.ts";
import { arith, fold } from "./fold.ts";
import { nodeText } from "./text.ts";

const page = ordered("page");
const span = rangeOf("span", page);
const pages = rangeOps(page, span);
const pair = word("pair", [
  { name: "a", sort: bool },
  { name: "b", sort: page },
]);
const constantly = field("constantly", [page], int, 7);
const changing = field("changing", [page], int);
const waiting = pending("waiting", {
  keys: { page },
  entry: { page },
  capacity: "N",
  effect: () => [],
  source: { file: "toy" },
});

const scope: Scope = {
  domain: { sizes: { page: 4, int: 16 }, names: { page: ["x", "y"] }, limits: { N: 3 } },
  knob: (name) => ({ speed: "high" })[name] ?? "unset",
  constantField: (decl, [at]) => (decl === constantly.decl ? decl.initial + (at ?? 0) : undefined),
};

const reg = <S extends string>(n: number, sort: Ty<S>): Expr<S> => expr({ k: "reg", reg: n, sort });
const env = new Map<string, Node>([
  ["known", { k: "const", value: 2, sort: page }],
  ["p", { k: "reg", reg: 1, sort: page }],
]);
const known = place<"page">({ k: "local", name: "known", sort: page });
const p = place<"page">({ k: "local", name: "p", sort: page });
const flag = reg(5, bool);
const n = reg(6, int);
const pg = (value: number) => constant(page, value);
const folded = (e: Expr<string>): string => nodeText(fold(e.node, env, scope));

test.each<readonly [Expr<string>, string]>([
  [known, "2"],
  [p, "r1"],
  [named(page, "y"), "1"],
  [limit("N"), "3"],
  [knobIs("speed", "high"), "1"],
  [knobIs("speed", "low"), "0"],
  [constantly(known), "9"],
  [constantly(p), "constantly[r1]"],
  [changing(known), "changing[2]"],
  [add(num(2), sub(num(5), num(1))), "6"],
  [add(n, num(1)), "(r6 + 1)"],
  [eq(known, pg(2)), "1"],
  [ne(known, pg(2)), "0"],
  [eq(p, p), "1"],
  [ne(n, n), "0"],
  [lt(num(1), num(2)), "1"],
  [le(num(3), num(2)), "0"],
  [not(TRUE), "0"],
  [and(TRUE, flag), "r5"],
  [and(flag, FALSE), "0"],
  [or(flag, TRUE), "1"],
  [or(FALSE, flag), "r5"],
  [ite(TRUE, n, num(1)), "r6"],
  [ite(eq(known, pg(1)), n, num(1)), "1"],
  [ite(flag, n, num(1)), "ite(r5,r6,1)"],
])("%# folds", (e, text) => {
  expect(folded(e)).toBe(text);
});

test.each<readonly [string, Expr<string>, string]>([
  ["bounds of a range that is built", pages.lo(pages.make(p, pg(3))), "r1"],
  ["bounds of a range that is not", pages.hi(reg(3, span)), "hi(r3)"],
  ["an empty range", pages.empty(pages.make(pg(2), pg(2))), "1"],
  ["a range of one", pages.empty(pages.one(known)), "0"],
  ["contained", pages.contains(pages.make(pg(1), pg(3)), known), "1"],
  ["not contained: the end is exclusive", pages.contains(pages.make(pg(0), pg(2)), known), "0"],
  ["overlapping", pages.overlaps(pages.make(pg(0), pg(3)), pages.one(known)), "1"],
  ["adjacent", pages.overlaps(pages.make(pg(0), pg(2)), pages.one(known)), "0"],
  ["unknown", pages.contains(reg(3, span), known), "contains(r3,2)"],
])("ranges: %s", (_, e, text) => {
  expect(folded(e)).toBe(text);
});

test("a constant of a range sort is an encoded pair, not an element", () => {
  const encoded = constant(span, 5);
  expect(folded(pages.empty(encoded))).toBe("empty(5)");
  expect(folded(pages.contains(encoded, known))).toBe("contains(5,2)");
});

test("words", () => {
  const empty = constant(pair, 0);
  const full = withFields(empty, { a: TRUE, b: known });
  expect(folded(full)).toBe("5");
  expect(folded(get(full, "b", page))).toBe("2");
  expect(folded(withFields(empty, { b: p }))).toBe("0{b:r1}");
  expect(folded(get(withFields(empty, { b: p }), "a", bool))).toBe("0{b:r1}.a");
});

test("pending sets keep their patterns", () => {
  const asked = outstanding(waiting({ page: inRange(pages.one(known)) }), { page: p });
  expect(folded(asked)).toBe("outstanding(waiting[in range(2,3)]{page:r1})");
});

test.each<readonly [Expr<string>, string]>([
  [place({ k: "local", name: "nobody", sort: int as AnySort }), "unknown local nobody"],
  [named(page, "z"), "the domain has no page z"],
  [limit("M"), "the domain has no limit M"],
])("%# mistakes are named", (e, message) => {
  expect(() => folded(e)).toThrow(message);
});

test("known registers are put in, and what knows nothing new is the same node", () => {
  const sum = add(n, num(1)).node;
  const knows = (r: number): Scope => ({
    ...scope,
    register: (at) => (at === r ? num(2).node : undefined),
  });
  expect(nodeText(fold(sum, env, knows(6)))).toBe("3");
  expect(fold(sum, env, knows(5))).toBe(sum);
});

test("arithmetic on numbers", () => {
  expect(arith("div", [7, 2])).toBe(3);
  expect(arith("le", [2, 2])).toBe(1);
  expect(() => arith("range", [1, 2])).toThrow("range is not arithmetic");
});
