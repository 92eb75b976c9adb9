// SPDX-License-Identifier: Apache-2.0
// Growing the table in place, by any factor. Homes keep their order and only move up; so runs of
// occupied slots are taken from the top down, each is put aside, and what it held is entered again:
// everything above has moved already.
//
//   longest(end) -> bytes of the longest run below `end`
//   sweep(end, aside)     the size is the new one; everything from `end` on is free

import type { Ex, Fn, St } from "../../engine/target/code.ts";
import {
  br,
  brIf,
  FnBuilder,
  iff,
  load,
  local,
  num,
  set,
  store,
} from "../../engine/target/code.ts";
import { hashOf, homeOf } from "./hash.ts";
import type { Plan } from "./plan.ts";
import { ALL } from "./plan.ts";
import * as w from "./write.ts";

const { add, block, eq, eqz, geU, gtU, loop, ret, sub, word } = w;

export function sweepFunctions(plan: Plan): Fn[] {
  return [longestFunction(plan), sweepFunction(plan)];
}

const tableOf = (plan: Plan): Ex => word(plan.all + ALL.table);

function longestFunction(plan: Plan): Fn {
  const f = new FnBuilder("longest", 1);
  const [at, run, most] = [f.fresh(), f.fresh(), f.fresh()];
  return f.done(
    true,
    [
      set(at, tableOf(plan)),
      block(f, (through) => [
        loop(f, (again) => [
          brIf(geU(local(at), local(0)), through),
          iff(
            load(local(at), plan.tell),
            [
              set(run, add(local(run), plan.slot)),
              iff(gtU(local(run), local(most)), [set(most, local(run))]),
            ],
            [set(run, num(0))],
          ),
          set(at, add(local(at), plan.slot)),
          br(again),
        ]),
      ]),
      ret(local(most)),
    ],
    true,
  );
}

function sweepFunction(plan: Plan): Fn {
  const f = new FnBuilder("sweep", 2);
  const [end, aside] = [0, 1];
  const [at, to, from, hash] = [f.fresh(), f.fresh(), f.fresh(), f.fresh()];
  const words = plan.slot / 4;
  const move = (clear: boolean, source: number, target: number): St[] =>
    Array.from({ length: words }, (_, n) => [
      store(local(target), n * 4, load(local(source), n * 4)),
      ...(clear ? [store(local(source), n * 4, num(0))] : []),
    ]).flat();
  const rehash = plan.wide ? [set(hash, load(local(from), 4))] : hashOf(f, plan, from, hash);
  return f.done(
    true,
    [
      set(at, local(end)),
      loop(f, (again) => [
        iff(eq(local(at), tableOf(plan)), [ret(0)]),
        set(at, sub(local(at), plan.slot)),
        brIf(eqz(load(local(at), plan.tell)), again),
        // The run that ends here goes aside, last slot first.
        set(to, local(aside)),
        block(f, (bottom) => [
          loop(f, (down) => [
            ...move(true, at, to),
            set(to, add(local(to), plan.slot)),
            brIf(eq(local(at), tableOf(plan)), bottom),
            set(at, sub(local(at), plan.slot)),
            brIf(load(local(at), plan.tell), down),
          ]),
        ]),
        set(from, local(to)),
        loop(f, (next) => [
          set(from, sub(local(from), plan.slot)),
          ...rehash,
          set(to, homeOf(plan, local(hash))),
          block(f, (found) => [
            loop(f, (on) => [
              brIf(eqz(load(local(to), plan.tell)), found),
              set(to, add(local(to), plan.slot)),
              br(on),
            ]),
          ]),
          ...move(false, from, to),
          brIf(gtU(local(from), local(aside)), next),
        ]),
        br(again),
      ]),
      ret(0),
    ],
    true,
  );
}
