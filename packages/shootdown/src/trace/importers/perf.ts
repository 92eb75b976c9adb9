// SPDX-License-Identifier: Apache-2.0
// The output of `perf script` for tracepoints and probes, with or without call chains.
//
//   "         mmsteps   256 [003]    51.127622: mm:mn_register: (ffff80000830a190) mm=0x...
//    ^comm, 16 columns  |    |       |         |  ^name        ^text
//                   TID, or PID/TID  |         a period (number) may stand here
//   "	ffff80000830a190 __mmu_notifier_register+0x0 ([kernel.kallsyms])    one line a frame
//
// The CPU is absent where the samples have none (perf record without -a and without tracepoints).
import { type ByteSource, type ImportResult, startOfText } from "./bytes.ts";
import {
  type Dialect,
  type FtraceOptions,
  type FtraceSink,
  type FtraceSummary,
  readFtrace,
} from "./ftrace.ts";
import { ascii, hashOf, isDigit, skipSpaces } from "./ftrace-line.ts";
import type { LineKind, LineScanner } from "./scanned-line.ts";

const TAB = 9;
const SPACE = 32;
const HASH = 35;
const DOT = 46;
const SLASH = 47;
const COLON = 58;
const BRACKET_OPEN = 91;
const BRACKET_CLOSE = 93;
const ZERO = 48;

/** What perf prints where the ring buffer overran. */
const LOST = "PERF_RECORD_LOST";

export class PerfLine implements LineScanner {
  cpu = 0;
  pid = 0;
  time_s = 0;
  task_start = 0;
  task_end = 0;
  flags_start = 0;
  flags_end = 0;
  name_start = 0;
  name_end = 0;
  name_hash = 0;
  text_start = 0;
  readonly form = "event";

  scan(bytes: Uint8Array, start: number, end: number): LineKind {
    const from = skipSpaces(bytes, start, end);
    if (from === end) return "blank";
    if (bytes[start] === HASH) return "comment";
    this.task_start = start;
    for (let at = from + 1; at < end; at++) {
      // A number between spaces that a CPU or a time follows: the task's name may hold either.
      if (isDigit(bytes[at]) && isSpace(bytes[at - 1]) && this.#head(bytes, at, end)) {
        this.task_end = backOverSpaces(bytes, at, start);
        return this.#body(bytes, end);
      }
    }
    return this.#frame(bytes, from, start, end);
  }

  /** TID or PID/TID, the CPU if there is one, and the time. */
  #head(bytes: Uint8Array, from: number, end: number): boolean {
    let at = digits(bytes, from, end);
    let pid = value(bytes, from, at);
    if (bytes[at] === SLASH) {
      const thread = at + 1;
      at = digits(bytes, thread, end);
      if (at === thread) return false;
      pid = value(bytes, thread, at);
    }
    if (!isSpace(bytes[at]) || pid > 2 ** 31) return false;
    at = skipSpaces(bytes, at, end);
    let cpu = 0;
    if (bytes[at] === BRACKET_OPEN) {
      const first = at + 1;
      at = digits(bytes, first, end);
      cpu = value(bytes, first, at);
      if (at === first || bytes[at] !== BRACKET_CLOSE || cpu > 2 ** 20) return false;
      at = skipSpaces(bytes, at + 1, end);
    }
    const whole = at;
    at = digits(bytes, at, end);
    if (at === whole || bytes[at] !== DOT) return false;
    const part = at + 1;
    const done = digits(bytes, part, end);
    if (done === part || bytes[done] !== COLON || done - part > 9) return false;
    const scale = 10 ** (done - part);
    const joined = value(bytes, whole, at) * scale + value(bytes, part, done);
    this.time_s = joined / scale;
    this.pid = pid;
    this.cpu = cpu;
    this.flags_start = at;
    this.flags_end = at;
    this.text_start = skipSpaces(bytes, done + 1, end);
    return true;
  }

  /** "group:name:" or "name:", in front of it perhaps a period. */
  #body(bytes: Uint8Array, end: number): LineKind {
    let at = this.text_start;
    const period = digits(bytes, at, end);
    if (period > at && isSpace(bytes[period])) at = skipSpaces(bytes, period, end);
    const first = at;
    while (at < end && !isSpace(bytes[at])) at++;
    if (ascii(bytes, first, Math.min(at, first + LOST.length)) === LOST) return "lost";
    if (bytes[at - 1] !== COLON || at - 1 <= first) return "bad";
    this.name_end = at - 1;
    let name = at - 1;
    while (name > first && bytes[name - 1] !== COLON) name--;
    if (name === this.name_end) return "bad";
    this.name_start = name;
    this.name_hash = hashOf(bytes, name, this.name_end);
    this.text_start = skipSpaces(bytes, at, end);
    return "event";
  }

  /** "\tffff80000830a190 do_wp_page+0x10 ([kernel.kallsyms])". */
  #frame(bytes: Uint8Array, from: number, start: number, end: number): LineKind {
    if (from === start) return "bad";
    let at = from;
    while (at < end && isHexDigit(bytes[at])) at++;
    if (at === from || at - from > 16 || (at < end && !isSpace(bytes[at]))) return "bad";
    this.text_start = skipSpaces(bytes, at, end);
    return "frame";
  }
}

const PERF: Dialect = {
  format: "perf script",
  scanner: () => new PerfLine(),
  recognises: isPerfScript,
  expected: "an event as perf script prints it",
  ordered: "all",
};

/** Whether the first line that says anything is an event of `perf script`. */
export function isPerfScript(head: Uint8Array): boolean {
  const line = new PerfLine();
  let start = startOfText(head);
  while (start < head.length) {
    const newline = head.indexOf(10, start);
    const end = newline < 0 ? head.length : newline;
    const kind = line.scan(head, start, end);
    if (kind === "event" || kind === "lost") return true;
    if (kind !== "comment" && kind !== "blank") return false;
    start = end + 1;
  }
  return false;
}

/** As `readFtrace`, for `perf script`. */
export function readPerfScript(
  source: ByteSource,
  sink: FtraceSink,
  options: FtraceOptions = {},
): Promise<ImportResult<FtraceSummary>> {
  return readFtrace(source, sink, options, PERF);
}

const isSpace = (code: number | undefined): boolean => code === SPACE || code === TAB;

function isHexDigit(code: number | undefined): boolean {
  if (code === undefined) return false;
  const lower = code | 0x20;
  return isDigit(code) || (lower >= 97 && lower <= 102);
}

function digits(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && isDigit(bytes[at])) at++;
  return at;
}

function value(bytes: Uint8Array, from: number, end: number): number {
  let sum = 0;
  for (let at = from; at < end; at++) sum = sum * 10 + (bytes[at] as number) - ZERO;
  return sum;
}

function backOverSpaces(bytes: Uint8Array, from: number, start: number): number {
  let at = from;
  while (at > start && isSpace(bytes[at - 1])) at--;
  return at;
}
