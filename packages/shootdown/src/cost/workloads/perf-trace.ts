// SPDX-License-Identifier: Apache-2.0
// The output of `perf trace`, with or without page faults (-F all).
//
//      0.636 ( 0.022 ms): ls/24731 mmap(len: 8192, prot: READ, flags: PRIVATE, fd: 3) = 0x7f71
//      1.204 (         ): ls/24731 munmap(addr: 0x7f71, len: 4096)  ...
//      1.310 ( 0.106 ms): ls/24731  ... [continued]: munmap())                    = 0
//      0.000 ( 0.000 ms): ls/24734 minfault [elf_load+0x28a] => 0x55731f21e5c0 (?k)
//
// An argument that is 0 or NULL is left out.
import type { ByteSource } from "../../trace/importers/bytes.ts";
import { readLog } from "../../trace/importers/log-lines.ts";
import { CLONE, type Followed, isFollowed, MADV, MAP, MREMAP, PROT, parseFlags } from "./abi.ts";
import type { Populated } from "./address-space.ts";
import { Findings, type ReadOptions, type ReadResult } from "./input.ts";
import { CODES, type Place } from "./problem.ts";
import { Tracker } from "./tracker.ts";

const LINE =
  /^ *(\d{1,12})\.(\d{1,6}) \( *(?:\d+\.\d+ ms)? *\): (?:(.{1,32}?)\/)?(\d{1,10}) +(\S.*)$/;
const CALL = /^(\w+)\((.*)\) += (-?\w+)/;
const BEGUN = /^(\w+)\((.*)\) +\.\.\.$/;
const CONTINUED = /^\.\.\. \[continued\]: (\w+)\(.*\)\) += (-?\w+)/;
const FAULT = /^(?:min|maj)fault \[.*\] => (\S+) \(/;

export const isPerfTrace = (line: string): boolean => LINE.test(line);

type Kind = (text: string) => number | undefined;
const number: Kind = (text) =>
  /^(?:0x[\da-f]{1,32}|\d{1,32})$/i.test(text) ? Number(text) : undefined;
const flags = (names: Readonly<Record<string, number>>, prefix: string): Kind => {
  return (text) => parseFlags(text, names, prefix);
};

/** Names of the arguments, several where versions of perf differ, and how they are written. */
const ARGUMENTS: Readonly<Partial<Record<Followed, readonly (readonly [string, Kind])[]>>> = {
  mmap: [
    ["addr", number],
    ["len", number],
    ["prot", flags(PROT, "PROT_")],
    ["flags", flags(MAP, "MAP_")],
  ],
  munmap: [
    ["addr", number],
    ["len", number],
  ],
  mprotect: [
    ["start", number],
    ["len", number],
    ["prot", flags(PROT, "PROT_")],
  ],
  pkey_mprotect: [
    ["start", number],
    ["len", number],
    ["prot", flags(PROT, "PROT_")],
  ],
  madvise: [
    ["start", number],
    ["len_in|len", number],
    ["behavior", flags(MADV, "MADV_")],
  ],
  mremap: [
    ["addr", number],
    ["old_len", number],
    ["new_len", number],
    ["flags", flags(MREMAP, "MREMAP_")],
  ],
  brk: [["brk", number]],
  clone: [["clone_flags|flags", flags(CLONE, "CLONE_")]],
};

export async function readPerfTrace(
  name: string,
  source: ByteSource,
  options: ReadOptions = {},
): Promise<ReadResult> {
  const reader = new PerfTraceReader(name, options.populated ?? "all");
  const read = await readLog(source, {
    line: (text, line) => reader.line(text, line),
    damaged: ({ line, why }) => reader.found.ignored(line, why),
  });
  if (!read.ok) reader.found.damaged(read.error);
  return reader.finish(options);
}

interface Word {
  readonly text: string;
  /** Column in the line, from 0. */
  readonly at: number;
}

interface Event {
  readonly at_ns: number;
  readonly tid: number;
  readonly line: number;
  readonly source: string;
  readonly name: string;
  readonly args: string;
  /** Column of the arguments, from 0. */
  readonly at: number;
}

class PerfTraceReader {
  readonly found: Findings;
  readonly #tracker: Tracker;
  readonly #populated: Populated;
  readonly #begun = new Map<number, Event>();
  #calls = 0;
  #unplaced = 0;

  constructor(name: string, populated: Populated) {
    this.found = new Findings(name);
    this.#populated = populated;
    this.#tracker = new Tracker({ populated, lossy: true });
  }

  line(text: string, line: number): boolean {
    if (/^LOST \d+ events!/.test(text)) return false;
    const [, whole, part = "", , task = "", body = ""] = LINE.exec(text) ?? [];
    if (whole === undefined) return false;
    if (this.found.enough) return true;
    const at_ns = Number(whole) * 1e6 + Number(part.padEnd(6, "0"));
    const tid = Number(task);
    const fault = FAULT.exec(body)?.[1];
    if (fault !== undefined) {
      this.#fault({ at_ns, tid, line }, fault);
      return true;
    }
    const continued = CONTINUED.exec(body);
    if (continued !== null) {
      const open = this.#begun.get(tid);
      this.#begun.delete(tid);
      if (open !== undefined && open.name === continued[1]) this.#call(open, continued[2]!);
      return true;
    }
    const [, name, args = "", result] = CALL.exec(body) ?? BEGUN.exec(body) ?? [];
    if (name === undefined) return false;
    const at = text.length - body.length + name.length + 1;
    const event: Event = { at_ns, tid, line, source: text, name, args, at };
    if (result === undefined) this.#begun.set(tid, event);
    else this.#call(event, result);
    return true;
  }

  finish(options: ReadOptions): ReadResult {
    const assumptions = [
      `perf trace shows no page faults, or not all: pages in use are ${this.#populated}`,
      ...this.#tracker.remarks(),
    ];
    if (this.#unplaced > 0) {
      assumptions.push(`${this.#unplaced} page faults without an address are left out`);
    }
    return this.found.result(this.#tracker.operations, assumptions, {
      what: "system calls of perf trace",
      hint:
        "record with `perf trace -e mmap,munmap,mprotect,madvise,mremap,brk,clone,clone3,fork," +
        "vfork,execve,exit_group PROGRAM`",
      title: options.title ?? this.found.file,
      provenance: options.provenance ?? `perf trace, ${this.#calls} calls that concern memory`,
    });
  }

  #fault(step: { at_ns: number; tid: number; line: number }, text: string): void {
    // Others are given as file and offset, which is no address.
    const address = /^(?:\[\w+\]|\/\/anon)?@?(0x[\da-f]{1,16})$/.exec(text)?.[1];
    if (address === undefined || text.includes("@")) this.#unplaced++;
    else this.#tracker.fault(step, Number(address), true);
  }

  #call(event: Event, result: string): void {
    const { name, at_ns, tid, line } = event;
    if (!isFollowed(name)) return;
    this.#calls++;
    if (result.startsWith("-") || !/^(?:0x[\da-f]+|\d+)$/.test(result)) return;
    const words = wordsOf(event);
    const args: (Word | undefined)[] = [];
    const values: number[] = [];
    for (const [key, kind] of ARGUMENTS[name] ?? []) {
      const word = key
        .split("|")
        .map((one) => words.get(one))
        .find((one) => one !== undefined);
      // What is left out is 0.
      const value = word === undefined ? 0 : kind(word.text);
      if (value === undefined) {
        this.found.add(this.#place(event, word), CODES.number, "not an argument of this call");
        return;
      }
      args.push(word);
      values.push(value);
    }
    const flaw = this.#tracker.call({
      at_ns,
      tid,
      line,
      name,
      args: values,
      result: Number(result),
    });
    if (flaw === undefined) return;
    const word = flaw.argument === "result" ? undefined : args[flaw.argument];
    this.found.add(this.#place(event, word), flaw.code, flaw.why);
  }

  #place({ line, source, at, name }: Event, word: Word | undefined): Place {
    const from = word?.at ?? at - name.length - 1;
    const length = word?.text.length ?? source.length - from;
    return { file: this.found.file, line, column: from + 1, length, source };
  }
}

/** "len: 8192, prot: READ|WRITE" by key. */
function wordsOf({ args, at }: Event): Map<string, Word> {
  const words = new Map<string, Word>();
  for (const match of args.matchAll(/(\w+): ([^,]*)/g)) {
    const text = match[2]!.trimEnd();
    words.set(match[1]!, { text, at: at + match.index + match[1]!.length + 2 });
  }
  return words;
}
