// SPDX-License-Identifier: Apache-2.0
// Who may write a page table, where the log says so: the lock of a root, and who holds it.
import type { Step } from "./importers/casemate.ts";
import { MAX_TABLES } from "./limits.ts";

export class Locks {
  /** Who holds a lock; undefined where it is free. A lock that is not here is not known. */
  readonly #held = new Map<number, number | undefined>();
  readonly #roots = new Map<number, number>();
  /** Entries that belong to one thread. */
  readonly #owners = new Map<number, number>();
  readonly #evicted: (limit: string) => void;
  #any = false;
  #lost = false;

  constructor(evicted: (limit: string) => void) {
    this.#evicted = evicted;
  }

  ofRoot(root: number, lock: number): void {
    this.#put(this.#roots, root, lock);
  }

  ofThread(entry: number, tid: number): void {
    this.#put(this.#owners, entry, tid);
  }

  step(tid: number, lock: number, takes: boolean): void {
    this.#any = true;
    if (takes) this.#put(this.#held, lock, tid);
    else if (this.#held.get(lock) === tid) this.#put(this.#held, lock, undefined);
  }

  /** A step may have been lost: until a lock is taken or left again, who holds it is not known. */
  forget(): void {
    this.#held.clear();
    this.#owners.clear();
    this.#lost = true;
  }

  /** Whether the step writes without the lock that it needs. */
  lacks({ tid }: Step, entry: number, root: number): boolean {
    const lock = this.#roots.get(root);
    if (lock === undefined || !this.#any || this.#owners.get(entry) === tid) return false;
    if (this.#lost && !this.#held.has(lock)) return false;
    return this.#held.get(lock) !== tid;
  }

  #put<T>(map: Map<number, T>, key: number, value: T): void {
    if (map.size < MAX_TABLES || map.has(key)) map.set(key, value);
    else {
      this.#evicted("MAX_TABLES");
      this.#lost = true;
    }
  }
}
