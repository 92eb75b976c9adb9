// SPDX-License-Identifier: Apache-2.0
// Operations on ranges, batches of unmapped pages, and walks of a page's mappings: what each owes
// where the entries themselves are not recorded.

import { PMD_PAGES } from "./descriptor.ts";
import type { Desk } from "./desk.ts";
import type {
  Fault,
  Gather,
  MigrationEntry,
  RangeOperation,
  ReverseMap,
} from "./importers/trace-record.ts";
import type { Span } from "./obligation.ts";
import type { Space } from "./space.ts";
import { WHY } from "./tally.ts";
import { nest, type OpenGather, type OpenProtect, type OpenRange, type Task } from "./task.ts";
import { holds } from "./window.ts";

const PROTECT = "change_protection";

/** Bits of struct mmu_gather's bit field. */
const FULLMM = 1;
const FREED_TABLES = 4;

/**
 * VM_FAULT_ERROR, RETRY and NOPAGE (include/linux/mm_types.h): the fault is not known to have left
 * a valid entry.
 */
const NOT_MAPPED = 0x0d73;
const FAULT_FLAG_WRITE = 1;

/** Events that change what the task is in the middle of; the others happen inside. */
const INNER: ReadonlySet<string> = new Set(["wp_page_copy", "split_huge_pmd"]);

export class Operations {
  readonly #desk: Desk;

  constructor(desk: Desk) {
    this.#desk = desk;
  }

  fault(task: Task, record: Fault): void {
    const { what, mm, page } = record;
    if (what === "handle_mm_fault") {
      const space = this.#desk.spaces.get(mm);
      const write = record.flags !== undefined && record.flags % 2 === FAULT_FLAG_WRITE;
      nest(task.faults, { mm, page, write, others: othersOf(task, space) });
      task.context = undefined;
      task.inner = undefined;
    } else if (what === "handle_mm_fault_ret") this.#faultEnds(task, record);
    else if (INNER.has(what)) task.inner = { what, mm, start: page, end: undefined };
    else if (what === "hugetlb_fault" || what === "hugetlb_wp") {
      task.context = { what, mm, start: page, end: undefined };
    }
  }

  #faultEnds(task: Task, record: Fault): void {
    const fault = task.faults.pop();
    task.context = undefined;
    task.inner = undefined;
    const space = this.#desk.spaces.get(fault?.mm);
    if (fault?.page === undefined || space === undefined) return;
    const ret = record.at.word("ret");
    if (ret === undefined || (ret.lo & NOT_MAPPED) !== 0) return;
    // Another task's range may have unmapped the page while the fault was handled.
    const others = othersOf(task, space);
    if (others !== fault.others || foreign(task, space)) return;
    const before = space.known(fault.page);
    if (fault.write || before !== "writable") {
      space.learn(fault.page, fault.page + 1, fault.write ? "writable" : "valid");
    }
  }

  range(task: Task, record: RangeOperation): void {
    const { what, mm, start, end } = record;
    if (record.step === "return") {
      if (what === "change_protection") this.#protected(task, record);
      return;
    }
    if (what === "unmap_mapping_range") task.mapping = true;
    if (what === "madvise_cold_or_pageout_pte_range") {
      const gather = task.gathers[task.gathers.length - 1];
      if (gather !== undefined) gather.ages = true;
    }
    const context = { what, mm, start, end };
    if (INNER.has(what)) task.inner = context;
    else {
      task.context = context;
      task.inner = undefined;
    }
    const space = this.#desk.spaces.get(mm);
    if (space === undefined || start === undefined || end === undefined) {
      if (mm === undefined && what.endsWith("_pte_range")) {
        this.#desk.tally.unjudged(`${what}: entries and mm are not recorded`);
      }
      return;
    }
    if (what === "change_protection") {
      task.protect = { kind: "protect", mm: space.mm, start, end, entries: false, ranges: [] };
    }
    if (what === "move_page_tables") {
      // The range_start to come is the deadline's; the pages are elsewhere from now on.
      task.moving = space.mapped(start, end);
      space.forget(start, end);
    }
    if (what === "unmap_page_range") this.#unmap(task, space, record, { start, end });
  }

  /** A range_start inside an operation says which pages that is going to change. */
  rangeStarted(task: Task, range: OpenRange): void {
    const space = this.#desk.spaces.get(range.mm);
    const { context, at } = range;
    if (space === undefined || context === undefined) return;
    const mm = space.mm;
    const { start, end } = range;
    if (context.what === "copy_page_range" && range.event === "PROTECTION_PAGE") {
      const shown = space.mapped(start, end, true);
      this.#desk.ledger.owe(task, space, {
        ...{ mm, start, end, operation: "copy_page_range", change: "downgrade", at },
        ...{ until: "fork", unsure: WHY.fork, shown },
      });
      space.protect(start, end);
    } else if (context.what === "move_page_tables") {
      const operation = "move_page_tables";
      for (const span of task.moving.splice(0)) {
        this.#desk.ledger.owe(task, space, {
          ...{ mm, start: span.start, end: span.end, operation, change: "unmap", at, until: range },
        });
      }
    } else if (task.protect?.mm === mm && !task.protect.entries) {
      this.#protectRange(task, space, task.protect, range);
    } else if (context.what === "try_to_unmap_one" && context.start !== undefined) {
      this.#unmapOne(task, space, range, context.start);
    }
  }

  /** The range that change_protection names, where its entries are not recorded. */
  #protectRange(task: Task, space: Space, protect: OpenProtect, range: OpenRange): void {
    const { start, end, at } = range;
    // Since 6.6 the batch flushes, and calls; at its end it says what was left to be flushed.
    const late = this.#desk.contract.range_end_invalidates === false;
    const gather = late ? task.gatherOf(space.mm) : undefined;
    const change = this.#desk.ledger.owe(task, space, {
      ...{ mm: space.mm, start, end, operation: PROTECT, change: "downgrade", at },
      ...{ until: gather ?? protect, unsure: WHY.protect },
    });
    if (change !== undefined && protect.ranges.length < PMD_PAGES) protect.ranges.push(change);
  }

  #protected(task: Task, record: RangeOperation): void {
    const { protect } = task;
    task.protect = undefined;
    if (protect === undefined) return;
    // With no page changed, or with its entries judged, the ranges owe nothing.
    if (protect.entries || record.result === 0) {
      for (const change of protect.ranges) this.#desk.ledger.drop(task, change);
    } else this.#desk.ledger.close(task, protect, record.at);
  }

  /** Up to 6.5 try_to_unmap_one calls ptep_clear_flush, which is recorded; since, it does not. */
  #unmapOne(task: Task, space: Space, range: OpenRange, page: number): void {
    const known = space.known(page);
    space.forget(page, page + 1);
    const owes = known === "valid" || known === "writable";
    if (!owes || this.#desk.contract.range_end_invalidates !== false) return;
    this.#desk.ledger.owe(task, space, {
      ...{ mm: space.mm, start: page, end: page + 1, operation: "try_to_unmap_one" },
      ...{ change: "unmap", at: range.at, until: range, unsure: WHY.entry },
    });
  }

  #unmap(task: Task, space: Space, record: RangeOperation, pages: Span): void {
    const gather = task.gatherOf(space.mm);
    // The whole mm goes: its notifiers are released before, and nobody is told (tlb_flush).
    if (gather?.fullmm !== true) {
      const how = { until: gather ?? "syscall", operation: "unmap_page_range" } as const;
      // A file's mapping may be told to spare private copies: some pages stay (should_zap_folio).
      this.#oweKnown(task, space, pages, record.at, {
        ...how,
        ...(task.mapping ? { unsure: WHY.entry } : {}),
      });
    }
    space.forget(pages.start, pages.end);
  }

  #oweKnown(
    task: Task,
    space: Space,
    pages: Span,
    at: RangeOperation["at"],
    how: {
      readonly until: OpenGather | OpenRange | "syscall";
      readonly operation: string;
      readonly unsure?: string;
    },
  ): void {
    const { mm } = space;
    for (const { start, end } of space.mapped(pages.start, pages.end)) {
      this.#desk.ledger.owe(task, space, { mm, start, end, change: "unmap", at, ...how });
    }
  }

  gather(task: Task, record: Gather): void {
    const { what, tlb, mm } = record;
    if ((what === "begin" || what === "begin_fullmm") && tlb !== undefined && mm !== undefined) {
      const fullmm = what === "begin_fullmm";
      nest(task.gathers, { kind: "gather", mm, tlb, fullmm, ages: false, ended: [] });
    } else if (what === "finish") this.#finish(task, record);
    else if (what === "finish_ret") {
      const gather = task.finishing ?? task.gathers[task.gathers.length - 1];
      task.finishing = undefined;
      if (gather === undefined) return;
      task.gathers.splice(task.gathers.indexOf(gather), 1);
      this.#desk.ledger.close(task, gather, record.at);
    }
  }

  /** What is left to be flushed at the end of a batch, by the kernel's own book-keeping. */
  #finish(task: Task, record: Gather): void {
    const gather =
      task.gathers.findLast(({ tlb }) => tlb === record.tlb) ?? this.#begunBefore(task, record);
    task.finishing = gather;
    const space = this.#desk.spaces.get(record.mm);
    const { start, end, bits = 0 } = record;
    if (gather === undefined || space === undefined) return;
    if (start === undefined || end === undefined) return;
    // What the batch says at its end is all that change_protection has left to be flushed.
    for (const change of [...task.open]) {
      const { until, operation } = change.spec;
      if (until === gather && operation === PROTECT) this.#desk.ledger.drop(task, change);
    }
    if (start >= end) return;
    gather.flushes = { start, end };
    const freed = Math.floor(bits / FREED_TABLES) % 2 === 1;
    if (bits % 2 === FULLMM && !freed) return;
    // Where range_end invalidates, what the entries owed is done; tables are freed after it.
    const ended = !freed && holds(gather.ended, [{ start, end }]);
    if (ended && this.#desk.contract.range_end_invalidates === true) return;
    if (!freed && gather.ages) return;
    this.#desk.ledger.owe(task, space, {
      ...{ mm: space.mm, start, end, operation: "tlb_finish_mmu", change: "unmap" },
      ...{ at: record.at, until: gather, fallback: true },
      ...(ended && this.#desk.contract.name === undefined ? { unsure: WHY.contract } : {}),
    });
  }

  /** A batch whose beginning was not recorded. */
  #begunBefore(task: Task, record: Gather): OpenGather | undefined {
    if (record.tlb === undefined || record.mm === undefined) return undefined;
    const { mm, tlb } = record;
    const gather: OpenGather = { kind: "gather", mm, tlb, fullmm: false, ages: false, ended: [] };
    nest(task.gathers, gather);
    return gather;
  }

  reverseMap(task: Task, record: ReverseMap): void {
    const { what, mm, page } = record;
    task.context = { what, mm, start: page, end: page === undefined ? undefined : page + 1 };
    task.inner = undefined;
  }

  migration(task: Task, record: MigrationEntry): void {
    const { page } = record;
    if (record.what === "remove") {
      // It does not say in which mm, so that page is known in none.
      const pages = 2 ** Math.min(record.order ?? 0, 9);
      for (const space of this.#desk.spaces.all()) space.forget(page, page + pages);
      return;
    }
    // The order is the folio's, whose pages have an entry each. The clear of a larger entry, of
    // hugetlb, is recorded by itself.
    const span = { start: page, end: page + 1 };
    const { context } = task;
    if (context?.what !== "try_to_migrate_one") return;
    const space = this.#desk.spaces.get(context.mm);
    const range = space === undefined ? undefined : task.rangeOf(space.mm, span.start);
    if (space === undefined || range === undefined) return;
    const known = space.known(span.start);
    space.learn(span.start, span.end, "invalid");
    if (known === "invalid") return;
    const covers = task.calls.filter(({ mm, at }) => mm === space.mm && at.line > range.at.line);
    if (holds(covers, [span])) {
      // The call comes first here: the entry is cleared, batched for the CPUs, then replaced.
      if (known !== undefined) this.#desk.tally.conforms(1);
      return;
    }
    this.#desk.ledger.owe(task, space, {
      ...{ mm: space.mm, ...span, operation: "set_migration_pte", change: "unmap" },
      ...{ at: record.at, until: range },
      ...(known === undefined ? { unsure: WHY.entry } : {}),
    });
  }
}

/** Ranges that other tasks have opened in the mm so far. */
function othersOf(task: Task, space: Space | undefined): number {
  return (space?.opened ?? 0) - task.opened;
}

/** Whether another task is in a range of the mm now. */
function foreign(task: Task, space: Space): boolean {
  return space.active > task.ranges.filter(({ mm }) => mm === space.mm).length;
}
