// SPDX-License-Identifier: Apache-2.0
// Cliffs of a measured line, from its points alone: where it jumps, and where it bends.
//
//   time │    /│                     time │          /
//        │   / │  jump: a threshold       │ ________/  knee: a server is busy
//        │  /  └────────                  │
//        └──────────── pages              └────────────── senders

export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** Between two neighbouring points: the last before it, the first after it. */
export interface Cliff<P extends Spot> {
  readonly before: P;
  readonly after: P;
}

/** What is more than growth in proportion, or falls, by this factor is a jump. */
const JUMP = 1.25;
/** In a plot of logarithms: 0 is flat, 1 is in proportion. */
const STEEP = 0.5;

/** By what factor a step departs from anything between standing still and growth in proportion. */
export function departure(a: Spot, b: Spot): number {
  const grown = b.y / a.y;
  return Math.max(1 / grown, grown / (b.x / a.x));
}

/**
 * Each jump between neighbours, brought down to neighbouring whole numbers by asking `at` for
 * points between them.
 */
export function jumps<P extends Spot>(points: readonly P[], at: (x: number) => P): Cliff<P>[] {
  return points.flatMap((after, i) => {
    const before = points[i - 1];
    if (before === undefined || departure(before, after) < JUMP) return [];
    const found = narrowed(before, after, at);
    return departure(found.before, found.after) < JUMP ? [] : [found];
  });
}

function narrowed<P extends Spot>(before: P, after: P, at: (x: number) => P): Cliff<P> {
  while (after.x - before.x > 1) {
    const middle = at(Math.floor((before.x + after.x) / 2));
    if (departure(before, middle) > departure(middle, after)) after = middle;
    else before = middle;
  }
  return { before, after };
}

/** The first two neighbours between which a line that was flat grows nearly in proportion. */
export function knee<P extends Spot>(points: readonly P[]): Cliff<P> | undefined {
  const slope = (i: number) =>
    Math.log(points[i + 1]!.y / points[i]!.y) / Math.log(points[i + 1]!.x / points[i]!.x);
  for (let i = 1; i + 1 < points.length; i++) {
    if (!(slope(i) > STEEP)) continue;
    return slope(i - 1) > STEEP ? undefined : { before: points[i]!, after: points[i + 1]! };
  }
  return undefined;
}
