// SPDX-License-Identifier: Apache-2.0
// What operations of a recording have left behind: which pages are mapped, which are PROT_NONE, and
// whether a flush was put off. The next operation begins with it.

import type { Operation, Pages } from "./operations.ts";
import { argPages } from "./operations.ts";

/** What an operation finds. */
export interface Before {
  readonly present: (page: number) => boolean;
  /** A vma covers it, whether it is mapped or not. */
  readonly covered: (page: number) => boolean;
  /** PROT_NONE, of mprotect() or of NUMA balancing: hardware has no translation. */
  readonly none: (page: number) => boolean;
  /** mprotect() has made the vma read-only. */
  readonly sealed: (page: number) => boolean;
  /** Reclaim or migration owes the process a flush (6.12). */
  readonly owing: boolean;
}

const PROT_READ = 1;
/** TTU_BATCH_FLUSH. */
const BATCH_FLUSH = 0x40n;

export class History {
  private readonly gone = new Set<string>();
  private readonly uncovered = new Set<string>();
  private readonly none = new Set<string>();
  private readonly sealed = new Set<string>();
  private readonly owing = new Set<string>();

  before({ process: { mm } }: Operation): Before {
    return {
      present: (page) => !this.gone.has(`${mm} ${page}`),
      covered: (page) => !this.uncovered.has(`${mm} ${page}`),
      none: (page) => this.none.has(`${mm} ${page}`),
      sealed: (page) => this.sealed.has(`${mm} ${page}`),
      owing: this.owing.has(mm),
    };
  }

  note(op: Operation): void {
    const { mm } = op.process;
    const key = (page: number) => `${mm} ${page}`;
    for (const page of faulted(op)) {
      this.gone.delete(key(page));
      this.none.delete(key(page));
      this.uncovered.delete(key(page));
    }
    for (const page of zapped(op)) {
      this.gone.add(key(page));
      this.none.delete(key(page));
      this.sealed.delete(key(page));
      if (op.kind === "sys_munmap" || op.kind === "sys_mremap") this.uncovered.add(key(page));
    }
    if (op.kind === "sys_mprotect") {
      for (const page of pagesOf(argPages(op, "start", "len"))) {
        const prot = Number(`0x${op.args["prot"]}`);
        if (prot === 0) this.none.add(key(page));
        else this.none.delete(key(page));
        if (prot === PROT_READ) this.sealed.add(key(page));
        else this.sealed.delete(key(page));
      }
    }
    for (const { range, pages } of op.kind === "work" ? hinted(op) : []) {
      for (const page of pagesOf(pages)) if (inside(page, range)) this.none.add(key(page));
    }
    this.flushes(op);
  }

  /** Flushes that are put off, and those that make up for them, in order. */
  private flushes(op: Operation): void {
    const { mm } = op.process;
    for (const { event, args } of op.probes) {
      if (args["mm"] !== mm) continue;
      if (event === "flush_tlb_batched_pending") this.owing.delete(mm);
      if (event !== "try_to_unmap_one" && event !== "try_to_migrate_one") continue;
      const page = Number(BigInt(args["addr"]!) >> 12n);
      const batched = (BigInt(args["flags"]!) & BATCH_FLUSH) !== 0n;
      if (batched && !this.none.has(`${mm} ${page}`)) this.owing.add(mm);
    }
  }
}

/** What NUMA balancing did to a vma: the pages that it made PROT_NONE lie in `pages`. */
export interface Hinted {
  readonly range: Pages;
  readonly pages: Pages;
  readonly words: readonly string[];
}

/** The vmas that NUMA balancing scanned, if that is what the operation is. */
export function hinted(op: Operation): Hinted[] {
  if (!op.probes.some((p) => p.event === "change_prot_numa")) return [];
  const found: Hinted[] = [];
  const starts = op.words.flatMap((w, at) => (w.startsWith("start ") ? [at] : []));
  starts.forEach((at, n) => {
    const words = op.words.slice(at, starts[n + 1]);
    const changed = words.flatMap((w) => {
      const [, from, to] = /^(?:set|r?vale1is) (0x[\da-f]+)(?:\.\.(0x[\da-f]+))?/.exec(w) ?? [];
      return from === undefined
        ? []
        : [Number(from), to === undefined ? Number(from) : Number(to) - 1];
    });
    const pages =
      changed.length === 0
        ? { lo: 0, hi: 0 }
        : { lo: Math.min(...changed), hi: Math.max(...changed) + 1 };
    const [, lo, hi] = /^start (0x[\da-f]+)\.\.(0x[\da-f]+)/.exec(words[0]!)!;
    found.push({ range: { lo: Number(lo), hi: Number(hi) }, pages, words });
  });
  return found;
}

const inside = (page: number, { lo, hi }: Pages): boolean => lo <= page && page < hi;

/** Pages that an operation unmaps. */
function zapped(op: Operation): number[] {
  if (op.kind === "sys_munmap") return pagesOf(argPages(op, "addr", "len"));
  if (op.kind === "sys_madvise" && op.args["behavior"] === "4") {
    return pagesOf(argPages(op, "start", "len_in"));
  }
  if (op.kind === "sys_mremap") {
    const { lo, hi } = argPages(op, "addr", "old_len");
    const shrinks = argPages(op, "addr", "new_len").hi;
    return pagesOf({ lo: shrinks < hi ? shrinks : lo, hi });
  }
  if (op.kind !== "sys_ftruncate") return [];
  return op.words.flatMap((word) => {
    const [, from, to] = /^r?vale1is (0x[\da-f]+)(?:\.\.(0x[\da-f]+))?/.exec(word) ?? [];
    if (from === undefined) return [];
    return pagesOf({ lo: Number(from), hi: to === undefined ? Number(from) + 1 : Number(to) });
  });
}

/** Pages that a fault maps: a read of a file maps those around it, all that the step reads. */
function faulted(op: Operation): number[] {
  if (op.kind !== "fault") return [];
  const page = Number(BigInt(op.args["addr"]!) >> 12n);
  const { lo, hi } = op.marked;
  return op.intent === "read" && lo <= page && page < hi ? pagesOf(op.marked) : [page];
}

export const pagesOf = ({ lo, hi }: Pages): number[] =>
  hi - lo > 4096 ? [] : Array.from({ length: hi - lo }, (_, n) => lo + n);
