// SPDX-License-Identifier: Apache-2.0
// The text format of workloads, one operation a line: written, and read strictly.
//
//   # shootdown workload 1
//   # title: two processes
//   # provenance: written by hand
//   # assumes: nothing
//   0.000000000 7 mmap 0x10000..0x20000 rw private anonymous
//   0.000001500 7 touch 0x10000..0x12000 w
//   0.000002000 7 fork 8
//   0.000003000 7/9 munmap 0x10000..0x20000          thread 9 of process 7
import { IntervalMap } from "../../base/interval-map.ts";
import { suggestion } from "../../base/suggest.ts";
import type { ByteSource } from "../../trace/importers/bytes.ts";
import { readLog } from "../../trace/importers/log-lines.ts";
import type { Workload } from "../workload.ts";
import { ADVICE, type Advice, type Call, type Operation, type Span } from "../workload.ts";
import { ADDRESS_LIMIT, PAGE } from "./address-space.ts";
import { Findings, type ReadOptions, type ReadResult } from "./input.ts";
import { CODES, type Code } from "./problem.ts";
import { OperationStore } from "./store.ts";

export const TEXT_HEAD = "# shootdown workload 1";

/** Bytes that one operation uses at most, 16 TiB: no machine has more memory. */
const MAX_USED = 2 ** 44;

const hex = ({ start, end }: Span): string => `0x${start.toString(16)}..0x${end.toString(16)}`;

const access = (accessible: boolean, writable: boolean): string =>
  accessible ? (writable ? "rw" : "r") : "none";

/** An operation without its time. */
export function shown({ tid, pid, call }: Operation): string {
  const task = tid === pid ? `${pid}` : `${pid}/${tid}`;
  return `${task} ${call.call}${shownArguments(call)}`;
}

function shownArguments(call: Call): string {
  switch (call.call) {
    case "mmap": {
      const kind = `${call.shared ? "shared" : "private"} ${call.file ? "file" : "anonymous"}`;
      const may = access(call.accessible, call.writable);
      return ` ${hex(call.span)} ${may} ${kind}${call.populate ? " populate" : ""}`;
    }
    case "munmap":
      return ` ${hex(call.span)}`;
    case "mprotect":
      return ` ${hex(call.span)} ${access(call.accessible, call.writable)}`;
    case "madvise":
      return ` ${hex(call.span)} ${call.advice}`;
    case "mremap":
      return ` ${hex(call.from)} ${hex(call.to)}`;
    case "fork":
      return ` ${call.child}`;
    case "touch":
      return ` ${hex(call.span)} ${call.write ? "w" : "r"}`;
    case "device":
      return ` ${hex(call.span)} ${call.write ? "w" : "r"} ${call.device}`;
    case "dma_map":
    case "dma_unmap":
      return ` ${call.pages}${call.iova === undefined ? "" : ` 0x${call.iova.toString(16)}`}`;
    default:
      return "";
  }
}

/** The lines of a workload, each with its line end. */
export function* writeText(workload: Workload): Generator<string, void, undefined> {
  yield `${TEXT_HEAD}\n# title: ${workload.title}\n# provenance: ${workload.provenance}\n`;
  for (const assumption of workload.assumptions) yield `# assumes: ${assumption}\n`;
  for (const operation of workload.operations) {
    const seconds = Math.floor(operation.at_ns / 1e9);
    const nanos = String(Math.floor(operation.at_ns % 1e9)).padStart(9, "0");
    // Microseconds are enough where there is nothing behind them.
    yield `${seconds}.${nanos.replace(/000$/, "")} ${shown(operation)}\n`;
  }
}

export const isText = (first: string): boolean => /^# shootdown workload\b/.test(first);

export async function readText(
  name: string,
  source: ByteSource,
  options: ReadOptions = {},
): Promise<ReadResult> {
  const reader = new TextReader(name);
  const read = await readLog(source, {
    line: (text, number) => {
      if (!reader.found.enough) reader.line(text, number);
      return true;
    },
    damaged: ({ line, why }) =>
      reader.found.add(
        { file: name, line, column: 1, length: 0, source: "" },
        CODES.form,
        `the line is ${why}`,
      ),
  });
  if (!read.ok) reader.found.damaged(read.error);
  return reader.finish(options);
}

interface Word {
  readonly text: string;
  readonly column: number;
}

/** What is wrong with a word of the line. */
class Wrong extends Error {
  readonly code: Code;
  readonly word: Word | undefined;
  readonly note: string | undefined;
  constructor(code: Code, message: string, word?: Word, note?: string) {
    super(message);
    this.code = code;
    this.word = word;
    this.note = note;
  }
}

class TextReader {
  readonly found: Findings;
  readonly #operations = new OperationStore();
  readonly #maps = new Map<number, IntervalMap<true>>();
  #title = "";
  #provenance = "";
  readonly #assumptions: string[] = [];
  #last_ns = 0;

  constructor(name: string) {
    this.found = new Findings(name);
  }

  line(text: string, line: number): void {
    if (line === 1 && isText(text) && text.trimEnd() !== TEXT_HEAD) {
      const place = { file: this.found.file, line, column: 1, length: text.length, source: text };
      this.found.add(place, CODES.format, `this version reads '${TEXT_HEAD}'`);
    }
    if (text.startsWith("#")) {
      this.#remark(text);
      return;
    }
    const words = [...text.matchAll(/\S+/g)].map(({ 0: word, index }) => {
      return { text: word, column: index + 1 };
    });
    try {
      this.#operation(new Words(words, text.length + 1), line);
    } catch (reason) {
      if (!(reason instanceof Wrong)) throw reason;
      const { column, length } = {
        column: reason.word?.column ?? 1,
        length: reason.word?.text.length ?? text.length,
      };
      const place = { file: this.found.file, line, column, length, source: text };
      this.found.add(place, reason.code, reason.message, ...(reason.note ? [reason.note] : []));
    }
  }

  finish(options: ReadOptions): ReadResult {
    return this.found.result(this.#operations, this.#assumptions, {
      what: "operations",
      hint: "docs/WORKLOADS.md describes the format",
      title: options.title ?? (this.#title || this.found.file),
      provenance: options.provenance ?? (this.#provenance || "text"),
    });
  }

  #remark(text: string): void {
    const [, key, value = ""] = /^# (title|provenance|assumes): (.*)$/.exec(text) ?? [];
    if (key === "title") this.#title = value;
    else if (key === "provenance") this.#provenance = value;
    else if (key === "assumes") this.#assumptions.push(value);
  }

  #operation(words: Words, line: number): void {
    const time = words.next("a time");
    const [, whole, part = ""] = /^(\d{1,9})(?:\.(\d{1,9}))?$/.exec(time.text) ?? [];
    if (whole === undefined) throw new Wrong(CODES.number, "a time in seconds, as 0.001500", time);
    const at_ns = Number(whole) * 1e9 + Number(part.padEnd(9, "0"));
    if (at_ns < this.#last_ns) throw new Wrong(CODES.number, "earlier than the line before", time);
    const task = words.next("a process");
    const [, process, thread] = /^(\d{1,10})(?:\/(\d{1,10}))?$/.exec(task.text) ?? [];
    if (process === undefined) {
      throw new Wrong(CODES.number, "a process, as 7, or a thread of it, as 7/9", task);
    }
    const pid = Number(process);
    const call = this.#call(words, pid);
    words.end();
    this.#last_ns = at_ns;
    this.#operations.push(at_ns, Number(thread ?? process), pid, line, call);
  }

  #call(words: Words, pid: number): Call {
    const name = words.next("an operation");
    const read = Object.hasOwn(CALLS, name.text) ? CALLS[name.text as Call["call"]] : undefined;
    if (read === undefined) {
      const note = suggestion(name.text, Object.keys(CALLS));
      throw new Wrong(CODES.form, "no operation of this name", name, note);
    }
    const place = words.peek;
    const call = read(words);
    const maps = this.#mapsOf(pid);
    if (call.call === "mmap") {
      const there = maps.iterate(call.span.start, call.span.end).next().value;
      if (there) throw new Wrong(CODES.overlap, `overlaps the mapping ${hex(there)}`, place);
      if (call.populate) used(call.span, place);
      maps.set(call.span.start, call.span.end, true);
    } else if (call.call === "munmap") maps.delete(call.span.start, call.span.end);
    else if (call.call === "mremap") this.#move(maps, call, place);
    else if (call.call === "fork") {
      if (this.#maps.has(call.child)) throw new Wrong(CODES.number, "a process that lives", place);
      this.#maps.set(call.child, maps.clone());
    } else if (call.call === "exec") maps.clear();
    else if (call.call === "exit") this.#maps.delete(pid);
    return call;
  }

  #move(maps: IntervalMap<true>, call: Call & { call: "mremap" }, place: Word | undefined): void {
    const { from, to } = call;
    const inPlace = from.start === to.start;
    const rest = inPlace ? Math.min(from.end, to.end) : to.start;
    const there = maps.iterate(rest, Math.max(rest, to.end)).next().value;
    const own = from.start < to.end && to.start < from.end && !inPlace;
    if (there || own) throw new Wrong(CODES.overlap, "moves to where a mapping is", place);
    maps.delete(from.start, from.end);
    maps.set(to.start, to.end, true);
  }

  #mapsOf(pid: number): IntervalMap<true> {
    let maps = this.#maps.get(pid);
    if (maps === undefined) this.#maps.set(pid, (maps = new IntervalMap()));
    return maps;
  }
}

class Words {
  readonly #words: readonly Word[];
  readonly #end: number;
  #at = 0;

  constructor(words: readonly Word[], end: number) {
    this.#words = words;
    this.#end = end;
  }

  get peek(): Word | undefined {
    return this.#words[this.#at];
  }

  get last(): Word | undefined {
    return this.#words[this.#at - 1];
  }

  next(what: string): Word {
    const word = this.#words[this.#at++];
    if (word !== undefined) return word;
    throw new Wrong(CODES.form, `${what} is missing`, { text: "", column: this.#end });
  }

  end(): void {
    const more = this.peek;
    if (more !== undefined) throw new Wrong(CODES.form, "nothing is expected here", more);
  }

  span(): Span {
    const word = this.next("a range");
    const [, first, last] = /^(0x[\da-f]{1,32})\.\.(0x[\da-f]{1,32})$/i.exec(word.text) ?? [];
    if (first === undefined) throw new Wrong(CODES.number, "a range, as 0x1000..0x3000", word);
    const start = Number(first);
    const end = Number(last);
    if (start >= ADDRESS_LIMIT || end > ADDRESS_LIMIT) {
      throw new Wrong(CODES.number, "a range that is not below 2^48", word);
    }
    if (start % PAGE !== 0 || end % PAGE !== 0) {
      throw new Wrong(CODES.number, "an address that is no multiple of 4096", word);
    }
    if (end <= start) throw new Wrong(CODES.overlap, "a range that ends where it begins", word);
    return { start, end };
  }

  one<T extends string>(of: readonly T[]): T {
    const word = this.next(`one of ${of.join(", ")}`);
    const found = of.find((name) => name === word.text);
    if (found === undefined) throw new Wrong(CODES.form, `one of ${of.join(", ")}`, word);
    return found;
  }

  count(what: string, least: number): number {
    const word = this.next(what);
    const value = /^\d{1,10}$/.test(word.text) ? Number(word.text) : -1;
    if (value < least) throw new Wrong(CODES.number, `${what}, from ${least} on`, word);
    return value;
  }

  iova(): number | undefined {
    if (this.peek === undefined) return undefined;
    const word = this.next("an address");
    const value = /^0x[\da-f]{1,32}$/i.test(word.text) ? Number(word.text) : -1;
    if (value >= 0 && value < ADDRESS_LIMIT && value % PAGE === 0) return value;
    throw new Wrong(CODES.number, "an address below 2^48, a multiple of 4096", word);
  }
}

/** A range of which every page is used. */
function used(span: Span, word: Word | undefined): Span {
  if (span.end - span.start <= MAX_USED) return span;
  throw new Wrong(CODES.number, "more than 16 TiB that are used", word);
}

function permission(words: Words): { readonly writable: boolean; readonly accessible: boolean } {
  const may = words.one(["rw", "r", "none"]);
  return { writable: may === "rw", accessible: may !== "none" };
}

type Reader = (words: Words) => Call;

const CALLS: Readonly<Record<Call["call"], Reader>> = {
  mmap: (words) => ({
    call: "mmap",
    span: words.span(),
    ...permission(words),
    shared: words.one(["private", "shared"]) === "shared",
    file: words.one(["anonymous", "file"]) === "file",
    populate: words.peek !== undefined && words.one(["populate"]) === "populate",
  }),
  munmap: (words) => ({ call: "munmap", span: words.span() }),
  mprotect: (words) => ({ call: "mprotect", span: words.span(), ...permission(words) }),
  madvise: (words) => {
    return { call: "madvise", span: words.span(), advice: words.one<Advice>(ADVICE) };
  },
  mremap: (words) => ({ call: "mremap", from: words.span(), to: words.span() }),
  fork: (words) => ({ call: "fork", child: words.count("the child's number", 1) }),
  exec: () => ({ call: "exec" }),
  exit: () => ({ call: "exit" }),
  touch: (words) => ({
    call: "touch",
    span: used(words.span(), words.last),
    write: words.one(["r", "w"]) === "w",
  }),
  device: (words) => ({
    call: "device",
    span: used(words.span(), words.last),
    write: words.one(["r", "w"]) === "w",
    device: words.count("the device's number", 0),
  }),
  dma_map: (words) => ({ call: "dma_map", ...buffer(words) }),
  dma_unmap: (words) => ({ call: "dma_unmap", ...buffer(words) }),
};

function buffer(words: Words): { readonly pages: number; readonly iova?: number } {
  const pages = words.count("a number of pages", 1);
  const iova = words.iova();
  return iova === undefined ? { pages } : { pages, iova };
}
