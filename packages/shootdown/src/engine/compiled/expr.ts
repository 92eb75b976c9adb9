// SPDX-License-Identifier: Apache-2.0
// Expressions as compiled code: a node and a frame become a value.
//
// Values are computed whether they are asked for or not; what must not be is said by statements
// that fail, under the condition that somebody asks:
//
//   i < 3 && a[i]      fail if i < 3 and i >= 2, the extent of a;      a value of a, or any

import type { KeyPattern, Node, Sorts } from "../../ir/expr.ts";
import type { AnySort } from "../../ir/sort.ts";
import type { Bits, Layout } from "../layout.ts";
import { rangeBits } from "../layout.ts";
import { entryOffsets } from "../packed-expr.ts";
import type { Program } from "../program.ts";
import { sizeOf } from "../program.ts";
import type { Ex } from "../target/code.ts";
import { bin, num, select, un } from "../target/code.ts";
import { wordLayout } from "../word.ts";
import type { Frame } from "./frame.ts";
import { Uncompilable } from "./frame.ts";
import { bitsOf, cutOf, maxOf } from "./values.ts";

const not = (ex: Ex): Ex => un("eqz", ex);
const max = (a: Ex, b: Ex): Ex => select(bin("lt_u", a, b), b, a);
const min = (a: Ex, b: Ex): Ex => select(bin("lt_u", a, b), a, b);

/** Folds a selection whose condition is known. */
export const choose = (c: Ex, a: Ex, b: Ex): Ex =>
  c.k === "const" ? (c.value ? a : b) : select(c, a, b);

export const and = (a: Ex, b: Ex): Ex => {
  if (a.k === "const") return a.value ? b : a;
  if (b.k === "const") return b.value ? a : b;
  return bin("and", a, b);
};

export const or = (a: Ex, b: Ex): Ex => {
  if (a.k === "const") return a.value ? a : b;
  if (b.k === "const") return b.value ? b : a;
  return bin("or", a, b);
};

export class Expressions {
  readonly program: Program;
  readonly layout: Layout;
  /** Statements that may fail, written so far. */
  checks = 0;
  /** Conditions under which anybody asks for what is being compiled: all of them. */
  private readonly guards: Ex[] = [];

  constructor(program: Program, layout: Layout) {
    this.program = program;
    this.layout = layout;
  }

  value(n: Node, f: Frame): Ex {
    switch (n.k) {
      case "const":
        return num(n.value);
      case "reg":
        return f.reg(n.reg);
      case "read":
        return this.read(n, f);
      case "get": {
        const { offset, width } = wordLayout(n.arg.sort, this.program.domain).field(n.field);
        return bitsOf(this.value(n.arg, f), offset, 2 ** width - 1);
      }
      case "with":
        return this.with(n, f);
      case "op":
        return this.op(n, f);
      case "outstanding":
        return this.outstanding(n, f);
      default:
        throw new Uncompilable(`${n.k} was not folded`);
    }
  }

  /** What `make` compiles is asked for only if `guard`, which is 0 or 1. */
  under<T>(guard: Ex, make: () => T): T {
    this.guards.push(guard);
    const made = make();
    this.guards.pop();
    return made;
  }

  /** Fails at run time if `c`, which is 0 or 1, and if what is being compiled is asked for. */
  private failIf(c: Ex, what: string, f: Frame): void {
    const all = this.guards.reduceRight((x, guard) => and(guard, x), c);
    if (all.k === "const" && !all.value) return;
    this.checks++;
    f.writer.failIf(all, what);
  }

  /** A value that must be less than `size`. */
  private below(v: Ex, size: number, what: string, f: Frame): Ex {
    if (f.isBelow(v, size)) return v;
    const n = f.writer.bind(v);
    this.failIf(bin("ge_u", n, num(size)), what, f);
    if (this.guards.length === 0) f.setBelow(n, size);
    return n;
  }

  /** A value that must fit its bits. */
  fit(v: Ex, mask: number, what: string, f: Frame): Ex {
    if (maxOf(v) <= mask) return v;
    const n = f.writer.bind(v);
    this.failIf(bin("ne", bin("and", n, num(~mask)), num(0)), what, f);
    return bin("and", n, num(mask));
  }

  /** A key of a cell or pending set, which must be of the domain. */
  key(n: Node, decl: { readonly name: string; readonly keys: Sorts }, at: number, f: Frame): Ex {
    const value = this.value(n, f);
    // Of a constant there is an instance, or nobody would notice one.
    if (n.k === "const") return value;
    const size = sizeOf(Object.values(decl.keys)[at]!, this.program.domain);
    return this.below(value, size, `a key of ${decl.name}`, f);
  }

  /** A value as 0 or 1. */
  truth(n: Node, f: Frame): Ex {
    if (n.k === "op" && n.op === "and") return this.conjunction(n, f);
    const v = this.value(n, f);
    return maxOf(v) <= 1 ? v : bin("ne", v, num(0));
  }

  /** The element that a field access names, as a value: there is one, or the step fails. */
  element(name: string, index: readonly Node[], f: Frame): Ex {
    const { sizes } = this.layout.fields.get(name)!;
    let at: Ex = num(0);
    for (const [d, i] of index.entries()) {
      const v = this.below(this.value(i, f), sizes[d]!, `an index of ${name}`, f);
      at = bin("add", bin("mul", at, num(sizes[d]!)), v);
    }
    return at;
  }

  elements(name: string): readonly Bits[] {
    return this.layout.fields.get(name)!.elements;
  }

  /** The element's value; of none, which nobody asks for, any. */
  readElement(elements: readonly Bits[], at: Ex, f: Frame): Ex {
    if (at.k === "const") return f.read(elements[at.value] ?? elements[0]!);
    const n = f.writer.bind(at);
    let v = f.read(elements[0]!);
    for (let e = 1; e < elements.length; e++) {
      v = choose(bin("eq", n, num(e)), f.read(elements[e]!), v);
    }
    return v;
  }

  private read(n: Node & { k: "read" }, f: Frame): Ex {
    return this.readElement(this.elements(n.field.name), this.element(n.field.name, n.index, f), f);
  }

  private with(n: Node & { k: "with" }, f: Frame): Ex {
    const layout = wordLayout(n.sort, this.program.domain);
    let v = this.value(n.arg, f);
    for (const [name, e] of n.set) {
      const { offset, width } = layout.field(name);
      const mask = 2 ** width - 1;
      const part = this.fit(this.value(e, f), mask, `${n.sort.name}.${name}`, f);
      v = bin("or", bin("and", v, num(~(mask << offset))), bin("shl", part, num(offset)));
    }
    return v;
  }

  private op(n: Node & { k: "op" }, f: Frame): Ex {
    const arg = (i: number): Ex => this.value(n.args[i]!, f);
    switch (n.op) {
      case "eq":
      case "ne":
        return this.equality(n.op, arg(0), arg(1));
      case "lt":
        return bin("lt_s", arg(0), arg(1));
      case "le":
        return bin("le_s", arg(0), arg(1));
      case "and":
        return this.conjunction(n, f);
      case "or": {
        const a = this.truth(n.args[0]!, f);
        return or(
          a,
          this.under(not(a), () => this.truth(n.args[1]!, f)),
        );
      }
      case "not":
        return not(this.truth(n.args[0]!, f));
      case "add":
      case "sub":
      case "mul":
        return bin(n.op, arg(0), arg(1));
      case "div": {
        const [a, by] = [arg(0), arg(1)];
        if (by.k === "const" && by.value > 0) return bin("div_s", a, by);
        const b = f.writer.bind(by);
        this.failIf(not(b), "a quotient by 0", f);
        // Where nobody asks for it, the machine must not trap on its way there.
        return bin("div_s", a, bin("or", b, not(b)));
      }
      case "ite": {
        const c = this.truth(n.args[0]!, f);
        const a = this.under(c, () => arg(1));
        return choose(
          c,
          a,
          this.under(not(c), () => arg(2)),
        );
      }
      default:
        return this.rangeOp(n, f);
    }
  }

  /** Bits of the source state compare where they lie. */
  private equality(op: "eq" | "ne", a: Ex, b: Ex): Ex {
    const c = cutOf(a);
    if (!c || b.k !== "const") return bin(op, a, b);
    if ((b.value & ~c.mask) !== 0) return num(op === "ne" ? 1 : 0);
    return bin(op, bin("and", c.base, num(c.mask << c.shift)), num(b.value << c.shift));
  }

  /** `a and b and ...`; tests for constants of one word of the source state become one. */
  private conjunction(n: Node & { k: "op" }, f: Frame): Ex {
    const tests = new Map<number, { base: Ex; mask: number; value: number }>();
    let rest: Ex = num(1);
    let never = false;
    const must = (ex: Ex, value: number): boolean => {
      const c = cutOf(ex);
      if (!c) return false;
      const t = tests.get(c.word) ?? { base: c.base, mask: 0, value: 0 };
      const mask = c.mask << c.shift;
      if ((value & ~c.mask) !== 0 || ((t.value ^ (value << c.shift)) & t.mask & mask) !== 0) {
        never = true;
      }
      tests.set(c.word, { ...t, mask: t.mask | mask, value: t.value | (value << c.shift) });
      return true;
    };
    const asked = this.guards.length;
    const visit = (x: Node, negated: boolean): void => {
      if (x.k === "op" && x.op === "and" && !negated) {
        for (const a of x.args) visit(a, false);
      } else if (x.k === "op" && x.op === "or" && negated) {
        for (const a of x.args) visit(a, true);
      } else if (x.k === "op" && x.op === "not") {
        visit(x.args[0]!, !negated);
      } else if (x.k === "op" && x.op === (negated ? "ne" : "eq")) {
        const [a, b] = [this.value(x.args[0]!, f), this.value(x.args[1]!, f)];
        const same = this.equality("eq", a, b);
        this.guards.push(same);
        if (b.k === "const" && must(a, b.value)) return;
        if (a.k === "const" && must(b, a.value)) return;
        rest = and(rest, same);
      } else {
        const v = this.truth(x, f);
        const holds = negated ? not(v) : v;
        this.guards.push(holds);
        if (maxOf(v) <= 1 && must(v, negated ? 0 : 1)) return;
        rest = and(rest, holds);
      }
    };
    visit(n.args[0]!, false);
    visit(n.args[1]!, false);
    this.guards.length = asked;
    if (never) return num(0);
    let all: Ex = num(1);
    for (const { base, mask, value } of tests.values()) {
      all = and(all, bin("eq", bin("and", base, num(mask)), num(value)));
    }
    return and(all, rest);
  }

  private rangeOp(n: Node & { k: "op" }, f: Frame): Ex {
    const sort = n.op === "range" ? n.sort : n.args[0]!.sort;
    const bits = rangeBits(sort, this.program.domain);
    const arg = (i: number): Ex => f.writer.bind(this.value(n.args[i]!, f));
    switch (n.op) {
      case "range": {
        const bound = (v: Ex): Ex => this.fit(v, 2 ** bits - 1, `a bound of ${sort.name}`, f);
        const lo = bound(arg(0));
        return bin("or", lo, bin("shl", bound(arg(1)), num(bits)));
      }
      case "lo":
        return this.low(arg(0), bits);
      case "hi":
        return bin("shr_u", arg(0), num(bits));
      case "empty": {
        const r = arg(0);
        return bin("ge_u", this.low(r, bits), bin("shr_u", r, num(bits)));
      }
      case "contains":
        return this.within(arg(0), arg(1), bits);
      case "overlaps": {
        const [x, y] = [arg(0), arg(1)];
        const lo = max(this.low(x, bits), this.low(y, bits));
        return bin("lt_u", lo, min(bin("shr_u", x, num(bits)), bin("shr_u", y, num(bits))));
      }
      default:
        throw new Uncompilable(`no compiled form of ${n.op}`);
    }
  }

  private low = (range: Ex, bits: number): Ex => bin("and", range, num(2 ** bits - 1));

  private within(range: Ex, v: Ex, bits: number): Ex {
    const from = bin("le_u", this.low(range, bits), v);
    return and(from, bin("lt_u", v, bin("shr_u", range, num(bits))));
  }

  private outstanding(n: Outstanding, f: Frame): Ex {
    const before = this.checks;
    let found: Ex = num(0);
    const code = f.apart(() => {
      found = this.someOutstanding(n, f, false);
    });
    if (this.checks === before) {
      f.writer.push(...code);
      return found;
    }
    // Which of its values are asked for hangs on what is outstanding.
    this.checks = before;
    return this.someOutstanding(n, f, true);
  }

  /** Whether a matching entry is outstanding; entries asked one after the other if `inTurn`. */
  private someOutstanding(n: Outstanding, f: Frame, inTurn: boolean): Ex {
    const { program, layout } = this;
    const fields = Object.entries(n.set.entry);
    const offsets = entryOffsets(fields as [string, AnySort][], program.domain);
    const tests = n.where.map(([name, e]) => {
      const value = (): Ex => f.writer.bind(this.value(e, f));
      const known = inTurn ? undefined : value();
      return { ...offsets[fields.findIndex(([x]) => x === name)]!, value: () => known ?? value() };
    });
    let found: Ex = num(0);
    for (const [i, p] of program.pending.entries()) {
      if (p.decl !== n.set) continue;
      const match = (): Ex => this.matches(n.index, p.key, f);
      const known = inTurn ? undefined : match();
      if (known?.k === "const" && !known.value) continue;
      for (const bits of layout.pending[i]!) {
        const entry = f.read(bits);
        const taken = bin("and", entry, num(1));
        const asked = inTurn ? f.writer.bind(and(not(found), taken)) : taken;
        let ok = and(asked, known ?? this.under(asked, match));
        for (const t of tests) {
          const value = this.under(ok, t.value);
          ok = and(ok, bin("eq", bitsOf(entry, t.offset, t.mask), value));
        }
        found = or(found, ok);
      }
    }
    return found;
  }

  /** Whether a key of constants matches a pattern, as 0 or 1. */
  matches(pattern: readonly KeyPattern[], key: readonly number[], f: Frame): Ex {
    if (pattern.some((p, i) => p.k === "const" && p.value !== key[i])) return num(0);
    let all: Ex = num(1);
    for (const [i, p] of pattern.entries()) {
      if (p.k === "any" || p.k === "const") continue;
      const v = num(key[i]!);
      const test = (): Ex => {
        if (p.k !== "in") return this.equality("eq", this.value(p, f), v);
        const bits = rangeBits(p.range.sort, this.program.domain);
        return this.within(f.writer.bind(this.value(p.range, f)), v, bits);
      };
      all = and(all, this.under(all, test));
    }
    return all;
  }
}

type Outstanding = Node & { readonly k: "outstanding" };
