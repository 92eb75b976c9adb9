// SPDX-License-Identifier: Apache-2.0
// A seeded generator of random numbers, the same on every machine.

export interface Random {
  /** An integer of 0..bound-1; `bound` >= 1. */
  below(bound: number): number;
}

/** mulberry32: 32 bits of state, good enough to choose schedules. `seed` is any integer. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return {
    below(bound) {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * bound);
    },
  };
}
