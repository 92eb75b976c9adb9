// SPDX-License-Identifier: Apache-2.0
// One queue seen from both sides: what the kernel put into it, and what the IOMMU took from it.
//
//   trace.txt   qi_submit A   qi_submit B ................ qi_submit_sync_ret
//   vtd.txt     .......................... A  B  wait  status
//               '-- the least that lies between is what the clocks differ by, and no less --'
//
// The same descriptors in the same order: else one of the two files is damaged, and nothing is
// decided. A submission that returns before the IOMMU wrote its status was not waited for (V2).
import type { IommuRecord, Queued } from "../importers/iommu-record.ts";
import { MAX_MARKS, MAX_NESTED, MAX_TIMES } from "../limits.ts";
import type { StreamReport } from "../stream-report.ts";
import { IommuMonitor } from "./monitor.ts";

/** Descriptors that have to agree before the two are taken to be at the same place. */
const AGREE = 16;

/** How far the log is searched for the kernel's next descriptors, once they had been aligned. */
const FAR = 4096;

/** Places at which they differ; after that many they are not compared any more. */
const MAX_DIFFERENCES = 16;

/** Kinds that an emulator need not log: those with a PASID, and responses. */
const OPTIONAL: ReadonlySet<number> = new Set([6, 7, 8, 9]);
const WAIT = 5;

/** Clocks of host and guest may drift apart by this much. */
const DRIFT_S = 1e-3;

const GROUP = "the queue's log";
const MICROSECONDS = 1e6;

interface Taken {
  readonly record: Queued;
  /** Waits that stand in front of it. */
  readonly waits: number;
}

/** A submission whose return has not come: the number of the wait behind it. */
interface Submitted {
  left: number | undefined;
  wait: number | undefined;
  last_s: number;
}

export class LineUp {
  readonly #report: StreamReport;
  readonly #next: () => Promise<IommuRecord | undefined>;
  /** Of the kernel, not compared yet. */
  #kernel: Queued[] = [];
  /** Of the log, not compared yet. */
  #log: Taken[] = [];
  #ended = false;
  #aligned = false;
  #ever = false;
  #differences = 0;
  #waits = 0;
  #statuses = 0;
  /** When the status of a wait was written, by its number; the last ones. */
  readonly #written = new Map<number, number>();
  #offset_s = Number.POSITIVE_INFINITY;
  readonly #open = new Map<number, Submitted[]>();
  readonly #times_us: number[] = [];
  /** The log for itself, whose findings are those of the kernel's events. */
  readonly #alone = new IommuMonitor(
    { finds: () => undefined, undecided: () => undefined, evicted: () => undefined },
    true,
  );

  /** @param next the log's records, one after another. */
  constructor(report: StreamReport, next: () => Promise<IommuRecord | undefined>) {
    this.#report = report;
    this.#next = next;
  }

  /** The next record of the kernel. */
  async record(record: IommuRecord): Promise<void> {
    if (record.kind === "submission") return this.#submission(record);
    if (record.kind !== "descriptor" || this.#differences >= MAX_DIFFERENCES) return;
    const { type } = record.descriptor;
    const open = this.#open.get(record.at.cpu)?.at(-1);
    if (open?.left !== undefined) open.left--;
    // Of waits the kernel writes those alone that it was called with.
    if (type === WAIT) return;
    this.#kernel.push(record);
    await this.#compare();
  }

  /** Events of the kernel are missing here. */
  lost(): void {
    this.#aligned = false;
    this.#kernel = [];
    this.#open.clear();
  }

  async finish(): Promise<void> {
    await this.#compare(true);
    const report = this.#report;
    if (!this.#ever && this.#kernel.length > 0) {
      report.undecided("the queue's log has none of the descriptors that the kernel submitted");
    }
    let after = 0;
    do {
      after += this.#log.length;
      this.#log = [];
    } while (await this.#fill(1));
    if (after > 0) report.count(GROUP, "descriptors only in the log, after the events", after);
    this.#alone.finish();
    const between = this.#alone.summary()?.waits_between;
    for (const [waits, count] of Object.entries(between ?? {})) {
      if (count > 0) report.set("waits between IOTLB and device TLB, by the log", waits, count);
    }
    const times = this.#times_us.sort((a, b) => a - b);
    if (times.length === 0) return;
    const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0);
    report.set("from qi_submit to the status, us", "median", at(0.5));
    report.set("from qi_submit to the status, us", "95 %", at(0.95));
    report.set("from qi_submit to the status, us", "longest", at(1));
  }

  /** Reads on until the log has so many descriptors that are not compared; false at its end. */
  async #fill(count: number): Promise<boolean> {
    while (this.#log.length < count && !this.#ended) {
      const record = await this.#next();
      if (record !== undefined) this.#alone.record(record);
      if (record === undefined) this.#ended = true;
      else if (record.kind === "waited") this.#status(record.at.time_s);
      else if (record.kind === "malformed") {
        this.#report.undecided(`${record.why} (the queue's log, line ${record.at.line})`);
      } else if (record.kind !== "descriptor") continue;
      else if (record.descriptor.type === WAIT) {
        this.#report.count(GROUP, "waits");
        // Only these write one, in their order.
        if (record.descriptor.status) this.#waits++;
      } else this.#log.push({ record, waits: this.#waits });
    }
    return this.#log.length >= count;
  }

  #status(time_s: number): void {
    this.#statuses++;
    this.#written.set(this.#statuses, time_s);
    if (this.#written.size > MAX_MARKS) this.#written.delete(this.#statuses - MAX_MARKS);
  }

  async #compare(at_end = false): Promise<void> {
    while (this.#kernel.length > 0 && this.#differences < MAX_DIFFERENCES) {
      if (!this.#aligned) {
        const required = this.#kernel.filter(({ descriptor }) => !OPTIONAL.has(descriptor.type));
        if (required.length < AGREE && !at_end) return;
        if (!(await this.#align(required.slice(0, AGREE)))) return;
      }
      await this.#step();
    }
  }

  /** The kernel's next descriptor and the log's. */
  async #step(): Promise<void> {
    const kernel = this.#kernel.shift()!;
    const optional = OPTIONAL.has(kernel.descriptor.type);
    const more = await this.#fill(1);
    const taken = this.#log[0];
    if (more && taken !== undefined && taken.record.words === kernel.words) {
      this.#log.shift();
      this.#report.count(GROUP, "descriptors in both");
      this.#offset_s = Math.min(this.#offset_s, taken.record.at.time_s - kernel.at.time_s);
      this.#submitted(kernel, taken);
    } else if (optional) {
      this.#report.count(GROUP, "descriptors of kinds that the log leaves out");
    } else if (!more) {
      this.#report.count(GROUP, "descriptors only in the kernel's events, after the log");
    } else {
      this.#differences++;
      this.#aligned = false;
      this.#open.clear();
      this.#kernel.unshift(kernel);
      this.#report.damaged({
        line: kernel.at.line,
        why: `the queue's log has another descriptor (its line ${taken?.record.at.line})`,
        event: false,
      });
    }
  }

  /** Looks for the kernel's next descriptors in the log; what is before them is passed over. */
  async #align(first: readonly Queued[]): Promise<boolean> {
    if (first.length === 0) {
      this.#kernel = [];
      return false;
    }
    let at = 0;
    while (await this.#fill(at + first.length)) {
      const same = first.every(({ words }, n) => this.#log[at + n]?.record.words === words);
      if (same) break;
      at++;
      if (this.#ever && at > FAR) break;
      if (!this.#ever && at >= FAR) {
        // Before the first agreement nothing of the log is needed again.
        this.#report.count(GROUP, "descriptors only in the log, before the events", at);
        this.#log.splice(0, at);
        at = 0;
      }
    }
    if (at + first.length > this.#log.length || (this.#ever && at > FAR)) {
      // Not there: the kernel's first one is in no log, or the log is damaged at that place.
      this.#report.count(GROUP, "descriptors only in the kernel's events");
      if (!this.#ever) return false;
      this.#differences++;
      this.#kernel.shift();
      return this.#kernel.length > 0 && this.#differences < MAX_DIFFERENCES;
    }
    const where = this.#ever ? "between" : "before";
    if (at > 0) this.#report.count(GROUP, `descriptors only in the log, ${where} the events`, at);
    this.#log.splice(0, at);
    this.#aligned = true;
    this.#ever = true;
    // What QEMU does not log stands in front at most.
    while (OPTIONAL.has(this.#kernel[0]?.descriptor.type ?? WAIT)) {
      this.#kernel.shift();
      this.#report.count(GROUP, "descriptors of kinds that the log leaves out");
    }
    return this.#kernel.length > 0;
  }

  /** The wait behind a descriptor is the next one in the log. */
  #submitted(kernel: Queued, { waits }: Taken): void {
    const open = this.#open.get(kernel.at.cpu)?.at(-1);
    if (open === undefined) return;
    open.wait = waits + 1;
    open.last_s = kernel.at.time_s;
  }

  async #submission(record: IommuRecord & { readonly kind: "submission" }): Promise<void> {
    const { cpu, line, time_s } = record.at;
    const list = this.#open.get(cpu) ?? [];
    if (record.step === "call") {
      list.push({ left: record.count, wait: undefined, last_s: time_s });
      if (list.length > MAX_NESTED) list.shift();
      this.#open.set(cpu, list);
      return;
    }
    const open = list.pop();
    if (open?.wait === undefined || open.left !== 0 || !record.done || !this.#aligned) return;
    // Its status follows its wait: read on to there.
    while (this.#statuses < open.wait && (await this.#fill(this.#log.length + 1)));
    const written_s = this.#written.get(open.wait);
    if (written_s === undefined) return;
    const at_s = written_s - this.#offset_s;
    if (this.#times_us.length < MAX_TIMES) {
      this.#times_us.push(Math.max(0, at_s - open.last_s) * MICROSECONDS);
    }
    if (at_s <= time_s + DRIFT_S) {
      return this.#report.count(GROUP, "submissions that returned after their status");
    }
    this.#report.found({
      ...{ class: "order", line, time: time_s, cpu, space: "iommu", start: "0x0", end: "0x0" },
      ...{ operation: "qi_submit_sync", rule: "V2", task: record.at.task },
      message:
        `returned ${Math.round((at_s - time_s) * MICROSECONDS)} us before the IOMMU wrote the ` +
        "status of its wait: nobody waited for the invalidation",
    });
  }
}
