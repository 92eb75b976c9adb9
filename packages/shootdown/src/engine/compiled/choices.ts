// SPDX-License-Identifier: Apache-2.0
// Choices in compiled code: a step runs once for every combination, in the order of Chooser.
//
//   loop { counts := 0; the step; from the last choice made backwards: next alternative, or 0 }
//
// A step begins with all digits 0 and leaves them so.

import type { Ex, St } from "../target/code.ts";
import { bin, brIf, iff, local, num, set } from "../target/code.ts";
import type { Writer } from "./frame.ts";
import { bounded, maxOf } from "./values.ts";

interface Site {
  readonly digit: number;
  /** Alternatives at the run just made; 0 if it did not come here. */
  readonly count: number;
}

export class Chosen {
  private readonly writer: Writer;
  private readonly sites: Site[] = [];
  private product = 1;

  constructor(writer: Writer) {
    this.writer = writer;
  }

  /** A choice among `count` >= 1 alternatives, made here. */
  site(count: Ex): Ex {
    if (count.k === "const" && count.value === 1) return num(0);
    const { fb } = this.writer;
    const site = { digit: fb.fresh(), count: fb.fresh() };
    this.sites.push(site);
    this.product *= Math.max(1, maxOf(count));
    this.writer.push(set(site.count, count));
    return bounded(local(site.digit), Math.max(0, maxOf(count) - 1));
  }

  /** At most so many combinations, as far as is known. */
  get combinations(): number {
    return this.product;
  }

  /** Repeats `code`, which makes the choices, until all were made. */
  wrap(code: readonly St[]): void {
    if (this.sites.length === 0) return this.writer.push(...code);
    const { fb } = this.writer;
    const again = fb.label();
    // Later sites are written later: no site comes after one that is written behind it.
    const advance = [...this.sites]
      .reverse()
      .map(({ digit, count }) =>
        iff(local(count), [
          set(digit, bin("add", local(digit), num(1))),
          brIf(bin("lt_u", local(digit), local(count)), again),
          set(digit, num(0)),
        ]),
      );
    const begin = this.sites.map(({ count }) => set(count, num(0)));
    this.writer.push({ k: "loop", label: again, body: [...begin, ...code, ...advance] });
  }
}
