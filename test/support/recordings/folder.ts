// SPDX-License-Identifier: Apache-2.0
// A folder of a recording: kprobes (trace.txt) and instructions (tlbi.txt) as one sequence.
//
//   trace.txt   handle_mm_fault            ptep_clear_flush                 cb_invalidate_secondary
//   tlbi.txt    CALL handle_mm_fault       CALL ptep_clear_flush  DSB TLBI  CALL __mmu_notifier_...
//               └──── the same moment ─────┘

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { root } from "../files.ts";

/** Folders of recordings, each with a trace.txt and a tlbi.txt, gzipped or not. */
export const RECORDINGS = process.env["SHOOTDOWN_TRACES"] ?? join(root, "../shared/traces");

/** Those of operations of memory management. */
export const MM_FOLDERS = ["6.1-mm-max", "6.1-mm-a72", "6.12-mm-max"] as const;

export const hasRecording = (name: string): boolean => existsSync(join(RECORDINGS, name));

/** What the CPUs of a recording can do, as its kernel says. */
export interface Features {
  readonly rangeTlbi: boolean;
  readonly dbm: boolean;
  /** The kernel runs at EL2: its TLBIs of EL1 act on its own translations. */
  readonly e2h: boolean;
  readonly kpti: boolean;
}

/** A process with a notifier, from a line of trace.txt on. */
export interface Watched {
  readonly pid: number;
  readonly mm: string;
  readonly asid: number;
  readonly line: number;
}

/** A line of trace.txt. */
export interface Probe {
  readonly from: "trace";
  readonly line: number;
  readonly time_s: number;
  readonly pid: number;
  readonly event: string;
  readonly text: string;
  readonly args: Readonly<Record<string, string>>;
}

/** A line of tlbi.txt. */
export interface Instruction {
  readonly from: "tlbi";
  readonly seq: number;
  readonly kind: "TLBI" | "DSB" | "CALL";
  /** The instruction's form, or the function that is called. */
  readonly name: string;
  /** Operand of a TLBI. */
  readonly operand: bigint;
  /** Function that executes it. */
  readonly within: string;
}

export type Item = Probe | Instruction;

export interface Folder {
  readonly name: string;
  readonly kernel: string;
  readonly features: Features;
  /** Names of the probes that this kernel took. */
  readonly probes: ReadonlySet<string>;
  /** Processes that have a notifier. */
  readonly watched: readonly Watched[];
  /** What CPU 0 did, in order, from the first mark on. */
  readonly items: readonly Item[];
}

/** Reads a folder. Throws if the two files do not tell the same calls. */
export function readFolder(name: string): Folder {
  const dmesg = textOf(name, "dmesg.txt");
  const detected = (what: string) => dmesg.includes(`CPU features: detected: ${what}`);
  const functions = new Map<string, string>();
  for (const line of textOf(name, "kprobe_events.txt").split("\n")) {
    const match = /^(\w)\d*:mm\/(\w+) (\w+)/.exec(line);
    if (match?.[1] === "p") functions.set(match[2]!, match[3]!);
  }
  return {
    name,
    kernel: `linux-${/^(\d+\.\d+)/.exec(name)?.[1]}`,
    features: {
      rangeTlbi: detected("TLB range maintenance instructions"),
      dbm: detected("Hardware dirty bit management"),
      e2h: detected("Virtualization Host Extensions"),
      kpti: detected("Kernel page table isolation"),
    },
    probes: new Set(functions.keys()),
    watched: watchedOf(name),
    items: [...merged(probesOf(name), instructionsOf(name), functions)],
  };
}

function textOf(name: string, file: string): string {
  const plain = join(RECORDINGS, name, file);
  return existsSync(plain)
    ? readFileSync(plain, "utf8")
    : gunzipSync(readFileSync(`${plain}.gz`)).toString("utf8");
}

function watchedOf(name: string): Watched[] {
  const shape = / watch: mm=(\S+) asid=(\S+) pid=(\d+) on=1$/;
  return textOf(name, "trace.txt")
    .split("\n")
    .flatMap((text, index) => {
      const [, mm, asid, pid] = shape.exec(text) ?? [];
      if (mm === undefined) return [];
      return [{ pid: Number(pid), mm, asid: Number(asid), line: index + 1 }];
    });
}

function probesOf(name: string): Probe[] {
  const shape = /^\s*(?:.+)-(\d+)\s+\[000\]\s+\S+\s+([\d.]+): (?:(\w+): (.*)|(sys_\w+)(.*))$/;
  return textOf(name, "trace.txt")
    .split("\n")
    .flatMap((text, index) => {
      const match = shape.exec(text);
      if (!match) return [];
      const [, pid, time, event = match[5]!, body = match[6]!] = match;
      const args: Record<string, string> = {};
      for (const [, key, value] of body.matchAll(/(\w+)(?:=|: )([^\s,)]+)/g)) args[key!] = value!;
      const at = { line: index + 1, time_s: Number(time), pid: Number(pid) };
      return [{ from: "trace", ...at, event, text: body, args } as const];
    });
}

/** A mark in tlbi.txt. */
interface Mark {
  readonly from: "mark";
  readonly number: number;
}

function instructionsOf(name: string): (Instruction | Mark)[] {
  const shape = /^(\d+) cpu=0 t=\S+ (TLBI|DSB|CALL|MARK) (\S+)(?: x=(\S+))?(?:.* in=([^\s+]+))?/;
  return textOf(name, "tlbi.txt")
    .split("\n")
    .flatMap((text): (Instruction | Mark)[] => {
      const match = shape.exec(text);
      if (!match) return [];
      const [, seq, kind, what, operand = "0", within = ""] = match;
      if (kind === "MARK") return [{ from: "mark", number: Number(what) }];
      const base = { from: "tlbi", seq: Number(seq), name: what!, within } as const;
      return [{ ...base, kind: kind as Instruction["kind"], operand: BigInt(operand) }];
    });
}

/** Lines of the module that the notifier's functions call, which have no call of their own. */
const CALLED_BACK = /^(cb|stlb)_/;

/**
 * Both in one order: each probe stands where its function is called, and what is executed between
 * two calls stands behind the first, and behind the callbacks that it made.
 */
function* merged(
  probes: readonly Probe[],
  instructions: readonly (Instruction | Mark)[],
  functions: ReadonlyMap<string, string>,
): Generator<Item> {
  const probed = new Set(functions.values());
  let at = instructions.findIndex((i) => i.from === "mark");
  let last: number | undefined;
  for (const probe of probes) {
    const mark = probe.event === "tracing_mark_write" && probe.args["mark"];
    if (mark === "-1") return;
    if (last !== undefined && !CALLED_BACK.test(probe.event)) {
      for (; at < instructions.length; at++) {
        const next = instructions[at]!;
        // The kernel may work on between the write of a mark and the return to the program.
        if (next.from === "mark" && next.number > last) break;
        if (next.from === "mark") continue;
        if (next.kind === "CALL" && probed.has(next.name)) break;
        yield next;
      }
    }
    if (mark) last = Number(mark);
    if (last === undefined) continue;
    const called = functions.get(probe.event);
    yield probe;
    if (called === undefined) continue;
    while (instructions[at]?.from === "mark") at++;
    const next = instructions[at++];
    if (next?.from !== "tlbi" || next.name !== called) {
      throw new Error(`line ${probe.line}: tlbi.txt has ${next?.from === "tlbi" && next.name}`);
    }
  }
}
