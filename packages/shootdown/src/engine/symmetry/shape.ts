// SPDX-License-Identifier: Apache-2.0
// Shapes: a program as trees in which exchangeable values stand out, and order is only where it
// matters. Two programs with equal shapes behave alike.
//
//   (a == cpu1 && b)   ──►  and{ b, eq{ a, @3 } }        @3: the point "cpu 1";  {}: in any order

import type { KeyPattern, Node } from "../../ir/expr.ts";
import type { AnySort } from "../../ir/sort.ts";
import type { Domain, Program } from "../program.ts";
import { partsOf } from "./sorts.ts";

export type Shape =
  | { readonly k: "text"; readonly text: string }
  | { readonly k: "point"; readonly point: number }
  | {
      readonly k: "node";
      readonly tag: string;
      readonly kids: readonly Shape[];
      /** The order of `kids` does not matter. */
      readonly bag: boolean;
    };

export const text = (t: string): Shape => ({ k: "text", text: t });
export const list = (tag: string, ...kids: readonly Shape[]): Shape => node(tag, kids, false);
export const bag = (tag: string, ...kids: readonly Shape[]): Shape => node(tag, kids, true);

function node(tag: string, kids: readonly Shape[], isBag: boolean): Shape {
  return { k: "node", tag, kids, bag: isBag };
}

/** What a symmetry may move: a value of a sort, or a thread. */
export type Point =
  | { readonly sort: string; readonly value: number }
  | { readonly thread: number };

/** The points of a program, numbered. */
export class Points {
  readonly all: readonly Point[];
  private readonly first = new Map<string, number>();
  readonly firstThread: number;

  constructor(program: Program, sizes: ReadonlyMap<string, number>) {
    const all: Point[] = [];
    for (const [sort, size] of sizes) {
      this.first.set(sort, all.length);
      for (let value = 0; value < size; value++) all.push({ sort, value });
    }
    this.firstThread = all.length;
    for (const thread of program.threads.keys()) all.push({ thread });
    this.all = all;
  }

  /** The point of a value, if its sort has points. */
  of(sort: AnySort, value: number): number | undefined {
    const first = this.first.get(sort.name);
    return first === undefined ? undefined : first + value;
  }

  has(sort: AnySort): boolean {
    return this.first.has(sort.name);
  }
}

/** How registers are called: by what the state keeps, or by where they appear. */
export type RegisterName = (reg: number) => string;

/** Makes the shapes of expressions. */
export class Shaper {
  readonly points: Points;
  readonly domain: Domain;
  registers: RegisterName = (reg) => `r${reg}`;

  constructor(points: Points, domain: Domain) {
    this.points = points;
    this.domain = domain;
  }

  /** A value with its points. */
  value(value: number, sort: AnySort): Shape {
    const parts = partsOf(value, sort, this.domain);
    if (!parts.some((p) => this.points.has(p.sort))) return text(`${value}`);
    const kids = parts.map((p): Shape => {
      const point = this.points.of(p.sort, p.value);
      return point === undefined ? text(`${p.value}`) : { k: "point", point };
    });
    return kids.length === 1 ? kids[0]! : list("word", ...kids);
  }

  expr(n: Node): Shape {
    switch (n.k) {
      case "const":
        return this.value(n.value, n.sort);
      case "reg":
        return text(this.registers(n.reg));
      case "read":
        return this.place(n.field.name, n.index);
      case "get":
        return list(`.${n.field}`, this.expr(n.arg));
      case "with":
        return list(`with ${n.set.map(([f]) => f).join()}`, this.expr(n.arg), ...this.pairs(n.set));
      case "outstanding": {
        const where = list(n.where.map(([f]) => f).join(), ...this.pairs(n.where));
        return list(`outstanding ${n.set.name}`, ...n.index.map((p) => this.pattern(p)), where);
      }
      case "op":
        return this.op(n);
      default:
        throw new Error(`${n.k} was not folded`);
    }
  }

  private op(n: Node & { k: "op" }): Shape {
    if (n.op === "and" || n.op === "or") {
      const parts = operandsOf(n, n.op);
      return bag(n.op, ...parts.map((a) => this.expr(a)));
    }
    const args = n.args.map((a) => this.expr(a));
    // Bounds have as many bits as the sort needs.
    if (n.args.some((a) => a.sort.kind === "range")) return list(`${n.op} ${n.sort.name}`, ...args);
    return n.op === "eq" || n.op === "ne" ? bag(n.op, ...args) : list(n.op, ...args);
  }

  place(name: string, index: readonly KeyPattern[]): Shape {
    return list(`at ${name}`, ...index.map((p) => this.pattern(p)));
  }

  pattern(p: KeyPattern): Shape {
    if (p.k === "any") return text("*");
    return p.k === "in" ? list("in", this.expr(p.range)) : this.expr(p);
  }

  pairs(pairs: readonly (readonly [string, Node])[]): Shape[] {
    return pairs.map(([f, e]) => list(f, this.expr(e)));
  }
}

/** The operands of a chain of one operator. */
function operandsOf(n: Node, op: string): readonly Node[] {
  if (n.k !== "op" || n.op !== op) return [n];
  return n.args.flatMap((a) => operandsOf(a, op));
}

/** Whether values of a sort have parts that are points. */
export function touches(points: Points, sort: AnySort): boolean {
  if (sort.kind === "word") return sort.fields!.some((f) => points.has(f.sort));
  return points.has(sort);
}
