// SPDX-License-Identifier: Apache-2.0
// Random well-formed modules of compiled code: they end, and they stay within the first 4 KiB.
//
// A module is grown from a list of numbers, each of which decides something; when they have run out
// the plainest thing is taken. So fast-check, which makes lists shorter, makes modules smaller.

import type {
  Binary,
  Ex,
  Fn,
  Module,
  St,
  Unary,
} from "../../packages/shootdown/src/engine/target/code.ts";
import { bin, FnBuilder, local, num } from "../../packages/shootdown/src/engine/target/code.ts";

export const WINDOW_BYTES = 4096;
/** Values at which something changes. */
export const EDGES: readonly number[] = [
  ...[0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 255, 4096, 0xffff, 0x10000, 0x12345678],
  ...[-1, -2, -31, -32, -64, -65, 0x7fffffff, -0x80000000, -0x7fffffff, 0x55555555],
];
export const BINARIES: readonly Binary[] = [
  ...(["add", "sub", "mul", "and", "or", "xor", "shl", "shr_u", "shr_s", "rotl"] as const),
  ...(["eq", "ne", "lt_u", "lt_s", "le_u", "le_s", "gt_u", "ge_u"] as const),
  ...(["mulhi_u", "div_s", "div_u", "rem_u"] as const),
];
export const UNARIES: readonly Unary[] = ["eqz", "clz", "ctz", "popcnt"];
const DIVISIONS: ReadonlySet<Binary> = new Set<Binary>(["div_s", "div_u", "rem_u"]);
const FUNCTIONS = 3;
const TURNS = 9;

/** A module whose functions f0, f1, f2 take two numbers; each may call those before it. */
export function moduleFrom(choices: readonly number[]): Module {
  const at = { n: 0 };
  const pick = (below: number): number => (choices[at.n++] ?? 0) % below;
  const functions: Fn[] = [];
  for (let n = 0; n < FUNCTIONS; n++) functions.push(new FunctionMaker(n, pick).make());
  return {
    imports: [{ name: "host", params: 1, result: true }],
    functions,
    memory: { initial: 1, maximum: 3, shared: false },
  };
}

class FunctionMaker {
  private readonly b: FnBuilder;
  private readonly index: number;
  private readonly pick: (below: number) => number;
  /** How often loops may still begin again. */
  private readonly fuel: number;
  private readonly own: readonly number[];
  private readonly open: number[] = [];

  constructor(index: number, pick: (below: number) => number) {
    this.index = index;
    this.pick = pick;
    this.b = new FnBuilder(`f${index}`, 2);
    this.fuel = this.b.fresh();
    this.own = [0, 1, this.b.fresh(), this.b.fresh()];
  }

  make(): Fn {
    const body: St[] = [{ k: "set", n: this.fuel, value: num(TURNS) }, ...this.body(4)];
    return this.b.done(true, [...body, { k: "return", value: this.value(2) }], true);
  }

  private body(depth: number): St[] {
    return Array.from({ length: this.pick(5) }, () => this.statement(depth)).flat();
  }

  private statement(depth: number): St[] {
    const { pick } = this;
    const inner = depth > 0 ? 12 : 7;
    switch (pick(inner)) {
      case 0:
        return [{ k: "set", n: this.ownLocal(), value: this.value(3) }];
      case 1:
        return [{ k: "store", ...this.place(), value: this.value(3), ...this.maybeAtomic() }];
      case 2:
        return [{ k: "do", value: this.value(3) }];
      case 3: {
        const bytes = [num(4 * pick(20)), num(pick(40)), this.masked(127)][pick(3)] as Ex;
        return [{ k: "copy", to: this.masked(0x7ff), from: this.masked(0x7ff), bytes }];
      }
      case 4:
        return [{ k: "fill", at: this.masked(0x7ff), byte: pick(256), bytes: this.masked(127) }];
      case 5:
        return this.jump();
      case 6:
        return pick(8) === 7 ? [{ k: "return", value: this.value(2) }] : [];
      case 7:
      case 8:
        return [
          { k: "if", c: this.value(3), then: this.body(depth - 1), else: this.body(depth - 1) },
        ];
      case 9:
        return [this.block(() => this.body(depth - 1))];
      case 10:
        return [this.block(() => [this.loop(depth)])];
      default:
        return [this.cases(depth)];
    }
  }

  private block(body: () => readonly St[]): St {
    const label = this.b.label();
    this.open.push(label);
    const made: St = { k: "block", label, body: body() };
    this.open.pop();
    return made;
  }

  /** A loop in the innermost open block, which it leaves when nothing is left to burn. */
  private loop(depth: number): St {
    const out = this.open.at(-1) as number;
    const label = this.b.label();
    this.open.push(label);
    const burn: St[] = [
      { k: "br_if", c: { k: "un", op: "eqz", a: local(this.fuel) }, label: out },
      { k: "set", n: this.fuel, value: bin("sub", local(this.fuel), num(1)) },
    ];
    const body: St[] = [...burn, ...this.body(depth - 1)];
    if (this.pick(2) === 0) body.push({ k: "br", label });
    this.open.pop();
    return { k: "loop", label, body };
  }

  /** Blocks within blocks, with a switch innermost and something after each. */
  private cases(depth: number): St {
    const count = 1 + this.pick(4);
    const labels = Array.from({ length: count }, () => this.b.label());
    this.open.push(...labels);
    const table = Array.from({ length: this.pick(6) }, () => labels[this.pick(count)] as number);
    let inner: St[] = [
      { k: "switch", on: this.value(2), labels: table, otherwise: labels[0] as number },
    ];
    for (let n = count - 1; n >= 0; n--) {
      const label = labels[n] as number;
      this.open.pop();
      inner = [{ k: "block", label, body: inner }, ...(n > 0 ? this.body(depth - 1) : [])];
    }
    return inner[0] as St;
  }

  private jump(): St[] {
    if (this.open.length === 0) return [];
    const label = this.open[this.pick(this.open.length)] as number;
    return [this.pick(3) === 0 ? { k: "br", label } : { k: "br_if", c: this.value(3), label }];
  }

  private ownLocal(): number {
    return this.own[this.pick(this.own.length)] as number;
  }

  /** A word within the first 4 KiB. */
  private place(): { readonly addr: Ex; readonly offset: number } {
    const addr = this.masked(0x3fc);
    const constant = 4 * this.pick(100);
    return {
      addr: this.pick(2) === 0 ? addr : { k: "bin", op: "add", a: addr, b: num(constant) },
      offset: 4 * this.pick(100),
    };
  }

  private masked(mask: number): Ex {
    return { k: "bin", op: "and", a: this.value(1), b: num(mask) };
  }

  private maybeAtomic(): { readonly atomic?: true } {
    return this.pick(4) === 3 ? { atomic: true } : {};
  }

  private value(depth: number): Ex {
    const { pick } = this;
    switch (pick(depth > 0 ? 12 : 2)) {
      case 0:
        return num(EDGES[pick(EDGES.length)] as number);
      case 1:
        return local(this.ownLocal());
      case 2:
      case 3:
      case 4:
        return this.operation(depth - 1);
      case 5: {
        const op = UNARIES[pick(UNARIES.length)] as Unary;
        return { k: "un", op, a: this.value(depth - 1) };
      }
      case 6: {
        const [a, b, c] = [this.value(depth - 1), this.value(depth - 1), this.value(depth - 1)];
        return { k: "select", a, b, c };
      }
      case 7:
      case 8:
        return { k: "load", ...this.place(), ...this.maybeAtomic() };
      case 9:
        return this.call(depth);
      case 10:
        return this.atomic(depth);
      default:
        if (pick(6) < 5) return { k: "memory_size" };
        return { k: "memory_grow", pages: num(pick(3)) };
    }
  }

  private operation(depth: number): Ex {
    const op = BINARIES[this.pick(BINARIES.length)] as Binary;
    const [a, b] = [this.value(depth), this.value(depth)];
    if (!DIVISIONS.has(op)) return { k: "bin", op, a, b };
    const divisor: Ex = { k: "bin", op: "or", a: num(1), b: { ...bin("and", b, num(0x7ffe)) } };
    return { k: "bin", op, a, b: divisor };
  }

  private call(depth: number): Ex {
    const f = this.pick(this.index + 1);
    if (f === 0) return { k: "call", f: "host", args: [this.value(depth - 1)] };
    const args = [this.value(depth - 1), this.value(depth - 1)];
    return { k: "call", f: `f${f - 1}`, args };
  }

  private atomic(depth: number): Ex {
    const { addr, offset } = this.place();
    const a = this.value(depth - 1);
    const op = (["add", "or", "xchg", "cas", "notify"] as const)[this.pick(5)];
    if (op === "notify") return { k: "notify", addr };
    if (op !== "cas") return { k: "rmw", op: op ?? "add", addr, offset, a };
    // Often the word that is there, or nothing would ever be stored.
    const expect: Ex = this.pick(2) === 0 ? a : { k: "load", addr, offset };
    return { k: "cas", addr, offset, expect, value: this.value(depth - 1) };
  }
}
