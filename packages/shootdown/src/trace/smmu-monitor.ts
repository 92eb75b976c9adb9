// SPDX-License-Identifier: Apache-2.0
// The command stream of an SMMUv3: what was invalidated, when it was complete, and in which order.
//
//   TLBI_NH_VA ... SYNC        the invalidation is complete at the SYNC (S10, S13)
//   ATC_INV before that SYNC   a device may fetch again what the SMMU still holds (S18)
//   a hit after that SYNC      on what was inserted before: the entry outlived it (S10)
import type { LogDamage } from "./importers/log-lines.ts";
import { ALL_PAGES, type SmmuAccess, type SmmuEvent, type SmmuScope } from "./importers/smmu.ts";
import { formatPage } from "./importers/word64.ts";
import { MAX_PENDING } from "./limits.ts";
import { SmmuEntries } from "./smmu-entries.ts";
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

const WHY_FORGOTTEN = "the SMMU translates with an entry that was forgotten (MAX_IOTLB_ENTRIES)";
const WHY_PENDING = "more invalidations before one CMD_SYNC than are followed";

export class SmmuMonitor {
  readonly #report: StreamReport;
  readonly #listener: SmmuListener;
  /** Commands since the last SYNC. */
  #pending: Invalidated[] = [];
  #first_tlbi: Invalidated | undefined;
  #last: { readonly op: string; readonly line: number; readonly time_s: number } | undefined;
  /** QEMU takes a range to pieces: this many of the last command came. */
  #pieces = 0;
  readonly #entries: SmmuEntries;
  #order_said = false;
  commands = 0;
  events = 0;

  constructor(report: StreamReport, listener: SmmuListener = {}) {
    this.#report = report;
    this.#listener = listener;
    this.#entries = new SmmuEntries((limit) => report.evicted(limit));
  }

  /** A line that may have been any command, or an insertion: what was going on is not known. */
  damaged(damage: LogDamage): void {
    this.#report.damaged(damage);
    if (!damage.event) return;
    this.#pending = [];
    this.#first_tlbi = undefined;
    this.#last = undefined;
    this.#pieces = 0;
    this.#entries.clear();
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
        this.#report.count("iotlb", "inserts");
        this.#entries.insert(event);
        this.#listener.used?.(event);
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
    if (isTlbi(one.op)) this.#first_tlbi ??= one;
    if (this.#pending.length < MAX_PENDING) this.#pending.push(one);
    else {
      this.#report.evicted("MAX_PENDING");
      this.#report.undecided(WHY_PENDING);
    }
  }

  #deviceTlb(at: { readonly line: number; readonly time_s: number }): void {
    const tlbi = this.#first_tlbi;
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
    this.#first_tlbi = undefined;
    this.#order_said = false;
    if (pending.length === 0) return this.#report.count("smmu", "SYNC with nothing to complete");
    for (const one of pending) {
      if (!isTlbi(one.op)) continue;
      if (!one.more) {
        this.#report.changes++;
        this.#report.conforming++;
        this.#report.count("smmu", "TLBI completed by a SYNC");
      }
      if (one.end > one.start) {
        this.#report.count("iotlb", "entries invalidated", this.#entries.drop(one, line));
      }
      this.#listener.completed?.({ ...one, sync_line: line, sync_time_s: time_s });
    }
    const commands = pending.filter(({ more }) => !more).length;
    this.#report.most("smmu", "most commands for one SYNC", commands);
  }

  #hit(access: SmmuAccess): void {
    this.#report.count("iotlb", "hits");
    this.#listener.used?.(access);
    const entry = this.#entries.used(access.asid, access.page);
    if (entry === "forgotten") this.#report.undecided(WHY_FORGOTTEN);
    if (typeof entry !== "object") return;
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
        `with the CMD_SYNC of line ${entry.gone}`,
      rule: "S10",
      deadline_line: entry.gone,
    });
  }
}

const isTlbi = (op: string): boolean => op.startsWith("TLBI_");
export const spaceOf = (asid: number | undefined): string =>
  asid === undefined ? "smmu" : `smmu asid ${asid}`;
