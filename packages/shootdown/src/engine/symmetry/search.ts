// SPDX-License-Identifier: Apache-2.0
// The automorphisms of a set of shapes: permutations of points that leave the set as it is.
//
//   points ──colour refinement──► classes ──fix one, refine, …──► one candidate ──compare──► found
//
// Colours are hashes: they only suggest. What is returned was compared shape by shape. The search
// is bounded: it may miss an automorphism, and never invents one.

import type { Forest, Points, Shape } from "./shape.ts";

/** Refinements in the search for one automorphism. */
const TRIES_MAX = 64;

/** A permutation: the image of each point. */
export type Permutation = readonly number[];

/** Generators, each of which moves no point below `from`. */
export interface Generator {
  readonly from: number;
  readonly moves: Permutation;
}

/** Generators of the automorphisms of `units` that leave the `fixed` points alone. */
export function generatorsOf(
  forest: Forest,
  units: readonly Shape[],
  points: Points,
  fixed: readonly number[],
): Generator[] {
  return new Automorphisms(forest, units, points, fixed).run();
}

type Colours = readonly number[];

/** Shapes with points as arrays, parts first: kids of `s` are `kids[from[s] .. from[s + 1])`. */
interface Graph {
  readonly tags: Int32Array;
  readonly bags: Uint8Array;
  readonly points: Int32Array;
  readonly from: Int32Array;
  /** -1: no point in it; what it is then is in `closed`. */
  readonly kids: Int32Array;
  readonly closed: Int32Array;
  /** How often each is a unit. */
  readonly counts: Int32Array;
}

function graphOf(forest: Forest, open: readonly Shape[], units: ReadonlyMap<Shape, number>): Graph {
  const number = new Map(open.map((s, n) => [s, n]));
  const kids = open.flatMap((s) => forest.kids[s]!);
  const from = new Int32Array(open.length + 1);
  for (const [n, s] of open.entries()) from[n + 1] = from[n]! + forest.kids[s]!.length;
  return {
    tags: Int32Array.from(open, (s) => forest.tags[s]!),
    bags: Uint8Array.from(open, (s) => Number(forest.bags[s])),
    points: Int32Array.from(open, (s) => forest.points[s]!),
    from,
    kids: Int32Array.from(kids, (k) => number.get(k) ?? -1),
    closed: Int32Array.from(kids, (k) => mix(5, k)),
    counts: Int32Array.from(open, (s) => units.get(s) ?? 0),
  };
}

class Automorphisms {
  private readonly forest: Forest;
  private readonly size: number;
  /** How often each shape with points is a unit. */
  private readonly units = new Map<Shape, number>();
  /** All shapes with points in them, parts first. */
  private readonly open: readonly Shape[];
  private readonly graph: Graph;
  private readonly start: Colours;
  private readonly up: Int32Array;
  private readonly down: Int32Array;
  private tries = 0;

  constructor(forest: Forest, units: readonly Shape[], points: Points, fixed: readonly number[]) {
    this.forest = forest;
    this.size = points.all.length;
    for (const u of units) if (forest.open[u]) this.units.set(u, (this.units.get(u) ?? 0) + 1);
    this.open = this.reachable();
    this.graph = graphOf(forest, this.open, this.units);
    this.up = new Int32Array(this.open.length);
    this.down = new Int32Array(this.open.length);
    const sorts: string[] = [];
    const seen = new Set(this.open.map((u) => forest.points[u]!));
    const colours = points.all.map((p, n) => {
      // To move what nothing mentions would change nothing.
      if (fixed.includes(n) || !seen.has(n)) return mix(1, n);
      const sort = "sort" in p ? p.sort : "";
      if (!sorts.includes(sort)) sorts.push(sort);
      return mix(2, sorts.indexOf(sort));
    });
    this.start = this.refine([colours])[0]!;
  }

  /** A chain of stabilisers: what fixes the points before `a`, and moves `a`. */
  run(): Generator[] {
    const found: Generator[] = [];
    let colours = this.start;
    for (let a = 0; a < this.size; a++) {
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
      colours = this.refine([mark(colours, a)])[0]!;
    }
    return found;
  }

  /** An automorphism that maps one coloured picture to another, and `a` to `b`. */
  private match(left: Colours, a: number, right: Colours, b: number): Permutation | undefined {
    if (++this.tries > TRIES_MAX) return undefined;
    const [l, r] = this.refine([mark(left, a), mark(right, b)]) as [Colours, Colours];
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
      return this.holds(moves) ? moves : undefined;
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

  /** Whether the units are the same set after every point is replaced by its image. */
  private holds(moves: Permutation): boolean {
    const { forest } = this;
    const images = new Map<Shape, Shape>();
    for (const s of this.open) {
      const point = forest.points[s]!;
      const image =
        point >= 0
          ? forest.leaf(moves[point]!)
          : forest.like(
              s,
              forest.kids[s]!.map((k) => images.get(k) ?? k),
            );
      if (image === undefined) return false;
      images.set(s, image);
    }
    // Images differ as what they are images of does, so this is a bijection.
    return [...this.units].every(([s, count]) => this.units.get(images.get(s)!) === count);
  }

  /** Refines several colourings in step, until none gets finer. */
  private refine(colourings: readonly Colours[]): Colours[] {
    let current = [...colourings];
    for (let classes = 0; ; ) {
      const now = current.reduce((n, c) => n + new Set(c).size, 0);
      if (now === classes || now === current.length * this.size) return current;
      classes = now;
      current = current.map((c) => this.refined(c));
    }
  }

  /** Each point's colour together with what is around it, in all units. */
  private refined(colours: Colours): Colours {
    const { graph, up, down } = this;
    const { tags, bags, points, from, kids, closed, counts } = graph;
    const size = tags.length;
    for (let s = 0; s < size; s++) {
      const point = points[s]!;
      if (point >= 0) {
        up[s] = mix(3, colours[point]!);
        continue;
      }
      let hash = mix(4, tags[s]!);
      for (let k = from[s]!; k < from[s + 1]!; k++) {
        const own = kids[k]! < 0 ? closed[k]! : up[kids[k]!]!;
        hash = bags[s] ? (hash + mix(6, own)) | 0 : mix(hash, own);
      }
      up[s] = hash;
    }
    for (let s = 0; s < size; s++) down[s] = counts[s] ? mix(up[s]!, counts[s]!) : 0;
    const next = [...colours];
    for (let s = size - 1; s >= 0; s--) {
      const point = points[s]!;
      if (point >= 0) next[point] = mix(colours[point]!, down[s]!);
      const around = mix(down[s]!, up[s]!);
      for (let k = from[s]!; k < from[s + 1]!; k++) {
        const kid = kids[k]!;
        if (kid < 0) continue;
        // A sum, so that the order of what it is part of does not matter.
        down[kid] = (down[kid]! + mix(around, bags[s] ? -1 : k - from[s]!)) | 0;
      }
    }
    return next;
  }

  private reachable(): readonly Shape[] {
    const seen = new Set<Shape>(this.units.keys());
    for (const s of seen)
      for (const k of this.forest.kids[s]!) if (this.forest.open[k]) seen.add(k);
    return [...seen].sort((a, b) => a - b);
  }
}

/** Two numbers as one, hard to tell from chance. */
function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ b;
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return h ^ (h >>> 13);
}

const mark = (colours: Colours, point: number): number[] =>
  colours.map((c, n) => (n === point ? mix(7, c) : c));

/** Where a point can go by those generators that fix all before `from`. */
function reach(point: number, generators: readonly Generator[], from: number): Set<number> {
  const seen = new Set([point]);
  for (const p of seen) for (const g of generators) if (g.from >= from) seen.add(g.moves[p]!);
  return seen;
}
