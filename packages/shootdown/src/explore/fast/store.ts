// SPDX-License-Identifier: Apache-2.0
// The memory of a search, seen from outside while nobody works in it: beginnings, growth, lists.

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { Exports } from "../../engine/target/code.ts";
import { PAGE_BYTES } from "../../engine/target/code.ts";
import type { Plan } from "./plan.ts";
import { ALL, CHUNK, chunkBytes, LIST, OWN, ownOf, QUOTA, tableStart } from "./plan.ts";
import { clearBoxes } from "./shards.ts";

/** A memory that grows; WebAssembly's, or one that looks like it. */
export interface GrowingMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

/** A function called for states: their words begin at `states[at]`. */
export type Look = (states: Int32Array, at: number) => boolean;

/** Chunks joined to a list: places of the first and last, plus one; 0 is none. */
export interface Chunks {
  readonly head: number;
  readonly tail: number;
}

export interface StoreLimits {
  readonly states_max: number;
  /** As it is told. */
  readonly bytes_max: number;
  /** Bytes of this memory. */
  readonly memory_max: number;
  /** States that are stored elsewhere. */
  readonly elsewhere: () => number;
}

const FIRST_SLOTS = 1 << 10;
/** The table grows when so much of it is taken; more, if memory is not to be had. */
const LOAD = 0.72;
const LOAD_PRESSED = 0.95;
/** Slots behind the table for those that are at home at its end. */
const FIRST_PAD = 64;
const PAD_STEP = 16;
/** By how much a table must grow to be worth the sweep; and when nothing else is left. */
const WORTH_MOVING = 1.02;
const WORTH_MOVING_LAST = 1.005;

/** By how much a table grows: sparing where it matters. */
const factorOf = (slots: number): number => (slots < 1 << 16 ? 4 : slots < 1 << 22 ? 2 : 1.35);

export const memoryLimit = (bytes_max: number): string => `--max-memory ${bytes_max}`;

export class Store {
  readonly plan: Plan;
  private readonly exports: Exports;
  private readonly memory: GrowingMemory;
  private readonly limits: StoreLimits;
  private readonly view: () => Int32Array;
  private size = 0;
  private pad = FIRST_PAD;
  private load = LOAD;
  /** Bytes that the memory may have, or that there are. */
  private capacity: number;
  states = 0;
  transitions = 0;

  constructor(
    plan: Plan,
    unit: StepUnit,
    exports: Exports,
    memory: GrowingMemory,
    view: () => Int32Array,
    limits: StoreLimits,
  ) {
    this.plan = plan;
    this.exports = exports;
    this.memory = memory;
    this.limits = limits;
    this.capacity = Math.floor(limits.memory_max / PAGE_BYTES) * PAGE_BYTES;
    this.view = view;
    this.words.set(unit.data, unit.base / 4);
    this.setAll(ALL.table, tableStart(plan));
    this.setAll(ALL.pool, tableStart(plan) + this.tableBytes(FIRST_SLOTS, FIRST_PAD));
    this.setAll(ALL.limit, this.bytes - this.all(ALL.pool));
    this.setTable(FIRST_SLOTS);
    clearBoxes(this);
  }

  /** The words of the memory as it is now. */
  get words(): Int32Array {
    return this.view();
  }

  get bytes(): number {
    return this.memory.buffer.byteLength;
  }

  all(offset: number): number {
    return this.words[(this.plan.all + offset) >>> 2]! >>> 0;
  }

  setAll(offset: number, value: number): void {
    this.words[(this.plan.all + offset) >>> 2] = value;
  }

  own(thread: number, offset: number): number {
    return this.words[(ownOf(this.plan, thread) + offset) >>> 2]! >>> 0;
  }

  setOwn(thread: number, offset: number, value: number): void {
    this.words[(ownOf(this.plan, thread) + offset) >>> 2] = value;
  }

  /** Index in `words` of a place in the pool. */
  at(place: number): number {
    return (this.all(ALL.pool) + place) >>> 2;
  }

  /** Puts a state into the first thread's buffer. */
  buffer(state: Int32Array): void {
    this.words.set(state, (ownOf(this.plan, 0) + this.plan.buffer) >>> 2);
  }

  /** What the threads have counted so far, while they work. */
  peek(): { readonly states: number; readonly transitions: number } {
    let { states, transitions } = this;
    for (let t = 0; t < this.plan.threads; t++) {
      states += this.own(t, OWN.added);
      transitions += this.own(t, OWN.transitions);
    }
    return { states, transitions };
  }

  /** Adds up what the threads counted, and lets them add states again. Nobody works. */
  count(): void {
    for (let t = 0; t < this.plan.threads; t++) {
      this.states += this.own(t, OWN.added);
      this.transitions += this.own(t, OWN.transitions);
      for (const offset of [OWN.added, OWN.transitions, OWN.quota]) this.setOwn(t, offset, 0);
    }
    if (this.plan.shared) this.setAll(ALL.room, this.room);
    else this.setOwn(0, OWN.quota, this.room);
  }

  /** States that may be added as things are. */
  private get room(): number {
    const free = Math.floor(this.size * this.load) - this.states;
    return Math.max(0, Math.min(free, this.statesLeft));
  }

  private get statesLeft(): number {
    return this.limits.states_max - this.states - this.limits.elsewhere();
  }

  /** Whether so few states are left to be had that threads would quarrel over them. */
  get nearlyFull(): boolean {
    return this.statesLeft < 2 * QUOTA * this.plan.threads;
  }

  /** Room at which threads go on without more: they may keep so much from one another. */
  private get asked(): number {
    return this.plan.threads === 1 || this.nearlyFull ? 0 : 64 * this.plan.threads;
  }

  /** Whether some thread met a state that passes a test: its place, plus one. */
  found(): number {
    for (let t = 0; t < this.plan.threads; t++) {
      const found = this.own(t, OWN.found);
      if (found !== 0) return found;
    }
    return 0;
  }

  /** Makes room for more states; what limit was hit, if there is none to be had. */
  growTable(must: boolean): string | undefined {
    const { states_max, bytes_max } = this.limits;
    if (this.statesLeft <= 0) return `--max-states ${states_max}`;
    const enough = this.nearlyFull || this.load === LOAD_PRESSED;
    if (enough && this.room > this.asked && !must) return undefined;
    const grown = must && this.room > 0 ? this.growPad() : this.growSize();
    this.count();
    return grown ? undefined : memoryLimit(bytes_max);
  }

  /** Makes the table larger or, if that takes too much from the pool, fuller. */
  private growSize(): boolean {
    const pad = this.pad + PAD_STEP;
    const aside = this.exports["longest"]!(this.end) >>> 0;
    for (;;) {
      const most = this.most(aside, pad);
      const wanted = Math.ceil(this.size * factorOf(this.size));
      let size = Math.floor(Math.min(wanted, most, this.fair(aside, pad)));
      if (size < this.size * WORTH_MOVING) {
        if (this.load < LOAD_PRESSED) {
          this.load = LOAD_PRESSED;
          return true;
        }
        // The pool has the other half of what is left.
        size = Math.floor((this.size + most) / 2);
        if (size < this.size * WORTH_MOVING_LAST) return false;
      }
      // If not, there is less than it seemed.
      if (this.moveTable(size, pad, aside)) return true;
    }
  }

  /** Slots for which there is memory. */
  private most(aside: number, pad: number): number {
    const rest = tableStart(this.plan) + this.all(ALL.used) + aside;
    return (this.capacity - rest) / this.plan.slot - pad;
  }

  /** Slots for which there is memory if, by then, the pool has grown as the table has. */
  private fair(aside: number, pad: number): number {
    const { slot } = this.plan;
    const record = this.all(ALL.used) / Math.max(1, this.states);
    const bytes = this.capacity - tableStart(this.plan) - aside - pad * slot;
    return bytes / (slot + LOAD_PRESSED * record);
  }

  /** Room behind the table for those that are at home at its end. */
  private growPad(): boolean {
    const pad = this.pad * 2;
    return this.most(0, pad) >= this.size && this.makeRoom(this.size, pad, 0) !== undefined;
  }

  /** Makes room for more chunks; what limit was hit, if there is none to be had. */
  growPool(): string | undefined {
    const { threads } = this.plan;
    const bytes = chunkBytes(this.plan);
    const pool = this.all(ALL.pool);
    for (;;) {
      const most = this.capacity - pool;
      const used = this.all(ALL.used);
      const wanted = Math.max(used + bytes * threads, Math.ceil(this.all(ALL.limit) * 1.125));
      const size = Math.min(wanted, most);
      if (size < used + bytes) break;
      if (!this.reserve(pool + size)) continue;
      // Whole pages were had; all of them are used.
      this.setAll(ALL.limit, Math.min(this.bytes - pool, most));
      return undefined;
    }
    return this.shareSpare() ? undefined : memoryLimit(this.limits.bytes_max);
  }

  /** Gives every thread as many of the chunks that are free; whether each has one. */
  private shareSpare(): boolean {
    const { threads } = this.plan;
    const spare: number[] = [];
    for (let t = 0; t < threads; t++) {
      for (let chunk = this.own(t, OWN.spare); chunk !== 0; chunk = this.next(chunk)) {
        spare.push(chunk);
      }
      this.setOwn(t, OWN.spare, 0);
    }
    for (const [n, chunk] of spare.entries()) {
      this.words[this.at(chunk - 1 + CHUNK.next)] = this.own(n % threads, OWN.spare);
      this.setOwn(n % threads, OWN.spare, chunk);
    }
    return spare.length >= threads;
  }

  /** Takes the lists that the threads have written, joined; they begin new ones. */
  take(list: number): Chunks {
    const { plan } = this;
    let [head, tail] = [0, 0];
    for (let t = 0; t < plan.threads; t++) {
      const first = this.own(t, list + LIST.head);
      if (first === 0) continue;
      const last = this.own(t, list + LIST.tail);
      const to = this.own(t, list + LIST.to);
      this.words[this.at(last - 1 + CHUNK.until)] = to;
      // The rest of a chunk at the end is free again; where chunks are used again they stay whole.
      const trims = plan.wide && list === OWN.out;
      if (trims && this.own(t, list + LIST.end) === this.all(ALL.used)) this.setAll(ALL.used, to);
      for (let o = 0; o < LIST.bytes; o += 4) this.setOwn(t, list + o, 0);
      if (tail === 0) head = first;
      else this.words[this.at(tail - 1 + CHUNK.next)] = first;
      tail = last;
    }
    return { head, tail };
  }

  /** Threads that have a chunk in hand: to read, or one that was read and is not put down. */
  unfinished(): number[] {
    const all = Array.from({ length: this.plan.threads }, (_, t) => t);
    return all.filter((t) => this.own(t, OWN.chunk) !== 0);
  }

  /** Gives the first thread, which is through with its own chunk, what is left of another's. */
  adopt(thread: number): void {
    if (thread === 0) return;
    for (const offset of [OWN.at, OWN.until, OWN.chunk]) {
      this.setOwn(0, offset, this.own(thread, offset));
      this.setOwn(thread, offset, 0);
    }
  }

  /** Takes the chunks that were read and kept, joined. */
  takeKept(): Chunks {
    let all: Chunks = { head: 0, tail: 0 };
    for (let t = 0; t < this.plan.threads; t++) {
      const head = this.own(t, OWN.kept + LIST.head);
      const tail = this.own(t, OWN.kept + LIST.tail);
      for (const o of [LIST.head, LIST.tail]) this.setOwn(t, OWN.kept + o, 0);
      all = this.join(all, { head, tail });
    }
    return all;
  }

  join(a: Chunks, b: Chunks): Chunks {
    if (a.head === 0 || b.head === 0) return a.head === 0 ? b : a;
    this.words[this.at(a.tail - 1 + CHUNK.next)] = b.head;
    return { head: a.head, tail: b.tail };
  }

  private next(chunk: number): number {
    return this.words[this.at(chunk - 1 + CHUNK.next)]! >>> 0;
  }

  /** Gives chunks back to the first thread. */
  drop(chunks: Chunks): void {
    if (chunks.head === 0) return;
    this.words[this.at(chunks.tail - 1 + CHUNK.next)] = this.own(0, OWN.spare);
    this.setOwn(0, OWN.spare, chunks.head);
  }

  /** Calls `look` with the places of all records of closed chunks. */
  each(chunks: Chunks, look: (place: number) => void): void {
    for (let chunk = chunks.head; chunk !== 0; ) {
      const header = this.at(chunk - 1);
      const until = this.words[header + CHUNK.until / 4]! >>> 0;
      for (let p = chunk - 1 + CHUNK.records; p < until; p += this.plan.record) look(p);
      chunk = this.next(chunk);
    }
  }

  private get end(): number {
    return this.all(ALL.table) + this.tableBytes(this.size, this.pad);
  }

  private tableBytes(size: number, pad: number): number {
    return (size + pad) * this.plan.slot;
  }

  private setTable(size: number): void {
    this.size = size;
    this.setAll(ALL.size, size);
    this.setAll(ALL.last, this.end - this.plan.slot);
  }

  /** Gives the table more slots, and all states new homes. */
  private moveTable(size: number, pad: number, aside: number): boolean {
    const before = this.end;
    const room = this.makeRoom(size, pad, aside);
    if (room === undefined) return false;
    this.exports["sweep"]!(before, room);
    return true;
  }

  /** Moves the pool up; where so many bytes are free to put things aside. */
  private makeRoom(size: number, pad: number, aside: number): number | undefined {
    const before = this.end;
    const pool = this.all(ALL.table) + this.tableBytes(size, pad);
    const end = pool + this.all(ALL.limit) + aside;
    if (!this.reserve(Math.min(end, this.capacity))) return undefined;
    const { words } = this;
    const old = this.all(ALL.pool);
    words.copyWithin(pool >>> 2, old >>> 2, (old + this.all(ALL.used)) >>> 2);
    words.fill(0, before >>> 2, pool >>> 2);
    this.setAll(ALL.pool, pool);
    // What the pool had ahead is given back if there is no more.
    this.setAll(ALL.limit, Math.min(this.all(ALL.limit), this.bytes - pool));
    this.pad = pad;
    this.setTable(size);
    return Math.min(end, this.bytes) - aside;
  }

  /** Makes the memory so many bytes long at least; if that is not to be had, less counts as all. */
  private reserve(bytes: number): boolean {
    const pages = Math.ceil(bytes / PAGE_BYTES) - this.bytes / PAGE_BYTES;
    if (pages <= 0) return true;
    try {
      if (this.memory.grow(pages) >= 0) return true;
    } catch {
      // Less, then.
    }
    this.capacity = this.bytes + Math.floor(pages / 2) * PAGE_BYTES;
    return false;
  }
}

/** Bytes of the largest memory, all of whose addresses, ends included, are numbers of 32 bits. */
export const MEMORY_MAX = 2 ** 32 - PAGE_BYTES;

/** Pages that a search begins with. */
export const firstPages = (plan: Plan): number =>
  Math.ceil(
    (tableStart(plan) + (FIRST_SLOTS + FIRST_PAD) * plan.slot + 4 * chunkBytes(plan)) / PAGE_BYTES,
  );
