// SPDX-License-Identifier: Apache-2.0
// Unmapped addresses of devices: how long and how many of them stay usable, and whether one was
// given out again before its invalidation was complete.
//
//   trace.txt   unmap(page) ............................ map(page)
//   smmu.txt    |            TLBI ........ SYNC
//               '------- usable -----------'
//
// The kernel writes `unmap` when it has cleared the entry, and a strict domain often has
// invalidated it by then: a TLBI by that address since the page was mapped counts as well. Neither
// event says in which domain it was; where the SMMU has several ASIDs, who used the page says it.
import { ALL_PAGES, type SmmuAccess } from "./importers/smmu.ts";
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
  /** In which ASID, as far as an access showed it. */
  readonly asid: number | undefined;
  /** Whose it was, where the kernel's DMA events say it. */
  device: string | undefined;
  /** ASIDs that were invalidated as a whole since. */
  readonly whole: Set<number>;
}

interface Call {
  left: number;
  by_address: boolean;
}

/** A TLBI by the address of a page that is not unmapped yet. */
interface Early {
  readonly one: Completed;
}

/** A page that was mapped while an earlier mapping of it waited for its invalidation. */
interface Again {
  readonly gone: Unmapped;
  readonly record: DeviceMapping;
}

const MICROSECONDS = 1e6;

/** A use this much before the event of the mapping is of that mapping. */
const USED_EARLY_S = 0.0005;

/** In place of an ASID, of an address that was mapped in two domains at once. */
const ANY = -1;

/** The kernel writes an event this much later than it acted, at the most that is allowed for. */
const SLACK_S = 0.01;

const WHY_CLOCKS = "the clocks do not tell whether an invalidation came after the unmap";
const WHY_ASID =
  "an address was mapped again before its invalidation; in which of the SMMU's ASIDs is missing";

export class DmaMonitor {
  readonly #report: StreamReport;
  /** What the clocks of the two recordings may differ by. */
  readonly #tolerance_s: number;
  readonly #unmapped = new Map<number, Unmapped[]>();
  #waiting = 0;
  /** Mapped pages: since when, and in how many domains, which is not said, at once. */
  readonly #mapped = new Map<number, { readonly since_s: number; times: number }>();
  readonly #early = new Map<number, Early>();
  readonly #again = new Map<number, Again>();
  /** Which ASID a page was last used in, since it was mapped; ANY if several may use it. */
  readonly #user = new Map<number, { readonly asid: number; readonly time_s: number }>();
  /** Whose a mapped page is, where the kernel's DMA events say it, and the ASID of each device. */
  readonly #owner = new Map<number, string>();
  readonly #asid_of = new Map<string, number>();
  /** ASIDs that devices used; and, where no use is recorded, those that were invalidated. */
  readonly #used_asids = new Set<number>();
  readonly #told_asids = new Set<number>();
  /** Of the first and the last event of a mapping. */
  #begun_s: number | undefined;
  #last_s = Number.NEGATIVE_INFINITY;
  /** For what is said of commands: their lines are of another file. */
  readonly #commands: StreamReport;
  #last_whole_s = Number.NEGATIVE_INFINITY;
  readonly #times_us: number[] = [];
  #used = 0;

  constructor(report: StreamReport, tolerance_s: number, commands = report) {
    this.#report = report;
    this.#commands = commands;
    this.#tolerance_s = tolerance_s;
  }

  mapping(record: DeviceMapping): void {
    this.#begun_s ??= record.at.time_s;
    this.#last_s = record.at.time_s;
    this.#report.count("dma", record.what === "map" ? "map calls" : "unmap calls");
    this.#report.count("dma", record.what === "map" ? "pages mapped" : "pages unmapped", 0);
    if (record.end - record.start > MAX_UNMAPPED) return this.#report.evicted("MAX_UNMAPPED");
    if (record.what === "map") this.#map(record);
    else this.#unmap(record);
  }

  /** An invalidation is complete; its times are those of the kernel's recording. */
  completed(one: Completed): void {
    const by_address = one.end < ALL_PAGES;
    const mapped = this.#begun_s !== undefined && this.#told_asids.size < MAX_UNMAPPED;
    if (mapped && one.asid !== undefined) this.#told_asids.add(one.asid);
    if (by_address && one.end - one.start <= MAX_UNMAPPED) {
      for (let page = one.start; page < one.end; page++) this.#byAddress(page, one);
      return;
    }
    if (!by_address) {
      this.#last_whole_s = one.time_s;
      if (this.#waiting === 0 && this.#begun_s !== undefined) {
        this.#report.count("dma", "invalidations of a whole ASID while no page waits");
      }
    }
    for (const page of [...this.#unmapped.keys()]) {
      if (page >= one.start && page < one.end) this.#whole(page, one);
    }
  }

  /** The kernel's event of the DMA API, which names the device; it follows that of the IOMMU. */
  device(what: "map" | "unmap", device: string, page: number): void {
    if (what === "unmap") {
      const gone = this.#unmapped.get(page)?.at(-1);
      if (gone !== undefined) gone.device ??= device;
      return;
    }
    if (this.#owner.size < MAX_UNMAPPED) this.#owner.set(page, device);
    const again = this.#again.get(page);
    // Another device's domain is another one; that of the same device may have been replaced.
    const before = again?.gone.device;
    if (before !== undefined && before !== device) this.#again.delete(page);
  }

  /** A device's access, or the walk that it made; its time is that of the kernel's recording. */
  used({ kind, asid, page }: SmmuAccess, time_s: number): void {
    // Doorbells of interrupts are mapped apart: who uses them alone takes part in nothing here.
    const dma = this.#mapped.has(page) || this.#unmapped.has(page);
    if (dma && this.#used_asids.size < MAX_UNMAPPED) this.#used_asids.add(asid);
    const user = this.#user.get(page);
    if (user?.asid !== ANY && (user !== undefined || this.#user.size < MAX_UNMAPPED)) {
      this.#user.set(page, { asid, time_s });
    }
    const owner = this.#owner.get(page);
    const alone = this.#mapped.get(page)?.times === 1 && !this.#unmapped.has(page);
    if (owner !== undefined && alone && this.#asid_of.size < MAX_UNMAPPED) {
      this.#asid_of.set(owner, asid);
    }
    if (kind === "hit" && this.#mine(page, asid) !== undefined) this.#used++;
    const again = this.#again.get(page);
    if (again === undefined) return;
    this.#again.delete(page);
    const { gone, record } = again;
    const waits = this.#unmapped.get(page)?.includes(gone) === true;
    if (waits && this.#asidOf(gone) === asid) this.#reused(page, gone, record);
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
    if (this.#again.size > 0) report.undecided(WHY_ASID, this.#again.size);
    this.#tooMuch();
    report.set("dma", "device accesses to unmapped pages", this.#used);
    report.set("dma", "pages not yet invalidated at the end", this.#waiting);
  }

  get #asids(): ReadonlySet<number> {
    return this.#used_asids.size > 0 ? this.#used_asids : this.#told_asids;
  }

  #unmap({ start, end, at }: DeviceMapping): void {
    this.#report.count("dma", "pages unmapped", end - start);
    const call: Call = { left: end - start, by_address: true };
    for (let page = start; page < end; page++) {
      if (this.#waiting >= MAX_UNMAPPED) return this.#report.evicted("MAX_UNMAPPED");
      const mapped = this.#mapped.get(page);
      const mapped_s = mapped?.since_s ?? Number.NEGATIVE_INFINITY;
      const user = this.#user.get(page)?.asid;
      const asid = user === ANY ? undefined : user;
      const early = this.#early.get(page)?.one;
      if (mapped !== undefined && --mapped.times === 0) this.#mapped.delete(page);
      this.#early.delete(page);
      const own = early !== undefined && (asid ?? early.asid) === early.asid;
      if (own && early.time_s > mapped_s - SLACK_S) this.#done(call, 0, true);
      else {
        const list = this.#unmapped.get(page) ?? [];
        const whole = new Set<number>();
        const device = undefined;
        list.push({ line: at.line, time_s: at.time_s, mapped_s, call, asid, device, whole });
        this.#unmapped.set(page, list);
        this.#waiting++;
      }
    }
    this.#report.most("dma", "most pages usable at one time", this.#waiting);
  }

  /** What waits for an invalidation of this ASID; one whose ASID is not known may. */
  #mine(page: number, asid: number | undefined): Unmapped | undefined {
    const list = this.#unmapped.get(page);
    if (list === undefined || asid === undefined) return list?.[0];
    const of = (wanted: number | undefined) => list.find((gone) => this.#asidOf(gone) === wanted);
    return of(asid) ?? of(undefined);
  }

  #asidOf({ asid, device }: Unmapped): number | undefined {
    return asid ?? (device === undefined ? undefined : this.#asid_of.get(device));
  }

  #byAddress(page: number, one: Completed): void {
    const gone = this.#mine(page, one.asid);
    // A mapped page's is for the unmap to come, whatever else waits there.
    if (gone === undefined || this.#mapped.has(page)) {
      if (this.#begun_s !== undefined && one.time_s > this.#begun_s && one.end > one.start) {
        if (this.#early.size < MAX_UNMAPPED) this.#early.set(page, { one });
      }
    }
    if (gone === undefined || one.time_s < gone.mapped_s - SLACK_S) return;
    this.#close(page, gone, one, true);
  }

  /** What is for a whole ASID must have come after the entry was cleared. */
  #whole(page: number, one: Completed): void {
    for (const gone of [...(this.#unmapped.get(page) ?? [])]) {
      if (one.time_s < gone.time_s - this.#tolerance_s) continue;
      if (one.asid !== undefined) gone.whole.add(one.asid);
      const own = this.#asidOf(gone);
      const asids = own === undefined ? this.#asids : [own];
      const all = one.asid === undefined || [...asids].every((asid) => gone.whole.has(asid));
      if (all) this.#close(page, gone, one, false);
    }
  }

  #close(page: number, gone: Unmapped, one: Completed, by_address: boolean): void {
    this.#forget(page, gone);
    this.#done(gone.call, one.sync_time_s - gone.time_s, by_address);
  }

  #forget(page: number, gone: Unmapped): void {
    const list = (this.#unmapped.get(page) ?? []).filter((other) => other !== gone);
    if (list.length === 0) this.#unmapped.delete(page);
    else this.#unmapped.set(page, list);
    this.#waiting--;
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

  #map(record: DeviceMapping): void {
    const { start, end, at } = record;
    this.#report.count("dma", "pages mapped", end - start);
    for (let page = start; page < end; page++) {
      const mapped = this.#mapped.get(page);
      const used_s = this.#user.get(page)?.time_s ?? Number.NEGATIVE_INFINITY;
      if (mapped !== undefined) {
        mapped.times++;
        this.#user.set(page, { asid: ANY, time_s: Number.NEGATIVE_INFINITY });
      } else if (used_s < at.time_s - USED_EARLY_S) this.#user.delete(page);
      if (this.#mapped.size < MAX_UNMAPPED) {
        if (mapped === undefined) this.#mapped.set(page, { since_s: at.time_s, times: 1 });
      } else this.#report.evicted("MAX_UNMAPPED");
      const gone = this.#unmapped.get(page)?.at(-1);
      if (gone === undefined) continue;
      // With several ASIDs it may be another domain's page: its next use tells.
      if (this.#asids.size > 1) {
        if (this.#again.size < MAX_UNMAPPED) this.#again.set(page, { gone, record });
      } else this.#reused(page, gone, record);
    }
  }

  #reused(page: number, gone: Unmapped, { at }: DeviceMapping): void {
    this.#forget(page, gone);
    if (gone.time_s - SLACK_S < this.#last_whole_s) return this.#report.undecided(WHY_CLOCKS);
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

  /** Commands by address that were for pages that nobody unmapped, while mappings were recorded. */
  #tooMuch(): void {
    const commands = new Map<number, { readonly one: Completed; pages: number }>();
    for (const { one } of this.#early.values()) {
      // What it was for may have been recorded no more.
      if (one.time_s > this.#last_s - SLACK_S) continue;
      const before = commands.get(one.line);
      if (before === undefined) commands.set(one.line, { one, pages: 1 });
      else before.pages++;
    }
    for (const { one, pages } of commands.values()) {
      this.#report.count("dma", "pages invalidated that nobody unmapped", pages);
      this.#commands.found({
        ...{ class: "excess", line: one.line, time: one.time_s, space: `smmu asid ${one.asid}` },
        ...{ start: formatPage(one.start), end: formatPage(one.end), operation: `CMD_${one.op}` },
        message: `invalidates ${one.end - one.start} pages, ${pages} of which nobody unmapped`,
        rule: "A4",
      });
    }
  }
}
