// SPDX-License-Identifier: Apache-2.0
// The operations of a recording: each system call and fault of a process with a notifier, and what
// it did to entries, TLBs and the notifier, as a list of words in order.
//
//   start 0x1..0x2   clear 0x1   dsb ishst   vale1is 0x1   notify 0x1..0x2   dsb ish   end 0x1..0x2

import type { Folder, Instruction, Item, Probe, Watched } from "./folder.ts";

export interface Operation {
  /** `sys_munmap`, `fault`, or `work` for what the kernel does outside of both. */
  readonly kind: string;
  /** First line in trace.txt. */
  readonly line: number;
  readonly time_s: number;
  readonly process: Watched;
  /** The step of the load, and what it said it would do. */
  readonly step: string;
  readonly intent: string;
  /** Address and length that the mark names. */
  readonly marked: Pages;
  /** Arguments of the system call, or of handle_mm_fault(). */
  readonly args: Readonly<Record<string, string>>;
  /** Its probes, in order. */
  readonly probes: readonly Probe[];
  /** What it did. */
  readonly words: readonly string[];
  /** Hints of a level that its TLBIs gave. */
  readonly hints: ReadonlySet<number>;
}

/** Pages, end exclusive. */
export interface Pages {
  readonly lo: number;
  readonly hi: number;
}

export const ALL = "all";
/** An interrupt's barrier, which may stand for that of the flush. */
export const INTERRUPTED = "dsb sy";
/** Bytes. */
export const PAGE = 4096;

/** A range of bytes as words name it. */
export function pagesText(start: bigint, end: bigint): string {
  if (start === 0n && end >= 2n ** 48n) return ALL;
  return `0x${(start >> 12n).toString(16)}..0x${((end + 0xfffn) >> 12n).toString(16)}`;
}

/** A page as words name it. */
export const pageText = (page: bigint | number): string => `0x${page.toString(16)}`;

/** Pages of an address range of a system call. */
export function argPages(op: Operation, start: string, length: string): Pages {
  const lo = Number(BigInt(`0x${op.args[start]!.replace(/^0x/, "")}`) >> 12n);
  const bytes = Number(BigInt(`0x${op.args[length]!.replace(/^0x/, "")}`));
  return { lo, hi: lo + Math.ceil(bytes / PAGE) };
}

/** What is done to an entry; those of the upper level are called so where it matters. */
export type Change = "clear" | "set" | "change" | "clear pmd" | "set pmd";

/** Probes at the entry of functions that change a page-table entry, and what they do to it. */
export const CHANGES: Readonly<Record<string, Change>> = {
  ptep_clear_flush: "clear",
  ptep_modify_prot_start: "clear",
  ptep_modify_prot_commit: "set",
  // Of pages, huge pages and those of hugetlb.
  ptep_set_access_flags: "change",
  pmdp_invalidate: "clear pmd",
  pmdp_collapse_flush: "clear pmd",
  pmdp_huge_clear_flush: "clear pmd",
  zap_huge_pmd: "clear pmd",
};

/** A word that a TLBI is: its form and what it covers. */
export function tlbiOf({ name, operand }: Instruction): {
  word: string;
  asid: number;
  hint: number | undefined;
} {
  const asid = Number(operand >> 48n);
  const level = (bits: bigint) => (bits === 0n ? undefined : Number(bits & 3n));
  if (name.startsWith("aside") || name.startsWith("vmalle")) {
    return { word: name, asid, hint: undefined };
  }
  if (!name.startsWith("r")) {
    const page = operand & (2n ** 44n - 1n);
    return { word: `${name} ${pageText(page)}`, asid, hint: level((operand >> 44n) & 15n) };
  }
  const scale = (operand >> 44n) & 3n;
  const count = (((operand >> 39n) & 31n) + 1n) << (5n * scale + 1n);
  const page = operand & (2n ** 37n - 1n);
  const word = `${name} ${pageText(page)}..${pageText(page + count)}`;
  return { word, asid, hint: level((operand >> 37n) & 3n) };
}

/** What a probe is of a process: a word, or nothing. */
function wordOf(probe: Probe, { mm }: Watched): string | undefined {
  const { args } = probe;
  if (args["mm"] !== mm) return undefined;
  const range = () => pagesText(BigInt(args["start"]!), BigInt(args["end"]!));
  switch (probe.event) {
    case "mn_invalidate_range_start":
      return `start ${range()}`;
    case "mn_invalidate_range_end":
      return `end ${range()}`;
    case "cb_invalidate_secondary":
      return `notify ${range()}`;
    case "cb_release":
      return "release";
  }
  const change = CHANGES[probe.event];
  if (change === undefined) return undefined;
  return `${change} ${pageText(BigInt(args["addr"]!) >> 12n)}`;
}

/** An operation that is being read. */
interface Open {
  readonly kind: string;
  readonly first: Probe;
  readonly process: Watched;
  readonly mark: Probe;
  readonly probes: Probe[];
  readonly items: Item[];
}

/** The operations of the watched processes on CPU 0, in the order in which they begin. */
export function operationsOf(folder: Folder): Operation[] {
  const done: Open[] = [];
  const stacks = new Map<number, Open[]>();
  let mark: Probe | undefined;
  let running: number | undefined;
  const open = (kind: string, first: Probe, process: Watched): Open => {
    const one = { kind, first, process, mark: mark!, probes: [], items: [] };
    done.push(one);
    return one;
  };
  for (const item of folder.items) {
    if (item.from === "trace") {
      running = item.pid;
      if (item.event === "tracing_mark_write") mark = item;
    }
    const process = folder.watched.find((w) => w.pid === running);
    if (process === undefined || mark === undefined) continue;
    const stack = stacks.get(process.pid) ?? [];
    stacks.set(process.pid, stack);
    if (item.from === "tlbi") {
      stack.at(-1)?.items.push(item);
      continue;
    }
    const call = item.event.startsWith("sys_");
    if (item.event === "tracing_mark_write") stack.length = 0;
    else if (call && item.text.startsWith("(")) stack.push(open(item.event, item, process));
    else if (item.event === "handle_mm_fault") stack.push(open("fault", item, process));
    else if (stack.length === 0 && !call) stack.push(open("work", item, process));
    stack.at(-1)?.items.push(item);
    stack.at(-1)?.probes.push(item);
    if ((call && !item.text.startsWith("(")) || item.event === "handle_mm_fault_ret") stack.pop();
  }
  return done.map(operation);
}

function operation(of: Open): Operation {
  const { kind, first, process, mark, probes } = of;
  const at = Number(BigInt(mark.args["addr"] ?? "0") >> 12n);
  const length = Math.ceil(Number(mark.args["len"] ?? "0") / 4096);
  return {
    ...{ kind, process, probes, line: first.line, time_s: first.time_s },
    ...{ step: mark.args["step"] ?? "", intent: mark.args["op"] ?? "", args: first.args },
    marked: { lo: at, hi: at + length },
    ...wordsOf(of.items, process),
  };
}

/** Words in order: instructions of the process's ASID, its probes and callbacks. */
function wordsOf(items: readonly Item[], process: Watched) {
  const words: string[] = [];
  const hints = new Set<number>();
  // A DSB waits for all TLBIs before it; one for stores belongs to the TLBI behind it.
  let own = false;
  let interrupted = false;
  items.forEach((item, at) => {
    if (item.from === "trace") {
      const word = wordOf(item, process);
      // Until 6.5 the end calls back before it ends.
      const last = item.event === "cb_invalidate_secondary" && words.at(-1)?.startsWith("end");
      if (word !== undefined) words.splice(words.length - (last ? 1 : 0), 0, word);
    } else if (item.kind === "TLBI") {
      const { word, asid, hint } = tlbiOf(item);
      const ours = asid === process.asid;
      own = ours || (own && !interrupted);
      interrupted = false;
      if (ours) words.push(word);
      if (ours && hint !== undefined) hints.add(hint);
    } else if (item.kind === "DSB") {
      const next = items.slice(at + 1).find((i) => i.from === "tlbi" && i.kind !== "CALL");
      const before = next?.from === "tlbi" && next.kind === "TLBI" && item.name === "ishst";
      if (before ? tlbiOf(next).asid !== process.asid : !own) return;
      words.push(item.name === "sy" ? INTERRUPTED : `dsb ${item.name}`);
      if (item.name === "sy") interrupted = true;
      else if (item.name === "ish") own = interrupted = false;
    }
  });
  return { words, hints };
}
