// SPDX-License-Identifier: Apache-2.0
// WebAssembly with vectors, put together by hand: each function yields the bytes of an expression.
//
//   set(at, add(get(at), i32(16)))   ->   20 at  41 10  6a  21 at
//
// The engine's language of words has neither vectors nor 64 bits; a scanner lives on both.
import { Bytes } from "../../../engine/target/wasm-bytes.ts";

/** Instructions that leave a value, or nothing. */
export type Code = readonly number[];

export const TYPE = { i32: 0x7f, i64: 0x7e, f64: 0x7c, v128: 0x7b } as const;
export type TypeName = keyof typeof TYPE;

const leb = (write: (to: Bytes) => void): Code => {
  const to = new Bytes();
  write(to);
  return [...to.done()];
};
const unsigned = (value: number): Code => leb((to) => to.unsigned(value));

const plain =
  (...code: Code) =>
  (...operands: readonly Code[]): Code => [...operands.flat(), ...code];
/** Of the group of vectors; numbers are LEB128. */
const vector = (n: number) => plain(0xfd, ...unsigned(n));

export const i32 = (value: number): Code => [0x41, ...leb((to) => to.signed(value))];
export const f64 = (value: number): Code => [
  0x44,
  ...new Uint8Array(Float64Array.of(value).buffer),
];

export function i64(value: bigint): Code {
  const code = [0x42];
  for (let rest = BigInt.asIntN(64, value); ; rest >>= 7n) {
    const low = Number(rest & 0x7fn);
    const last = (rest < 0x40n && rest >= 0n) || (rest < 0n && rest >= -0x40n);
    code.push(last ? low : low | 0x80);
    if (last) return code;
  }
}

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const tee = (local: number, value: Code): Code => [...value, 0x22, ...unsigned(local)];

/** Vector of 16 equal bytes, or of 16 given ones. */
export const bytes16 = (of: number | readonly number[]): Code => {
  const all = typeof of === "number" ? Array.from({ length: 16 }, () => of) : of;
  return [0xfd, 12, ...all];
};

const memory =
  (...code: Code) =>
  (at: Code, offset = 0): Code => [...at, ...code, 0, ...unsigned(offset)];
const storing =
  (...code: Code) =>
  (at: Code, value: Code, offset = 0): Code => [...at, ...value, ...code, 0, ...unsigned(offset)];

export const load8 = memory(0x2d);
export const load16 = memory(0x2f);
export const load32 = memory(0x28);
export const load64 = memory(0x29);
export const loadFloat = memory(0x2b);
export const load128 = memory(0xfd, 0);
export const store32 = storing(0x36);
export const storeFloat = storing(0x39);
export const store128 = storing(0xfd, 11);

export const eqz = plain(0x45);
export const eq = plain(0x46);
export const ne = plain(0x47);
export const ltU = plain(0x49);
export const gtU = plain(0x4b);
export const geU = plain(0x4f);
export const ctz = plain(0x68);
export const add = plain(0x6a);
export const sub = plain(0x6b);
export const mul = plain(0x6c);
export const and = plain(0x71);
export const or = plain(0x72);
export const xor = plain(0x73);
export const shl = plain(0x74);
export const shr = plain(0x76);

export const eqz64 = plain(0x50);
export const ne64 = plain(0x52);
export const ctz64 = plain(0x7a);
export const add64 = plain(0x7c);
export const mul64 = plain(0x7e);
export const and64 = plain(0x83);
export const or64 = plain(0x84);
export const xor64 = plain(0x85);
export const shl64 = plain(0x86);
export const shr64 = plain(0x88);
export const wrap = plain(0xa7);
export const extend = plain(0xad);
export const not64 = (a: Code): Code => xor64(a, i64(-1n));

export const ltFloat = plain(0x63);
export const divFloat = plain(0xa3);
export const floatOf64 = plain(0xb9);

export const equalBytes = vector(35);
export const lessBytes = vector(38);
export const lessEqualBytes = vector(42);
export const andVector = vector(78);
export const orVector = vector(80);
export const xorVector = vector(81);
export const anyBit = vector(83);
export const bitmask = vector(100);
export const addBytes = vector(110);
export const subBytes = vector(113);
export const mulWords = vector(181);
export const lane64 = (n: 0 | 1, a: Code): Code => [...a, 0xfd, 29, n];

/** `build` gets the label; what it names is how far out the block lies. */
export class Blocks {
  #depth = 0;

  block(build: (label: number) => readonly Code[]): Code {
    return this.#scope(0x02, build);
  }

  loop(build: (label: number) => readonly Code[]): Code {
    return this.#scope(0x03, build);
  }

  when(condition: Code, ...then: readonly (() => Code)[]): Code {
    this.#depth++;
    const body = then.flatMap((part) => [...part()]);
    this.#depth--;
    return [...condition, 0x04, 0x40, ...body, 0x0b];
  }

  /** Leaves a block, or begins a loop again. */
  to(label: number): Code {
    return [0x0c, ...unsigned(this.#depth - label)];
  }

  toIf(label: number, condition: Code): Code {
    return [...condition, 0x0d, ...unsigned(this.#depth - label)];
  }

  #scope(op: number, build: (label: number) => readonly Code[]): Code {
    const label = ++this.#depth;
    const body = build(label).flat();
    this.#depth--;
    return [op, 0x40, ...body, 0x0b];
  }
}

export const back = (value: Code): Code => [...value, 0x0f];

/** Names of locals to their numbers, by type in the order of `types`. */
export interface Locals {
  readonly params: readonly string[];
  readonly own: Readonly<Partial<Record<TypeName, readonly string[]>>>;
}

export function numbersOf<Name extends string>({ params, own }: Locals): Record<Name, number> {
  const names = [...params, ...Object.values(own).flat()];
  return Object.fromEntries(names.map((name, n) => [name, n])) as Record<Name, number>;
}

/** A module with a memory of its own and one function of i32 parameters and result, exported. */
export function moduleOf(
  name: string,
  locals: Locals,
  body: Code,
  pages: number,
): Uint8Array<ArrayBuffer> {
  const out = new Bytes();
  out.put(0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const section = (id: number, write: (to: Bytes) => void) => {
    const to = new Bytes();
    to.byte(1);
    write(to);
    out.byte(id);
    out.sized(to);
  };
  const count = locals.params.length;
  section(1, (to) => to.put(0x60, count, ...locals.params.map(() => TYPE.i32), 1, TYPE.i32));
  section(3, (to) => to.byte(0));
  section(5, (to) => {
    to.byte(1);
    to.unsigned(pages);
    to.unsigned(pages);
  });
  const exports = new Bytes();
  exports.byte(2);
  exports.name("memory");
  exports.put(2, 0);
  exports.name(name);
  exports.put(0, 0);
  out.byte(7);
  out.sized(exports);
  section(10, (to) => {
    const code = new Bytes();
    const groups = Object.entries(locals.own) as [TypeName, readonly string[]][];
    code.unsigned(groups.length);
    for (const [type, names] of groups) {
      code.unsigned(names.length);
      code.byte(TYPE[type]);
    }
    code.put(...body, 0x00, 0x0b);
    to.sized(code);
  });
  return out.done();
}
