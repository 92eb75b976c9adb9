// SPDX-License-Identifier: Apache-2.0
// The scanner's memory seen from JavaScript, the names that it looks for, and the scanner itself
// where the host has vectors.
import * as L from "./layout.ts";
import { scannerBytes } from "./scanner-bytes.ts";

/** A name of an event, and what is to be done with its lines. */
export interface ScanName {
  readonly spelling: string;
  readonly kind: number;
}

/** Views of one memory. */
export class ScanMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly words: Int32Array<ArrayBuffer>;
  readonly floats: Float64Array<ArrayBuffer>;

  constructor(buffer: ArrayBuffer) {
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.floats = new Float64Array(buffer);
  }

  word(at: number): number {
    return this.words[at >> 2] as number;
  }

  setWord(at: number, value: number): void {
    this.words[at >> 2] = value;
  }
}

export interface Scanner {
  readonly memory: ScanMemory;
  /** Takes lines of bytes [at, end); why it stopped, and the rest in STATE. */
  scan(at: number, end: number): number;
}

const SEEDS_TRIED = 64;
const GOLDEN = 0x9e3779b1;
const SEED_WORDS = 6;

/** A scanner for these names, of which there are at most MAX_NAMES; undefined without vectors. */
export function makeScanner(names: readonly ScanName[] | undefined): Scanner | undefined {
  if (typeof WebAssembly === "undefined" || names === undefined) return undefined;
  if (names.length > L.MAX_NAMES) return undefined;
  const found = seedFor(names);
  if (found === undefined) return undefined;
  const bytes = scannerBytes();
  if (!WebAssembly.validate(bytes)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const memory = new ScanMemory((exports["memory"] as WebAssembly.Memory).buffer as ArrayBuffer);
  memory.bytes.fill(0xff, L.MASKS, L.MASKS + 16);
  for (const [n, byte] of L.VECTOR_BYTES.entries()) {
    memory.bytes.fill(byte, L.VECTORS + 16 * n, L.VECTORS + 16 * n + 16);
  }
  memory.words.set(found.seed, L.STATE.seeds >> 2);
  for (const [n, { spelling, kind }] of names.entries()) {
    const at = L.NAMES + (n + 1) * L.NAME_BYTES;
    const text = latin(spelling);
    memory.setWord(at + L.NAME.length, text.length);
    memory.setWord(at + L.NAME.kind, kind);
    memory.bytes.set(text.subarray(0, 16), at + L.NAME.first);
    if (text.length > 16) memory.bytes.set(text.subarray(-16), at + L.NAME.last);
    const slot = L.SLOTS + 2 * (found.slots[n] as number);
    memory.bytes[slot] = (n + 1) & 0xff;
    memory.bytes[slot + 1] = (n + 1) >> 8;
  }
  return { memory, scan: exports["scan"] as Scanner["scan"] };
}

const latin = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

/** A seed with which no two names share a slot. */
function seedFor(names: readonly ScanName[]) {
  const keys = names.map(({ spelling }) => keyOf(latin(spelling)));
  const used = new Uint8Array(2 ** L.SLOT_BITS);
  for (let n = 1; n <= SEEDS_TRIED; n++) {
    const seed = Int32Array.from({ length: SEED_WORDS }, (_, k) =>
      Math.imul(GOLDEN, 14 * n + 2 * k + 1),
    );
    const slots = keys.map((key) => slotOf(key, seed));
    if (slots.every((slot) => used[slot] !== n && (used[slot] = n))) return { seed, slots };
  }
  return undefined;
}

/** The first 16 bytes as four words, and the length. */
function keyOf(name: Uint8Array): Int32Array {
  const key = new Int32Array(5);
  new Uint8Array(key.buffer).set(name.subarray(0, 16));
  key[4] = name.length;
  return key;
}

function slotOf(key: Int32Array, seed: Int32Array): number {
  let sum = 0;
  for (let n = 0; n < key.length; n++) sum ^= Math.imul(key[n] as number, seed[n] as number);
  return Math.imul(sum ^ (sum >>> 15), seed[5] as number) >>> (32 - L.SLOT_BITS);
}
