// SPDX-License-Identifier: Apache-2.0
// Break-before-make on page tables whose every write is logged: pKVM's, as casemate records it.
//
// A valid entry over a valid one, or over one that is not clean yet (unclean.ts), is a violation
// (A17, A18). Page tables are known from the writes and the root registers alone; hints add which
// lock a root needs. After an event that is lost, what memory holds is not known until it is
// written.
import { Numbering } from "./casemate-ids.ts";
import { Locks } from "./casemate-locks.ts";
import { Vmids } from "./casemate-vmids.ts";
import type { Step } from "./importers/casemate.ts";
import type { LogDamage } from "./importers/log-lines.ts";
import {
  bit,
  bits,
  formatWord,
  sameWord,
  toNumber,
  type Word64,
  withBit,
  ZERO,
} from "./importers/word64.ts";
import {
  ENTRY_BYTES,
  LEAF,
  PageTables,
  type Place,
  type Regime,
  TABLE_BYTES,
  tableAt,
} from "./page-tables.ts";
import type { StreamReport } from "./stream-report.ts";
import { tlbiName, tlbiOf } from "./table-tlbi.ts";
import { lacks, type Unclean, UncleanEntries } from "./unclean.ts";

/** The fields of a valid leaf that may not change without a break (A17). */
const SAME_BITS: readonly (readonly [number, number, string])[] = [
  [47, 12, "the address"],
  [1, 1, "block or page"],
  [4, 2, "the memory type"],
  [9, 8, "shareability"],
  [52, 52, "the contiguous hint"],
];
/** Of stage 2, the memory type has a bit more. */
const STAGE2_TYPE = 5;
/** Global or not: stage 1 alone has it. */
const NOT_GLOBAL = 11;

/** Entries looked at: once for the log, and for each step. More is no log of a kernel. */
const WORK = 20_000_000;
const WORK_A_STEP = 2048;

/** Bytes of a mem-set that are written one by one. */
const MAX_FILLED = 1_048_576;
/** What hardware may set by itself: the access flag, and dirty state. */
const HARDWARE_BITS = [10, 7, 51] as const;
const ADDRESS = ["address", "location", "addr", "loc", "phys"] as const;

const BARRIERS = /^(?:dsb|dmb|isb|sb|csdb|ssbb|pssbb|psb|tsb|esb)$/;
const DOMAINS = /^(?:(?:i|o|n)sh(?:st|ld)?|(?:sy|full|st|ld))(?:nxs)?$/;
const UNKNOWN = "what an entry held is not known: an event before it is missing";
const LEVELS = "levels are not known: no sysreg-write of tcr_el2 or vtcr_el2";

export class CasemateMonitor {
  readonly #report: StreamReport;
  readonly #tables: PageTables;
  readonly #unclean: UncleanEntries;
  readonly #locks: Locks;
  readonly #vmids: Vmids;
  readonly #numbering: Numbering;
  #work = WORK;
  /** The line before which steps were left out, by the log's own numbers. */
  #gap = 0;
  steps = 0;

  constructor(report: StreamReport) {
    this.#report = report;
    const spend = (work: number): boolean => (this.#work -= work) > 0;
    this.#tables = new PageTables((limit) => report.evicted(limit), spend);
    this.#unclean = new UncleanEntries(report, this.#tables, spend);
    this.#locks = new Locks((limit) => report.evicted(limit));
    this.#vmids = new Vmids();
    this.#numbering = new Numbering((why, line) => {
      this.damaged({ line, why, event: false });
      this.#gap = line;
    });
  }

  /** Whether the log named a root of page tables. */
  get rooted(): boolean {
    return this.#tables.rooted;
  }

  step(step: Step): void {
    this.steps++;
    this.#report.count("steps", step.op);
    this.#numbering.step(step);
    this.#work = Math.min(WORK, this.#work + WORK_A_STEP);
    if (this.#work <= 0) return this.#tired();
    switch (step.op) {
      case "mem-write":
        return this.#store(step);
      case "mem-set":
      case "mem-init":
        return this.#range(step);
      case "mem-read":
        return this.#read(step);
      case "barrier":
      case "dsb":
      case "dmb":
      case "isb":
        return this.#barrier(step);
      case "tlbi":
        return this.#tlbi(step);
      case "sysreg-write":
      case "msr":
        return this.#register(step);
      case "hint":
        return this.#hint(step);
      case "lock":
      case "trylock":
      case "try-lock":
      case "unlock":
        return this.#lock(step);
      default:
        this.#bad(step, `no such operation: ${step.op}`);
    }
  }

  /** Something that may have been a step is not known: neither is what came of it. */
  damaged(damage: LogDamage): void {
    this.#report.damaged(damage);
    if (!damage.event) return;
    this.#tables.forget();
    this.#unclean.clear();
    this.#locks.forget();
    this.#vmids.forget();
  }

  finish(): void {
    const left = this.#unclean.size;
    if (left > 0) this.#report.set("entries", "not yet clean at the end", left);
  }

  #bad(step: Step, why: string): void {
    this.damaged({ line: step.line, why: why.slice(0, 80), event: true });
  }

  #tired(): void {
    this.#report.evicted("MAX_WORK");
    this.#report.undecided("page tables that change too much to be followed");
  }

  /** Address and value of a step; undefined, and said, if either is missing. */
  #fields(step: Step, key: string): { at: number; value: Word64 } | undefined {
    const address = step.word(...ADDRESS);
    const at = address === undefined ? undefined : toNumber(address);
    const value = step.word(key, key === "value" ? "val" : "len");
    if (at !== undefined && at >= 0 && value !== undefined && at % ENTRY_BYTES === 0) {
      return { at, value };
    }
    this.#bad(step, `${step.op} lacks a field`);
    return undefined;
  }

  #store(step: Step): void {
    const fields = this.#fields(step, "value");
    if (fields === undefined) return;
    // A write of a whole page gives each of its words the value.
    const page = step.text("mem-order", "order") === "page";
    const [start, size] = page ? [tableAt(fields.at), TABLE_BYTES] : [fields.at, ENTRY_BYTES];
    for (let at = start; at < start + size; at += ENTRY_BYTES) this.#write(step, at, fields.value);
  }

  /** memset writes bytes; what page tables get of it is zeros. */
  #range(step: Step): void {
    const fields = this.#fields(step, "size");
    if (fields === undefined) return;
    const { at: start } = fields;
    const size = toNumber(fields.value) ?? 0;
    const byte = (step.word("value") ?? ZERO).lo & 255;
    this.#tables.declare(start, size);
    if (byte === 0) {
      for (const at of this.#tables.within(start, size)) this.#write(step, at, ZERO);
    } else if (size > MAX_FILLED) this.#bad(step, `${step.op} of more than ${MAX_FILLED} bytes`);
    else {
      const word = { hi: byte * 0x1010101, lo: byte * 0x1010101 };
      for (let at = start; at < start + size; at += ENTRY_BYTES) this.#write(step, at, word);
    }
  }

  /** What is read must have been written: or the log does not have it all. */
  #read(step: Step): void {
    const address = step.word(...ADDRESS);
    const at = address === undefined ? undefined : toNumber(address);
    const value = step.word("value", "val");
    if (at === undefined || value === undefined || at % ENTRY_BYTES !== 0) return;
    const old = this.#tables.load(at);
    if (sameWord(old, value)) return;
    const set_by_hardware = HARDWARE_BITS.reduce((word, n) => withBit(word, n, bit(old, n)), value);
    const differs = this.#tables.wrote(at) && !sameWord(set_by_hardware, old);
    if (differs) this.#bad(step, "mem-read of a value that was not written");
    const place = this.#tables.place(at);
    this.#tables.store(at, value);
    if (place !== undefined) this.#tables.relink(place, at, old, value);
  }

  #write(step: Step, at: number, value: Word64): void {
    const place = this.#tables.place(at);
    const old = this.#tables.load(at);
    if (place === undefined) {
      this.#report.count("entries", "writes outside of page tables");
      this.#tables.store(at, value);
      return;
    }
    const [was, now] = [this.#isValid(place, old), this.#isValid(place, value)];
    if (this.#locks.lacks(step, at, place.root.at)) {
      this.#found(step, place, ZERO, ZERO, "written without the lock of its root", "lock");
    }
    if (now) this.#makes(step, at, place, old, value);
    this.#tables.store(at, value);
    if (was && !now && place.detached === undefined) {
      this.#unclean.add(at, place, old, isTable(place, old), step);
    } else if (now) this.#unclean.delete(at);
    if (was || now) this.#tables.relink(place, at, old, value);
    if (now && place.level === LEAF) this.#tables.deep(place.root.regime);
  }

  /** A valid entry is written: by what is known, rightly or not. */
  #makes(step: Step, at: number, place: Place, old: Word64, value: Word64): void {
    this.#report.changes++;
    const waits = this.#unclean.get(at);
    const wrong = this.#wrong(place, old, value, waits);
    const vague = wrong?.vague ?? false;
    if (this.#work <= 0) this.#tired();
    else if (vague) this.#report.undecided(LEVELS);
    else if (!this.#tables.certain(at) && waits === undefined) this.#report.undecided(UNKNOWN);
    else if (wrong === undefined) this.#report.conforming++;
    else this.#found(step, place, waits?.old ?? old, value, wrong.message);
  }

  /** What is wrong with a valid entry written here, and whether that depends on its level. */
  #wrong(
    place: Place,
    old: Word64,
    value: Word64,
    waits: Unclean | undefined,
  ): { readonly message: string; readonly vague: boolean } | undefined {
    const parent = place.detached === undefined ? undefined : this.#unclean.get(place.detached);
    if (parent !== undefined) {
      const since = `unlinked in line ${parent.at.line}`;
      const message = `a valid entry in a table that walkers may still hold (${since})`;
      return { message, vague: parent.vague };
    }
    if (waits !== undefined) return { message: lacks(waits), vague: waits.vague };
    if (this.#isValid(place, old)) {
      const differs = difference(place, old, value);
      const message = `${differs} changed from valid to valid, without a break`;
      if (differs !== undefined) return { message, vague: false };
      // If it is a page after all, more of it may not change.
      const page = { ...place, level: LEAF };
      const vague = isTable(place, value) && !this.#tables.leveled(place.root.regime);
      return vague && difference(page, old, value) !== undefined ? { message, vague } : undefined;
    }
    if (!isTable(place, value)) return undefined;
    const table = bits(value, 47, 12) * TABLE_BYTES;
    const child = this.#unclean.within(table)[0]?.[1];
    if (child === undefined) return undefined;
    const since = `invalid since line ${child.at.line}`;
    const message = `links a table with an entry that is not clean (${since})`;
    return { message, vague: child.vague };
  }

  /** At the first level and the last, bit 1 is set in each entry that is valid. */
  #isValid({ level, root }: Place, value: Word64): boolean {
    const block = level !== LEAF && (level !== 0 || !this.#tables.leveled(root.regime));
    return bit(value, 0) && (bit(value, 1) || block);
  }

  #barrier(step: Step): void {
    const { words } = step;
    const said = [step.op, ...words, step.text("kind"), step.text("type"), step.text("barrier")]
      .concat([step.text("dsb"), step.text("dmb"), step.text("domain"), step.text("option")])
      .flatMap((text) => text?.split(/[\s_.-]+/) ?? []);
    if (step.text("dsb") !== undefined) said.push("dsb");
    const type = said.find((word) => BARRIERS.test(word));
    const domain = said.find((word) => DOMAINS.test(word)) ?? "sy";
    const odd = [...words, step.text("kind") ?? "sy"]
      .flatMap((word) => word.split(/[\s_.-]+/))
      .some((word) => !isBarrierWord(word));
    if (type === undefined || odd) return this.#bad(step, "no such barrier");
    if (type !== "dsb") return;
    // DSB ISHST is enough for the walkers to see a store (A20), not for a TLBI to be complete.
    const visible = !/^n|ld/.test(domain);
    if (!visible) return;
    const full = !/st/.test(domain);
    this.#unclean.barrier(step.tid, full);
    if (full) this.#vmids.completed(step.tid);
  }

  #tlbi(step: Step): void {
    const tlbi = tlbiOf(step);
    if (tlbi === undefined) return this.#bad(step, `no such tlbi: ${tlbiName(step)}`);
    this.#report.count("tlbi", tlbi.op);
    const vmid = this.#vmids.of(step.tid);
    this.#unclean.tlbi(step, tlbi, vmid);
    const all = tlbi.regime === "stage2" && tlbi.scope === "all" && tlbi.broadcast;
    if (all) this.#vmids.invalidated(step.tid, tlbi.any_vmid ? undefined : vmid);
  }

  #register(step: Step): void {
    const name = (step.text("sysreg", "reg", "register", "name") ?? step.words[0] ?? "").trim();
    const value = step.word("value", "val");
    if (value === undefined || name === "") return this.#bad(step, `${step.op} lacks a field`);
    if (name === "tcr_el2") this.#tables.startLevel("el2", value);
    if (name === "vtcr_el2") this.#tables.startLevel("stage2", value);
    if (name !== "ttbr0_el2" && name !== "vttbr_el2") return;
    const regime: Regime = name === "ttbr0_el2" ? "el2" : "stage2";
    const at = bits(value, 47, 12) * TABLE_BYTES;
    const vmid = regime === "stage2" ? bits(value, 63, 48) : 0;
    if (regime === "stage2") {
      const before = this.#vmids.load(step, vmid, at);
      if (before !== undefined) {
        const root = { at, regime, vmid };
        const place = { root, level: 0, va: 0, size: 2 ** 48, detached: undefined };
        const message =
          `VMID ${vmid} is given to another root; what it had is not invalidated ` +
          `(vmalls12e1is or alle1is, and DSB) since line ${before}`;
        this.#found(step, place, ZERO, value, message, "P-ID");
      }
    }
    if (at !== 0) this.#tables.root(at, regime, vmid);
  }

  #hint(step: Step): void {
    const kind = (step.text("kind", "hint") ?? step.words[0] ?? "").replaceAll("-", "_");
    const location = step.word("location", "address", "addr", "loc");
    const at = location === undefined ? undefined : toNumber(location);
    const word = step.word("value", "val");
    const value = word === undefined ? undefined : toNumber(word);
    if (at === undefined) return;
    if (kind === "set_root_lock" && value !== undefined) this.#locks.ofRoot(at, value);
    if (kind === "set_pte_thread_owner" && value !== undefined) this.#locks.ofThread(at, value);
    if (kind !== "release_table") return;
    for (const [, one] of this.#unclean.within(tableAt(at))) {
      this.#found(step, one.place, one.old, ZERO, "its table is released before it is clean");
    }
  }

  #lock(step: Step): void {
    const address = step.word("address", "lock", "location", "addr", "value");
    const at = address === undefined ? undefined : toNumber(address);
    if (at === undefined) return this.#bad(step, `${step.op} lacks a field`);
    const ret = step.word("ret", "result");
    // A trylock that failed has no lock.
    if (step.op !== "unlock" && ret !== undefined && sameWord(ret, ZERO)) return;
    this.#locks.step(step.tid, at, step.op !== "unlock");
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
    const gap = this.#gap === 0 ? "" : `; steps before line ${this.#gap} are not as numbered`;
    this.#report.found({
      class: rule === "lock" ? "order" : "missing",
      line: step.line,
      time: step.id ?? step.line,
      cpu: step.tid,
      space: root.regime === "el2" ? "el2" : `vmid ${root.vmid}`,
      start: `0x${va.toString(16)}`,
      end: `0x${(va + size).toString(16)}`,
      operation: step.op,
      change: rule !== "A18" ? null : isTable(place, value) ? "table" : "frame",
      old: formatWord(old),
      new: formatWord(value),
      message: `level ${place.level}: ${message}${gap}${step.src === "" ? "" : ` (${step.src})`}`,
      rule,
      task: step.src,
    });
  }
}

const isBarrierWord = (word: string): boolean => BARRIERS.test(word) || DOMAINS.test(word);

const isTable = (place: Place, value: Word64): boolean =>
  bit(value, 0) && bit(value, 1) && place.level < LEAF;

/** What a valid entry may not change without a break; undefined if nothing of it changed. */
function difference(place: Place, old: Word64, value: Word64): string | undefined {
  const table = isTable(place, old) || isTable(place, value);
  const fields = table ? SAME_BITS.slice(0, 2) : SAME_BITS;
  const found = fields.find(([high, low]) => bits(old, high, low) !== bits(value, high, low));
  if (found !== undefined) return found[2];
  if (table) return undefined;
  const el2 = place.root.regime === "el2";
  if (!el2 && bit(old, STAGE2_TYPE) !== bit(value, STAGE2_TYPE)) return "the memory type";
  return el2 && bit(old, NOT_GLOBAL) !== bit(value, NOT_GLOBAL) ? "global" : undefined;
}
