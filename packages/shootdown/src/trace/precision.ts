// SPDX-License-Identifier: Apache-2.0
// How precisely a kernel invalidates: the pages that changed, the pages that were invalidated, and
// where everything was dropped for the sake of a few. Too much is never wrong (A4); it costs.
//
//   notifier   calls of the secondary TLB's notifier, and up to 6.5 ends of ranges
//   cpu        TLBI as executed (arm64), tlb_flush and flush_tlb_mm_range (x86)
//   smmu, vtd  commands, descriptors, and the calls of the DMA API that they are for
import type { TraceSummary } from "./finding.ts";
import type { IommuRecord } from "./importers/iommu-record.ts";
import type { RawEvent } from "./importers/raw-event.ts";
import { ALL_PAGES, type SmmuEvent } from "./importers/smmu.ts";
import type { TlbiEvent } from "./importers/tlbi.ts";
import { decodeVtd } from "./importers/vtd-events.ts";
import { PAGE_LIMIT, pageEnd, pageOf } from "./importers/word64.ts";
import { MAX_TASKS } from "./limits.ts";
import type { Invalidation, TraceObserver } from "./observer.ts";
import { CpuPrecision } from "./precision-cpu.ts";
import { type PrecisionRow, type PrecisionSide, Rows } from "./precision-rows.ts";

/** x86's flush of a range, while it runs. */
interface Flush {
  readonly pages: number | undefined;
  readonly during: string | undefined;
  /** What tlb_flush said of it: undefined nothing, -1 everything. */
  flushed: number | undefined;
}

/** Reasons by which tlb_flush tells of the flush that is going on. */
const OWN: ReadonlySet<string> = new Set(["remote ipi send", "local mm shootdown"]);
/** Commands are handed on with the event behind them. */
const AFTER_S = 0.1;
/** More is no range that somebody asked for, but an address space. */
const MAX_PAGES = 2 ** 30;
const BEHIND = "range_end after ";

export class Precision implements TraceObserver {
  readonly wanted = [
    ...["flush_tlb_mm_range", "flush_tlb_mm_range_ret", "tlb_flush", "qi_submit", "map", "unmap"],
    ...["flush_tlb_batched_pending", "arch_tlbbatch_flush", "try_to_unmap_flush"],
  ];
  readonly #rows = new Rows();
  readonly #cpu = new CpuPrecision(this.#rows);
  readonly #flushes = new Map<number, Flush>();
  readonly #syscalls = new Map<number, string>();
  #first_s: number | undefined;
  #last_s = Number.NEGATIVE_INFINITY;
  #command = "";

  event(event: RawEvent): void {
    this.#first_s ??= event.time_s;
    this.#last_s = event.time_s;
    switch (event.event) {
      case "flush_tlb_mm_range":
        this.#flushEnds(event.pid);
        this.#flushBegins(event);
        return;
      case "flush_tlb_mm_range_ret":
        this.#flushEnds(event.pid);
        return;
      case "unmap":
        this.#unmapped(event);
        return;
      case "qi_submit":
      case "tlb_flush": {
        const record = decodeVtd(event);
        if (record !== undefined) this.#record(record);
        return;
      }
      default:
        if (event.form === "enter" && this.#syscalls.size < MAX_TASKS) {
          this.#syscalls.set(event.pid, event.event.replace(/^sys_/, ""));
        } else if (event.form === "exit") this.#syscalls.delete(event.pid);
    }
  }

  invalidation({ start, end, by, operation, during, asked_pages, waited }: Invalidation): void {
    const name = by === "call" ? operation : `${BEHIND}${operation}`;
    const row = this.#rows.get("notifier", name === BEHIND ? "range_end" : name, during);
    row.calls++;
    if (waited === 0) row.idle++;
    if (start >= end) row.empty++;
    else this.#rows.add(row, asked_pages, isWhole(start, end) ? undefined : end - start);
  }

  command(event: SmmuEvent, time_s: number): void {
    if (event.kind === "command") {
      this.#command = event.op;
      return;
    }
    if (event.kind !== "scope" || this.#isOutside(time_s)) return;
    const row = this.#rows.get("smmu", this.#command, undefined);
    row.calls++;
    this.#rows.add(row, undefined, event.end >= ALL_PAGES ? undefined : event.end - event.start);
  }

  instruction(event: TlbiEvent): void {
    this.#cpu.event(event);
  }

  queue(record: IommuRecord): void {
    this.#record(record);
  }

  /** What came out, with what the summary knows of the calls of the DMA API. */
  rows(summary: TraceSummary): readonly PrecisionRow[] {
    for (const pid of [...this.#flushes.keys()]) this.#flushEnds(pid);
    const { iommu } = summary;
    if (iommu !== undefined && iommu.calls.range + iommu.calls.all > 0) {
      const { asked, iotlb, device } = iommu.range_pages;
      const range = (operation: string, pages: number) => {
        const row = this.#rows.get("vtd", operation, undefined);
        row.calls = iommu.calls.range;
        row.pages_asked = asked;
        row.pages_invalidated = pages;
      };
      if (iommu.calls.range > 0) range("intel_iommu_tlb_sync: IOTLB", iotlb);
      if (iommu.calls.range > 0 && device > 0) range("intel_iommu_tlb_sync: device TLB", device);
      if (iommu.calls.all > 0) {
        const row = this.#rows.get("vtd", "intel_flush_iotlb_all", undefined);
        row.calls = row.whole = row.whole_for_pages = iommu.calls.all;
        row.whole_pages_asked = iommu.whole_domain_pages;
      }
    }
    return this.#rows.all();
  }

  /** The log begins at power-on, and goes on while the recording is carried out. */
  #isOutside(time_s: number): boolean {
    if (this.#first_s === undefined) return false;
    return time_s < this.#first_s || time_s > this.#last_s + AFTER_S;
  }

  #record(record: IommuRecord): void {
    if (record.kind === "tlb_flush") {
      const { reason, pages, at } = record;
      const row = this.#rows.get("cpu", `tlb_flush: ${reason}`, undefined);
      row.calls++;
      this.#rows.add(row, undefined, pages);
      const flush = OWN.has(reason) ? this.#flushes.get(at.pid) : undefined;
      if (flush !== undefined) flush.flushed ??= pages ?? -1;
    }
    if (record.kind !== "descriptor") return;
    const { kind, granularity, start, end } = record.descriptor;
    const side: PrecisionSide = "vtd";
    if (!/^(?:pasid_)?(?:iotlb|device)$/.test(kind) || granularity === "unknown") return;
    const row = this.#rows.get(side, `descriptor: ${kind}`, undefined);
    row.calls++;
    this.#rows.add(row, undefined, granularity === "pages" ? end - start : undefined);
  }

  #flushBegins(event: RawEvent): void {
    if (this.#flushes.size >= MAX_TASKS) this.#flushes.clear();
    const start = event.word("start");
    const end = event.word("end");
    const first = start === undefined ? undefined : pageOf(start);
    const last = end === undefined ? undefined : pageEnd(end);
    const known = first !== undefined && last !== undefined && last - first < MAX_PAGES;
    const during = this.#syscalls.get(event.pid);
    this.#flushes.set(event.pid, {
      ...{ pages: known ? last - first : undefined, during, flushed: undefined },
    });
  }

  #flushEnds(pid: number): void {
    const flush = this.#flushes.get(pid);
    if (flush === undefined) return;
    this.#flushes.delete(pid);
    const row = this.#rows.get("cpu", "flush_tlb_mm_range", flush.during);
    row.calls++;
    if (flush.flushed === undefined) row.idle++;
    else this.#rows.add(row, flush.pages, flush.flushed < 0 ? undefined : flush.flushed);
  }

  #unmapped(event: RawEvent): void {
    const size = event.word("size");
    const row = this.#rows.get("dma", "unmap", undefined);
    row.calls++;
    if (size !== undefined) row.pages_asked += pageEnd(size);
  }
}

const isWhole = (start: number, end: number): boolean => start === 0 && end === PAGE_LIMIT;
