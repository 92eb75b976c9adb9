// SPDX-License-Identifier: Apache-2.0
// The symmetries of a program: permutations of values and threads after which it is the same.
//
//   program ──► sorts that are only compared ──► shapes with points ──► generators ──► group
//
// A permutation maps runs to runs, so that of all images of a state one is enough. It is found by
// looking at the program alone, and compared with all of it: code, keys, and what things begin as.

import type { Layout } from "./layout.ts";
import type { Program } from "./program.ts";
import { sizeOf } from "./program.ts";
import type { Generator, Permutation } from "./symmetry/search.ts";
import { generatorsOf } from "./symmetry/search.ts";
import type { Point } from "./symmetry/shape.ts";
import { Points, Shaper } from "./symmetry/shape.ts";
import { componentsOf, sortUse } from "./symmetry/sorts.ts";
import { unitsOf } from "./symmetry/units.ts";

export type { Permutation } from "./symmetry/search.ts";

/** Groups of more elements are cut down. */
export const GROUP_MAX = 720;

/** What a question tells apart, so that a symmetry must leave it alone. */
export interface Distinguished {
  readonly threads?: readonly number[];
  /** Fields some of whose elements are looked at by their index. */
  readonly fields?: readonly string[];
  readonly values?: readonly { readonly sort: string; readonly value: number }[];
}

export interface Symmetry {
  readonly points: Points;
  /** All of the group, the identity first: for each point its image. */
  readonly elements: readonly Permutation[];
  /** Points that go to each other, of more than one point. */
  readonly orbits: readonly (readonly Point[])[];
  /** Sorts of more than one value whose values stay, and why. */
  readonly ordered: ReadonlyMap<string, string>;
  /** The group found has more than `GROUP_MAX` elements: `elements` is a part of it. */
  readonly cut: boolean;
}

/** The symmetries of a program that a question does not notice. */
export function symmetryOf(
  program: Program,
  layout: Layout,
  distinguished: Distinguished = {},
): Symmetry {
  const { free, ordered } = sortUse(program);
  const reasons = new Map(ordered);
  for (const name of distinguished.fields ?? []) {
    const field = program.fields.find((f) => f.name === name);
    for (const sort of field ? [...field.index, field.value] : []) {
      for (const part of componentsOf(sort)) {
        if (free.has(part.name)) reasons.set(part.name, `the question looks at ${name}`);
      }
    }
  }
  const sizes = new Map<string, number>();
  for (const [name, sort] of free) {
    if (!reasons.has(name)) sizes.set(name, sizeOf(sort, program.domain));
  }
  const points = new Points(program, sizes);
  const fixed = fixedPoints(points, distinguished);
  const shaper = new Shaper(points, program.domain);
  const units = unitsOf(program, layout, shaper);
  const generators = generatorsOf(shaper.forest, units, points, fixed);
  const { elements, cut } = groupOf(generators, points.all.length);
  const orbits = orbitsOf(elements).map((orbit) => orbit.map((p) => points.all[p]!));
  return { points, elements, orbits, ordered: reasons, cut };
}

/** The orbits in words: `cpu 0 1 2, page 0 1`; empty if nothing may be exchanged. */
export function orbitsText(symmetry: Symmetry): string {
  return symmetry.orbits
    .map((orbit) => {
      const [first] = orbit;
      if (first && "sort" in first) {
        return `${first.sort} ${orbit.map((p) => ("sort" in p ? p.value : "")).join(" ")}`;
      }
      return `thread ${orbit.map((p) => ("thread" in p ? p.thread : "")).join(" ")}`;
    })
    .join(", ");
}

function fixedPoints(points: Points, distinguished: Distinguished): number[] {
  const { threads = [], values = [] } = distinguished;
  return points.all.flatMap((p, n) => {
    const stays =
      "thread" in p
        ? threads.includes(p.thread)
        : values.some((v) => v.sort === p.sort && v.value === p.value);
    return stays ? [n] : [];
  });
}

/** The group that generators make, or the largest part of their chain that is small enough. */
function groupOf(
  generators: readonly Generator[],
  size: number,
): { elements: Permutation[]; cut: boolean } {
  const identity = Array.from({ length: size }, (_, n) => n);
  const starts = [...new Set(generators.map((g) => g.from))].sort((a, b) => a - b);
  for (const [n, from] of starts.entries()) {
    const own = generators.filter((g) => g.from >= from).map((g) => g.moves);
    const elements = closure(identity, own);
    if (elements) return { elements, cut: n > 0 };
  }
  return { elements: [identity], cut: starts.length > 0 };
}

function closure(
  identity: Permutation,
  generators: readonly Permutation[],
): Permutation[] | undefined {
  const found = new Map([[identity.join(), identity]]);
  for (const p of found.values()) {
    for (const g of generators) {
      const product = p.map((x) => g[x]!);
      const key = product.join();
      if (found.has(key)) continue;
      found.set(key, product);
      if (found.size > GROUP_MAX) return undefined;
    }
  }
  return [...found.values()];
}

function orbitsOf(elements: readonly Permutation[]): number[][] {
  const seen = new Set<number>();
  const orbits: number[][] = [];
  for (const start of elements[0]!) {
    if (seen.has(start)) continue;
    const orbit = [...new Set(elements.map((e) => e[start]!))].sort((a, b) => a - b);
    for (const p of orbit) seen.add(p);
    if (orbit.length > 1) orbits.push(orbit);
  }
  return orbits;
}
