// SPDX-License-Identifier: Apache-2.0
// The monitor: reads the events of a recording in order and judges each change of a translation at
// the moment after which the kernel relies on it. docs/TRACE.md has the table of these moments.
import { Calls } from "./calls.ts";
import { Contract } from "./contract.ts";
import type { Desk } from "./desk.ts";
import { Entries } from "./entries.ts";
import type { Finding } from "./finding.ts";
import { Granule, type PageUnits } from "./granule.ts";
import type { Damage, LostEvents } from "./importers/ftrace.ts";
import { decodeProbe } from "./importers/kprobes.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import type { NotifierLife, Process, TraceRecord } from "./importers/trace-record.ts";
import { Ledger } from "./ledger.ts";
import type { Invalidation } from "./observer.ts";
import { Operations } from "./operations.ts";
import { Repeats } from "./repeats.ts";
import { Spaces } from "./space.ts";
import { Tally, WHY } from "./tally.ts";
import { type Task, Tasks } from "./task.ts";

export interface MonitorOptions {
  /** "linux-6.1" and the like: whose contract; absent: recognised. */
  readonly kernel?: string;
  /** "arm64+smmuv3" and the like: whose descriptors; absent: recognised. */
  readonly machine?: string;
  /**
   * Address spaces to judge, as the recording writes them, from its first line on; "all" for every
   * one; see Spaces. Absent: each that the recording shows to have a notifier, from then on.
   */
  readonly mm?: readonly string[] | "all";
  /** Pages of 4 KiB in one of the kernel's; absent: told by the entries. */
  readonly page_units?: PageUnits;
  /** The knob denyRewalk: whether an IOMMU walks again when a cached entry denies (V10). */
  readonly deny_rewalk?: boolean;
  /** Adds the lines around it to a finding. */
  readonly explain?: boolean;
  readonly onFinding?: (finding: Finding) => void;
  /** Told of each invalidation that the secondary TLB of a watched mm is sure to make. */
  readonly onInvalidate?: (invalidation: Invalidation) => void;
}

/** Records within a function, or of what it calls: the task has not gone on to something else. */
const INSIDE: ReadonlySet<TraceRecord["kind"]> = new Set([
  ...(["notifier", "batch", "model", "pte_ret", "migration_pte", "cpu_flush"] as const),
]);

/** Records of what a task does, by which its calls of the notifier are named. */
const DOES: ReadonlySet<TraceRecord["kind"]> = new Set([
  ...(["pte", "pte_ret", "gather", "fault", "range", "rmap", "batch", "process"] as const),
]);

/** How the name of a system call's event begins. */
const SYS = "sys_";

export class Monitor {
  readonly contract: Contract;
  readonly tally: Tally;
  readonly spaces: Spaces;
  readonly #desk: Desk;
  readonly #repeats = new Repeats();
  readonly #entries: Entries;
  readonly #calls: Calls;
  readonly #operations: Operations;
  #forgotten = false;

  constructor(options: MonitorOptions = {}) {
    const tally = new Tally(options.onFinding ?? (() => undefined), options.explain === true);
    const contract = new Contract(options.kernel, options.machine);
    const spaces = new Spaces(options.mm, {
      forgot: (limit) => tally.evicted(limit),
      confirmed: (space, all_along) => {
        if (!all_along) ledger.annul(space);
        ledger.decideHeld();
      },
    });
    const ledger: Ledger = new Ledger(spaces, contract, tally, options.deny_rewalk);
    const tasks = new Tasks((task) => {
      tally.evicted("MAX_TASKS");
      ledger.abandon(task, WHY.evicted);
    });
    this.contract = contract;
    this.tally = tally;
    this.spaces = spaces;
    const granule = new Granule(options.page_units);
    this.#desk = { contract, granule, ledger, spaces, tally, tasks };
    this.#entries = new Entries(this.#desk);
    this.#calls = new Calls(this.#desk, options.onInvalidate);
    this.#operations = new Operations(this.#desk);
  }

  /** The next event. */
  event(at: RawEvent): void {
    this.#forgotten = false;
    this.tally.saw(at);
    if (this.#repeats.is(at)) {
      this.tally.damaged("the same line twice", at.line);
      return;
    }
    const task = this.#desk.tasks.get(at.pid);
    const record = decodeProbe(at);
    if (record === undefined) {
      if (at.event === "tracing_mark_write") this.#foreignMark(task, at);
      else if (at.form === "enter" || at.form === "exit") {
        this.#leave(task, at);
        task.syscall = at.form === "enter" ? at.event.slice(SYS.length) : undefined;
      }
      return;
    }
    if (record.kind === "malformed") {
      // It may have been the invalidation that somebody waits for.
      this.tally.malformed++;
      this.tally.undecided(record.why);
      this.#desk.ledger.lost();
      return;
    }
    if (record.kind === "notifier" && record.seen === "callback") return;
    if (this.contract.learn(record)) this.#desk.ledger.decideHeld();
    if (record.kind === "pte" && this.contract.layout === "arm64") this.#desk.granule.learn(record);
    if (!INSIDE.has(record.kind)) this.#goOn(task, record);
    if (DOES.has(record.kind)) task.last = at.event;
    this.#dispatch(task, record);
  }

  /** Events are missing here: nothing that was going on is known any more. */
  lost(lost: LostEvents): void {
    if (lost.why === "overwritten") return;
    if (lost.why === "dropped") this.tally.undecided(WHY.dropped);
    this.#forget();
  }

  /** A line that may have been anything; if it was an event, nothing is known any more. */
  damaged({ line, why, event }: Damage): void {
    this.tally.damaged(why, line);
    if (event) this.#forget();
  }

  #forget(): void {
    // Where nothing came since, there is nothing to forget.
    if (this.#forgotten) return;
    this.#forgotten = true;
    this.#desk.ledger.lost();
    for (const task of [...this.#desk.tasks.all()]) {
      this.#desk.ledger.abandon(task, WHY.lost);
      this.#desk.tasks.delete(task.pid);
    }
    for (const space of this.spaces.all()) {
      space.active = 0;
      space.forget(0, Number.MAX_SAFE_INTEGER);
    }
  }

  /** The end of the recording. */
  finish(): void {
    for (const task of this.#desk.tasks.all()) {
      this.#desk.ledger.endOperation(task);
      this.#desk.ledger.abandon(task, WHY.end);
      this.#calls.atEnd(task);
    }
    this.#desk.ledger.finish();
  }

  #dispatch(task: Task, record: TraceRecord): void {
    switch (record.kind) {
      case "notifier":
        this.#notifier(task, record);
        return;
      case "pte":
        this.#entries.change(task, record);
        return;
      case "pte_ret":
        this.#entries.returned(task, record);
        return;
      case "gather":
        this.#operations.gather(task, record);
        return;
      case "fault":
        if (record.what === "handle_mm_fault_ret") this.#leaveFault(task, record.at);
        this.#operations.fault(task, record);
        return;
      case "range":
        if (record.what === "exit_mmap" && record.mm !== undefined) this.#release(record.mm, task);
        this.#operations.range(task, record);
        return;
      case "rmap":
        this.#operations.reverseMap(task, record);
        return;
      case "migration_pte":
        this.#operations.migration(task, record);
        return;
      case "mark":
        this.#leave(task, record.at);
        return;
      case "process":
        this.#process(task, record);
        return;
      default:
    }
  }

  #notifier(task: Task, record: TraceRecord & { readonly kind: "notifier" }): void {
    switch (record.what) {
      case "secondary":
        this.#calls.secondary(task, record);
        return;
      case "range_start": {
        const range = this.#calls.start(task, record);
        if (range !== undefined) this.#operations.rangeStarted(task, range);
        return;
      }
      case "range_end":
        this.#calls.end(task, record);
        return;
      case "register":
      case "watch_on":
      case "release":
      case "watch_off":
        this.#life(task, record);
        return;
      default:
        this.spaces.called(record.mm);
    }
  }

  #life(task: Task, record: NotifierLife): void {
    if (record.what === "register" || record.what === "watch_on") this.spaces.register(record.mm);
    else this.#release(record.mm, task);
  }

  /** Nobody listens from now on; what the mm's last user tears down owes nothing. */
  #release(mm: string, task: Task): void {
    const space = this.spaces.get(mm);
    if (space !== undefined) this.#desk.ledger.dissolve(space);
    this.spaces.release(mm, task.pid);
  }

  #process(task: Task, record: Process): void {
    if (record.what === "fork") {
      this.#desk.ledger.close(task, "fork", record.at);
      return;
    }
    this.#leave(task, record.at);
    this.spaces.exited(task.pid);
    this.#desk.tasks.delete(task.pid);
  }

  /** The task does something else: what had to come at once comes no more. */
  #goOn(task: Task, record: TraceRecord): void {
    const inner = record.kind === "pte" && record.op === "ptep_set_access_flags";
    if (inner) this.#entries.unwrap(task);
    if (inner && task.contpte) return;
    task.contpte = false;
    this.#desk.ledger.close(task, "next", record.at);
  }

  #foreignMark(task: Task, at: RawEvent): void {
    if (this.contract.learnMark(at)) this.#desk.ledger.decideHeld();
    this.#leave(task, at);
  }

  #leaveFault(task: Task, at: RawEvent): void {
    this.#entries.abandon(task);
    const depth = task.faults.length;
    if (depth > 0) this.#calls.unpaired(task, depth, at.line);
    else task.begun = true;
    this.#desk.ledger.endOperation(task);
  }

  /** The task is in user space, or at its border: every operation of its has ended. */
  #leave(task: Task, at: RawEvent): void {
    const { ledger } = this.#desk;
    this.#entries.abandon(task);
    ledger.close(task, "next", at);
    ledger.close(task, "syscall", at);
    ledger.close(task, "fork", at);
    // Their ends were not recorded, yet have come.
    for (const gather of task.gathers.splice(0)) ledger.close(task, gather, at);
    if (task.protect !== undefined) ledger.close(task, task.protect, at);
    this.#calls.unpaired(task, 0, at.line);
    ledger.endOperation(task);
    task.finishing = undefined;
    task.protect = undefined;
    task.context = undefined;
    task.inner = undefined;
    task.mapping = false;
    task.faults.length = 0;
    task.begun = true;
  }
}
