// SPDX-License-Identifier: Apache-2.0
// Unmapped addresses of devices: how long and how many of them stay usable, and whether one was
// given out again before its invalidation was complete.
//
//   trace.txt   unmap(page) ............................ map(page)
//   smmu.txt    |            TLBI ........ SYNC
//               '------- usable -----------'
//
// The kernel writes `unmap` when it has cleared the entry, and a strict domain often has
// invalidated it by then: a TLBI by that address since the page was mapped counts as well.
import { ALL_PAGES } from "./importers/smmu.ts";
import type { DeviceMapping } from "./importers/trace-record.ts";
import { formatPage } from "./importers/word64.ts";
import { MAX_TIMES, MAX_UNMAPPED } from "./limits.ts";
import type { Completed } from "./smmu-monitor.ts";
import type { StreamReport } from "./stream-report.ts";

interface Unmapped {
  readonly line: number;
  readonly time_s: number;
  /** When it had been mapped; of what comes before the recording, at the beginning of time. */
  readonly mapped_s: number;
  /** Of which call of unmap: those of one page are many. */
  readonly call: Call;
}

interface Call {
  left: number;
  by_address: boolean;
}

const MICROSECONDS = 1e6;

/** The kernel writes an event this much later than it acted, at the most that is allowed for. */
const SLACK_S = 0.01;

export class DmaMonitor {
  readonly #report: StreamReport;
  /** What the clocks of the two recordings may differ by. */
  readonly #tolerance_s: number;
  readonly #unmapped = new Map<number, Unmapped>();
  /** Mapped pages: since when. */
  readonly #mapped = new Map<number, number>();
  /** Pages that a TLBI by address was for while they were mapped, and when. */
  readonly #early = new Map<number, number>();
  #last_whole_s = Number.NEGATIVE_INFINITY;
  readonly #times_us: number[] = [];
  #used = 0;

  constructor(report: StreamReport, tolerance_s: number) {
    this.#report = report;
    this.#tolerance_s = tolerance_s;
  }

  mapping(record: DeviceMapping): void {
    this.#report.count("dma", record.what === "map" ? "map calls" : "unmap calls");
    this.#report.count("dma", record.what === "map" ? "pages mapped" : "pages unmapped", 0);
    if (record.end - record.start > MAX_UNMAPPED) return this.#report.evicted("MAX_UNMAPPED");
    if (record.what === "map") this.#map(record);
    else this.#unmap(record);
  }

  /** An invalidation is complete; its times are those of the kernel's recording. */
  completed(one: Completed): void {
    const by_address = one.end < ALL_PAGES;
    if (by_address && one.end - one.start <= MAX_UNMAPPED) {
      for (let page = one.start; page < one.end; page++) this.#invalidated(page, one, true);
      return;
    }
    if (!by_address) this.#last_whole_s = one.time_s;
    for (const page of [...this.#unmapped.keys()]) {
      if (page >= one.start && page < one.end) this.#invalidated(page, one, by_address);
    }
  }

  /** A device's access that hit the SMMU's TLB. */
  used(page: number): void {
    if (this.#unmapped.has(page)) this.#used++;
  }

  finish(): void {
    const report = this.#report;
    const times = this.#times_us.sort((a, b) => a - b);
    if (times.length > 0) {
      const at = (share: number) => Math.round(times[Math.floor((times.length - 1) * share)] ?? 0);
      report.set("usable after unmap, us", "median", at(0.5));
      report.set("usable after unmap, us", "95 %", at(0.95));
      report.set("usable after unmap, us", "longest", at(1));
    }
    report.set("dma", "device accesses to unmapped pages", this.#used);
    report.set("dma", "pages not yet invalidated at the end", this.#unmapped.size);
  }

  #unmap({ start, end, at }: DeviceMapping): void {
    this.#report.count("dma", "pages unmapped", end - start);
    const call: Call = { left: end - start, by_address: true };
    for (let page = start; page < end; page++) {
      if (this.#unmapped.size >= MAX_UNMAPPED) return this.#report.evicted("MAX_UNMAPPED");
      const mapped_s = this.#mapped.get(page) ?? Number.NEGATIVE_INFINITY;
      const early_s = this.#early.get(page) ?? Number.NEGATIVE_INFINITY;
      this.#mapped.delete(page);
      this.#early.delete(page);
      if (early_s > mapped_s - SLACK_S) this.#done(call, 0, true);
      else {
        this.#unmapped.set(page, { line: at.line, time_s: at.time_s, mapped_s, call });
      }
    }
    this.#report.most("dma", "most pages usable at one time", this.#unmapped.size);
  }

  #invalidated(page: number, one: Completed, by_address: boolean): void {
    const gone = this.#unmapped.get(page);
    if (by_address && gone === undefined && this.#early.size < MAX_UNMAPPED) {
      this.#early.set(page, one.time_s);
    }
    // What is for the whole ASID must have come after the entry was cleared.
    if (gone === undefined) return;
    const after_s = by_address ? gone.mapped_s - SLACK_S : gone.time_s - this.#tolerance_s;
    if (one.time_s < after_s) return;
    this.#unmapped.delete(page);
    this.#done(gone.call, one.sync_time_s - gone.time_s, by_address);
  }

  #done(call: Call, time_s: number, by_address: boolean): void {
    if (this.#times_us.length < MAX_TIMES) {
      this.#times_us.push(Math.max(0, time_s) * MICROSECONDS);
    } else this.#report.evicted("MAX_TIMES");
    call.by_address &&= by_address;
    if (--call.left > 0) return;
    const how = call.by_address ? "by address" : "by whole ASIDs";
    this.#report.count("dma", `unmap calls invalidated ${how}`);
  }

  #map({ start, end, at }: DeviceMapping): void {
    this.#report.count("dma", "pages mapped", end - start);
    for (let page = start; page < end; page++) {
      const gone = this.#unmapped.get(page);
      if (this.#mapped.size < MAX_UNMAPPED) {
        this.#mapped.set(page, at.time_s);
      } else this.#report.evicted("MAX_UNMAPPED");
      if (gone === undefined) continue;
      this.#unmapped.delete(page);
      if (gone.time_s - SLACK_S < this.#last_whole_s) {
        this.#report.undecided(
          "the clocks do not tell whether an invalidation came after the unmap",
        );
        continue;
      }
      this.#report.found({
        class: "missing",
        line: at.line,
        time: at.time_s,
        cpu: at.cpu,
        space: "dma",
        start: formatPage(page),
        end: formatPage(page + 1),
        operation: "map",
        change: "unmap",
        message:
          `mapped again before the invalidation of what was unmapped in line ${gone.line} ` +
          "was complete (TLBI, CMD_SYNC)",
        rule: "S10",
        deadline_line: at.line,
        deadline_time: at.time_s,
        task: at.task,
      });
    }
  }
}
