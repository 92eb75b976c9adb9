// SPDX-License-Identifier: Apache-2.0
// The command stream of an SMMUv3: what was invalidated, when it was complete, and in which order.
//
//   TLBI_NH_VA ... SYNC        the invalidation is complete at the SYNC (S10, S13)
//   ATC_INV before that SYNC   a device may fetch again what the SMMU still holds (S18)
//   a hit after that SYNC      on what was inserted before: the entry outlived it (S10)
import { ALL_PAGES, type SmmuAccess, type SmmuEvent, type SmmuScope } from "./importers/smmu.ts";
import { formatPage } from "./importers/word64.ts";
import { MAX_IOTLB_ENTRIES, MAX_PENDING } from "./limits.ts";
import type { StreamReport } from "./stream-report.ts";

/** An invalidation that was taken from the queue. */
export interface Invalidated {
  readonly op: string;
  readonly line: number;
  readonly time_s: number;
  readonly asid: number | undefined;
  readonly start: number;
  readonly end: number;
  /** A further piece of the same command. */
  readonly more: boolean;
}

/** One that is complete. */
export interface Completed extends Invalidated {
  readonly sync_line: number;
  readonly sync_time_s: number;
}

/** Who wants to know what of the stream. */
export interface SmmuListener {
  completed?(one: Completed): void;
  used?(access: SmmuAccess): void;
}

interface Entry {
  readonly line: number;
  /** The line of the SYNC that should have removed it. */
  gone: number | undefined;
}

const PAGE_LEVEL = 3;

export class SmmuMonitor {
  readonly #report: StreamReport;
  readonly #listener: SmmuListener;
  /** Commands since the last SYNC. */
  #pending: Invalidated[] = [];
  #last: { readonly op: string; readonly line: number; readonly time_s: number } | undefined;
  /** QEMU takes a range to pieces: this many of the last command came. */
  #pieces = 0;
  readonly #entries = new Map<string, Entry>();
  /** ASIDs with entries of more than a page: their hits do not name the entry. */
  readonly #blocks = new Set<number>();
  #order_said = false;
  commands = 0;
  events = 0;

  constructor(report: StreamReport, listener: SmmuListener = {}) {
    this.#report = report;
    this.#listener = listener;
  }

  event(event: SmmuEvent): void {
    this.events++;
    switch (event.kind) {
      case "command":
        this.#named();
        this.commands++;
        this.#report.count("smmu_commands", event.op);
        if (event.op === "SYNC") this.#sync(event.line, event.time_s);
        else this.#last = event;
        return;
      case "scope":
        this.#scope(event);
        return;
      case "insert":
        this.#insert(event);
        return;
      case "hit":
        this.#hit(event);
        return;
      case "miss":
        this.#report.count("iotlb", "misses");
    }
  }

  finish(): void {
    this.#named();
    const open = this.#pending.filter(({ op }) => isTlbi(op) || op === "ATC_INV");
    if (open.length > 0) {
      this.#report.undecided(
        "the recording ends before the CMD_SYNC of an invalidation",
        open.length,
      );
    }
  }

  /** A command whose arguments are not in the log is over now. */
  #named(): void {
    const last = this.#last;
    const pieces = this.#pieces;
    this.#last = undefined;
    this.#pieces = 0;
    if (last === undefined || pieces > 0) return;
    if (last.op === "ATC_INV") this.#deviceTlb(last);
    const known = isTlbi(last.op) || last.op === "ATC_INV";
    if (!known) return;
    // Without arguments nothing is known to be gone.
    this.#post({ ...last, asid: undefined, start: 0, end: 0, more: false });
  }

  #scope(scope: SmmuScope): void {
    const last = this.#last;
    if (last === undefined || !isTlbi(last.op)) return;
    const { op, line, time_s } = last;
    const { asid, start, end } = scope;
    this.#post({ op, line, time_s, asid, start, end, more: this.#pieces++ > 0 });
    if (end < ALL_PAGES) this.#report.count("smmu", "pages invalidated by address", end - start);
    else this.#report.count("smmu", "commands for a whole ASID or more");
  }

  #post(one: Invalidated): void {
    if (this.#pending.length < MAX_PENDING) this.#pending.push(one);
    else this.#report.evicted("MAX_PENDING");
  }

  #deviceTlb(at: { readonly line: number; readonly time_s: number }): void {
    const tlbi = this.#pending.find(({ op }) => isTlbi(op));
    if (tlbi === undefined) return this.#report.count("smmu", "ATC_INV after its SYNC");
    if (this.#order_said) return;
    this.#order_said = true;
    this.#report.found({
      class: "order",
      line: at.line,
      time: at.time_s,
      space: spaceOf(tlbi.asid),
      start: formatPage(tlbi.start),
      end: formatPage(tlbi.end),
      operation: "CMD_ATC_INV",
      message:
        `the device TLB is invalidated before the SMMU's own ${tlbi.op} (line ${tlbi.line}) is ` +
        "complete: a CMD_SYNC belongs between them, or the device fetches the old entry again",
      rule: "S18",
    });
  }

  #sync(line: number, time_s: number): void {
    const pending = this.#pending;
    this.#pending = [];
    this.#order_said = false;
    if (pending.length === 0) return this.#report.count("smmu", "SYNC with nothing to complete");
    for (const one of pending) {
      if (!isTlbi(one.op)) continue;
      if (!one.more) {
        this.#report.changes++;
        this.#report.conforming++;
        this.#report.count("smmu", "TLBI completed by a SYNC");
      }
      if (one.end > one.start) this.#drop(one, line);
      this.#listener.completed?.({ ...one, sync_line: line, sync_time_s: time_s });
    }
    const commands = pending.filter(({ more }) => !more).length;
    this.#report.most("smmu", "most commands for one SYNC", commands);
  }

  #drop(one: Invalidated, sync: number): void {
    let dropped = 0;
    const check = (key: string, entry: Entry) => {
      if (entry.gone !== undefined || entry.line > one.line) return;
      entry.gone = sync;
      dropped++;
      void key;
    };
    if (one.asid !== undefined && one.end - one.start <= this.#entries.size) {
      for (let page = one.start; page < one.end; page++) {
        const key = keyOf(one.asid, page);
        const entry = this.#entries.get(key);
        if (entry !== undefined) check(key, entry);
      }
    } else {
      for (const [key, entry] of this.#entries) {
        const [asid, page] = key.split(" ").map(Number) as [number, number];
        const hit = (one.asid === undefined || asid === one.asid) && page >= one.start;
        if (hit && page < one.end) check(key, entry);
      }
    }
    if (one.asid === undefined) this.#blocks.clear();
    else if (one.end === ALL_PAGES) this.#blocks.delete(one.asid);
    this.#report.count("iotlb", "entries invalidated", dropped);
  }

  #insert(access: SmmuAccess): void {
    this.#report.count("iotlb", "inserts");
    this.#listener.used?.(access);
    if (access.level !== PAGE_LEVEL) this.#blocks.add(access.asid);
    const key = keyOf(access.asid, access.page);
    this.#entries.delete(key);
    this.#entries.set(key, { line: access.line, gone: undefined });
    if (this.#entries.size <= MAX_IOTLB_ENTRIES) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      break;
    }
    this.#report.evicted("MAX_IOTLB_ENTRIES");
  }

  #hit(access: SmmuAccess): void {
    this.#report.count("iotlb", "hits");
    this.#listener.used?.(access);
    const entry = this.#entries.get(keyOf(access.asid, access.page));
    if (entry?.gone === undefined || this.#blocks.has(access.asid)) return;
    const sync = entry.gone;
    entry.gone = undefined;
    this.#report.found({
      class: "missing",
      line: access.line,
      time: access.time_s,
      space: spaceOf(access.asid),
      start: formatPage(access.page),
      end: formatPage(access.page + 1),
      operation: "smmu_iotlb_lookup_hit",
      message:
        `the SMMU translates with an entry of line ${entry.line} whose invalidation was complete ` +
        `with the CMD_SYNC of line ${sync}`,
      rule: "S10",
      deadline_line: sync,
    });
  }
}

const isTlbi = (op: string): boolean => op.startsWith("TLBI_");
const keyOf = (asid: number, page: number): string => `${asid} ${page}`;
export const spaceOf = (asid: number | undefined): string =>
  asid === undefined ? "smmu" : `smmu asid ${asid}`;
