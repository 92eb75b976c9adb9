// SPDX-License-Identifier: Apache-2.0
// How precise executed TLBIs are: the pages of each function's operands, and what the functions
// around it were called for.
import { unionOf } from "./asked.ts";
import type { CallEvent, TlbiEvent } from "./importers/tlbi.ts";
import { formatPage, pageEnd, pageOf, parseWord, type Word64 } from "./importers/word64.ts";
import type { Span } from "./obligation.ts";
import type { Rows } from "./precision-rows.ts";
import { scopeOf } from "./tlbi-monitor.ts";

const PMD_PAGES = 512;
/** Ranges of one batch that are remembered. */
const MAX_SPANS = 64;

/** Arguments of functions that say which pages are changed: a page, a block, or a range. */
const PAGES: Readonly<Record<string, (args: CallEvent["args"]) => Span | undefined>> = {
  ptep_clear_flush: page(1),
  ptep_set_access_flags: page(1),
  __ptep_set_access_flags: page(1),
  try_to_unmap_one: page(2),
  try_to_migrate_one: page(2),
  pmdp_invalidate: block(1),
  pmdp_huge_clear_flush: block(1),
  pmdp_collapse_flush: block(1),
  unmap_page_range: range(2),
  change_protection: range(2),
};
/** Functions whose TLBI is for the page or block of the last call. */
const ONE: ReadonlySet<string> = new Set([
  ...["ptep_clear_flush", "ptep_set_access_flags", "__ptep_set_access_flags"],
  ...["set_tlb_ubc_flush_pending", "pmdp_invalidate", "pmdp_huge_clear_flush"],
  ...["pmdp_collapse_flush"],
]);
/** Whose TLBI is for a batch of unmapped pages (include/asm-generic/tlb.h). */
const BATCH = "tlb_flush";
/** From here on a batch of the CPU is another one. */
const BEGINS = /^(?:tlb_gather_mmu|handle_mm_fault|copy_page_range)$/;
/** Of the whole address space: nothing narrower was asked for. */
const FULL = /^tlb_gather_mmu_fullmm$|^exit_mmap$/;
const WHOLE_END = formatPage(2 ** 52);

interface Cpu {
  spans: Span[];
  full: boolean;
}

export class CpuPrecision {
  readonly #rows: Rows;
  readonly #cpus = new Map<number, Cpu>();

  constructor(rows: Rows) {
    this.#rows = rows;
  }

  event(event: TlbiEvent): void {
    const cpu = this.#cpus.get(event.cpu) ?? { spans: [], full: false };
    this.#cpus.set(event.cpu, cpu);
    if (event.kind === "mark") forget(cpu);
    else if (event.kind === "call") {
      if (BEGINS.test(event.func)) forget(cpu);
      if (FULL.test(event.func)) cpu.full = true;
      const span = PAGES[event.func]?.(event.args);
      if (span !== undefined && cpu.spans.length < MAX_SPANS) cpu.spans.push(span);
    } else if (event.kind === "tlbi") {
      const { start, end } = scopeOf(event);
      const pages = end === WHOLE_END && start === "0x0" ? undefined : pagesOf(start, end);
      const row = this.#rows.get("cpu", `TLBI ${event.op} in ${plain(event.func)}`, undefined);
      row.calls++;
      this.#rows.add(row, asked(cpu, plain(event.func), pages === undefined), pages);
    }
    // What was asked for is flushed.
    if (event.kind === "dsb" && event.type !== "ishst") cpu.spans = [];
  }
}

function forget(cpu: Cpu): void {
  cpu.spans = [];
  cpu.full = false;
}

/** "f.constprop.0" is f. */
const plain = (func: string): string => func.replace(/\.(?:constprop|isra|part)\.\d+.*$/, "");

/**
 * A function that flushes one page or block is for that. A batch flushes what was mapped of its
 * ranges: by address nobody knows how much that was; but where it flushes everything, the ranges
 * would have done.
 */
function asked({ spans, full }: Cpu, func: string, whole: boolean): number | undefined {
  if (full) return undefined;
  if (ONE.has(func)) {
    const last = spans.at(-1);
    return last === undefined ? undefined : last.end - last.start;
  }
  return whole && func === BATCH && spans.length > 0 ? unionOf(spans) : undefined;
}

function pagesOf(start: string, end: string): number {
  const [first, last] = [parseWord(start), parseWord(end)];
  return first === undefined || last === undefined ? 0 : pageOf(last) - pageOf(first);
}

function page(at: number) {
  return (args: CallEvent["args"]): Span | undefined => spanAt(args[at], 1);
}

function block(at: number) {
  return (args: CallEvent["args"]): Span | undefined => spanAt(args[at], PMD_PAGES);
}

function spanAt(word: Word64 | undefined, pages: number): Span | undefined {
  if (word === undefined) return undefined;
  const first = pageOf(word) - (pageOf(word) % pages);
  return { start: first, end: first + pages };
}

function range(at: number) {
  return (args: CallEvent["args"]): Span | undefined => {
    const [start, end] = [args[at], args[at + 1]];
    if (start === undefined || end === undefined) return undefined;
    return { start: pageOf(start), end: pageEnd(end) };
  };
}
