// SPDX-License-Identifier: Apache-2.0
// Regions of lengths: convex polytopes that are small in words and have few vertices.
//
//   every length is 1 where it is 1, else at least 2
//   least <= sum of the lengths first..last <= most
//   sum of all lengths <= pagesMax

export interface Region {
  /** For each piece: it is one page long, here and everywhere in the region. */
  readonly single: readonly boolean[];
  /** Pieces whose sum is bounded, `last` exclusive. */
  readonly first: number;
  readonly last: number;
  readonly least: number;
  readonly most: number;
  readonly pagesMax: number;
  /** What the bounds are of, if it is no matter of all lengths. */
  readonly threshold?: number;
}

/** The least length of a piece that is longer than one page. */
const FREE_MIN = 2;

const sumOf = (lengths: readonly number[], first: number, last: number): number => {
  let sum = 0;
  for (let n = first; n < last; n++) sum += lengths[n]!;
  return sum;
};

export function holds(region: Region, lengths: readonly number[]): boolean {
  const { single, first, last, least, most, pagesMax } = region;
  if (lengths.length !== single.length) return false;
  if (lengths.some((n, i) => (n === 1) !== single[i])) return false;
  const part = sumOf(lengths, first, last);
  return part >= least && part <= most && sumOf(lengths, 0, lengths.length) <= pagesMax;
}

/** The least lengths of the same shape. */
export const leastOf = (lengths: readonly number[]): number[] =>
  lengths.map((n) => (n === 1 ? 1 : FREE_MIN));

/** All lengths of the shape of these. */
export function wholeRegion(lengths: readonly number[], pagesMax: number): Region {
  const single = lengths.map((n) => n === 1);
  return { single, first: 0, last: lengths.length, least: 0, most: pagesMax, pagesMax };
}

/** Lengths of which some pieces together are as long as they are here. */
export function exactRegion(
  lengths: readonly number[],
  pagesMax: number,
  first: number,
  last: number,
): Region {
  const part = sumOf(lengths, first, last);
  return { ...wholeRegion(lengths, pagesMax), first, last, least: part, most: part };
}

/** Some pieces and the number of pages at which a kernel changes its way. */
export interface Threshold {
  readonly first: number;
  readonly last: number;
  readonly threshold: number;
}

/** The regions of the shape of some lengths that are on their side of a threshold. */
export function regionsAround(
  lengths: readonly number[],
  pagesMax: number,
  { first, last, threshold }: Threshold,
): Region[] {
  const whole = { ...wholeRegion(lengths, pagesMax), first, last, threshold };
  const part = sumOf(lengths, first, last);
  // A kernel asks for `>` or for `>=`.
  return [threshold, threshold - 1].map((most) =>
    part <= most ? { ...whole, most } : { ...whole, least: most + 1 },
  );
}

/**
 * The vertices of a region: all that the bounds leave over goes to one piece of those that are
 * bounded together, and to one of the others.
 */
export function verticesOf(region: Region): readonly (readonly number[])[] {
  const { single, first, last, least, most, pagesMax } = region;
  const lengths = single.map((one) => (one ? 1 : FREE_MIN));
  const inner = range(first, last).filter((n) => !single[n]);
  const outer = range(0, single.length).filter((n) => !single[n] && (n < first || n >= last));
  const innerMin = sumOf(lengths, first, last);
  const outerMin = sumOf(lengths, 0, lengths.length) - innerMin;
  const found = new Map<string, readonly number[]>();
  const add = (at: readonly number[]) => found.set(at.join(), at);
  for (const bound of [Math.max(least, innerMin), Math.min(most, pagesMax - outerMin)]) {
    for (const part of spread(lengths, inner, bound - innerMin)) {
      add(part);
      for (const all of spread(part, outer, pagesMax - bound - outerMin)) add(all);
    }
  }
  return [...found.values()];
}

/** Some lengths of a region, or if those are a vertex, others between it and another one. */
export function insideOf(region: Region, lengths: readonly number[]): readonly number[] {
  const vertices = verticesOf(region);
  const isVertex = (at: readonly number[]) => vertices.some((v) => v.join() === at.join());
  if (!isVertex(lengths)) return lengths;
  for (const other of vertices) {
    const middle = lengths.map((n, i) => n + Math.trunc((other[i]! - n) / 2));
    if (holds(region, middle) && !isVertex(middle)) return middle;
  }
  return lengths;
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);

/** All ways to give `rest` pages more to one of some pieces. */
function spread(lengths: readonly number[], pieces: readonly number[], rest: number): number[][] {
  if (rest === 0) return [lengths.slice()];
  if (rest < 0) return [];
  return pieces.map((piece) => lengths.map((n, i) => (i === piece ? n + rest : n)));
}

/** How far from a whole number what was solved may be. */
const TOLERANCE = 1e-6;

/**
 * The affine functions with the values `values[p]` at `points[p]`: for each value a row of a
 * constant and a factor for each coordinate. None if there are none. What the points do not fix is
 * 0: it makes no difference between them.
 */
export function affineThrough(
  points: readonly (readonly number[])[],
  values: readonly (readonly number[])[],
): readonly Float64Array[] | undefined {
  const width = points[0]!.length + 1;
  const count = values[0]!.length;
  const rows = points.map((p, n) => Float64Array.from([1, ...p, ...values[n]!]));
  const pivots: number[] = [];
  for (let column = 0; column < width; column++) {
    const rank = pivots.length;
    let best = rank;
    for (let n = rank; n < rows.length; n++) {
      if (Math.abs(rows[n]![column]!) > Math.abs(rows[best]?.[column] ?? 0)) best = n;
    }
    const pivot = rows[best]?.[column] ?? 0;
    if (Math.abs(pivot) < TOLERANCE) continue;
    [rows[rank], rows[best]] = [rows[best]!, rows[rank]!];
    eliminate(rows, rank, column);
    pivots.push(column);
  }
  // Rows beyond the rank say 0 = value.
  for (const row of rows.slice(pivots.length)) {
    if (row.subarray(width).some((v) => Math.abs(v) > TOLERANCE)) return undefined;
  }
  return range(0, count).map((v) => {
    const factors = new Float64Array(width);
    for (const [rank, column] of pivots.entries()) factors[column] = rows[rank]![width + v]!;
    return factors;
  });
}

/** Makes a column 1 in one row and 0 in all others. */
function eliminate(rows: readonly Float64Array[], rank: number, column: number): void {
  const row = rows[rank]!;
  const pivot = row[column]!;
  for (let n = 0; n < row.length; n++) row[n]! /= pivot;
  for (const other of rows) {
    const factor = other[column]!;
    if (other === row || factor === 0) continue;
    for (let n = 0; n < row.length; n++) other[n]! -= factor * row[n]!;
  }
}
