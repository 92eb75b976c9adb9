// SPDX-License-Identifier: Apache-2.0
// Small integer helpers that the layout, the visited set and the printers share.

/** Number of bits that hold every integer of 0..count-1; 0 for a single value. `count` >= 1. */
export function bitsFor(count: number): number {
  let bits = 0;
  while (2 ** bits < count) bits++;
  return bits;
}

/** Number of one bits of a 32-bit word. */
export function popcount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Position of the `n`-th one bit (n from 0) of a 32-bit word; -1 if there are fewer. */
export function nthBit(word: number, n: number): number {
  let rest = word;
  for (let left = n; rest !== 0; left--) {
    const low = rest & -rest;
    if (left === 0) return 31 - Math.clz32(low);
    rest ^= low;
  }
  return -1;
}
