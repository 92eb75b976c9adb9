// SPDX-License-Identifier: Apache-2.0
// Calls of the notifier chain: what each invalidates, and the ranges between start and end.
import { type Asked, askedPages } from "./asked.ts";
import type { Desk } from "./desk.ts";
import type { Granule } from "./granule.ts";
import type { NotifierPages, NotifierRange } from "./importers/trace-record.ts";
import { PAGE_LIMIT } from "./importers/word64.ts";
import { MAX_ADVISED } from "./limits.ts";
import type { Doubt, Span } from "./obligation.ts";
import type { Invalidation } from "./observer.ts";
import type { Space } from "./space.ts";
import { WHY } from "./tally.ts";
import { type Call, MAX_ENDED, nest, type OpenRange, type Task } from "./task.ts";

/** Events after which pages of the range may no longer be what they were known to be. */
const KEEPS_MAPPINGS: ReadonlySet<string | undefined> = new Set(["PROTECTION_PAGE", "SOFT_DIRTY"]);

/** Operations that may open a range of 2 MiB or 1 GiB, event CLEAR, and split no entry. */
const CLEARS_HUGE: ReadonlySet<string | undefined> = new Set([
  ...["collapse_huge_page", "try_to_unmap_one", "try_to_migrate_one", "zap_page_range_single"],
  ...["zap_page_range", "unmap_vmas", "unmap_page_range", "unmap_mapping_range", "hugetlb_wp"],
  ...["hugetlb_fault", "hugetlb_change_protection", "copy_page_range", "page_mkclean_one"],
]);

/** Walks that reclaim or a split begins whatever range is open; KSM's ranges come one by one. */
const WITHIN_ANY: ReadonlySet<string | undefined> = new Set([
  ...["try_to_unmap", "try_to_unmap_one", "try_to_migrate", "try_to_migrate_one"],
  ...["folio_mkclean", "page_mkclean_one", "folio_referenced", "remove_migration_ptes"],
  "migrate_pages",
]);

export class Calls {
  readonly #desk: Desk;
  readonly #onInvalidate: ((invalidation: Invalidation) => void) | undefined;

  constructor(desk: Desk, onInvalidate: ((invalidation: Invalidation) => void) | undefined) {
    this.#desk = desk;
    this.#onInvalidate = onInvalidate;
  }

  /** A call of the secondary-TLB notifier. */
  secondary(task: Task, record: NotifierPages): void {
    const space = this.#desk.spaces.called(record.mm);
    if (space === undefined) return;
    const { start, end } = record;
    const asked = this.#asked(task, space, { start, end });
    const why = this.#why(task, space, { start, end });
    const met = space.window.invalidate(start, end, task.pid, undefined);
    this.#invalidates(task, { mm: space.mm, start, end, at: record.at, by: "call", asked }, why);
    const call: Call = { mm: space.mm, start, end, at: record.at };
    task.called(call);
    if (!met) this.#astray(task, space);
    if (this.#reasonsRecorded(task, call) && isExcess(call, asked)) {
      this.#desk.tally.excess(call, asked, task.during);
    }
  }

  /** What an invalidation is for; undefined if nobody wants to know. */
  #why(task: Task, space: Space, call: Span): Asked | undefined {
    return this.#onInvalidate === undefined ? undefined : askedPages(task, space, call);
  }

  /** Says what the secondary TLB drops, and who made it do so. */
  #invalidates(
    task: Task,
    what: Omit<Invalidation, "line" | "operation" | "during" | keyof Asked>,
    why: Asked | undefined,
  ): void {
    if (why === undefined) return;
    const entry = task.entries[task.entries.length - 1]?.record.op;
    const within = task.finishing === undefined ? task.last : "tlb_finish_mmu";
    const operation = (entry ?? within).replace(/_ret$/, "");
    const { during } = task;
    this.#onInvalidate?.({ ...what, ...why, line: what.at.line, operation, during });
  }

  /** A call that met nothing: what the function that makes it is for is short of its call. */
  #astray(task: Task, space: Space): void {
    const entry = task.entries[task.entries.length - 1]?.change;
    if (entry?.spec.mm === space.mm) entry.astray = true;
    if (task.finishing === undefined) return;
    for (const change of task.open) {
      if (change.spec.until === task.finishing) change.astray = true;
    }
  }

  /** Entry of invalidate_range_start. */
  start(task: Task, record: NotifierRange): OpenRange | undefined {
    const space = this.#desk.spaces.called(record.mm);
    const { mm, start, end, event, at } = record;
    const context = task.inner ?? task.context;
    task.inner = undefined;
    if (space === undefined) return undefined;
    this.#mustBeNested(task, record);
    const depth = task.faults.length;
    const range: OpenRange = { kind: "range", mm, start, end, event, context, at, depth };
    nest(task.ranges, range);
    task.opened++;
    space.opened++;
    space.active++;
    return range;
  }

  /** Entry of invalidate_range_end. */
  end(task: Task, record: NotifierRange): void {
    const space = this.#desk.spaces.called(record.mm);
    if (space === undefined) return;
    const at = task.ranges.findLastIndex(
      (range) => range.mm === record.mm && range.start === record.start && range.end === record.end,
    );
    if (at < 0) {
      this.#unopened(task, record);
      return;
    }
    const why = this.#why(task, space, task.ranges[at]!);
    const range = task.ranges.splice(at, 1)[0]!;
    space.active--;
    const doubt = this.#doubtOf(task, range, record.only_end);
    if (doubt !== "none") space.window.invalidate(range.start, range.end, task.pid, doubt);
    if (doubt === undefined || doubt === "contract") {
      const ended = task.gatherOf(range.mm)?.ended;
      if (ended !== undefined && ended.push({ start: range.start, end: range.end }) > MAX_ENDED) {
        ended.shift();
      }
    }
    if (doubt === undefined) {
      const { mm, start, end } = range;
      const asked = { start, end };
      this.#invalidates(task, { mm, start, end, at: record.at, by: "range_end", asked }, why);
    }
    this.#desk.ledger.close(task, range, record.at);
    // Its pages may be anything now; a fault that is still going on sets its own again.
    if (!KEEPS_MAPPINGS.has(range.event)) space.forget(range.start, range.end);
  }

  /**
   * The task is at a place where the ranges it opened cannot be open any more; all of them, or
   * those of the fault that ends, given the number of faults around it.
   */
  unpaired(task: Task, depth: number, line: number): void {
    for (let at = task.ranges.length - 1; at >= 0; at--) {
      const range = task.ranges[at]!;
      if (range.depth < depth) continue;
      task.ranges.splice(at, 1);
      this.#unended(task, range, `the task went on (line ${line})`);
    }
  }

  /**
   * A range within another is of the same mm and meets it: else that one was never ended. Not so in
   * a walk of the mappings of a page: reclaim or the split of a folio may come within any range.
   */
  #mustBeNested(task: Task, { mm, start, end, at }: NotifierRange): void {
    if (WITHIN_ANY.has(task.context?.what)) return;
    for (let index = task.ranges.length - 1; index >= 0; index--) {
      const range = task.ranges[index]!;
      if (range.mm === mm && range.start < end && start < range.end) continue;
      task.ranges.splice(index, 1);
      this.#unended(task, range, `the task began another (line ${at.line})`);
    }
  }

  /** The recording ends. Whether a range would still have been closed is then not to be seen. */
  atEnd(task: Task): void {
    for (const range of task.ranges.splice(0)) {
      this.#leave(task, range);
      this.#desk.tally.undecided(WHY.end);
    }
  }

  #unended(task: Task, range: OpenRange, why: string): void {
    this.#leave(task, range);
    if (this.#desk.spaces.get(range.mm) === undefined) return;
    const message = `no mn_invalidate_range_end for it before ${why}`;
    this.#desk.tally.unpaired(range, message, task.during);
  }

  /** Forgets a range; what its end would have settled is not wrong once more. */
  #leave(task: Task, range: OpenRange): void {
    const space = this.#desk.spaces.get(range.mm);
    if (space !== undefined) {
      space.active--;
      space.forget(range.start, range.end);
    }
    // Where range_end invalidates, the one that is missing is what these changes wait for.
    const by_end = this.#desk.contract.range_end_invalidates !== false;
    for (const change of [...task.open]) {
      const { mm, until } = change.spec;
      const inside = mm === range.mm && range.start <= change.start && change.end <= range.end;
      if (by_end && inside) this.#desk.ledger.drop(task, change);
      else if (until === range) this.#desk.ledger.closeOne(task, change, undefined);
    }
  }

  #unopened(task: Task, record: NotifierRange): void {
    // It may have been opened before the recording began, unless the task was elsewhere since.
    if (task.begun) {
      const message = "no mn_invalidate_range_start of this task for it";
      this.#desk.tally.unpaired(record, message, task.during);
    } else this.#desk.tally.undecided(WHY.no_range_start);
  }

  /**
   * Whether range_end lets the secondary TLB drop the range: up to 6.5 unless it is called as
   * mmu_notifier_invalidate_range_only_end, by wp_page_copy and __split_huge_pmd (mm/memory.c,
   * mm/huge_memory.c); "none" when it does not, undefined when it does.
   */
  #doubtOf(
    task: Task,
    range: OpenRange,
    only_end: boolean | undefined,
  ): Doubt | "none" | undefined {
    const invalidates = this.#desk.contract.range_end_invalidates;
    if (invalidates === false || only_end === true) return "none";
    const what = range.context?.what;
    if (only_end === undefined) {
      if (what === "wp_page_copy" || what === "split_huge_pmd") return "none";
      if (mayBeOnlyEnd(task, range, what, this.#desk.granule)) return "only_end";
    }
    return invalidates === undefined ? "contract" : undefined;
  }

  /**
   * Whether the recording says what a call is for. It does not where the operation's mm is not
   * recorded, and within a batch, whose range is known only at its end; but no batch is the whole.
   */
  #reasonsRecorded(task: Task, call: Call): boolean {
    const { context } = task;
    if (context !== undefined && context.mm === undefined) return false;
    return isWhole(call) || task.finishing !== undefined || task.gatherOf(call.mm) === undefined;
  }

  /** What the call is for: the hull of the changes it meets and of the task's operations. */
  #asked(task: Task, space: Space, call: Span): Span | undefined {
    const hull = new Hull(call);
    // Only a call for very much is worth the look at every change that is open.
    const { granule } = this.#desk;
    if (call.end - call.start > granule.block) {
      // Of too many there is no advice.
      if (space.window.size > MAX_ADVISED) return call;
      for (const change of space.window.changes()) hull.add(change);
    } else {
      for (const change of task.open) if (change.spec.mm === space.mm) hull.add(change);
    }
    for (const range of task.ranges) if (range.mm === space.mm) hull.add(range);
    if (task.protect?.mm === space.mm) hull.add(task.protect);
    const { finishing } = task;
    if (finishing?.mm === space.mm && finishing.flushes !== undefined) hull.add(finishing.flushes);
    const { context } = task;
    if (context?.mm === space.mm && context.start !== undefined) {
      hull.add({ start: context.start, end: context.end ?? context.start + 1 });
    }
    const fault = task.faults[task.faults.length - 1];
    if (fault?.mm === space.mm && fault.page !== undefined) {
      const start = fault.page - (fault.page % granule.group);
      hull.add({ start, end: start + granule.group });
    }
    return hull.span;
  }
}

/** The smallest range around all that was added. */
class Hull {
  readonly #call: Span;
  span: Span | undefined;

  constructor(call: Span) {
    this.#call = call;
  }

  add({ start, end }: Span): void {
    // What the call does not touch is no reason for it.
    if (start >= end || end <= this.#call.start || this.#call.end <= start) return;
    const { span } = this;
    this.span = {
      start: Math.min(start, span?.start ?? start),
      end: Math.max(end, span?.end ?? end),
    };
  }
}

/** (0, -1UL), the whole address space. */
const isWhole = (call: Span): boolean => call.start === 0 && call.end === PAGE_LIMIT;

/** Wider on both sides or one than all that asks for it; `asked` lies within or overlaps. */
function isExcess(call: Call, asked: Span | undefined): boolean {
  if (call.start >= call.end) return false;
  if (asked === undefined) return isWhole(call);
  const holds = call.start <= asked.start && asked.end <= call.end;
  return holds && call.end - call.start > asked.end - asked.start;
}

/**
 * A range like those of only_end, and no event that tells its caller. The callers of 6.1 are
 * wp_page_copy, __split_huge_pmd, __split_huge_pud (CLEAR), __migrate_device_pages (MIGRATE).
 */
function mayBeOnlyEnd(
  task: Task,
  range: OpenRange,
  what: string | undefined,
  { page, block }: Granule,
): boolean {
  if (range.event === "MIGRATE") return true;
  if (range.event !== undefined && range.event !== "CLEAR") return false;
  const pages = range.end - range.start;
  if (pages === page) return range.depth > 0 && task.faults.length > 0 && what === undefined;
  const huge = pages === block || pages === block ** 2 / page;
  return huge && range.start % pages === 0 && !CLEARS_HUGE.has(what);
}
