// SPDX-License-Identifier: Apache-2.0
// The numbers that a log gives its steps: one that is left out, or comes twice, is damage.
//
// casemate counts all steps; what is left out may be a hint, or what makes a run wrong. A log whose
// numbers do not follow each other from the first few on (all the same, tens, none) is not
// numbered, and nothing is concluded from them. Numbers that count for each thread are understood.
import type { Step } from "./importers/casemate.ts";

/** Steps in a row that show that a log is numbered. */
const SHOWN = 3;
/** Threads whose numbers are followed. */
const MAX_THREADS = 8192;

export class Numbering {
  readonly #damaged: (why: string, line: number) => void;
  readonly #threads = new Map<number, number>();
  #last: number | undefined;
  #first: number | undefined;
  /** How the numbers run, as far as they did not say otherwise. */
  #all = true;
  #each = true;
  #steps = 0;

  constructor(damaged: (why: string, line: number) => void) {
    this.#damaged = damaged;
  }

  step({ id, tid, line }: Step): void {
    if (this.#steps <= SHOWN) this.#steps++;
    const last = this.#last;
    const own = this.#threads.get(tid);
    const all = id !== undefined && (last === undefined || id === last + 1);
    const each = id !== undefined && (own === undefined ? id <= 1 : id === own + 1);
    const [was_all, was_each] = [this.#all, this.#each];
    this.#all &&= all;
    this.#each &&= each && (own !== undefined || this.#threads.size < MAX_THREADS);
    if (id === undefined) return;
    this.#first ??= id;
    this.#last = id;
    if (was_each) this.#threads.set(tid, id);
    if (this.#all || this.#each || !(was_all || was_each)) return this.#begun(line);
    if (this.#steps <= SHOWN) return;
    // From here on, as it was.
    [this.#all, this.#each] = [was_all, was_each];
    const before = was_all ? last : own;
    const again = before !== undefined && id <= before;
    this.#damaged(again ? "a step that comes again, or too late" : "steps are missing", line);
  }

  /** A numbered log that does not begin at 0 or 1 begins in the middle. */
  #begun(line: number): void {
    if (this.#steps !== SHOWN || this.#first === undefined) return;
    const middle = this.#first > 1 && this.#all;
    this.#first = undefined;
    if (middle) this.#damaged("the log begins in the middle", line);
  }
}
