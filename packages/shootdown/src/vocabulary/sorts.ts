// SPDX-License-Identifier: Apache-2.0
// The sorts of the field: what CPUs, page tables, IOMMUs and devices are made of.

import type { Expr } from "../ir/expr.ts";
import {
  after,
  applied,
  constant,
  divided,
  limit,
  limitOf,
  num,
  rangeOps,
  times,
} from "../ir/expr.ts";
import { bool, enumeration, int, ordered, rangeOf, symbol } from "../ir/sort.ts";

/** A processing element; the kernel worker that serves a device's faults has one of its own. */
export const cpu = symbol("cpu");
export const mm = symbol("mm");
/** A virtual page: its number, not its address. */
export const va = ordered("va");
/** What one last-level table maps: PTRS_PER_PTE pages. */
export const region = ordered("region");
/** A page frame. */
export const pfn = ordered("pfn");
/** A last-level page-table page. */
export const table = ordered("table");
/** An ASID: those of the CPUs first, then those that only the SMMU uses. */
export const asid = ordered("asid");
export const pasid = symbol("pasid");
export const dev = symbol("dev");
/** A page of a file, by its place in it. */
export const pgoff = symbol("pgoff");
/** A flag that programs of a scenario raise and wait for. */
export const signalSort = symbol("signal");
/** A register of an agent in a scenario, and what one access left there. */
export const registerSort = symbol("register");
/** 0: never written; 1: the access faulted; n + 2: it reached frame n. */
export const reached = ordered("reached");
/** Virtual pages, end exclusive. */
export const range = rangeOf("range", va);
export const regions = rangeOf("regions", region);
/** Who accesses memory: every CPU, then every device. */
export const agent = symbol("agent");

export const t = {
  ...{ bool, int, cpu, mm, va, region, pfn, table, asid, pasid, dev, range, regions, agent },
  signal: signalSort,
  ...{ register: registerSort, reached, pgoff },
} as const;

export const Range = rangeOps(va, range);
export const Regions = rangeOps(region, regions);

/** The whole address space of a process, `0, -1UL` in the kernel. */
export const WHOLE_MM: Expr<"range"> = Range.make(
  limitOf(va, "VA_START"),
  limitOf(va, "TASK_SIZE"),
);

/** No page at all. */
export const EMPTY: Expr<"range"> = Range.make(constant(va, 0), constant(va, 0));

/** The region that a page lies in. */
export const regionOf = (page: Expr<"va">): Expr<"region"> =>
  applied("pmd_index", [page], divided(region, page, limit("PTRS_PER_PTE")));

/** The first page of a region. */
export const firstPage = (r: Expr<"region">): Expr<"va"> => times(va, r, limit("PTRS_PER_PTE"));

/** The regions that a range of pages, not empty, touches. */
export const regionsOf = (pages: Expr<"range">): Expr<"regions"> =>
  Regions.make(
    regionOf(Range.lo(pages)),
    divided(
      region,
      after(va, Range.hi(pages), limit("PTRS_PER_PTE_MINUS_1")),
      limit("PTRS_PER_PTE"),
    ),
  );

/** What a register holds after an access that faulted, and after one that reached a frame. */
export const FAULTED: Expr<"reached"> = constant(reached, 1);
export const reachedFrame = (frame: Expr<"pfn">): Expr<"reached"> => after(reached, frame, num(2));

/** Who looks at page tables: another PE's walker, the SMMU's, or that of the PE that stores. */
export const walker = enumeration("walker", ["PE", "SMMU", "own"]);
