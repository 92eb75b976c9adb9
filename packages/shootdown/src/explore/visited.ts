// SPDX-License-Identifier: Apache-2.0
// The set of visited states: packed vectors in an arena, found through an open-addressing table.

import { hashWords } from "../base/hash.ts";

/** Most searches are small. */
const FIRST_CAPACITY = 1 << 7;

export class VisitedSet {
  readonly words: number;
  /** State `i` is `arena[i * words .. (i + 1) * words)`. */
  arena: Int32Array;
  count = 0;
  private table: Int32Array;
  private mask: number;

  /** With room for so many states at first, a power of two. */
  constructor(words: number, capacity = FIRST_CAPACITY) {
    this.words = words;
    this.arena = new Int32Array(capacity * words);
    this.table = new Int32Array(capacity * 2).fill(-1);
    this.mask = this.table.length - 1;
  }

  /** Number of the state; a new state gets the next number, so compare with `count` before. */
  add(state: Int32Array): number {
    const { words, mask } = this;
    let slot = hashWords(state, 0, words) & mask;
    for (;;) {
      const at = this.table[slot]!;
      if (at < 0) break;
      if (this.equals(at, state)) return at;
      slot = (slot + 1) & mask;
    }
    const id = this.count++;
    if (this.count * words > this.arena.length) this.growArena();
    this.arena.set(state, id * words);
    this.table[slot] = id;
    if (this.count * 2 > this.table.length) this.growTable();
    return id;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.arena.byteLength + this.table.byteLength;
  }

  private equals(id: number, state: Int32Array): boolean {
    const base = id * this.words;
    for (let i = 0; i < this.words; i++) if (this.arena[base + i] !== state[i]) return false;
    return true;
  }

  private growArena(): void {
    const bigger = new Int32Array(this.arena.length * 2);
    bigger.set(this.arena);
    this.arena = bigger;
  }

  private growTable(): void {
    const bigger = new Int32Array(this.table.length * 2).fill(-1);
    const mask = bigger.length - 1;
    for (let id = 0; id < this.count; id++) {
      let slot = hashWords(this.arena, id * this.words, this.words) & mask;
      while (bigger[slot]! >= 0) slot = (slot + 1) & mask;
      bigger[slot] = id;
    }
    this.table = bigger;
    this.mask = mask;
  }
}
