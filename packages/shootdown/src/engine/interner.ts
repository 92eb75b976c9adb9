// SPDX-License-Identifier: Apache-2.0
// Numbers of the values that cells hold, given as they appear (ADR 2).

import { ModelLimit } from "./model-limit.ts";

/** More distinct values than a cell can tell apart: a limit, not a mistake of the scenario. */
export class TooManyValues extends ModelLimit {
  readonly most: number;
  constructor(sort: string, most: number) {
    super(`more than ${most} distinct values of sort ${sort} reach a cell`);
    this.most = most;
  }
}

/** Numbers the values of a sort in the order in which they reach a cell. */
export class Interner {
  readonly values: number[] = [];
  private readonly bits = new Map<number, number>();
  private readonly sort: string;
  private readonly most: number;

  constructor(sort: string, most: number) {
    this.sort = sort;
    this.most = most;
  }

  /** The one-bit mask of a value. */
  bit(value: number): number {
    let bit = this.bits.get(value);
    if (bit === undefined) {
      if (this.values.length >= this.most) throw new TooManyValues(this.sort, this.most);
      bit = 1 << (this.values.push(value) - 1);
      this.bits.set(value, bit);
    }
    return bit;
  }
}
