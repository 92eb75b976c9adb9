// SPDX-License-Identifier: Apache-2.0
// Values of registers and memory in a herd test, and what AArch64 arithmetic makes of them.
//
// Addresses and descriptors are symbolic. A descriptor is also a 64-bit word, of which these bits
// are known: valid 0, AP[1] = el0 6, AP[2] = not db 7, AF 10, DBM 51 (Arm ARM D8.3).

import type { Descriptor, Value } from "./ast.ts";

/** What a register may hold besides: the page number of an address, for TLBI. */
export type Word = Value | { readonly k: "page"; readonly name: string };

/** Something that the reader takes and the model does not. */
export class Unsupported extends Error {}

export const int = (value: bigint | number): Word => ({ k: "int", value: BigInt(value) });
export const ZERO = int(0);

const BITS = { valid: 0n, el0: 6n, notDb: 7n, af: 10n, dbm: 51n } as const;

/** A name for the value: equal values, equal names. */
export function keyOf(v: Word): string {
  switch (v.k) {
    case "int":
      return `${v.value}`;
    case "desc":
      return descKey(v.desc);
    case "label":
      return `label:P${v.thread}:${v.label}`;
    default:
      return `${v.k}(${v.name})`;
  }
}

export const descKey = (d: Descriptor): string =>
  `(${d.oa},${d.valid},${d.af},${d.db},${d.dbm},${d.el0},${d.attrs.join("+")})`;

export const same = (a: Word, b: Word): boolean => keyOf(a) === keyOf(b);

/** The known bits of a descriptor; the output address is left out. */
function flagsOf(d: Descriptor): bigint {
  return (
    (BigInt(d.valid) << BITS.valid) |
    (BigInt(d.el0) << BITS.el0) |
    (BigInt(1 - d.db) << BITS.notDb) |
    (BigInt(d.af) << BITS.af) |
    (BigInt(d.dbm) << BITS.dbm)
  );
}

const FLAGS = Object.values(BITS).reduce<bigint>((mask, bit) => mask | (1n << bit), 0n);
const bitOf = (word: bigint, bit: bigint): number => Number((word >> bit) & 1n);

function withFlags(d: Descriptor, flags: bigint): Word {
  const desc: Descriptor = {
    ...d,
    valid: bitOf(flags, BITS.valid),
    el0: bitOf(flags, BITS.el0),
    db: 1 - bitOf(flags, BITS.notDb),
    af: bitOf(flags, BITS.af),
    dbm: bitOf(flags, BITS.dbm),
  };
  return { k: "desc", desc };
}

/** The least significant bits; the half of an address or of a descriptor is nothing known. */
export function narrowed(v: Word, bits: number): Word {
  if (v.k === "int") return int(BigInt.asUintN(bits, v.value));
  if (bits < 64)
    throw new Unsupported(`${bits} bits of ${v.k === "desc" ? "an entry" : "an address"}`);
  return v;
}

/** 32 bits as 64 with the same sign. */
export const signExtended = (v: Word): Word =>
  v.k === "int" ? narrowed(int(BigInt.asIntN(32, v.value)), 64) : v;

/** `ADD`, `SUB`, `AND`, `ORR`, `EOR`, `BIC`, `LSL`, `LSR`; throws Unsupported. */
export function arithmetic(mnemonic: string, a: Word, b: Word, bits: number): Word {
  if (a.k === "int" && b.k === "int") {
    const shift = mnemonic === "LSL" || mnemonic === "LSR";
    const by = shift ? BigInt.asUintN(bits, b.value) % BigInt(bits) : b.value;
    return int(BigInt.asUintN(bits, onIntegers(mnemonic, a.value, by)));
  }
  if (same(a, b)) {
    if (mnemonic === "EOR" || mnemonic === "SUB" || mnemonic === "BIC") return ZERO;
    if (mnemonic === "AND" || mnemonic === "ORR") return a;
  }
  if (b.k === "int") {
    const known = withInteger(mnemonic, a, b.value);
    if (known) return known;
  }
  if (a.k === "int" && (mnemonic === "ADD" || mnemonic === "ORR") && a.value === 0n) return b;
  if (a.k === "int" && mnemonic === "AND" && a.value === 0n) return ZERO;
  throw new Unsupported(`${mnemonic} on ${keyOf(a)} and ${keyOf(b)}`);
}

function onIntegers(mnemonic: string, a: bigint, b: bigint): bigint {
  switch (mnemonic) {
    case "ADD":
      return a + b;
    case "SUB":
      return a - b;
    case "AND":
      return a & b;
    case "ORR":
      return a | b;
    case "EOR":
      return a ^ b;
    case "BIC":
      return a & ~b;
    case "LSL":
      return a << b;
    case "LSR":
      return a >> b;
    default:
      throw new Unsupported(`instruction ${mnemonic}`);
  }
}

/** An address or descriptor with an integer at its right. */
function withInteger(mnemonic: string, a: Word, b: bigint): Word | undefined {
  if (b === 0n) return mnemonic === "AND" ? ZERO : a;
  if (a.k === "va" && mnemonic === "LSR" && b === 12n) return { k: "page", name: a.name };
  if (a.k === "page" && mnemonic === "LSL" && b === 12n) return { k: "va", name: a.name };
  if (a.k !== "desc" || (b & ~FLAGS) !== 0n) return undefined;
  const flags = flagsOf(a.desc);
  switch (mnemonic) {
    case "AND":
      return int(flags & b);
    case "ORR":
      return withFlags(a.desc, flags | b);
    case "EOR":
      return withFlags(a.desc, flags ^ b);
    case "BIC":
      return withFlags(a.desc, flags & ~b);
    default:
      return undefined;
  }
}
