// SPDX-License-Identifier: Apache-2.0
// The instructions that a TLBI of a range is: __flush_tlb_range_op() of
// arch/arm64/include/asm/tlbflush.h, which the model has as one operation.

import { compareVersions } from "../../../../ir/kernel.ts";

/** Pages that one instruction is for: TLBI VALE1IS, or TLBI RVALE1IS of 2^(5*scale+1) * count. */
export interface TlbiPiece {
  /** Relative to the first page of the range. */
  readonly lo: number;
  readonly hi: number;
  /** One of the range instructions. */
  readonly ranged: boolean;
}

/** PTRS_PER_PTE: a flush of as many pages, or tables, is one of all, but for range instructions. */
export const MAX_DVM_OPS = 512;

export interface TlbiFeatures {
  /** FEAT_TLBIRANGE. */
  readonly rangeTlbi: boolean;
  /** Of Linux, `6.12`; 6.9 turned the order of the range instructions round. */
  readonly version: string;
}

export interface TlbiOptions extends TlbiFeatures {
  /** Pages that go by with one instruction, without range instructions. */
  readonly stride: number;
}

/** (num + 1) * 2^(5*scale+1): num has five bits. */
const NUM_MAX = 32;
const unitOf = (scale: number): number => 2 ** (5 * scale + 1);

/** The range instructions for `pages`, and whether a single page comes before or after them. */
function ranged(pages: number, version: string): { pieces: TlbiPiece[]; single: number } {
  const pieces: TlbiPiece[] = [];
  const greatestFirst = compareVersions(version, "6.9") >= 0;
  let at = 0;
  let left = pages;
  let single = -1;
  const take = (count: number, scale: number) => {
    if (count === 0) return;
    const hi = at + count * unitOf(scale);
    pieces.push({ lo: at, hi, ranged: true });
    left -= hi - at;
    at = hi;
  };
  if (greatestFirst) {
    for (const scale of [3, 2, 1, 0])
      take(Math.min(Math.floor(left / unitOf(scale)), NUM_MAX), scale);
    if (left > 0) single = at;
  } else {
    if (left % 2 === 1) {
      single = 0;
      at = 1;
      left--;
    }
    for (const scale of [0, 1, 2, 3]) take(Math.floor(left / unitOf(scale)) % NUM_MAX, scale);
  }
  return { pieces, single };
}

/** The instructions for `pages` pages, in order. */
export function tlbiPieces(pages: number, options: TlbiOptions): TlbiPiece[] {
  const { rangeTlbi, stride, version } = options;
  if (!rangeTlbi) {
    return Array.from({ length: Math.ceil(pages / stride) }, (_, n) => {
      return { lo: n * stride, hi: Math.min((n + 1) * stride, pages), ranged: false };
    });
  }
  const { pieces, single } = ranged(pages, version);
  const one = { lo: single, hi: single + 1, ranged: false };
  if (single === 0) return [one, ...pieces];
  return single < 0 ? pieces : [...pieces, one];
}

/** How many instructions that are. */
export function tlbiCount(pages: number, options: TlbiOptions): number {
  if (!options.rangeTlbi) return Math.ceil(pages / options.stride);
  const { pieces, single } = ranged(pages, options.version);
  return pieces.length + (single < 0 ? 0 : 1);
}
