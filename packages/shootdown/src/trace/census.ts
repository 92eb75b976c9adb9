// SPDX-License-Identifier: Apache-2.0
// Counts of what a recording shows beside the changes that are judged: where notifier calls stand,
// which CPUs a shootdown reached, what a recorded model of a secondary TLB found.
import type { RawEvent } from "./importers/raw-event.ts";
import { toNumber } from "./importers/word64.ts";
import { MAX_MMS, MAX_NESTED, MAX_TASKS } from "./limits.ts";
import type { StreamReport } from "./stream-report.ts";

/** Events that only the census looks at; the others are the monitor's too. */
export const CENSUS_EVENTS: ReadonlySet<string> = new Set([
  ...["stlb_check", "cb_invalidate_secondary", "flush_tlb_mm_range", "flush_tlb_mm_range_ret"],
  ...["native_flush_tlb_multi", "native_flush_tlb_multi_ret", "flush_tlb_func"],
  ...["fq_flush_timeout", "fq_flush_iotlb"],
]);

/** A CPU's flush of a range, until its return. */
interface Flush {
  readonly mm: string | undefined;
  ipis: "none" | "sent" | "answered";
  calls: number;
}

/** CPUs that a shootdown reached so far. */
interface Shootdown {
  readonly cpu: number;
  readonly mm: string | undefined;
  readonly reached: Set<number>;
}

interface Doing {
  readonly flushes: Flush[];
  shootdown: Shootdown | undefined;
  /** The last call of the notifier chain. */
  last: string;
}

const CALLS = "secondary calls";
const CALLBACKS = "secondary callbacks";
const FLUSHES = "flush_tlb_mm_range";

export class Census {
  readonly #report: StreamReport;
  readonly #tasks = new Map<number, Doing>();
  readonly #watched = new Set<string>();
  #step = "";
  /** flush_tlb_mm_range is recorded. */
  #flushes = false;

  constructor(report: StreamReport) {
    this.#report = report;
  }

  event(at: RawEvent): void {
    switch (at.event) {
      case "tracing_mark_write":
        this.#step = /^mark=-?\d+ step=(\S{1,64})/.exec(at.text)?.[1] ?? this.#step;
        return;
      case "watch":
      case "mn_register":
        this.#watch(at);
        return;
      case "stlb_check":
        this.#check(at);
        return;
      case "mn_invalidate_range_start":
      case "mn_invalidate_range_end":
        this.#doing(at).last = at.event;
        return;
      case "mn_invalidate_secondary":
        this.#call(at);
        return;
      case "cb_invalidate_secondary":
        this.#callback(at);
        return;
      case "flush_tlb_mm_range":
        this.#flush(at);
        return;
      case "flush_tlb_mm_range_ret":
        this.#flushed(at);
        return;
      case "native_flush_tlb_multi":
      case "native_flush_tlb_multi_ret":
        this.#ipis(at);
        return;
      case "flush_tlb_func":
        this.#reached(at);
        return;
      case "fq_flush_timeout":
      case "fq_flush_iotlb":
        this.#report.count("flush queue", at.event);
        return;
      default:
    }
  }

  /** Events are missing: what was going on is not known. */
  lost(): void {
    this.#tasks.clear();
  }

  #doing(at: RawEvent): Doing {
    // The idle task runs on every CPU at once.
    const key = at.pid * 4096 + at.cpu;
    const same = at.pid === 0 ? key : at.pid;
    let doing = this.#tasks.get(same);
    if (doing === undefined) {
      if (this.#tasks.size >= MAX_TASKS) this.#tasks.clear();
      doing = { flushes: [], shootdown: undefined, last: "" };
      this.#tasks.set(same, doing);
    }
    return doing;
  }

  #watch(at: RawEvent): void {
    const mm = at.arg("mm");
    if (mm === undefined) return;
    if (at.arg("on") === "0") this.#watched.delete(mm);
    else if (this.#watched.size < MAX_MMS) this.#watched.add(mm);
  }

  #check(at: RawEvent): void {
    const verdict = at.arg("verdict");
    if (verdict === undefined || !/^[A-Z_]{1,32}$/.test(verdict)) return;
    this.#report.count("checks of the recorded secondary TLB", verdict);
    if (!verdict.startsWith("STALE") || this.#step === "") return;
    this.#report.count("stale in the recorded secondary TLB", `${this.#step}, ${verdict}`);
  }

  #call(at: RawEvent): void {
    const doing = this.#doing(at);
    doing.last = at.event;
    this.#report.count(CALLS, isWhole(at) ? "of the whole address space" : "of a range");
    const [, by, from] = at.stack ?? [];
    if (by !== undefined) this.#report.count("secondary calls by", callers(by, from));
    const flush = doing.flushes.at(-1);
    if (flush === undefined) {
      // Without the function's probe it may have been inside.
      if (this.#flushes) this.#report.count(CALLS, `outside ${FLUSHES}`);
      return;
    }
    flush.calls++;
    const how =
      flush.ipis === "none"
        ? "local flush only"
        : flush.ipis === "answered"
          ? "after the IPIs were answered"
          : "before the IPIs were answered";
    this.#report.count(CALLS, `inside ${FLUSHES}, ${how}`);
  }

  #callback(at: RawEvent): void {
    this.#report.count(CALLBACKS, isWhole(at) ? "of the whole address space" : "of a range");
    if (this.#doing(at).last === "mn_invalidate_range_end") {
      this.#report.count(CALLBACKS, "from invalidate_range_end");
    }
  }

  #flush(at: RawEvent): void {
    const { flushes } = this.#doing(at);
    this.#flushes = true;
    flushes.push({ mm: at.arg("mm"), ipis: "none", calls: 0 });
    if (flushes.length > MAX_NESTED) flushes.shift();
  }

  #flushed(at: RawEvent): void {
    const flush = this.#doing(at).flushes.pop();
    if (flush === undefined) return;
    const whose = this.#watched.has(flush.mm ?? "") ? "watched mm" : "other mm";
    const how = flush.ipis === "none" ? "local only" : "by IPI";
    const calls = flush.calls === 0 ? "no secondary call inside" : "secondary call inside";
    this.#report.count(FLUSHES, `${whose}, ${how}, ${calls}`);
  }

  /** That an IPI is sent to a CPU does not say that it flushes: a lazy one is spared (X5). */
  #ipis(at: RawEvent): void {
    const doing = this.#doing(at);
    const flush = doing.flushes.at(-1);
    if (at.event === "native_flush_tlb_multi") {
      if (flush !== undefined) flush.ipis = "sent";
      doing.shootdown = { cpu: at.cpu, mm: at.arg("mm"), reached: new Set() };
      return;
    }
    if (flush !== undefined) flush.ipis = "answered";
    if (doing.shootdown === undefined) return;
    const count = doing.shootdown.reached.size;
    doing.shootdown = undefined;
    this.#report.count("shootdowns", `reached ${count} other CPU${count === 1 ? "" : "s"}`);
    if (this.#step !== "") {
      this.#report.count("shootdowns by step", `${this.#step}, reached ${count}`);
    }
  }

  /** flush_tlb_func runs on the CPU that asks too. */
  #reached(at: RawEvent): void {
    const from = at.word("initiating_cpu");
    const cpu = from === undefined ? undefined : toNumber(from);
    if (cpu === undefined || cpu === at.cpu) return;
    const mm = at.arg("mm");
    for (const { shootdown } of this.#tasks.values()) {
      if (shootdown?.cpu === cpu && shootdown.mm === mm) shootdown.reached.add(at.cpu);
    }
  }
}

/** (0, -1UL), the whole address space. */
function isWhole(at: RawEvent): boolean {
  return at.arg("start") === "0x0" && at.arg("end") === "0xffffffffffffffff";
}

/** The function that calls, and for one that many use its own caller. */
function callers(by: string, from: string | undefined): string {
  const shared = /^(?:set_tlb_ubc_flush_pending|flush_tlb_mm_range|tlb_flush)/.test(by);
  return shared && from !== undefined ? `${by} in ${from}` : by;
}
