// SPDX-License-Identifier: Apache-2.0
// The text of the tracefs file `trace` of any kernel, and of `trace-cmd report`, read as a stream.
//
// Each line is judged as bytes; only events somebody wants are decoded. What is not understood is
// counted and the first few are remembered; nothing in the input makes the reader throw.
import {
  type ByteSource,
  DamagedGzip,
  type ImportError,
  type ImportResult,
  importError,
  joinBytes,
  LineCutter,
  MAX_LINE_BYTES,
  plainBytes,
} from "./bytes.ts";
import { ascii, FtraceLine, nameHash } from "./ftrace-line.ts";
import { type EventForm, RawEvent } from "./raw-event.ts";

/** Events are missing here. */
export interface LostEvents {
  readonly line: number;
  /** Undefined where the trace does not say which. */
  readonly cpu: number | undefined;
  /** Undefined where the trace does not say how many. */
  readonly count: number | undefined;
  /**
   * `dropped`: between the neighbouring lines. `overwritten`: before the first line. `started`: of
   * this CPU, before this line, while other CPUs were already recorded.
   */
  readonly why: "dropped" | "overwritten" | "started";
}

/** Who gets what is read, in the order of the lines. */
export interface FtraceSink {
  event(event: RawEvent): void;
  lost?(lost: LostEvents): void;
}

export interface FtraceOptions {
  /**
   * Names of the events to hand on; all, if undefined. System calls are named `sys_x` for entry
   * and exit, marks `tracing_mark_write`, in both formats.
   */
  readonly wanted?: ReadonlySet<string>;
}

export interface IgnoredLine {
  readonly line: number;
  readonly why: string;
  /** The beginning of it, of at most SHOWN_BYTES. */
  readonly text: string;
}

export interface FtraceSummary {
  readonly format: "ftrace" | "trace-cmd report";
  /** From the header: "nop", "function" ...; undefined without one. */
  readonly tracer: string | undefined;
  readonly lines: number;
  /** Lines that are events, wanted or not. */
  readonly events: number;
  /** Lines that are neither events nor anything else of the format. */
  readonly ignored_lines: number;
  /** The first REMEMBERED_LINES of them. */
  readonly ignored: readonly IgnoredLine[];
  /** Places at which events were lost, and how many are known to be. */
  readonly lost_places: number;
  readonly lost_events: number;
  /** Of the first and the last event; undefined without any. */
  readonly first_time_s: number | undefined;
  readonly last_time_s: number | undefined;
}

/** Bytes looked at to recognise a format. */
export const HEAD_BYTES = 16 * 1024;
export const REMEMBERED_LINES = 8;
export const SHOWN_BYTES = 120;
const REPORT_HEADER = /^(cpus|version)\s*=\s*\d+$/;
/** Distinct event names that are kept when all events are wanted. */
const MAX_KNOWN_NAMES = 4096;

export const FTRACE_FORMATS =
  "the tracefs `trace` file (ftrace text), the output of `trace-cmd report`";

/** Whether an input that begins with `head` (HEAD_BYTES of it are enough) is ftrace text. */
export function isFtrace(head: Uint8Array | string): boolean {
  const bytes = typeof head === "string" ? new TextEncoder().encode(head) : head;
  const line = new FtraceLine();
  let start = startOfText(bytes);
  for (let seen = 0; seen < 100 && start < bytes.length; seen++) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    const kind = line.scan(bytes, start, end);
    if (kind === "event" || kind === "lost" || kind === "started") return true;
    const text = ascii(bytes, start, Math.min(end, start + SHOWN_BYTES)).trimEnd();
    if (/^# tracer: \S/.test(text) || REPORT_HEADER.test(text)) return true;
    if (kind !== "comment" && kind !== "blank") return false;
    start = end + 1;
  }
  return false;
}

/**
 * Reads a whole trace, gzipped or not.
 *
 * @returns what was read; or, as a value, why the input is no ftrace text (or damaged gzip), with
 *     the position. Rejects only with what the source or the sink throw.
 */
export async function readFtrace(
  source: ByteSource,
  sink: FtraceSink,
  options: FtraceOptions = {},
): Promise<ImportResult<FtraceSummary>> {
  const reader = new FtraceReader(sink, options);
  try {
    for await (const chunk of plainBytes(source)) {
      const error = reader.push(chunk);
      if (error !== undefined) return { ok: false, error };
    }
  } catch (reason) {
    if (!(reason instanceof DamagedGzip)) throw reason;
    return { ok: false, error: importError(reader.lines + 1, 1, reason.message) };
  }
  return reader.finish();
}

/** The same for a caller that has the chunks (decompressed, of any size) one after another. */
export class FtraceReader {
  readonly #sink: FtraceSink;
  readonly #names: NameTable;
  readonly #scanned = new FtraceLine();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #cutter: LineCutter;
  /** The head of the input, until its format is recognised. */
  #head: Uint8Array | undefined = new Uint8Array(0);
  #lines = 0;
  #events = 0;
  #tracer: string | undefined;
  #report = false;
  #ignored_lines = 0;
  readonly #ignored: IgnoredLine[] = [];
  #lost_places = 0;
  #lost_events = 0;
  #first: number | undefined;
  #last: number | undefined;

  constructor(sink: FtraceSink, options: FtraceOptions = {}) {
    this.#sink = sink;
    this.#names = new NameTable(options.wanted);
    this.#cutter = new LineCutter(
      (bytes, start, end) => this.#line(bytes, start, end),
      () => {
        this.#lines++;
        this.#ignore(`longer than ${MAX_LINE_BYTES} bytes`, "");
      },
    );
  }

  /** Lines read so far. */
  get lines(): number {
    return this.#lines;
  }

  /** Takes the next chunk; an error, once the head shows that the input is no ftrace text. */
  push(chunk: Uint8Array): ImportError | undefined {
    if (this.#head === undefined) {
      this.#cutter.push(chunk);
      return undefined;
    }
    this.#head = joinBytes(this.#head, chunk);
    return this.#head.length < HEAD_BYTES ? undefined : this.#recognise();
  }

  /** To be called once, after the last chunk. */
  finish(): ImportResult<FtraceSummary> {
    const error = this.#head === undefined ? undefined : this.#recognise();
    if (error !== undefined) return { ok: false, error };
    this.#cutter.finish();
    const first = this.#ignored[0];
    if (this.#events === 0 && first !== undefined) {
      const what = this.#tracer === undefined ? "" : ` (tracer ${this.#tracer})`;
      const text = `no line${what} is an event as the nop and function tracers print it`;
      return { ok: false, error: importError(first.line, 1, text) };
    }
    return {
      ok: true,
      value: {
        format: this.#report ? "trace-cmd report" : "ftrace",
        tracer: this.#tracer,
        lines: this.#lines,
        events: this.#events,
        ignored_lines: this.#ignored_lines,
        ignored: this.#ignored,
        lost_places: this.#lost_places,
        lost_events: this.#lost_events,
        first_time_s: this.#first,
        last_time_s: this.#last,
      },
    };
  }

  #recognise(): ImportError | undefined {
    const head = this.#head ?? new Uint8Array(0);
    if (!isFtrace(head)) {
      const what = head.length === 0 ? "the input is empty" : "not an ftrace text";
      return importError(1, 1, `${what}; recognised formats are ${FTRACE_FORMATS}`);
    }
    this.#head = undefined;
    this.#cutter.push(head.subarray(startOfText(head)));
    return undefined;
  }

  #line(bytes: Uint8Array, start: number, end: number): void {
    this.#lines++;
    const line = this.#scanned;
    switch (line.scan(bytes, start, end)) {
      case "event":
        this.#event(bytes, start, end);
        return;
      case "comment":
        this.#comment(ascii(bytes, start, Math.min(end, start + SHOWN_BYTES)));
        return;
      case "lost": {
        const count = / (\d+) EVENTS|\[(\d+) EVENTS/.exec(ascii(bytes, start, end));
        this.#lost("dropped", line.cpu, count === null ? undefined : Number(count[1] ?? count[2]));
        return;
      }
      case "started":
        this.#lost("started", line.cpu, undefined);
        return;
      case "bad":
        if (this.#isReportHeader(bytes, start, end)) return;
        this.#ignore(
          "not an event",
          this.#decoder.decode(bytes.subarray(start, Math.min(end, start + SHOWN_BYTES))),
        );
        return;
      case "blank":
      case "continuation":
    }
  }

  /** "version = 6" and "cpus=4", with which trace-cmd begins. */
  #isReportHeader(bytes: Uint8Array, start: number, end: number): boolean {
    if (this.#events > 0 || end - start > 40) return false;
    const found = REPORT_HEADER.test(ascii(bytes, start, end).trim());
    this.#report ||= found;
    return found;
  }

  #event(bytes: Uint8Array, start: number, end: number): void {
    const line = this.#scanned;
    this.#events++;
    this.#first ??= line.time_s;
    this.#last = line.time_s;
    const name = this.#names.find(bytes, line);
    if (name === undefined) return;
    const raw = this.#decoder.decode(bytes.subarray(start, end));
    // Bytes and characters part only where a task's name is not ASCII: before every other offset.
    const prefix = line.text_start - start;
    const back =
      raw.length === end - start
        ? 0
        : this.#decoder.decode(bytes.subarray(start, line.text_start)).length - prefix;
    let text_start = prefix + back;
    let event = name.event;
    // trace-cmd report puts a mark's real name in front of its text.
    if (name.form === "print") {
      const mark = "tracing_mark_write: ";
      if (!raw.startsWith(mark, text_start)) return;
      text_start += mark.length;
      event = "tracing_mark_write";
    }
    const form: EventForm =
      name.form === undefined || name.form === "print" ? line.form : name.form;
    const head = { line: this.#lines, time_s: line.time_s, cpu: line.cpu, pid: line.pid };
    const parts = {
      task_start: 0,
      task_end: line.task_end - start + back,
      flags_start: line.flags_start - start + back,
      flags_end: line.flags_end - start + back,
      text_start,
    };
    this.#sink.event(new RawEvent(head, event, form, raw, parts));
  }

  #comment(text: string): void {
    this.#tracer ??= /^# tracer: (\S+)/.exec(text)?.[1];
    const held = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/.exec(text);
    const missing = held === null ? 0 : Number(held[2]) - Number(held[1]);
    if (missing > 0) this.#lost("overwritten", undefined, missing);
  }

  #lost(why: LostEvents["why"], cpu: number | undefined, count: number | undefined): void {
    this.#lost_places++;
    this.#lost_events += count ?? 0;
    this.#sink.lost?.({ line: this.#lines, cpu, count, why });
  }

  #ignore(why: string, text: string): void {
    this.#ignored_lines++;
    if (this.#ignored.length < REMEMBERED_LINES) {
      this.#ignored.push({ line: this.#lines, why, text });
    }
  }
}

interface KnownName {
  readonly spelling: string;
  /** The name that events carry. */
  readonly event: string;
  /** What the name says about the form, in trace-cmd's spelling of system calls and marks. */
  readonly form: "enter" | "exit" | "print" | undefined;
}

/** Event names as bytes to the wanted ones, by hash. */
class NameTable {
  readonly #byHash = new Map<number, KnownName[]>();
  readonly #all: boolean;
  #size = 0;

  constructor(wanted: ReadonlySet<string> | undefined) {
    this.#all = wanted === undefined;
    for (const event of wanted ?? []) {
      this.#add({ spelling: event, event, form: undefined });
      const call = event.startsWith("sys_") ? event.slice(4) : undefined;
      if (call !== undefined) {
        this.#add({ spelling: `sys_enter_${call}`, event, form: "enter" });
        this.#add({ spelling: `sys_exit_${call}`, event, form: "exit" });
      }
      if (event === "tracing_mark_write") this.#add({ spelling: "print", event, form: "print" });
    }
  }

  find(bytes: Uint8Array, line: FtraceLine): KnownName | undefined {
    const length = line.name_end - line.name_start;
    for (const known of this.#byHash.get(line.name_hash) ?? []) {
      if (known.spelling.length !== length) continue;
      let at = 0;
      while (at < length && known.spelling.charCodeAt(at) === bytes[line.name_start + at]) at++;
      if (at === length && fits(known, line.form)) return known;
    }
    return this.#all
      ? this.#learn(ascii(bytes, line.name_start, line.name_end), line.form)
      : undefined;
  }

  #learn(spelling: string, form: EventForm): KnownName {
    const [, step, call] = form === "event" ? (/^sys_(enter|exit)_(.+)$/.exec(spelling) ?? []) : [];
    const name: KnownName =
      call !== undefined
        ? { spelling, event: `sys_${call}`, form: step === "enter" ? "enter" : "exit" }
        : { spelling, event: spelling, form: spelling === "print" ? "print" : undefined };
    // Bounded, for every line of a strange input may have a name of its own.
    if (this.#size < MAX_KNOWN_NAMES) this.#add(name);
    return name;
  }

  #add(name: KnownName): void {
    const hash = nameHash(name.spelling);
    const list = this.#byHash.get(hash);
    if (list === undefined) this.#byHash.set(hash, [name]);
    else list.push(name);
    this.#size++;
  }
}

/**
 * `sys_exit_group: 0x0` is trace-cmd's return of a call `group`, `sys_exit_group(...)` the kernel's
 * entry of `exit_group`: the form of the line tells them apart.
 */
function fits(name: KnownName, form: EventForm): boolean {
  if (name.form === "enter" || name.form === "exit") return form === "event";
  return form !== "event" || !/^sys_(enter|exit)_/.test(name.spelling);
}

/** Offset behind a byte order mark. */
function startOfText(bytes: Uint8Array): number {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
}
