// SPDX-License-Identifier: Apache-2.0
// The scanner's locals, and what its parts share: masks of bytes, numbers from digits, texts.
import type { Code } from "./assembler.ts";
import * as wasm from "./assembler.ts";
import * as L from "./layout.ts";

export const LOCALS = {
  params: ["at", "end"],
  own: {
    i32: [
      ...["start", "nl", "p", "pid_digits", "q", "flags", "flags_end", "stamp", "dot", "name"],
      ...["length", "cpu", "form", "text", "id", "entry", "record", "lines", "events", "x", "y"],
      ...["slot", "kind", "records", "minus"],
    ],
    i64: ["control", "digits", "spaces", "big", "seconds", "seconds_text"],
    f64: ["time", "last"],
    v128: [
      ...["v", "a", "b", "c", "d", "first", "second"],
      ...["k10", "k48", "k9", "k32", "k58", "k40", "k97", "k5"],
    ],
  },
} as const;
export type Local = "at" | "end" | (typeof LOCALS.own)[keyof typeof LOCALS.own][number];
const N = wasm.numbersOf<Local>(LOCALS);

export const get = (local: Local): Code => wasm.get(N[local]);
export const set = (local: Local, value: Code): Code => wasm.set(N[local], value);
export const { add, and, eq, eqz, i32, i64, load8, load32, load64, load128, ne, or, sub } = wasm;
export const { and64, ctz, ctz64, eqz64, mul64, not64, or64, shl64, shr64, wrap, extend } = wasm;
export const { bitmask, bytes16, equalBytes, lessBytes, lessEqualBytes, subBytes, anyBit } = wasm;
export const word = (at: number): Code => load32(i32(at));
export const keep = (at: number, value: Code): Code => wasm.store32(i32(at), value);
export const plus = (local: Local, n: number): Code => add(get(local), i32(n));
export const ascii = (text: string): number => text.charCodeAt(0);
export const isByte = (at: Code, text: string, offset = 0): Code =>
  eq(load8(at, offset), i32(ascii(text)));
export const isNoByte = (at: Code, text: string, offset = 0): Code =>
  ne(load8(at, offset), i32(ascii(text)));

/** A text of 2, 4 or 8 bytes as the number that a load of it yields. */
export const littleEndian = (text: string): bigint =>
  [...text].reduceRight((sum, char) => (sum << 8n) | BigInt(ascii(char)), 0n);
export const is64 = (at: Code, text: string, offset = 0): Code =>
  eqz64(wasm.xor64(load64(at, offset), i64(littleEndian(text))));
export const is32 = (at: Code, text: string, offset = 0): Code =>
  eq(load32(at, offset), i32(Number(littleEndian(text))));

/** 16 equal bytes. */
export const all = (byte: (typeof L.VECTOR_BYTES)[number]): Code => get(`k${byte}`);
export const setVectors = (): Code =>
  L.VECTOR_BYTES.flatMap((byte, n) => [...set(`k${byte}`, load128(i32(L.VECTORS + 16 * n)))]);

/** A bit for each byte that is a digit. */
export const isDigit = (v: Code): Code => lessEqualBytes(subBytes(v, all(48)), all(9));
export const digitsOf = (v: Code): Code => bitmask(isDigit(v));
export const ones = (mask: Code): Code => ctz(wasm.xor(mask, i32(-1)));
/** A bit for each byte of several vectors, as `part` says it of one. */
export const maskOf = (vectors: readonly Code[], part: (v: Code) => Code): Code =>
  vectors
    .map((v, n) => shl64(extend(part(v)), i64(BigInt(16 * n))))
    .reduce((sum, bits) => or64(sum, bits));

/** Bits of a mask that are set from bit `from` on. */
export const run = (mask: Code, from: Code): Code => wrap(ctz64(not64(shr64(mask, extend(from)))));
export const gap = (mask: Code, from: Code): Code => wrap(ctz64(shr64(mask, extend(from))));

/** The number of up to 8 digits in the upper bytes of 8, of which the lower are zero. */
export function number8(eight: Code): Code {
  const low = and64(eight, i64(0x0f0f0f0f0f0f0f0fn));
  const two = and64(shr64(mul64(low, i64(2561n)), i64(8n)), i64(0x00ff00ff00ff00ffn));
  const four = and64(shr64(mul64(two, i64(6553601n)), i64(16n)), i64(0x0000ffff0000ffffn));
  return shr64(mul64(four, i64(42949672960001n)), i64(32n));
}

/** The `count` bytes from `at` on, 1 to 8, in the upper bytes. */
export const upper = (at: Code, count: Code): Code =>
  shl64(load64(at), extend(sub(i32(64), wasm.shl(count, i32(3)))));

export const columns = (offset: number): Code => add(get("start"), i32(16 + offset));

/** The first `count` bytes of a vector, the others 0. */
export const firstBytes = (v: Code, count: Code): Code =>
  wasm.andVector(v, load128(sub(i32(L.MASKS + 16), count)));

export const differ = (v: Code, w: Code): Code => anyBit(wasm.xorVector(v, w));
