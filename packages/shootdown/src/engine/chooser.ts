// SPDX-License-Identifier: Apache-2.0
// Choices: how a nondeterministic step is run once for every combination of its choices.

/** More alternatives than this in one step is a mistake in a model. */
const CHOICES_MAX = 1 << 16;

/**
 * Replays a prefix of choices and takes the first alternative after it. Running a step, then
 * `advance`, until it answers false, visits every combination in lexicographic order.
 */
export class Chooser {
  // Both only grow; setting a length costs more than a step.
  private readonly digits: number[] = [];
  private readonly sizes: number[] = [];
  /** So many digits are given. */
  private known = 0;
  private at = 0;

  /** Begins the first run, or replays exactly `digits`. */
  start(digits: readonly number[] = []): void {
    for (let i = 0; i < digits.length; i++) this.digits[i] = digits[i]!;
    this.known = digits.length;
    this.at = 0;
  }

  /** One of `count` >= 1 alternatives, 0..count-1. */
  choose(count: number): number {
    const at = this.at++;
    this.sizes[at] = count;
    if (at < this.known) return this.digits[at]!;
    this.digits[at] = 0;
    this.known = at + 1;
    return 0;
  }

  /** Moves to the next combination; false when all were visited. */
  advance(): boolean {
    let last = this.at - 1;
    while (last >= 0 && this.digits[last]! + 1 >= this.sizes[last]!) last--;
    if (last < 0) return false;
    this.known = last + 1;
    this.digits[last]!++;
    this.at = 0;
    if (this.digits[last]! > CHOICES_MAX) throw new Error("a step with too many choices");
    return true;
  }

  /** The choices of the run just made. */
  taken(): number[] {
    return this.digits.slice(0, this.at);
  }
}
