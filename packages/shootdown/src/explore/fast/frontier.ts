// SPDX-License-Identifier: Apache-2.0
// Going through a level: chunks of states are taken, each state is expanded, and what is new goes
// to chunks of the thread's own.
//
//   level ──take──► chunk being read ──visit──► insert ──► out list      (ends list)
//                          │ read
//                          └──► spare chunks (states in slots), or kept (free ones; records stay)

import type { Ex, Fn, St } from "../../engine/target/code.ts";
import {
  br,
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
import type { Plan } from "./plan.ts";
import { ALL, CHUNK, CODE, chunkBytes, inPool, LIST, OWN, QUOTA } from "./plan.ts";
import { postIfFull, routeFunction } from "./shards.ts";
import * as w from "./write.ts";

const { add, divU, eq, eqz, gtU, loop, ne, ret, run, sub, word } = w;

/** Ordinals of successors by `free` begin here. */
export const FREE_ORDINAL = 0x80000000;

export function frontierFunctions(plan: Plan): Fn[] {
  const visits = [visitFunction(plan, "visit", plan.expand, false)];
  const runs = [
    runFunction(plan, "run", "visit", plan.wide ? [setOwn(OWN.chunk, num(0))] : spareChunk(plan)),
  ];
  if (plan.free !== undefined) {
    visits.push(visitFunction(plan, "visit_free", plan.free, true));
    runs.push(runFunction(plan, "run_free", "visit_free", keepChunk(plan)));
  }
  const shared = plan.shared ? [refillFunction(plan)] : [];
  const routes = plan.shards > 1 ? [routeFunction(plan)] : [];
  return [...visits, ...runs, moreFunction(plan), takeFunction(plan), ...shared, ...routes];
}

const own = (offset: number): Ex => load(local(0), offset);
const setOwn = (offset: number, v: Ex): St => store(local(0), offset, v);
const all = (plan: Plan, offset: number): Ex => word(plan.all + offset);

/** visit(me, state): inserts its successors; counts them once all are in. */
function visitFunction(plan: Plan, name: string, successors: string, free: boolean): Fn {
  const f = new FnBuilder(name, 2);
  const [end, code] = [f.fresh(), f.fresh()];
  const buffer = add(local(0), plan.buffer);
  const first = num(free ? FREE_ORDINAL : 0);
  const here = plan.shards > 1 ? call("route", local(0), local(end)) : local(end);
  return f.done(true, [
    ...postIfFull(plan),
    set(end, call(successors, local(1), buffer)),
    set(code, call("insert", local(0), local(1), here, first)),
    iff(local(code), [ret(local(code))]),
    ...(plan.ends && !free ? listEnd(plan) : []),
    setOwn(
      OWN.transitions,
      add(own(OWN.transitions), divU(sub(local(end), buffer), plan.words * 4)),
    ),
    ret(CODE.done),
  ]);
}

/** Lists the state if no run goes on from it. */
function listEnd(plan: Plan): St[] {
  const buffer = add(local(0), plan.buffer);
  const to = own(OWN.ends + LIST.to);
  const bytes = plan.words * 4;
  const place = inPool(plan, to);
  const copy: St = { k: "copy", to: place, from: local(1), bytes: num(bytes) };
  // A record of an end has its own place where others have the parent's.
  const origin = plan.origins
    ? [store(place, bytes, add(sub(local(1), all(plan, ALL.pool)), 1))]
    : [];
  return [
    iff(eq(load(buffer, -4), buffer), [
      iff(eq(to, own(OWN.ends + LIST.end)), [
        iff(eqz(call("more", add(local(0), OWN.ends), local(0))), [ret(CODE.pool)]),
      ]),
      copy,
      ...origin,
      setOwn(OWN.ends + LIST.to, add(to, plan.record)),
    ]),
  ];
}

/** run(me, most): visits so many states at most; says why it stopped. */
function runFunction(plan: Plan, name: string, visit: string, after: readonly St[]): Fn {
  const f = new FnBuilder(name, 2);
  const code = f.fresh();
  const halt: Ex = all(plan, ALL.halt);
  return f.done(
    true,
    [
      loop(f, (again) => [
        iff(eq(own(OWN.at), own(OWN.until)), [
          ...after,
          iff(eqz(call("take", local(0))), [ret(CODE.done)]),
          // Where the state that a chunk was begun for was another thread's, it is empty.
          br(again),
        ]),
        ...(plan.shared ? [iff(halt, [ret(CODE.halted)])] : []),
        iff(eqz(local(1)), [ret(CODE.budget)]),
        set(code, call(visit, local(0), inPool(plan, own(OWN.at)))),
        iff(local(code), [ret(local(code))]),
        setOwn(OWN.at, add(own(OWN.at), plan.record)),
        set(1, sub(local(1), 1)),
        br(again),
      ]),
      ret(CODE.done),
    ],
    true,
  );
}

/** The chunk that was read may be written again. */
function spareChunk(plan: Plan): St[] {
  const chunk = own(OWN.chunk);
  return [
    iff(chunk, [
      store(inPool(plan, sub(chunk, 1)), CHUNK.next, own(OWN.spare)),
      setOwn(OWN.spare, chunk),
      setOwn(OWN.chunk, num(0)),
    ]),
  ];
}

/** The chunk that was read stays with the level. */
function keepChunk(plan: Plan): St[] {
  const chunk = own(OWN.chunk);
  const tail = own(OWN.kept + LIST.tail);
  return [
    iff(chunk, [
      store(inPool(plan, sub(chunk, 1)), CHUNK.next, num(0)),
      iff(
        tail,
        [store(inPool(plan, sub(tail, 1)), CHUNK.next, chunk)],
        [setOwn(OWN.kept + LIST.head, chunk)],
      ),
      setOwn(OWN.kept + LIST.tail, chunk),
      setOwn(OWN.chunk, num(0)),
    ]),
  ];
}

/** take(me): the next chunk of the level becomes the one being read; 0 if there is none. */
function takeFunction(plan: Plan): Fn {
  const f = new FnBuilder("take", 1);
  const [chunk, place] = [f.fresh(), f.fresh()];
  const level = plan.all + ALL.level;
  const next = load(local(place), CHUNK.next);
  return f.done(true, [
    loop(f, (again) => [
      set(chunk, w.atomicLoad(num(level), 0)),
      iff(eqz(local(chunk)), [ret(0)]),
      set(place, inPool(plan, sub(local(chunk), 1))),
      // Nothing is given back to the level, so a chunk that is still first has its old successor.
      plan.shared
        ? brIf(ne(w.cas(num(level), 0, local(chunk), next), local(chunk)), again)
        : store(num(level), 0, next),
    ]),
    setOwn(OWN.chunk, local(chunk)),
    setOwn(OWN.at, add(local(chunk), CHUNK.records - 1)),
    setOwn(OWN.until, load(local(place), CHUNK.until)),
    ret(1),
  ]);
}

/** more(list, me): a chunk at the end of a list; 0 if the pool must grow. */
function moreFunction(plan: Plan): Fn {
  const f = new FnBuilder("more", 2);
  const place = f.fresh();
  const bytes = chunkBytes(plan);
  const list = (offset: number): Ex => load(local(0), offset);
  const spare = load(local(1), OWN.spare);
  const tail = inPool(plan, sub(list(LIST.tail), 1));
  return f.done(true, [
    iff(
      spare,
      [
        set(place, sub(spare, 1)),
        store(local(1), OWN.spare, load(inPool(plan, local(place)), CHUNK.next)),
      ],
      [
        set(place, w.fetchAdd(num(plan.all), ALL.used, bytes)),
        iff(gtU(add(local(place), bytes), all(plan, ALL.limit)), [
          run(w.fetchAdd(num(plan.all), ALL.used, -bytes)),
          ret(0),
        ]),
      ],
    ),
    store(inPool(plan, local(place)), CHUNK.next, num(0)),
    iff(
      list(LIST.tail),
      [store(tail, CHUNK.until, list(LIST.to)), store(tail, CHUNK.next, add(local(place), 1))],
      [store(local(0), LIST.head, add(local(place), 1))],
    ),
    store(local(0), LIST.tail, add(local(place), 1)),
    store(local(0), LIST.to, add(local(place), CHUNK.records)),
    store(local(0), LIST.end, add(local(place), bytes)),
    ret(1),
  ]);
}

/** refill(me): a share of the room in the table; 0 if there is none left. */
function refillFunction(plan: Plan): Fn {
  const f = new FnBuilder("refill", 1);
  const [room, taken] = [f.fresh(), f.fresh()];
  return f.done(true, [
    loop(f, (again) => [
      set(room, w.atomicLoad(num(plan.all), ALL.room)),
      iff(eqz(local(room)), [ret(0)]),
      set(taken, {
        k: "select",
        c: w.ltU(local(room), QUOTA),
        a: local(room),
        b: num(QUOTA),
      }),
      brIf(
        ne(
          w.cas(num(plan.all), ALL.room, local(room), sub(local(room), local(taken))),
          local(room),
        ),
        again,
      ),
    ]),
    setOwn(OWN.quota, local(taken)),
    ret(1),
  ]);
}
