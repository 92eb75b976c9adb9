// SPDX-License-Identifier: Apache-2.0
// Small random systems that use every kind of declaration, statement and expression.

import type { Random } from "../../packages/shootdown/src/base/random.ts";
import type { System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr, Place } from "../../packages/shootdown/src/ir/expr.ts";
import * as e from "../../packages/shootdown/src/ir/expr.ts";
import * as m from "../../packages/shootdown/src/ir/machine.ts";
import * as sorts from "../../packages/shootdown/src/ir/sort.ts";
import { bool, int } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import * as s from "../../packages/shootdown/src/ir/stmt.ts";

const who = sorts.symbol("who");
const page = sorts.ordered("page");
const mode = sorts.enumeration("mode", ["off", "ro", "rw"]);
const word = sorts.word("word", [
  { name: "v", sort: bool },
  { name: "p", sort: page },
  { name: "m", sort: mode },
]);
const pages = sorts.rangeOf("pages", page);
const Pages = e.rangeOps(page, pages);
const source = { file: "test/support/random-system.ts" };

const SIZES = { who: 2, page: 4, int: 4 };

/** What a random system is to be full of. */
export interface Emphasis {
  /**
   * Values beyond their sorts' ends: pages that do not fill their bits, counted up and down, as
   * indices and keys, with guards and without; pending sets of one entry.
   */
  readonly edges: boolean;
}

const entry = e.field("entry", [who, page], word);
const flat = e.field("flat", [page], word, 1);
const count = e.field("count", [], int);
const flag = e.field("flag", [who], bool, 1);
const span = e.field("span", [who], pages);
const where = e.field("where", [page], page);

const happened = m.event("happened", { who, page, word, pages });

const kept = m.cell("kept", { keys: { p: page }, value: word, source });
const near = m.cell("near", {
  keys: { w: who, p: page },
  value: word,
  locals: { x: word },
  fill: ({ w, p, x }) => [
    s.set(x, entry(w, p)),
    s.when(e.get(x, "v", bool), s.yields(x)),
    s.when(flag(w), s.either([s.yields(flat(p))], [])),
  ],
  admits: (x) => e.ne(e.get(x, "m", mode), e.member(mode, "off")),
  source,
});
const far = m.cell("far", {
  keys: { p: page },
  value: word,
  locals: { x: word, w: who },
  fill: ({ p, x, w }) => [
    s.choose(w, who),
    s.lookup(x, near({ w, p })),
    s.yields(x),
    s.yieldsHeld(kept({ p })),
  ],
  evicts: false,
  ways: 1,
  source,
});

const orders = m.pending("orders", {
  keys: { w: who },
  entry: { pages, mode },
  capacity: "ORDERS",
  orderBy: "mode",
  order: [
    ["ro", "*"],
    ["rw", "off"],
  ],
  ready: ({ w }) => flag(w),
  locals: {},
  effect: ({ w, pages: r, mode: k }) => [
    s.clear(near({ w, p: e.inRange(r) }), (x) => e.eq(e.get(x, "m", mode), k)),
    s.clear(far({ p: e.ANY })),
    s.set(count(), e.num(0)),
  ],
  source,
});
const letters: m.PendingFn<{ w: typeof who }, { to: typeof page }> = m.pending("letters", {
  keys: { w: who },
  entry: { to: page },
  capacity: "LETTERS",
  effect: ({ w, to }) => [
    s.set(entry(w, to), e.constant(word, 0)),
    s.emit(happened, { who: w, page: to, word: flat(to), pages: span(w) }),
    s.when(flag(w), s.set(flag(w), e.FALSE), s.post(letters({ w }), { to })),
  ],
  source,
});

const helper = m.declare("helper", { w: who, p: page }, word);
const helps = m.define(helper, {
  source,
  locals: { x: word },
  body: ({ w, p, x }) => [
    s.xchg(x, entry(w, p), flat(p)),
    s.when(e.get(x, "v", bool), s.ret(x)),
    s.ret(e.withFields(x, { v: e.TRUE, p })),
  ],
});

/** What expressions may name; `own` are the thread's locals where a loop binds others. */
interface Names {
  readonly w: Expr<"who">;
  readonly p: Expr<"page">;
  readonly own: { readonly w: Place<"who">; readonly p: Place<"page"> };
  readonly q: Place<"page">;
  readonly x: Place<"word">;
  readonly n: Place<"int">;
  readonly b: Place<"bool">;
  readonly r: Place<"pages">;
}

class Generator {
  private readonly random: Random;
  private readonly edges: boolean;

  constructor(random: Random, edges: boolean) {
    this.random = random;
    this.edges = edges;
  }

  get sizes(): typeof SIZES {
    return this.edges ? { ...SIZES, page: 3 } : SIZES;
  }

  /** More options where there are edges to be met. */
  private if<T>(...options: readonly (() => T)[]): readonly (() => T)[] {
    return this.edges ? options : [];
  }

  /** A page that need not be one. */
  private beyond(l: Names): Expr<"page"> {
    return this.one<Expr<"page">>(
      () => e.after(page, l.p, e.num(1)),
      () => e.after(page, where(l.q), e.num(1)),
      () => e.back(page, l.p, e.num(1)),
      () => e.times(page, l.q, count()),
      () => e.constant(page, 3),
    );
  }

  /** A question about a page, asked where there is one. */
  private guarded(l: Names): Expr<"bool"> {
    const p = this.beyond(l);
    const valid = e.get(flat(p), "v", bool);
    const inside = e.and(e.le(e.constant(page, 0), p), e.lt(p, e.constant(page, 3)));
    return this.one<Expr<"bool">>(
      () => e.and(inside, valid),
      () => e.and(inside, e.eq(where(p), this.page(l))),
      () => e.or(e.not(inside), valid),
      () => e.not(e.or(e.not(inside), e.eq(flat(p), l.x))),
      () => e.eq(e.ite(inside, flat(p), l.x), this.word(l)),
      () => e.eq(e.ite(e.not(inside), l.x, entry(l.w, p)), l.x),
      () => e.and(this.bool(l, 1), valid),
      () => e.or(this.bool(l, 1), valid),
    );
  }

  one<T>(...options: readonly (() => T)[]): T {
    return options[this.random.below(options.length)]!();
  }

  who(l: Names): Expr<"who"> {
    return this.one<Expr<"who">>(
      () => l.w,
      () => e.constant(who, this.random.below(SIZES.who)),
    );
  }

  page(l: Names): Expr<"page"> {
    return this.one<Expr<"page">>(
      () => l.p,
      () => l.q,
      () => where(l.p),
      () => e.constant(page, this.random.below(this.sizes.page)),
      ...this.if(() => this.beyond(l)),
    );
  }

  word(l: Names): Expr<"word"> {
    return this.one<Expr<"word">>(
      () => l.x,
      () => entry(this.who(l), this.page(l)),
      () => flat(this.page(l)),
      () => e.ite(this.bool(l), flat(l.p), l.x),
      () => e.withFields(l.x, { v: this.bool(l), m: this.mode() }),
      () => e.withFields(flat(l.p), { p: this.page(l) }),
      ...this.if(() => e.ite(this.guarded(l), l.x, flat(l.p))),
      () => e.constant(word, this.random.below(24)),
    );
  }

  mode(): Expr<"mode"> {
    return e.constant(mode, this.random.below(3));
  }

  range(l: Names): Expr<"pages"> {
    return this.one<Expr<"pages">>(
      () => l.r,
      () => span(this.who(l)),
      () => Pages.one(l.p),
      () => Pages.make(l.p, l.q),
      () => Pages.make(e.constant(page, 0), e.constant(page, this.sizes.page)),
      ...this.if(() => Pages.make(l.q, this.beyond(l))),
    );
  }

  int(l: Names): Expr<"int"> {
    return this.one<Expr<"int">>(
      () => l.n,
      () => count(),
      () => e.add(l.n, e.num(1)),
      () => e.sub(count(), e.num(1)),
      () => e.expr({ k: "op", op: "div", args: [l.p.node, e.num(2).node], sort: int }),
      () => e.num(this.random.below(4)),
    );
  }

  bool(l: Names, depth = 2): Expr<"bool"> {
    const again = () => this.bool(l, depth - 1);
    const leaves = [
      () => l.b,
      () => flag(l.w),
      () => e.eq(this.int(l), this.int(l)),
      () => e.lt(this.int(l), this.int(l)),
      () => e.le(l.p, this.page(l)),
      () => e.eq(this.word(l), l.x),
      () => e.ne(e.get(l.x, "m", mode), this.mode()),
      () => Pages.contains(this.range(l), l.p),
      () => Pages.overlaps(this.range(l), l.r),
      () => Pages.empty(this.range(l)),
      () => e.eq(l.r, this.range(l)),
      () => e.lt(Pages.lo(l.r), Pages.hi(span(l.w))),
      () => e.outstanding(orders({ w: e.ANY }), { mode: this.mode() }),
      () => e.outstanding(letters({ w: l.w })),
      ...this.if(
        () => this.guarded(l),
        () => e.outstanding(letters({ w: this.who(l) }), { to: where(this.page(l)) }),
        () => e.outstanding(orders({ w: e.ANY }), { mode: this.mode(), pages: span(l.w) }),
      ),
    ];
    if (depth === 0) return this.one<Expr<"bool">>(...leaves);
    const nodes = [
      () => e.not(again()),
      () => e.and(again(), again()),
      () => e.or(again(), again()),
    ];
    return this.one<Expr<"bool">>(...leaves, ...nodes);
  }

  /** A statement; inside an `atomic` one it may block in the middle. */
  stmt(l: Names, depth: number): Stmt {
    const block = () => this.block(l, depth - 1);
    const leaves: (() => Stmt)[] = [
      () => s.set(l.x, this.word(l)),
      () => s.set(l.own.p, this.page(l)),
      () => s.set(l.q, this.page(l)),
      () => s.set(l.n, this.int(l)),
      () => s.set(l.r, this.range(l)),
      () => s.set(l.b, this.bool(l)),
      () => s.set(entry(this.who(l), this.page(l)), this.word(l)),
      () => s.set(flat(this.page(l)), this.word(l)),
      () => s.set(where(this.page(l)), this.page(l)),
      () => s.set(count(), this.int(l)),
      () => s.set(flag(this.who(l)), this.bool(l)),
      () => s.set(span(this.who(l)), this.range(l)),
      () => s.xchg(l.x, flat(this.page(l)), this.word(l)),
      () => s.cas(l.b, entry(l.w, l.p), this.word(l), this.word(l)),
      () => s.await_(this.bool(l)),
      () => s.retry(this.bool(l)),
      () => s.choose(l.own.p, page),
      () => s.choose(l.own.w, who),
      () => s.choose(l.q, page, e.ne(l.q, l.p)),
      () => s.lookup(l.x, near({ w: l.w, p: this.page(l) })),
      () => s.lookup(l.x, far({ p: this.page(l) })),
      () => s.pick(l.x, kept({ p: l.p })),
      () => s.insert(kept({ p: this.page(l) }), this.word(l)),
      () => s.clear(near({ w: e.ANY, p: this.page(l) })),
      () => s.clear(kept({ p: e.inRange(this.range(l)) }), (x) => e.eq(x, l.x)),
      () => s.post(orders({ w: this.who(l) }), { pages: this.range(l), mode: this.mode() }),
      () => s.post(letters({ w: this.who(l) }), { to: this.page(l) }),
      () => s.emit(happened, { who: l.w, page: this.page(l), word: l.x, pages: this.range(l) }),
      () => s.grow(l.r, this.page(l)),
      () => s.callInto(l.x, helper, { w: this.who(l), p: this.page(l) }),
      ...this.if<Stmt>(
        () => s.await_(this.guarded(l)),
        () => s.choose(l.own.p, page, this.guarded(l)),
        () => s.when(this.guarded(l), s.set(l.q, this.beyond(l))),
        () =>
          s.clear(near({ w: l.w, p: where(this.page(l)) }), (x) =>
            e.eq(flat(e.get(x, "p", page)), l.x),
          ),
        () => s.atomic(...[l.p, l.q].map((to) => s.post(letters({ w: this.who(l) }), { to }))),
      ),
    ];
    if (depth === 0) return this.one(...leaves);
    const nodes: (() => Stmt)[] = [
      () => s.whenElse(this.bool(l), block(), block()),
      () => s.either(block(), block()),
      () => s.atomic(...block()),
      () => s.each(page, this.range(l), (p) => this.block({ ...l, p }, depth - 1)),
      () => s.forall(who, (w) => this.block({ ...l, w }, depth - 1)),
      () => s.loop(...block(), s.leave()),
    ];
    return this.one(...leaves, ...nodes, ...nodes);
  }

  block(l: Names, depth: number): Stmt[] {
    return Array.from({ length: 1 + this.random.below(3) }, () => this.stmt(l, depth));
  }

  rule(name: string): m.RuleDecl {
    return m.rule(name, {
      forall: { w: who },
      locals: { p: page, q: page, x: word, n: int, b: bool, r: pages },
      when: ({ w }) =>
        this.one(
          () => flag(w),
          () => e.eq(count(), e.num(1)),
        ),
      body: (l) => {
        const bound = { ...l, own: { w: l.q as never, p: l.p } };
        return [
          s.choose(l.q, page),
          s.choose(l.p, page, e.ne(l.p, l.q)),
          s.set(flat(l.p), flat(l.q)),
          // Every local of a rule must be set before it is read.
          s.set(l.x, flat(l.q)),
          s.set(l.n, count()),
          s.set(l.b, flag(l.w)),
          s.set(l.r, span(l.w)),
          s.set(l.x, this.word(bound)),
          s.when(this.bool(bound), s.set(entry(l.w, l.p), l.x)),
          s.set(flag(l.w), e.FALSE),
        ];
      },
      source,
    });
  }
}

/** A system of two threads and of hardware that reads and writes what they do. */
export function randomSystem(random: Random, { edges }: Emphasis = { edges: false }): System {
  const g = new Generator(random, edges);
  const locals = { w: who, p: page, q: page, x: word, n: int, b: bool, r: pages };
  const own = Object.fromEntries(
    Object.entries(locals).map(([name, sort]) => [name, e.place({ k: "local", name, sort })]),
  ) as unknown as Omit<Names, "own"> & Names["own"];
  const names: Names = { ...own, own };
  return {
    machine: {
      cells: [near, far, kept].map((c) => c.decl),
      pending: [orders.decl, letters.decl],
      rules: [g.rule("first"), g.rule("second")],
      definitions: [helps],
    },
    kernel: { name: "random", version: "0", routines: new Map() },
    domain: {
      sizes: g.sizes,
      names: {},
      limits: { ORDERS: edges ? 1 : 2, LETTERS: edges ? 1 : 2 },
    },
    knobs: {},
    threads: ["A", "B"].map((name) => ({ name, locals, body: g.block(names, 3) })),
    observers: [
      m.observer(
        "seen",
        "a page was seen twice",
        m.on(happened, ({ page: p }) => [
          s.when(e.get(flat(p), "v", bool), s.violate("seen")),
          s.set(flat(p), e.withFields(flat(p), { v: e.TRUE })),
        ]),
      ),
    ],
    initial: [
      { field: entry.decl, index: [0, 1], value: 11 },
      { field: entry.decl, index: [1, 2], value: 21 },
      { field: where.decl, index: [2], value: edges ? 2 : 3 },
    ],
    entries: [{ cell: kept.decl, index: [1], value: 9 }],
  };
}
