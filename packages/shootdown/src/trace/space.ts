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
  /** Nothing yet shows that it has a notifier. */
  presumed = true;
  /** Something showed that it had none. */
  disproved = false;

  constructor(mm: string, forgot: () => void) {
    this.mm = mm;
    this.#forgot = forgot;
  }

  known(page: number): Known | undefined {
    return this.#known.get(page);
  }

  learn(start: number, end: number, what: Known): void {
    if (start >= end || (end === start + 1 && this.#known.get(start) === what)) return;
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

/** What the owner of the table does when it learns more. */
export interface SpaceEvents {
  /** A limit was reached, and something forgotten. */
  forgot(limit: string): void;
  /** The space has a notifier: since its registration just now, or `all_along`. */
  confirmed(space: Space, all_along: boolean): void;
}

/**
 * Which address spaces are watched. One that the caller names is watched from its first event on,
 * yet only presumed to have a notifier; what happens there is judged once the recording shows one.
 */
export class Spaces {
  readonly #watched = new Map<string, Space>();
  /** Released ones, and by which task. */
  readonly #released = new Map<string, number>();
  readonly #only: ReadonlySet<string> | undefined;
  readonly #all: boolean;
  readonly #events: SpaceEvents;
  /** Lives of address spaces that were found to have a notifier. */
  count = 0;

  /** @param mm absent: those that the recording shows to have a notifier. */
  constructor(mm: readonly string[] | "all" | undefined, events: SpaceEvents) {
    this.#all = mm === "all";
    this.#only = mm === undefined || mm === "all" ? undefined : new Set(mm);
    this.#events = events;
  }

  /** Whether the caller named this very address space. */
  named(space: Space): boolean {
    return this.#only?.has(space.mm) === true;
  }

  get(mm: string | undefined): Space | undefined {
    if (mm === undefined) return undefined;
    const space = this.#watched.get(mm);
    if (space !== undefined || (this.#only === undefined && !this.#all)) return space;
    const named = this.#all || this.#only?.has(mm) === true;
    return named && !this.#released.has(mm) ? this.#watch(mm) : undefined;
  }

  all(): Iterable<Space> {
    return this.#watched.values();
  }

  /** The mm gets a notifier. */
  register(mm: string): void {
    this.#released.delete(mm);
    if (this.#only !== undefined && !this.#only.has(mm)) return;
    this.#confirm(this.#watched.get(mm) ?? this.#watch(mm), false);
  }

  /** A notifier call, which the kernel makes only for an mm that has a notifier. */
  called(mm: string): Space | undefined {
    let space = this.get(mm);
    // After the release the kernel still calls while it tears the mm down; nobody listens.
    if (space === undefined && this.#only === undefined && !this.#released.has(mm)) {
      space = this.#watch(mm);
    }
    this.#confirm(space, true);
    return space;
  }

  /** The mm loses its notifiers. */
  release(mm: string, pid: number): void {
    this.#watched.delete(mm);
    this.#released.set(mm, pid);
    if (this.#released.size <= MAX_MMS) return;
    for (const oldest of this.#released.keys()) {
      this.#released.delete(oldest);
      break;
    }
  }

  /** The task has ended: another process may get the addresses of what it released. */
  exited(pid: number): void {
    for (const [mm, by] of this.#released) if (by === pid) this.#released.delete(mm);
  }

  #confirm(space: Space | undefined, all_along: boolean): void {
    if (space === undefined || !space.presumed) return;
    space.presumed = false;
    this.count++;
    this.#events.confirmed(space, all_along);
  }

  #watch(mm: string): Space | undefined {
    if (this.#watched.size >= MAX_MMS) {
      this.#events.forgot("MAX_MMS");
      return undefined;
    }
    const space = new Space(mm, () => this.#events.forgot("MAX_KNOWN_RUNS"));
    this.#watched.set(mm, space);
    return space;
  }
}
