// SPDX-License-Identifier: Apache-2.0
// TLB maintenance as CPUs executed it: which DSB completes which TLBI, and what came too early.
//
//   CPU 0   DSB ishst  TLBI vale1is ......... DSB ish      complete for CPU 0 from here on (A27)
//   CPU 1                         DSB ish                  says nothing about CPU 0's TLBI
//   stage 2 TLBI ipas2e1is  DSB ish  TLBI vmalle1is  DSB ish   (A9)

import type { LogDamage } from "./importers/log-lines.ts";
import type {
  CallEvent,
  DsbInstruction,
  MarkEvent,
  TlbiEvent,
  TlbiInstruction,
} from "./importers/tlbi.ts";
import { bits, formatPage, type Word64 } from "./importers/word64.ts";
import { MAX_CPUS, MAX_PENDING, MAX_WAITING } from "./limits.ts";
import type { StreamReport } from "./stream-report.ts";

const SECONDARY: ReadonlySet<string> = new Set([
  "__mmu_notifier_arch_invalidate_secondary_tlbs",
  "__mmu_notifier_invalidate_range",
]);
const RANGE_END = "__mmu_notifier_invalidate_range_end";
const UPGRADE = /^(?:__)?ptep_set_access_flags$/;
/** Whose TLBIs wait for the flush of a whole batch. */
const BATCHED = /tlbbatch|^set_tlb_ubc_flush_pending$|^try_to_(?:unmap|migrate)_one$/;

/** Aging leaves the DSB out: what uses the old entry for longer does no harm (E15). */
const AGING = /clear_flush_young|^folio_referenced/;

const WHY_PENDING = "more TLBIs that wait for a DSB than are followed";
const WHY_CPUS = "more CPUs than are followed";

/** DSBs that wait for loads and stores; the others complete no TLBI. */
const FULL: ReadonlySet<string> = new Set(["ish", "osh", "sy"]);

interface Stage2 {
  readonly at: TlbiInstruction;
  /** A full DSB came after it. */
  done: boolean;
}

/** What one CPU is in the middle of. */
interface Cpu {
  readonly number: number;
  pending: TlbiInstruction[];
  /** How many of them may be of this CPU only. */
  local: number;
  stage2: Stage2 | undefined;
  /** TLBIs of one function and ASID after which no call of the notifier came yet. */
  untold: { readonly func: string; readonly asid: number; count: number } | undefined;
  /** Inside ptep_set_access_flags: its TLBIs and the notifier calls from it. */
  upgrade: { tlbi: number; calls: number } | undefined;
}

export class TlbiMonitor {
  readonly #report: StreamReport;
  readonly #cpus = new Map<number, Cpu>();
  #last_full: DsbInstruction | undefined;
  readonly #notified = new Set<number>();
  /** TLBIs that wait, of all CPUs. */
  #waiting = 0;
  events = 0;
  tlbis = 0;
  #ended = false;

  constructor(report: StreamReport) {
    this.#report = report;
  }

  /** A line that may have been any instruction: what CPUs were in the middle of is not known. */
  damaged(damage: LogDamage): void {
    this.#report.damaged(damage);
    if (!damage.event) return;
    this.#cpus.clear();
    this.#waiting = 0;
    this.#last_full = undefined;
  }

  event(event: TlbiEvent): void {
    this.events++;
    const cpu = this.#cpu(event.cpu);
    if (cpu === undefined) {
      this.#report.evicted("MAX_CPUS");
      return this.#report.undecided(WHY_CPUS);
    }
    const before = cpu.pending.length;
    this.#step(cpu, event);
    this.#waiting += cpu.pending.length - before;
  }

  #step(cpu: Cpu, event: TlbiEvent): void {
    switch (event.kind) {
      case "tlbi":
        this.#tlbi(cpu, event);
        return;
      case "dsb":
        this.#dsb(cpu, event);
        return;
      case "call":
        this.#call(cpu, event);
        return;
      case "mark":
        this.#mark(cpu, event);
        return;
      case "start":
    }
  }

  finish(): void {
    for (const cpu of this.#cpus.values()) {
      this.#leaveUpgrade(cpu);
      this.#leaveUntold(cpu);
      if (cpu.pending.length > 0) {
        this.#report.undecided("the recording ends before the DSB of a TLBI", cpu.pending.length);
      }
    }
  }

  #cpu(number: number): Cpu | undefined {
    let cpu = this.#cpus.get(number);
    if (cpu === undefined) {
      if (this.#cpus.size >= MAX_CPUS) return undefined;
      const idle = { stage2: undefined, untold: undefined, upgrade: undefined };
      cpu = { number, pending: [], local: 0, ...idle };
      this.#cpus.set(number, cpu);
    }
    return cpu;
  }

  #tlbi(cpu: Cpu, at: TlbiInstruction): void {
    this.tlbis++;
    this.#report.count("tlbi", at.op);
    if (cpu.upgrade !== undefined && UPGRADE.test(at.func)) cpu.upgrade.tlbi++;
    this.#untold(cpu, at);
    if (!isBroadcast(at.op)) cpu.local++;
    if (cpu.pending.length < MAX_PENDING && this.#waiting < MAX_WAITING) cpu.pending.push(at);
    else {
      this.#report.evicted("MAX_PENDING");
      this.#report.undecided(WHY_PENDING);
    }
    if (/^r?ipas2/.test(at.op)) cpu.stage2 = { at, done: false };
    else if (cpu.stage2 !== undefined && /^(?:vm|va|rva|alle1|aside1)/.test(at.op)) {
      this.#combined(cpu, cpu.stage2, at);
    }
  }

  /**
   * Which ASIDs have a notifier is seen from its calls; from then on each TLBI of theirs should
   * have one of the same function after it (contract since 6.6).
   */
  #untold(cpu: Cpu, { func, operand, op }: TlbiInstruction): void {
    const asid =
      operand === undefined || !/^(?:r?va[^a]|aside1)/.test(op) ? undefined : asidOf(operand);
    if (cpu.untold !== undefined && asid === cpu.untold.asid && func === cpu.untold.func) {
      cpu.untold.count++;
      return;
    }
    this.#leaveUntold(cpu);
    if (asid !== undefined) cpu.untold = { func, asid, count: 1 };
  }

  #leaveUntold(cpu: Cpu): void {
    const { untold } = cpu;
    cpu.untold = undefined;
    if (untold === undefined || !this.#notified.has(untold.asid) || this.#ended) return;
    this.#report.count("TLBIs of an ASID with a notifier", "no secondary call after", untold.count);
  }

  /** Stage 1 after stage 2: else an entry that combines both survives. */
  #combined(cpu: Cpu, stage2: Stage2, at: TlbiInstruction): void {
    cpu.stage2 = undefined;
    if (stage2.done || /^alle1|^vmalls12/.test(at.op)) {
      this.#report.count("stage2", "IPA, DSB, then the entries that combine both stages");
      return;
    }
    this.#found(cpu, stage2.at, at, "order", "A9", [
      `TLBI ${at.op} (line ${at.line}) before a DSB that completes ${stage2.at.op}: entries that`,
      "combine both stages may be made again from the old stage 2",
    ]);
  }

  #dsb(cpu: Cpu, at: DsbInstruction): void {
    this.#report.count("dsb", at.type);
    const local = at.type === "nsh";
    if (!FULL.has(at.type) && !local) return;
    if (!local) this.#last_full = at;
    const own = local && cpu.local > 0 ? cpu.pending.filter(({ op }) => !isBroadcast(op)) : [];
    const done = local ? own : cpu.pending;
    if (done.length > 0) {
      cpu.pending = local ? cpu.pending.filter(({ op }) => isBroadcast(op)) : [];
    }
    cpu.local = 0;
    this.#report.changes += done.length;
    this.#report.conforming += done.length;
    if (done.length > 0)
      this.#report.count("completion", `by the issuer's DSB ${at.type}`, done.length);
    if (cpu.stage2 !== undefined) cpu.stage2.done ||= !cpu.pending.includes(cpu.stage2.at);
  }

  #call(cpu: Cpu, at: CallEvent): void {
    const notifier = at.func.startsWith("__mmu_notifier_");
    if (SECONDARY.has(at.func)) {
      const { untold } = cpu;
      if (untold !== undefined && at.from === untold.func) {
        if (this.#notified.size < MAX_PENDING) this.#notified.add(untold.asid);
        const name = "secondary call of the same function after";
        this.#report.count("TLBIs of an ASID with a notifier", name, untold.count);
        cpu.untold = undefined;
      }
      const waiting = cpu.pending.length > 0;
      this.#report.count(
        "notifier",
        waiting ? "secondary calls between a TLBI and its DSB" : "secondary calls elsewhere",
      );
    }
    if (!notifier) this.#leaveUntold(cpu);
    if (notifier && cpu.upgrade !== undefined) {
      if (UPGRADE.test(at.from)) cpu.upgrade.calls++;
    } else {
      this.#leaveUpgrade(cpu);
      if (UPGRADE.test(at.func)) cpu.upgrade = { tlbi: 0, calls: 0 };
    }
    if (at.func === RANGE_END)
      this.#due(cpu, at, "mn_invalidate_range_end", (one) => !BATCHED.test(one.func));
  }

  #mark(cpu: Cpu, at: MarkEvent): void {
    this.#leaveUpgrade(cpu);
    this.#leaveUntold(cpu);
    if (at.number === -1) {
      this.#ended = true;
      return;
    }
    this.#due(cpu, at, "user space ran again", () => true);
  }

  /** From here on the kernel relies on what the CPU has asked for. */
  #due(cpu: Cpu, at: TlbiEvent, when: string, counts: (one: TlbiInstruction) => boolean): void {
    const due = cpu.pending.filter(counts);
    cpu.pending = cpu.pending.filter((one) => !counts(one));
    const late = due.filter((one) => !AGING.test(one.func));
    if (due.length > late.length) {
      const aging = "not waited for, by design: aging (E15)";
      this.#report.count("completion", aging, due.length - late.length);
    }
    for (const one of late) {
      const other = this.#last_full;
      const foreign =
        other !== undefined && other.cpu !== cpu.number && other.line > one.line
          ? `; the DSB of CPU ${other.cpu} (line ${other.line}) completes its own only`
          : "";
      this.#report.changes++;
      this.#found(cpu, one, at, "missing", "A27", [
        `no DSB of CPU ${cpu.number} completed it before ${when} (line ${at.line})${foreign}`,
      ]);
    }
    const { stage2 } = cpu;
    if (stage2 === undefined || !counts(stage2.at)) return;
    cpu.stage2 = undefined;
    this.#found(cpu, stage2.at, at, "missing", "A9", [
      `no TLBI of the entries that combine both stages before ${when} (line ${at.line})`,
    ]);
  }

  #leaveUpgrade(cpu: Cpu): void {
    const { upgrade } = cpu;
    cpu.upgrade = undefined;
    if (upgrade === undefined || upgrade.tlbi === 0 || this.#ended) return;
    this.#report.count(
      "ptep_set_access_flags",
      `TLBI ${upgrade.tlbi}, notifier calls ${upgrade.calls}`,
    );
  }

  #found(
    cpu: Cpu,
    one: TlbiInstruction,
    at: TlbiEvent,
    found: "missing" | "order",
    rule: string,
    words: readonly string[],
  ): void {
    const { space, start, end } = scopeOf(one);
    this.#report.found({
      class: found,
      line: one.line,
      time: one.time_s,
      cpu: cpu.number,
      space,
      start,
      end,
      operation: `TLBI ${one.op} in ${one.func}`,
      message: words.join(" "),
      rule,
      deadline_line: at.line,
      deadline_time: at.time_s,
    });
  }
}

const asidOf = (operand: Word64): number => bits(operand, 63, 48);

const isBroadcast = (op: string): boolean => /[io]s(?:nxs)?$/.test(op);

const BY_ADDRESS = /^(r?)(va|ipas2)(a?)l?e/;
const RANGE_SCALE = 5;

/** What the operand names: ASID 63:48, VA[55:12] 43:0; of a range 36:0, SCALE 45:44, NUM 43:39. */
export function scopeOf({
  op,
  operand,
}: {
  readonly op: string;
  readonly operand: Word64 | undefined;
}) {
  const all = { space: "cpu", start: "0x0", end: "0x10000000000000000" };
  if (operand === undefined) return all;
  const asid = /^aside1/.test(op) || BY_ADDRESS.exec(op)?.[2] === "va" ? bits(operand, 63, 48) : 0;
  const by = BY_ADDRESS.exec(op);
  const space = by?.[2] === "ipas2" ? "ipa" : by?.[3] === "a" ? "cpu" : `asid ${asid}`;
  if (by === null) return { ...all, space };
  const range = by[1] === "r";
  const page = range ? bits(operand, 36, 0) : bits(operand, by[2] === "va" ? 43 : 35, 0);
  const pages = range
    ? (bits(operand, 43, 39) + 1) * 2 ** (RANGE_SCALE * bits(operand, 45, 44) + 1)
    : 1;
  return { space, start: formatPage(page), end: formatPage(page + pages) };
}
