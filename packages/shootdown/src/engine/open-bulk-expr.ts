// SPDX-License-Identifier: Apache-2.0
// Expressions and field accesses of bulk loops: each node becomes a closure over sweeps.

import type { FieldDecl, Node } from "../ir/expr.ts";
import type { OpenExprs, Regs } from "./open-expr.ts";
import type { Sum } from "./open-loop.ts";
import type { RowKey, Store } from "./open-store.ts";
import { RunStore } from "./open-store.ts";
import { ONE_KEY, Span, still } from "./open-sweep.ts";
import type { Sweep, SweepPair, Value } from "./open-value.ts";
import { fromPacked, sweepAt } from "./open-value.ts";
import { DomainOverflow } from "./packed-expr.ts";
import type { Origin } from "./program.ts";
import { wordLayout } from "./word.ts";

export type BulkValue = Sweep | SweepPair;
export type BulkEval = (f: BulkFrame) => BulkValue;
export type BulkNum = (f: BulkFrame) => Sweep;

/** How the repetitions of a batch have touched a field so far. */
interface Touch {
  readonly last: Sweep;
  mixed: boolean;
  written: boolean;
}

/** The state of a batch of repetitions. */
export interface BulkFrame {
  readonly span: Span;
  readonly touched: Map<Store, Touch>;
  /** Registers of before the batch. */
  scalar: Regs;
  /** Registers that the batch has read or set. */
  regs: BulkValue[];
  /** Slots that the batch has set. */
  readonly changed: number[];
  readonly sums: { readonly slot: number; readonly sum: Sum; readonly value: Sweep }[];
  readonly events: {
    readonly event: string;
    readonly args: readonly (readonly [string, BulkValue])[];
  }[];
  readonly origins: Origin[];
  /** Stores were made for this many keys. */
  wrote: number;
  stride: number;
}

export const newFrame = (): BulkFrame => ({
  span: new Span(),
  touched: new Map(),
  scalar: [],
  regs: [],
  changed: [],
  sums: [],
  events: [],
  origins: [],
  wrote: 0,
  stride: 1,
});

/** Begins a batch of at most `keys` keys. */
export function resetFrame(f: BulkFrame, regs: Regs, keys: number, stride: number): void {
  f.span.keys = keys;
  f.scalar = regs;
  f.regs.length = 0;
  f.changed.length = 0;
  f.sums.length = 0;
  f.events.length = 0;
  f.origins.length = 0;
  f.touched.clear();
  f.wrote = 0;
  f.stride = stride;
}

const lift = (v: Value): BulkValue =>
  typeof v === "number" ? still(v) : { lo: still(v.lo), hi: still(v.hi) };

export class BulkExprs {
  private readonly exprs: OpenExprs;
  private readonly store: (decl: FieldDecl) => Store;

  constructor(exprs: OpenExprs, store: (decl: FieldDecl) => Store) {
    this.exprs = exprs;
    this.store = store;
  }

  slot(reg: number): number {
    return this.exprs.slots.of(reg);
  }

  reg(reg: number): BulkEval {
    const slot = this.slot(reg);
    return (f) => (f.regs[slot] ??= lift(f.scalar[slot]!));
  }

  num(n: Node): BulkNum {
    return this.compile(n) as BulkNum;
  }

  pair(n: Node): (f: BulkFrame) => SweepPair {
    return this.compile(n) as (f: BulkFrame) => SweepPair;
  }

  cond(n: Node): (f: BulkFrame) => boolean {
    const value = this.num(n);
    return (f) => f.span.truth(value(f));
  }

  compile(n: Node): BulkEval {
    switch (n.k) {
      case "const": {
        const value = lift(fromPacked(n.value, n.sort, this.exprs.domain));
        return () => value;
      }
      case "reg":
        return this.reg(n.reg);
      case "read": {
        const store = this.store(n.field);
        const index = this.index(n.index);
        return (f) => this.read(f, store, index(f));
      }
      case "get": {
        const { offset, width } = wordLayout(n.arg.sort, this.exprs.domain).field(n.field);
        const arg = this.num(n.arg);
        return (f) => f.span.bits(arg(f), offset, width);
      }
      case "with":
        return this.with(n);
      case "op":
        return this.op(n);
      default:
        throw new Error(`${n.k} in a bulk loop`);
    }
  }

  /** Evaluates the index of a field access. */
  index(index: readonly Node[]): (f: BulkFrame) => Sweep[] {
    const parts = index.map((i) => this.num(i));
    const [a, b] = parts as [BulkNum, BulkNum];
    if (parts.length === 1) return (f) => [a(f)];
    if (parts.length === 2) return (f) => [a(f), b(f)];
    return (f) => parts.map((p) => p(f));
  }

  /** What the repetitions read, each its element. */
  read(f: BulkFrame, store: Store, index: readonly Sweep[]): BulkValue {
    const { span } = f;
    touch(f, store, index, false);
    const last = index.at(-1);
    if (!(store instanceof RunStore) || !last) {
      const at: number[] = [];
      for (const i of index) at.push(span.hold(i));
      return lift(store.read(at));
    }
    if (last.slope !== 1) span.hold(last);
    const run = store.lineFrom(rowOf(f, store, index), last.base);
    if (last.slope !== 1) return still(run.value);
    span.cut((run.end - last.base) * last.every - last.phase);
    if (run.slope === 0) return still(run.value);
    return { base: run.value, slope: run.slope, phase: last.phase, every: last.every };
  }

  /** Stores a value for each repetition, at its element. */
  write(f: BulkFrame, store: Store, index: readonly Sweep[], value: BulkValue, max: number): void {
    const { span } = f;
    // What an element has already is not written: repetitions may meet there.
    const changes = !holds(store, index, value);
    touch(f, store, index, changes);
    if (!changes) return;
    const last = index.at(-1);
    if ("lo" in value || !(store instanceof RunStore) || !last) {
      span.cut(ONE_KEY);
      store.write(
        index.map((i) => i.base),
        "lo" in value ? first(value) : value.base,
      );
    } else {
      if (!span.within(value, max)) throw new DomainOverflow(store.decl.name);
      if (last.slope !== 1 || last.every !== 1) span.cut(ONE_KEY);
      if (value.every !== 1) span.hold(value);
      const row = rowOf(f, store, index);
      const { keys } = span;
      if (f.stride === 1 || keys === 1) {
        const slope = value.every === 1 ? value.slope : 0;
        store.writeRun(row, last.base, last.base + keys, value.base, slope);
      } else {
        for (let d = 0; d < keys; d += f.stride) {
          store.writeRun(row, last.base + d, last.base + d + 1, sweepAt(value, d), 0);
        }
      }
    }
    f.wrote = Math.max(f.wrote, span.keys);
  }

  same(f: BulkFrame, a: BulkValue, b: BulkValue): boolean {
    if ("lo" in a) {
      const { lo, hi } = b as SweepPair;
      return f.span.same(a.lo, lo) && f.span.same(a.hi, hi);
    }
    return f.span.same(a, b as Sweep);
  }

  private with(n: Node & { k: "with" }): BulkNum {
    const layout = wordLayout(n.sort, this.exprs.domain);
    const arg = this.num(n.arg);
    const parts = n.set.map(([name, e]) => ({ ...layout.field(name), value: this.num(e) }));
    return (f) => {
      const { span } = f;
      let v = arg(f);
      for (const { name, offset, width, value } of parts) {
        const to = value(f);
        if (!span.within(to, 2 ** width - 1)) throw new DomainOverflow(`${n.sort.name}.${name}`);
        const change = span.sub(to, span.bits(v, offset, width));
        v = span.add(v, span.times(change, 2 ** offset));
      }
      return v;
    };
  }

  private op(n: Node & { k: "op" }): BulkEval {
    const [a, b, c] = n.args.map((x) => this.compile(x)) as [BulkNum, BulkNum, BulkNum];
    const test = (holds: (f: BulkFrame) => boolean): BulkNum => {
      return (f) => still(holds(f) ? 1 : 0);
    };
    switch (n.op) {
      case "eq":
        return test((f) => this.same(f, a(f), b(f)));
      case "ne":
        return test((f) => !this.same(f, a(f), b(f)));
      case "lt":
        return test((f) => f.span.less(a(f), b(f)));
      case "le":
        return test((f) => !f.span.less(b(f), a(f)));
      case "and":
        return test((f) => f.span.truth(a(f)) && f.span.truth(b(f)));
      case "or":
        return test((f) => f.span.truth(a(f)) || f.span.truth(b(f)));
      case "not":
        return test((f) => !f.span.truth(a(f)));
      case "add":
        return (f) => f.span.add(a(f), b(f));
      case "sub":
        return (f) => f.span.sub(a(f), b(f));
      case "div":
        return (f) => f.span.div(a(f), b(f));
      case "mul":
        return (f) => f.span.mul(a(f), b(f));
      case "ite":
        return (f) => (f.span.truth(a(f)) ? b(f) : c(f));
      default:
        return this.rangeOp(n, test);
    }
  }

  private rangeOp(
    n: Node & { k: "op" },
    test: (holds: (f: BulkFrame) => boolean) => BulkNum,
  ): BulkEval {
    const [x, y] = n.args as [Node, Node];
    if (n.op === "range") {
      const lo = this.num(x);
      const hi = this.num(y);
      return (f) => ({ lo: lo(f), hi: hi(f) });
    }
    const range = this.pair(x);
    switch (n.op) {
      case "lo":
        return (f) => range(f).lo;
      case "hi":
        return (f) => range(f).hi;
      case "empty":
        return test((f) => {
          const { lo, hi } = range(f);
          return !f.span.less(lo, hi);
        });
      case "contains": {
        const element = this.num(y);
        return test((f) => {
          const { lo, hi } = range(f);
          const e = element(f);
          return !f.span.less(e, lo) && f.span.less(e, hi);
        });
      }
      case "overlaps": {
        const other = this.pair(y);
        return test((f) => {
          const p = range(f);
          const q = other(f);
          const less = (lo: Sweep, hi: Sweep) => f.span.less(lo, hi);
          return less(p.lo, p.hi) && less(p.lo, q.hi) && less(q.lo, p.hi) && less(q.lo, q.hi);
        });
      }
      default:
        throw new Error(`no open form of ${n.op}`);
    }
  }
}

const first = (p: SweepPair): Value => ({ lo: p.lo.base, hi: p.hi.base });

const NOWHERE = still(0);

/**
 * Notes an access. Once a field is written, all repetitions must keep to elements of their own:
 * every access then has the same last index, another one in each repetition.
 */
function touch(f: BulkFrame, store: Store, index: readonly Sweep[], write: boolean): void {
  const last = index.at(-1) ?? NOWHERE;
  let t = f.touched.get(store);
  if (!t) {
    t = { last, mixed: false, written: false };
    f.touched.set(store, t);
  }
  const { base, slope, phase, every } = t.last;
  t.mixed ||=
    base !== last.base || slope !== last.slope || phase !== last.phase || every !== last.every;
  t.written ||= write;
  if (t.written && (t.mixed || slope === 0 || every !== 1)) f.span.cut(ONE_KEY);
}

/** Whether the one element that all repetitions store to has that value. */
const holds = (store: Store, index: readonly Sweep[], value: BulkValue): boolean =>
  !("lo" in value) &&
  value.slope === 0 &&
  index.every((i) => i.slope === 0) &&
  store.read(index.map((i) => i.base)) === value.base;

/** The row that all repetitions access; the span is cut to where it is one. */
function rowOf(f: BulkFrame, store: RunStore, index: readonly Sweep[]): RowKey {
  const { span } = f;
  const last = index.at(-1)!;
  const { stairs } = store;
  for (let n = 0; n < index.length - 1; n++) {
    const i = index[n]!;
    if (n !== stairs?.index || !onStairs(i, last, stairs.every)) span.hold(i);
  }
  const step = stairs && index[stairs.index]!;
  if (stairs && last.slope !== 0 && !onStairs(step!, last, stairs.every)) {
    if (last.every === 1 && last.slope === 1) span.cut(stairs.every - (last.base % stairs.every));
    else span.hold(last);
  }
  const at: number[] = [];
  for (const i of index) at.push(i.base);
  return store.rowKey(at);
}

/** Whether an index moves on just when the last index reaches a multiple of `every`. */
function onStairs(i: Sweep, last: Sweep, every: number): boolean {
  const steady = last.slope === 1 && last.every === 1;
  return steady && i.slope === 1 && i.every === every && i.phase === last.base % every;
}
