// SPDX-License-Identifier: Apache-2.0
// Runs the kernel's own routines for the operations of a workload, and remembers what each asked of
// the machine.
//
//   operation on a Space ──► Local, a key ──known?──► Course, After
//                              └──not known──► live machine: do_munmap(), dup_mmap() ...
//
// The same operation on pages that are alike, elsewhere, takes the same course, moved: routines
// look at what they are given, and at the vmas and tables beside it, which the key has.

import type { OpenLogEntry, Value } from "../engine/open-value.ts";
import type { Origin } from "../engine/program.ts";
import type { Sorts } from "../ir/expr.ts";
import type { TlbiFeatures } from "../kernel/arch/arm64/asm/tlbi-ranges.ts";
import { dup_mmap } from "../kernel/fork.ts";
import { behavior, do_madvise } from "../kernel/mm/madvise.ts";
import { do_munmap, exit_mmap } from "../kernel/mm/mmap.ts";
import { mmu_notifier_invalidate_range_end } from "../kernel/mm/mmu_notifier.ts";
import { do_mprotect_pkey } from "../kernel/mm/mprotect.ts";
import { do_mprotect_none } from "../kernel/mm/mprotect-none.ts";
import { move_normal_pmd, move_ptes } from "../kernel/mm/mremap.ts";
import { entries_protnone } from "../kernel/state.ts";
import { LIVE_LIMITS } from "../live/domain.ts";
import { LiveMachine, PAGE_SIZE } from "../live/live.ts";
import type { Device, Process } from "../live/options.ts";
import type { Startable } from "../live/routines.ts";
import type { Task } from "../live/task.ts";
import type { Course } from "./course.ts";
import type { Probe } from "./family.ts";
import { Family } from "./family.ts";
import type { After, Local } from "./local.ts";
import { localKey, Place } from "./local.ts";
import { actsOf, tlbiFeatures } from "./log.ts";
import { Paths } from "./paths.ts";
import { SHAPED_PAGES_MAX, shapeOf } from "./shape.ts";
import { TABLE_PAGES } from "./space.ts";

/** What is run: a kernel on a machine, and what of the machine changes what is done. */
export interface RunnerOptions {
  /** `arm64+smmuv3+ats` */
  readonly machine: string;
  /** `linux-6.12` */
  readonly kernel: string;
  readonly knobs?: Readonly<Record<string, string>>;
  /** CPUs that a process runs on at most: whom x86 interrupts. Default 1. */
  readonly cpus?: number;
  /** Devices that are bound to a process with a device, 0..4. */
  readonly devices: number;
  /** The SMMU has range commands (SMMU_IDR3.RIL): the driver has no threshold. */
  readonly rangeCommands?: boolean;
  readonly limits?: Readonly<Record<string, number>>;
  /** False: what was run is run again each time. Default true. */
  readonly memory?: boolean;
}

/** What a routine is called for. */
export type Routine =
  | "munmap"
  | "mprotect ro"
  | "mprotect rw"
  | "mprotect none"
  | "madvise DONTNEED"
  | "madvise FREE"
  | "madvise COLD"
  // move_page_tables(): entries within one table, a whole table; and what follows all of them.
  | "mremap entries"
  | "mremap table"
  | "mremap end"
  | "fork"
  | "exit"
  | "read"
  | "write"
  | "device read"
  | "device write";

const ACCESSES = ["read", "write", "device read", "device write"] as const;
export type Access = (typeof ACCESSES)[number];
/** More than a machine has. */
export const CPUS = 128;

/** In what process a routine runs. */
export interface Context {
  /** A secondary TLB translates with its tables. */
  readonly bound: boolean;
  /** CPUs that it runs on. */
  readonly cpus: number;
}

export interface Ran<C> {
  readonly course: C;
  readonly after: After;
}
export type Done = Ran<Course>;

/** Who runs routines; `C` stands for the course that one took. */
export interface Runs<C> {
  /** A routine on what it touches. */
  run(routine: Routine, context: Context, local: Local, to?: Local): Ran<C>;
  /** An access to one page whose table is there. */
  access(routine: Access, context: Context, code: number): Ran<C>;
}

/** A context as far as it matters where at most so many CPUs do: who exits runs alone. */
export function contextOf(routine: Routine, { bound, cpus }: Context, most: number): Context {
  return { bound, cpus: routine === "exit" ? 1 : Math.min(cpus, most) };
}

/** Knows a routine in such a context. */
export const runKey = (routine: Routine, context: Context, local: Local, to?: Local): string =>
  `${routine} ${nameOf(context)} ${localKey(local)}${to ? ` > ${localKey(to)}` : ""}`;

/** Knows an access in such a context. */
export function accessKey(routine: Access, { bound, cpus }: Context, code: number): number {
  const kind = 2 * ACCESSES.indexOf(routine) + (bound ? 1 : 0);
  return (code * 2 * ACCESSES.length + kind) * CPUS + cpus;
}

const nameOf = ({ bound, cpus }: Context): string => `${bound ? BOUND : ""}${cpus}`;

/** Where operations run: a region with a free one before it. */
const REGION = 2;
/** Processes of a machine: one for each context. */
const PROCESSES = 8;

/** How the name of a context begins whose process has devices. */
const BOUND = "bound ";

interface Opened {
  readonly live: LiveMachine;
  /** By context. */
  readonly processes: Map<string, Process>;
  devices: readonly Device[];
  made: number;
  /** The context whose process runs. */
  running: string | undefined;
}

const devicesUsed = (routine: Routine): boolean => routine.startsWith("device");

export class Runner implements Runs<Course> {
  readonly options: RunnerOptions;
  /** Runs, of operations and of members of their families; and operations that were known. */
  ran = 0;
  known = 0;
  /** Operations whose course was derived from those of their family. */
  derived = 0;
  /** CPUs of the machine: on arm64 one, whose broadcasts are the same however many hear them. */
  readonly cpus: number;
  private readonly x86: boolean;
  private opened: Opened | undefined;
  private readonly memory = new Map<string, Done>();
  private readonly accesses = new Map<number, Done>();
  private readonly families = new Map<string, Family>();
  private readonly path = new Paths();
  private readonly tlbi: TlbiFeatures;
  private readonly thresholds: number[];
  private steps = 0;
  private log: { entry: OpenLogEntry; steps: number }[] = [];

  constructor(options: RunnerOptions) {
    this.options = options;
    this.x86 = options.machine.split("+")[0] === "x86";
    this.cpus = this.x86 ? (options.cpus ?? 1) : 1;
    this.tlbi = tlbiFeatures(options.machine, options.kernel);
    const limits = Object.values({ ...LIVE_LIMITS, ...options.limits });
    this.thresholds = [...new Set(limits)].filter((n) => n > 2 && n <= SHAPED_PAGES_MAX);
    // A wrong name is found before the first operation.
    this.machine();
  }

  /** Runs a routine on what it touches, or remembers it. */
  run(routine: Routine, context: Context, local: Local, to?: Local): Done {
    const seen = contextOf(routine, context, this.cpus);
    const key = runKey(routine, seen, local, to);
    let done = this.memory.get(key);
    if (done) {
      this.known++;
      return done;
    }
    const name = nameOf(seen);
    if (this.options.memory === false) return this.execute(routine, name, local, to);
    // What was derived is derived again sooner than it is kept.
    const derived = to ? undefined : this.derive(routine, name, local);
    if (derived) return derived;
    done = this.execute(routine, name, local, to);
    this.memory.set(key, done);
    return done;
  }

  /** The course of an operation like others but for its lengths, once those are known. */
  private derive(routine: Routine, name: string, local: Local): Done | undefined {
    const shape = shapeOf(local);
    if (!shape) return undefined;
    const key = `${routine} ${name} ${shape.key}`;
    let family = this.families.get(key);
    if (!family) {
      const run = (lengths: readonly number[]) => this.probe(routine, name, shape.at(lengths));
      const { tlbi, thresholds } = this;
      family = new Family({ run, tlbi, thresholds, pagesMax: SHAPED_PAGES_MAX });
      this.families.set(key, family);
    }
    const done = family.find(shape.lengths);
    if (done) this.derived++;
    return done;
  }

  private probe(routine: Routine, name: string, local: Local): Probe {
    // A switch to the process is no part of the way.
    this.process(name);
    this.path.begin();
    const done = this.execute(routine, name, local);
    return { done, path: this.path.end() };
  }

  /** Runs an access to one page whose table is there, or remembers it. */
  access(routine: Access, context: Context, code: number): Done {
    const key = accessKey(routine, contextOf(routine, context, this.cpus), code);
    let done = this.accesses.get(key);
    if (done) {
      this.known++;
      return done;
    }
    const local = { length: 1, offset: 0, before: false, behind: false };
    const pieces = [{ lo: 0, hi: 1, code, frame: 0 }];
    done = this.run(routine, context, { ...local, pieces, tables: [{ start: 0, end: 1 }] });
    if (this.options.memory !== false) this.accesses.set(key, done);
    return done;
  }

  private execute(routine: Routine, context: string, local: Local, to?: Local): Done {
    this.ran++;
    // First the process: for it there may be a new machine.
    const process = this.process(context);
    const { live } = this.machine();
    // Who exits is there again afterwards.
    const undo = routine === "exit" ? live.attempt() : undefined;
    const forget = live.frames();
    const place = new Place(live, process, REGION, local);
    const span = Math.ceil((local.offset + local.length) / TABLE_PAGES);
    const target = to && new Place(live, process, REGION + span + 1, to);
    const task = this.start(routine, place, local, target);
    live.takeLog();
    this.log = [];
    this.steps = 0;
    live.onLog = (entry) => {
      this.log.push({ entry, steps: this.steps });
      this.steps = 0;
    };
    live.finish(task);
    live.onLog = undefined;
    const acts = actsOf(this.log, { base: place.base, cpus: this.cpus, tlbi: this.tlbi });
    if (this.steps > 0) acts.push({ act: "steps", n: this.steps });
    const steps = acts.reduce((sum, a) => (a.act === "steps" ? sum + a.n : sum), 0);
    const after = place.take();
    target?.take();
    if (task.name === "access" || devicesUsed(routine)) live.evictAll();
    if (undo) undo();
    else forget();
    return { course: { acts, steps }, after };
  }

  private start(routine: Routine, place: Place, local: Local, target?: Place): Task {
    const { live, devices } = this.opened!;
    const { base, process } = place;
    const { mm } = process;
    const range = { lo: base, hi: base + local.length };
    const ranged = { cpu: 0, mm, range };
    const call = <P extends Sorts>(
      declared: Startable<P>,
      args: { readonly [K in keyof P]: Value },
    ) => live.start(declared.name, declared, args);
    const [verb, how] = routine.split(" ");
    switch (verb) {
      case "munmap":
        return call(do_munmap, ranged);
      case "mprotect":
        if (how === "none") return call(do_mprotect_none, ranged);
        return call(do_mprotect_pkey, { ...ranged, writable: how === "rw" ? 1 : 0 });
      case "madvise": {
        const advice = behavior.values.indexOf(how as (typeof behavior.values)[number]);
        return call(do_madvise, { ...ranged, behavior: advice });
      }
      case "mremap": {
        if (how === "end") return call(mmu_notifier_invalidate_range_end, ranged);
        const move = how === "table" ? move_normal_pmd : move_ptes;
        return call(move, { ...ranged, to: target!.base });
      }
      case "fork":
        return call(dup_mmap, { cpu: 0, mm });
      case "exit":
        return call(exit_mmap, { cpu: 0, mm });
      case "read":
        return live.load(0, process, base * PAGE_SIZE);
      case "write":
        return live.store(0, process, base * PAGE_SIZE);
      default:
        return how === "read"
          ? live.read(devices[0]!, base * PAGE_SIZE)
          : live.write(devices[0]!, base * PAGE_SIZE);
    }
  }

  private machine(): Opened {
    if (this.opened) return this.opened;
    const { cpus } = this;
    const { machine, kernel, knobs, rangeCommands = false, limits = {} } = this.options;
    const trace = (origin: Origin) => {
      this.path.add(origin);
      // What others do meanwhile, hardware or handlers of interrupts, is no step of this CPU.
      if (!this.opened?.live.waiting) this.steps++;
    };
    const live = new LiveMachine(
      { machine, kernel, cpus, ...(knobs && { knobs }) },
      {
        initial: [{ field: entries_protnone.decl, index: [], value: 1 }],
        observers: [],
        limits: { ...(rangeCommands ? { CMDQ_MAX_TLBI_OPS: 2 ** 37 } : {}), ...limits },
        trace,
      },
    );
    return (this.opened = { live, processes: new Map(), devices: [], made: 0, running: undefined });
  }

  /** The process of a context, with its devices, running on its CPUs. */
  private process(context: string): Process {
    const process = this.machine().processes.get(context) ?? this.newProcess(context);
    const opened = this.machine();
    if (opened.running !== context) {
      const cpus = Number(context.replace(BOUND, ""));
      for (let cpu = 0; cpu < cpus; cpu++) opened.live.runOn(cpu, process);
      opened.running = context;
    }
    return process;
  }

  private newProcess(context: string): Process {
    let opened = this.machine();
    if (opened.made === PROCESSES) {
      this.opened = undefined;
      opened = this.machine();
    }
    const process = opened.live.process(`P${opened.made++}`);
    if (context.startsWith(BOUND)) {
      opened.devices = Array.from({ length: this.options.devices }, (_, n) =>
        opened.live.device(`D${n}`, process),
      );
    }
    opened.processes.set(context, process);
    return process;
  }
}
