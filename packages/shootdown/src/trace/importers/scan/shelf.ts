// SPDX-License-Identifier: Apache-2.0
// Events that matter only in a recording of an IOMMU's queue, and there from the beginning: they
// wait until the first event shows that it is one.
//
//   map unmap tlb_flush map unmap ...   qi_submit ...
//   └─ lines on the shelf, the last MAX_HELD of them ─┴─► handed on in order, then no more waiting
//
// What has fallen off by then is counted. Most recordings have no such queue, and their mappings
// are never decoded. Flushes of CPUs are only counted, by reason.

import type { RawEvent } from "../raw-event.ts";
import {
  HELD,
  HELD_BYTES,
  KIND,
  MAX_HELD,
  MAX_HELD_TEXT,
  MAX_REASONS,
  REASON,
  REASON_BYTES,
  REASONS,
  SHELF,
  STATE,
} from "./layout.ts";
import { ScanMemory } from "./memory.ts";

/** Who gets what was on the shelf. */
export interface ShelfUser {
  event(event: RawEvent): void;
  /** Events are missing here. */
  lost(): void;
  /** So many lines fell off, before all others. */
  fell(fallen: { readonly maps: number; readonly unmaps: number }): void;
  flushed(reason: string, count: { readonly flushes: number; readonly all: number }): void;
}

/** Makes an event of the line in a slot. */
type Decode = (bytes: Uint8Array, slot: number) => RawEvent | undefined;

const KINDS: ReadonlyMap<string, number> = new Map([
  ["map", KIND.map],
  ["unmap", KIND.unmap],
  ["tlb_flush", KIND.flush],
]);
const WORD = "0x[\\da-f]{16}";
const STOCK_MAP = new RegExp(`^IOMMU: iova=${WORD} - ${WORD} paddr=${WORD} size=\\d{1,15}$`);
const STOCK_UNMAP = new RegExp(
  `^IOMMU: iova=${WORD} - ${WORD} size=\\d{1,15} unmapped_size=\\d{1,15}$`,
);
const FLUSH = /^pages:(?:-[1-9]|\d)\d{0,13} reason:((.*) \(\d+\))$/;

export class Shelf {
  readonly #opens: ReadonlySet<string>;
  readonly #user: ShelfUser;
  #memory: ScanMemory | undefined;
  #decode: Decode = () => undefined;
  #on = true;
  /** How many lines had been put when events were lost. */
  #losses: number[] = [];
  readonly #reasons: string[] = [];

  /** @param opens names of the events that show that those on the shelf matter. */
  constructor(opens: ReadonlySet<string>, user: ShelfUser) {
    this.#opens = opens;
    this.#user = user;
  }

  /** Lines of such events are put here. */
  get on(): boolean {
    return this.#on;
  }

  /** What an event of a name is to the scanner; 0 for most. */
  kind(event: string): number {
    return KINDS.get(event) ?? (this.#opens.has(event) ? KIND.opens : KIND.wanted);
  }

  /** Looks at an event before it is handed on; where its line is now, if it has to wait. */
  waits(event: RawEvent, bytes: Uint8Array): number | undefined {
    const kind = this.#on ? this.kind(event.event) : KIND.wanted;
    if (kind === KIND.wanted) return undefined;
    const usual = event.form === "event";
    if (kind === KIND.flush) {
      if (usual) this.#learn(event.text);
      return undefined;
    }
    const slot = usual && kind !== KIND.opens ? this.#put(event, bytes) : undefined;
    if (slot === undefined) this.release();
    return slot;
  }

  /** @param memory the scanner's, if there is one. */
  attach(decode: Decode, memory: ScanMemory | undefined): ScanMemory {
    this.#decode = decode;
    this.#memory = memory ?? new ScanMemory(new ArrayBuffer(SHELF + MAX_HELD * HELD_BYTES));
    this.#memory.setWord(STATE.shelf, this.#on ? 1 : 0);
    return this.#memory;
  }

  /** Puts a line here if it is as the kernel's tracepoint writes it; where, if so. */
  #put({ event, text, line }: RawEvent, bytes: Uint8Array): number | undefined {
    const memory = this.#memory;
    const stock = event === "map" ? STOCK_MAP : STOCK_UNMAP;
    if (memory === undefined || bytes.length > MAX_HELD_TEXT) return undefined;
    if (!stock.test(text)) return undefined;
    const held = memory.word(STATE.held);
    const slot = held & (MAX_HELD - 1);
    const at = SHELF + slot * HELD_BYTES;
    if (memory.word(at + HELD.kind) === KIND.unmap) {
      memory.setWord(STATE.fallen_unmaps, memory.word(STATE.fallen_unmaps) + 1);
    }
    memory.setWord(STATE.held, held + 1);
    memory.setWord(at + HELD.kind, this.kind(event));
    memory.setWord(at + HELD.length, bytes.length);
    memory.setWord(at + HELD.line, line);
    memory.bytes.set(bytes, at + HELD.text);
    return slot;
  }

  /** From now on the scanner counts flushes of the reason that this text has. */
  #learn(text: string): void {
    const memory = this.#memory;
    const [, key = "", reason] = FLUSH.exec(text) ?? [];
    const known = this.#reasons.length;
    if (memory === undefined || reason === undefined || known >= MAX_REASONS) return;
    if (key.length > 32 || !/^[\x20-\x7e]*$/.test(key) || key.includes("tlb")) return;
    const at = REASONS + known * REASON_BYTES;
    const bytes = Uint8Array.from(key, (c) => c.charCodeAt(0));
    memory.bytes.fill(0, at, at + REASON_BYTES);
    memory.setWord(at + REASON.length, bytes.length);
    memory.bytes.set(bytes, at + REASON.text);
    this.#reasons.push(reason);
    memory.setWord(STATE.reasons, known + 1);
  }

  /** Events are missing here. */
  lost(): void {
    if (!this.#on || this.#memory === undefined) return this.#user.lost();
    const held = this.#memory.word(STATE.held) >>> 0;
    if (this.#losses.at(-1) !== held) this.#losses.push(held);
    // Those before what is left say nothing.
    if (this.#losses.length > 2 * MAX_HELD) {
      this.#losses = this.#losses.filter((at) => at >= held - MAX_HELD);
    }
  }

  /** Hands on what is here, in order, with the losses between; nothing waits any more. */
  release(): void {
    const memory = this.#memory;
    if (!this.#on) return;
    this.#on = false;
    if (memory === undefined) return;
    this.#close(memory);
    const held = memory.word(STATE.held) >>> 0;
    const first = Math.max(0, held - MAX_HELD);
    const unmaps = memory.word(STATE.fallen_unmaps) >>> 0;
    if (first > 0) this.#user.fell({ maps: first - unmaps, unmaps });
    const losses = this.#losses.filter((at) => at >= first);
    if (losses.length < this.#losses.length) this.#user.lost();
    let passed = 0;
    for (let n = first; n <= held; n++) {
      for (; passed < losses.length && losses[passed] === n; passed++) this.#user.lost();
      if (n === held) break;
      const event = this.#decode(memory.bytes, n & (MAX_HELD - 1));
      if (event !== undefined) this.#user.event(event);
    }
  }

  /** The end of the recording: what still waits will never matter. */
  finish(): void {
    if (this.#on && this.#memory !== undefined) this.#close(this.#memory);
    this.#on = false;
  }

  #close(memory: ScanMemory): void {
    memory.setWord(STATE.shelf, 0);
    for (const [n, reason] of this.#reasons.entries()) {
      const at = REASONS + n * REASON_BYTES;
      const flushes = memory.word(at + REASON.flushes) >>> 0;
      const all = memory.word(at + REASON.all) >>> 0;
      if (flushes > 0) this.#user.flushed(reason, { flushes, all });
    }
  }
}

/** Where the line in a slot is, and its number modulo 2^32. */
export function placeIn(memory: ScanMemory, slot: number) {
  const at = SHELF + slot * HELD_BYTES;
  const start = at + HELD.text;
  const end = start + memory.word(at + HELD.length);
  return { start, end, line: memory.word(at + HELD.line) >>> 0 };
}
