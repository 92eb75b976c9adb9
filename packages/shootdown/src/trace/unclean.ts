// SPDX-License-Identifier: Apache-2.0
// Entries of logged page tables that were made invalid, on their way to be clean.
//
//            write invalid        DSB          TLBI         DSB
//   valid ────────────────► 0 ────────► 1 ─────────► 2 ─────────► clean ──► valid
//                           stage 2 by address:  TLBI IPA, DSB, TLBI of stage 1 in between (A9)
//
// All steps are those of the thread that wrote, for its DSB speaks for nobody else (A27). An entry
// that led to a table is invalidated when the pages that the table maps are, each by its address.
import type { Step } from "./importers/casemate.ts";
import type { Word64 } from "./importers/word64.ts";
import { MAX_UNCLEAN } from "./limits.ts";
import { type PageTables, type Place, tableAt } from "./page-tables.ts";
import type { StreamReport } from "./stream-report.ts";
import { covers, matches, meets, reaches, type Tlbi } from "./table-tlbi.ts";

/** How far the invalidation of an entry has come. */
type Progress = "written" | "visible" | "ipa" | "ipa_done" | "invalidated";

export interface Unclean {
  readonly place: Place;
  readonly old: Word64;
  /** The entry led to a table; the pages below that are still to be invalidated. */
  readonly table: boolean;
  readonly left: Map<number, number>;
  /** How much memory it takes. */
  readonly weight: number;
  readonly at: Step;
  progress: Progress;
  /** The entry itself is invalidated, whatever is left below it. */
  reached: boolean;
  /** Why a TLBI that was there did not count. */
  note: string;
  /** It cannot be told whether a TLBI counted. */
  vague: boolean;
}

const NEXT: Readonly<Record<Progress, string>> = {
  written: "DSB, TLBI and DSB",
  visible: "TLBI and DSB",
  ipa: "DSB, TLBI of stage 1 (vmalle1is) and DSB",
  ipa_done: "TLBI of stage 1 (vmalle1is) and DSB",
  invalidated: "DSB",
};

export class UncleanEntries {
  readonly #report: StreamReport;
  readonly #tables: PageTables;
  readonly #spend: (work: number) => boolean;
  readonly #all = new Map<number, Unclean>();
  /** Of each thread, its entries by address. */
  readonly #of = new Map<number, Map<number, Unclean>>();
  /** Of each table, how many of its entries. */
  readonly #in = new Map<number, number>();
  #weight = 0;
  /** What the log gives of a TLBI by address, as far as that was seen. */
  #unit: "address" | "page" | undefined;

  constructor(report: StreamReport, tables: PageTables, spend: (work: number) => boolean) {
    this.#report = report;
    this.#tables = tables;
    this.#spend = spend;
  }

  get size(): number {
    return this.#all.size;
  }

  get(at: number): Unclean | undefined {
    return this.#all.get(at);
  }

  /** An entry is invalid now, and waits to be clean. */
  add(at: number, place: Place, old: Word64, table: boolean, step: Step): void {
    this.#report.count("entries", "made invalid");
    const left = table ? this.#tables.leavesBelow(place, old) : new Map<number, number>();
    const weight = 1 + left.size;
    if (this.#weight + weight > MAX_UNCLEAN) {
      this.#report.evicted("MAX_UNCLEAN");
      this.#report.undecided("too many entries that are not clean at once");
      return;
    }
    const begun = { progress: "written", reached: false, note: "", vague: false } as const;
    const one: Unclean = { place, old, table, left, weight, at: step, ...begun };
    this.delete(at);
    this.#weight += weight;
    this.#all.set(at, one);
    const own = this.#of.get(step.tid) ?? new Map<number, Unclean>();
    this.#of.set(step.tid, own.set(at, one));
    this.#in.set(tableAt(at), (this.#in.get(tableAt(at)) ?? 0) + 1);
  }

  delete(at: number): void {
    const one = this.#all.get(at);
    if (one === undefined) return;
    this.#all.delete(at);
    this.#weight -= one.weight;
    const own = this.#of.get(one.at.tid);
    own?.delete(at);
    if (own?.size === 0) this.#of.delete(one.at.tid);
    const others = (this.#in.get(tableAt(at)) ?? 1) - 1;
    if (others === 0) this.#in.delete(tableAt(at));
    else this.#in.set(tableAt(at), others);
  }

  /** What was going on is not known any more. */
  clear(): void {
    for (const of of [this.#all, this.#of, this.#in]) of.clear();
    this.#weight = 0;
  }

  /** Those of one table. */
  within(table: number): (readonly [number, Unclean])[] {
    if (!this.#in.has(table) || !this.#spend(this.#all.size)) return [];
    return [...this.#all].filter(([at]) => tableAt(at) === table);
  }

  /** @param full completes a TLBI; else it makes stores visible to walkers, no more (A20). */
  barrier(tid: number, full: boolean): void {
    const own = this.#of.get(tid);
    if (own === undefined || !this.#spend(own.size)) return;
    for (const [at, one] of own) {
      if (one.progress === "written") one.progress = "visible";
      else if (full && one.progress === "ipa") one.progress = "ipa_done";
      else if (full && one.progress === "invalidated") this.#clean(at);
    }
  }

  #clean(at: number): void {
    this.delete(at);
    this.#report.count("entries", "made clean");
    this.#tables.released(at);
  }

  /** @param vmid what the thread's VTTBR_EL2 holds, if known. */
  tlbi(step: Step, tlbi: Tlbi, vmid: number | undefined): void {
    if (!this.#spend(2 * this.#all.size)) return;
    const meant = this.#meant(tlbi);
    for (const one of this.#all.values()) this.#invalidate(step, meant, one, vmid);
  }

  /** Where it is not said whether a number is an address or a page: what entries there are. */
  #meant(tlbi: Tlbi): Tlbi {
    const { as } = tlbi;
    if (as === undefined) return tlbi;
    const by = { address: { ...tlbi, page: as.address }, page: { ...tlbi, page: as.page } };
    const places = [...this.#all.values()].map(({ place }) => place);
    const hits = (one: Tlbi) =>
      places.some((at) => at.root.regime === one.regime && meets(one, at.va, at.size));
    const [address, page] = [hits(by.address), hits(by.page)];
    if (address !== page) this.#unit ??= address ? "address" : "page";
    return by[this.#unit ?? "address"];
  }

  #invalidate(step: Step, tlbi: Tlbi, one: Unclean, vmid: number | undefined): void {
    const { place } = one;
    if (place.root.regime !== tlbi.regime) return;
    const said = `TLBI ${tlbi.op} of line ${step.line}`;
    const why = matches(tlbi, place, vmid);
    // Where the levels are a guess, so is the address.
    if (why === "other") one.vague ||= !this.#tables.leveled(place.root.regime);
    else if (why !== undefined) one.note = `${said} ${why}`;
    else if (one.at.tid !== step.tid) one.note = `${said} is thread ${step.tid}'s`;
    else if (tlbi.scope === "stage1") {
      if (one.progress === "ipa_done") one.progress = "invalidated";
      else if (one.progress === "ipa")
        one.note = `${said} came before the DSB after the TLBI by IPA`;
    } else if (one.progress === "written") one.note = `${said} came before a DSB`;
    else if (tlbi.scope === "all") one.progress = "invalidated";
    else if (one.progress === "visible") this.#byAddress(tlbi, one, said);
  }

  /** Takes away what a TLBI by address reaches: the entry, and pages below it. */
  #byAddress(tlbi: Tlbi, one: Unclean, said: string): void {
    if (!this.#spend(one.left.size)) return;
    const why = reaches(tlbi, one.place, one.table);
    if (why === undefined) one.reached = true;
    else if (this.#tables.leveled(one.place.root.regime)) one.note = `${said} ${why}`;
    else one.vague = true;
    for (const [va, size] of one.left) if (covers(tlbi, va, size)) one.left.delete(va);
    if (!one.reached) return;
    const [first] = one.left.keys();
    if (first === undefined) one.progress = tlbi.scope === "ipa" ? "ipa" : "invalidated";
    else one.note = `${said} leaves what the table mapped at 0x${first.toString(16)}`;
  }
}

/** What is missing before the entry may be valid again. */
export function lacks(one: Unclean): string {
  const note = one.note === "" ? "" : `; ${one.note}`;
  return (
    `made valid before it was clean: ${NEXT[one.progress]} of thread ${one.at.tid} ` +
    `missing since it became invalid (line ${one.at.line})${note}`
  );
}
