// SPDX-License-Identifier: Apache-2.0
// Several memories, for what is more than one can hold: each state is at home in one of them, as
// its hash says, and goes there in a box.
//
//   visit ── successors ──► route ──┬─ its own ──► insert
//                                   └─ another's ──► box ──(post)──► insert there

import type { Ex, Exports, Fn, St } from "../../engine/target/code.ts";
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
import { hashOf } from "./hash.ts";
import type { Plan } from "./plan.ts";
import { ALL, BOX, CODE, ownOf } from "./plan.ts";
import type { Store } from "./store.ts";
import * as w from "./write.ts";

const { add, eq, geU, gtU, loop, mul, mulhi, ne, ret, run, word } = w;

/** One of the memories, with the instance that works in it. */
export interface Shard {
  readonly store: Store;
  readonly exports: Exports;
}

/** Leaves upper bits that say nothing of where in a table the hash is at home. */
const SCATTER = 0x9e3779b1;

/** route(me, end) -> the end of those that are at home here; the others go into boxes. */
export function routeFunction(plan: Plan): Fn {
  const f = new FnBuilder("route", 2);
  const [from, to, hash, home, box, at] = Array.from({ length: 6 }, () => f.fresh()) as Six;
  const bytes = plan.words * 4;
  const copy = (target: Ex): St => ({
    k: "copy",
    to: target,
    from: local(from),
    bytes: num(bytes),
  });
  const buffer = add(local(0), plan.buffer);
  return f.done(
    true,
    [
      set(from, buffer),
      set(to, buffer),
      w.block(f, (through) => [
        loop(f, (again) => [
          brIf(geU(local(from), local(1)), through),
          ...plan.canon.map((name): St => run(call(name, local(from)))),
          ...hashOf(f, plan, from, hash),
          set(home, mulhi(mul(local(hash), SCATTER), plan.shards)),
          iff(
            eq(local(home), word(plan.all + ALL.self)),
            [iff(ne(local(from), local(to)), [copy(local(to))]), set(to, add(local(to), bytes))],
            [
              set(box, add(mul(local(home), plan.box_bytes), plan.boxes)),
              set(at, load(local(box), BOX.to)),
              copy(local(at)),
              store(local(box), BOX.to, add(local(at), bytes)),
            ],
          ),
          set(from, add(local(from), bytes)),
          br(again),
        ]),
      ]),
      ret(local(to)),
    ],
    true,
  );
}

type Six = [number, number, number, number, number, number];

/** Returns, unless every box has room for all successors of one state. */
export function postIfFull(plan: Plan): St[] {
  if (plan.shards === 1) return [];
  return Array.from({ length: plan.shards }, (_, n) => {
    const box = plan.boxes + n * plan.box_bytes;
    const most = box + plan.box_bytes - plan.successors * plan.words * 4;
    return iff(gtU(word(box + BOX.to), most), [ret(CODE.post)]);
  });
}

/** Empties the boxes of a memory. */
export function clearBoxes({ plan, words }: Store): void {
  for (let n = 0; n < plan.shards; n++) {
    const box = plan.boxes + n * plan.box_bytes;
    if (plan.box_bytes > 0) words[(box + BOX.to) >>> 2] = box + BOX.records;
  }
}

/** Sends what is in the boxes of a memory; `grow` makes room where it arrives. */
export function post(
  shards: readonly Shard[],
  from: Store,
  grow: (to: Shard, code: number) => void,
): void {
  const { plan } = from;
  for (const [n, to] of shards.entries()) {
    const box = plan.boxes + n * plan.box_bytes;
    const begin = (box + BOX.records) >>> 2;
    const end = (from.words[(box + BOX.to) >>> 2]! >>> 0) >>> 2;
    if (end === begin) continue;
    const buffer = ownOf(plan, 0) + plan.buffer;
    to.store.words.set(from.words.subarray(begin, end), buffer >>> 2);
    enter(to, buffer + (end - begin) * 4, grow);
  }
  clearBoxes(from);
}

/** Adds the states of the buffer up to an address. */
export function enter(shard: Shard, end: number, grow: (shard: Shard, code: number) => void): void {
  const { store, exports } = shard;
  store.count();
  for (;;) {
    const code = exports["insert"]!(ownOf(store.plan, 0), 0, end, 0);
    if (code === CODE.done) break;
    grow(shard, code);
  }
  store.count();
}
