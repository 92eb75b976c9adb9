// SPDX-License-Identifier: Apache-2.0
// What one task (pid) of the recording is in the middle of, and the bounded table of all tasks.
import type { RawEvent } from "./importers/raw-event.ts";
import type { EntryChange, NotifierEvent } from "./importers/trace-record.ts";
import { MAX_CALLS, MAX_NESTED, MAX_TASKS } from "./limits.ts";
import type { DoubtfulCover, Obligation, Span, Until } from "./obligation.ts";

/** The operation that a task is in, by the event that began it. */
export interface Context {
  readonly what: string;
  readonly mm: string | undefined;
  readonly start: number | undefined;
  readonly end: number | undefined;
}

/** Between invalidate_range_start and invalidate_range_end. */
export interface OpenRange extends Span {
  readonly kind: "range";
  readonly mm: string;
  readonly event: NotifierEvent | undefined;
  readonly context: Context | undefined;
  readonly at: RawEvent;
  /** The number of open faults of the task; the range cannot outlive the innermost. */
  readonly depth: number;
}

/** Between tlb_gather_mmu and the return of tlb_finish_mmu. */
export interface OpenGather {
  readonly kind: "gather";
  readonly mm: string;
  readonly tlb: string;
  readonly fullmm: boolean;
  /** The task's last ranges of the mm whose range_end, within it, may have invalidated them. */
  readonly ended: Span[];
  /** Of MADV_COLD or MADV_PAGEOUT: its entries were made old, which owes nothing (A1). */
  ages: boolean;
  /** What is left to flush at its end, by the kernel's book-keeping. */
  flushes?: Span;
}

/** Of the ranges that end within a gather, how many are remembered. */
export const MAX_ENDED = 16;

/** Within change_protection. */
export interface OpenProtect extends Span {
  readonly kind: "protect";
  readonly mm: string;
  /** Set once an entry that it changes is recorded: then the entries are judged, not the range. */
  entries: boolean;
  /** What the ranges of its notifier calls would owe. */
  readonly ranges: Obligation[];
}

/** Within a function that changes an entry and whose return is recorded. */
export interface OpenEntry {
  readonly record: EntryChange;
  readonly change: Obligation | undefined;
}

export interface OpenFault {
  readonly mm: string | undefined;
  readonly page: number | undefined;
  readonly write: boolean;
  /** Counters of notifier ranges at the start; see Space. */
  readonly others: number;
}

/** A call of the secondary-TLB notifier. */
export interface Call extends Span {
  readonly mm: string;
  readonly at: RawEvent;
}

/** A change whose deadline has passed without its invalidation. */
export interface Overdue {
  readonly change: Obligation;
  readonly rest: readonly Span[];
  /** Some of it was invalidated before the deadline. */
  readonly touched: boolean;
  readonly doubts: readonly DoubtfulCover[];
  readonly deadline: RawEvent | undefined;
}

export class Task {
  readonly pid: number;
  readonly faults: OpenFault[] = [];
  readonly ranges: OpenRange[] = [];
  readonly gathers: OpenGather[] = [];
  readonly entries: OpenEntry[] = [];
  readonly calls: Call[] = [];
  /** Deadline to come. */
  open: Obligation[] = [];
  /** How many of these wait for which end: most ends are of none. */
  readonly #waits = new Map<Until, number>();
  /** Deadline passed. */
  overdue: Overdue[] = [];
  protect: OpenProtect | undefined;
  /** The gather that tlb_finish_mmu is working on. */
  finishing: OpenGather | undefined;
  /** Last event that began an operation on a range or a walk of a page's mappings. */
  context: Context | undefined;
  /** wp_page_copy or split_huge_pmd inside that, until its range_start. */
  inner: Context | undefined;
  /** Inside contpte_ptep_set_access_flags, which flushes for all entries at its end. */
  contpte = false;
  /** Pages that move_page_tables is about to move. */
  moving: Span[] = [];
  /** Inside unmap_mapping_range, as far as can be told. */
  mapping = false;
  /** A point of the recording was seen at which the task was in no operation. */
  begun = false;
  /** The system call that it is in, without "sys_". */
  syscall: string | undefined;
  /** The last event that began or ended something, other than a call of the notifier. */
  last = "";
  /** Ranges it opened so far, by which others' are told from its own. */
  opened = 0;

  constructor(pid: number) {
    this.pid = pid;
  }

  /** One more change whose deadline is to come. */
  owe(change: Obligation): void {
    const { until } = change.spec;
    this.open.push(change);
    this.#waits.set(until, (this.#waits.get(until) ?? 0) + 1);
  }

  /** Takes those that wait for this end. */
  due(until: Until): Obligation[] {
    if (!this.#waits.has(until)) return [];
    const due = this.open.filter((change) => change.spec.until === until);
    this.open = this.open.filter((change) => change.spec.until !== until);
    this.#waits.delete(until);
    return due;
  }

  /** Takes one; how many that were. */
  settle(change: Obligation): number {
    const { until } = change.spec;
    if (!this.#waits.has(until)) return 0;
    // The newest is the most likely.
    const at = this.open.lastIndexOf(change);
    if (at < 0) return 0;
    this.open.splice(at, 1);
    const left = (this.#waits.get(until) ?? 1) - 1;
    if (left > 0) this.#waits.set(until, left);
    else this.#waits.delete(until);
    return 1;
  }

  /** Takes all; how many that were. */
  settleAll(): number {
    const count = this.open.length;
    this.open = [];
    this.#waits.clear();
    return count;
  }

  get idle(): boolean {
    return (
      this.open.length + this.overdue.length + this.ranges.length + this.gathers.length === 0 &&
      this.faults.length + this.entries.length === 0 &&
      this.protect === undefined
    );
  }

  /** The innermost page fault or system call. */
  get during(): string | undefined {
    const fault = this.faults[this.faults.length - 1];
    if (fault === undefined) return this.syscall;
    return fault.write ? "page fault (write)" : "page fault (read)";
  }

  /** The innermost open range of this mm that holds the page; any of the mm without a page. */
  rangeOf(mm: string, page?: number): OpenRange | undefined {
    for (let at = this.ranges.length - 1; at >= 0; at--) {
      const range = this.ranges[at]!;
      const inside = page === undefined || (range.start <= page && page < range.end);
      if (range.mm === mm && inside) return range;
    }
    return undefined;
  }

  gatherOf(mm: string): OpenGather | undefined {
    return this.gathers.findLast((gather) => gather.mm === mm);
  }

  called(call: Call): void {
    this.calls.push(call);
    if (this.calls.length > MAX_CALLS) this.calls.shift();
  }

  /** The last own call for all these pages after a line. */
  callFor(mm: string, { start, end }: Span, after: number): Call | undefined {
    return this.calls.findLast(
      (call) => call.mm === mm && call.at.line > after && call.start <= start && end <= call.end,
    );
  }
}

/** Appends to a list of nested calls; a list that would not end loses its oldest. */
export function nest<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > MAX_NESTED) list.shift();
}

/** All tasks, of a bounded number. */
export class Tasks {
  readonly #byPid = new Map<number, Task>();
  #evict: (task: Task) => void;

  /** @param evict is told of a task that has to be forgotten in the middle of something. */
  constructor(evict: (task: Task) => void) {
    this.#evict = evict;
  }

  get(pid: number): Task {
    let task = this.#byPid.get(pid);
    if (task === undefined) {
      if (this.#byPid.size >= MAX_TASKS) this.#shrink();
      task = new Task(pid);
      this.#byPid.set(pid, task);
    }
    return task;
  }

  delete(pid: number): void {
    this.#byPid.delete(pid);
  }

  all(): Iterable<Task> {
    return this.#byPid.values();
  }

  /** Forgets all idle tasks, or else the oldest. */
  #shrink(): void {
    for (const [pid, task] of this.#byPid) if (task.idle) this.#byPid.delete(pid);
    if (this.#byPid.size < MAX_TASKS) return;
    for (const [pid, task] of this.#byPid) {
      this.#byPid.delete(pid);
      this.#evict(task);
      return;
    }
  }
}
