// SPDX-License-Identifier: Apache-2.0
// The decoder table on lines of recordings of linux-6.1 and linux-6.12.
import { expect, test } from "vitest";
import { bytesOf } from "./bytes.ts";
import { readFtrace } from "./ftrace.ts";
import { decodeProbe, PROBE_EVENTS } from "./kprobes.ts";
import type { TraceRecord } from "./trace-record.ts";
import {
  bit,
  bits,
  formatPage,
  formatWord,
  PAGE_LIMIT,
  pageEnd,
  pageOf,
  parseWord,
  sameWord,
  toNumber,
  type Word64,
} from "./word64.ts";

const MM = "0xffff0000409a4f00";

async function decode(...texts: string[]): Promise<(TraceRecord | undefined)[]> {
  const records: (TraceRecord | undefined)[] = [];
  const lines = texts.map((t) => `         mmsteps-256     [000] d....    51.4: ${t}\n`).join("");
  await readFtrace(bytesOf(lines), { event: (e) => records.push(decodeProbe(e)) });
  return records;
}

async function decodeOne(text: string): Promise<unknown> {
  const [record] = await decode(text);
  if (record === undefined) return undefined;
  const { at: _at, ...rest } = record;
  return rest;
}

function word(text: string): Word64 {
  const parsed = parseWord(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

test("notifier calls", async () => {
  expect(
    await decodeOne(
      "mn_invalidate_range_start: (__mmu_notifier_invalidate_range_start+0x0/0x290) " +
        `mm=${MM} start=0xffff8cab4000 end=0xffff8cab5000 flags=1 event=3`,
    ),
  ).toEqual({
    kind: "notifier",
    what: "range_start",
    seen: "call",
    mm: MM,
    start: 0xffff8cab4,
    end: 0xffff8cab5,
    event: "PROTECTION_PAGE",
    blockable: true,
    only_end: undefined,
  });
  expect(
    await decodeOne(
      `cb_invalidate_range_end: mm=${MM} start=0x1000 end=0x3000 event=UNMAP flags=0`,
    ),
  ).toMatchObject({ what: "range_end", seen: "callback", event: "UNMAP", blockable: false });
  expect(
    await decodeOne(
      "mn_invalidate_secondary: (__mmu_notifier_arch_invalidate_secondary_tlbs+0x0/0xb0) " +
        `mm=${MM} start=0x0 end=0xffffffffffffffff`,
    ),
  ).toMatchObject({ what: "secondary", seen: "call", start: 0, end: PAGE_LIMIT });
  expect(
    await decodeOne(
      "mn_invalidate_secondary: (__mmu_notifier_invalidate_range+0x0/0xb0) " +
        `mm=${MM} start=0xffffffffffffffff end=0xffffffffffffffff`,
    ),
  ).toMatchObject({ what: "secondary", start: PAGE_LIMIT - 1, end: PAGE_LIMIT - 1 });
  expect(
    await decodeOne(
      `mn_change_pte: (__mmu_notifier_change_pte+0x0/0xb0) mm=${MM} addr=0x5000 ` +
        "pte=0x60000041863fc3",
    ),
  ).toMatchObject({ what: "change_pte", start: 5, end: 6, entry: word("0x60000041863fc3") });
  expect(await decodeOne(`watch: mm=${MM} asid=0x1da pid=256 on=1`)).toEqual({
    kind: "notifier",
    what: "watch_on",
    seen: "call",
    mm: MM,
    asid: 0x1da,
  });
});

test("entry changes and their returns", async () => {
  expect(
    await decodeOne(
      `ptep_set_access_flags: (__ptep_set_access_flags+0x0/0xec) mm=${MM} vm_flags=0xfb ` +
        "addr=0xffff8cab1000 ptep=0xffff00000315e588 old=0x6000007ed60fc3 " +
        "entry=0xe800007ed60f43 dirty=1",
    ),
  ).toEqual({
    kind: "pte",
    op: "ptep_set_access_flags",
    mm: MM,
    page: 0xffff8cab1,
    slot: "0xffff00000315e588",
    old: word("0x6000007ed60fc3"),
    entry: word("0xe800007ed60f43"),
    dirty: true,
    count: undefined,
    vm_flags: word("0xfb"),
  });
  expect(
    await decodeOne(
      "ptep_set_access_flags_ret: (wp_page_reuse+0x70/0xb0 <- ptep_set_access_flags) changed=1",
    ),
  ).toEqual({ kind: "pte_ret", op: "ptep_set_access_flags", changed: true, old: undefined });
  expect(
    await decodeOne(
      `contpte_set_ptes: (contpte_set_ptes+0x0/0x140) mm=${MM} addr=0x5000 ptep=0x8 pte=0x3 nr=512`,
    ),
  ).toMatchObject({ op: "contpte_set_ptes", count: 512, entry: word("0x3") });
});

test("batches, ranges and reverse maps", async () => {
  expect(
    await decodeOne(
      `tlb_finish_mmu: (tlb_finish_mmu+0x0/0x190) tlb=0xffff8000 mm=${MM} start=0x1000000000000 ` +
        "end=0x0 bits=0x1",
    ),
  ).toEqual({
    kind: "gather",
    what: "finish",
    tlb: "0xffff8000",
    mm: MM,
    start: 2 ** 36,
    end: 0,
    bits: 1,
  });
  expect(await decodeOne("tlb_flush: pages:-1 reason:flush on task switch (0)")).toBeUndefined();
  expect(
    await decodeOne(
      `move_page_tables: (move_page_tables+0x0/0xf10) mm=${MM} old=0x8000 new=0x1000 len=0x2000`,
    ),
  ).toMatchObject({ kind: "range", step: "call", mm: MM, start: 8, end: 10 });
  expect(
    await decodeOne(
      "copy_page_range: (copy_page_range+0x0/0x10) dst_mm=0x1 src_mm=0x2 start=0x1000 end=0x2000",
    ),
  ).toMatchObject({ mm: "0x2", start: 1, end: 2 });
  expect(
    await decodeOne("change_protection_ret: (a+0x1/0x2 <- change_protection) pages=-3"),
  ).toMatchObject({ kind: "range", step: "return", result: undefined });
  expect(
    await decodeOne("set_migration_pte: addr=ffff9e400000, pte=300004007b780 order=0"),
  ).toEqual({
    kind: "migration_pte",
    what: "set",
    page: 0xffff9e400,
    entry: word("0x300004007b780"),
    order: 0,
  });
});

test("marks, the model and devices", async () => {
  expect(
    await decodeOne(
      "tracing_mark_write: mark=16 step=file_shared op=helpers_read addr=0x5000 len=0x4000 " +
        "cpus=1-3",
    ),
  ).toEqual({
    kind: "mark",
    number: 16,
    step: "file_shared",
    op: "helpers_read",
    start: 5,
    end: 9,
    note: "cpus=1-3",
  });
  expect(await decodeOne("tracing_mark_write: hello")).toBeUndefined();
  expect(await decodeOne(`stlb_fill: mm=${MM} addr=0x200000 size=0x200000 pte=0x5`)).toEqual({
    kind: "model",
    what: "fill",
    mm: MM,
    start: 512,
    end: 1024,
    entry: word("0x5"),
  });
  expect(
    await decodeOne(
      `stlb_check: mm=${MM} addr=0x5000 kept=0 kept_pte=0x0 now_pte=0x9 verdict=DROPPED`,
    ),
  ).toMatchObject({ what: "check", page: 5, kept: undefined, verdict: "DROPPED" });
  expect(
    await decodeOne("map: IOMMU: iova=0xfff78000 - 0xfff7a000 paddr=0x7ed5e000 size=8192"),
  ).toEqual({ kind: "iommu", what: "map", start: 0xfff78, end: 0xfff7a, frame: 0x7ed5e });
});

test("a known event with other fields is malformed; an unknown one is nothing", async () => {
  const [malformed, unknown, call] = await decode(
    "mn_release: (f+0x0/0x10) what=3",
    "sched_switch: prev_comm=a",
    "sys_mmap -> 0x1",
  );
  expect(malformed).toMatchObject({ kind: "malformed", why: "mn_release has no usable mm" });
  expect([unknown, call]).toEqual([undefined, undefined]);
  expect(PROBE_EVENTS.has("mn_release")).toBe(true);
});

test("64-bit words", () => {
  for (const text of [
    "0x0",
    "0xffffffff",
    "0x100000000",
    "0xffffffffffffffff",
    "0xe800007ed60f43",
  ]) {
    expect(formatWord(word(text))).toBe(text);
  }
  expect(word("-1")).toEqual(word("0xffffffffffffffff"));
  expect(word("18446744073709551615")).toEqual(word("-1"));
  for (const text of [
    "",
    "0x",
    "0xg",
    "0x11111111111111111",
    "1e5",
    "--1",
    "18446744073709551616",
  ]) {
    expect(parseWord(text)).toBeUndefined();
  }
  const entry = word("0xe80000abcd6f43");
  const big = 0xe80000abcd6f43n;
  for (let i = 0; i < 64; i++) expect(bit(entry, i)).toBe(((big >> BigInt(i)) & 1n) === 1n);
  for (const [high, low] of [
    [47, 12],
    [31, 0],
    [63, 32],
    [51, 0],
    [63, 12],
    [35, 30],
    [5, 2],
  ] as const) {
    const mask = (1n << BigInt(high - low + 1)) - 1n;
    expect(BigInt(bits(entry, high, low))).toBe((big >> BigInt(low)) & mask);
  }
  expect(sameWord(entry, word("0xe80000abcd6f43"))).toBe(true);
  expect([toNumber(word("0x20000000000000")), toNumber(word("0x1fffffffffffff"))]).toEqual([
    undefined,
    Number.MAX_SAFE_INTEGER,
  ]);
  expect([pageOf(word("0xffff8cab1fff")), pageEnd(word("0xffff8cab1001"))]).toEqual([
    0xffff8cab1, 0xffff8cab2,
  ]);
  expect([pageEnd(word("-1")), formatPage(PAGE_LIMIT)]).toEqual([
    PAGE_LIMIT,
    "0x10000000000000000",
  ]);
  expect(formatPage(0xffff8cab1)).toBe("0xffff8cab1000");
});

test.each(["change_pte", "clear_flush_young", "clear_young", "test_young"])(
  "%s: the core's call and the subscriber's callback are told apart",
  async (what) => {
    const rest = `mm=${MM} start=0x5000 end=0x6000 addr=0x5000 pte=0x0`;
    expect(await decodeOne(`mn_${what}: ${rest}`)).toMatchObject({ what, seen: "call" });
    expect(await decodeOne(`cb_${what}: ${rest}`)).toMatchObject({ what, seen: "callback" });
  },
);
