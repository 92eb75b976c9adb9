// SPDX-License-Identifier: Apache-2.0
// Expressions of the packed executor: each node becomes a closure over the scratch state.

import type { KeyPattern, Node, Sorts } from "../ir/expr.ts";
import type { AnySort } from "../ir/sort.ts";
import type { Bits, Layout } from "./layout.ts";
import { rangeBits, widthOf } from "./layout.ts";
import { ModelLimit } from "./model-limit.ts";
import type { Domain, Program } from "./program.ts";
import { sizeOf } from "./program.ts";
import { wordLayout } from "./word.ts";

export type Eval = () => number;

/** What expressions are evaluated against: the state under construction and the registers. */
export interface Scratch {
  readonly state: Int32Array;
  readonly registers: Int32Array;
}

/** The value does not fit the domain: the model needs a larger limit. */
export class DomainOverflow extends ModelLimit {
  readonly what: string;
  constructor(what: string) {
    super(`${what} exceeds the domain`);
    this.what = what;
  }
}

export class ExprCompiler {
  private readonly program: Program;
  private readonly layout: Layout;
  private readonly scratch: Scratch;

  constructor(program: Program, layout: Layout, scratch: Scratch) {
    this.program = program;
    this.layout = layout;
    this.scratch = scratch;
  }

  get domain(): Domain {
    return this.program.domain;
  }

  compile(n: Node): Eval {
    switch (n.k) {
      case "const": {
        const { value } = n;
        return () => value;
      }
      case "reg": {
        const { registers } = this.scratch;
        const { reg } = n;
        return () => registers[reg]!;
      }
      case "read":
        return this.read(n);
      case "get":
        return this.get(n);
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

  /** Number of the element that a field access names, known or computed: there is one. */
  element(name: string, index: readonly Node[]): number | Eval {
    const { sizes } = this.layout.fields.get(name)!;
    const what = `an index of ${name}`;
    if (index.every((i) => i.k === "const")) {
      const values = index.map((i) => (i as { value: number }).value);
      if (!values.every((v, d) => v >= 0 && v < sizes[d]!)) return exceeded(what);
      return values.reduce((at, v, d) => at * sizes[d]! + v, 0);
    }
    const parts = index.map((i) => this.compile(i));
    const part = (d: number): number => {
      const v = parts[d]!();
      if (!(v >= 0 && v < sizes[d]!)) throw new DomainOverflow(what);
      return v;
    };
    if (parts.length === 1) return () => part(0);
    return () => {
      let at = 0;
      for (let d = 0; d < parts.length; d++) at = at * sizes[d]! + part(d);
      return at;
    };
  }

  /** A key of a cell or pending set, which must be of the domain. */
  key(n: Node, decl: { readonly name: string; readonly keys: Sorts }, at: number): Eval {
    const size = sizeOf(Object.values(decl.keys)[at]!, this.domain);
    const value = this.compile(n);
    // Of a constant there is an instance, or nobody would notice one.
    if (n.k === "const") return value;
    return () => {
      const v = value();
      if (!(v >= 0 && v < size)) throw new DomainOverflow(`a key of ${decl.name}`);
      return v;
    };
  }

  private read(n: Node & { k: "read" }): Eval {
    const { elements } = this.layout.fields.get(n.field.name)!;
    const { state } = this.scratch;
    const at = this.element(n.field.name, n.index);
    if (typeof at === "number") return loader(state, elements[at]!);
    return () => {
      const b = elements[at()]!;
      return (state[b.word]! >>> b.shift) & b.mask;
    };
  }

  private get(n: Node & { k: "get" }): Eval {
    const { offset, width } = wordLayout(n.arg.sort, this.domain).field(n.field);
    const mask = 2 ** width - 1;
    const arg = this.compile(n.arg);
    return () => (arg() >>> offset) & mask;
  }

  private with(n: Node & { k: "with" }): Eval {
    const layout = wordLayout(n.sort, this.domain);
    const arg = this.compile(n.arg);
    const parts = n.set.map(([name, e]) => {
      const { offset, width } = layout.field(name);
      const mask = 2 ** width - 1;
      const value = fitting(this.compile(e), mask, `${n.sort.name}.${name}`);
      return { offset, keep: ~(mask << offset), value };
    });
    return () => {
      let v = arg();
      for (const p of parts) v = (v & p.keep) | (p.value() << p.offset);
      return v;
    };
  }

  private op(n: Node & { k: "op" }): Eval {
    const [a, b, c] = n.args.map((x) => this.compile(x)) as [Eval, Eval, Eval];
    switch (n.op) {
      case "eq":
        return () => (a() === b() ? 1 : 0);
      case "ne":
        return () => (a() !== b() ? 1 : 0);
      case "lt":
        return () => (a() < b() ? 1 : 0);
      case "le":
        return () => (a() <= b() ? 1 : 0);
      case "and":
        return () => (a() && b() ? 1 : 0);
      case "or":
        return () => (a() || b() ? 1 : 0);
      case "not":
        return () => (a() ? 0 : 1);
      case "add":
        return () => a() + b();
      case "sub":
        return () => a() - b();
      case "div":
        return () => {
          const [of, by] = [a(), b()];
          if (by === 0) throw new DomainOverflow("a quotient by 0");
          return Math.trunc(of / by);
        };
      case "mul":
        return () => a() * b();
      case "ite":
        return () => (a() ? b() : c());
      default:
        return this.rangeOp(n, a, b);
    }
  }

  private rangeOp(n: Node & { k: "op" }, a: Eval, b: Eval): Eval {
    const sort = n.op === "range" ? n.sort : n.args[0]!.sort;
    const bits = rangeBits(sort, this.domain);
    const low = 2 ** bits - 1;
    switch (n.op) {
      case "range": {
        const [lo, hi] = [a, b].map((x) => fitting(x, low, `a bound of ${sort.name}`));
        return () => lo!() | (hi!() << bits);
      }
      case "lo":
        return () => a() & low;
      case "hi":
        return () => a() >>> bits;
      case "empty":
        return () => {
          const r = a();
          return (r & low) >= r >>> bits ? 1 : 0;
        };
      case "contains":
        return () => {
          const r = a();
          const x = b();
          return (r & low) <= x && x < r >>> bits ? 1 : 0;
        };
      case "overlaps":
        return () => {
          const x = a();
          const y = b();
          return Math.max(x & low, y & low) < Math.min(x >>> bits, y >>> bits) ? 1 : 0;
        };
      default:
        throw new Error(`no packed form of ${n.op}`);
    }
  }

  private outstanding(n: Node & { k: "outstanding" }): Eval {
    const { state } = this.scratch;
    const fields = Object.entries(n.set.entry);
    const offsets = entryOffsets(fields, this.domain);
    const tests = n.where.map(([name, e]) => {
      const at = fields.findIndex(([f]) => f === name);
      return { ...offsets[at]!, value: this.compile(e) };
    });
    const slots = this.program.pending.flatMap((p, i) => {
      if (p.decl !== n.set) return [];
      const match = this.matcher(n.index, p.key);
      return this.layout.pending[i]!.map((bits) => ({ load: loader(state, bits), match }));
    });
    return () => {
      for (const s of slots) {
        const entry = s.load();
        if (!(entry & 1) || !s.match()) continue;
        if (tests.every((t) => ((entry >>> t.offset) & t.mask) === t.value())) return 1;
      }
      return 0;
    };
  }

  /** Whether a key of constants matches a pattern, now. */
  matcher(pattern: readonly KeyPattern[], key: readonly number[]): () => boolean {
    const tests: (() => boolean)[] = [];
    for (const [i, p] of pattern.entries()) {
      const v = key[i]!;
      if (p.k === "any") continue;
      if (p.k === "const") {
        if (p.value !== v) return () => false;
        continue;
      }
      if (p.k === "in") {
        const range = this.compile(p.range);
        const bits = rangeBits(p.range.sort, this.domain);
        const low = 2 ** bits - 1;
        tests.push(() => {
          const r = range();
          return (r & low) <= v && v < r >>> bits;
        });
        continue;
      }
      const value = this.compile(p);
      tests.push(() => value() === v);
    }
    if (tests.length === 0) return () => true;
    if (tests.length === 1) return tests[0]!;
    return () => tests.every((t) => t());
  }
}

/** What is asked for where there is none. */
const exceeded = (what: string): (() => never) => {
  return () => {
    throw new DomainOverflow(what);
  };
};

/** A value that must fit its bits. */
export function fitting(value: Eval, mask: number, what: string): Eval {
  return () => {
    const v = value();
    if ((v & mask) !== v) throw new DomainOverflow(what);
    return v;
  };
}

/** Reads a variable of the scratch state. */
export function loader(state: Int32Array, { word, shift, mask }: Bits): Eval {
  return () => (state[word]! >>> shift) & mask;
}

/** Writes a variable of the scratch state; the value must fit. */
export function storer(state: Int32Array, b: Bits, what: string): (value: number) => void {
  const { word, shift, mask } = b;
  const keep = ~(mask << shift);
  return (value) => {
    if ((value & mask) !== value) throw new DomainOverflow(what);
    state[word] = (state[word]! & keep) | (value << shift);
  };
}

/** Where each field of a pending entry lies; bit 0 says that the slot is taken. */
export function entryOffsets(
  fields: readonly (readonly [string, AnySort])[],
  domain: Domain,
): { offset: number; mask: number }[] {
  let offset = 1;
  return fields.map(([, sort]) => {
    const width = widthOf(sort, domain);
    const at = { offset, mask: 2 ** width - 1 };
    offset += width;
    if (offset > 32) throw new Error("a pending entry does not fit a word");
    return at;
  });
}
