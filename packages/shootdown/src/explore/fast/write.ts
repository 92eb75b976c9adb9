// SPDX-License-Identifier: Apache-2.0
// Short names for the parts of target code that the search is written with.

import type { Binary, Ex, FnBuilder, St } from "../../engine/target/code.ts";
import { bin, load, num, un } from "../../engine/target/code.ts";

export { br } from "../../engine/target/code.ts";

type Value = Ex | number;

const value = (v: Value): Ex => (typeof v === "number" ? num(v) : v);
const binary =
  (op: Binary) =>
  (a: Ex, b: Value): Ex =>
    bin(op, a, value(b));

export const add = binary("add");
export const sub = binary("sub");
export const mul = binary("mul");
export const mulhi = binary("mulhi_u");
export const divU = binary("div_u");
export const and = binary("and");
export const or = binary("or");
export const xor = binary("xor");
export const shrU = binary("shr_u");
export const rotl = binary("rotl");
export const eq = binary("eq");
export const ne = binary("ne");
export const ltU = binary("lt_u");
export const gtU = binary("gt_u");
export const geU = binary("ge_u");
export const eqz = (a: Ex): Ex => un("eqz", a);

export const ret = (v: Value): St => ({ k: "return", value: value(v) });
export const run = (v: Ex): St => ({ k: "do", value: v });

/** A block, whose label leaves it. */
export function block(f: FnBuilder, body: (leave: number) => readonly St[]): St {
  const label = f.label();
  return { k: "block", label, body: body(label) };
}

/** A loop, whose label begins it again. */
export function loop(f: FnBuilder, body: (again: number) => readonly St[]): St {
  const label = f.label();
  return { k: "loop", label, body: body(label) };
}

export const atomicLoad = (addr: Ex, offset: number): Ex => ({
  k: "load",
  addr,
  offset,
  atomic: true,
});
export const atomicStore = (addr: Ex, offset: number, v: Ex): St => ({
  k: "store",
  addr,
  offset,
  value: v,
  atomic: true,
});
export const cas = (addr: Ex, offset: number, expect: Value, v: Value): Ex => ({
  k: "cas",
  addr,
  offset,
  expect: value(expect),
  value: value(v),
});
export const fetchAdd = (addr: Ex, offset: number, a: Value): Ex => ({
  k: "rmw",
  op: "add",
  addr,
  offset,
  a: value(a),
});

/** Word at a fixed address. */
export const word = (address: number): Ex => load(num(address));
