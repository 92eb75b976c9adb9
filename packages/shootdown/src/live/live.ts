// SPDX-License-Identifier: Apache-2.0
// The live machine: a program maps pages, runs kernel operations, lets CPUs and devices access
// memory, and asks at any time what each TLB, IOTLB and ATC holds and which entries are stale.
//
//   program ──operation──► task ──steps, by hand or by a schedule──► events, caches, violations
//
// Addresses are in bytes and multiples of PAGE_SIZE. A cache takes what an access misses; nothing
// else fills, evicts or takes effect unless a step says so.

import { seededRandom } from "../base/random.ts";
import type { OpenOptions, OpenTransition } from "../engine/open.ts";
import { OpenMachine } from "../engine/open.ts";
import type { Scheduler } from "../engine/open-schedule.ts";
import { prompt, seeded } from "../engine/open-schedule.ts";
import type { StoredRun } from "../engine/open-store.ts";
import type { OpenLogEntry, Value } from "../engine/open-value.ts";
import type { Domain, Initial, System } from "../engine/program.ts";
import { ttbr0, ttbr0_valid } from "../hardware/arm64/tlb.ts";
import { KNOBS, machineOf } from "../hardware/machines.ts";
import type { FieldDecl, Sorts } from "../ir/expr.ts";
import type { ObserverDecl } from "../ir/machine.ts";
import { switch_mm } from "../kernel/arch/x86/mm/tlb.ts";
import { dup_mmap } from "../kernel/fork.ts";
import { arm_smmu_device_reset, arm_smmu_sva_bind } from "../kernel/iommu/arm-smmu-v3-sva.ts";
import { do_munmap, exit_mmap } from "../kernel/mm/mmap.ts";
import { do_mprotect_pkey } from "../kernel/mm/mprotect.ts";
import { master_ats_enabled, mm_pasid, next_free_page, nr_ats_masters } from "../kernel/state.ts";
import type { Architecture } from "../vocabulary/architecture.ts";
import { architectureOf } from "../vocabulary/architecture.ts";
import { cd_asid, dev_ats, ste_eats } from "../vocabulary/iommu.ts";
import { cpu_access, device_access } from "../vocabulary/primitives.ts";
import { LIVE_OBSERVERS } from "../vocabulary/properties.ts";
import { t } from "../vocabulary/sorts.ts";
import { asid_of, life, pmd, pte_table, table_life } from "../vocabulary/state.ts";
import { configure } from "./configuration.ts";
import { LIVE_INITIAL, LIVE_LIMITS, liveDomain } from "./domain.ts";
import { mapPages } from "./mapping.ts";
import type { Device, LiveOptions, MapOptions, Process } from "./options.ts";
import { Routines, type Startable } from "./routines.ts";
import type { Completion, Task } from "./task.ts";
import { taskOf } from "./task.ts";
import type { CacheEntry } from "./view.ts";
import { cacheEntries, describeEvents, descriptor } from "./view.ts";
import { interrupts, withoutIommu } from "./x86.ts";

/** Bytes of a page. */
export const PAGE_SIZE = 4096;
const PTRS_PER_PTE = LIVE_LIMITS.PTRS_PER_PTE;
/** What one frame more adds to a descriptor word: six flag bits lie below. */
const FRAME_UNIT = 2 ** 6;

export type { Device, LiveOptions, MapOptions, Process } from "./options.ts";

/** Steps that a run makes at most before it says that it does not end. */
const STEPS_MAX = 10_000_000;

/** Opens a machine. Throws on an unknown machine, kernel or knob. */
export function openMachine(options: LiveOptions): LiveMachine {
  return new LiveMachine(options);
}

/** What those see of a machine who know what it is made of. */
export interface LiveInner {
  /** What begins otherwise, as where huge pages are mapped. */
  readonly initial?: readonly Initial[];
  /** Properties that are watched; default: all of LIVE_OBSERVERS. */
  readonly observers?: readonly ObserverDecl[];
  /** Limits that are others than LIVE_LIMITS. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Receives the origin of each instruction that is run, and how often it ran in a bulk loop. */
  readonly trace?: OpenOptions["trace"];
}

export class LiveMachine {
  /** Events since the start (or since `takeEvents`), bulk groups as one with their count. */
  private log: OpenLogEntry[] = [];
  /** Receives log entries instead of the log. */
  onLog: ((e: OpenLogEntry) => void) | undefined;
  /** A task that is being finished waits, and what runs is something else. */
  waiting = false;
  private readonly scheduler = prompt();
  private readonly open: OpenMachine;
  private readonly system: System;
  private readonly routines: Routines;
  private readonly processes: Process[] = [];
  private readonly devices: Device[] = [];
  private readonly architecture: Architecture;
  private readonly ats: boolean;
  private readonly cpus: number;
  private nextPage = 16;
  private nextTable = 0;

  /** `inner`: for who starts routines beyond those of the methods. */
  constructor(options: LiveOptions, inner?: LiveInner) {
    const configured = configure(options.machine, options.kernel, options.knobs ?? {});
    if (!configured.ok) {
      const { what, name, known } = configured.problem;
      throw new Error(`unknown ${what} ${name}; known: ${known.join(", ")}`);
    }
    const { kernel, knobs } = configured.configuration;
    this.architecture = architectureOf(knobs);
    this.cpus = options.cpus ?? 2;
    this.ats = knobs["ats"] === "yes";
    this.system = {
      machine: machineOf(knobs),
      kernel: this.architecture === "x86" ? withoutIommu(kernel) : kernel,
      domain: liveDomain(this.cpus, inner?.limits),
      knobs: { ...Object.fromEntries(KNOBS.map((k) => [k.name, k.values[0]])), ...knobs },
      threads: this.architecture === "x86" ? interrupts(this.cpus) : [],
      observers: inner?.observers ?? LIVE_OBSERVERS,
      initial: [...LIVE_INITIAL, ...(inner?.initial ?? [])],
      entries: [],
    };
    const log = (e: OpenLogEntry) => {
      if (this.onLog) this.onLog(e);
      else this.log.push(e);
    };
    // Frames follow each other along a mapping, and tables along an address space: one run each.
    const affine = { desc: "pfn" };
    const stairs = { [pte_table.decl.name]: { index: 0, every: PTRS_PER_PTE } };
    this.routines = new Routines(this.system, inner !== undefined);
    const trace = inner?.trace;
    const openOptions = { log, affine, stairs, ...(trace && { trace }) };
    this.open = new OpenMachine(this.routines.program(), openOptions);
    if (this.architecture === "arm64") this.finish(this.start("reset", arm_smmu_device_reset, {}));
  }

  /** A new process; it runs on the CPUs that `runOn` gives it. */
  process(name: string): Process {
    const mm = this.processes.length;
    if (mm >= this.system.domain.sizes["mm"]!) throw new Error("no more processes");
    const p = { name, mm };
    this.processes.push(p);
    this.name("mm", name);
    this.set(asid_of.decl, [mm], mm);
    this.set(mm_pasid.decl, [mm], mm);
    return p;
  }

  /** Lets a CPU run a process from now on. */
  runOn(cpu: number, process: Process): void {
    const { mm } = process;
    if (this.architecture === "x86")
      return this.finish(this.start("switch", switch_mm, { cpu, mm }));
    this.set(ttbr0.decl, [this.cpu(cpu)], mm);
    // A process that has exited left it without.
    this.set(ttbr0_valid.decl, [cpu], 1);
  }

  /** Binds a device to a process, as the kernel's driver does it (SVA). */
  device(name: string, process: Process, options: { register?: boolean } = {}): Device {
    const dev = this.devices.length;
    if (dev >= this.system.domain.sizes["dev"]!) throw new Error("no more devices");
    const d = { name, dev, process };
    this.devices.push(d);
    this.name("dev", name);
    this.name("agent", name);
    this.name("cpu", `${name}.worker`);
    const subscribe = (options.register ?? true) ? 1 : 0;
    this.finish(this.start("bind", arm_smmu_sva_bind, { dev, mm: process.mm, subscribe }));
    this.set(dev_ats.decl, [dev], this.ats ? 1 : 0);
    this.set(ste_eats.decl, [dev], this.ats ? 1 : 0);
    this.set(master_ats_enabled.decl, [dev], this.ats ? 1 : 0);
    if (this.ats) this.set(nr_ats_masters.decl, [process.mm], 1);
    return d;
  }

  /** Maps private anonymous pages. Returns the address. */
  map(process: Process, options: MapOptions = {}): number {
    const va = options.at === undefined ? this.nextPage : this.page(options.at);
    this.nextPage = Math.max(this.nextPage, va + (options.pages ?? 1));
    mapPages(this, process.mm, va, options);
    return va * PAGE_SIZE;
  }

  /** Begins a munmap; `length` in bytes. */
  munmap(cpu: number, process: Process, address: number, length = PAGE_SIZE): Task {
    const range = this.range(address, length);
    return this.start("munmap", do_munmap, { cpu: this.cpu(cpu), mm: process.mm, range });
  }

  /** Begins an mprotect; `length` in bytes. */
  mprotect(
    cpu: number,
    process: Process,
    address: number,
    length: number,
    protection: "read-only" | "read-write",
  ): Task {
    const range = this.range(address, length);
    const writable = protection === "read-write" ? 1 : 0;
    const args = { cpu: this.cpu(cpu), mm: process.mm, range, writable };
    return this.start("mprotect", do_mprotect_pkey, args);
  }

  /** Begins a fork of the process. */
  fork(cpu: number, process: Process): Task {
    return this.start("fork", dup_mmap, { cpu: this.cpu(cpu), mm: process.mm });
  }

  /** Begins the exit of the process. */
  exit(cpu: number, process: Process): Task {
    return this.start("exit", exit_mmap, { cpu: this.cpu(cpu), mm: process.mm });
  }

  /** Begins a load of a CPU. */
  load(cpu: number, process: Process, address: number): Task {
    return this.cpuAccess(cpu, process, address, 0);
  }

  /** Begins a store of a CPU. */
  store(cpu: number, process: Process, address: number): Task {
    return this.cpuAccess(cpu, process, address, 1);
  }

  /** Begins a read of a device. */
  read(device: Device, address: number): Task {
    return this.deviceAccess(device, address, 0);
  }

  /** Begins a write of a device. */
  write(device: Device, address: number): Task {
    return this.deviceAccess(device, address, 1);
  }

  /** What is outstanding, in order: TLBIs that a PE or the SMMU owes, commands in the queue. */
  outstanding(): Completion[] {
    const { open } = this;
    return open.effects().map((t) => ({ name: this.nameOf(t), step: () => open.step(t) }));
  }

  /** Runs tasks and completions until nothing can move. Throws if that does not end. */
  run(): void {
    this.drive(prompt());
  }

  /** The same under a random schedule, the same for the same seed. */
  runSeeded(seed: number): void {
    this.drive(seeded(seededRandom(seed)));
  }

  /** Runs until the task is done. Throws if it waits for ever. */
  finish(task: Task): void {
    for (let n = 0; ; n++) {
      if (n > STEPS_MAX || !task.run(STEPS_MAX)) throw new Error(`${task.name} does not end`);
      if (task.done) break;
      this.waiting = true;
      const moved = this.scheduler(this.open);
      this.waiting = false;
      if (!moved) throw new Error(`${task.name} waits for ever`);
    }
    this.open.retire();
  }

  /** From here on until the result is called everything that happens is taken back by it. */
  attempt(): () => void {
    const { journal } = this.open;
    const mark = journal.mark();
    const { nextTable } = this;
    return () => {
      journal.rollback(mark);
      journal.close(mark);
      this.nextTable = nextTable;
    };
  }

  /**
   * Notes which frames and tables were handed out. Calling the result forgets all that came after:
   * nothing may be mapped to it any more.
   */
  frames(): () => void {
    const { nextTable } = this;
    const next = this.get(next_free_page.decl, []);
    return () => {
      this.open.fields.forget(t.pfn.name, next, this.get(next_free_page.decl, []));
      this.open.fields.forget(t.table.name, nextTable, this.nextTable);
      this.set(next_free_page.decl, [], next);
      this.nextTable = nextTable;
    };
  }

  /** Every entry of every cache, and whether it is stale. */
  caches(): CacheEntry[] {
    return cacheEntries(this.open, this.system, this.processes, this.devices);
  }

  get domain(): Domain {
    return this.system.domain;
  }

  /** Runs of elements along a field's last index; none if no routine of this kernel names it. */
  runs(field: FieldDecl, index: readonly number[], count: number): readonly StoredRun[] {
    if (!this.open.fields.named(field.name)) return [];
    return this.open.fields.runs(field.name, index, count);
  }

  /** Log entries since the start, or since they were last taken. */
  takeLog(): OpenLogEntry[] {
    const log = this.log;
    this.log = [];
    return log;
  }

  /** Takes an entry out of a cache; false if it is not there. */
  evict(entry: CacheEntry): boolean {
    const t = this.open.freeTransition("evict", entry.cache, entry.key);
    return this.open.step(t, [entry.raw]);
  }

  /** Takes every entry out of every cache. */
  evictAll(): void {
    const { cells } = this.open;
    for (const name of cells.names()) {
      for (const { key } of cells.entries(name)) cells.evict(name, key);
    }
  }

  /** Properties that were violated so far. */
  violations(): string[] {
    return LIVE_OBSERVERS.map((o) => o.name).filter((name) => this.open.violated(name));
  }

  /** The events so far, as `name key=value ...` lines; a bulk group is one line with its count. */
  takeEvents(): string[] {
    return describeEvents(this.takeLog(), this.system.domain);
  }

  private name(sort: string, name: string): void {
    (this.system.domain.names[sort] as string[]).push(name);
  }

  private cpuAccess(cpu: number, process: Process, address: number, write: number): Task {
    const c = this.cpu(cpu);
    const va = this.page(address);
    const args = { cpu: c, agent: c, mm: process.mm, va, write };
    const region = Math.floor(va / PTRS_PER_PTE);
    const x86 = this.architecture === "x86";
    return this.start("access", cpu_access, args, () => {
      this.take(x86 ? "psc" : "walk_cache", [c, process.mm, region]);
      this.take(x86 ? "x86_tlb" : "tlb", [c, process.mm, va]);
    });
  }

  private deviceAccess(device: Device, address: number, write: number): Task {
    const { dev, process } = device;
    const va = this.page(address);
    const args = {
      ...{ dev, mm: process.mm, va, write },
      agent: this.cpus + dev,
      worker: this.cpus + dev,
    };
    const region = Math.floor(va / PTRS_PER_PTE);
    return this.start(device.name, device_access, args, () => {
      const asid = this.get(cd_asid.decl, [process.mm]);
      this.take("smmu_walk_cache", [asid, region]);
      this.take("smmu_tlb", [asid, va]);
      if (this.ats) this.take("atc", [dev, process.mm, va]);
    });
  }

  /** A miss: the cache takes what the walk finds, if it may keep it. */
  private take(cache: string, key: readonly number[]): void {
    if (this.open.cells.values(cache, key).length > 0) return;
    this.open.step(this.open.freeTransition("fill", cache, key));
  }

  /** Begins any routine, if the machine was opened with `inner`. */
  start<P extends Sorts>(
    name: string,
    routine: Startable<P>,
    args: { readonly [K in keyof P]: Value },
    beforeStep?: () => void,
  ): Task {
    const lowered = this.routines.of(routine);
    const given = new Map<number, Value>();
    for (const [param, reg] of lowered.parameters) given.set(reg, args[param]!);
    const thread = this.open.spawn(lowered.thread, given);
    return taskOf(this.open, thread, name, beforeStep);
  }

  private drive(scheduler: Scheduler): void {
    for (let n = 0; scheduler(this.open); n++) {
      if (n > STEPS_MAX) throw new Error(`no end after ${STEPS_MAX} steps`);
    }
  }

  /** Entries along a table, each of the next frame, or all of the same. */
  fillFrames(index: readonly number[], count: number, entry: number, same = entry === 0): void {
    this.open.store(pte_table.decl);
    this.open.fields.setRun(pte_table.decl.name, index, count, entry, same ? 0 : FRAME_UNIT);
  }

  /** Gives a region an empty table. */
  newTable(mm: number, region: number): void {
    const next = this.nextTable++;
    const upper = descriptor(this.system.domain, { valid: 1, table: 1, next });
    this.set(pmd.decl, [mm, region], upper);
    this.set(table_life.decl, [next], life.values.indexOf("used"));
  }

  /** Sets a run of elements; fields that no routine of this kernel names are left alone. */
  fill(field: FieldDecl, index: readonly number[], count: number, value: number): void {
    this.open.store(field);
    this.open.fields.setRun(field.name, index, count, value);
  }

  private cpu(cpu: number): number {
    if (!(cpu >= 0 && cpu < this.cpus)) throw new Error(`no CPU ${cpu}`);
    return cpu;
  }

  private page(address: number): number {
    if (address % PAGE_SIZE !== 0) throw new Error(`0x${address.toString(16)} is not a page`);
    return address / PAGE_SIZE;
  }

  private range(address: number, length: number): Value {
    const lo = this.page(address);
    return { lo, hi: lo + Math.ceil(length / PAGE_SIZE) };
  }

  private nameOf(t: OpenTransition): string {
    const set = this.open.outstanding(t.name.split("[")[0]!, t.key)[t.slot];
    const fields = Object.entries(set ?? {}).map(([n, v]) => `${n}=${JSON.stringify(v)}`);
    return `${t.name} ${fields.join(" ")}`;
  }

  /** An element of a field; the field need not be one that a routine names. */
  get(field: FieldDecl, index: readonly number[]): number {
    const value = this.open.store(field).read(index);
    if (typeof value !== "number") throw new Error(`${field.name} holds a range`);
    return value;
  }

  set(field: FieldDecl, index: readonly number[], value: number): void {
    this.open.store(field).write(index, value);
  }
}
