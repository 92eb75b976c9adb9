// SPDX-License-Identifier: Apache-2.0
// Blocks: leaves of the upper level, each of which maps the pages of a region to frames in a row.

import type { Expr } from "../ir/expr.ts";
import { after, and, applied, not, num, varies, withFields } from "../ir/expr.ts";
import { isTable, pfnOf, valid } from "./descriptor.ts";
import { firstPage, pfn, Range, region, regionOf } from "./sorts.ts";
import { blocks_linked } from "./state.ts";

/** Whether anything links blocks: machinery for them costs nothing elsewhere. */
export const BLOCKS = varies(blocks_linked);

/** A leaf of the upper level. */
export const isBlock = (upper: Expr<"desc">): Expr<"bool"> =>
  applied("pmd_leaf", [upper], and(valid(upper), not(isTable(upper))));

/** The leaf that a block gives a page. */
export const pieceOf = (block: Expr<"desc">, va: Expr<"va">): Expr<"desc"> => {
  const within = Range.length(Range.make(firstPage(regionOf(va)), va));
  const piece = withFields(block, { pfn: after(pfn, pfnOf(block), within) });
  return applied("pmd_piece", [block, va], piece);
};

/** The pages of a region. */
export const pagesOf = (r: Expr<"region">): Expr<"range"> =>
  applied("pmd_pages", [r], Range.make(firstPage(r), firstPage(after(region, r, num(1)))));
