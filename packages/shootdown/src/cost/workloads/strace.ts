// SPDX-License-Identifier: Apache-2.0
// `strace -f -ttt -T -e trace=%memory,%process`: the calls of one or many processes.
//
//   lines ──► calls in the order of their effects ──► tracker ──► operations
//
// A call that gives memory back takes effect after its line began; one that gives memory has taken
// effect when its line ends. So munmap, mprotect, madvise and fork stand where they begin, mmap,
// mremap, brk and execve where they end; what comes behind one that has not ended yet waits.
import type { ByteSource } from "../../trace/importers/bytes.ts";
import { readLog } from "../../trace/importers/log-lines.ts";
import { CLONE, type Followed, isFollowed, MADV, MAP, MREMAP, PROT, parseFlags } from "./abi.ts";
import type { Populated } from "./address-space.ts";
import { Findings, type ReadOptions, type ReadResult } from "./input.ts";
import { CODES, type Place } from "./problem.ts";
import {
  type Body,
  begun,
  bodyOf,
  numberOf,
  type StraceCall,
  type StraceLine,
  straceCall,
  straceLine,
  type Word,
} from "./strace-line.ts";
import { type Asked, type Flaw, Tracker } from "./tracker.ts";

/** A task's call, at the place where it takes effect. */
interface Entry {
  readonly tid: number;
  readonly line: number;
  /** Column at which the call begins in `source`, from 0. */
  readonly at: number;
  at_ns: number;
  /** The call as one text; undefined until it has ended. */
  text: string | undefined;
  source: string;
  /** It came to nothing, or is none: `exit` of a task is an entry of its own. */
  state: "waits" | "done" | "dropped" | "exit";
}

interface Begun {
  readonly name: string;
  readonly head: string;
  readonly entry: Entry | undefined;
}

/** These take effect when they end. */
const AT_END: ReadonlySet<string> = new Set([
  ...(["mmap", "mmap2", "mremap", "brk", "execve", "execveat"] as const satisfies Followed[]),
]);

const DAY_NS = 86_400e9;

/** The number of a process that has none. */
const NUMBERLESS = 1;

/** Of a call that waits for its end, entries behind it; a broken recording may never end it. */
const MAX_WAITING = 100_000;

const ASSUMED: Readonly<Record<Populated, string>> = {
  all:
    "strace shows no page faults: every page that may be used is taken to be used as " +
    "soon as it is mapped (written, where it may be), but for MAP_NORESERVE",
  touched:
    "strace shows no page faults: pages are taken to be used where the heap grows " +
    "and where a later mprotect, madvise or mremap names them",
  none: "strace shows no page faults: no page is taken to be used",
};

export async function readStrace(
  name: string,
  source: ByteSource,
  options: ReadOptions = {},
): Promise<ReadResult> {
  const reader = new StraceReader(name, options.populated ?? "all");
  const read = await readLog(source, {
    line: (text, number) => reader.line(text, number),
    damaged: (damage) => reader.found.ignored(damage.line, damage.why),
  });
  if (!read.ok) reader.found.damaged(read.error);
  return reader.finish(options);
}

class StraceReader {
  readonly found: Findings;
  readonly #tracker: Tracker;
  readonly #populated: Populated;
  readonly #begun = new Map<number, Begun>();
  #queue: Entry[] = [];
  #head = 0;
  #zero: readonly [number, number] | undefined;
  #now_ns = 0;
  /** Whose lines are those without a number. */
  #alone = NUMBERLESS;
  readonly #alive = new Set<number>();
  /** Tasks that a clone, or strace, has told. */
  readonly #children = new Set<number>();
  /** The number of the process that was followed without one at first. */
  #same: number | undefined;
  /** A line of which the rest stands on one of its own: `, child_tidptr=0x7ff1) = 24728`. */
  #half: string | undefined;
  #timeless = 0;
  #calls = 0;

  constructor(name: string, populated: Populated) {
    this.found = new Findings(name);
    this.#populated = populated;
    this.#tracker = new Tracker({ populated, lossy: false });
  }

  line(text: string, line: number): boolean {
    // A message of strace itself may interrupt a line of a call.
    const told = /^(.*)strace: Process (\d+) (?:attached|detached)/.exec(text);
    if (told !== null) {
      this.#children.add(Number(told[2]));
      if (told[1] !== "") this.#half = told[1];
      return true;
    }
    const continued = /^[,)]|^ => |^ ?<unf/.test(text) ? this.#mend(text) : undefined;
    const head = straceLine(continued ?? text);
    const body = head === undefined ? undefined : bodyOf(head.body);
    if (head === undefined || body === undefined) return false;
    const tid = this.#taskOf(head);
    this.#time(head);
    if (this.found.enough) return true;
    this.#take(head, body, tid, line, continued ?? text);
    this.#flush();
    return true;
  }

  finish(options: ReadOptions): ReadResult {
    for (const { entry } of this.#begun.values()) if (entry !== undefined) entry.state = "dropped";
    this.#flush();
    const assumptions = [ASSUMED[this.#populated], ...this.#tracker.remarks()];
    if (this.#timeless > 0) {
      assumptions.push("lines without a time (strace -ttt) are taken to follow at once");
    }
    return this.found.result(this.#tracker.operations, assumptions, {
      what: "system calls of strace",
      hint: "record with `strace -f -ttt -T -e trace=%memory,%process -o FILE PROGRAM`",
      title: options.title ?? this.found.file,
      provenance: options.provenance ?? `strace, ${this.#calls} calls that concern memory`,
    });
  }

  #mend(text: string): string | undefined {
    const half = this.#half;
    this.#half = undefined;
    return half === undefined ? undefined : half + text;
  }

  /** Lines of the only task that is left have no number; nor has the first one, for a while. */
  #taskOf(head: StraceLine): number {
    if (head.tid === undefined) {
      if (this.#alive.size === 0) this.#alive.add(NUMBERLESS);
      if (this.#alive.size === 1) [this.#alone = NUMBERLESS] = this.#alive;
      return this.#alone;
    }
    const fresh = !this.#alive.has(head.tid) && !this.#children.has(head.tid);
    if (fresh && this.#alive.has(NUMBERLESS) && this.#same === undefined) this.#same = head.tid;
    const tid = head.tid === this.#same ? NUMBERLESS : head.tid;
    this.#alive.add(tid);
    return tid;
  }

  #time({ time }: StraceLine): void {
    if (time === undefined) {
      this.#timeless++;
      return;
    }
    this.#zero ??= time;
    const at = (time[0] - this.#zero[0]) * 1e9 + time[1] - this.#zero[1];
    if (at >= this.#now_ns) this.#now_ns = at;
    else if (at < this.#now_ns - DAY_NS / 2) {
      // strace -tt begins anew at midnight.
      this.#zero = [this.#zero[0] - DAY_NS / 1e9, this.#zero[1]];
      this.#now_ns = Math.max(this.#now_ns, at + DAY_NS);
    }
  }

  #take(head: StraceLine, body: Body, tid: number, line: number, source: string): void {
    if (body.kind === "gone") {
      this.#alive.delete(tid);
      const open = this.#begun.get(tid)?.entry;
      if (open !== undefined) open.state = "dropped";
      this.#begun.delete(tid);
      this.#queue.push(this.#entry(tid, line, head.at, source, "exit"));
    } else if (body.kind === "call") this.#call(head, body, tid, line, source);
    else if (body.kind === "resumed") {
      const open = this.#begun.get(tid);
      if (open === undefined || open.name !== body.name) return;
      this.#begun.delete(tid);
      const text = open.head + head.body.slice(body.rest);
      if (open.entry !== undefined) this.#end(open.entry, text);
      else this.#end(this.#push(tid, line, 0, text), text);
    }
  }

  #call(
    head: StraceLine,
    body: Body & { kind: "call" },
    tid: number,
    line: number,
    source: string,
  ): void {
    if (!isFollowed(body.name)) return;
    this.#calls++;
    if (!body.begun) {
      this.#end(this.#push(tid, line, head.at, source), head.body);
      return;
    }
    const entry = AT_END.has(body.name) ? undefined : this.#push(tid, line, head.at, source);
    this.#begun.set(tid, { name: body.name, head: begun(head.body), entry });
  }

  #push(tid: number, line: number, at: number, source: string): Entry {
    const entry = this.#entry(tid, line, at, source, "waits");
    this.#queue.push(entry);
    return entry;
  }

  #entry(tid: number, line: number, at: number, source: string, state: Entry["state"]): Entry {
    return { tid, line, at, at_ns: this.#now_ns, text: undefined, source, state };
  }

  #end(entry: Entry, text: string): void {
    entry.text = text;
    entry.state = "done";
    if (entry.at === 0) entry.source = text;
    const child = /^(?:clone3?|v?fork)\(.*= (\d+)/.exec(text)?.[1];
    if (child !== undefined) this.#children.add(Number(child));
  }

  #flush(): void {
    const full = this.#queue.length - this.#head > MAX_WAITING;
    for (; this.#head < this.#queue.length; this.#head++) {
      const entry = this.#queue[this.#head]!;
      if (entry.state === "waits" && !full) break;
      if (entry.state === "exit") this.#tracker.exit(entry, false);
      else if (entry.state === "done") this.#judge(entry, entry.text!);
    }
    if (this.#head < 4096 && this.#head < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#head);
    this.#head = 0;
  }

  #judge(entry: Entry, text: string): void {
    const call = straceCall(text);
    if (call === undefined) {
      this.found.add(this.#place(entry), CODES.form, "a system call without its end");
      return;
    }
    const name = call.name as Followed;
    const result = call.result;
    if (name !== "exit" && name !== "exit_group") {
      if (result === undefined) {
        this.found.add(this.#place(entry), CODES.form, "a system call without its result");
        return;
      }
      // It failed, or never returned.
      if (result.text === "?" || result.text.startsWith("-")) return;
    }
    const args = this.#arguments(entry, name, call);
    if (args === undefined) return;
    const given = numberOf(result?.text ?? "0") ?? (result?.text === "?" ? 0 : undefined);
    if (given === undefined) {
      this.found.add(this.#place(entry, result), CODES.number, "a result that is no number");
      return;
    }
    const { at_ns, tid, line } = entry;
    const asked: Asked = { at_ns, tid, line, name, args, result: given };
    const flaw = this.#tracker.call(asked);
    if (flaw !== undefined) this.#say(entry, call, flaw);
  }

  #say(entry: Entry, call: StraceCall, flaw: Flaw): void {
    const word = flaw.argument === "result" ? call.result : call.args[flaw.argument];
    this.found.add(this.#place(entry, word), flaw.code, flaw.why);
  }

  #place(entry: Entry, word?: Word): Place {
    const { line, at, source } = entry;
    const column = at + (word?.at ?? 0) + 1;
    const length = word?.text.length ?? source.length - at;
    return { file: this.found.file, line, column, length, source };
  }

  /** The arguments as numbers; says what is none. */
  #arguments(entry: Entry, name: Followed, call: StraceCall): number[] | undefined {
    const kinds = ARGUMENTS[name];
    if (kinds === undefined) return name.startsWith("clone") ? [cloneFlags(call)] : [];
    const args: number[] = [];
    for (const [i, kind] of kinds.entries()) {
      const word = call.args[i];
      if (word === undefined) {
        if (name === "brk" || name === "mremap") break;
        this.found.add(this.#place(entry), CODES.form, `${name} has ${kinds.length} arguments`);
        return undefined;
      }
      const value = kind(word.text);
      if (value === undefined) {
        this.found.add(this.#place(entry, word), CODES.number, "not an argument of this call");
        return undefined;
      }
      args.push(value);
    }
    return args;
  }
}

type Kind = (word: string) => number | undefined;

const number: Kind = numberOf;
const prot: Kind = (word) => parseFlags(word, PROT, "PROT_");
const range = [number, number] as const;

const ARGUMENTS: Readonly<Partial<Record<Followed, readonly Kind[]>>> = {
  mmap: [...range, prot, (word) => parseFlags(word, MAP, "MAP_")],
  mmap2: [...range, prot, (word) => parseFlags(word, MAP, "MAP_")],
  munmap: range,
  mprotect: [...range, prot],
  pkey_mprotect: [...range, prot],
  madvise: [...range, (word) => parseFlags(word, MADV, "MADV_")],
  mremap: [...range, number, (word) => parseFlags(word, MREMAP, "MREMAP_")],
  brk: [number],
};

/** `flags=CLONE_VM|...` among the arguments, or a number in front of them. */
function cloneFlags({ args }: StraceCall): number {
  for (const { text } of args) {
    const named = /(?:^|[{ ])flags=([^,}]+)/.exec(text)?.[1];
    if (named !== undefined) return parseFlags(named, CLONE, "CLONE_") ?? 0;
  }
  return parseFlags(args[0]?.text ?? "", CLONE, "CLONE_") ?? 0;
}
