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
  /** Of what is no point: its tag, and those kids that have no point in them. */
  readonly labels: Int32Array;
  readonly points: Int32Array;
  readonly from: Int32Array;
  /** Kids with points, and which of all kids each is; -1 where that does not matter. */
  readonly kids: Int32Array;
  readonly places: Int32Array;
  /** How often each is a unit. */
  readonly counts: Int32Array;
}

function graphOf(forest: Forest, open: readonly Shape[], units: ReadonlyMap<Shape, number>): Graph {
  const number = new Map(open.map((s, n) => [s, n]));
  const kids: number[] = [];
  const places: number[] = [];
  const from = [0];
  const labels = open.map((s) => {
    const isBag = forest.bags[s]!;
    let label = mix(4, forest.tags[s]!);
    for (const [n, k] of forest.kids[s]!.entries()) {
      const place = isBag ? -1 : n;
      const kid = number.get(k);
      if (kid === undefined) label = (label + mix(k, place)) | 0;
      else places[kids.push(kid) - 1] = place;
    }
    from.push(kids.length);
    return label;
  });
  return {
    labels: Int32Array.from(labels),
    points: Int32Array.from(open, (s) => forest.points[s]!),
    from: Int32Array.from(from),
    kids: Int32Array.from(kids),
    places: Int32Array.from(places),
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
    this.start = this.refine(colours);
  }

  /** A chain of stabilisers: what fixes the points before `a`, and moves `a`. */
  run(): Generator[] {
    const found: Generator[] = [];
    let colours = this.start;
    for (let a = 0; a < this.size; a++) {
      const own = colours.flatMap((c, n) => (c === colours[a] ? [n] : []));
      if (own.length === 1) continue;
      const fixed = this.refine(mark(colours, a));
      let orbit = reach(a, found, a);
      for (const b of own) {
        if (orbit.has(b)) continue;
        this.tries = 0;
        const moves = this.match(fixed, this.refine(mark(colours, b)));
        if (!moves) continue;
        found.push({ from: a, moves });
        orbit = reach(a, found, a);
      }
      colours = fixed;
    }
    return found;
  }

  /** An automorphism that maps one coloured picture to another. */
  private match(left: Colours, right: Colours): Permutation | undefined {
    if (++this.tries > TRIES_MAX) return undefined;
    const classes = classesOf(right);
    const sizes = new Map<number, number>();
    for (const c of left) sizes.set(c, (sizes.get(c) ?? 0) + 1);
    for (const [c, n] of sizes) if (classes.get(c)?.length !== n) return undefined;
    const guess = staying(left, right, classes);
    if (this.holds(guess)) return guess;
    const next = left.findIndex((c) => sizes.get(c)! > 1);
    if (next < 0) return undefined;
    // A point that may stay where it is should.
    const images = classes.get(left[next]!)!;
    const order = [...images].sort((x, y) => Number(y === next) - Number(x === next));
    const fixed = this.refine(mark(left, next));
    for (const image of order) {
      const found = this.match(fixed, this.refine(mark(right, image)));
      if (found) return found;
    }
    return undefined;
  }

  /** Whether the units are the same set after every point is replaced by its image. */
  private holds(moves: Permutation): boolean {
    const { forest } = this;
    const images = Int32Array.from(forest.tags.keys());
    for (const s of this.open) {
      const point = forest.points[s]!;
      const kids = forest.kids[s]!;
      if (point < 0 && kids.every((k) => images[k] === k)) continue;
      const image =
        point < 0
          ? forest.like(
              s,
              kids.map((k) => images[k]!),
            )
          : forest.leaf(moves[point]!);
      if (image === undefined) return false;
      images[s] = image;
    }
    // Images differ as what they are images of does, so this is a bijection.
    return [...this.units].every(([s, count]) => this.units.get(images[s]!) === count);
  }

  /** Refines a colouring until it gets no finer. */
  private refine(colours: Colours): Colours {
    let current = colours;
    for (let classes = 0; ; current = this.refined(current)) {
      const now = new Set(current).size;
      if (now === classes || now === this.size) return current;
      classes = now;
    }
  }

  /** Each point's colour together with what is around it, in all units. */
  private refined(colours: Colours): Colours {
    const { graph, up, down } = this;
    const { labels, points, from, kids, places, counts } = graph;
    const size = labels.length;
    for (let s = 0; s < size; s++) {
      const point = points[s]!;
      let hash = point < 0 ? labels[s]! : colours[point]!;
      for (let k = from[s]!; k < from[s + 1]!; k++) hash += mix(up[kids[k]!]!, places[k]!);
      up[s] = mix(hash | 0, 3);
      down[s] = counts[s] ? mix(up[s]!, counts[s]!) : 0;
    }
    const next = [...colours];
    for (let s = size - 1; s >= 0; s--) {
      const point = points[s]!;
      if (point >= 0) next[point] = mix(colours[point]!, down[s]!);
      // A sum, so that the order of what it is part of does not matter.
      const around = down[s]! + up[s]!;
      for (let k = from[s]!; k < from[s + 1]!; k++) down[kids[k]!]! += mix(around | 0, places[k]!);
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

const { imul } = Math;

/** Two numbers as one, hard to tell from chance. */
function mix(a: number, b: number): number {
  let h = imul(a ^ -0x61c88647, -0x7a143595) ^ b;
  h = imul(h ^ (h >>> 15), -0x3d4d51cb);
  return h ^ (h >>> 13);
}

const mark = (colours: Colours, point: number): number[] =>
  colours.map((c, n) => (n === point ? mix(7, c) : c));

/** The points of each colour. */
function classesOf(colours: Colours): Map<number, number[]> {
  const classes = new Map<number, number[]>();
  for (const [n, c] of colours.entries()) {
    const known = classes.get(c);
    if (known) known.push(n);
    else classes.set(c, [n]);
  }
  return classes;
}

/** Points to points of their colour: whatever can stays where it is, the rest in order. */
function staying(
  left: Colours,
  right: Colours,
  classes: ReadonlyMap<number, readonly number[]>,
): Permutation {
  const rest = new Map<number, number[]>();
  for (const [c, points] of classes)
    rest.set(
      c,
      points.filter((p) => left[p] !== c),
    );
  return left.map((c, n) => (right[n] === c ? n : rest.get(c)!.shift()!));
}

/** Where a point can go by those generators that fix all before `from`. */
function reach(point: number, generators: readonly Generator[], from: number): Set<number> {
  const seen = new Set([point]);
  for (const p of seen) for (const g of generators) if (g.from >= from) seen.add(g.moves[p]!);
  return seen;
}
