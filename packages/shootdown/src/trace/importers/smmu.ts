// SPDX-License-Identifier: Apache-2.0
// QEMU's trace of its SMMUv3: the commands it took from the queue, and the translations of devices.
//
//   14431@1795325794.371937:smmuv3_cmdq_opcode <--- SMMU_CMD_TLBI_NH_VA
//   14431@1795325794.371939:smmuv3_s1_range_inval asid=2 addr=0xfff7f000 tg=1 num_pages=0x1 leaf=1
//   14431@1795325794.371943:smmuv3_cmdq_opcode <--- SMMU_CMD_SYNC
//   14420@1795325794.376033:smmu_iotlb_insert IOTLB ++ asid=2 addr=0xfffc0000 tg=1 level=3
//     ^thread  ^wall clock    ^trace point: the command first, then what it is about
import type { ByteSource, ImportResult } from "./bytes.ts";
import type { Damage } from "./ftrace.ts";
import { headLines, type LogSummary, readLog } from "./log-lines.ts";
import { pageOf, parseWord, toNumber } from "./word64.ts";

interface At {
  readonly line: number;
  /** Seconds of the wall clock; 0 where the log has none. */
  readonly time_s: number;
}

/** The SMMU takes a command: its name in the specification. */
export interface SmmuCommand extends At {
  readonly kind: "command";
  /** "TLBI_NH_VA", "SYNC", "ATC_INV" ... */
  readonly op: string;
}

/** What the command before is about: pages [start, end) of an ASID, all of it, or everything. */
export interface SmmuScope extends At {
  readonly kind: "scope";
  readonly asid: number | undefined;
  readonly start: number;
  readonly end: number;
  readonly leaf: boolean;
}

/** A device's access, or a walk that fills the SMMU's TLB. */
export interface SmmuAccess extends At {
  readonly kind: "hit" | "miss" | "insert";
  readonly asid: number;
  readonly page: number;
  /** Of an insert: 3 is a page of 4 KiB where tg is 1. */
  readonly level: number | undefined;
}

export type SmmuEvent = SmmuCommand | SmmuScope | SmmuAccess;

export interface SmmuSink {
  event(event: SmmuEvent): void;
  damaged(damage: Damage): void;
  chunk?(): Promise<void>;
}

/** Exclusive end of all pages. */
export const ALL_PAGES = 2 ** 52;

const LINE = /^(?:\d+@(\d+\.\d+):)?(smmu\w*)\s*(.*)$/;
const QEMU = /^\d+@(\d+\.\d+):\w+/;
const VTD_QUEUE = /^(?:\d+@\d+\.\d+:)?vtd_inv_/;
const OPCODE = /^(?:<--- )?(?:SMMU_CMD_)?([A-Z]\w*)$/;

/** A log of QEMU's trace points, and one of the first is an SMMU's. */
export function isSmmu(head: Uint8Array): boolean {
  const lines = headLines(head, 100);
  const first = lines[0] ?? "";
  return (QEMU.test(first) || LINE.test(first)) && lines.some((line) => LINE.test(line));
}

/** Reads a whole log; trace points of other parts of QEMU are passed over. */
export function readSmmu(source: ByteSource, sink: SmmuSink): Promise<ImportResult<LogSummary>> {
  let last_s = 0;
  return readLog(source, {
    line(text, line) {
      const [, own, point, rest = ""] = LINE.exec(text) ?? [];
      // Whatever part of QEMU it is of, its time is of the same clock.
      const time = own ?? QEMU.exec(text)?.[1];
      if (point === undefined && (time === undefined || VTD_QUEUE.test(text))) return false;
      const at = { line, time_s: time === undefined ? last_s : Number(time) };
      if (at.time_s < last_s) sink.damaged({ line, why: "time goes backwards", event: false });
      last_s = at.time_s;
      const event = point === undefined ? undefined : decode(point, rest.trim(), at);
      if (event === "bad") return false;
      if (event !== undefined) sink.event(event);
      return true;
    },
    damaged: (damage) => sink.damaged(damage),
    ...(sink.chunk === undefined ? {} : { chunk: () => sink.chunk!() }),
  });
}

/** Undefined for what is not needed, "bad" for what is and cannot be read. */
function decode(point: string, rest: string, at: At): SmmuEvent | undefined | "bad" {
  switch (point) {
    case "smmuv3_cmdq_opcode": {
      const op = OPCODE.exec(rest)?.[1];
      return op === undefined ? "bad" : { kind: "command", op, ...at };
    }
    case "smmuv3_s1_range_inval":
    case "smmuv3_range_inval":
      return pages(rest, at);
    case "smmuv3_cmdq_tlbi_nh_asid": {
      const asid = number(rest, "asid");
      return asid === undefined ? "bad" : whole(asid, at);
    }
    case "smmuv3_cmdq_tlbi_nh":
    case "smmuv3_cmdq_tlbi_nsnh":
      return whole(undefined, at);
    case "smmu_iotlb_lookup_hit":
      return access("hit", rest, at);
    case "smmu_iotlb_lookup_miss":
      return access("miss", rest, at);
    case "smmu_iotlb_insert":
      return access("insert", rest, at);
    default:
      return undefined;
  }
}

const whole = (asid: number | undefined, at: At): SmmuScope => ({
  ...{ kind: "scope", asid, start: 0, end: ALL_PAGES, leaf: false, ...at },
});

function pages(rest: string, at: At): SmmuScope | "bad" {
  const asid = number(rest, "asid");
  const start = page(rest);
  const tg = number(rest, "tg") ?? 1;
  const count = number(rest, "num_pages");
  if (asid === undefined || start === undefined || count === undefined) return "bad";
  // TG 0 is no range: one page of the smallest granule, 1 is 4 KiB, 2 is 16 KiB, 3 is 64 KiB.
  const size = tg === 2 ? 4 : tg === 3 ? 16 : 1;
  const leaf = number(rest, "leaf") === 1;
  return { kind: "scope", asid, start, end: start + count * size, leaf, ...at };
}

function access(kind: SmmuAccess["kind"], rest: string, at: At): SmmuAccess | "bad" {
  const asid = number(rest, "asid");
  const first = page(rest);
  if (asid === undefined || first === undefined) return "bad";
  const level = kind === "insert" ? number(rest, "level") : undefined;
  return { kind, asid, page: first, level, ...at };
}

const FIELDS = new Map<string, RegExp>();

function field(rest: string, key: string): string | undefined {
  let found = FIELDS.get(key);
  if (found === undefined) {
    found = new RegExp(`(?:^|[ ,])${key}[=:] ?(-?[0-9a-z_.]+)(?![^ ,])`, "i");
    FIELDS.set(key, found);
  }
  return found.exec(rest)?.[1];
}

function number(rest: string, key: string): number | undefined {
  const text = field(rest, key);
  const word = text === undefined ? undefined : parseWord(text);
  return word === undefined ? undefined : toNumber(word);
}

function page(rest: string): number | undefined {
  const text = field(rest, "addr") ?? field(rest, "iova");
  const word = text === undefined ? undefined : parseWord(text);
  return word === undefined ? undefined : pageOf(word);
}
