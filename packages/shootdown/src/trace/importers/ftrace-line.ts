// SPDX-License-Identifier: Apache-2.0
// One line of ftrace text, scanned as bytes: where its parts are, and nothing decoded.
//
//            TASK-PID    TGID   CPU#  FLAGS     TIMESTAMP  FUNCTION
//   "         mmsteps-256         [003] d....    51.127622: mn_register: (...) mm=0x..."
//    ^16 columns, then "-"        |     |                   |            |
//                     (TGID) may stand here;  FLAGS any number, or none  text_start
//
// The kernel pads the task's name to 16 columns and cuts it to 15 bytes, so column 17 is the dash
// whatever the name contains. Text that lost its padding (mail) is scanned for the first dash that
// begins a well-formed rest.
import type { EventForm } from "./raw-event.ts";
import type { LineKind, LineScanner } from "./scanned-line.ts";

const SPACE = 32;
const TAB = 9;
const HASH = 35;
const OPEN = 40;
const CLOSE = 41;
const PLUS = 43;
const DASH = 45;
const DOT = 46;
const ZERO = 48;
const NINE = 57;
const COLON = 58;
const LESS = 60;
const GREATER = 62;
const BRACKET_OPEN = 91;
const BRACKET_CLOSE = 93;
const S = 115;
const U = 117;

const TASK_COLUMNS = 16;
/** Of a thread group with its brackets, at most; else a line of dashes would cost its square. */
const GROUP_COLUMNS = 24;
/** Of flags, for the same reason; kernels have 4 to 8. */
const FLAG_COLUMNS = 16;

/** Of "<ffff80008021e880", up to its end. */
const ADDRESS_COLUMNS = 17;

/** A scanner of ftrace text and of `trace-cmd report`. */
export class FtraceLine implements LineScanner {
  cpu = 0;
  pid = 0;
  time_s = 0;
  task_start = 0;
  task_end = 0;
  flags_start = 0;
  flags_end = 0;
  name_start = 0;
  name_end = 0;
  /** A hash of the name's bytes, equal to `nameHash` of the name. */
  name_hash = 0;
  text_start = 0;
  form: EventForm = "event";

  scan(bytes: Uint8Array, start: number, end: number): LineKind {
    const first = bytes[start];
    if (start === end) return "blank";
    this.task_start = start;
    if (first === HASH) return this.#comment(bytes, start, end);
    const dash = start + TASK_COLUMNS;
    if (bytes[dash] === DASH && dash < end && this.#head(bytes, dash, end)) {
      this.task_end = dash;
      return this.#body(bytes, end);
    }
    for (let at = start; at < end; at++) {
      if (bytes[at] === DASH && at > start && this.#head(bytes, at, end)) {
        this.task_end = at;
        return this.#body(bytes, end);
      }
    }
    return this.#other(bytes, start, end);
  }

  /** PID, CPU, flags and time, from the dash on. */
  #head(bytes: Uint8Array, dash: number, end: number): boolean {
    let at = dash + 1;
    let pid = 0;
    const pidStart = at;
    for (; at < end && isDigit(bytes[at]); at++) pid = pid * 10 + (bytes[at] as number) - ZERO;
    if (at === pidStart || pid > 2 ** 31) return false;
    at = skipSpaces(bytes, at, end);
    if (bytes[at] === OPEN) {
      // A thread group: (  123) or (-------).
      const last = Math.min(end, at + GROUP_COLUMNS);
      while (at < last && bytes[at] !== CLOSE) at++;
      if (bytes[at] !== CLOSE) return false;
      at = skipSpaces(bytes, at + 1, end);
    }
    if (at >= end) return false;
    if (bytes[at] !== BRACKET_OPEN) return this.#latency(bytes, at, end, pid);
    let cpu = 0;
    const cpuStart = ++at;
    for (; at < end && isDigit(bytes[at]); at++) cpu = cpu * 10 + (bytes[at] as number) - ZERO;
    if (at === cpuStart || at >= end || bytes[at] !== BRACKET_CLOSE || cpu > 2 ** 20) return false;
    at = skipSpaces(bytes, at + 1, end);
    this.flags_start = at;
    this.flags_end = at;
    let after = this.#time(bytes, at, end);
    if (after < 0) {
      // Not a time, so it is the flags, however many columns this kernel has.
      const last = Math.min(end, at + FLAG_COLUMNS);
      while (at < last && bytes[at] !== SPACE) at++;
      this.flags_end = at;
      after = this.#time(bytes, skipSpaces(bytes, at, end), end);
      if (after < 0) return false;
    }
    this.pid = pid;
    this.cpu = cpu;
    this.text_start = after;
    return true;
  }

  /** The option latency-format: "1d....", CPU and flags, and "54838us+:" or "51.127622:". */
  #latency(bytes: Uint8Array, from: number, end: number, pid: number): boolean {
    let at = from;
    let cpu = 0;
    for (; at < end && isDigit(bytes[at]); at++) cpu = cpu * 10 + (bytes[at] as number) - ZERO;
    this.flags_start = at;
    const last = Math.min(end, at + FLAG_COLUMNS);
    while (at < last && bytes[at] !== SPACE && bytes[at] !== COLON) at++;
    this.flags_end = at;
    if (this.flags_start === from || at === this.flags_start || cpu > 2 ** 20) return false;
    at = skipSpaces(bytes, at, end);
    let after = this.#time(bytes, at, end);
    if (after < 0) {
      let us = 0;
      for (; at < end && isDigit(bytes[at]); at++) us = us * 10 + (bytes[at] as number) - ZERO;
      // After "us" stands a mark of how long it took until the next event, or a space.
      if (bytes[at] !== U || bytes[at + 1] !== S || bytes[at + 3] !== COLON) return false;
      this.time_s = us / 1e6;
      after = skipSpaces(bytes, at + 4, end);
    }
    this.pid = pid;
    this.cpu = cpu;
    this.text_start = after;
    return true;
  }

  /** "51.127622:", or a count of ticks; the offset after it, or -1. */
  #time(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    let whole = 0;
    for (; at < end && isDigit(bytes[at]); at++) whole = whole * 10 + (bytes[at] as number) - ZERO;
    if (at === from) return -1;
    let scale = 1;
    let part = 0;
    if (bytes[at] === DOT) {
      const partStart = ++at;
      for (; at < end && isDigit(bytes[at]); at++) {
        part = part * 10 + (bytes[at] as number) - ZERO;
        scale *= 10;
      }
      if (at === partStart) return -1;
    }
    if (at >= end || bytes[at] !== COLON) return -1;
    // One division rounds once, so that 51.127622 prints as it was written.
    const joined = whole * scale + part;
    this.time_s = joined <= Number.MAX_SAFE_INTEGER ? joined / scale : whole + part / scale;
    return skipSpaces(bytes, at + 1, end);
  }

  /** The event's name, and how it goes on. */
  #body(bytes: Uint8Array, end: number): LineKind {
    let at = this.text_start;
    // <stack trace>, or <user stack trace>.
    if (bytes[at] === LESS) return "stack";
    let hash = HASH_SEED;
    this.name_start = at;
    for (; at < end; at++) {
      const code = bytes[at] as number;
      if (code === COLON || code === SPACE || code === OPEN) break;
      hash = hashStep(hash, code);
    }
    this.name_end = at;
    this.name_hash = hash;
    if (at === this.name_start || at >= end) return "bad";
    if (bytes[at] === COLON) {
      this.form = "event";
      this.text_start = skipSpaces(bytes, at + 1, end);
      // trace-cmd report's "kernel_stack:   <stack trace >".
      if (bytes[this.text_start] === LESS && this.name_hash === KERNEL_STACK) return "stack";
      return "event";
    }
    if (bytes[at] === OPEN) {
      this.form = "enter";
      this.text_start = at;
      return bytes[end - 1] === CLOSE ? "event" : "bad";
    }
    const arrow = skipSpaces(bytes, at, end);
    this.text_start = arrow;
    if (bytes[arrow] === DASH && bytes[arrow + 1] === 62) this.form = "exit";
    else if (bytes[arrow] === LESS && bytes[arrow + 1] === DASH) this.form = "function";
    else return this.#symbol(bytes, arrow, end);
    return "event";
  }

  /** The options sym-addr, sym-offset: "tracing_mark_write+0x80/0x2a0 <ffff80008021e880>: TEXT". */
  #symbol(bytes: Uint8Array, address: number, end: number): LineKind {
    const close = address + ADDRESS_COLUMNS;
    const whole = bytes[address] === LESS && bytes[close] === GREATER && bytes[close + 1] === COLON;
    if (!whole || close + 1 >= end) return "bad";
    let at = this.name_start;
    while (at < this.name_end && bytes[at] !== PLUS) at++;
    this.name_end = at;
    this.name_hash = hashOf(bytes, this.name_start, at);
    this.form = "event";
    this.text_start = skipSpaces(bytes, close + 2, end);
    return "event";
  }

  /** Header lines, and "##### CPU 2 buffer started ####". */
  #comment(bytes: Uint8Array, start: number, end: number): LineKind {
    if (bytes[start + 1] !== HASH || end - start > 80) return "comment";
    const cpu = /^#+ CPU (\d{1,6}) buffer started #+$/.exec(ascii(bytes, start, end))?.[1];
    if (cpu === undefined) return "comment";
    this.cpu = Number(cpu);
    return "started";
  }

  #other(bytes: Uint8Array, start: number, end: number): LineKind {
    const at = skipSpaces(bytes, start, end);
    if (at === end) return "blank";
    // " => do_wp_page" under a "<stack trace>".
    if (bytes[at] === 61 && bytes[at + 1] === 62) {
      this.text_start = skipSpaces(bytes, at + 2, end);
      return "frame";
    }
    if (end - at <= 80 && bytes[at] === 67) {
      // The kernel's and trace-cmd's way of saying it.
      const text = ascii(bytes, at, end);
      const cpu = /^CPU:(\d{1,6}) \[(?:LOST (?:\d+ )?EVENTS|(?:\d+ )?EVENTS DROPPED)\]/.exec(text);
      if (cpu !== null) {
        this.cpu = Number(cpu[1]);
        return "lost";
      }
      if (/^CPU \d+ is empty$/.test(text)) return "comment";
    }
    return "bad";
  }
}

const HASH_SEED = 0x811c9dc5 | 0;
const KERNEL_STACK = nameHash("kernel_stack");

function hashStep(hash: number, code: number): number {
  return Math.imul(hash ^ code, 0x01000193);
}

/** The hash that `FtraceLine` gives a name written in ASCII. */
export function nameHash(name: string): number {
  let hash = HASH_SEED;
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i));
  return hash;
}

/** The same of a name's bytes. */
export function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = HASH_SEED;
  for (let i = start; i < end; i++) hash = hashStep(hash, bytes[i] as number);
  return hash;
}

/** The bytes as text, one character a byte. */
export function ascii(bytes: Uint8Array, start: number, end: number): string {
  let text = "";
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i] as number);
  return text;
}

export function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= ZERO && code <= NINE;
}

export function skipSpaces(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] === SPACE || bytes[at] === TAB)) at++;
  return at;
}
