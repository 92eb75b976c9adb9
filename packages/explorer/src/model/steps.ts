// SPDX-License-Identifier: Apache-2.0
// The steps of a walk as they are needed: in blocks, asked for once, kept as long as the walk is.

import type { StagedStep } from "shootdown";

export const BLOCK_STEPS = 256;

type Load = (from: number, to: number) => Promise<readonly StagedStep[]>;

export class Steps {
  readonly length: number;
  private readonly load: Load;
  private readonly changed: () => void;
  private readonly blocks = new Map<number, readonly StagedStep[] | "asked">();

  /** `changed` is called when steps that were asked for have come. */
  constructor(length: number, load: Load, changed: () => void) {
    this.length = length;
    this.load = load;
    this.changed = changed;
  }

  /** Step `n`, from 0, if it is here; else it is asked for. */
  get(n: number): StagedStep | undefined {
    const number = Math.floor(n / BLOCK_STEPS);
    const block = this.blocks.get(number);
    if (block === "asked") return undefined;
    if (block) return block[n - number * BLOCK_STEPS];
    if (n < 0 || n >= this.length) return undefined;
    this.blocks.set(number, "asked");
    const from = number * BLOCK_STEPS;
    this.load(from, Math.min(this.length, from + BLOCK_STEPS)).then(
      (steps) => {
        this.blocks.set(number, steps);
        this.changed();
      },
      () => this.blocks.delete(number),
    );
    return undefined;
  }
}
