// SPDX-License-Identifier: Apache-2.0
// Courses as numbers for the clock: what a CPU spends by itself, and its visits to shared servers.
//
//   steps pte tlbi | dsb | ipi flush | notifier cmdlist ...
//   └── spent ───┘   DVM   IPI         spent    QUEUE            one row each, six numbers
//
// The order of rows and their shape do not depend on the values of a profile, so that they are made
// once; each corner of the sweep fills in its own times.

import { CMDQ_BATCH_ENTRIES } from "../kernel/iommu/arm-smmu-v3-commands.ts";
import { commandsOf } from "./counter.ts";
import type { Act } from "./course.ts";
import type { Features } from "./profile.ts";
import { QUANTITY_INDEX, QUANTITY_NAMES, type QuantityName } from "./quantities.ts";
import { SMMUV2_ALL, smmuv2Unmap } from "./smmuv2.ts";

/** What a row asks. */
export const END = 0;
/** Time of this CPU alone: [ns]. */
export const SPEND = 1;
/** Completion of broadcast TLBIs: [instructions since the last]. */
export const DVM = 2;
/** Interrupts that are waited for: [targets, ns more at each target]. */
export const IPI = 3;
/** A list to a command queue: [IOMMU or -1 for all at once, commands, submissions, sync]. */
export const QUEUE = 4;
/** ATC invalidations: [IOMMU, or -n for the first n at once; lo, hi, sync, devices of each]. */
export const ATC = 5;

/** Numbers of a row, its kind first. */
export const ROW = 6;

/** What a course may hold beside what a routine's run gives: time by a quantity's name. */
export type ClockAct =
  | Act
  | { readonly act: "spend"; readonly quantity: QuantityName; readonly n: number };

export interface ClockCourse {
  readonly acts: readonly ClockAct[];
}

/** Quantities and how often they are spent. */
export type Amounts = Float64Array;

/** Amounts of many, few of them not nothing: those of row n are from `starts[n]` on. */
export interface AmountRows {
  readonly length: number;
  readonly starts: Float64Array;
  /** Quantity and how often, in pairs; in the order of the quantities. */
  readonly pairs: Float64Array;
}

export interface ClockProgram {
  /** Rows of all courses, an index in those that spend; of course i from `rows[starts[i]]` on. */
  readonly rows: Float64Array;
  readonly starts: Int32Array;
  /** What the SPEND rows spend, by their index. */
  readonly spends: AmountRows;
  /** Of each course: whether it visits a server. */
  readonly visits: Uint8Array;
  /** Of each course: how often each quantity is spent if nobody waits; the clock adds ATC rows. */
  readonly linear: AmountRows;
}

export function clockProgram(courses: readonly ClockCourse[], features: Features): ClockProgram {
  const builder = new Builder(features);
  const starts = new Int32Array(courses.length);
  const visits = new Uint8Array(courses.length);
  for (const [n, course] of courses.entries()) {
    const first = builder.rows.length;
    starts[n] = ROW * first;
    builder.course(course);
    // One row that spends and the end, or the end alone.
    visits[n] = builder.rows.length - first > 2 ? 1 : 0;
  }
  const { rows, spends, linear } = builder;
  return { rows: rows.used, starts, spends: spends.done(), linear: linear.done(), visits };
}

/** The nanoseconds of some amounts at these values. */
export function priced(amounts: Amounts, values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < amounts.length; i++) sum += amounts[i]! * values[i]!;
  return sum;
}

/** And those of many. */
export function pricedRows(
  { length, starts, pairs }: AmountRows,
  values: Float64Array,
): Float64Array {
  const prices = new Float64Array(length);
  for (let n = 0; n < length; n++) {
    let sum = 0;
    for (let i = starts[n]!; i < starts[n + 1]!; i += 2) sum += pairs[i + 1]! * values[pairs[i]!]!;
    prices[n] = sum;
  }
  return prices;
}

/** Adds a row so many times to `total`. */
export function addRow({ starts, pairs }: AmountRows, n: number, times: number, total: Amounts) {
  for (let i = starts[n]!; i < starts[n + 1]!; i += 2) total[pairs[i]!]! += times * pairs[i + 1]!;
}

export const noAmounts = (): Amounts => new Float64Array(QUANTITY_NAMES.length);

/** Rows of numbers that become more. */
class Rows {
  readonly width: number;
  length = 0;
  private numbers: Float64Array;

  constructor(width: number) {
    this.width = width;
    this.numbers = new Float64Array(width * 64);
  }

  get used(): Float64Array {
    return this.numbers.subarray(0, this.width * this.length);
  }

  add(a: number, b = 0, c = 0, d = 0, e = 0, f = 0): void {
    const { width, length } = this;
    const at = width * length;
    if (this.numbers.length === at) {
      const more = new Float64Array(2 * at);
      more.set(this.numbers);
      this.numbers = more;
    }
    const { numbers } = this;
    numbers[at] = a;
    if (width > 1) numbers[at + 1] = b;
    if (width > 2) {
      numbers[at + 2] = c;
      numbers[at + 3] = d;
      numbers[at + 4] = e;
      numbers[at + 5] = f;
    }
    this.length++;
  }
}

/** Makes rows of amounts, one after the other. */
class AmountRowsBuilder {
  length = 0;
  /** Something is in the row that is being made. */
  any = false;
  private readonly current = noAmounts();
  private readonly starts = new Rows(1);
  private readonly pairs = new Rows(2);

  constructor() {
    this.starts.add(0);
  }

  count(name: QuantityName, times: number): void {
    if (times === 0) return;
    this.current[QUANTITY_INDEX[name]]! += times;
    this.any = true;
  }

  /** The row is whole; its number. */
  end(): number {
    const { current } = this;
    for (let q = 0; q < current.length; q++) if (current[q] !== 0) this.pairs.add(q, current[q]!);
    current.fill(0);
    this.any = false;
    this.starts.add(2 * this.pairs.length);
    return this.length++;
  }

  done(): AmountRows {
    return { length: this.length, starts: this.starts.used, pairs: this.pairs.used };
  }
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

class Builder {
  readonly rows = new Rows(ROW);
  readonly spends = new AmountRowsBuilder();
  readonly linear = new AmountRowsBuilder();
  private readonly features: Features;
  /** Broadcast TLBIs that no DSB has completed yet. */
  private broadcast = 0;

  constructor(features: Features) {
    this.features = features;
  }

  course({ acts }: ClockCourse): void {
    this.broadcast = 0;
    for (let i = 0; i < acts.length; ) i += this.act(acts, i);
    this.settle();
    this.rows.add(END);
    this.linear.end();
  }

  /** Acts that were read. */
  private act(acts: readonly ClockAct[], at: number): number {
    const act = acts[at]!;
    switch (act.act) {
      case "steps":
        this.spend("step_ns", act.n);
        return 1;
      case "spend":
        this.spend(act.quantity, act.n);
        return 1;
      case "pte":
        this.spend("pte_ns", act.n);
        return 1;
      case "fault":
        if (!act.device) this.spend("fault_ns", 1);
        else if (this.features.iommu !== "none") this.spend("device_fault_ns", 1);
        return 1;
      case "tlbi": {
        const ops = act.instructions;
        if (act.broadcast) this.broadcast += ops;
        this.spend(act.broadcast ? "tlbi_broadcast_ns" : "tlbi_local_ns", ops);
        return 1;
      }
      case "dsb":
        this.dsb(act.completes);
        return 1;
      case "notifier":
        if (this.features.iommu !== "none") this.spend("notifier_ns", 1);
        return 1;
      case "cmdlist":
        if (this.features.iommu === "smmuv2") this.registers(act);
        else if (this.features.iommu !== "none") this.list(act);
        return 1;
      case "ipi":
      case "flush":
        return this.flushes(acts, at);
    }
  }

  private dsb(completes: boolean): void {
    if (!completes || this.broadcast === 0) {
      this.spend("dsb_local_ns", 1);
      return;
    }
    this.complete(this.broadcast);
    this.broadcast = 0;
    if (!this.features.repeat_tlbi) return;
    this.spend("tlbi_broadcast_ns", 1);
    this.complete(1);
  }

  private complete(instructions: number): void {
    this.settle();
    this.rows.add(DVM, instructions);
    this.count("dsb_base_ns", 1);
    this.count("dsb_per_cpu_ns", this.features.cpus);
  }

  /** Interrupts, flushes and steps between them are one shootdown: it is waited for once. */
  private flushes(acts: readonly ClockAct[], from: number): number {
    let targets = 0;
    let remote = 0;
    let at = from;
    const own: (Act & { readonly act: "flush" })[] = [];
    for (; at < acts.length; at++) {
      const act = acts[at]!;
      if (act.act === "ipi") targets++;
      else if (act.act === "steps" && goesOn(acts, at)) this.spend("step_ns", act.n);
      else if (act.act !== "flush") break;
      else if (act.own) own.push(act);
      else remote = Math.max(remote, pagesFlushed(act));
    }
    if (this.features.invlpgb && targets >= 2) {
      this.spend("invlpgb_ns", Math.max(1, Math.ceil(finite(remote) / 8)));
      this.spend("tlbsync_ns", 1);
      return at - from;
    }
    // What the sender flushes itself it does while the others answer.
    if (targets > 0) this.interrupts(targets, remote);
    else for (const act of own) this.flush(pagesFlushed(act));
    return at - from;
  }

  private interrupts(targets: number, remote: number): void {
    this.settle();
    const full = remote === Number.POSITIVE_INFINITY;
    // One INVLPG is part of the measured round trip.
    const more = full ? 0 : Math.max(0, remote - 1);
    this.rows.add(IPI, targets, more, full ? 1 : 0);
    this.count("ipi_first_ns", 1);
    this.count("ipi_next_ns", targets - 1);
    this.count(full ? "full_flush_ns" : "invlpg_ns", full ? 1 : more);
  }

  private flush(pages: number): void {
    if (pages === Number.POSITIVE_INFINITY) this.spend("full_flush_ns", 1);
    else this.spend("invlpg_ns", pages);
  }

  private list(act: Act & { readonly act: "cmdlist" }): void {
    const { smmu_order } = this.features;
    const smmus = act.dma ? 1 : this.features.smmus;
    if (act.op !== "CMD_ATC_INV") {
      const commands = commandsOf(act, this.features.range_inv);
      if (smmu_order === "sequential" || smmus === 1)
        for (const s of range(smmus)) this.queue(s, commands, act);
      else this.queue(-1, commands, act);
      return;
    }
    // Devices are spread over the IOMMUs.
    const lists = Math.min(smmus, act.devices);
    const each = Math.ceil(act.devices / smmus);
    this.settle();
    const all = smmu_order === "sequential" ? range(lists) : [-lists];
    for (const smmu of all) this.rows.add(ATC, smmu, act.lo, act.hi, act.sync ? 1 : 0, each);
  }

  /** An SMMUv2 has no queue: the CPU writes, and waits. */
  private registers(act: Act & { readonly act: "cmdlist" }): void {
    const all = act.hi === Number.POSITIVE_INFINITY;
    const writes = all ? SMMUV2_ALL : smmuv2Unmap(act.hi - act.lo, "TLBIASID").acts;
    for (const a of writes) if (a.act === "spend") this.spend(a.quantity, a.n);
  }

  private queue(smmu: number, commands: number, act: Act & { readonly act: "cmdlist" }): void {
    const { queue_remote, trapped, smmus } = this.features;
    const times = submissions(commands);
    const built = smmu < 0 ? smmus : 1;
    const syncs = act.sync ? 1 : 0;
    this.spend("cmd_build_ns", built * (commands + syncs));
    if (trapped) this.spend("trap_ns", built * times);
    this.settle();
    this.rows.add(QUEUE, smmu, commands, times, syncs);
    if (!act.sync) return;
    this.count("cmd_ns", commands);
    this.count("cmd_sync_ns", 1);
    if (queue_remote) this.count("cmdq_remote_ns", 1);
  }

  private spend(name: QuantityName, times: number): void {
    this.spends.count(name, times);
    this.linear.count(name, times);
  }

  private count(name: QuantityName, times: number): void {
    this.linear.count(name, times);
  }

  /** What was spent since the last visit becomes a row. */
  private settle(): void {
    if (this.spends.any) this.rows.add(SPEND, this.spends.end());
  }
}

/** Whether steps are between interrupts and flushes of one shootdown. */
function goesOn(acts: readonly ClockAct[], from: number): boolean {
  let at = from;
  while (acts[at]?.act === "steps") at++;
  return acts[at]?.act === "ipi" || acts[at]?.act === "flush";
}

/** Times that a list of so many commands is handed to the queue. */
export const submissions = (commands: number): number =>
  Math.max(1, Math.ceil(commands / CMDQ_BATCH_ENTRIES));

function pagesFlushed({ lo, hi }: { readonly lo: number; readonly hi: number }): number {
  return Math.max(0, hi - lo);
}

const finite = (n: number) => (n === Number.POSITIVE_INFINITY ? 1 : n);
