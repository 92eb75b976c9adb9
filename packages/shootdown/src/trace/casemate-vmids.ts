// SPDX-License-Identifier: Apache-2.0
// Which root each VMID stands for: before it may be another, what it had must be invalidated.
import type { Step } from "./importers/casemate.ts";

/** Threads whose VTTBR_EL2 is remembered. */
const MAX_THREADS = 8192;

interface Use {
  readonly root: number;
  readonly line: number;
}

export class Vmids {
  /** What VTTBR_EL2 of each thread holds. */
  readonly #of = new Map<number, number>();
  /** By VMID, of 16 bits: its root, unless all of it is invalidated since. */
  readonly #uses = new Map<number, Use>();
  /** Invalidations that wait for their DSB: of a VMID, or (undefined) of every one. */
  readonly #waiting = new Map<number, Set<number | undefined>>();

  of(tid: number): number | undefined {
    return this.#of.get(tid);
  }

  /** VTTBR_EL2 is written; the line since which the VMID is another root's, if it still is. */
  load(step: Step, vmid: number, root: number): number | undefined {
    if (this.#of.size < MAX_THREADS || this.#of.has(step.tid)) this.#of.set(step.tid, vmid);
    if (root === 0) return undefined;
    const before = this.#uses.get(vmid);
    this.#uses.set(vmid, { root, line: step.line });
    return before !== undefined && before.root !== root ? before.line : undefined;
  }

  /** A TLBI for all of a VMID, or for every one, by this thread. */
  invalidated(tid: number, vmid: number | undefined): void {
    if (this.#waiting.size >= MAX_THREADS) this.forget();
    const all = this.#waiting.get(tid) ?? new Set();
    this.#waiting.set(tid, all.add(vmid));
  }

  /** A full DSB of this thread. */
  completed(tid: number): void {
    for (const vmid of this.#waiting.get(tid) ?? []) {
      if (vmid === undefined) this.#uses.clear();
      else this.#uses.delete(vmid);
    }
    this.#waiting.delete(tid);
  }

  /** A step may have been lost. */
  forget(): void {
    for (const of of [this.#of, this.#uses, this.#waiting]) of.clear();
  }
}
