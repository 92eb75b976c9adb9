// SPDX-License-Identifier: Apache-2.0
// What an operation touches, as its shape and how long each part of it is.
//
//   |vma only| rw ...... |hole| ro .. |     shape: the codes, and which are one page long
//      5         40         3     1         lengths: 5, 40, 3, 1

import type { Local } from "./local.ts";
import type { Piece } from "./space.ts";
import { TABLE_PAGES } from "./space.ts";

/** Pages without a vma. */
const HOLE = -1;

export interface Shape {
  /** The same for all that differ in lengths alone. */
  readonly key: string;
  readonly lengths: readonly number[];
  /** What is touched at other lengths. */
  readonly at: (lengths: readonly number[]) => Local;
}

/** Pages of an operation in the middle of a table: one is before it, one behind. */
export const SHAPED_PAGES_MAX = TABLE_PAGES - 2;

/** None if tables come, go or are missing, so that it matters where the operation lies. */
export function shapeOf(local: Local): Shape | undefined {
  const { length, offset, before, behind, pieces, tables } = local;
  const stays = offset === 1 && before && !behind && length <= SHAPED_PAGES_MAX;
  if (!stays || tables.length !== 1 || tables[0]!.start !== 0 || tables[0]!.end !== 1) {
    return undefined;
  }
  const codes: number[] = [];
  const lengths: number[] = [];
  let at = 0;
  const add = (code: number, end: number) => {
    codes.push(code);
    lengths.push(end - at);
    at = end;
  };
  for (const { lo, hi, code } of pieces) {
    if (at < lo) add(HOLE, lo);
    add(code, hi);
  }
  if (at < length) add(HOLE, length);
  let key = "";
  for (let n = 0; n < codes.length; n++) key += `${codes[n]}${lengths[n] === 1 ? "." : "+"} `;
  return { key, lengths, at: (other) => ({ ...local, ...placed(codes, other) }) };
}

function placed(codes: readonly number[], lengths: readonly number[]) {
  const pieces: Piece[] = [];
  let at = 0;
  for (const [n, code] of codes.entries()) {
    const hi = at + lengths[n]!;
    if (code !== HOLE) pieces.push({ lo: at, hi, code, frame: 0 });
    at = hi;
  }
  return { length: at, pieces };
}
