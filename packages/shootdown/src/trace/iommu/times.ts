// SPDX-License-Identifier: Apache-2.0
// Times counted in microseconds, for their quantiles, in bounded memory.
import { MAX_TIMES } from "../limits.ts";

export interface Spread {
  readonly pages: number;
  readonly median_ms: number;
  readonly p95_ms: number;
  readonly longest_ms: number;
}

export class Times {
  readonly #counts = new Map<number, number>();
  #total = 0;
  #longest = 0;
  /** Too many distinct times came: later ones are rounded to three digits. */
  rounded = false;

  add(seconds: number, count: number): void {
    // A clock that goes backwards is no time at all.
    const exact = Math.max(0, Math.round(seconds * 1e6));
    const known = this.#counts.has(exact) || this.#counts.size < MAX_TIMES;
    if (!known) this.rounded = true;
    const key = known ? exact : Number(exact.toPrecision(3));
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
    this.#total += count;
    if (exact > this.#longest) this.#longest = exact;
  }

  /** Undefined without any. */
  spread(): Spread | undefined {
    if (this.#total === 0) return undefined;
    const sorted = [...this.#counts].sort(([a], [b]) => a - b);
    const at = (part: number): number => {
      let left = Math.min(this.#total - 1, Math.floor(part * this.#total));
      for (const [time, count] of sorted) {
        if (left < count) return time / 1000;
        left -= count;
      }
      return this.#longest / 1000;
    };
    const longest_ms = this.#longest / 1000;
    return { pages: this.#total, median_ms: at(0.5), p95_ms: at(0.95), longest_ms };
  }
}
