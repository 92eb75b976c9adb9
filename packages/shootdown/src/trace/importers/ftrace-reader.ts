// SPDX-License-Identifier: Apache-2.0
// Reads lines of events: judges each as bytes, and decodes only events that somebody wants. What
// is not understood is counted and the first few are remembered; nothing in the input makes the
// reader throw.
//
// Where there are vectors and the text is ftrace's, most lines are taken by the scanner in
// WebAssembly (scan/module.ts), and only what it leaves comes to `#line`.
import type { ImportError, ImportResult } from "./bytes.ts";
import { importError, joinBytes, LineCutter, MAX_LINE_BYTES, startOfText } from "./bytes.ts";
import { ascii } from "./ftrace-line.ts";
import type {
  Dialect,
  FtraceOptions,
  FtraceSink,
  FtraceSummary,
  IgnoredLine,
  LostEvents,
} from "./ftrace-types.ts";
import {
  FTRACE_FORMATS,
  HEAD_BYTES,
  LIKE_AN_EVENT,
  MAX_CPUS,
  REMEMBERED_LINES,
  REPORT_HEADER,
  SHOWN_BYTES,
} from "./ftrace-types.ts";
import { LastEvents } from "./last-events.ts";
import { eventOf } from "./line-event.ts";
import { type KnownName, NameTable } from "./names.ts";
import type { EventForm, RawEvent } from "./raw-event.ts";
import { FORMS, KIND, RECORD, STATE, TEXT_BYTES } from "./scan/layout.ts";
import { ScannedLines } from "./scan/lines.ts";
import { makeScanner, type ScanMemory, type Scanner } from "./scan/memory.ts";
import { placeIn, type Shelf } from "./scan/shelf.ts";
import type { LineScanner, ScannedLine } from "./scanned-line.ts";

const NO_LINE: { -readonly [field in keyof ScannedLine]: ScannedLine[field] } = {
  ...{ cpu: 0, pid: 0, time_s: 0, task_start: 0, task_end: 0, flags_start: 0, flags_end: 0 },
  ...{ name_start: 0, name_end: 0, name_hash: 0, text_start: 0, form: "event" },
};

/** bpftrace prints what it has of one CPU, then of the next. */
const OUT_OF_ORDER =
  "CPUs one after another instead of by time: not judged from there on; sort the lines by time";

/** Names that look like an event and are not, beside those that are wanted. */
function scanNames(spellings: readonly string[], shelf: Shelf | undefined) {
  const kindOf = (name: string) => shelf?.kind(name) ?? KIND.wanted;
  const names = spellings.map((spelling) => ({ spelling, kind: kindOf(spelling) }));
  const stack = "kernel_stack";
  return spellings.includes(stack) ? undefined : [...names, { spelling: stack, kind: KIND.slow }];
}

/** The same for a caller that has the chunks (decompressed, of any size) one after another. */
export class FtraceReader {
  readonly #sink: FtraceSink;
  readonly #dialect: Dialect;
  readonly #names: NameTable;
  readonly #scanned: LineScanner;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  readonly #shelf: Shelf | undefined;
  readonly #scanner: Scanner | undefined;
  readonly #memory: ScanMemory | undefined;
  readonly #cutter: LineCutter | ScannedLines;
  #space: Uint8Array<ArrayBuffer> | undefined;
  /** Spellings by the scanner's numbers, from 1; and what they mean, by number and form. */
  #spellings: readonly string[] = [];
  readonly #known: (KnownName | null | undefined)[] = [];
  readonly #taken = { ...NO_LINE };
  /** The head of the input, until its format is recognised. */
  #head: Uint8Array | undefined = new Uint8Array(0);
  readonly #last_events: LastEvents;
  /** Of each CPU. */
  readonly #last_times: number[] = [];
  #out_of_order = false;
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
  constructor(sink: FtraceSink, options: FtraceOptions = {}, dialect: Dialect, known = false) {
    if (known) this.#head = undefined;
    this.#sink = sink;
    this.#dialect = dialect;
    this.#scanned = dialect.scanner();
    this.#names = new NameTable(options.wanted);
    this.#shelf = options.shelf;
    const able = dialect.columns === "ftrace" && options.engine !== "javascript";
    const names = able ? this.#names.spellings : undefined;
    this.#scanner = names === undefined ? undefined : makeScanner(scanNames(names, this.#shelf));
    if (names !== undefined) this.#spellings = names;
    this.#memory = this.#shelf?.attach(this.#again, this.#scanner?.memory) ?? this.#scanner?.memory;
    this.#last_events = new LastEvents(this.#memory);
    const cut = (bytes: Uint8Array, start: number, end: number) => this.#line(bytes, start, end);
    this.#cutter =
      this.#scanner === undefined
        ? new LineCutter(cut, () => this.tooLong())
        : new ScannedLines(this.#scanner, this);
    this.#synchronise();
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

  /** Where the next bytes of the input may be put, to be taken by `take`. */
  get space(): Uint8Array<ArrayBuffer> {
    if (this.#head === undefined && this.#cutter instanceof ScannedLines) return this.#cutter.space;
    this.#space ??= new Uint8Array(TEXT_BYTES);
    return this.#space;
  }

  /** As `push`, of so many bytes in `space`. */
  take(count: number): ImportError | undefined {
    if (this.#head === undefined && this.#cutter instanceof ScannedLines) {
      this.#cutter.take(count);
      return undefined;
    }
    return this.push(this.space.slice(0, count));
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
    this.#shelf?.finish();
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
    // A file system leaves blocks of NULs where a machine went down; few texts have any.
    if (this.#scanner === undefined) this.#nuls ||= chunk.includes(0);
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
        // It belongs to an event that may be waiting.
        this.#shelf?.release();
        this.#stack_cpu = line.cpu;
        return;
      case "frame":
        this.#shelf?.release();
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
    if (this.#disordered(line.time_s)) return;
    this.#last = line.time_s;
    this.#last_times[cpu] = line.time_s;
    this.#stack_cpu = cpu;
    this.#last_events.none(cpu);
    const name = this.#names.find(bytes, line);
    if (name === undefined) return;
    const made = eventOf(bytes, start, end, line, name, this.#lines);
    if (made === undefined || this.#waits(made, bytes, start, end)) return;
    this.#last_events.is(made);
    this.#sink.event(made);
  }

  /**
   * Whether events of other CPUs that came later were printed before this one: what is known by now
   * is of a time to come, and nothing can be judged by it any more.
   */
  #disordered(time_s: number): boolean {
    if (this.#dialect.ordered !== "cpu") return false;
    if (!this.#out_of_order && this.#last !== undefined && time_s < this.#last) {
      this.#out_of_order = true;
      this.#damaged(OUT_OF_ORDER, true);
    }
    return this.#out_of_order;
  }

  /** Whether the event is one that may never matter: its line is on the shelf now. */
  #waits(event: RawEvent, bytes: Uint8Array, start: number, end: number): boolean {
    const slot = this.#shelf?.waits(event, bytes.subarray(start, end));
    if (slot === undefined) return false;
    this.#last_events.waits(event.cpu, slot);
    return true;
  }

  /** The event of a line on the shelf. */
  readonly #again = (bytes: Uint8Array, slot: number): RawEvent | undefined => {
    const { start, end, line: low } = placeIn(this.#memory as ScanMemory, slot);
    const line = this.#dialect.scanner();
    if (line.scan(bytes, start, end) !== "event") return undefined;
    const name = this.#names.find(bytes, line);
    const number = this.#lines - ((this.#lines - low) >>> 0);
    const made = name && eventOf(bytes, start, end, line, name, number);
    if (made === undefined) return undefined;
    if (this.#last_events.isWaiting(made.cpu, slot)) this.#last_events.is(made);
    return made;
  };

  // What the scanner leaves, and takes: see LeftTaker.

  record(at: number): void {
    const { bytes, words, floats } = this.#memory as ScanMemory;
    const word = (field: number) => words[(at + field) >> 2] as number;
    const id = word(RECORD.name);
    const form = word(RECORD.form);
    const line = this.#taken;
    line.name_start = word(RECORD.name_start);
    line.form = FORMS[form] as EventForm;
    const name = this.#nameOf(id, form, bytes);
    if (name === undefined) return;
    const start = word(RECORD.start);
    line.cpu = word(RECORD.cpu);
    line.pid = word(RECORD.pid);
    line.time_s = floats[(at + RECORD.time) >> 3] as number;
    line.task_start = start;
    line.task_end = start + 16;
    line.flags_start = word(RECORD.flags_start);
    line.flags_end = word(RECORD.flags_end);
    line.text_start = word(RECORD.text_start);
    const end = word(RECORD.end);
    const made = eventOf(bytes, start, end, line, name, this.#lines + word(RECORD.line));
    if (made === undefined) return;
    this.#last_events.recorded(made, word(RECORD.sequence));
    this.#sink.event(made);
  }

  /** The meaning of the scanner's number of a name. */
  #nameOf(id: number, form: number, bytes: Uint8Array): KnownName | undefined {
    const spelling = this.#spellings[id - 1] ?? "";
    // The scanner compares both ends.
    for (let at = 16; at < spelling.length - 16; at++) {
      if (bytes[this.#taken.name_start + at] !== spelling.charCodeAt(at)) return undefined;
    }
    const key = 4 * id + form;
    let known = this.#known[key];
    if (known === undefined) {
      known = this.#names.named(spelling, FORMS[form] as EventForm) ?? null;
      this.#known[key] = known;
    }
    return known ?? undefined;
  }

  took(lines: number, events: number): void {
    const memory = this.#memory as ScanMemory;
    this.#lines += lines;
    if (events === 0) return;
    this.#events += events;
    this.#last = memory.floats[STATE.last >> 3] as number;
    this.#stack_cpu = memory.word(STATE.cpu);
  }

  left(bytes: Uint8Array, start: number, end: number, strange: boolean): void {
    this.#nuls = strange;
    this.#line(bytes, start, end);
    this.#synchronise();
  }

  tooLong(): void {
    this.#lines++;
    this.#ignore(`longer than ${MAX_LINE_BYTES} bytes`, "", true);
  }

  /** What the scanner must know; without a last time it leaves the next event. */
  #synchronise(): void {
    const scanner = this.#scanner;
    if (scanner === undefined) return;
    scanner.memory.floats[STATE.last >> 3] = this.#last ?? Number.POSITIVE_INFINITY;
    scanner.memory.setWord(STATE.backwards, this.#backwards ? 1 : 0);
  }

  /** " => do_wp_page": a function of the stack of the last event of that CPU. */
  #frame(bytes: Uint8Array, end: number): void {
    const at = this.#scanned.text_start;
    const event = this.#last_events.of(this.#stack_cpu);
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
