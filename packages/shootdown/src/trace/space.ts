// SPDX-License-Identifier: Apache-2.0
// One watched address space: what a secondary TLB may hold of it, and which pages are known.
import { IntervalMap } from "../base/interval-map.ts";
import { MAX_KNOWN_RUNS, MAX_MMS } from "./limits.ts";
import type { Span } from "./obligation.ts";
import { Window } from "./window.ts";

/** What the recording shows of a page that is not known to have changed since. */
export type Known = "invalid" | "valid" | "writable";

export class Space {
  readonly mm: string;
  readonly window = new Window();
  readonly #known = new IntervalMap<Known>();
  readonly #forgot: () => void;
  /** Notifier ranges opened so far, and those open now; by all tasks. */
  opened = 0;
  active = 0;

  constructor(mm: string, forgot: () => void) {
    this.mm = mm;
    this.#forgot = forgot;
  }

  known(page: number): Known | undefined {
    return this.#known.get(page);
  }

  learn(start: number, end: number, what: Known): void {
    if (start >= end) return;
    this.#known.set(start, end, what);
    if (this.#known.size <= MAX_KNOWN_RUNS) return;
    this.#known.clear();
    this.#forgot();
  }

  forget(start: number, end: number): void {
    if (start < end && this.#known.size > 0) this.#known.delete(start, end);
  }

  /** The pages of a range that are known to be valid, or to be writable, in order. */
  mapped(start: number, end: number, writable = false): Span[] {
    if (start >= end) return [];
    const found: Span[] = [];
    for (const run of this.#known.iterate(start, end)) {
      if (run.value === "writable" || (run.value === "valid" && !writable)) found.push(run);
    }
    return found;
  }

  /** Writable pages of a range were made read-only. */
  protect(start: number, end: number): void {
    for (const span of this.mapped(start, end, true)) this.learn(span.start, span.end, "valid");
  }
}

/** Which address spaces are watched. */
export class Spaces {
  readonly #watched = new Map<string, Space>();
  readonly #released = new Set<string>();
  readonly #only: ReadonlySet<string> | undefined;
  readonly #all: boolean;
  readonly #forgot: (limit: string) => void;
  #count = 0;

  /** @param mm absent: those that the recording shows to have a notifier. */
  constructor(mm: readonly string[] | "all" | undefined, forgot: (limit: string) => void) {
    this.#all = mm === "all";
    this.#only = mm === undefined || mm === "all" ? undefined : new Set(mm);
    this.#forgot = forgot;
  }

  /** Lives of address spaces that were watched, each counted once. */
  get count(): number {
    return this.#count;
  }

  get(mm: string | undefined): Space | undefined {
    if (mm === undefined) return undefined;
    const space = this.#watched.get(mm);
    if (space !== undefined) return space;
    const named = this.#all || this.#only?.has(mm) === true;
    return named && !this.#released.has(mm) ? this.#watch(mm) : undefined;
  }

  all(): Iterable<Space> {
    return this.#watched.values();
  }

  /** The mm gets a notifier. */
  register(mm: string): void {
    this.#released.delete(mm);
    if (this.#only === undefined || this.#only.has(mm)) {
      if (!this.#watched.has(mm)) this.#watch(mm);
    }
  }

  /** A notifier call, which the kernel makes only for an mm that has a notifier. */
  called(mm: string): Space | undefined {
    const space = this.get(mm);
    // After the release the kernel still calls while it tears the mm down; nobody listens.
    if (space !== undefined || this.#only !== undefined || this.#released.has(mm)) return space;
    return this.#watch(mm);
  }

  /** The mm loses its notifiers. */
  release(mm: string): Space | undefined {
    const space = this.#watched.get(mm);
    this.#watched.delete(mm);
    this.#released.add(mm);
    if (this.#released.size > MAX_MMS) {
      for (const oldest of this.#released) {
        this.#released.delete(oldest);
        break;
      }
    }
    return space;
  }

  #watch(mm: string): Space | undefined {
    if (this.#watched.size >= MAX_MMS) {
      this.#forgot("MAX_MMS");
      return undefined;
    }
    const space = new Space(mm, () => this.#forgot("MAX_KNOWN_RUNS"));
    this.#watched.set(mm, space);
    this.#count++;
    return space;
  }
}
