// SPDX-License-Identifier: Apache-2.0
// One event of a recorded trace as text: what every importer produces, before it has a meaning.
import { parseWord, type Word64 } from "./word64.ts";

/**
 * How the line was written: `event: key=value ...`, a system call's `sys_x(...)` or `sys_x -> r`,
 * or the function tracer's `function <-caller`.
 */
export type EventForm = "event" | "enter" | "exit" | "function";

/** Where the parts of a line begin and end, as offsets into its text. */
export interface LineParts {
  readonly task_start: number;
  readonly task_end: number;
  /** Equal ends where the format has no flags. */
  readonly flags_start: number;
  readonly flags_end: number;
  readonly text_start: number;
}

/** Functions of an event's stack that are kept. */
const MAX_FRAMES = 32;

/** One event; the line's text is cut up only as far as somebody asks. */
export class RawEvent {
  /** Line in the input, from 1. */
  readonly line: number;
  /** Seconds (or ticks, where the trace's clock counts without a unit). */
  readonly time_s: number;
  readonly cpu: number;
  readonly pid: number;
  readonly event: string;
  readonly form: EventForm;
  readonly #raw: string;
  readonly #parts: LineParts;
  #stack: string[] | undefined;
  #origin: { func: string | undefined; caller: string | undefined } | undefined;

  constructor(
    head: { line: number; time_s: number; cpu: number; pid: number },
    event: string,
    form: EventForm,
    raw: string,
    parts: LineParts,
  ) {
    this.line = head.line;
    this.time_s = head.time_s;
    this.cpu = head.cpu;
    this.pid = head.pid;
    this.event = event;
    this.form = form;
    this.#raw = raw;
    this.#parts = parts;
  }

  /** Functions on the kernel's stack, the innermost first; undefined where none was recorded. */
  get stack(): readonly string[] | undefined {
    return this.#stack;
  }

  /** The next function of the stack, "do_wp_page+0x10/0x40" or without offset. */
  addFrame(text: string): void {
    this.#stack ??= [];
    const name = symbol(text);
    if (name !== "" && this.#stack.length < MAX_FRAMES) this.#stack.push(name);
  }

  /** The whole line. */
  get raw(): string {
    return this.#raw;
  }

  get task(): string {
    return this.#raw.slice(this.#parts.task_start, this.#parts.task_end).trimStart();
  }

  /** The flag characters as written, any number of them; "" where the format has none. */
  get flags(): string {
    return this.#raw.slice(this.#parts.flags_start, this.#parts.flags_end);
  }

  /** What follows the event's name. */
  get text(): string {
    return this.#raw.slice(this.#parts.text_start);
  }

  /** The probed function: of `(func+0x0/0x140)` or `(caller+0x70/0xb0 <- func)`. */
  get func(): string | undefined {
    return this.#where().func;
  }

  /** The function returned to, of a return probe. */
  get caller(): string | undefined {
    return this.#where().caller;
  }

  /** The value of `key=value`, `key: value` or `key:value`; ends at a space, a comma or `)`. */
  arg(key: string): string | undefined {
    const at = this.#find(`${key}=`);
    if (at >= 0) return this.#value(at + key.length + 1);
    const colon = this.#find(`${key}:`);
    return colon < 0 ? undefined : this.#value(colon + key.length + 1);
  }

  /** The value of `key` as a 64-bit word; undefined when there is none or it is no number. */
  word(key: string): Word64 | undefined {
    const text = this.arg(key);
    return text === undefined ? undefined : parseWord(text);
  }

  #find(key: string): number {
    const raw = this.#raw;
    const from = this.#parts.text_start;
    for (let at = raw.indexOf(key, from); at >= 0; at = raw.indexOf(key, at + 1)) {
      if (at === from) return at;
      const before = raw.charCodeAt(at - 1);
      // A key stands at the start, behind a space, a comma or a bracket: not inside a word.
      if (before === 32 || before === 44 || before === 40) return at;
    }
    return -1;
  }

  #value(from: number): string {
    const raw = this.#raw;
    let start = from;
    while (raw.charCodeAt(start) === 32) start++;
    let end = start;
    for (; end < raw.length; end++) {
      const code = raw.charCodeAt(end);
      if (code === 32 || code === 44 || code === 41) break;
    }
    return raw.slice(start, end);
  }

  #where(): { func: string | undefined; caller: string | undefined } {
    this.#origin ??= probeOrigin(this.text);
    return this.#origin;
  }
}

function probeOrigin(text: string): { func: string | undefined; caller: string | undefined } {
  const inside = /^\(([^()]*)\)/.exec(text)?.[1];
  if (inside === undefined) return { func: undefined, caller: undefined };
  const [left = "", right] = inside.split(" <- ");
  if (right === undefined) return { func: symbol(left), caller: undefined };
  // The kernel prints (caller+offset <- func); trace-cmd report prints (func <- caller), raw.
  if (!left.includes("+")) return { func: symbol(left), caller: symbol(right) };
  return { func: symbol(right), caller: symbol(left) };
}

/** A function's name without "+offset/size" and "[module]". */
function symbol(text: string): string {
  return /^[^+\s]*/.exec(text)?.[0] ?? text;
}
