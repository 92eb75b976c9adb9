// SPDX-License-Identifier: Apache-2.0
// Numbers of the instructions of WebAssembly that steps and the search are made of.

import type { Atomic, Binary, Unary } from "./code.ts";

export const I32 = 0x7f;
export const VOID = 0x40;
export const OP = {
  unreachable: 0x00,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  br_if: 0x0d,
  br_table: 0x0e,
  return: 0x0f,
  call: 0x10,
  drop: 0x1a,
  select: 0x1b,
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  load: 0x28,
  load64: 0x29,
  store: 0x36,
  store64: 0x37,
  size: 0x3f,
  grow: 0x40,
  const: 0x41,
  const64: 0x42,
  eqz: 0x45,
  mul64: 0x7e,
  shr64_u: 0x88,
  wrap: 0xa7,
  extend_u: 0xad,
  bulk: 0xfc,
  atomic: 0xfe,
} as const;

type Direct = Exclude<Binary, "mulhi_u">;
export const BINARY: Readonly<Record<Direct | "ge_s" | "gt_s", number>> = {
  eq: 0x46,
  ne: 0x47,
  lt_s: 0x48,
  lt_u: 0x49,
  gt_s: 0x4a,
  gt_u: 0x4b,
  le_s: 0x4c,
  le_u: 0x4d,
  ge_s: 0x4e,
  ge_u: 0x4f,
  add: 0x6a,
  sub: 0x6b,
  mul: 0x6c,
  div_s: 0x6d,
  div_u: 0x6e,
  rem_u: 0x70,
  and: 0x71,
  or: 0x72,
  xor: 0x73,
  shl: 0x74,
  shr_s: 0x75,
  shr_u: 0x76,
  rotl: 0x77,
};
export const OPPOSITE: Readonly<Partial<Record<Binary, number>>> = {
  eq: BINARY.ne,
  ne: BINARY.eq,
  lt_s: BINARY.ge_s,
  lt_u: BINARY.ge_u,
  gt_u: BINARY.le_u,
  le_s: BINARY.gt_s,
  le_u: BINARY.gt_u,
  ge_u: BINARY.lt_u,
};
export const UNARY: Readonly<Record<Unary, number>> = {
  eqz: 0x45,
  clz: 0x67,
  ctz: 0x68,
  popcnt: 0x69,
};
export const RMW: Readonly<Record<Atomic, number>> = { add: 0x1e, or: 0x33, xchg: 0x41 };

/** Loads and stores of so many bytes. */
export const MOVE = {
  4: { load: OP.load, store: OP.store },
  8: { load: OP.load64, store: OP.store64 },
  16: { load: [0xfd, 0x00], store: [0xfd, 0x0b] },
} as const;
