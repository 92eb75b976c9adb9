// SPDX-License-Identifier: Apache-2.0
// The scanner's memory seen from JavaScript, the names that it looks for, and the scanner itself
// where the host has vectors.
import * as L from "./layout.ts";
import { scannerModule } from "./module.ts";

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
const GOLDEN = 0x9e3779b97f4a7c15n;
const MASK64 = (1n << 64n) - 1n;

/** A scanner for these names, of which there are at most MAX_NAMES; undefined without vectors. */
export function makeScanner(names: readonly ScanName[] | undefined): Scanner | undefined {
  if (typeof WebAssembly === "undefined" || names === undefined) return undefined;
  if (names.length > L.MAX_NAMES) return undefined;
  const found = seedFor(names);
  if (found === undefined) return undefined;
  const bytes = scannerModule(found.seed);
  if (!WebAssembly.validate(bytes)) return undefined;
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes));
  const memory = new ScanMemory((exports["memory"] as WebAssembly.Memory).buffer as ArrayBuffer);
  memory.bytes.fill(0xff, L.MASKS, L.MASKS + 16);
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
  const keys = names.map(({ spelling }) => keyOf(spelling));
  for (let n = 1n; n <= SEEDS_TRIED; n++) {
    const part = (k: bigint) => ((GOLDEN * (n * 7n + k)) & MASK64) | 1n;
    const seed: L.HashSeed = [part(1n), part(2n), part(3n)];
    const slots = keys.map((key) => slotOf(key, seed));
    if (new Set(slots).size === slots.length) return { seed, slots };
  }
  return undefined;
}

/** The first 16 bytes as two numbers, and the length. */
function keyOf(spelling: string): readonly [bigint, bigint, bigint] {
  const half = (from: number) =>
    [...spelling.slice(from, from + 8)].reduceRight(
      (sum, c) => (sum << 8n) | BigInt(c.charCodeAt(0)),
      0n,
    );
  return [half(0), half(8), BigInt(spelling.length)];
}

function slotOf(key: readonly [bigint, bigint, bigint], seed: L.HashSeed): number {
  const hash = key.reduce((sum, part, n) => sum ^ ((part * (seed[n] as bigint)) & MASK64), 0n);
  const mixed = ((hash ^ (hash >> 29n)) * seed[2]) & MASK64;
  return Number(mixed >> BigInt(64 - L.SLOT_BITS));
}
