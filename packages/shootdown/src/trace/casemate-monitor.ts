// SPDX-License-Identifier: Apache-2.0
// Break-before-make on page tables whose every write is logged: pKVM's, as casemate records it.
//
//            write invalid        DSB          TLBI         DSB
//   valid ────────────────► 0 ────────► 1 ─────────► 2 ─────────► clean ──► valid
//                           stage 2 by address:  TLBI IPA, DSB, TLBI of stage 1 in between (A9)
//
// All steps are those of the thread that wrote, for its DSB speaks for nobody else (A27). A valid
// entry over a valid one, or over one that is not clean yet, is a violation (A17, A18).
import type { Step } from "./importers/casemate.ts";
import { bit, bits, formatWord, toNumber, type Word64, ZERO } from "./importers/word64.ts";
import { MAX_UNCLEAN } from "./limits.ts";
import { LEAF, PageTables, type Place, type Regime, TABLE_BYTES } from "./page-tables.ts";
import type { StreamReport } from "./stream-report.ts";
import { matches, type Tlbi, tlbiOf } from "./table-tlbi.ts";

/** How far the invalidation of an entry has come. */
type Progress = "written" | "visible" | "ipa" | "ipa_done" | "invalidated";

interface Unclean {
  readonly place: Place;
  readonly old: Word64;
  readonly at: Step;
  progress: Progress;
  /** Why a TLBI that was there did not count. */
  note: string;
}

const NEXT: Readonly<Record<Progress, string>> = {
  written: "DSB, TLBI and DSB",
  visible: "TLBI and DSB",
  ipa: "DSB, TLBI of stage 1 (vmalle1is) and DSB",
  ipa_done: "TLBI of stage 1 (vmalle1is) and DSB",
  invalidated: "DSB",
};

/** The fields of a valid leaf that may not change without a break (A17). */
const SAME_BITS: readonly (readonly [number, number, string])[] = [
  [47, 12, "the address"],
  [1, 1, "block or page"],
  [4, 2, "the memory type"],
  [9, 8, "shareability"],
  [52, 52, "the contiguous hint"],
];
/** Global or not: stage 1 alone has it. */
const NOT_GLOBAL = 11;

export class CasemateMonitor {
  readonly #report: StreamReport;
  readonly #tables: PageTables;
  readonly #unclean = new Map<number, Unclean>();
  /** Of each thread: those of its entries that a DSB carries on. */
  readonly #waiting = new Map<number, Map<number, Unclean>>();
  readonly #locks = new Map<number, number>();
  readonly #root_locks = new Map<number, number>();
  /** What VTTBR_EL2 of each thread holds. */
  readonly #vmid = new Map<number, number>();
  #locked = false;
  steps = 0;

  constructor(report: StreamReport) {
    this.#report = report;
    this.#tables = new PageTables((limit) => report.evicted(limit));
  }

  /** Whether the log named a root of page tables. */
  get rooted(): boolean {
    return this.#tables.rooted;
  }

  step(step: Step): void {
    this.steps++;
    this.#report.count("steps", step.op);
    switch (step.op) {
      case "mem-write":
        return this.#memory(step, "value", (at, value) => this.#write(step, at, value));
      case "mem-set":
        return this.#range(step, true);
      case "mem-init":
        return this.#range(step, false);
      case "mem-read":
        return;
      case "barrier":
        return this.#barrier(step);
      case "tlbi":
        return this.#tlbi(step);
      case "sysreg-write":
        return this.#register(step);
      case "hint":
        return this.#hint(step);
      case "lock":
      case "trylock":
      case "unlock":
        return this.#lock(step);
      default:
        this.#unknown(step, step.op);
    }
  }

  finish(): void {
    const left = this.#unclean.size;
    if (left > 0) this.#report.set("entries", "not yet clean at the end", left);
  }

  #unknown(step: Step, what: string): void {
    this.#report.damaged({ line: step.line, why: `no such operation: ${what}`, event: true });
  }

  #memory(step: Step, key: string, then: (at: number, value: Word64) => void): void {
    const address = step.word("address") ?? step.word("location");
    const at = address === undefined ? undefined : toNumber(address);
    const value = step.word(key);
    if (at === undefined || value === undefined || at % 8 !== 0) {
      this.#report.damaged({ line: step.line, why: `${step.op} lacks a field`, event: true });
    } else then(at, value);
  }

  #range(step: Step, checked: boolean): void {
    this.#memory(step, "size", (at, words) => {
      const size = toNumber(words) ?? 0;
      const value = step.word("value") ?? ZERO;
      // memset writes bytes; what page tables get of it is zeros.
      const zero = value.hi === 0 && value.lo === 0;
      const word = zero
        ? ZERO
        : { hi: (value.lo & 255) * 0x1010101, lo: (value.lo & 255) * 0x1010101 };
      for (const entry of this.#tables.within(at, size)) {
        if (checked) this.#write(step, entry, word);
        else this.#tables.store(entry, ZERO);
      }
    });
  }

  #write(step: Step, at: number, value: Word64): void {
    const place = this.#tables.place(at);
    const old = this.#tables.load(at);
    if (place === undefined) {
      this.#report.count("entries", "writes outside of page tables");
      this.#tables.store(at, value);
      return;
    }
    this.#owned(step, place);
    const waits = this.#unclean.get(at);
    const now = bit(value, 0);
    if (now) this.#report.changes++;
    const wrong = now ? this.#makes(step, place, old, value, waits) : undefined;
    if (now && wrong === undefined) this.#report.conforming++;
    if (wrong !== undefined) this.#found(step, place, waits?.old ?? old, value, wrong);
    this.#tables.store(at, value);
    if (bit(old, 0) && !now) {
      this.#breaks(at, { place, old, at: step, progress: "written", note: "" });
    } else if (now) this.#unclean.delete(at);
    this.#tables.relink(place, at, old, value);
  }

  /** What is wrong with a valid entry written here. */
  #makes(
    step: Step,
    place: Place,
    old: Word64,
    value: Word64,
    waits: Unclean | undefined,
  ): string | undefined {
    const parent = place.detached === undefined ? undefined : this.#unclean.get(place.detached);
    if (parent !== undefined) {
      const since = `unlinked in line ${parent.at.line}`;
      return `a valid entry in a table that walkers may still hold (${since})`;
    }
    if (waits !== undefined) {
      const note = waits.note === "" ? "" : `; ${waits.note}`;
      return (
        `made valid before it was clean: ${NEXT[waits.progress]} of thread ${waits.at.tid} ` +
        `missing since it became invalid (line ${waits.at.line})${note}`
      );
    }
    if (bit(old, 0)) {
      const differs = difference(place, old, value);
      if (differs !== undefined) return `${differs} changed from valid to valid, without a break`;
    } else if (isTable(place, value)) {
      const child = this.#uncleanBelow(value);
      if (child !== undefined) {
        const since = `invalid since line ${child.at.line}`;
        return `links a table with an entry that is not clean (${since})`;
      }
    }
    void step;
    return undefined;
  }

  #uncleanBelow(value: Word64): Unclean | undefined {
    const table = bits(value, 47, 12) * TABLE_BYTES;
    for (const [at, one] of this.#unclean) if (at - (at % TABLE_BYTES) === table) return one;
    return undefined;
  }

  #barrier(step: Step): void {
    const kind = (step.text("kind") ?? step.words[1] ?? "sy").toLowerCase();
    if ((step.words[0] ?? step.text("type") ?? "").toLowerCase() !== "dsb") return;
    // DSB ISHST is enough for the walkers to see a store (A20), not for a TLBI to be complete.
    const visible = /^(?:ish|osh|sy|st|full)/.test(kind) && !kind.endsWith("ld");
    const full = /^(?:ish|osh|sy|full)$/.test(kind);
    const waiting = this.#waiting.get(step.tid);
    if (waiting === undefined || !visible) return;
    for (const [at, one] of waiting) {
      if (one.progress !== "written" && !full) continue;
      waiting.delete(at);
      if (this.#unclean.get(at) !== one) continue;
      if (one.progress === "written") one.progress = "visible";
      else if (one.progress === "ipa") one.progress = "ipa_done";
      else this.#clean(at);
    }
  }

  /** A DSB of its thread is what the entry needs next. */
  #waits(at: number, one: Unclean, progress: Progress): void {
    one.progress = progress;
    const { tid } = one.at;
    let waiting = this.#waiting.get(tid);
    if (waiting === undefined) {
      waiting = new Map();
      this.#waiting.set(tid, waiting);
    }
    waiting.set(at, one);
  }

  /** An entry is invalid now, and waits to be clean. */
  #breaks(at: number, one: Unclean): void {
    this.#report.count("entries", "made invalid");
    if (this.#unclean.size < MAX_UNCLEAN) {
      this.#unclean.set(at, one);
      this.#waits(at, one, "written");
      return;
    }
    this.#report.evicted("MAX_UNCLEAN");
    this.#report.undecided("too many entries that are not clean at once");
  }

  #clean(at: number): void {
    this.#unclean.delete(at);
    this.#report.count("entries", "made clean");
    this.#tables.released(at);
  }

  #tlbi(step: Step): void {
    const tlbi = tlbiOf(step);
    if (tlbi === undefined) return this.#unknown(step, `tlbi ${step.words[0] ?? ""}`);
    this.#report.count("tlbi", tlbi.op);
    for (const [at, one] of this.#unclean) this.#invalidate(step, tlbi, at, one);
  }

  #invalidate(step: Step, tlbi: Tlbi, at: number, one: Unclean): void {
    const { place } = one;
    if (place.root.regime !== tlbi.regime && tlbi.regime !== "both") return;
    const miss = matches(tlbi, place, isTable(place, one.old), this.#vmid.get(step.tid));
    const said = `TLBI ${tlbi.op} of line ${step.line}`;
    if (miss !== undefined) {
      if (miss !== "other") one.note = `${said} ${miss}`;
      return;
    }
    if (one.at.tid !== step.tid) {
      one.note = `${said} is thread ${step.tid}'s`;
      return;
    }
    if (tlbi.scope === "stage1") {
      if (one.progress === "ipa_done") this.#waits(at, one, "invalidated");
      else if (one.progress === "ipa")
        one.note = `${said} came before the DSB after the TLBI by IPA`;
    } else if (one.progress === "written") one.note = `${said} came before a DSB`;
    else if (tlbi.scope === "ipa") {
      if (one.progress === "visible") this.#waits(at, one, "ipa");
    } else this.#waits(at, one, "invalidated");
  }

  #register(step: Step): void {
    const name = (step.text("sysreg") ?? step.text("reg") ?? step.words[0] ?? "").toLowerCase();
    const value = step.word("value");
    if (value === undefined) return this.#unknown(step, `${step.op} without a value`);
    const regime: Regime | undefined =
      name === "ttbr0_el2" ? "el2" : name === "vttbr_el2" ? "stage2" : undefined;
    if (name === "tcr_el2") this.#tables.startLevel("el2", value);
    if (name === "vtcr_el2") this.#tables.startLevel("stage2", value);
    if (regime === undefined) return;
    const vmid = regime === "stage2" ? bits(value, 63, 48) : 0;
    if (regime === "stage2") this.#vmid.set(step.tid, vmid);
    const root = bits(value, 47, 12) * TABLE_BYTES;
    if (root !== 0) this.#tables.root(root, regime, vmid);
  }

  #hint(step: Step): void {
    const kind = step.text("kind") ?? step.words[0] ?? "";
    const location = step.word("location") ?? step.word("address");
    const at = location === undefined ? undefined : toNumber(location);
    const value = step.word("value");
    if (at === undefined) return;
    if (kind === "set_root_lock" && value !== undefined) {
      this.#root_locks.set(at, toNumber(value) ?? 0);
    }
    if (kind !== "release_table") return;
    const table = at - (at % TABLE_BYTES);
    for (const [entry, one] of this.#unclean) {
      if (entry - (entry % TABLE_BYTES) !== table) continue;
      this.#found(step, one.place, one.old, ZERO, "its table is released before it is clean");
    }
  }

  #lock(step: Step): void {
    this.#locked = true;
    const address = step.word("address") ?? step.word("lock");
    const at = address === undefined ? undefined : toNumber(address);
    if (at === undefined) return;
    if (step.op !== "unlock") this.#locks.set(at, step.tid);
    else if (this.#locks.get(at) === step.tid) this.#locks.delete(at);
  }

  /** Only where the log says which lock it is, and has locks at all. */
  #owned(step: Step, place: Place): void {
    const lock = this.#root_locks.get(place.root.at);
    if (lock === undefined || !this.#locked || this.#locks.get(lock) === step.tid) return;
    this.#found(step, place, ZERO, ZERO, "written without the lock of its root", "lock");
  }

  #found(
    step: Step,
    place: Place,
    old: Word64,
    value: Word64,
    message: string,
    rule = "A18",
  ): void {
    const { root, va, size } = place;
    this.#report.found({
      class: rule === "lock" ? "order" : "missing",
      line: step.line,
      time: step.id,
      cpu: step.tid,
      space: root.regime === "el2" ? "el2" : `vmid ${root.vmid}`,
      start: `0x${va.toString(16)}`,
      end: `0x${(va + size).toString(16)}`,
      operation: step.op,
      change: rule === "lock" ? null : isTable(place, value) ? "table" : "frame",
      old: formatWord(old),
      new: formatWord(value),
      message: `level ${place.level}: ${message}${step.src === "" ? "" : ` (${step.src})`}`,
      rule,
      task: step.src,
    });
  }
}

const isTable = (place: Place, value: Word64): boolean =>
  bit(value, 0) && bit(value, 1) && place.level < LEAF;

/** What a valid entry may not change without a break; undefined if nothing of it changed. */
function difference(place: Place, old: Word64, value: Word64): string | undefined {
  const table = isTable(place, old) || isTable(place, value);
  const fields = table ? SAME_BITS.slice(0, 2) : SAME_BITS;
  const found = fields.find(([high, low]) => bits(old, high, low) !== bits(value, high, low));
  if (found !== undefined) return found[2];
  const global = !table && place.root.regime === "el2";
  return global && bit(old, NOT_GLOBAL) !== bit(value, NOT_GLOBAL) ? "global" : undefined;
}
