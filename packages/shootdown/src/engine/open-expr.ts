// SPDX-License-Identifier: Apache-2.0
// Expressions of the open executor: each node becomes a closure over registers and sparse state.

import type { FieldDecl, KeyPattern, Node } from "../ir/expr.ts";
import type { AnySort } from "../ir/sort.ts";
import { widthOf } from "./layout.ts";
import type { Store } from "./open-store.ts";
import type { Pair, Value } from "./open-value.ts";
import { fromPacked, initialOf, sameValue } from "./open-value.ts";
import { DomainOverflow } from "./packed-expr.ts";
import type { Domain } from "./program.ts";
import { wordLayout } from "./word.ts";

export type Regs = Value[];
export type Eval = (regs: Regs) => Value;
export type Num = (regs: Regs) => number;
export type Range = (regs: Regs) => Pair;

/** What a key must be: anything, one value, or in a range. */
export type KeyTest = undefined | number | Pair;

export function matches(tests: readonly KeyTest[], key: readonly number[]): boolean {
  return key.every((v, i) => {
    const t = tests[i];
    if (t === undefined) return true;
    return typeof t === "number" ? t === v : t.lo <= v && v < t.hi;
  });
}

/** Entries of a pending set that an expression may ask for. */
export interface PendingView {
  holds(set: string, keys: readonly KeyTest[], where: readonly [number, Value][]): boolean;
}

/** Where the registers of a piece of code lie in its frames. */
export class Slots {
  /** The values that a frame starts with. */
  readonly initial: Value[] = [];
  private readonly slots = new Map<number, number>();

  constructor(registers: ReadonlyMap<number, AnySort>) {
    for (const [reg, sort] of registers) this.of(reg, sort);
  }

  /** The slot of a register. */
  of(reg: number, sort?: AnySort): number {
    let slot = this.slots.get(reg);
    if (slot === undefined) {
      slot = this.initial.push(sort ? initialOf(sort) : 0) - 1;
      this.slots.set(reg, slot);
    }
    return slot;
  }
}

/** Compiles the expressions of one piece of code. */
export class OpenExprs {
  readonly domain: Domain;
  readonly slots: Slots;
  private readonly store: (decl: FieldDecl) => Store;
  private readonly pending: PendingView;

  constructor(
    domain: Domain,
    slots: Slots,
    store: (decl: FieldDecl) => Store,
    pending: PendingView,
  ) {
    this.domain = domain;
    this.slots = slots;
    this.store = store;
    this.pending = pending;
  }

  num(n: Node): Num {
    return this.compile(n) as Num;
  }

  range(n: Node): Range {
    return this.compile(n) as Range;
  }

  compile(n: Node): Eval {
    switch (n.k) {
      case "const": {
        const value = fromPacked(n.value, n.sort, this.domain);
        return () => value;
      }
      case "reg": {
        const slot = this.slots.of(n.reg, n.sort);
        return (r) => r[slot]!;
      }
      case "read": {
        const store = this.store(n.field);
        const index = this.index(n.index);
        return (r) => store.read(index(r));
      }
      case "get": {
        const { offset, width } = wordLayout(n.arg.sort, this.domain).field(n.field);
        const arg = this.num(n.arg);
        const unit = 2 ** offset;
        const size = 2 ** width;
        return (r) => Math.floor(arg(r) / unit) % size;
      }
      case "with":
        return this.with(n);
      case "op":
        return this.op(n);
      case "outstanding":
        return this.outstanding(n);
      default:
        throw new Error(`${n.k} was not folded`);
    }
  }

  /** Evaluates the index of a field access. */
  index(index: readonly Node[]): (regs: Regs) => number[] {
    const parts = index.map((i) => this.num(i));
    const [a, b] = parts as [Num, Num];
    if (parts.length === 1) return (r) => [a(r)];
    if (parts.length === 2) return (r) => [a(r), b(r)];
    return (r) => parts.map((p) => p(r));
  }

  /** Evaluates a pattern to what each key must be. */
  pattern(pattern: readonly KeyPattern[]): (regs: Regs) => KeyTest[] {
    const parts = pattern.map((p): ((regs: Regs) => KeyTest) => {
      if (p.k === "any") return () => undefined;
      return p.k === "in" ? this.range(p.range) : this.num(p);
    });
    return (r) => parts.map((p) => p(r));
  }

  private with(n: Node & { k: "with" }): Num {
    const layout = wordLayout(n.sort, this.domain);
    const arg = this.num(n.arg);
    const parts = n.set.map(([name, e]) => {
      const { offset, width } = layout.field(name);
      return { name, unit: 2 ** offset, size: 2 ** width, value: this.num(e) };
    });
    return (r) => {
      let v = arg(r);
      for (const { name, unit, size, value } of parts) {
        const to = value(r);
        if (!(to >= 0 && to < size)) throw new DomainOverflow(`${n.sort.name}.${name}`);
        v += (to - (Math.floor(v / unit) % size)) * unit;
      }
      return v;
    };
  }

  private op(n: Node & { k: "op" }): Eval {
    const [a, b, c] = n.args.map((x) => this.compile(x)) as [Num, Num, Num];
    const isRange = n.args[0]!.sort.kind === "range";
    switch (n.op) {
      case "eq":
        return isRange ? (r) => +sameValue(a(r), b(r)) : (r) => (a(r) === b(r) ? 1 : 0);
      case "ne":
        return isRange ? (r) => +!sameValue(a(r), b(r)) : (r) => (a(r) !== b(r) ? 1 : 0);
      case "lt":
        return (r) => (a(r) < b(r) ? 1 : 0);
      case "le":
        return (r) => (a(r) <= b(r) ? 1 : 0);
      case "and":
        return (r) => (a(r) && b(r) ? 1 : 0);
      case "or":
        return (r) => (a(r) || b(r) ? 1 : 0);
      case "not":
        return (r) => (a(r) ? 0 : 1);
      case "add":
        return (r) => a(r) + b(r);
      case "sub":
        return (r) => a(r) - b(r);
      case "div":
        return (r) => Math.trunc(a(r) / b(r));
      case "mul":
        return (r) => a(r) * b(r);
      case "ite":
        return (r) => (a(r) ? b(r) : c(r));
      default:
        return this.rangeOp(n);
    }
  }

  private rangeOp(n: Node & { k: "op" }): Eval {
    const [x, y] = n.args as [Node, Node];
    if (n.op === "range") {
      const lo = this.num(x);
      const hi = this.num(y);
      return (r) => ({ lo: lo(r), hi: hi(r) });
    }
    const range = this.range(x);
    switch (n.op) {
      case "lo":
        return (r) => range(r).lo;
      case "hi":
        return (r) => range(r).hi;
      case "empty":
        return (r) => {
          const { lo, hi } = range(r);
          return lo >= hi ? 1 : 0;
        };
      case "contains": {
        const element = this.num(y);
        return (r) => +matches([range(r)], [element(r)]);
      }
      case "overlaps": {
        const other = this.range(y);
        return (r) => {
          const p = range(r);
          const q = other(r);
          return Math.max(p.lo, q.lo) < Math.min(p.hi, q.hi) ? 1 : 0;
        };
      }
      default:
        throw new Error(`no open form of ${n.op}`);
    }
  }

  private outstanding(n: Node & { k: "outstanding" }): Num {
    const names = Object.keys(n.set.entry);
    const keys = this.pattern(n.index);
    const where = n.where.map(([name, e]) => [names.indexOf(name), this.compile(e)] as const);
    const { pending } = this;
    return (r) =>
      +pending.holds(
        n.set.name,
        keys(r),
        where.map(([at, e]) => [at, e(r)]),
      );
  }
}

/** The largest value that a field of this sort may store; its bits, as in the packed executor. */
export function largest(sort: AnySort, domain: Domain): number {
  if (sort.kind === "range") return Number.MAX_SAFE_INTEGER;
  return 2 ** widthOf(sort, domain) - 1;
}
