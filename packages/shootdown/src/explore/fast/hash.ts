// SPDX-License-Identifier: Apache-2.0
// The hash of a state. Its home in the table is the upper half of hash times size, so that homes
// keep their order whatever the size: what differs anywhere must differ in the upper bits.

import type { Ex, FnBuilder, St } from "../../engine/target/code.ts";
import { brIf, load, local, set } from "../../engine/target/code.ts";
import type { Plan } from "./plan.ts";
import { ALL } from "./plan.ts";
import { add, and, loop, ltU, mul, mulhi, shrU, word, xor } from "./write.ts";

/** States of more words are hashed, compared and copied in loops. */
export const UNROLLED_WORDS_MAX = 12;

const MULTIPLIERS = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f];

/** Sets local `to` to the hash of the state at the address in local `addr`. */
export function hashOf(f: FnBuilder, plan: Plan, addr: number, to: number): St[] {
  const { words } = plan;
  if (words > UNROLLED_WORDS_MAX) return hashInLoop(f, words, addr, to);
  return Array.from({ length: words }, (_, n): St => {
    const raw = load(local(addr), n * 4);
    // In a slot the mark is set, in a buffer it is not.
    const w = !plan.wide && n * 4 === plan.tell ? and(raw, ~plan.mark) : raw;
    return n === 0 ? set(to, mul(w, MULTIPLIERS[0]!)) : mix(to, w, MULTIPLIERS[n % 4]!);
  });
}

/** Two lanes, which the processor runs side by side. */
function hashInLoop(f: FnBuilder, words: number, addr: number, to: number): St[] {
  const [other, at, end] = [f.fresh(), f.fresh(), f.fresh()];
  const even = words & ~1;
  return [
    set(to, { k: "const", value: MULTIPLIERS[0]! | 0 }),
    set(other, { k: "const", value: MULTIPLIERS[1]! | 0 }),
    set(at, local(addr)),
    set(end, add(local(addr), even * 4)),
    loop(f, (again) => [
      mix(to, load(local(at)), MULTIPLIERS[2]!),
      mix(other, load(local(at), 4), MULTIPLIERS[3]!),
      set(at, add(local(at), 8)),
      brIf(ltU(local(at), local(end)), again),
    ]),
    ...(even < words ? [mix(to, load(local(at)), MULTIPLIERS[2]!)] : []),
    mix(to, local(other), MULTIPLIERS[0]!),
  ];
}

const mix = (to: number, w: Ex, multiplier: number): St =>
  set(to, mul(xor(w, xor(local(to), shrU(local(to), 15))), multiplier));

/** Address of the slot at which a hash is at home. */
export const homeOf = (plan: Plan, hash: Ex): Ex =>
  add(mul(mulhi(hash, word(plan.all + ALL.size)), plan.slot), word(plan.all + ALL.table));

/** Leaves to a label if the words at two addresses differ. */
export function brIfDiffer(f: FnBuilder, words: number, a: number, b: number, label: number): St[] {
  const differ = (offset: number, x: Ex, y: Ex): St =>
    brIf({ k: "bin", op: "ne", a: load(x, offset), b: load(y, offset) }, label);
  if (words <= UNROLLED_WORDS_MAX) {
    return Array.from({ length: words }, (_, n) => differ(n * 4, local(a), local(b)));
  }
  const [x, y] = [f.fresh(), f.fresh()];
  // Two words a turn; of an odd number the first is looked at by itself.
  const odd = words & 1;
  return [
    ...(odd === 1 ? [differ(0, local(a), local(b))] : []),
    set(x, add(local(a), odd * 4)),
    set(y, add(local(b), odd * 4)),
    loop(f, (again) => [
      differ(0, local(x), local(y)),
      differ(4, local(x), local(y)),
      set(x, add(local(x), 8)),
      set(y, add(local(y), 8)),
      brIf(ltU(local(x), add(local(a), words * 4)), again),
    ]),
  ];
}
