// SPDX-License-Identifier: Apache-2.0
// Runs courses against time: CPUs, and the servers they share, by discrete events.
//
//   CPU 0  ──spend──► DVM ──spend──► queue ─► ...     one server: who comes first is served first
//   CPU 1  ──────spend──────► DVM (waits) ...
//
// The CPU with the least time goes on until another has less, so that a server is visited in the
// order of time. Nothing is allocated while an operation runs.

import { atcExactSpans, atcSpan } from "../kernel/iommu/arm-smmu-v3-commands.ts";
import {
  type Amounts,
  ATC,
  type ClockProgram,
  DVM,
  END,
  IPI,
  noAmounts,
  pricedRows,
  QUEUE,
  ROW,
  SPEND,
  submissions,
} from "./clock-program.ts";
import type { Features } from "./profile.ts";
import { QUANTITY_INDEX } from "./quantities.ts";
import { Agenda, Server } from "./servers.ts";
import type { Timeline } from "./timeline.ts";

/** Invalidations that a device takes at a time (PCIe ATS, Invalidate Queue Depth). */
export const ATC_DEPTH = 32;

/** Where time goes beyond what one CPU alone would need. */
export const WAITS = ["dvm", "ipi", "queue"] as const;
export type Wait = (typeof WAITS)[number];

export interface Outcome {
  /** From the start of each operation to its end, added up. */
  readonly time_ns: number;
  /** When the last ended. */
  readonly makespan_ns: number;
  readonly waits_ns: Readonly<Record<Wait, number>>;
  /** How long the servers were in use; all queues together. */
  readonly busy_ns: Readonly<Record<"dvm" | "queue", number>>;
  /** What CPUs lose that did not ask: handlers of interrupts, and the traffic of DVM. */
  readonly bystander_ns: number;
  /** What ATC invalidations add to the linear part: it depends on where the ranges lie. */
  readonly atc: Amounts;
}

export function simulate(
  timeline: Timeline,
  program: ClockProgram,
  features: Features,
  values: Float64Array,
): Outcome {
  return new Clock(timeline, program, features, values).run();
}

/** Places of quantities, and their values: objects of fixed shape, read all the time. */
const Q = {
  atc_per_page_ns: QUANTITY_INDEX.atc_per_page_ns,
  atc_round_trip_ns: QUANTITY_INDEX.atc_round_trip_ns,
  bystander_share: QUANTITY_INDEX.bystander_share,
  cmd_build_ns: QUANTITY_INDEX.cmd_build_ns,
  cmd_ns: QUANTITY_INDEX.cmd_ns,
  cmd_sync_ns: QUANTITY_INDEX.cmd_sync_ns,
  cmdq_lock_per_cpu_ns: QUANTITY_INDEX.cmdq_lock_per_cpu_ns,
  cmdq_remote_ns: QUANTITY_INDEX.cmdq_remote_ns,
  dsb_base_ns: QUANTITY_INDEX.dsb_base_ns,
  dsb_per_cpu_ns: QUANTITY_INDEX.dsb_per_cpu_ns,
  dvm_per_sender_ns: QUANTITY_INDEX.dvm_per_sender_ns,
  dvm_service_ns: QUANTITY_INDEX.dvm_service_ns,
  full_flush_ns: QUANTITY_INDEX.full_flush_ns,
  invlpg_ns: QUANTITY_INDEX.invlpg_ns,
  ipi_first_ns: QUANTITY_INDEX.ipi_first_ns,
  ipi_handler_ns: QUANTITY_INDEX.ipi_handler_ns,
  ipi_next_ns: QUANTITY_INDEX.ipi_next_ns,
  tlbi_broadcast_ns: QUANTITY_INDEX.tlbi_broadcast_ns,
  trap_ns: QUANTITY_INDEX.trap_ns,
};
type Times = { -readonly [Name in keyof typeof Q]: number };

function timesOf(values: Float64Array): Times {
  const times: Times = { ...Q };
  for (const name of Object.keys(Q) as (keyof Times)[]) times[name] = values[Q[name]]!;
  return times;
}

class Clock {
  private readonly timeline: Timeline;
  private readonly program: ClockProgram;
  private readonly features: Features;
  private readonly times: Readonly<Times>;
  private readonly spends: Float64Array;
  private readonly dvm: Server;
  /** All queues of the first IOMMU, then those of the second ... */
  private readonly queues: readonly Server[];
  /** When each device has answered all it was sent, by IOMMU: its devices do the same. */
  private readonly devices: Float64Array;
  /** When each CPU leaves its handler of interrupts. */
  private readonly handlers: Float64Array;
  private readonly time: Float64Array;
  private time_ns = 0;
  private readonly waits = { dvm: 0, ipi: 0, queue: 0 };
  private readonly atc = noAmounts();
  private handled = 0;
  /** How long any completion was pending. */
  private pending = 0;
  private pendingUntil = 0;

  constructor(timeline: Timeline, program: ClockProgram, features: Features, values: Float64Array) {
    this.timeline = timeline;
    this.program = program;
    this.features = features;
    this.times = timesOf(values);
    this.spends = pricedRows(program.spends, values);
    const { cpus } = timeline;
    this.dvm = new Server(cpus);
    const servers = features.smmus * features.queues;
    this.queues = Array.from({ length: servers }, () => new Server(cpus));
    this.devices = new Float64Array(features.smmus);
    this.handlers = new Float64Array(Math.max(features.cpus, cpus));
    this.time = new Float64Array(cpus);
  }

  run(): Outcome {
    const { at, cpus, chains } = this.timeline;
    for (let c = 0; c < cpus; c++) this.time[c] = at[chains.first[c]!]!;
    const agenda = new Agenda(this.time);
    for (let c = 0; c < cpus; c++) agenda.push(c);
    this.events(agenda, chains.first.slice(), chains.next);
    return this.outcome();
  }

  private events(agenda: Agenda, current: Int32Array, next: Int32Array): void {
    const { time, timeline, spends } = this;
    const { rows, starts, visits } = this.program;
    const { at, course, base, repeat } = timeline;
    /** Repetitions of the current operation that are done. */
    const doneOf = new Float64Array(current.length);
    const rowOf = new Int32Array(current.length);
    for (let c = 0; c < rowOf.length; c++) rowOf[c] = starts[course[current[c]!]!]!;
    const beganOf = Float64Array.from(time);
    while (!agenda.empty) {
      const c = agenda.pop();
      const limit = agenda.next;
      let now = time[c]!;
      let row = rowOf[c]!;
      let operation = current[c]!;
      let done = doneOf[c]!;
      let began = beganOf[c]!;
      while (now <= limit) {
        const kind = rows[row]!;
        if (kind !== END) {
          if (kind === SPEND) now += spends[rows[row + 1]!]!;
          else now = this.visit(kind, c, now, row, base[operation]! + done);
          row += ROW;
          continue;
        }
        const of = course[operation]!;
        done++;
        const left = repeat[operation]! - done;
        if (left > 0) {
          if (visits[of] === 1) {
            row = starts[of]!;
            continue;
          }
          // A CPU alone repeats what it did alone: no need to go through it again.
          now += (now - began) * left;
        }
        done = 0;
        this.time_ns += now - began;
        operation = next[operation]!;
        if (operation < 0) break;
        if (at[operation]! > now) now = at[operation]!;
        began = now;
        row = starts[course[operation]!]!;
      }
      time[c] = now;
      rowOf[c] = row;
      current[c] = operation;
      doneOf[c] = done;
      beganOf[c] = began;
      if (operation >= 0) agenda.push(c);
    }
  }

  /** The time after a row that visits a server. */
  private visit(kind: number, cpu: number, now: number, row: number, base: number): number {
    switch (kind) {
      case DVM:
        return this.completion(cpu, now, this.program.rows[row + 1]!);
      case IPI:
        return this.interrupts(cpu, now, row);
      case QUEUE:
        return this.list(cpu, now, row);
      case ATC:
        return this.invalidate(cpu, now, row, base);
      default:
        throw new Error(`row of kind ${kind}`);
    }
  }

  /** Messages flow while instructions are issued; a DSB ends when the server is through them. */
  private completion(cpu: number, now: number, instructions: number): number {
    const alone = this.times.dsb_base_ns + this.times.dsb_per_cpu_ns * this.features.cpus;
    const issued = (instructions - 1) * this.times.tlbi_broadcast_ns;
    const senders = this.dvm.sharers(cpu, now);
    const service = this.times.dvm_service_ns + this.times.dvm_per_sender_ns * (senders - 1);
    const done = this.dvm.visit(Math.max(0, now - issued), issued + service);
    const end = Math.max(now + alone, done);
    this.waits.dvm += end - now - alone;
    this.pending += Math.max(0, end - Math.max(now, this.pendingUntil));
    this.pendingUntil = Math.max(this.pendingUntil, end);
    return end;
  }

  /** Each target runs its handlers one after the other. */
  private interrupts(cpu: number, now: number, row: number): number {
    const { rows } = this.program;
    const targets = rows[row + 1]!;
    const more = rows[row + 2]! * this.times.invlpg_ns + rows[row + 3]! * this.times.full_flush_ns;
    const next = this.times.ipi_next_ns;
    const handler = Math.min(this.times.ipi_handler_ns, this.times.ipi_first_ns) + more;
    const sent = this.times.ipi_first_ns + more - handler;
    let end = 0;
    for (let i = 0; i < targets; i++) {
      const target = (cpu + 1 + i) % this.handlers.length;
      const begin = Math.max(now + sent + i * next, this.handlers[target]!);
      this.handlers[target] = begin + handler;
      if (begin + handler > end) end = begin + handler;
    }
    this.handled += targets * handler;
    const alone = now + sent + (targets - 1) * next + handler;
    this.waits.ipi += end - alone;
    return end;
  }

  private list(cpu: number, now: number, row: number): number {
    const { rows } = this.program;
    const smmu = rows[row + 1]!;
    const commands = rows[row + 2]!;
    const times = rows[row + 3]!;
    const sync = rows[row + 4]!;
    const service = commands * this.times.cmd_ns + sync * this.syncTime();
    if (smmu >= 0) return this.submit(cpu, now, smmu, service, 0, times, sync, now);
    let end = now;
    for (let s = 0; s < this.features.smmus; s++) {
      end = this.submit(cpu, now, s, service, 0, times, sync, end);
    }
    return end;
  }

  private syncTime(): number {
    const remote = this.features.queue_remote ? this.times.cmdq_remote_ns : 0;
    return this.times.cmd_sync_ns + remote;
  }

  /**
   * The later of `end` and when this list is consumed, if it is waited for. `more`: what the
   * service is longer because of others.
   */
  private submit(
    cpu: number,
    now: number,
    smmu: number,
    service: number,
    more: number,
    times: number,
    sync: number,
    end: number,
  ): number {
    const queue = this.queueOf(cpu, smmu);
    const lock = times * this.times.cmdq_lock_per_cpu_ns * queue.sharers(cpu, now);
    const done = queue.visit(now, service + more + lock);
    if (sync === 0 || done <= end) return end;
    const alone = Math.max(end, now + service);
    this.waits.queue += done - alone;
    return done;
  }

  private queueOf(cpu: number, smmu: number): Server {
    const { queues } = this.features;
    return this.queues[smmu * queues + (cpu % queues)]!;
  }

  /** The queue waits at CMD_SYNC until the devices have answered. */
  private invalidate(cpu: number, now: number, row: number, base: number): number {
    const { rows } = this.program;
    const smmu = rows[row + 1]!;
    const sync = rows[row + 4]!;
    const devices = rows[row + 5]!;
    const { atc_entries } = this.features;
    const first = base + rows[row + 2]!;
    const end = base + rows[row + 3]!;
    const whole = end === Number.POSITIVE_INFINITY || end <= first;
    const exact = this.features.atc_span === "exact";
    const each = whole || !exact ? 1 : atcExactSpans(first, end);
    const pages = whole ? atc_entries : exact ? end - first : atcSpan(first, end);
    const commands = each * devices;
    const trips = Math.ceil(each / ATC_DEPTH);
    const behind = Math.min(pages, atc_entries);
    const device = trips * this.times.atc_round_trip_ns + behind * this.times.atc_per_page_ns;
    const all = smmu < 0 ? -smmu : 1;
    const lists = submissions(commands);
    const traps = this.features.trapped ? all * lists : 0;
    const begin =
      now + all * (commands + sync) * this.times.cmd_build_ns + traps * this.times.trap_ns;
    let done = begin;
    for (let s = Math.max(0, smmu); s < Math.max(0, smmu) + all; s++) {
      // Once the queue comes to it, and the device is through what other queues have sent.
      const start = Math.max(begin, this.queueOf(cpu, s).free);
      const busy = Math.max(0, this.devices[s]! - start);
      this.devices[s] = start + busy + device;
      const service = commands * this.times.cmd_ns + sync * (device + this.syncTime());
      done = this.submit(cpu, begin, s, service, sync * busy, lists, sync, done);
    }
    this.note(Q.cmd_build_ns, all * (commands + sync));
    this.note(Q.trap_ns, traps);
    this.note(Q.cmd_ns, sync * commands);
    this.note(Q.cmd_sync_ns, sync);
    if (this.features.queue_remote) this.note(Q.cmdq_remote_ns, sync);
    this.note(Q.atc_round_trip_ns, sync * trips);
    this.note(Q.atc_per_page_ns, sync * behind);
    return done;
  }

  private note(quantity: number, times: number): void {
    this.atc[quantity]! += times;
  }

  private outcome(): Outcome {
    const { dvm, queues, waits, atc, time_ns, handled } = this;
    const busy = { dvm: dvm.busy_ns, queue: queues.reduce((sum, q) => sum + q.busy_ns, 0) };
    const others = this.features.cpus - 1;
    const bystander_ns = handled + this.times.bystander_share * this.pending * others;
    const makespan_ns = this.time.reduce((a, b) => Math.max(a, b), 0);
    return { time_ns, makespan_ns, waits_ns: { ...waits }, busy_ns: busy, bystander_ns, atc };
  }
}
