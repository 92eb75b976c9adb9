// SPDX-License-Identifier: Apache-2.0
// The steps of a walk as they are needed: in blocks, asked for once, kept as long as the walk is.

import type { StagedStep } from "shootdown";

/** Few: who scrubs wants what he sees, and not what has passed by. */
export const BLOCK_STEPS = 64;
/** More are not asked for at once; what is still wanted is asked for when one has come. */
const ASKED_MAX = 2;

type Load = (from: number, to: number) => Promise<readonly StagedStep[]>;

export class Steps {
  readonly length: number;
  private readonly load: Load;
  private readonly changed: () => void;
  private readonly blocks = new Map<number, readonly StagedStep[]>();
  private readonly asked = new Set<number>();

  /** `changed` is called when steps that were asked for have come; `known` are all of them. */
  constructor(length: number, load: Load, changed: () => void, known?: readonly StagedStep[]) {
    this.length = length;
    this.load = load;
    this.changed = changed;
    for (let n = 0; known && n < length; n += BLOCK_STEPS) {
      this.blocks.set(n / BLOCK_STEPS, known.slice(n, n + BLOCK_STEPS));
    }
  }

  /** Step `n`, from 0, if it is here; else it is asked for. */
  get(n: number): StagedStep | undefined {
    const number = Math.floor(n / BLOCK_STEPS);
    const block = this.blocks.get(number);
    if (block) return block[n - number * BLOCK_STEPS];
    this.ask(number);
    return undefined;
  }

  /** Asks for what is next to a window, after the window itself. */
  around(first: number, last: number): void {
    this.ask(Math.floor(last / BLOCK_STEPS) + 1);
    this.ask(Math.floor(first / BLOCK_STEPS) - 1);
  }

  private ask(number: number): void {
    const { asked, blocks } = this;
    const from = number * BLOCK_STEPS;
    if (from < 0 || from >= this.length || blocks.has(number)) return;
    if (asked.has(number) || asked.size >= ASKED_MAX) return;
    asked.add(number);
    this.load(from, Math.min(this.length, from + BLOCK_STEPS)).then(
      (steps) => {
        asked.delete(number);
        blocks.set(number, steps);
        this.changed();
      },
      () => asked.delete(number),
    );
  }
}
