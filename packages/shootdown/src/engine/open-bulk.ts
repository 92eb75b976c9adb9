// SPDX-License-Identifier: Apache-2.0
// Bulk execution of a safe loop: the body runs once for as many elements as take the same course.
//
//   elements   k . . . . . . . . . . . hi
//              [ one batch )[ next )[ ... )    a batch ends where a run of entries ends, where a
//                                              condition turns, or where two meet in one element
//
// All values are sweeps over the batch (open-sweep.ts). What is found late, after a store was made
// for too many elements, is repaired: the batch is taken back and run again, shorter.

import type { OpenMachine } from "./open.ts";
import type { BulkFrame, BulkValue } from "./open-bulk-expr.ts";
import { BulkExprs, newFrame, resetFrame } from "./open-bulk-expr.ts";
import type { KeyTest, OpenExprs, Regs } from "./open-expr.ts";
import { largest } from "./open-expr.ts";
import type { SafeLoop } from "./open-loop.ts";
import { added } from "./open-loop.ts";
import { ONE_KEY, still, total } from "./open-sweep.ts";
import type { Pair, Sweep, SweepPair, Value } from "./open-value.ts";
import { grown, sweepAt } from "./open-value.ts";
import type { Code, Instr } from "./program.ts";

/** Runs one instruction for the whole batch; the index of the next, or BLOCKED. */
type BulkStep = (f: BulkFrame) => number;

/** Elements of the batch would have to wait. */
const BLOCKED = -1;

export class BulkLoop {
  private readonly machine: OpenMachine;
  private readonly loop: SafeLoop;
  private readonly exprs: BulkExprs;
  private readonly steps: readonly BulkStep[];
  private readonly slot: number;
  private readonly stride: (regs: Regs) => number;
  private readonly scalars: OpenExprs;
  private readonly frame: BulkFrame;

  constructor(machine: OpenMachine, exprs: OpenExprs, code: Code, loop: SafeLoop) {
    this.machine = machine;
    this.scalars = exprs;
    this.loop = loop;
    this.exprs = new BulkExprs(exprs, (decl) => machine.store(decl));
    this.slot = exprs.slots.of(loop.reg);
    const next = code.instrs[loop.end] as Instr & { op: "next" };
    this.stride = exprs.num(next.stride);
    this.frame = newFrame();
    const body = code.instrs.slice(loop.top + 1, loop.end);
    this.steps = body.map((i, n) => this.step(i, loop.top + 1 + n));
  }

  /**
   * Runs all elements below `hi`; false if it stands at an element that must go step by step: one
   * that has to wait now, or any if the stride is not positive.
   */
  run(regs: Regs, hi: number): boolean {
    const stride = this.stride(regs);
    if (!(stride >= 1)) return false;
    for (let k = regs[this.slot] as number; k < hi; ) {
      const count = this.batch(regs, k, hi - k, stride);
      if (count === 0) return false;
      k += stride * count;
      regs[this.slot] = k;
    }
    return true;
  }

  /** Runs the body for as many elements as it can; how many that were: none if it has to wait. */
  private batch(regs: Regs, from: number, keys: number, stride: number): number {
    const { frame, machine } = this;
    const { journal } = machine;
    const mark = journal.mark();
    try {
      let bound = keys;
      for (;;) {
        resetFrame(frame, regs, bound, stride);
        frame.regs[this.slot] = { base: from, slope: 1, phase: 0, every: 1 };
        if (!this.body()) {
          journal.rollback(mark);
          return 0;
        }
        if (frame.wrote <= frame.span.keys) break;
        journal.rollback(mark);
        bound = frame.span.keys;
      }
    } finally {
      journal.close(mark);
    }
    const count = Math.ceil(frame.span.keys / stride);
    this.finish(count, stride);
    return count;
  }

  /** False if it has to wait. */
  private body(): boolean {
    const { frame, steps } = this;
    const first = this.loop.top + 1;
    for (let at = first; at !== this.loop.end; ) {
      at = steps[at - first]!(frame);
      if (at === BLOCKED) return false;
    }
    return true;
  }

  /** Brings registers and the log up to date after `count` repetitions. */
  private finish(count: number, stride: number): void {
    const { frame, machine } = this;
    const { scalar } = frame;
    const last = (count - 1) * stride;
    for (const slot of frame.changed) scalar[slot] = valueAt(frame.regs[slot]!, last);
    for (const { slot, sum, value } of frame.sums) {
      if (sum.kind === "add") {
        scalar[slot] = (scalar[slot] as number) + sum.sign * total(value, count, stride);
      } else {
        const range = grown(scalar[slot] as Pair, value.base, value.base);
        scalar[slot] = grown(range, sweepAt(value, last), sweepAt(value, last));
      }
    }
    const { trace } = machine.options;
    if (trace) for (const origin of frame.origins) trace(origin, count);
    if (frame.events.length === 0) return;
    const events = frame.events.map(({ event, args }) => ({
      event,
      args: Object.fromEntries(args.map(([name, v]) => [name, plain(v)])),
    }));
    if (count > 1) machine.emit({ repeat: count, stride, events });
    else {
      for (const [n, { args }] of frame.events.entries()) {
        const first = args.map(([name, v]) => [name, valueAt(v, 0)]);
        machine.emit({ event: events[n]!.event, args: Object.fromEntries(first) });
      }
    }
  }

  private step(i: Instr, at: number): BulkStep {
    const step = this.instruction(i, at);
    if (!this.machine.options.trace || i.op === "jump") return step;
    return (f) => {
      f.origins.push(i.origin);
      return step(f);
    };
  }

  private instruction(i: Instr, at: number): BulkStep {
    const { exprs } = this;
    const next = at + 1;
    const sum = this.loop.sums.get(at);
    if (sum) return this.sum(i, sum, next);
    switch (i.op) {
      case "let": {
        const value = exprs.compile(i.value);
        return this.assign(i.reg, value, next);
      }
      case "store":
      case "xchg":
      case "cas":
        return this.fieldAccess(i, next);
      case "branch": {
        const cond = exprs.cond(i.cond);
        const { to } = i;
        return (f) => (cond(f) ? next : to);
      }
      case "jump": {
        const { to } = i;
        return () => to;
      }
      case "each": {
        const reg = exprs.reg(i.reg);
        const over = exprs.pair(i.over);
        const { to } = i;
        return (f) => (f.span.less(reg(f) as Sweep, over(f).hi) ? next : to);
      }
      case "next": {
        const reg = exprs.reg(i.reg);
        const stride = exprs.num(i.stride);
        return this.assign(i.reg, (f) => f.span.add(reg(f) as Sweep, stride(f)), i.to);
      }
      case "grow": {
        const reg = exprs.reg(i.reg);
        const by = exprs.num(i.by);
        return this.assign(i.reg, (f) => grownSweep(f, reg(f) as SweepPair, by(f)), next);
      }
      case "emit": {
        const args = i.args.map(([name, e]) => [name, exprs.compile(e)] as const);
        const event = i.event.name;
        return (f) => {
          if (this.machine.logging) {
            f.events.push({ event, args: args.map(([name, e]) => [name, e(f)] as const) });
          }
          return next;
        };
      }
      case "await": {
        // It does not depend on the element, nor on what the body changes.
        const holds = this.scalars.num(i.cond);
        return (f) => (holds(f.scalar) === 0 ? BLOCKED : next);
      }
      case "insert":
        return this.insert(i, next);
      case "clear":
        return this.clear(i, next);
      case "violate": {
        const { observer } = i;
        return () => {
          this.machine.violate(observer);
          return next;
        };
      }
      default:
        throw new Error(`${i.op} in a bulk loop`);
    }
  }

  private insert(i: Instr & { op: "insert" }, next: number): BulkStep {
    const { exprs, machine } = this;
    const { name } = i.cell;
    const keys = i.index.map((n) => exprs.num(n));
    const value = exprs.num(i.value);
    return (f) => {
      const key = keys.map((k) => k(f));
      const entry = value(f);
      const last = key.at(-1);
      const moves = last?.slope === 1 && last.every === 1 && f.stride === 1;
      // The same entry again and again is one entry.
      const one = entry.slope === 0 && key.every((k) => k.slope === 0);
      if ((!moves && !one) || key.some((k) => k.slope < 0)) f.span.cut(ONE_KEY);
      const count = moves ? f.span.keys : 1;
      machine.cells.addRun(name, { key, value: entry, count });
      f.wrote = Math.max(f.wrote, count);
      return next;
    };
  }

  /** Nothing is put into the cell meanwhile: to clear key by key is to clear all at once. */
  private clear(i: Instr & { op: "clear" }, next: number): BulkStep {
    const { exprs, machine } = this;
    const { name } = i.cell;
    const tests = i.index.map((p): ((f: BulkFrame) => KeyTest) => {
      if (p.k === "any") return () => undefined;
      if (p.k === "in") {
        const range = exprs.pair(p.range);
        return (f) => ({ lo: f.span.hold(range(f).lo), hi: f.span.hold(range(f).hi) });
      }
      const key = exprs.num(p);
      return (f) => {
        const { base, slope, every } = key(f);
        if (slope === 0) return base;
        if (slope !== 1 || every !== 1 || f.stride !== 1) f.span.cut(ONE_KEY);
        f.wrote = Math.max(f.wrote, f.span.keys);
        return { lo: base, hi: base + f.span.keys };
      };
    });
    return (f) => {
      machine.cells.clearAll(
        name,
        tests.map((t) => t(f)),
      );
      return next;
    };
  }

  private assign(reg: number, value: (f: BulkFrame) => BulkValue, next: number): BulkStep {
    const slot = this.exprs.slot(reg);
    return (f) => {
      f.regs[slot] = value(f);
      f.changed.push(slot);
      return next;
    };
  }

  private sum(i: Instr, sum: NonNullable<ReturnType<SafeLoop["sums"]["get"]>>, next: number) {
    const { exprs } = this;
    const { reg } = i as Instr & { reg: number };
    const slot = exprs.slot(reg);
    const by = i.op === "grow" ? i.by : added((i as Instr & { op: "let" }).value, reg)!.node;
    const value = exprs.num(by);
    return (f: BulkFrame): number => {
      const v = value(f);
      const even = sum.kind === "grow" || v.slope === 0 || v.every === 1;
      f.sums.push({ slot, sum, value: even ? v : still(f.span.hold(v)) });
      return next;
    };
  }

  private fieldAccess(i: Instr & { op: "store" | "xchg" | "cas" }, next: number): BulkStep {
    const { exprs, machine } = this;
    const store = machine.store(i.field);
    const index = exprs.index(i.index);
    const value = exprs.compile(i.value);
    const max = largest(i.field.value, machine.program.domain);
    if (i.op === "store") {
      return (f) => {
        exprs.write(f, store, index(f), value(f), max);
        return next;
      };
    }
    const slot = exprs.slot(i.reg);
    const expect = i.op === "cas" ? exprs.compile(i.expect) : undefined;
    return (f) => {
      const at = index(f);
      const v = value(f);
      const old = exprs.read(f, store, at);
      const ok = !expect || exprs.same(f, old, expect(f));
      if (ok) exprs.write(f, store, at, v, max);
      f.regs[slot] = expect ? still(ok ? 1 : 0) : old;
      f.changed.push(slot);
      return next;
    };
  }
}

const isPair = (v: BulkValue): v is SweepPair => "lo" in v;

function valueAt(v: BulkValue, d: number): Value {
  return isPair(v) ? { lo: sweepAt(v.lo, d), hi: sweepAt(v.hi, d) } : sweepAt(v, d);
}

/** As a log shows it: a sweep only if it moves. */
function plain(v: BulkValue): Value | Sweep | SweepPair {
  if (isPair(v)) return v.lo.slope === 0 && v.hi.slope === 0 ? valueAt(v, 0) : v;
  return v.slope === 0 ? v.base : v;
}

function grownSweep(f: BulkFrame, range: SweepPair, by: Sweep): SweepPair {
  const after = f.span.add(by, still(1));
  if (!f.span.less(range.lo, range.hi)) return { lo: by, hi: after };
  const lo = f.span.less(by, range.lo) ? by : range.lo;
  const hi = f.span.less(range.hi, after) ? after : range.hi;
  return { lo, hi };
}
