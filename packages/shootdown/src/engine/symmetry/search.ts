// SPDX-License-Identifier: Apache-2.0
// The automorphisms of a set of shapes: permutations of points that leave the set as it is.
//
//   points ──colour refinement──► classes ──fix one, refine, …──► one candidate ──compare──► found
//
// Colours only suggest; what is returned was compared shape by shape. The search is bounded: it may
// miss an automorphism, and never invents one.

import type { Points, Shape } from "./shape.ts";

/** Refinements in the search for one automorphism. */
const TRIES_MAX = 64;

/** A permutation: the image of each point. */
export type Permutation = readonly number[];

/** Generators, each of which moves no point below `from`. */
export interface Generator {
  readonly from: number;
  readonly moves: Permutation;
}

/**
 * Permutations that generate the automorphisms of `units` which leave the `fixed` points alone.
 */
export function generatorsOf(
  units: readonly Shape[],
  points: Points,
  fixed: readonly number[],
): Generator[] {
  return new Automorphisms(units, points, fixed).run();
}

class Automorphisms {
  private readonly ids = new Map<string, number>();
  private readonly points: Points;
  /** Shapes with points, and their distinct points. */
  private readonly units: readonly { readonly shape: Shape; readonly of: readonly number[] }[];
  private readonly itself: string;
  private readonly start: readonly number[];
  private tries = 0;

  constructor(units: readonly Shape[], points: Points, fixed: readonly number[]) {
    this.points = points;
    this.units = units.map((shape) => ({ shape, of: pointsIn(shape) })).filter((u) => u.of.length);
    this.itself = this.text(points.all.map((_, n) => n));
    const colours = points.all.map((p, n) => {
      if (fixed.includes(n)) return this.id(`fixed ${n}`);
      return this.id("sort" in p ? `sort ${p.sort}` : "thread");
    });
    this.start = this.refine([colours])[0]!;
  }

  /** A chain of stabilisers: what fixes the points before `a`, and moves `a`. */
  run(): Generator[] {
    const found: Generator[] = [];
    let colours = this.start;
    for (let a = 0; a < colours.length; a++) {
      const own = colours.flatMap((c, n) => (c === colours[a] ? [n] : []));
      if (own.length === 1) continue;
      let orbit = reach(a, found, a);
      for (const b of own) {
        if (orbit.has(b)) continue;
        this.tries = 0;
        const moves = this.match(colours, a, colours, b);
        if (!moves) continue;
        found.push({ from: a, moves });
        orbit = reach(a, found, a);
      }
      colours = this.single(colours, a);
    }
    return found;
  }

  /** An automorphism that maps one coloured picture to another, and `a` to `b`. */
  private match(
    left: readonly number[],
    a: number,
    right: readonly number[],
    b: number,
  ): Permutation | undefined {
    if (++this.tries > TRIES_MAX) return undefined;
    const [l, r] = this.refine([mark(left, a), mark(right, b)]) as [number[], number[]];
    const classes = new Map<number, number[]>();
    for (const [n, c] of r.entries()) {
      const known = classes.get(c);
      if (known) known.push(n);
      else classes.set(c, [n]);
    }
    const sizes = new Map<number, number>();
    for (const c of l) sizes.set(c, (sizes.get(c) ?? 0) + 1);
    for (const [c, n] of sizes) if (classes.get(c)?.length !== n) return undefined;
    const next = l.findIndex((c) => sizes.get(c)! > 1);
    if (next < 0) {
      const moves = l.map((c) => classes.get(c)![0]!);
      return this.text(moves) === this.itself ? moves : undefined;
    }
    // A point that may stay where it is should.
    const images = classes.get(l[next]!)!;
    const order = [...images].sort((x, y) => Number(y === next) - Number(x === next));
    for (const image of order) {
      const found = this.match(l, next, r, image);
      if (found) return found;
    }
    return undefined;
  }

  private single(colours: readonly number[], point: number): readonly number[] {
    return this.refine([mark(colours, point)])[0]!;
  }

  /** Refines several colourings in step, until none gets finer. */
  private refine(colourings: readonly (readonly number[])[]): (readonly number[])[] {
    let current = [...colourings];
    for (let classes = 0; ; ) {
      const now = current.reduce((n, c) => n + new Set(c).size, 0);
      if (now === classes || now === current.length * this.points.all.length) return current;
      classes = now;
      current = current.map((c) => this.refined(c));
    }
  }

  /** Each point's colour together with how the units look from it. */
  private refined(colours: readonly number[]): readonly number[] {
    const views: number[][] = colours.map(() => []);
    for (const { shape, of } of this.units) {
      for (const p of of) {
        views[p]!.push(this.identify(shape, (n) => (n === p ? "*" : `${colours[n]}`)));
      }
    }
    return colours.map((c, p) => this.id(`${c}:${views[p]!.sort((x, y) => x - y).join()}`));
  }

  /** The units with points replaced by their images, in no order: equal texts, equal programs. */
  private text(moves: Permutation): string {
    const all = this.units.map(({ shape }) => this.identify(shape, (n) => `@${moves[n]}`));
    return all.sort((x, y) => x - y).join();
  }

  /** A number for a shape with points named by `name`: equal numbers, equal shapes. */
  private identify(shape: Shape, name: (point: number) => string): number {
    if (shape.k === "text") return this.id(`=${shape.text}`);
    if (shape.k === "point") return this.id(name(shape.point));
    const kids = shape.kids.map((s) => this.identify(s, name));
    if (shape.bag) kids.sort((x, y) => x - y);
    return this.id(`${shape.tag}${shape.bag ? "{" : "("}${kids.join()}`);
  }

  private id(key: string): number {
    let id = this.ids.get(key);
    if (id === undefined) this.ids.set(key, (id = this.ids.size));
    return id;
  }
}

const mark = (colours: readonly number[], point: number): number[] =>
  colours.map((c, n) => (n === point ? -1 - c : c));

/** Where a point can go by those generators that fix all before `from`. */
function reach(point: number, generators: readonly Generator[], from: number): Set<number> {
  const seen = new Set([point]);
  for (const p of seen) for (const g of generators) if (g.from >= from) seen.add(g.moves[p]!);
  return seen;
}

function pointsIn(shape: Shape, found = new Set<number>()): readonly number[] {
  if (shape.k === "point") found.add(shape.point);
  if (shape.k === "node") for (const kid of shape.kids) pointsIn(kid, found);
  return [...found];
}
