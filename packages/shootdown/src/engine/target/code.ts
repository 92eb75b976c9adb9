// SPDX-License-Identifier: Apache-2.0
// A small structured language of 32-bit integers: what steps and the search are compiled to.
//
//   program, layout ──► Module ──► wasm.ts        WebAssembly
//                               ├► javascript.ts  a function, where WebAssembly is not wanted
//                               └► c.ts (bench)   the physical limit, for comparison
//
// Every value is an i32. Addresses are bytes of one linear memory; all accesses are aligned.
// Parts of an address do not wrap and are not negative, but for an offset or a difference.
// Nothing is checked here: locals and labels are numbers that FnBuilder hands out.

/** Operators of two operands. Comparisons yield 0 or 1; `_u` unsigned, `_s` signed. */
export type Binary =
  | "add"
  | "sub"
  | "mul"
  | "div_s"
  | "div_u"
  | "rem_u"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shr_u"
  | "shr_s"
  | "rotl"
  | "eq"
  | "ne"
  | "lt_u"
  | "lt_s"
  | "le_u"
  | "le_s"
  | "gt_u"
  | "ge_u"
  /** The upper 32 bits of the unsigned product of 64. */
  | "mulhi_u";

export type Unary = "eqz" | "clz" | "ctz" | "popcnt";

/** An atomic read-modify-write; yields the old value. Plain on a memory that is not shared. */
export type Atomic = "add" | "or" | "xchg";

export type Ex =
  | { readonly k: "const"; readonly value: number }
  | { readonly k: "local"; readonly n: number }
  | { readonly k: "bin"; readonly op: Binary; readonly a: Ex; readonly b: Ex }
  | { readonly k: "un"; readonly op: Unary; readonly a: Ex }
  /** `c ? a : b`; all are evaluated, `c` last. */
  | { readonly k: "select"; readonly c: Ex; readonly a: Ex; readonly b: Ex }
  /** Word at `addr + offset`; `atomic` is sequentially consistent. */
  | { readonly k: "load"; readonly addr: Ex; readonly offset: number; readonly atomic?: true }
  | { readonly k: "call"; readonly f: string; readonly args: readonly Ex[] }
  | {
      readonly k: "rmw";
      readonly op: Atomic;
      readonly addr: Ex;
      readonly offset: number;
      readonly a: Ex;
    }
  /** Stores `value` if the word is `expect`; yields the old value. */
  | {
      readonly k: "cas";
      readonly addr: Ex;
      readonly offset: number;
      readonly expect: Ex;
      readonly value: Ex;
    }
  /** memory.atomic.wait32 without a time limit: 0 woken, 1 the word was another. Shared only. */
  | { readonly k: "wait"; readonly addr: Ex; readonly expect: Ex }
  /** memory.atomic.notify of all waiters; yields how many. */
  | { readonly k: "notify"; readonly addr: Ex }
  /** Pages of 64 KiB that the memory has. */
  | { readonly k: "memory_size" }
  /** Grows by so many pages; yields the old size, or -1. */
  | { readonly k: "memory_grow"; readonly pages: Ex };

export type St =
  | { readonly k: "set"; readonly n: number; readonly value: Ex }
  | {
      readonly k: "store";
      readonly addr: Ex;
      readonly offset: number;
      readonly value: Ex;
      readonly atomic?: true;
    }
  | { readonly k: "if"; readonly c: Ex; readonly then: readonly St[]; readonly else: readonly St[] }
  /** `br label` inside leaves it. */
  | { readonly k: "block"; readonly label: number; readonly body: readonly St[] }
  /** `br label` inside begins it again; its end leaves it. */
  | { readonly k: "loop"; readonly label: number; readonly body: readonly St[] }
  | { readonly k: "br"; readonly label: number }
  | { readonly k: "br_if"; readonly c: Ex; readonly label: number }
  /** To the label of the value of `on` (unsigned), or to `otherwise`. All name enclosing blocks. */
  | {
      readonly k: "switch";
      readonly on: Ex;
      readonly labels: readonly number[];
      readonly otherwise: number;
    }
  | { readonly k: "return"; readonly value?: Ex }
  /** Evaluates and forgets. */
  | { readonly k: "do"; readonly value: Ex }
  /** memory.copy: regions may overlap. */
  | { readonly k: "copy"; readonly to: Ex; readonly from: Ex; readonly bytes: Ex }
  /** memory.fill with a byte. */
  | { readonly k: "fill"; readonly at: Ex; readonly byte: number; readonly bytes: Ex };

/** A function of i32 parameters; locals 0..params-1 are the parameters, the rest begin as 0. */
export interface Fn {
  readonly name: string;
  readonly params: number;
  /** All locals, parameters included. */
  readonly locals: number;
  /** Yields an i32; its body then ends in `return` on every path. */
  readonly result: boolean;
  readonly body: readonly St[];
  readonly exported?: boolean;
}

export interface Import {
  readonly name: string;
  readonly params: number;
  readonly result: boolean;
}

export interface Memory {
  /** Pages of 64 KiB. */
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** The memory is imported as `env.memory`, functions as `env.NAME`. */
export interface Module {
  readonly imports: readonly Import[];
  readonly functions: readonly Fn[];
  readonly memory: Memory;
}

export const PAGE_BYTES = 65_536;

/** What instances export. */
export type Exports = Readonly<Record<string, (...args: number[]) => number>>;

export const num = (value: number): Ex => ({ k: "const", value: value | 0 });
export const local = (n: number): Ex => ({ k: "local", n });
export const load = (addr: Ex, offset = 0): Ex => ({ k: "load", addr, offset });
export const call = (f: string, ...args: readonly Ex[]): Ex => ({ k: "call", f, args });
/** A choice; where it is known, and what is not chosen does nothing, only what is chosen. */
export function select(c: Ex, a: Ex, b: Ex): Ex {
  if (c.k === "const" && quiet(c.value ? b : a)) return c.value ? a : b;
  return { k: "select", c, a, b };
}
export const store = (addr: Ex, offset: number, value: Ex): St => ({
  k: "store",
  addr,
  offset,
  value,
});
export const set = (n: number, value: Ex): St => ({ k: "set", n, value });
export const br = (label: number): St => ({ k: "br", label });
export const brIf = (c: Ex, label: number): St => ({ k: "br_if", c, label });
export const iff = (c: Ex, then: readonly St[], otherwise: readonly St[] = []): St => ({
  k: "if",
  c,
  then,
  else: otherwise,
});
export const un = (op: Unary, a: Ex): Ex =>
  a.k === "const" ? num(unary(op, a.value)) : { k: "un", op, a };

/** An operation, folded where both operands are known or one of them changes nothing. */
export function bin(op: Binary, a: Ex, b: Ex): Ex {
  if (a.k === "const" && b.k === "const") return num(binary(op, a.value, b.value));
  if (b.k === "const") {
    const v = b.value;
    if (v === 0 && ZERO_RIGHT.has(op)) return a;
    if (v === 0 && (op === "and" || op === "mul")) return b;
    if (v === -1 && op === "and") return a;
    if (v === 1 && (op === "mul" || op === "div_u")) return a;
    if ((op === "eq" || op === "ne") && (v & ~bitsOf(a)) !== 0 && quiet(a)) {
      return num(truth(op === "ne"));
    }
    if (a.k === "bin" && a.op === op && a.b.k === "const" && ASSOCIATIVE.has(op)) {
      return bin(op, a.a, num(binary(op, a.b.value, v)));
    }
  } else if (a.k === "const" && COMMUTATIVE.has(op)) return bin(op, b, a);
  return { k: "bin", op, a, b };
}

/** Bits that a value may have set, as far as its masks tell. */
const bitsOf = (ex: Ex): number =>
  ex.k === "bin" && ex.op === "and" && ex.b.k === "const" ? ex.b.value : -1;

/** Whether nothing would be missed but the value. */
function quiet(ex: Ex): boolean {
  switch (ex.k) {
    case "const":
    case "local":
      return true;
    case "bin":
      return quiet(ex.a) && quiet(ex.b);
    case "un":
      return quiet(ex.a);
    case "select":
      return quiet(ex.a) && quiet(ex.b) && quiet(ex.c);
    case "load":
      return quiet(ex.addr);
    default:
      return false;
  }
}

const ZERO_RIGHT = new Set<Binary>(["add", "sub", "or", "xor", "shl", "shr_u", "shr_s", "rotl"]);
const ASSOCIATIVE = new Set<Binary>(["add", "and", "or", "xor", "mul"]);
const COMMUTATIVE = new Set<Binary>(["add", "mul", "and", "or", "xor", "eq", "ne", "mulhi_u"]);

const truth = (b: boolean): number => (b ? 1 : 0);

const BINARY: Readonly<Record<Binary, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: Math.imul,
  div_s: (a, b) => a / b,
  div_u: (a, b) => (a >>> 0) / (b >>> 0),
  rem_u: (a, b) => (a >>> 0) % (b >>> 0),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shl: (a, b) => a << b,
  shr_u: (a, b) => a >>> b,
  shr_s: (a, b) => a >> b,
  rotl: (a, b) => ((b & 31) === 0 ? a : (a << b) | (a >>> (32 - (b & 31)))),
  eq: (a, b) => truth(a === b),
  ne: (a, b) => truth(a !== b),
  lt_u: (a, b) => truth(a >>> 0 < b >>> 0),
  lt_s: (a, b) => truth(a < b),
  le_u: (a, b) => truth(a >>> 0 <= b >>> 0),
  le_s: (a, b) => truth(a <= b),
  gt_u: (a, b) => truth(a >>> 0 > b >>> 0),
  ge_u: (a, b) => truth(a >>> 0 >= b >>> 0),
  mulhi_u: (a, b) => Number((BigInt(a >>> 0) * BigInt(b >>> 0)) >> 32n),
};

/** What an operator yields; division by zero is the caller's mistake. */
export const binary = (op: Binary, a: number, b: number): number => BINARY[op](a, b) | 0;

export function unary(op: Unary, a: number): number {
  switch (op) {
    case "eqz":
      return a === 0 ? 1 : 0;
    case "clz":
      return Math.clz32(a);
    case "ctz":
      return a === 0 ? 32 : 31 - Math.clz32(a & -a);
    case "popcnt": {
      let n = 0;
      for (let v = a; v !== 0; v &= v - 1) n++;
      return n;
    }
  }
}

/** Hands out locals and labels of one function. */
export class FnBuilder {
  readonly name: string;
  readonly params: number;
  locals: number;
  private labels = 0;

  constructor(name: string, params: number) {
    this.name = name;
    this.params = params;
    this.locals = params;
  }

  param(n: number): Ex {
    return local(n);
  }

  /** A new local, as its number. */
  fresh(): number {
    return this.locals++;
  }

  label(): number {
    return this.labels++;
  }

  done(result: boolean, body: readonly St[], exported = false): Fn {
    const { name, params, locals } = this;
    return { name, params, locals, result, body, exported };
  }
}
