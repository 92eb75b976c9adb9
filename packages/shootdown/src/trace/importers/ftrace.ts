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
  startOfText,
} from "./bytes.ts";
import { ascii, FtraceLine } from "./ftrace-line.ts";
import { NameTable } from "./names.ts";
import { type EventForm, RawEvent } from "./raw-event.ts";
import type { LineScanner } from "./scanned-line.ts";

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

/** A line that is not what the format has there: what it said is not known. */
export interface Damage {
  readonly line: number;
  readonly why: string;
  /** It may have been an event. */
  readonly event: boolean;
}

/** Who gets what is read, in the order of the lines. */
export interface FtraceSink {
  event(event: RawEvent): void;
  lost?(lost: LostEvents): void;
  damaged?(damage: Damage): void;
  /** Called, and waited for, whenever a piece of the input has been read. */
  chunk?(): Promise<void>;
}

/** A spelling of the same events. */
export interface Dialect {
  readonly format: string;
  readonly scanner: () => LineScanner;
  readonly recognises: (head: Uint8Array) => boolean;
  /** Why a line of another format is none of this one. */
  readonly expected: string;
  /** Whether the lines of all CPUs are in the order of their times, or only those of each. */
  readonly ordered: "all" | "cpu";
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
  readonly format: string;
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
/** CPUs whose last event and time are remembered. */
const MAX_CPUS = 4096;
/** What a line has that was an event before it was damaged. */
const LIKE_AN_EVENT = /\[\d+\]|=0x|: \w+:/;

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
    if (kind !== "comment" && kind !== "blank" && kind !== "stack") return false;
    start = end + 1;
  }
  return false;
}

export const FTRACE: Dialect = {
  format: "ftrace",
  scanner: () => new FtraceLine(),
  recognises: isFtrace,
  expected: "an event as the nop and function tracers print it",
  ordered: "all",
};

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
  dialect: Dialect = FTRACE,
): Promise<ImportResult<FtraceSummary>> {
  const reader = new FtraceReader(sink, options, dialect);
  try {
    for await (const chunk of plainBytes(source)) {
      const error = reader.push(chunk);
      if (error !== undefined) return { ok: false, error };
      if (sink.chunk !== undefined) await sink.chunk();
    }
  } catch (reason) {
    if (!(reason instanceof DamagedGzip)) throw reason;
    if (reader.events > 0) return reader.finish(reason.message);
    return { ok: false, error: importError(reader.lines + 1, 1, reason.message) };
  }
  return reader.finish();
}

/** The same for a caller that has the chunks (decompressed, of any size) one after another. */
export class FtraceReader {
  readonly #sink: FtraceSink;
  readonly #dialect: Dialect;
  readonly #names: NameTable;
  readonly #scanned: LineScanner;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #cutter: LineCutter;
  /** The head of the input, until its format is recognised. */
  #head: Uint8Array | undefined = new Uint8Array(0);
  /** Of each CPU: its last event if somebody wanted it, to get the stack, and its time. */
  readonly #last_events: (RawEvent | undefined)[] = [];
  readonly #last_times: number[] = [];
  #nuls = false;
  #backwards = false;
  #lines = 0;
  #events = 0;
  #tracer: string | undefined;
  #report = false;
  #stack_cpu = 0;
  #ignored_lines = 0;
  readonly #ignored: IgnoredLine[] = [];
  #lost_places = 0;
  #lost_events = 0;
  #first: number | undefined;
  #last: number | undefined;

  /** @param known the format is recognised already. */
  constructor(
    sink: FtraceSink,
    options: FtraceOptions = {},
    dialect: Dialect = FTRACE,
    known = false,
  ) {
    if (known) this.#head = undefined;
    this.#sink = sink;
    this.#dialect = dialect;
    this.#scanned = dialect.scanner();
    this.#names = new NameTable(options.wanted);
    this.#cutter = new LineCutter(
      (bytes, start, end) => this.#line(bytes, start, end),
      () => {
        this.#lines++;
        this.#ignore(`longer than ${MAX_LINE_BYTES} bytes`, "", true);
      },
    );
  }

  /** Lines read so far. */
  get lines(): number {
    return this.#lines;
  }

  /** Events read so far, wanted or not. */
  get events(): number {
    return this.#events;
  }

  /** The next line that ends gets this number: for a reader of what text is wrapped in. */
  at(line: number): void {
    this.#lines = line - 1;
  }

  /** A line of what the text is wrapped in is damaged. */
  bad(why: string): void {
    this.#lines++;
    this.#ignore(why, "", true);
  }

  /** Takes the next chunk; an error, once the head shows that the input is no ftrace text. */
  push(chunk: Uint8Array): ImportError | undefined {
    if (this.#head === undefined) {
      this.#cut(chunk);
      return undefined;
    }
    this.#head = joinBytes(this.#head, chunk);
    return this.#head.length < HEAD_BYTES ? undefined : this.#recognise();
  }

  /**
   * To be called once, after the last chunk.
   *
   * @param damage why the input ends before its end, if it does.
   */
  finish(damage?: string): ImportResult<FtraceSummary> {
    const error = this.#head === undefined ? undefined : this.#recognise();
    if (error !== undefined) return { ok: false, error };
    this.#cutter.finish();
    if (damage !== undefined) this.#ignore(damage, "", true);
    const first = this.#ignored[0];
    if (this.#events === 0 && first !== undefined) {
      const what = this.#tracer === undefined ? "" : ` (tracer ${this.#tracer})`;
      const text = `no line${what} is ${this.#dialect.expected}`;
      return { ok: false, error: importError(first.line, 1, text) };
    }
    return {
      ok: true,
      value: {
        format: this.#report ? "trace-cmd report" : this.#dialect.format,
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

  #cut(chunk: Uint8Array): void {
    // A file system leaves blocks of NULs where a machine went down; few chunks have any.
    this.#nuls = chunk.includes(0);
    this.#cutter.push(chunk);
  }

  #recognise(): ImportError | undefined {
    const head = this.#head ?? new Uint8Array(0);
    if (!this.#dialect.recognises(head)) {
      const what = head.length === 0 ? "the input is empty" : "not an ftrace text";
      return importError(1, 1, `${what}; recognised formats are ${FTRACE_FORMATS}`);
    }
    this.#head = undefined;
    this.#cut(head.subarray(startOfText(head)));
    return undefined;
  }

  #line(bytes: Uint8Array, start: number, end: number): void {
    this.#lines++;
    const line = this.#scanned;
    if (this.#nuls && bytes.subarray(start, end).includes(0)) {
      this.#ignore("NUL bytes", "", true);
      return;
    }
    switch (line.scan(bytes, start, end)) {
      case "event":
        this.#event(bytes, start, end);
        return;
      case "comment":
        this.#comment(ascii(bytes, start, Math.min(end, start + SHOWN_BYTES)));
        return;
      case "stack":
        this.#stack_cpu = line.cpu;
        return;
      case "frame":
        this.#frame(bytes, end);
        return;
      case "lost": {
        const count = / (\d+) EVENTS|\[(\d+) EVENTS|lost (\d+)/i.exec(ascii(bytes, start, end));
        const known = count?.[1] ?? count?.[2] ?? count?.[3];
        this.#lost("dropped", line.cpu, known === undefined ? undefined : Number(known));
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
    const cpu = line.cpu < MAX_CPUS ? line.cpu : 0;
    const before = this.#dialect.ordered === "all" ? this.#last : this.#last_times[cpu];
    // Recordings put one behind another, or a clock that jumps: what came first is not known.
    if (before !== undefined && line.time_s < before && !this.#backwards) {
      this.#backwards = true;
      this.#damaged("time goes backwards", false);
    }
    this.#last = line.time_s;
    this.#last_times[cpu] = line.time_s;
    this.#stack_cpu = cpu;
    this.#last_events[cpu] = undefined;
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
      task_start: line.task_start - start,
      task_end: line.task_end - start + back,
      flags_start: line.flags_start - start + back,
      flags_end: line.flags_end - start + back,
      text_start,
    };
    const made = new RawEvent(head, event, form, raw, parts);
    this.#last_events[cpu] = made;
    this.#sink.event(made);
  }

  /** " => do_wp_page": a function of the stack of the last event of that CPU. */
  #frame(bytes: Uint8Array, end: number): void {
    const at = this.#scanned.text_start;
    const event = this.#last_events[this.#stack_cpu];
    event?.addFrame(ascii(bytes, at, Math.min(end, at + SHOWN_BYTES)));
  }

  #comment(text: string): void {
    this.#tracer ??= /^# tracer: (\S+)/.exec(text)?.[1];
    const held = /^# entries-in-buffer\/entries-written: (\d+)\/(\d+)/.exec(text);
    const missing = held === null ? 0 : Number(held[2]) - Number(held[1]);
    if (missing > 0) this.#lost("overwritten", undefined, missing);
  }

  #damaged(why: string, event: boolean): void {
    this.#sink.damaged?.({ line: this.#lines, why, event });
  }

  #lost(why: LostEvents["why"], cpu: number | undefined, count: number | undefined): void {
    this.#lost_places++;
    this.#lost_events += count ?? 0;
    this.#sink.lost?.({ line: this.#lines, cpu, count, why });
  }

  #ignore(why: string, text: string, event = LIKE_AN_EVENT.test(text)): void {
    this.#ignored_lines++;
    this.#damaged(why, event);
    if (this.#ignored.length < REMEMBERED_LINES) {
      this.#ignored.push({ line: this.#lines, why, text });
    }
  }
}
