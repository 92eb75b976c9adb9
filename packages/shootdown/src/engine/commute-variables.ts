// SPDX-License-Identifier: Apache-2.0
// What the steps of a program share, numbered: field elements, pending sets, cells, latches; and
// what an expression is worth when only some of them are known.

import type { FieldDecl, KeyPattern, Node } from "../ir/expr.ts";
import type { CellDecl, PendingDecl } from "../ir/machine.ts";
import { arith } from "./fold.ts";
import type { Initial, Program } from "./program.ts";
import { sizeOf } from "./program.ts";

/** Of some variables and registers what they are, or a value that they are not. */
export interface Known {
  readonly is: ReadonlyMap<number, number>;
  readonly not: ReadonlyMap<number, number>;
}

const COMPARED: ReadonlySet<string> = new Set(["eq", "ne", "lt", "le"]);
const NOTHING: ReadonlyMap<number, number> = new Map();
export const NOTHING_KNOWN: Known = { is: NOTHING, not: NOTHING };

interface FieldPlace {
  readonly base: number;
  readonly sizes: readonly number[];
  readonly count: number;
}

export class Variables {
  readonly count: number;
  /** What each field element begins as, if that is always the same. */
  readonly initial: ReadonlyMap<number, number>;
  private readonly program: Program;
  private readonly fields = new Map<string, FieldPlace>();
  /** Elements by the index that names them, which belongs to one access. */
  private readonly named = new Map<readonly Node[], readonly number[]>();
  private readonly pendingBase: number;
  private readonly cellBase: readonly number[];
  private readonly latchBase: number;

  constructor(program: Program) {
    this.program = program;
    let count = 0;
    const declared = new Map<number, number>();
    for (const f of program.fields) {
      const sizes = f.index.map((s) => sizeOf(s, program.domain));
      const elements = sizes.reduce((a, b) => a * b, 1);
      this.fields.set(f.name, { base: count, sizes, count: elements });
      for (let n = 0; n < elements; n++) declared.set(count + n, f.initial);
      count += elements;
    }
    const begins = (initial: readonly Initial[]): Map<number, number> => {
      const values = new Map(declared);
      for (const i of initial) {
        const f = this.fields.get(i.field.name);
        if (f) values.set(f.base + i.index.reduce((n, v, d) => n * f.sizes[d]! + v, 0), i.value);
      }
      return values;
    };
    const [first, ...others] = [program.initial, ...program.others].map(begins);
    this.initial = new Map([...first!].filter(([v, x]) => others.every((o) => o.get(v) === x)));
    this.pendingBase = count;
    count += program.pending.length;
    this.cellBase = program.cells.map((g) => {
      const base = count;
      count += g.instances.length;
      return base;
    });
    this.latchBase = count;
    this.count = count + program.observers.length;
  }

  /** The elements that a field access may name. */
  elements(field: FieldDecl, index: readonly Node[]): readonly number[] {
    let known = this.named.get(index);
    if (!known) this.named.set(index, (known = this.find(field, index)));
    return known;
  }

  private find(field: FieldDecl, index: readonly Node[]): readonly number[] {
    const f = this.fields.get(field.name);
    if (!f) return [];
    let found = [0];
    for (const [d, i] of index.entries()) {
      const size = f.sizes[d]!;
      const values = i.k === "const" ? [i.value] : Array.from({ length: size }, (_, v) => v);
      found = found.flatMap((n) => values.map((v) => n * size + v));
    }
    return found.filter((n) => n < f.count).map((n) => f.base + n);
  }

  /** The instances of a pending set that a pattern may match. */
  pending(decl: PendingDecl, index: readonly KeyPattern[]): readonly number[] {
    return this.program.pending.flatMap((p, n) =>
      p.decl === decl && mayMatch(index, p.key) ? [this.pendingBase + n] : [],
    );
  }

  pendingAt(instance: number): number {
    return this.pendingBase + instance;
  }

  /** The instances of a cell that a pattern may match. */
  cells(decl: CellDecl, index: readonly KeyPattern[]): readonly number[] {
    return this.program.cells.flatMap((g, n) =>
      g.decl === decl
        ? g.instances.flatMap((c, i) => (mayMatch(index, c.key) ? [this.cellBase[n]! + i] : []))
        : [],
    );
  }

  cellAt(group: number, instance: number): number {
    return this.cellBase[group]! + instance;
  }

  /** Registers come after all that is shared. */
  register(reg: number): number {
    return this.count + reg;
  }

  /** The one variable or register that an expression is, if it is one. */
  place(n: Node): number | undefined {
    if (n.k === "reg") return this.register(n.reg);
    if (n.k !== "read" || n.fixed) return undefined;
    const at = this.elements(n.field, n.index);
    return at.length === 1 ? at[0] : undefined;
  }

  latch(observer: string): readonly number[] {
    const at = this.program.observers.indexOf(observer);
    return at < 0 ? [] : [this.latchBase + at];
  }

  /** A variable as people write it. */
  name(variable: number): string {
    if (variable >= this.latchBase) return this.program.observers[variable - this.latchBase]!;
    for (const [g, group] of this.program.cells.entries()) {
      const c = group.instances[variable - this.cellBase[g]!];
      if (c) return `${group.decl.name}[${c.key.join()}]`;
    }
    const p = this.program.pending[variable - this.pendingBase];
    if (p) return `${p.decl.name}[${p.key.join()}]`;
    for (const [name, f] of this.fields) {
      let at = variable - f.base;
      if (at < 0 || at >= f.count) continue;
      const index = f.sizes.map(() => 0);
      for (let d = f.sizes.length - 1; d >= 0; d--) {
        index[d] = at % f.sizes[d]!;
        at = Math.floor(at / f.sizes[d]!);
      }
      return `${name}[${index.join()}]`;
    }
    return `${variable}`;
  }

  /** The value of an expression wherever the known variables have these values, if it has one. */
  value(n: Node, known: Known): number | undefined {
    switch (n.k) {
      case "const":
        return n.value;
      case "reg":
      case "read": {
        const at = this.place(n);
        return at === undefined ? undefined : known.is.get(at);
      }
      case "op":
        return this.operation(n, known);
      default:
        return undefined;
    }
  }

  /** Whether one side is known not to be what the other is. */
  private differ(
    [x, y]: readonly Node[],
    a: number | undefined,
    b: number | undefined,
    known: Known,
  ): boolean {
    const isNot = (n: Node, value: number | undefined): boolean => {
      const at = value === undefined ? undefined : this.place(n);
      return at !== undefined && known.not.get(at) === value;
    };
    return isNot(x!, b) || isNot(y!, a);
  }

  private operation(n: Node & { k: "op" }, known: Known): number | undefined {
    const [a, b, c] = n.args.map((x) => this.value(x, known));
    if (n.op === "and") return a === 0 || b === 0 ? 0 : a && b ? 1 : undefined;
    if (n.op === "or") return a || b ? 1 : a === 0 && b === 0 ? 0 : undefined;
    if (n.op === "ite") return a === undefined ? undefined : a ? b : c;
    if ((n.op === "eq" || n.op === "ne") && this.differ(n.args, a, b, known)) {
      return n.op === "eq" ? 0 : 1;
    }
    if (a === undefined) return undefined;
    if (n.op === "not") return a ? 0 : 1;
    if (b === undefined) return undefined;
    return COMPARED.has(n.op) ? arith(n.op, [a, b]) : undefined;
  }
}

/** That a variable or register is, or is not, a value. */
export interface Implied {
  readonly place: number;
  readonly value: number;
  readonly equal: boolean;
}

/** What follows for single variables and registers from a condition that holds, or does not. */
export function implied(n: Node, holds: boolean, variables: Variables): readonly Implied[] {
  if (n.k === "op") {
    const [a, b] = n.args as readonly [Node, Node];
    if (n.op === "not") return implied(a, !holds, variables);
    if (n.op === (holds ? "and" : "or")) {
      return n.args.flatMap((x) => implied(x, holds, variables));
    }
    if (n.op !== "eq" && n.op !== "ne") return [];
    const [x, c] = b.k === "const" ? [a, b] : [b, a];
    const place = variables.place(x);
    if (place === undefined || c.k !== "const") return [];
    return [{ place, value: c.value, equal: (n.op === "eq") === holds }];
  }
  const place = n.sort.kind === "bool" ? variables.place(n) : undefined;
  return place === undefined ? [] : [{ place, value: holds ? 1 : 0, equal: true }];
}

function mayMatch(pattern: readonly KeyPattern[], key: readonly number[]): boolean {
  return pattern.every((p, i) => p.k !== "const" || p.value === key[i]);
}

/** A condition as a list of which all must hold. */
export function conjuncts(n: Node): readonly Node[] {
  return n.k === "op" && n.op === "and" ? n.args.flatMap(conjuncts) : [n];
}
