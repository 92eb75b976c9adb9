// SPDX-License-Identifier: Apache-2.0
// Values of compiled code that remember where in a state they come from.
//
//   (word >>> shift) & mask      a variable of the state that a step starts from
//
// What is only moved from one place to another needs no unpacking: see `merge`.

import type { Ex } from "../target/code.ts";
import { bin, num } from "../target/code.ts";

/** A value cut out of word `word` of the source state. */
export interface Cut {
  readonly word: number;
  readonly base: Ex;
  readonly shift: number;
  readonly mask: number;
}

/** What is known of a value besides how it is computed; targets do not look at it. */
type Known = Ex & { readonly cut?: Cut; readonly max?: number };

/** Bits of a word of the source state as a value. */
export function cut(base: Ex, word: number, shift: number, mask: number): Ex {
  if (mask === 0) return num(0);
  const shifted = bin("shr_u", base, num(shift));
  // The topmost bits need no mask.
  const top = shift + 32 - Math.clz32(mask) === 32 && (mask & (mask + 1)) === 0;
  const ex = top ? shifted : bin("and", shifted, num(mask));
  return { ...ex, cut: { word, base, shift, mask } } as Known;
}

export const cutOf = (ex: Ex): Cut | undefined => (ex as Known).cut;

/** Bits `(ex >>> offset) & mask` of a value. */
export function bitsOf(ex: Ex, offset: number, mask: number): Ex {
  const c = cutOf(ex);
  if (c) {
    const inner = (c.mask >>> offset) & mask;
    return inner === 0 ? num(0) : cut(c.base, c.word, c.shift + offset, inner);
  }
  return bin("and", bin("shr_u", ex, num(offset)), num(mask));
}

/** An upper bound of a value as unsigned number. */
export function maxOf(ex: Ex): number {
  const c = cutOf(ex);
  if (c) return c.mask >>> 0;
  switch (ex.k) {
    case "const":
      return ex.value >>> 0;
    case "select":
      return Math.max(maxOf(ex.a), maxOf(ex.b));
    case "un":
      return ex.op === "eqz" ? 1 : 32;
    case "bin":
      return maxOfBinary(ex);
    default:
      return (ex as Known).max ?? ALL;
  }
}

const ALL = 0xffffffff;

/** A local that is known not to exceed `max`. */
export function bounded(ex: Ex, max: number): Ex {
  return max < ALL && ex.k === "local" ? ({ ...ex, max } as Known) : ex;
}

const TRUTHS = new Set(["eq", "ne", "lt_u", "lt_s", "le_u", "le_s", "gt_u", "ge_u"]);

function maxOfBinary(ex: Ex & { k: "bin" }): number {
  if (TRUTHS.has(ex.op)) return 1;
  const [a, b] = [maxOf(ex.a), maxOf(ex.b)];
  switch (ex.op) {
    case "and":
      return Math.min(a, b);
    case "or":
    case "xor":
      return 2 ** (32 - Math.min(Math.clz32(a), Math.clz32(b))) - 1;
    case "add":
      return a + b > ALL ? ALL : a + b;
    case "shl":
      return ex.b.k === "const" && a * 2 ** (ex.b.value & 31) <= ALL
        ? a * 2 ** (ex.b.value & 31)
        : ALL;
    case "shr_u":
      return ex.b.k === "const" ? Math.floor(a / 2 ** (ex.b.value & 31)) : a;
    case "div_s":
      return ex.b.k === "const" && ex.b.value > 0 && a <= ALL / 2 ? Math.floor(a / b) : ALL;
    case "mul":
      return a * b > ALL ? ALL : a * b;
    default:
      return ALL;
  }
}

/** A value to be put into bits of a word of the successor. */
export interface Piece {
  readonly shift: number;
  readonly mask: number;
  readonly value: Ex;
}

/**
 * Word `word` of the successor: `base` with the bits of `cleared` and of all pieces replaced. Bits
 * that stay where they are stay; bits of one word that move by one distance move together.
 */
export function merge(base: Ex, word: number, pieces: readonly Piece[], cleared: number): Ex {
  let gone = cleared;
  let known = 0;
  const rest: Ex[] = [];
  const moves = new Map<string, { base: Ex; by: number; mask: number }>();
  for (const p of pieces) {
    const bits = p.mask << p.shift;
    gone |= bits;
    if (p.value.k === "const") {
      known |= p.value.value << p.shift;
      continue;
    }
    const c = cutOf(p.value);
    if (!c) {
      rest.push(bin("shl", p.value, num(p.shift)));
      continue;
    }
    const by = p.shift - c.shift;
    const taken = c.mask << p.shift;
    const key = `${c.word} ${by}`;
    const move = moves.get(key);
    if (move) move.mask |= taken;
    else moves.set(key, { base: c.base, by, mask: taken });
  }
  const stays = moves.get(`${word} 0`);
  if (stays) {
    gone &= ~stays.mask;
    moves.delete(`${word} 0`);
  }
  let sum = bin("and", base, num(~gone));
  if (gone === -1) sum = num(0);
  const or = (ex: Ex): void => {
    sum = sum.k === "const" && sum.value === 0 ? ex : bin("or", sum, ex);
  };
  for (const { base: from, by, mask } of moves.values()) {
    const moved = by >= 0 ? bin("shl", from, num(by)) : bin("shr_u", from, num(-by));
    or(bin("and", moved, num(mask)));
  }
  for (const ex of rest) or(ex);
  if (known !== 0) or(num(known));
  return sum;
}
