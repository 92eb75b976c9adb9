// SPDX-License-Identifier: Apache-2.0
// The mappings of one address space as far as a recording tells them, and what follows from a call.
//
//   mmap(MAP_FIXED) over something  ->  munmap, mmap
//   a use of pages that nobody was seen to map  ->  mmap of what must have been there, touch
import { IntervalMap } from "../../base/interval-map.ts";
import type { Advice, Call, Span } from "../workload.ts";
import type { OperationStore } from "./store.ts";

export const PAGE = 4096;
/** Addresses of a program are below. */
export const ADDRESS_LIMIT = 2 ** 48;

/** What a mapping is, in bits. */
const WRITABLE = 1;
const ACCESSIBLE = 2;
const SHARED = 4;
const FILE = 8;
const RESERVED = 16;
/** Not seen when it was made. */
const INFERRED = 32;
/** Its pages are taken to be in use. */
const USED = 64;

/** Pages that are used where nobody was seen to map anything are of one mapping if this near. */
const NEAR = 2 ** 21;

/** A mapping inferred from the use of its pages: from the first to the last of them. */
interface Cluster {
  /** The operation that maps it. */
  readonly index: number;
  start: number;
  end: number;
}

/** Which pages are taken to be in the page table where a recording does not show page faults. */
export const POPULATED = ["all", "touched", "none"] as const;
export type Populated = (typeof POPULATED)[number];

/** When, who, and where it stands. */
export interface Step {
  readonly at_ns: number;
  readonly tid: number;
  readonly line: number;
}

export interface Kind {
  readonly writable: boolean;
  readonly accessible: boolean;
  readonly shared: boolean;
  readonly file: boolean;
  readonly reserved: boolean;
  readonly populate: boolean;
}

const PLAIN: Kind = {
  writable: true,
  accessible: true,
  shared: false,
  file: false,
  reserved: false,
  populate: false,
};

export class AddressSpace {
  readonly pid: number;
  /** Its tasks; without any it is gone. */
  readonly tasks = new Set<number>();
  /** Whether it was recorded from its beginning. */
  readonly whole: boolean;
  /** Mappings that were inferred. */
  inferred = 0;
  readonly #out: OperationStore;
  /** Undefined where page faults are recorded. */
  readonly #populated: Populated | undefined;
  #maps = new IntervalMap<number>();
  #brk: number | undefined;
  /** What was mapped or unmapped, ever: an inferred mapping was not there. */
  readonly #named = new IntervalMap<true>();
  readonly #clusters: Cluster[] = [];

  constructor(pid: number, whole: boolean, out: OperationStore, populated: Populated | undefined) {
    this.pid = pid;
    this.whole = whole;
    this.#out = out;
    this.#populated = populated;
  }

  /** What a child has. */
  fork(pid: number): AddressSpace {
    const child = new AddressSpace(pid, this.whole, this.#out, this.#populated);
    child.#maps = this.#maps.clone();
    child.#brk = this.#brk;
    // What the child has got cannot grow any more.
    this.#clusters.length = 0;
    for (const { start, end } of this.#named.iterate()) child.#named.set(start, end, true);
    return child;
  }

  /** Of mappings that were seen; the first of them that meets the span. */
  conflict(span: Span): Span | undefined {
    for (const run of this.#maps.iterate(span.start, span.end)) {
      if ((run.value & INFERRED) === 0) return this.#maps.run(run.start);
    }
    return undefined;
  }

  map(step: Step, span: Span, kind: Kind): void {
    if (!this.#maps.iterate(span.start, span.end).next().done) this.unmap(step, span);
    this.#add(step, span, kind, 0);
    if (this.#populated === "all" && !kind.populate) this.#use(step, span);
  }

  unmap(step: Step, span: Span): void {
    if (!this.whole) this.#infer(step, span);
    this.#emit(step, { call: "munmap", span });
    this.#maps.delete(span.start, span.end);
    this.#named.set(span.start, span.end, true);
  }

  protect(step: Step, span: Span, writable: boolean, accessible: boolean): void {
    this.#infer(step, span);
    if (this.#populated === "touched") this.#use(step, span);
    this.#emit(step, { call: "mprotect", span, writable, accessible });
    const gained = (writable ? WRITABLE : 0) | (accessible ? ACCESSIBLE : 0);
    this.#maps.update(span.start, span.end, (bits) => {
      if (bits === undefined) return undefined;
      const made = (bits & ~(WRITABLE | ACCESSIBLE)) | gained;
      return (made & ~bits) !== 0 ? made & ~USED : made;
    });
    if (this.#populated === "all") this.#use(step, span);
  }

  advise(step: Step, span: Span, advice: Advice): void {
    this.#infer(step, span);
    if (this.#populated === "touched") this.#use(step, span);
    this.#emit(step, { call: "madvise", span, advice });
    if (advice === "MADV_COLD" || advice === "MADV_FREE") return;
    this.#maps.update(span.start, span.end, (bits) =>
      bits === undefined ? undefined : bits & ~USED,
    );
  }

  /** Moves, grows or shrinks; `stays`: an empty mapping stays where it was. */
  remap(step: Step, from: Span, to: Span, stays: boolean): void {
    this.#infer(step, from);
    if (this.#populated === "touched") this.#use(step, from);
    const bits = this.#maps.get(from.start) ?? WRITABLE | ACCESSIBLE;
    const inPlace = from.start === to.start;
    if (!inPlace && !this.#maps.iterate(to.start, to.end).next().done) this.unmap(step, to);
    if (from.start === from.end) {
      // Of a shared mapping, a second one of the same pages.
      this.#add(step, to, kindOf(bits), bits & USED);
      return;
    }
    this.#emit(step, { call: "mremap", from, to });
    this.#maps.delete(from.start, from.end);
    this.#maps.set(to.start, to.end, bits);
    this.#named.set(to.start, to.end, true);
    if (stays) this.#add(step, from, kindOf(bits), 0);
    const grown = to.end - to.start > from.end - from.start;
    if (grown && this.#populated === "all") this.#grow(step, from, to);
  }

  /** `now`: where the break is since the call. */
  brk(step: Step, now: number): void {
    const old = this.#brk;
    this.#brk = now;
    // Asked where it is, or where it could not be moved, it has not moved.
    if (old === undefined) return;
    const start = pageUp(old);
    const end = pageUp(now);
    if (end < start) this.unmap(step, { start: end, end: start });
    else if (end > start) {
      this.#fill(step, { start, end }, 0);
      if (this.#populated === "all" || this.#populated === "touched") {
        this.#use(step, { start, end });
      }
    }
  }

  /** A use of one page. False where it cannot be: the program gets a signal. */
  touch(step: Step, address: number, write: boolean): boolean {
    const start = address - (address % PAGE);
    const run = this.#maps.run(start);
    if (run.value === undefined) this.#cluster(step, start);
    else if ((run.value & (write ? WRITABLE : ACCESSIBLE)) === 0) {
      if ((run.value & INFERRED) === 0) return false;
    }
    if (this.#out.extendTouch(step.tid, this.pid, start, write)) return true;
    this.#emit(step, { call: "touch", span: { start, end: start + PAGE }, write });
    return true;
  }

  /** MADV_POPULATE_READ and _WRITE. */
  populate(step: Step, span: Span, write: boolean): void {
    this.#infer(step, span);
    this.#emit(step, { call: "touch", span, write });
    this.#maps.update(span.start, span.end, (bits) => bits && bits | USED);
  }

  #add(step: Step, span: Span, kind: Kind, more: number): number {
    const { writable, accessible, shared, file, populate } = kind;
    const index = this.#emit(step, {
      ...({ call: "mmap", span, writable, accessible, shared, file, populate } as const),
    });
    const bits =
      (writable ? WRITABLE : 0) |
      (accessible ? ACCESSIBLE : 0) |
      (shared ? SHARED : 0) |
      (file ? FILE : 0) |
      (kind.reserved ? RESERVED : 0) |
      (populate ? USED : 0);
    this.#maps.set(span.start, span.end, bits | more);
    this.#named.set(span.start, span.end, true);
    return index;
  }

  /** Maps what must have been there before. */
  #infer(step: Step, span: Span): void {
    const gaps = this.#gaps(span);
    for (const gap of gaps) this.#inferred(step, gap);
    if (this.#populated === "all") for (const gap of gaps) this.#use(step, gap);
  }

  #inferred(step: Step, span: Span): number {
    this.inferred++;
    return this.#add(step, span, PLAIN, INFERRED);
  }

  /** A page that is used: of an inferred mapping near it, or of one of its own. */
  #cluster(step: Step, page: number): void {
    for (const cluster of this.#clusters) {
      const start = page < cluster.start ? page : cluster.end;
      const end = page < cluster.start ? cluster.start : page + PAGE;
      if (end - start > NEAR || !this.#unnamed({ start, end })) continue;
      cluster.start = Math.min(cluster.start, start);
      cluster.end = Math.max(cluster.end, end);
      this.#out.setSpan(cluster.index, cluster);
      this.#maps.set(start, end, WRITABLE | ACCESSIBLE | INFERRED);
      this.#named.set(start, end, true);
      return;
    }
    const span = { start: page, end: page + PAGE };
    this.#clusters.push({ index: this.#inferred(step, span), ...span });
  }

  #unnamed({ start, end }: Span): boolean {
    return (
      start < end && this.#named.run(start).value === undefined && this.#named.run(start).end >= end
    );
  }

  #fill(step: Step, span: Span, more: number): void {
    for (const gap of this.#gaps(span)) this.#add(step, gap, PLAIN, more);
  }

  #gaps(span: Span): Span[] {
    const gaps: Span[] = [];
    let at = span.start;
    for (const { start, end } of this.#maps.iterate(span.start, span.end)) {
      if (start > at) gaps.push({ start: at, end: start });
      at = end;
    }
    if (at < span.end) gaps.push({ start: at, end: span.end });
    return gaps;
  }

  /** Every page is used once, as far as it may be and was not. */
  #use(step: Step, span: Span): void {
    const runs = [...this.#maps.iterate(span.start, span.end)];
    for (const { start, end, value } of runs) {
      if ((value & (ACCESSIBLE | RESERVED | USED)) !== ACCESSIBLE) continue;
      this.#emit(step, { call: "touch", span: { start, end }, write: (value & WRITABLE) !== 0 });
      this.#maps.set(start, end, value | USED);
    }
  }

  /** The new part of a mapping that was made longer. */
  #grow(step: Step, from: Span, to: Span): void {
    const start = to.start + from.end - from.start;
    const bits = this.#maps.get(start) ?? 0;
    this.#maps.set(start, to.end, bits & ~USED);
    this.#use(step, { start, end: to.end });
  }

  #emit(step: Step, call: Call): number {
    return this.#out.push(step.at_ns, step.tid, this.pid, step.line, call);
  }
}

const kindOf = (bits: number): Kind => ({
  writable: (bits & WRITABLE) !== 0,
  accessible: (bits & ACCESSIBLE) !== 0,
  shared: (bits & SHARED) !== 0,
  file: (bits & FILE) !== 0,
  reserved: (bits & RESERVED) !== 0,
  populate: false,
});

export const pageUp = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE;
