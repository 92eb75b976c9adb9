// SPDX-License-Identifier: Apache-2.0
// Adding successors to the table: all are hashed and their slots touched first, so that memory
// answers for many at once; then each is looked up and, if it is new, stored and listed.
//
//   insert(me, from, end, nth) -> code    successors [ buffer .. end ) of the state at `from`,
//                                         the first of which is the nth
//
// It may stop anywhere for want of room, and be called again for the same successors: those that
// are there already are met like any that were seen before.

import type { Ex, Fn, St } from "../../engine/target/code.ts";
import {
  brIf,
  call,
  FnBuilder,
  iff,
  load,
  local,
  num,
  set,
  store,
} from "../../engine/target/code.ts";
import { brIfDiffer, hashOf, homeOf } from "./hash.ts";
import type { Plan } from "./plan.ts";
import { ALL, busyOf, CODE, inPool, LIST, OWN } from "./plan.ts";
import * as w from "./write.ts";

const { add, block, eq, eqz, geU, loop, ne, or, ret, run, sub, word } = w;

/** Locals of `insert`. */
interface Names {
  readonly me: number;
  readonly from: number;
  readonly end: number;
  /** Which successor it is. */
  readonly nth: number;
  /** The successor, the place of its hash or home, its slot, what the slot tells. */
  readonly state: number;
  readonly noted: number;
  readonly slot: number;
  readonly tells: number;
  readonly hash: number;
  readonly record: number;
  readonly sum: number;
  /** Of a narrow state: its words, with the mark. */
  readonly words: readonly number[];
}

export function insertFunction(plan: Plan): Fn {
  const f = new FnBuilder("insert", 4);
  const fresh = () => f.fresh();
  const words = plan.wide ? [] : Array.from({ length: plan.words }, fresh);
  const names: Names = {
    ...{ me: 0, from: 1, end: 2, nth: 3, state: fresh(), noted: fresh(), slot: fresh() },
    ...{ tells: fresh(), hash: fresh(), record: fresh(), sum: fresh(), words },
  };
  return f.done(
    true,
    [...noteAll(f, plan, names), ...settleAll(f, plan, names), ret(CODE.done)],
    true,
  );
}

const begin = (plan: Plan, { me, state, noted }: Names): St[] => [
  set(state, add(local(me), plan.buffer)),
  set(noted, add(local(me), plan.hashes)),
];

/** The first pass: hashes. */
function noteAll(f: FnBuilder, plan: Plan, names: Names): St[] {
  const { me, end, state, noted, slot, hash, sum } = names;
  return [
    ...begin(plan, names),
    block(f, (through) => [
      loop(f, (again) => [
        brIf(geU(local(state), local(end)), through),
        // Where there are several memories, it was done to find the right one.
        ...(plan.shards > 1 ? [] : plan.canon).map((name): St => run(call(name, local(state)))),
        ...hashOf(f, plan, state, hash),
        set(slot, homeOf(plan, local(hash))),
        store(local(noted), 0, local(plan.wide ? hash : slot)),
        set(sum, add(local(sum), load(local(slot), plan.tell))),
        set(state, add(local(state), plan.words * 4)),
        set(noted, add(local(noted), 4)),
        w.br(again),
      ]),
    ]),
    // Whoever drops the loads drops the touching.
    store(local(me), OWN.sink, local(sum)),
  ];
}

/** The second pass: looks up each. */
function settleAll(f: FnBuilder, plan: Plan, names: Names): St[] {
  const { end, state, noted, nth, slot, hash } = names;
  const advance = [
    set(state, add(local(state), plan.words * 4)),
    set(noted, add(local(noted), 4)),
    ...(plan.origins ? [set(nth, add(local(nth), 1))] : []),
  ];
  const home = plan.wide
    ? [set(hash, load(local(noted))), set(slot, homeOf(plan, local(hash)))]
    : [set(slot, load(local(noted)))];
  return [
    ...begin(plan, names),
    block(f, (through) => [
      loop(f, (again) => [
        brIf(geU(local(state), local(end)), through),
        ...home,
        block(f, (settled) => [
          ...names.words.map((to, n) => set(to, markedWord(plan, state, n))),
          probe(f, plan, names, settled),
        ]),
        ...advance,
        w.br(again),
      ]),
    ]),
  ];
}

function markedWord(plan: Plan, state: number, n: number): Ex {
  const raw = load(local(state), n * 4);
  return n * 4 === plan.tell ? or(raw, plan.mark) : raw;
}

/** Goes from slot to slot until the state, or a free slot, is met. */
function probe(f: FnBuilder, plan: Plan, names: Names, settled: number): St {
  const { slot, tells } = names;
  const tell = plan.shared ? w.atomicLoad(local(slot), plan.tell) : load(local(slot), plan.tell);
  return loop(f, (again) => [
    set(tells, tell),
    block(f, (other) => [...brIfOther(f, plan, names, other), w.br(settled)]),
    iff(eqz(local(tells)), addNew(plan, names, settled, again)),
    ...(plan.shared ? [brIf(eq(local(tells), busyOf(plan)), again)] : []),
    set(slot, add(local(slot), plan.slot)),
    w.br(again),
  ]);
}

/** Leaves to a label unless the slot holds the state. */
function brIfOther(f: FnBuilder, plan: Plan, names: Names, other: number): St[] {
  const { state, slot, tells, hash, record, words } = names;
  if (!plan.wide) {
    const tell = words[plan.tell / 4]!;
    const rest = words.flatMap((to, n) =>
      to === tell ? [] : [brIf(ne(load(local(slot), n * 4), local(to)), other)],
    );
    return [brIf(ne(local(tells), local(tell)), other), ...rest];
  }
  return [
    brIf(eqz(local(tells)), other),
    ...(plan.shared ? [brIf(eq(local(tells), busyOf(plan)), other)] : []),
    brIf(ne(load(local(slot), 4), local(hash)), other),
    set(record, inPool(plan, sub(local(tells), 1))),
    ...brIfDiffer(f, plan.words, record, state, other),
  ];
}

/** Stores a new state in a free slot, and lists it. */
function addNew(plan: Plan, names: Names, settled: number, again: number): St[] {
  const { me, slot, state, tells, hash, record, words } = names;
  const place = load(local(me), OWN.out + LIST.to);
  const asked = plan.shared ? [iff(eqz(call("refill", local(me))), [ret(CODE.table)])] : undefined;
  const claimed = plan.shared
    ? [brIf(ne(w.cas(local(slot), plan.tell, 0, busyOf(plan)), 0), again)]
    : [];
  const tell = plan.wide ? add(place, 1) : local(words[plan.tell / 4]!);
  const publish = plan.shared
    ? w.atomicStore(local(slot), plan.tell, tell)
    : store(local(slot), plan.tell, tell);
  const rest = words.flatMap((from, n) =>
    n * 4 === plan.tell ? [] : [store(local(slot), n * 4, local(from))],
  );
  return [
    // The last slot stays free, so that every look-up ends.
    iff(eq(local(slot), word(plan.all + ALL.last)), [ret(CODE.pad)]),
    iff(eqz(load(local(me), OWN.quota)), asked ?? [ret(CODE.table)]),
    iff(eq(place, load(local(me), OWN.out + LIST.end)), [
      iff(eqz(call("more", add(local(me), OWN.out), local(me))), [ret(CODE.pool)]),
    ]),
    set(record, inPool(plan, place)),
    ...writeRecord(plan, names),
    ...claimed,
    ...(plan.wide ? [store(local(slot), 4, local(hash))] : rest),
    publish,
    set(tells, add(place, 1)),
    ...plan.latches.map(({ word: n, mask }) =>
      iff(w.and(load(local(state), n * 4), mask), [
        iff(eqz(load(local(me), OWN.found)), [store(local(me), OWN.found, local(tells))]),
      ]),
    ),
    store(local(me), OWN.out + LIST.to, add(place, plan.record)),
    store(local(me), OWN.quota, sub(load(local(me), OWN.quota), 1)),
    store(local(me), OWN.added, add(load(local(me), OWN.added), 1)),
    w.br(settled),
  ];
}

function writeRecord(plan: Plan, { state, from, nth, record }: Names): St[] {
  const bytes = plan.words * 4;
  // A call of memory.copy costs more than a few words.
  const copy: readonly St[] = plan.wide
    ? [{ k: "copy", to: local(record), from: local(state), bytes: num(bytes) }]
    : Array.from({ length: plan.words }, (_, n) =>
        store(local(record), n * 4, load(local(state), n * 4)),
      );
  if (!plan.origins) return [...copy];
  const pool = word(plan.all + ALL.pool);
  const parent: St = iff(
    local(from),
    [store(local(record), bytes, add(sub(local(from), pool), 1))],
    [store(local(record), bytes, num(0))],
  );
  return [...copy, parent, store(local(record), bytes + 4, local(nth))];
}
