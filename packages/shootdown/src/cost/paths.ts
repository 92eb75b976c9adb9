// SPDX-License-Identifier: Apache-2.0
// Ways through a program, each with a number: the same instructions in the same order.

import type { Origin } from "../engine/program.ts";

export class Paths {
  private readonly origins = new Map<Origin, number>();
  /** Ways by a sum of their instructions, each with its number. */
  private readonly known = new Map<
    number,
    { readonly way: readonly number[]; readonly n: number }[]
  >();
  private count = 0;
  private way: number[] | undefined;

  begin(): void {
    this.way = [];
  }

  /** An instruction was run; noted between `begin` and `end` alone. */
  add(origin: Origin): void {
    if (!this.way) return;
    let number = this.origins.get(origin);
    if (number === undefined) this.origins.set(origin, (number = this.origins.size));
    this.way.push(number);
  }

  /** The number of the way since `begin`. */
  end(): number {
    const way = this.way!;
    this.way = undefined;
    let sum = way.length;
    for (const n of way) sum = (Math.imul(sum, 31) + n) | 0;
    const alike = this.known.get(sum) ?? [];
    const found = alike.find(
      (k) => k.way.length === way.length && k.way.every((n, i) => n === way[i]),
    );
    if (found) return found.n;
    this.known.set(sum, [...alike, { way, n: this.count }]);
    return this.count++;
  }
}
