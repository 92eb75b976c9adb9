// SPDX-License-Identifier: Apache-2.0
// Rows of two runs side by side, and where each run is at a row.
//
//   row     0   1   2   3   4   5            a row is a number of pairs passed
//   main    0   1   2   2   2   3
//   other   0   1   2   3   4   5

import type { Pair } from "shootdown";

export interface Positions {
  readonly main: number;
  readonly other: number;
}

/** Both positions at every row. */
export function positionsOf(pairs: readonly Pair[]): Positions[] {
  const at: Positions[] = [{ main: 0, other: 0 }];
  for (const { first, second } of pairs) {
    const { main, other } = at.at(-1)!;
    at.push({ main: first ?? main, other: second ?? other });
  }
  return at;
}

/** The first row at which a run has come to a position. */
export function rowOf(rows: readonly Positions[], side: keyof Positions, position: number): number {
  const row = rows.findIndex((at) => at[side] >= position);
  return row < 0 ? rows.length - 1 : row;
}

/** The next row at which something differs, round to the first; -1 if nothing does. */
export function nextDifference(rows: readonly number[], after: number): number {
  return rows.find((row) => row > after) ?? rows[0] ?? -1;
}
