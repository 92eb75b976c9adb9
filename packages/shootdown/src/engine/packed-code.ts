// SPDX-License-Identifier: Apache-2.0
// Instructions of the packed executor: each becomes a closure that answers where to go on.

import { nthBit, popcount } from "../base/bits.ts";
import type { PendingDecl } from "../ir/machine.ts";
import { cellAccess } from "./cell-access.ts";
import { widthOf } from "./layout.ts";
import type { PackedMachine } from "./packed.ts";
import type { Eval, ExprCompiler } from "./packed-expr.ts";
import { DomainOverflow, entryOffsets, fitting, loader, storer } from "./packed-expr.ts";
import type { Code, Instr } from "./program.ts";
import { sizeOf } from "./program.ts";
import type { Step } from "./run.ts";

export class CodeCompiler {
  private readonly machine: PackedMachine;
  private readonly exprs: ExprCompiler;

  constructor(machine: PackedMachine, exprs: ExprCompiler) {
    this.machine = machine;
    this.exprs = exprs;
  }

  /** Each instruction becomes a closure when it first runs: most of a program never does. */
  compile(code: Code): readonly Step[] {
    const steps = code.instrs.map(
      (i, at): Step =>
        () => {
          const step = this.traced(i, this.instruction(i, at));
          steps[at] = step;
          return step();
        },
    );
    return steps;
  }

  /** Only what witnesses show is traced: instructions that stand for a statement. */
  private traced(i: Instr, step: Step): Step {
    if (i.op === "jump" || i.op === "halt") return step;
    const { machine } = this;
    return () => {
      const next = step();
      if (machine.trace && next >= 0) machine.trace(i.origin);
      return next;
    };
  }

  private instruction(i: Instr, at: number): Step {
    const { registers } = this.machine;
    const next = at + 1;
    switch (i.op) {
      case "let": {
        const value = this.exprs.compile(i.value);
        const { reg } = i;
        return () => {
          registers[reg] = value();
          return next;
        };
      }
      case "store":
      case "xchg":
      case "cas":
        return this.fieldAccess(i, next);
      case "branch": {
        const cond = this.exprs.compile(i.cond);
        const { to } = i;
        return () => (cond() ? next : to);
      }
      case "jump": {
        const { to } = i;
        return () => to;
      }
      case "each":
      case "next":
      case "grow":
        return this.loop(i, next);
      case "await": {
        const cond = this.exprs.compile(i.cond);
        return () => (cond() ? next : -1);
      }
      case "retry":
        return () => next;
      case "choose":
        return this.choose(i, next);
      case "either": {
        const { machine } = this;
        const { to } = i;
        return () => to[machine.decide(to.length)]!;
      }
      case "lookup":
      case "insert":
      case "clear":
      case "yieldHeld":
        return cellAccess(this.machine, this.exprs, i, next);
      case "post":
        return this.post(i, next);
      case "emit":
        return this.emit(i, next);
      case "yield": {
        const value = this.exprs.compile(i.value);
        const { cells } = this.machine;
        return () => {
          cells.yielded(value());
          return next;
        };
      }
      case "violate": {
        const { machine } = this;
        const { observer } = i;
        return () => {
          machine.violate(observer);
          return next;
        };
      }
      case "halt":
        return () => at;
    }
  }

  /** A store to, an exchange of, or a compare-and-swap of a field element. */
  private fieldAccess(i: Instr & { op: "store" | "xchg" | "cas" }, next: number): Step {
    const { registers, state, cells } = this.machine;
    const { elements } = this.machine.layout.fields.get(i.field.name)!;
    const touch = cells.toucher(i.field.name);
    const loads = elements.map((b) => loader(state, b));
    const stores = elements.map((b) => storer(state, b, i.field.name));
    const element = this.exprs.element(i.field.name, i.index);
    const at: Eval = typeof element === "number" ? () => element : element;
    const value = this.exprs.compile(i.value);
    if (i.op === "store") {
      return () => {
        stores[at()]!(value());
        touch();
        return next;
      };
    }
    const { reg } = i;
    if (i.op === "xchg") {
      return () => {
        const n = at();
        const v = value();
        registers[reg] = loads[n]!();
        stores[n]!(v);
        touch();
        return next;
      };
    }
    const expect = this.exprs.compile(i.expect);
    return () => {
      const n = at();
      const ok = loads[n]!() === expect();
      const v = value();
      registers[reg] = ok ? 1 : 0;
      if (ok) {
        stores[n]!(v);
        touch();
      }
      return next;
    };
  }

  private loop(i: Instr & { op: "each" | "next" | "grow" }, next: number): Step {
    const { registers } = this.machine;
    const { reg } = i;
    if (i.op === "next") {
      const stride = this.exprs.compile(i.stride);
      const { to } = i;
      return () => {
        registers[reg] = registers[reg]! + stride();
        return to;
      };
    }
    if (i.op === "each") {
      const sort = i.over.sort;
      const hi = this.exprs.compile({ k: "op", op: "hi", args: [i.over], sort });
      const { to } = i;
      return () => (registers[reg]! < hi() ? next : to);
    }
    const by = this.exprs.compile(i.by);
    // A range sort's two bounds have equal width.
    const bits =
      widthOf({ ...i.by.sort, kind: "range", element: i.by.sort }, this.exprs.domain) / 2;
    const low = 2 ** bits - 1;
    const after = fitting(() => by() + 1, low, `a bound of ${i.by.sort.name}`);
    return () => {
      const r = registers[reg]!;
      const v = after() - 1;
      const empty = (r & low) >= r >>> bits;
      const lo = empty ? v : Math.min(r & low, v);
      const hi = empty ? v + 1 : Math.max(r >>> bits, v + 1);
      registers[reg] = lo | (hi << bits);
      return next;
    };
  }

  private choose(i: Instr & { op: "choose" }, next: number): Step {
    const { machine } = this;
    const { registers } = machine;
    const size = sizeOf(i.sort, this.exprs.domain);
    const { reg } = i;
    if (!i.where) {
      return () => {
        registers[reg] = machine.decide(size);
        return next;
      };
    }
    const where = this.exprs.compile(i.where);
    return () => {
      const fits: number[] = [];
      for (let v = 0; v < size; v++) {
        registers[reg] = v;
        if (where()) fits.push(v);
      }
      if (fits.length === 0) return -1;
      registers[reg] = fits[fits.length === 1 ? 0 : machine.decide(fits.length)]!;
      return next;
    };
  }

  private post(i: Instr & { op: "post" }, next: number): Step {
    const { state, program, layout, posted } = this.machine;
    const fields = Object.entries(i.set.entry);
    const offsets = entryOffsets(fields, program.domain);
    const given = new Map(i.entry);
    const values = fields.map(([name]) => this.exprs.compile(given.get(name)!));
    const targets = program.pending.flatMap((p, n) =>
      p.decl === i.set
        ? [
            {
              n,
              match: this.exprs.matcher(i.index, p.key),
              load: layout.pending[n]!.map((b) => loader(state, b)),
              store: layout.pending[n]!.map((b) => storer(state, b, i.set.name)),
            },
          ]
        : [],
    );
    const unordered = i.set.order.length === 0;
    const keys = i.index.map((n, d) => this.exprs.key(n, i.set, d));
    return () => {
      for (const k of keys) k();
      const set = targets.find((t) => t.match());
      if (!set) return next;
      const count = set.load.findIndex((l) => l() === 0);
      if (count < 0) {
        // What takes effect makes room for other steps' entries, never for more than fit.
        if (posted[set.n]! >= set.load.length) throw new DomainOverflow(atOnce(i.set));
        return -1;
      }
      posted[set.n]!++;
      let entry = 1;
      for (let f = 0; f < values.length; f++) {
        const v = values[f]!();
        if ((v & offsets[f]!.mask) !== v)
          throw new DomainOverflow(`${i.set.name}.${fields[f]![0]}`);
        entry |= v << offsets[f]!.offset;
      }
      // Entries without an order are kept sorted, so that equal sets are equal states.
      let at = count;
      if (unordered) {
        for (; at > 0 && set.load[at - 1]!() >>> 0 > entry >>> 0; at--) {
          set.store[at]!(set.load[at - 1]!());
        }
      }
      set.store[at]!(entry);
      return next;
    };
  }

  private emit(i: Instr & { op: "emit" }, next: number): Step {
    const { machine } = this;
    const args = i.args.map(([name, e]) => [name, this.exprs.compile(e)] as const);
    const event = i.event.name;
    return () => {
      machine.log?.({ event, args: Object.fromEntries(args.map(([n, v]) => [n, v()])) });
      return next;
    };
  }
}

/** What one step adds to a set. */
export const atOnce = ({ name }: PendingDecl): string => `what one step posts to ${name}`;

/** The positions of the one bits of a word, lowest first. */
export function bitsOf(word: number): number[] {
  return Array.from({ length: popcount(word) }, (_, i) => nthBit(word, i));
}
