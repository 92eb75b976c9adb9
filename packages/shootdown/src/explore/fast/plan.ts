// SPDX-License-Identifier: Apache-2.0
// What a search stores and where: the shape of its tables, and its words of control.
//
//   [ unit: tables | control | threads: words, successors, hashes | boxes | table, pad | pool ]
//
// The table says what is known; the pool holds records of states, in chunks, in the order in which
// they were found. A narrow state lies in its slot, and its record is gone once it is expanded; of
// a wide one the slot has the place of its record, which stays. Only the table and the pool grow.

import type { StepUnit } from "../../engine/compiled/unit.ts";
import type { Ex } from "../../engine/target/code.ts";
import { num } from "../../engine/target/code.ts";
import { add } from "./write.ts";

/** A test of states: some bit of the mask is set in the word. */
export interface Latch {
  readonly word: number;
  readonly mask: number;
}

export interface Plan {
  readonly words: number;
  /** Slots hold places of records instead of states. */
  readonly wide: boolean;
  /** Records tell where they come from: the place of the parent, and which successor it is. */
  readonly origins: boolean;
  /** Several threads. */
  readonly shared: boolean;
  readonly threads: number;
  /** Memories that share the states among them, and where each has a box for what is another's. */
  readonly shards: number;
  readonly boxes: number;
  readonly box_bytes: number;
  /** Bytes of a slot, and of a record. */
  readonly slot: number;
  readonly record: number;
  /** The byte offset in a slot of the word that is 0 if it is free, and a bit set in it if not. */
  readonly tell: number;
  readonly mark: number;
  readonly latches: readonly Latch[];
  /** States from which no run goes on are collected. */
  readonly ends: boolean;
  /** Functions that bring a state into its normal form in place. */
  readonly canon: readonly string[];
  readonly expand: string;
  readonly free: string | undefined;
  /** Byte address of the words of control, and of the first thread's own. */
  readonly all: number;
  readonly own: number;
  readonly own_bytes: number;
  /** Successors of one state, at most. */
  readonly successors: number;
  /** Byte offset of the buffer of successors, and of their hashes, from a thread's own words. */
  readonly buffer: number;
  readonly hashes: number;
}

/** States up to so many words lie in their slots. */
const NARROW_WORDS_MAX = 8;

/** Records of a chunk. */
export const CHUNK_RECORDS = 256;
/** A chunk begins with the place of the next one, and of its own end. */
export const CHUNK = { next: 0, until: 4, records: 8 } as const;

/** A box begins with the address of its end. */
export const BOX = { to: 0, records: 4 } as const;

/** A list of chunks being written: first, last, where to write, where the last one ends. */
export const LIST = { head: 0, tail: 4, to: 8, end: 12, bytes: 16 } as const;

/**
 * Words that all threads share. Places in the pool are byte offsets; of a chunk or a record in a
 * list or slot, one more, so that 0 is none.
 */
export const ALL = {
  table: 0,
  /** Slots in which a state may be at home; the pad comes behind. */
  size: 4,
  /** Address of the last slot of all, which stays free. */
  last: 8,
  pool: 12,
  /** Bytes of the pool that were given out, and that there are. */
  used: 16,
  limit: 20,
  /** Which of the memories this is. */
  self: 28,
  /** Set by whoever needs something done while nobody works. */
  halt: 24,
  /** States that may still be added before the table must grow. */
  room: 64,
  /** The level's chunks that nobody has taken. */
  level: 128,
  bytes: 192,
} as const;

/** Words of one thread. */
export const OWN = {
  /** The next state of the chunk being read, its end, and the chunk. */
  at: 0,
  until: 4,
  chunk: 8,
  /** Lists of states found, and of states at which runs end. */
  out: 16,
  ends: 32,
  /** Chunks read and kept: first and last. */
  kept: 48,
  /** Chunks free for use. */
  spare: 56,
  /** States that may be added before asking for more. */
  quota: 60,
  /** States added, and transitions, since the counters were last read. */
  added: 64,
  transitions: 68,
  /** The first state found that passes a test. */
  found: 72,
  sink: 76,
  bytes: 128,
} as const;

/** What `run` ends with; `threw` is what is made of an exception. */
export const CODE = {
  done: 0,
  /** No more states may be added, or none at the end of the table. */
  table: 1,
  pad: 2,
  pool: 3,
  budget: 4,
  halted: 5,
  threw: 6,
  /** The boxes must be emptied. */
  post: 7,
} as const;

/** In place of a code, while there is none. */
export const RUNNING = -1;

/** States that a thread asks for at once. */
export const QUOTA = 1024;

/** In a slot that is being written. */
export const busyOf = (plan: Plan): number => (plan.wide ? -1 : plan.mark === 1 ? 2 : 1);

export interface PlanOptions {
  readonly latches: readonly Latch[];
  readonly ends: boolean;
  readonly canon: readonly string[];
  readonly origins: boolean;
  readonly threads: number;
  readonly shared: boolean;
  /** One, if nothing is said. */
  readonly shards?: number;
}

/** States of a box, beside those of the one visited. */
const BOX_STATES = 4096;

export function planOf(unit: StepUnit, options: PlanOptions): Plan {
  const { words } = unit;
  const wide = options.origins || words > NARROW_WORDS_MAX;
  const all = align(unit.base + unit.data.length * 4);
  const buffer = align(OWN.bytes + 4);
  const successors = Math.max(1, unit.successors_max);
  const { shards = 1 } = options;
  const posted = shards > 1 ? successors + BOX_STATES : 0;
  const room = successors + posted;
  const hashes = buffer + room * words * 4;
  const own = all + ALL.bytes;
  const own_bytes = align(hashes + room * 4);
  return {
    ...options,
    shards,
    words,
    wide,
    slot: wide ? 8 : words * 4,
    record: (words + (options.origins ? 2 : 0)) * 4,
    tell: wide ? 0 : unit.mark.word * 4,
    mark: wide ? 0 : 1 << unit.mark.shift,
    expand: unit.expand,
    free: unit.free,
    all,
    own,
    own_bytes,
    boxes: own + options.threads * own_bytes,
    box_bytes: posted === 0 ? 0 : BOX.records + posted * words * 4,
    successors,
    buffer,
    hashes,
  };
}

/** Address of a thread's own words. */
export const ownOf = (plan: Plan, thread: number): number => plan.own + thread * plan.own_bytes;

/** Bytes of a chunk. */
export const chunkBytes = (plan: Plan): number => CHUNK.records + CHUNK_RECORDS * plan.record;

/** First byte behind what does not grow. */
export const tableStart = (plan: Plan): number => align(plan.boxes + plan.shards * plan.box_bytes);

/** Address of a place in the pool. */
export const inPool = (plan: Plan, place: Ex): Ex =>
  add({ k: "load", addr: num(plan.all), offset: ALL.pool }, place);

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
