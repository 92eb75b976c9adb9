// SPDX-License-Identifier: Apache-2.0
// Shapes: a program as trees in which exchangeable values stand out, and order is only where it
// matters. Two programs with equal shapes behave alike.
//
//   (a == cpu1 && b)   ──►  and{ b, eq{ a, @3 } }        @3: the point "cpu 1";  {}: in any order

import type { KeyPattern, Node } from "../../ir/expr.ts";
import type { AnySort } from "../../ir/sort.ts";
import type { Domain, Program } from "../program.ts";
import { partsOf } from "./sorts.ts";

/** A tree, as its number in a `Forest`: equal trees have equal numbers. */
export type Shape = number;

/** Trees that share their equal parts. Parts have smaller numbers than what they are parts of. */
export class Forest {
  /** Number of what a tree is called. */
  readonly tags: number[] = [];
  readonly kids: (readonly Shape[])[] = [];
  /** Whether the order of the kids does not matter; they are in ascending order then. */
  readonly bags: boolean[] = [];
  /** The point that a leaf stands for, or -1. */
  readonly points: number[] = [];
  /** Whether there is a point anywhere in it. */
  readonly open: boolean[] = [];
  private readonly known = new Map<string, Shape>();
  private readonly names = new Map<string, number>();

  text(tag: string): Shape {
    return this.make(this.tag(tag), NONE, false, -1);
  }

  point(point: number): Shape {
    return this.make(0, NONE, false, point);
  }

  list(tag: string, ...kids: readonly Shape[]): Shape {
    return this.make(this.tag(tag), kids, false, -1);
  }

  bag(tag: string, ...kids: readonly Shape[]): Shape {
    return this.make(this.tag(tag), ascending(kids), true, -1);
  }

  /** The tree that is like another but for its kids, if there is one. */
  like(shape: Shape, kids: readonly Shape[]): Shape | undefined {
    const isBag = this.bags[shape]!;
    return this.known.get(keyOf(this.tags[shape]!, isBag ? ascending(kids) : kids, isBag, -1));
  }

  leaf(point: number): Shape | undefined {
    return this.known.get(keyOf(0, NONE, false, point));
  }

  private tag(name: string): number {
    let tag = this.names.get(name);
    if (tag === undefined) this.names.set(name, (tag = this.names.size + 1));
    return tag;
  }

  private make(tag: number, kids: readonly Shape[], isBag: boolean, point: number): Shape {
    const key = keyOf(tag, kids, isBag, point);
    let shape = this.known.get(key);
    if (shape === undefined) {
      shape = this.tags.push(tag) - 1;
      this.known.set(key, shape);
      this.kids.push(kids);
      this.bags.push(isBag);
      this.points.push(point);
      this.open.push(point >= 0 || kids.some((k) => this.open[k]));
    }
    return shape;
  }
}

const NONE: readonly Shape[] = [];
const ascending = (kids: readonly Shape[]): readonly Shape[] =>
  kids.length < 2 ? kids : [...kids].sort((a, b) => a - b);
const keyOf = (tag: number, kids: readonly Shape[], isBag: boolean, point: number): string =>
  `${isBag ? -tag : tag} ${point} ${kids.join()}`;

/** What a symmetry may move: a value of a sort, or a thread. */
export type Point = { readonly sort: string; readonly value: number } | { readonly thread: number };

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
  readonly forest = new Forest();
  readonly points: Points;
  readonly domain: Domain;
  registers: RegisterName = (reg) => `r${reg}`;

  constructor(points: Points, domain: Domain) {
    this.points = points;
    this.domain = domain;
  }

  /** A value with its points. */
  value(value: number, sort: AnySort): Shape {
    if (!touches(this.points, sort)) return this.forest.text(`${value}`);
    const parts = partsOf(value, sort, this.domain);
    const kids = parts.map((p): Shape => {
      const point = this.points.of(p.sort, p.value);
      return point === undefined ? this.forest.text(`${p.value}`) : this.forest.point(point);
    });
    return kids.length === 1 ? kids[0]! : this.forest.list("word", ...kids);
  }

  expr(n: Node): Shape {
    switch (n.k) {
      case "const":
        return this.value(n.value, n.sort);
      case "reg":
        return this.forest.text(this.registers(n.reg));
      case "read":
        return this.place(n.field.name, n.index);
      case "get":
        return this.forest.list(`.${n.field}`, this.expr(n.arg));
      case "with":
        return this.forest.list(
          `with ${n.set.map(([f]) => f).join()}`,
          this.expr(n.arg),
          ...this.pairs(n.set),
        );
      case "outstanding": {
        const where = this.forest.list(n.where.map(([f]) => f).join(), ...this.pairs(n.where));
        return this.forest.list(
          `outstanding ${n.set.name}`,
          ...n.index.map((p) => this.pattern(p)),
          where,
        );
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
      return this.forest.bag(n.op, ...parts.map((a) => this.expr(a)));
    }
    const args = n.args.map((a) => this.expr(a));
    // Bounds have as many bits as the sort needs.
    if (n.args.some((a) => a.sort.kind === "range"))
      return this.forest.list(`${n.op} ${n.sort.name}`, ...args);
    return n.op === "eq" || n.op === "ne"
      ? this.forest.bag(n.op, ...args)
      : this.forest.list(n.op, ...args);
  }

  place(name: string, index: readonly KeyPattern[]): Shape {
    return this.forest.list(`at ${name}`, ...index.map((p) => this.pattern(p)));
  }

  pattern(p: KeyPattern): Shape {
    if (p.k === "any") return this.forest.text("*");
    return p.k === "in" ? this.forest.list("in", this.expr(p.range)) : this.expr(p);
  }

  pairs(pairs: readonly (readonly [string, Node])[]): Shape[] {
    return pairs.map(([f, e]) => this.forest.list(f, this.expr(e)));
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
