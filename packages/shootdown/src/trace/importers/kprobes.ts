// SPDX-License-Identifier: Apache-2.0
// The vocabulary of the probes that `shootdown record` defines: each event's name, and how its text
// becomes a record. One row a probe; a probe that a kernel version lacks is a row that never fires.
//
// The names are the same for every kernel version. What differs is what stands behind them:
// `mn_invalidate_secondary` probes __mmu_notifier_invalidate_range up to 6.5 and
// __mmu_notifier_arch_invalidate_secondary_tlbs since; `ptep_set_access_flags` probes
// __ptep_set_access_flags on arm64 since 6.9; `mn_change_pte` is gone since 6.10.
import { flag, number } from "./fields.ts";
import type { RawEvent } from "./raw-event.ts";
import {
  type Batch,
  ENTRY_OPERATIONS,
  type EntryOperation,
  FAULT_STEPS,
  type FaultStep,
  type Gather,
  type Malformed,
  NOTIFIER_EVENTS,
  type NotifierEvent,
  type NotifierPages,
  RANGE_OPERATIONS,
  type RangeName,
  REVERSE_MAPS,
  type ReverseMapName,
  type TraceRecord,
} from "./trace-record.ts";
import { bit, pageEnd, pageOf, parseWord, sameWord, spanOf, type Word64, ZERO } from "./word64.ts";

/** Makes a record of an event of its row; a text says what the event lacks. */
type Row = (at: RawEvent) => TraceRecord | string;

const ROWS: ReadonlyMap<string, Row> = new Map<string, Row>([
  ["mn_invalidate_range_start", notifierRange("range_start", "call")],
  ["mn_invalidate_range_end", notifierRange("range_end", "call")],
  ["mn_invalidate_secondary", notifierPages("secondary", "call")],
  ["mn_change_pte", notifierPages("change_pte", "call")],
  ["mn_clear_flush_young", notifierPages("clear_flush_young", "call")],
  ["mn_clear_young", notifierPages("clear_young", "call")],
  ["mn_test_young", notifierPages("test_young", "call")],
  ["mn_register", notifierLife("register", "call")],
  ["mn_release", notifierLife("release", "call")],
  ["cb_invalidate_range_start", notifierRange("range_start", "callback")],
  ["cb_invalidate_range_end", notifierRange("range_end", "callback")],
  ["cb_invalidate_secondary", notifierPages("secondary", "callback")],
  ["cb_change_pte", notifierPages("change_pte", "callback")],
  ["cb_clear_flush_young", notifierPages("clear_flush_young", "callback")],
  ["cb_clear_young", notifierPages("clear_young", "callback")],
  ["cb_test_young", notifierPages("test_young", "callback")],
  ["cb_release", notifierLife("release", "callback")],
  ["watch", watch],
  ...ENTRY_OPERATIONS.map((op): [string, Row] => [op, entryChange(op)]),
  ...ENTRY_OPERATIONS.map((op): [string, Row] => [`${op}_ret`, entryReturn(op)]),
  ["tlb_gather_mmu", gather("begin")],
  ["tlb_gather_mmu_fullmm", gather("begin_fullmm")],
  ["tlb_flush_mmu", gather("flush_mmu")],
  ["tlb_finish_mmu", gather("finish")],
  ["tlb_finish_mmu_ret", gather("finish_ret")],
  ["tlb_flush", tlbFlush],
  ["try_to_unmap_flush", batch("try_to_unmap_flush")],
  ["flush_tlb_batched_pending", batch("flush_tlb_batched_pending")],
  ["arch_tlbbatch_flush", batch("arch_tlbbatch_flush")],
  ["flush_tlb_mm_range", cpuFlush("call")],
  ["flush_tlb_mm_range_ret", cpuFlush("return")],
  ...FAULT_STEPS.map((what): [string, Row] => [what, fault(what)]),
  ["handle_mm_fault_ret", fault("handle_mm_fault_ret")],
  ...RANGE_OPERATIONS.map((what): [string, Row] => [what, rangeOperation(what, "call")]),
  ...RANGE_OPERATIONS.map((what): [string, Row] => [`${what}_ret`, rangeOperation(what, "return")]),
  ...REVERSE_MAPS.map((what): [string, Row] => [what, reverseMap(what)]),
  ["set_migration_pte", migrationEntry("set")],
  ["remove_migration_pte", migrationEntry("remove")],
  ["tracing_mark_write", mark],
  ["stlb_fill", modelFill],
  ["stlb_drop", modelDrop],
  ["stlb_check", modelCheck],
  ["map", deviceMapping("map")],
  ["unmap", deviceMapping("unmap")],
  ["sched_process_fork", forkOrExit("fork", "child_pid")],
  ["sched_process_exit", forkOrExit("exit", "pid")],
]);

/** Names of all events that `decodeProbe` knows: the `wanted` of a reader. */
export const PROBE_EVENTS: ReadonlySet<string> = new Set(ROWS.keys());

/**
 * The meaning of an event. Undefined for one that has no row (or, a mark, is somebody else's text);
 * a record of kind `malformed` for one whose fields are not those that the probe records.
 */
export function decodeProbe(at: RawEvent): TraceRecord | undefined {
  const row = at.form === "event" ? ROWS.get(at.event) : undefined;
  if (row === undefined) return undefined;
  const record = row(at);
  if (typeof record !== "string") return record;
  return record === FOREIGN ? undefined : malformed(at, record);
}

/** What a row returns for an event that shares a known name and is not meant. */
const FOREIGN = "";

function malformed(at: RawEvent, why: string): Malformed {
  return { kind: "malformed", why: `${at.event} has no usable ${why}`, at };
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function span(at: RawEvent, first = "start", last = "end"): Span | undefined {
  const start = at.word(first);
  const end = at.word(last);
  if (start === undefined || end === undefined) return undefined;
  // linux-6.1 passes [-1UL, -1UL), which rounding would make a page.
  if (sameWord(start, end)) return { start: pageOf(start), end: pageOf(start) };
  return { start: pageOf(start), end: pageEnd(end) };
}

function page(at: RawEvent, key = "addr"): number | undefined {
  const word = at.word(key);
  return word === undefined ? undefined : pageOf(word);
}

/** Kernel tracepoints print some words in hexadecimal without "0x". */
function bareHex(at: RawEvent, key: string): Word64 | undefined {
  const text = at.arg(key);
  return text === undefined ? undefined : parseWord(text.startsWith("0x") ? text : `0x${text}`);
}

function notifierRange(what: "range_start" | "range_end", seen: "call" | "callback"): Row {
  return (at) => {
    const mm = at.arg("mm");
    const range = span(at);
    if (mm === undefined) return "mm";
    if (range === undefined || range.end < range.start) return "start and end";
    const flags = at.word("flags");
    const blockable = flags === undefined ? undefined : bit(flags, 0);
    const event = notifierEvent(at.arg("event"));
    const only_end = flag(at, "only_end");
    return { kind: "notifier", what, seen, mm, ...range, event, blockable, only_end, at };
  };
}

/** By number (kprobes) or by name (a tracepoint that prints symbols). */
function notifierEvent(text: string | undefined): NotifierEvent | undefined {
  const number = text === undefined || !/^\d+$/.test(text) ? -1 : Number(text);
  return NOTIFIER_EVENTS[number] ?? NOTIFIER_EVENTS.find((name) => name === text);
}

function notifierPages(what: NotifierPages["what"], seen: "call" | "callback"): Row {
  return (at) => {
    const mm = at.arg("mm");
    if (mm === undefined) return "mm";
    const first = page(at);
    const range = first === undefined ? span(at) : { start: first, end: first + 1 };
    if (range === undefined || range.end < range.start) return "addr, or start and end";
    return { kind: "notifier", what, seen, mm, ...range, entry: at.word("pte"), at };
  };
}

function notifierLife(what: "register" | "release", seen: "call" | "callback"): Row {
  return (at) => {
    const mm = at.arg("mm");
    return mm === undefined ? "mm" : { kind: "notifier", what, seen, mm, asid: undefined, at };
  };
}

function watch(at: RawEvent): TraceRecord | string {
  const mm = at.arg("mm");
  const on = flag(at, "on");
  if (mm === undefined) return "mm";
  if (on === undefined) return "on";
  const what = on ? "watch_on" : "watch_off";
  return { kind: "notifier", what, seen: "call", mm, asid: number(at, "asid"), at };
}

function entryChange(op: EntryOperation): Row {
  return (at) => {
    const mm = at.arg("mm");
    const first = page(at);
    if (mm === undefined) return "mm";
    if (first === undefined) return "addr";
    return {
      kind: "pte",
      op,
      mm,
      page: first,
      slot: at.arg("ptep") ?? at.arg("pmdp"),
      old: at.word("old"),
      entry: at.word("entry") ?? at.word("pte"),
      dirty: flag(at, "dirty"),
      count: number(at, "nr"),
      vm_flags: at.word("vm_flags"),
      at,
    };
  };
}

function entryReturn(op: EntryOperation): Row {
  return (at) => ({
    kind: "pte_ret",
    op,
    changed: flag(at, "changed"),
    old: at.word("pte"),
    at,
  });
}

function gather(what: Gather["what"]): Row {
  return (at) => {
    const range = span(at);
    return {
      kind: "gather",
      what,
      tlb: at.arg("tlb"),
      mm: at.arg("mm"),
      start: range?.start,
      end: range?.end,
      bits: number(at, "bits"),
      at,
    };
  };
}

/** The probe of the mmu_gather function; x86 has a tracepoint of the same name. */
function tlbFlush(at: RawEvent): TraceRecord | string {
  return at.arg("tlb") === undefined ? FOREIGN : gather("flush")(at);
}

function batch(what: Batch["what"]): Row {
  return (at) => ({ kind: "batch", what, mm: at.arg("mm"), at });
}

function cpuFlush(what: "call" | "return"): Row {
  return (at) => {
    const range = span(at);
    const freed_tables = flag(at, "freed_tables");
    return {
      kind: "cpu_flush",
      what,
      mm: at.arg("mm"),
      start: range?.start,
      end: range?.end,
      freed_tables,
      at,
    };
  };
}

function fault(what: FaultStep): Row {
  return (at) => ({
    kind: "fault",
    what,
    mm: at.arg("mm"),
    page: page(at),
    flags: number(at, "flags"),
    orig: at.word("orig_pte") ?? at.word("orig_pmd"),
    at,
  });
}

function rangeOperation(what: RangeName, step: "call" | "return"): Row {
  return (at) => {
    const mm = at.arg("mm") ?? at.arg("src_mm");
    const result = number(at, "ret") ?? number(at, "pages");
    const { start, end } =
      step === "call" ? operationSpan(at) : { start: undefined, end: undefined };
    return { kind: "range", what, step, mm, start, end, result, at };
  };
}

/** start and end, or start and size, or old and len (move_page_tables), or one address. */
function operationSpan(at: RawEvent): { start: number | undefined; end: number | undefined } {
  const range = span(at);
  if (range !== undefined) return range;
  const start = at.word("start") ?? at.word("old");
  const length = at.word("size") ?? at.word("len");
  if (start !== undefined && length !== undefined) return spanOf(start, length);
  const first = page(at);
  return { start: first, end: undefined };
}

function reverseMap(what: ReverseMapName): Row {
  return (at) => ({
    kind: "rmap",
    what,
    folio: at.arg("folio") ?? at.arg("src"),
    mm: at.arg("mm"),
    page: page(at),
    at,
  });
}

function migrationEntry(what: "set" | "remove"): Row {
  return (at) => {
    const addr = bareHex(at, "addr");
    if (addr === undefined) return "addr";
    const entry = bareHex(at, "pte");
    const order = number(at, "order");
    return { kind: "migration_pte", what, page: pageOf(addr), entry, order, at };
  };
}

const MARK = /^mark=(\d+) step=(\S+) op=(\S+) addr=(0x[\da-f]+) len=(0x[\da-f]+)(?: (.*))?$/;

function mark(at: RawEvent): TraceRecord | string {
  const [, count, step = "", op = "", addr = "", length = "", note = ""] = MARK.exec(at.text) ?? [];
  const start = parseWord(addr);
  const size = parseWord(length);
  if (count === undefined || start === undefined || size === undefined) return FOREIGN;
  return { kind: "mark", number: Number(count), step, op, ...spanOf(start, size), note, at };
}

function modelFill(at: RawEvent): TraceRecord | string {
  const mm = at.arg("mm");
  const start = at.word("addr");
  const size = at.word("size");
  const entry = at.word("pte");
  if (mm === undefined || start === undefined || size === undefined || entry === undefined) {
    return "mm, addr, size and pte";
  }
  return { kind: "model", what: "fill", mm, ...spanOf(start, size), entry, at };
}

function modelDrop(at: RawEvent): TraceRecord | string {
  const mm = at.arg("mm");
  const start = at.word("addr");
  const size = at.word("size");
  if (mm === undefined || start === undefined || size === undefined) return "mm, addr and size";
  return { kind: "model", what: "drop", mm, ...spanOf(start, size), at };
}

function modelCheck(at: RawEvent): TraceRecord | string {
  const mm = at.arg("mm");
  const first = page(at);
  const verdict = at.arg("verdict");
  if (mm === undefined || first === undefined || verdict === undefined)
    return "mm, addr and verdict";
  const kept = flag(at, "kept") === true ? at.word("kept_pte") : undefined;
  const now = at.word("now_pte") ?? ZERO;
  return { kind: "model", what: "check", mm, page: first, kept, now, verdict, at };
}

/** "IOMMU: iova=0xA - 0xB paddr=0xP size=N", or without paddr and with unmapped_size. */
function deviceMapping(what: "map" | "unmap"): Row {
  return (at) => {
    const iova = at.word("iova");
    const size = at.word("size");
    if (iova === undefined || size === undefined) return "iova and size";
    return { kind: "iommu", what, ...spanOf(iova, size), frame: page(at, "paddr"), at };
  };
}

function forkOrExit(what: "fork" | "exit", key: string): Row {
  return (at) => {
    const pid = number(at, key);
    return pid === undefined ? key : { kind: "process", what, pid, at };
  };
}
