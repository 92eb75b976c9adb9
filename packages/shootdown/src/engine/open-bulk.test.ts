// SPDX-License-Identifier: Apache-2.0
// Loops in bulk against the same loops element by element, and against the packed executor.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  at,
  compare,
  compute,
  count,
  counter,
  deep,
  dir,
  EVERY,
  flat,
  gather,
  kept,
  life,
  NONE,
  n,
  near,
  next,
  ok,
  old,
  other,
  PAGES,
  Pages,
  page,
  q,
  rows,
  space,
  stored,
  summed,
  system,
  table,
  tableOf,
  valid,
  word,
} from "../../../../test/support/loops.ts";
import type { Random } from "../base/random.ts";
import { seededRandom } from "../base/random.ts";
import type { Expr, Place } from "../ir/expr.ts";
import * as e from "../ir/expr.ts";
import { bool, int } from "../ir/sort.ts";
import type { Stmt } from "../ir/stmt.ts";
import * as s from "../ir/stmt.ts";
import { lower } from "./lower.ts";
import { findLoops } from "./open-loop.ts";
import type { Initial } from "./program.ts";

const zap = (entry: (p: Expr<"page">) => Place<"word">) => (p: Expr<"page">) => [
  s.xchg(old, entry(p), NONE),
  s.when(
    valid(old),
    s.insert(kept({ table: tableOf(p), p }), old),
    s.emit(stored, { page: p, word: old }),
    s.grow(gather, p),
    count(),
  ),
];
const protect = (entry: (p: Expr<"page">) => Place<"word">) => (p: Expr<"page">) => [
  s.set(old, entry(p)),
  s.when(
    e.and(valid(old), e.not(e.get(old, "ro", bool))),
    s.cas(ok, entry(p), old, e.withFields(old, { ro: e.TRUE })),
    s.emit(stored, { page: p, word: entry(p) }),
    s.grow(gather, p),
    count(e.num(2)),
  ),
];
const ROUTINES: readonly (readonly [string, (p: Expr<"page">) => readonly Stmt[]])[] = [
  ["zap", zap(near)],
  ["zap of two levels", zap(deep)],
  ["protect", protect(near)],
  ["protect of two levels", protect(deep)],
];

/** An entry of each kind at each of the first four pages; frames may run on. */
function contents(choice: readonly number[]): Initial[] {
  const words = [0, 1, 1 + 2 ** 4];
  return choice.flatMap((c, p): Initial[] => {
    const value = words[c]! + (c === 0 ? 0 : 2 * p);
    return [
      { field: flat.decl, index: [1, p], value },
      { field: rows.decl, index: [p < EVERY ? 2 : 3, p], value },
    ];
  });
}

const TABLES: Initial[] = [2, 3].map((t, r) => ({
  field: dir.decl,
  index: [0, r],
  value: 1 + 2 * t,
}));

describe.each(ROUTINES)("%s", (_name, body) => {
  test("every range and every content of four pages", () => {
    for (let content = 0; content < 3 ** 4; content++) {
      const choice = [0, 1, 2, 3].map((p) => Math.floor(content / 3 ** p) % 3);
      for (let lo = 0; lo < 4; lo++) {
        for (let hi = lo + 1; hi <= 4; hi++) {
          compare(system(body, [lo, hi], [...TABLES, ...contents(choice)]));
        }
      }
    }
  });
});

const TWO = e.constant(word, 2 + 1);
const half = (p: Expr<"page">) => compute("div", page, p, e.num(2));
const down = (p: Expr<"page">) => compute("sub", page, at(PAGES - 1), p);
const up = (p: Expr<"page">) => e.ite(e.lt(p, at(PAGES - 1)), e.after(page, p, e.num(1)), p);
const old0 = e.expr<"int">(e.get(old, "frame", page).node);

/** Repetitions that touch one another's elements, or what is no line. */
const HAZARDS: readonly (readonly [string, (p: Expr<"page">) => readonly Stmt[]])[] = [
  ["one element for all", (p) => [s.set(near(p), near(at(3))), s.set(near(at(3)), TWO)]],
  ["an element ahead", (p) => [s.set(old, near(down(p))), s.set(near(p), TWO), count(old0)]],
  ["one element after", (p) => [s.set(near(p), TWO), s.set(old, near(at(3))), count(old0)]],
  ["the next element too", (p) => [s.set(near(p), TWO), s.set(near(up(p)), NONE)]],
  ["the next element", (p) => [s.set(near(p), TWO), s.set(old, near(up(p))), count(old0)]],
  ["from the other end", (p) => [s.set(near(down(p)), TWO), s.set(old, near(p)), count(old0)]],
  ["a counter", () => [s.set(counter(), e.add(counter(), e.num(1)))]],
  ["halves", (p) => [s.set(life(half(p)), e.not(life(half(p))))]],
  ["quarters", (p) => [s.set(q, half(half(p))), s.emit(stored, { page: q, word: NONE })]],
  ["keys that go down", (p) => [s.insert(kept({ table: e.expr(down(p).node), p }), TWO)]],
  ["one key for all", (p) => [s.insert(kept({ table: next, p: at(2) }), near(p))]],
  ["values that carry", (p) => [s.when(e.get(near(p), "ro", bool), s.grow(gather, p))]],
  ["a sum of a line", (p) => [s.set(n, e.add(n, compute("sub", int, p, e.num(0))))]],
];

describe("what was put in is taken out", () => {
  const all = Pages.make(at(0), at(PAGES));
  const CLEARS: readonly (readonly [string, (p: Expr<"page">) => readonly Stmt[]])[] = [
    ["page by page", (p) => [s.clear(kept({ table: e.ANY, p }))]],
    ["one table's", (p) => [s.clear(kept({ table: e.constant(table, 1), p }))]],
    ["from the other end", (p) => [s.clear(kept({ table: e.ANY, p: down(p) }))]],
    ["halves", (p) => [s.clear(kept({ table: e.ANY, p: half(p) }))]],
    ["a page again and again", () => [s.clear(kept({ table: e.ANY, p: at(3) }))]],
    ["all before", (p) => [s.clear(kept({ table: e.ANY, p: e.inRange(Pages.make(at(0), p)) }))]],
    [
      "up to where something changes",
      (p) => [s.clear(kept({ table: e.ANY, p })), s.when(e.eq(p, at(5)), s.set(near(p), TWO))],
    ],
    [
      "and put in again",
      (p) => [
        s.clear(kept({ table: e.ANY, p: e.inRange(all) })),
        s.insert(kept({ table: next, p }), TWO),
      ],
    ],
  ];

  test.each(CLEARS)("%s", (_name, body) => {
    const put = (p: Expr<"page">) => [
      s.insert(kept({ table: next, p }), near(p)),
      s.insert(kept({ table: e.constant(table, 1), p }), TWO),
    ];
    for (let lo = 0; lo < PAGES; lo++) {
      for (const stride of [1, 3]) {
        const range = Pages.make(at(lo), at(PAGES - 1));
        const clears = s.each(page, range, body, stride === 1 ? undefined : e.num(stride));
        compare(system(put, [1, PAGES], [], 1, [clears]));
      }
    }
  });
});

describe("hazards", () => {
  test.each(HAZARDS)("%s", (_name, body) => {
    for (const first of [0, 5, 9]) {
      for (const slope of [0, 2]) {
        const initial = Array.from({ length: PAGES }, (_, p) => {
          return { field: flat.decl, index: [1, p], value: first + slope * p };
        });
        const clears = [
          s.clear(kept({ table: e.ANY, p: e.inRange(Pages.make(at(2), at(4))) }), valid),
          s.clear(kept({ table: e.constant(table, 1), p: e.ANY })),
        ];
        for (let lo = 0; lo < PAGES; lo++) {
          compare(system(body, [lo, PAGES], initial, 1, clears));
          compare(system(body, [lo, PAGES], initial, 3));
        }
      }
    }
  });

  test("a loop that changes its own register, or is left, is not safe", () => {
    const loops = (body: (p: Expr<"page">) => readonly Stmt[]) =>
      findLoops(lower(system(body, [0, PAGES], []), { keepAll: true }).threads[0]!.instrs).size;
    const assigned = (p: Expr<"page">) => ({ ...p, place: true }) as Place<"page">;
    expect(loops((p) => [s.set(near(p), NONE)])).toBe(1);
    expect(loops((p) => [s.set(near(p), NONE), s.set(assigned(p), at(5))])).toBe(0);
    expect(loops((p) => [s.set(near(p), NONE), s.when(ok, s.leave())])).toBe(0);
    expect(loops((p) => [s.when(ok, s.set(near(p), NONE)), s.set(ok, e.TRUE)])).toBe(0);
    expect(loops((p) => [s.await_(life(p)), s.set(near(p), NONE)])).toBe(0);
    expect(loops((p) => [count(), s.when(e.eq(n, e.num(3)), s.set(near(p), NONE))])).toBe(0);
    expect(loops((p) => [count(), s.when(ok, s.set(near(p), NONE))])).toBe(1);
    const moving = s.each(page, gather, (p) => [s.set(near(p), TWO), s.grow(gather, at(5))]);
    const sys = system((p) => [s.grow(gather, p)], [2, 3], [], 1, [moving]);
    expect(findLoops(lower(sys).threads[0]!.instrs).size).toBe(1);
    compare(sys);
  });
});

class Bodies {
  private readonly random: Random;
  constructor(random: Random) {
    this.random = random;
  }

  one<T>(...options: readonly (() => T)[]): T {
    return options[this.random.below(options.length)]!();
  }

  page(p: Expr<"page">): Expr<"page"> {
    return this.one<Expr<"page">>(
      () => p,
      () => p,
      () => p,
      () => q,
      () => other(p),
      () => at(this.random.below(PAGES)),
      () => e.get(old, "frame", page),
      () => compute("sub", page, at(PAGES - 1), p),
      () => compute("div", page, p, e.num(2)),
      () => compute("div", page, compute("div", page, p, e.num(2)), e.num(2)),
      () => compute("mul", page, compute("div", page, p, e.num(2)), e.num(2)),
    );
  }

  place(p: Expr<"page">): Place<"word"> {
    const own = this.random.below(4) > 0 ? p : this.page(p);
    return this.one(
      () => near(own),
      () => flat(e.constant(space, 0), own),
      () => deep(own),
    );
  }

  table(p: Expr<"page">): Expr<"table"> {
    return this.one<Expr<"table">>(
      () => e.constant(table, this.random.below(PAGES)),
      () => tableOf(p),
      () => tableOf(p),
      () => next,
      () => compute("sub", table, p, e.num(0)),
    );
  }

  /** What comes after the loop: entries go, and some are found. */
  after(): Stmt[] {
    const range = Pages.make(at(this.random.below(4)), at(2 + this.random.below(6)));
    const where = e.constant(page, 2 + this.random.below(4));
    return [
      this.one<Stmt>(
        () => s.clear(kept({ table: e.ANY, p: e.inRange(range) })),
        () => s.clear(kept({ table: this.table(at(3)), p: e.ANY })),
        () => s.clear(kept({ table: e.ANY, p: at(3) })),
        () => s.clear(kept({ table: e.ANY, p: e.ANY }), (x) => e.get(x, "ro", bool)),
        () =>
          s.clear(kept({ table: e.ANY, p: e.inRange(range) }), (x) =>
            e.le(e.get(x, "frame", page), where),
          ),
      ),
      this.one<Stmt>(
        () => s.insert(kept({ table: tableOf(at(4)), p: at(4) }), e.constant(word, 5)),
        () => s.clear(kept({ table: e.ANY, p: at(5) }), (x) => e.eq(x, old)),
        () => s.each(page, Pages.make(at(this.random.below(4)), at(7)), (p) => this.clearing(p)),
        () => s.set(ok, e.TRUE),
      ),
    ];
  }

  /** A body that takes out what loops before it have put in. */
  clearing(p: Expr<"page">): Stmt[] {
    const key = this.random.below(2) > 0 ? p : this.page(p);
    const table = this.random.below(2) > 0 ? e.ANY : this.table(p);
    const range = e.inRange(Pages.make(this.page(p), at(6)));
    const clear = s.clear(kept({ table, p: this.random.below(4) > 0 ? key : range }));
    return this.random.below(3) > 0 ? [clear] : [this.stmt(p, 0), clear];
  }

  word(p: Expr<"page">): Expr<"word"> {
    return this.one<Expr<"word">>(
      () => old,
      () => this.place(p),
      () => e.constant(word, this.random.below(32)),
      () => e.withFields(old, { frame: this.page(p) }),
      () => e.withFields(this.place(p), { ro: e.TRUE, valid: this.cond(p, 0) }),
      () => e.ite(this.cond(p, 0), old, e.withFields(NONE, { frame: p, valid: e.TRUE })),
    );
  }

  cond(p: Expr<"page">, depth = 1): Expr<"bool"> {
    return this.one<Expr<"bool">>(
      () => valid(old),
      () => ok,
      () => life(this.page(p)),
      () => e.eq(this.page(p), this.page(p)),
      () => e.lt(this.page(p), this.page(p)),
      () => e.ne(e.get(this.place(p), "frame", page), p),
      () => Pages.contains(Pages.make(at(2), this.page(p)), p),
      () => Pages.overlaps(Pages.one(p), Pages.make(q, at(6))),
      () => (depth > 0 ? e.not(this.cond(p, depth - 1)) : e.TRUE),
      () => (depth > 0 ? e.and(this.cond(p, 0), this.cond(p, 0)) : e.FALSE),
      () => (depth > 0 ? e.or(this.cond(p, 0), this.cond(p, 0)) : e.FALSE),
    );
  }

  stmt(p: Expr<"page">, depth: number): Stmt {
    const inner = () => this.block(p, depth - 1);
    const leaves: (() => Stmt)[] = [
      () => s.set(old, this.word(p)),
      () => s.set(q, this.page(p)),
      () => s.set(ok, this.cond(p)),
      () => s.set(this.place(p), this.word(p)),
      () => s.xchg(old, this.place(p), this.word(p)),
      () => s.cas(ok, this.place(p), this.word(p), this.word(p)),
      () => s.set(life(this.page(p)), this.cond(p)),
      () => s.set(other(this.page(p)), this.page(p)),
      () => s.set(counter(), e.add(counter(), e.num(1))),
      () => s.emit(stored, { page: this.page(p), word: this.word(p) }),
      () => s.emit(summed, { pages: Pages.one(p), int: e.num(3) }),
      () => s.insert(kept({ table: this.table(p), p: this.page(p) }), this.word(p)),
      () => s.insert(kept({ table: tableOf(p), p }), old),
      () => s.grow(gather, this.page(p)),
      () => count(),
      () => s.set(n, e.add(compute("div", int, p, e.num(2)), n)),
      () => s.set(n, e.add(n, compute("sub", int, p, e.num(0)))),
    ];
    if (depth === 0) return this.one(...leaves);
    return this.one(
      ...leaves,
      () => s.whenElse(this.cond(p), inner(), inner()),
      () => s.when(this.cond(p), ...inner()),
      () => s.when(this.cond(p), s.again()),
      () => s.atomic(...inner()),
      () => s.each(page, Pages.make(at(this.random.below(4)), at(3)), () => inner()),
    );
  }

  block(p: Expr<"page">, depth: number): Stmt[] {
    // Often an old entry is read first, as loops over tables do.
    const read: Stmt[] =
      this.random.below(2) > 0
        ? [s.set(old, this.place(p)), s.set(q, p), s.set(ok, valid(old))]
        : [];
    return [
      ...read,
      ...Array.from({ length: 1 + this.random.below(3) }, () => this.stmt(p, depth)),
    ];
  }

  /** Contents with runs in them. */
  initial(): Initial[] {
    const table0 = this.random.below(3);
    // Contents without breaks make long batches, in which repetitions could disturb one another.
    const even = this.random.below(2) === 0;
    const step = this.random.below(2) * 2;
    const found: Initial[] = [];
    for (const [name, count] of [
      ["a", 0],
      ["b", 1],
      ["rows", 2],
    ] as const) {
      let value = 0;
      for (let p = 0; p < PAGES; p++) {
        const change = even ? (p === 0 ? 0 : step > 0 ? 1 : 3) : this.random.below(4);
        if (change === 0) value = this.random.below(32);
        else if (change < 3 && value !== 0) value = (value + 2) % 32;
        const index = name === "rows" ? [table0 + Math.floor(p / EVERY), p] : [count, p];
        found.push({ field: name === "rows" ? rows.decl : flat.decl, index, value });
      }
    }
    for (let r = 0; r < PAGES / EVERY; r++) {
      const next = even || this.random.below(5) > 0 ? table0 + r : this.random.below(PAGES);
      found.push({ field: dir.decl, index: [0, r], value: 1 + 2 * next });
    }
    return found;
  }
}

describe("random loops", () => {
  test("bulk, element by element and packed agree", () => {
    let safe = 0;
    let groups = 0;
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const g = new Bodies(seededRandom(seed));
        const random = seededRandom(seed + 1);
        const lo = random.below(3);
        const range = [lo, PAGES - random.below(3)] as const;
        const stride = random.below(5) === 0 ? 2 : 1;
        const sys = system((p) => g.block(p, 2), range, g.initial(), stride, g.after());
        safe += findLoops(lower(sys).threads[0]!.instrs).size > 0 ? 1 : 0;
        groups += compare(sys);
      }),
      { numRuns: 700, seed: 3 },
    );
    // The test means something only if many loops run in bulk, and many batches are long.
    expect(safe).toBeGreaterThan(200);
    expect(groups).toBeGreaterThan(50);
  });
});
