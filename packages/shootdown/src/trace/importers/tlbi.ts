// SPDX-License-Identifier: Apache-2.0
// The log of TLB maintenance instructions that vCPUs executed, from QEMU's plugin.
//
//   0 cpu=0 t=0.000000 START realtime=1795325787.293070
//   1 cpu=1 t=18.787502 MARK 1
//   28 cpu=1 t=70.604127 DSB ishst pc=0xffff800080097044 in=__kvm_tlb_flush_vmid_range+0x3c
//   29 cpu=1 t=70.604132 TLBI ipas2e1is x=0x0000000000040002 pc=0xffff800080097074 in=f+0x6c
//   33 cpu=1 t=70.608168 CALL ptep_clear_flush x0=0xffff000003abda50 ... from=do_wp_page+0x4f8
//
// Lines of one CPU are in its program order.
import type { ByteSource, ImportResult } from "./bytes.ts";
import type { Damage } from "./ftrace.ts";
import { headLines, type LogSummary, readLog } from "./log-lines.ts";
import { parseWord, type Word64 } from "./word64.ts";

interface At {
  readonly line: number;
  readonly cpu: number;
  /** Seconds since START, of the host. */
  readonly time_s: number;
}

export interface TlbiInstruction extends At {
  readonly kind: "tlbi";
  /** "vale1is" and the like, in lower case. */
  readonly op: string;
  /** Undefined for those without operand. */
  readonly operand: Word64 | undefined;
  /** The function it stands in, without offset. */
  readonly func: string;
}

export interface DsbInstruction extends At {
  readonly kind: "dsb";
  /** "ish", "ishst", "nsh", "sy" ... */
  readonly type: string;
  readonly func: string;
}

export interface CallEvent extends At {
  readonly kind: "call";
  readonly func: string;
  /** The function it was called from. */
  readonly from: string;
  readonly args: readonly (Word64 | undefined)[];
}

export interface MarkEvent extends At {
  readonly kind: "mark";
  /** -1 at the end of the log. */
  readonly number: number;
}

export interface StartEvent extends At {
  readonly kind: "start";
  /** Wall clock of t = 0. */
  readonly realtime_s: number;
}

export type TlbiEvent = TlbiInstruction | DsbInstruction | CallEvent | MarkEvent | StartEvent;

export interface TlbiSink {
  event(event: TlbiEvent): void;
  damaged(damage: Damage): void;
  chunk?(): Promise<void>;
}

const LINE = /^(\d{1,15}) cpu=(\d{1,6}) t=(-?\d+\.\d+) (START|MARK|TLBI|DSB|CALL) (\S+)(.*)$/;

export function isTlbi(head: Uint8Array): boolean {
  const first = headLines(head, 1)[0];
  return first !== undefined && LINE.test(first);
}

export function readTlbi(source: ByteSource, sink: TlbiSink): Promise<ImportResult<LogSummary>> {
  let last: number | undefined;
  return readLog(source, {
    line(text, line) {
      const [, count, cpu, time, kind, what = "", rest = ""] = LINE.exec(text) ?? [];
      if (kind === undefined) return false;
      // The plugin counts its lines.
      const number = Number(count);
      if (last !== undefined && number !== last + 1) {
        const why = number > last ? "lines are missing" : "a line that comes again, or too late";
        sink.damaged({ line, why, event: false });
      }
      last = number;
      const event = decode(kind, what, rest, { line, cpu: Number(cpu), time_s: Number(time) });
      if (event !== undefined) sink.event(event);
      return event !== undefined;
    },
    damaged: (damage) => sink.damaged(damage),
    ...(sink.chunk === undefined ? {} : { chunk: () => sink.chunk!() }),
  });
}

function decode(kind: string, what: string, rest: string, at: At): TlbiEvent | undefined {
  const place = / in=([^+\s]*)/.exec(rest)?.[1] ?? "";
  switch (kind) {
    case "TLBI": {
      const value = / x=(\S+)/.exec(rest)?.[1];
      const operand = value === undefined || value === "none" ? undefined : parseWord(value);
      if (value !== undefined && value !== "none" && operand === undefined) return undefined;
      return { kind: "tlbi", op: what.toLowerCase(), operand, func: place, ...at };
    }
    case "DSB":
      return { kind: "dsb", type: what.toLowerCase(), func: place, ...at };
    case "CALL": {
      const args = [...rest.matchAll(/ x[0-7]=(\S+)/g)].map(([, word = ""]) => parseWord(word));
      const from = / from=([^+\s]*)/.exec(rest)?.[1] ?? "";
      return { kind: "call", func: what, from, args, ...at };
    }
    case "MARK":
      return /^-?\d+$/.test(what) ? { kind: "mark", number: Number(what), ...at } : undefined;
    default: {
      const realtime = /^realtime=(\d+\.\d+)$/.exec(what)?.[1];
      if (realtime === undefined) return undefined;
      return { kind: "start", realtime_s: Number(realtime), ...at };
    }
  }
}
