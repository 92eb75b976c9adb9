// SPDX-License-Identifier: Apache-2.0
// Small random systems of threads that are alike but for who they are, and most of the time treat
// all items alike.

import type { Random } from "../../packages/shootdown/src/base/random.ts";
import type { System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import * as e from "../../packages/shootdown/src/ir/expr.ts";
import * as m from "../../packages/shootdown/src/ir/machine.ts";
import * as sorts from "../../packages/shootdown/src/ir/sort.ts";
import { bool } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import * as s from "../../packages/shootdown/src/ir/stmt.ts";

const who = sorts.symbol("who");
const item = sorts.symbol("item");
const mode = sorts.enumeration("mode", ["off", "ro", "rw"]);
const word = sorts.word("word", [
  { name: "on", sort: bool },
  { name: "next", sort: item },
  { name: "mode", sort: mode },
]);
const source = { file: "test/support/symmetric-system.ts" };

const box = e.field("box", [item], mode, 1);
const chain = e.field("chain", [item], word);
const friend = e.field("friend", [who], who);
const raised = e.field("raised", [who, item], bool);
const count = e.field("count", [], mode);
const used = m.event("used", { item, mode });

const cache = m.cell("cache", {
  keys: { who, item },
  value: mode,
  locals: { x: mode },
  fill: ({ item: i, x }) => [s.set(x, box(i)), s.when(e.ne(x, e.member(mode, "off")), s.yields(x))],
  source,
});

interface Locals {
  readonly me: Expr<"who">;
  readonly others: readonly Expr<"who">[];
  readonly i: e.Place<"item">;
  readonly w: e.Place<"who">;
  readonly x: e.Place<"mode">;
  readonly c: e.Place<"word">;
}

/** Actions that store to an item or look one up. */
const LOOKS = [3, 4, 12, 13, 12];

/** The queues: with an order they are first in, first out; without, sets. */
const queues = (ordered: boolean) =>
  m.pending("queue", {
    keys: { who },
    entry: { item, from: who, mode },
    capacity: "QUEUE_MAX",
    orderBy: "mode",
    order: ordered ? [["*", "*"]] : [],
    effect: ({ who: w, item: i, from, mode: k }) => [
      s.clear(cache({ who: w, item: i })),
      s.set(raised(from, i), e.FALSE),
      s.when(e.eq(k, e.member(mode, "rw")), s.clear(cache({ who: from, item: e.ANY }))),
    ],
    source,
  });

class Generator {
  private readonly random: Random;
  private readonly queue: ReturnType<typeof queues>;
  /** Whether some code names one item or one thread. */
  private readonly partial: boolean;

  constructor(random: Random, queue: ReturnType<typeof queues>, partial: boolean) {
    this.random = random;
    this.queue = queue;
    this.partial = partial;
  }

  private one<T>(options: readonly T[]): T {
    return options[this.random.below(options.length)]!;
  }

  /** Actions as functions of who runs them, so that all threads can have the same. */
  action(depth: number): (l: Locals) => Stmt[] {
    const k = e.constant(mode, this.random.below(3));
    const { queue } = this;
    const actions: ((l: Locals) => Stmt[])[] = [
      ({ i }) => [s.choose(i, item)],
      ({ w, me }) => [s.choose(w, who, e.ne(w, me))],
      ({ w, me }) => [s.set(w, friend(me))],
      ({ i }) => [s.set(box(i), k)],
      ({ x, i }) => [s.xchg(x, box(i), k)],
      ({ i, c }) => [s.set(c, chain(i)), s.set(i, e.get(c, "next", item))],
      ({ i, c }) => [s.set(chain(i), e.withFields(c, { on: e.TRUE, next: i, mode: k }))],
      ({ me, w }) => [s.set(friend(me), w)],
      ({ me, i }) => [s.set(raised(me, i), e.TRUE)],
      ({ i, others }) => [s.await_(e.and(...others.map((o) => e.not(raised(o, i)))))],
      ({ others, i }) => [s.atomic(...others.map((o) => s.set(raised(o, i), e.TRUE)))],
      ({ me }) => [s.atomic(s.forall(item, (i) => [s.set(raised(me, i), e.FALSE)]))],
      ({ me, i, x }) => [
        s.lookup(x, cache({ who: me, item: i })),
        s.emit(used, { item: i, mode: x }),
      ],
      ({ w, i, x }) => [s.pick(x, cache({ who: w, item: i })), s.emit(used, { item: i, mode: x })],
      ({ i }) => [s.clear(cache({ who: e.ANY, item: i }))],
      ({ me, i, w }) => [s.post(queue({ who: w }), { item: i, from: me, mode: k })],
      ({ me }) => [s.await_(e.not(e.outstanding(queue({ who: e.ANY }), { from: me })))],
      () => [s.set(count(), k)],
    ];
    // What may show a violation comes up more often.
    actions.push(...LOOKS.map((n) => actions[n]!), ...LOOKS.map((n) => actions[n]!));
    if (this.partial) {
      actions.push(() => [s.set(box(e.constant(item, 0)), k)]);
      actions.push(({ w }) => [s.set(w, e.constant(who, 1))]);
    }
    if (depth > 0) {
      const [a, b] = [this.action(depth - 1), this.action(depth - 1)];
      actions.push(
        ({ i, c, ...l }) => [s.when(e.eq(e.get(c, "next", item), i), ...a({ i, c, ...l }))],
        (l) => [s.whenElse(e.eq(l.x, k), a(l), b(l))],
        (l) => [s.atomic(...a(l), ...b(l))],
        (l) => [s.either(a(l), b(l))],
      );
    }
    return this.one(actions);
  }
}

/** Two or three threads of one program, over two or three items. */
export function symmetricSystem(random: Random): System {
  const threads = 2 + random.below(2);
  const items = 2 + random.below(2);
  const queue = queues(random.below(3) === 0);
  const g = new Generator(random, queue, random.below(6) === 0);
  const actions = Array.from({ length: 2 + random.below(3) }, () => g.action(2));
  const locals = { i: item, w: who, x: mode, c: word };
  const places = Object.fromEntries(
    Object.entries(locals).map(([name, sort]) => [name, e.local(name, sort as never)]),
  ) as unknown as Omit<Locals, "me" | "others">;
  const all = Array.from({ length: threads }, (_, n) => e.constant(who, n));
  const nextItem = (n: number) => (random.below(8) === 0 ? 0 : n);
  const value = (n: number) => 2 * nextItem(n);
  return {
    machine: { cells: [cache.decl], pending: [queue.decl], rules: [drift], definitions: [] },
    kernel: { name: "random", version: "0", routines: new Map() },
    domain: { sizes: { who: threads, item: items }, names: {}, limits: { QUEUE_MAX: 2 } },
    knobs: {},
    threads: all.map((me, n) => {
      const l: Locals = { ...places, me, others: all.filter((_, o) => o !== n) };
      const begin = [s.choose(l.i, item), s.set(l.w, friend(me)), s.set(l.c, chain(l.i))];
      const body = [...begin, s.set(l.x, box(l.i)), ...actions.flatMap((a) => a(l))];
      return { name: `T${n}`, locals, body };
    }),
    observers: [
      m.observer(
        "stale",
        "an item is used in a way in which it may not be",
        m.on(used, ({ item: i, mode: k }) => [
          s.when(e.ne(box(i), k), s.violate("stale")),
          s.forall(item, (o) => [
            s.when(e.and(e.ne(o, i), e.eq(box(o), e.member(mode, "off"))), s.set(count(), k)),
          ]),
        ]),
      ),
    ],
    initial: [
      ...Array.from({ length: items }, (_, n) => ({
        field: chain.decl,
        index: [n],
        value: value(n),
      })),
      ...Array.from({ length: threads }, (_, n) => ({ field: friend.decl, index: [n], value: n })),
    ],
    entries: [],
  };
}

const drift = m.rule("drift", {
  forall: { i: item },
  when: ({ i }) => e.eq(box(i), e.member(mode, "rw")),
  body: ({ i }) => [s.set(box(i), e.member(mode, "off")), s.set(count(), e.member(mode, "rw"))],
  source,
});
