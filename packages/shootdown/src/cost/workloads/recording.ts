// SPDX-License-Identifier: Apache-2.0
// A recording of the kernel's own events: system calls, page faults, tasks, mappings for DMA.
//
//   ls-2155 [001] ..... 81312.904098: sys_mmap(addr: 0, len: 0x2000, prot: 3, ...)
//   ls-2155 [001] ..... 81312.904106: sys_mmap -> 0x7fcdcf753000
//   ls-2155 [001] d.... 81312.904107: page_fault_user: address=0x7fcdcf753000 ... error_code=0x6
//
// What the kernel did then (flushes, calls of notifiers) is a result and no input: it is not read.
import { readBpftrace, readBpftraceJson } from "../../trace/importers/bpftrace.ts";
import type { ByteSource, ImportResult } from "../../trace/importers/bytes.ts";
import { type FormatName, peek, recognise } from "../../trace/importers/formats.ts";
import type { FtraceSink, FtraceSummary } from "../../trace/importers/ftrace.ts";
import { HEAD_BYTES, readFtrace } from "../../trace/importers/ftrace.ts";
import { readPerfScript } from "../../trace/importers/perf.ts";
import type { RawEvent } from "../../trace/importers/raw-event.ts";
import { type Followed, isFollowed, VFORK } from "./abi.ts";
import type { Populated } from "./address-space.ts";
import { Findings, type ReadOptions, type ReadResult } from "./input.ts";
import { CODES, type Place } from "./problem.ts";
import { Tracker } from "./tracker.ts";

const READERS: Readonly<Partial<Record<FormatName, typeof readPerfScript>>> = {
  ftrace: readFtrace,
  perf: readPerfScript,
  bpftrace: readBpftrace,
  "bpftrace-json": readBpftraceJson,
};

/** Names of the arguments, as the tracepoints of the calls have them. */
const ARGUMENTS: Readonly<Partial<Record<Followed, readonly string[]>>> = {
  mmap: ["addr", "len", "prot", "flags"],
  munmap: ["addr", "len"],
  mprotect: ["start", "len", "prot"],
  pkey_mprotect: ["start", "len", "prot"],
  madvise: ["start", "len_in", "behavior"],
  mremap: ["addr", "old_len", "new_len", "flags"],
  brk: ["brk"],
  clone: ["clone_flags"],
};

const FAULTS = ["page_fault_user", "page_fault_kernel", "handle_mm_fault"] as const;
const TASKS = ["task_newtask", "sched_process_fork", "sched_process_exec", "sched_process_exit"];

const WANTED: ReadonlySet<string> = new Set([
  ...Object.keys(ARGUMENTS).map((name) => `sys_${name}`),
  ...["clone3", "fork", "vfork", "execve", "execveat"].map((name) => `sys_${name}`),
  ...FAULTS,
  ...TASKS,
  "map",
  "unmap",
]);

/** An event of a task, in the order of effects; a call that has not returned yet holds the rest. */
interface Entry {
  readonly apply: () => void;
  state: "waits" | "done" | "dropped";
}

interface Open {
  readonly name: Followed;
  readonly args: readonly number[];
  readonly entry: Entry | undefined;
  /** Faults of the kernel on the way into a new program, whose address space it is already. */
  readonly faults: (() => void)[];
  result: number;
}

/** Takes effect when it begins, not when it ends. */
const AT_BEGIN: ReadonlySet<string> = new Set(["munmap", "mprotect", "pkey_mprotect", "madvise"]);
const EXEC: ReadonlySet<string> = new Set(["execve", "execveat"]);
const MAX_WAITING = 100_000;

export async function readRecording(
  name: string,
  source: ByteSource,
  options: ReadOptions = {},
): Promise<ReadResult> {
  const peeked = await peek(source);
  const format = recognise(peeked.head.subarray(0, HEAD_BYTES));
  const read = format === undefined ? undefined : READERS[format];
  const reader = new RecordingReader(name, options.populated);
  if (read === undefined) {
    const place = { file: name, line: 1, column: 1, length: 0, source: "" };
    reader.found.add(place, CODES.format, "no recording of the kernel's events");
    return reader.finish(options, undefined);
  }
  const sink: FtraceSink = {
    event: (event) => reader.event(event),
    damaged: ({ line, why }) => reader.found.ignored(line, why),
    lost: () => {
      reader.lost++;
    },
  };
  const result: ImportResult<FtraceSummary> = await read(peeked.source, sink, { wanted: WANTED });
  if (!result.ok) reader.found.damaged(result.error);
  return reader.finish(options, result.ok ? result.value.format : undefined);
}

class RecordingReader {
  readonly found: Findings;
  lost = 0;
  readonly #tracker: Tracker;
  readonly #populated: Populated | undefined;
  readonly #open = new Map<number, Open>();
  /** Children that an event has told, before the call returns their number. */
  readonly #born = new Set<number>();
  readonly #gone = new Set<number>();
  #queue: Entry[] = [];
  #head = 0;
  #zero_s: number | undefined;
  /** Whether the processor's own event of a page fault is recorded, not only the kernel's. */
  #trapped = false;
  #faults = 0;
  #calls = 0;
  #dma = 0;

  constructor(name: string, populated: Populated | undefined) {
    this.found = new Findings(name);
    this.#populated = populated;
    // Pages are populated by page faults alone, if not told otherwise.
    this.#tracker = new Tracker({ populated, lossy: true });
  }

  event(event: RawEvent): void {
    if (this.found.enough) return;
    this.#zero_s ??= event.time_s;
    if (event.event.startsWith("sys_")) this.#call(event);
    else if (event.event === "map" || event.event === "unmap") this.#mapping(event);
    else if (event.event.startsWith("sched_") || event.event === "task_newtask") this.#task(event);
    else this.#fault(event);
    this.#flush(false);
  }

  finish(options: ReadOptions, format: string | undefined): ReadResult {
    this.#flush(true);
    const assumptions = [...this.#assumed(), ...this.#tracker.remarks()];
    return this.found.result(this.#tracker.operations, assumptions, {
      what: "system calls or page faults in the recording",
      hint: "scripts/workloads.sh and docs/WORKLOADS.md show which events to record",
      title: options.title ?? this.found.file,
      provenance:
        options.provenance ??
        `${format ?? "recording"}, ${this.#calls} calls, ${this.#faults} page faults`,
    });
  }

  #assumed(): string[] {
    const assumed: string[] = [];
    if (this.#dma > 0 && this.#calls + this.#faults === 0) return assumed;
    if (this.#populated !== undefined) {
      assumed.push(`pages in use: ${this.#populated}, beside those of recorded page faults`);
    } else if (this.#faults > 0) assumed.push("pages are in use from their recorded page fault on");
    else assumed.push("no page faults are recorded: no page is taken to be used");
    if (this.lost > 0) assumed.push(`events were lost at ${this.lost} places of the recording`);
    return assumed;
  }

  #call(event: RawEvent): void {
    const name = event.event.slice(4);
    if (!isFollowed(name) || this.#gone.has(event.pid)) return;
    if (event.form === "enter") {
      this.#enter(event, name);
      return;
    }
    const open = this.#open.get(event.pid);
    this.#open.delete(event.pid);
    const result = hexOf(/-> *(\S+)/.exec(event.text)?.[1] ?? event.text.trim());
    const failed = result === undefined || result >= 2 ** 63;
    if (open === undefined || open.name !== name) return;
    if (open.entry !== undefined) open.entry.state = failed ? "dropped" : "done";
    if (failed) for (const fault of open.faults) this.#push(fault);
    else this.#returned(event, open, result);
  }

  #enter(event: RawEvent, name: Followed): void {
    this.#open.delete(event.pid);
    const words = (ARGUMENTS[name] ?? []).map((key) => hexOf(event.arg(key)));
    // bpftrace scripts record that there was a call, and no more.
    if (words.includes(undefined) && name !== "clone") {
      this.#damaged(event, "a system call without its arguments");
      return;
    }
    const args = words.map((word) => word ?? 0);
    let entry: Entry | undefined;
    if (AT_BEGIN.has(name)) {
      // Its place in the order is here.
      entry = { state: "waits", apply: () => this.#ask(event, name, args, 0) };
      this.#queue.push(entry);
    }
    this.#open.set(event.pid, { name, args, entry, faults: [], result: 0 });
  }

  #returned(event: RawEvent, open: Open, result: number): void {
    const { name, args } = open;
    if (AT_BEGIN.has(name)) return;
    if (EXEC.has(name)) {
      // Told by an event of its own already, if that is recorded.
      if (open.result !== EXEC_SEEN) this.#exec(event, open);
      return;
    }
    if (["clone", "clone3", "fork", "vfork"].includes(name)) {
      if (this.#born.delete(result)) return;
      this.#fork(event, result, flagsOf(open));
      return;
    }
    this.#push(() => this.#ask(event, name, args, result));
  }

  #task(event: RawEvent): void {
    const open = this.#open.get(event.pid);
    const pid = decimalOf(event.arg(event.event === "sched_process_fork" ? "child_pid" : "pid"));
    if (pid === undefined) return;
    if (event.event === "sched_process_exec") {
      if (open !== undefined) this.#exec(event, open);
      else this.#push(() => this.#tracker.exec(this.#step(event)));
    } else if (event.event === "sched_process_exit") {
      this.#gone.add(pid);
      this.#open.delete(pid);
      if (open?.entry !== undefined) open.entry.state = "dropped";
      this.#push(() => this.#tracker.exit({ ...this.#step(event), tid: pid }, false));
    } else if (!this.#born.has(pid)) {
      this.#born.add(pid);
      this.#fork(event, pid, hexOf(event.arg("clone_flags")) ?? flagsOf(open));
    }
  }

  #exec(event: RawEvent, open: Open): void {
    open.result = EXEC_SEEN;
    this.#calls++;
    this.#push(() => this.#tracker.exec(this.#step(event)));
    for (const fault of open.faults.splice(0)) this.#push(fault);
  }

  #fork(event: RawEvent, child: number, flags: number): void {
    this.#calls++;
    this.#gone.delete(child);
    this.#push(() => this.#tracker.fork(this.#step(event), child, flags % 2 ** 32));
  }

  #fault(event: RawEvent): void {
    const trapped = event.event !== "handle_mm_fault";
    if (trapped) this.#trapped = true;
    else if (this.#trapped) return;
    if (this.#gone.has(event.pid) || event.pid === 0) return;
    const address = hexOf(event.arg(trapped ? "address" : "addr"));
    const flags = hexOf(event.arg(trapped ? "error_code" : "flags"));
    if (address === undefined || flags === undefined) {
      this.#damaged(event, "a page fault without its address or kind");
      return;
    }
    const write = trapped ? (flags & X86_WRITE) !== 0 : (flags & FAULT_WRITE) !== 0;
    // Of another process, on behalf of a debugger or a device.
    if (!trapped && (flags & FAULT_REMOTE) !== 0) return;
    this.#faults++;
    const apply = () => this.#tracker.fault(this.#step(event), address, write);
    const open = this.#open.get(event.pid);
    const loads = open !== undefined && EXEC.has(open.name) && open.result !== EXEC_SEEN;
    if (loads) open.faults.push(apply);
    else this.#push(apply);
  }

  /** "map: IOMMU: iova=0x00000000fff7e000 - 0x00000000fff7f000 paddr=0x... size=4096". */
  #mapping(event: RawEvent): void {
    const iova = hexOf(event.arg("iova"));
    const size = decimalOf(event.arg("size"));
    const good = size !== undefined && size > 0 && size % 4096 === 0 && size <= 2 ** 48;
    if (iova === undefined || !good || iova % 4096 !== 0 || iova >= 2 ** 48) {
      this.#damaged(event, "a mapping without a sound iova and size");
      return;
    }
    this.#dma++;
    const { at_ns, tid, line } = this.#step(event);
    const call = event.event === "map" ? "dma_map" : "dma_unmap";
    const pages = size / 4096;
    this.#push(() => {
      this.#tracker.operations.push(at_ns, tid, tid, line, { call, pages, iova });
    });
  }

  #ask(event: RawEvent, name: Followed, args: readonly number[], result: number): void {
    this.#calls++;
    const flaw = this.#tracker.call({ ...this.#step(event), name, args, result });
    if (flaw === undefined) return;
    const key = flaw.argument === "result" ? undefined : ARGUMENTS[name]?.[flaw.argument];
    const at = key === undefined ? -1 : event.raw.indexOf(`${key}: `);
    const column = at < 0 ? event.raw.length - event.text.length + 1 : at + 1;
    const word = /^[^,)]*/.exec(event.raw.slice(column - 1))![0];
    this.found.add({ ...this.#place(event), column, length: word.length }, flaw.code, flaw.why);
  }

  #damaged(event: RawEvent, why: string): void {
    this.found.ignored(event.line, why);
  }

  #place(event: RawEvent): Place {
    const { line, raw } = event;
    return { file: this.found.file, line, column: 1, length: raw.length, source: raw };
  }

  #step(event: RawEvent) {
    const at_ns = Math.max(0, Math.round((event.time_s - this.#zero_s!) * 1e9));
    return { at_ns, tid: event.pid, line: event.line };
  }

  #push(apply: () => void): void {
    this.#queue.push({ state: "done", apply });
  }

  #flush(all: boolean): void {
    const full = all || this.#queue.length - this.#head > MAX_WAITING;
    for (; this.#head < this.#queue.length; this.#head++) {
      const entry = this.#queue[this.#head]!;
      if (entry.state === "waits" && !full) break;
      if (entry.state === "done") entry.apply();
    }
    if (this.#head < 4096 && this.#head < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }
}

/** Of the error code that x86 gives with a page fault. */
const X86_WRITE = 2;
/** enum fault_flag. */
const FAULT_WRITE = 1;
const FAULT_REMOTE = 128;
/** In place of the result of an execve that an event has told. */
const EXEC_SEEN = -1;

/** Of the call that makes a task, as far as its arguments are recorded. */
function flagsOf(open: Open | undefined): number {
  return open?.name === "vfork" ? VFORK : (open?.args[0] ?? 0);
}

/** The kernel prints the words of system calls in hexadecimal, before 6.18 without "0x". */
function hexOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^(?:0x)?[\da-f]{1,16}$/i.test(text)) return undefined;
  return Number(text.startsWith("0x") ? text : `0x${text}`);
}

const decimalOf = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
