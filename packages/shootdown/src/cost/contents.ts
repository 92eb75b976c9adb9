// SPDX-License-Identifier: Apache-2.0
// What a TLB, an IOTLB or an ATC holds, as pages in intervals, the oldest first; and what is lost.
//
//   use 0..8   [0 8)            8 misses
//   use 4..12  [0 4) [4 12)     4 misses, 4 hits: what is used is the newest
//   flush 6..7 [0 4) [4 6) [7 12)

interface Run {
  readonly lo: number;
  readonly hi: number;
}

/** Replaces the least recently used. Pages are absolute; ranges are `lo` to before `hi`. */
export class Contents {
  /** Entries, of one page. */
  readonly capacity: number;
  /** Uses that found nothing, and of these, those of pages that an invalidation took away. */
  misses = 0;
  refills = 0;
  hits = 0;
  private runs: Run[] = [];
  /** Pages that were invalidated and not used since, no more than would be here without that. */
  private gone: Run[] = [];
  private lost = 0;
  private held = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  get size(): number {
    return this.held;
  }

  /** Uses each page once; the misses of it. */
  use(lo: number, hi: number): number {
    const hits = this.remove(lo, hi);
    const misses = hi - lo - hits;
    this.hits += hits;
    this.misses += misses;
    const lost = without(this.gone, lo, hi);
    this.gone = lost.left;
    this.lost -= lost.pages;
    this.refills += Math.min(misses, lost.pages);
    this.put(lo, hi);
    return misses;
  }

  /** Forgets the pages, all if there is no end; how many it had. */
  invalidate(lo: number, hi: number): number {
    const taken = this.runs.flatMap((run) => common(run, lo, hi));
    const pages = this.remove(lo, hi);
    for (const run of taken) {
      const before = without(this.gone, run.lo, run.hi);
      this.gone = [...before.left, run];
      this.lost += run.hi - run.lo - before.pages;
    }
    this.lost -= dropped(this.gone, this.lost - this.capacity);
    return pages;
  }

  private remove(lo: number, hi: number): number {
    const { left, pages } = without(this.runs, lo, hi);
    this.runs = left;
    this.held -= pages;
    return pages;
  }

  /** The newest; the oldest give way. */
  private put(lo: number, hi: number): void {
    const from = Math.max(lo, hi - this.capacity);
    if (from >= hi) return;
    this.runs.push({ lo: from, hi });
    this.held += hi - from;
    this.held -= dropped(this.runs, this.held - this.capacity);
  }
}

/** Takes so many pages off the oldest runs; none if there are not too many. */
function dropped(runs: Run[], excess: number): number {
  let left = Math.max(0, excess);
  while (left > 0) {
    const { lo, hi } = runs[0]!;
    const pages = Math.min(left, hi - lo);
    if (pages === hi - lo) runs.shift();
    else runs[0] = { lo: lo + pages, hi };
    left -= pages;
  }
  return Math.max(0, excess);
}

function common(run: Run, lo: number, hi: number): Run[] {
  const both = { lo: Math.max(run.lo, lo), hi: Math.min(run.hi, hi) };
  return both.lo < both.hi ? [both] : [];
}

/** The runs less a range, in their order, and how many pages that took. */
function without(runs: readonly Run[], lo: number, hi: number): { left: Run[]; pages: number } {
  const left: Run[] = [];
  let pages = 0;
  for (const run of runs) {
    const [both] = common(run, lo, hi);
    if (both === undefined) {
      left.push(run);
      continue;
    }
    pages += both.hi - both.lo;
    if (run.lo < both.lo) left.push({ lo: run.lo, hi: both.lo });
    if (both.hi < run.hi) left.push({ lo: both.hi, hi: run.hi });
  }
  return { left, pages };
}
