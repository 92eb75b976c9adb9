// SPDX-License-Identifier: Apache-2.0
// Page sizes, groups of entries, batches that say what they flush, and lines that stand twice.
import { describe, expect, test } from "vitest";
import {
  call,
  check,
  E,
  fresh,
  LEAVE,
  old,
  READ_ONLY,
  S,
  trace,
  UPGRADED,
  upgrade,
} from "../../../../test/support/short-recording.ts";

describe("page sizes of arm64", () => {
  const slot = (at: string, addr: string) =>
    `ptep_clear_flush: (f+0x0/0x1) mm=0x1 addr=${addr} ptep=${at} old=0x0`;
  const BLOCK = "0x6000007ee00fc1";
  const grown = "0xe800007ee00f41";
  const blockUpgrade = upgrade(BLOCK, grown).replaceAll("0xffff8cab1000", "0xffff8c000000");
  const learnt = (second: string) => [
    slot("0xffff000004801000", "0xffff8c000000"),
    slot("0xffff000004801008", second),
  ];
  const body = (second: string, end: string) =>
    trace(
      ...[...fresh, upgrade().replaceAll("8cab1000", "8cab0000")],
      ...[call("0xffff8cab0000", "0xffff8cac0000"), UPGRADED, ...learnt(second)],
      ...[blockUpgrade, call("0xffff8c000000", end), UPGRADED, LEAVE],
    );

  test.each([
    ["4 KiB", "0xffff8c001000", "0xffff8c200000", []],
    ["16 KiB, all of the block", "0xffff8c004000", "0xffff8e000000", []],
    ["16 KiB, a part of the block", "0xffff8c004000", "0xffff8c200000", ["short"]],
    ["64 KiB, a part of the block", "0xffff8c010000", "0xffff8c200000", ["short"]],
  ])("%s", async (_, second, end, found) => {
    const { classes } = await check(body(second, end));
    expect(classes.filter((one) => one !== "excess")).toEqual(found);
  });

  test("the caller may say it", async () => {
    const text = trace(...fresh, blockUpgrade, call("0xffff8c000000", "0xffff8c200000"), UPGRADED);
    expect((await check(text)).classes).toEqual([]);
    expect((await check(text, { page_units: 4 })).classes).toEqual(["short"]);
  });
});

describe("a group of contiguous entries", () => {
  const huge = (old: string, entry: string) =>
    "huge_ptep_set_access_flags: (f+0x0/0x1) mm=M addr=0xffff8cab0000 ptep=0x8 " +
    `old=${old} entry=${entry} dirty=1`;
  const change = huge("0x7000007ed60fc3", "0xf800007ed60f43");

  test("that gets write permission has changed, return or not", async () => {
    const { findings } = await check(trace(...old, change, LEAVE));
    expect(findings).toMatchObject([
      { class: "missing", start: "0xffff8cab0000", end: "0xffff8cac0000", change: "upgrade" },
    ]);
    const told = trace(...fresh, change, call("0xffff8cab0000", "0xffff8cac0000"), LEAVE);
    expect((await check(told)).findings).toEqual([]);
    const part = trace(...fresh, change, call("0xffff8cab0000", "0xffff8cab1000"), LEAVE);
    expect((await check(part)).classes).toEqual(["short"]);
  });
});

describe("change_protection without its entries, since 6.6", () => {
  const protect = (start: string, end: string, calls: readonly string[]) =>
    trace(
      ...[...fresh, "sys_mprotect(start: 1)", "tlb_gather_mmu: (f+0x0/0x1) tlb=0x5 mm=M"],
      "change_protection: (f+0x0/0x1) mm=M start=0x7000 end=0x9000",
      ...[S("0x7000", "0x9000", 2), E("0x7000", "0x9000", 2)],
      "change_protection_ret: (g+0x1/0x2 <- f) pages=2",
      `tlb_finish_mmu: (f+0x0/0x1) tlb=0x5 mm=M start=${start} end=${end} bits=0x0`,
      ...[...calls, "tlb_finish_mmu_ret: (g+0x1/0x2 <- f)", "sys_mprotect -> 0x0"],
    );

  test("the batch says what was left to be flushed", async () => {
    // Nothing that needs a flush: rights were granted.
    const none = await check(protect("0xffffffffffff", "0x0", []));
    expect([none.findings, none.summary.undecidable]).toEqual([[], 0]);
    const told = await check(protect("0x7000", "0x9000", [call("0x7000", "0x9000")]));
    expect([told.findings, told.summary.undecidable]).toEqual([[], 0]);
    const silent = await check(protect("0x7000", "0x9000", []));
    expect(silent.findings).toMatchObject([{ class: "missing", operation: "tlb_finish_mmu" }]);
  });
});

describe("a line that stands twice", () => {
  const twice = (text: string, part: string) =>
    text
      .split("\n")
      .flatMap((line) => (line.includes(part) ? [line, line] : [line]))
      .join("\n");

  test.each([["mn_invalidate_range_start"], ["mn_invalidate_range_end"], [" ptep_clear_flush:"]])(
    "%s is damage, and no finding",
    async (part) => {
      const text = trace(
        ...[...fresh, S("0xffff8cab1000", "0xffff8cab2000")],
        `ptep_clear_flush: (f+0x0/0x1) mm=M addr=0xffff8cab1000 ptep=0x8 old=${READ_ONLY}`,
        call(),
        ...[`ptep_clear_flush_ret: (g+0x1/0x2 <- f) pte=${READ_ONLY}`],
        ...[E("0xffff8cab1000", "0xffff8cab2000"), LEAVE],
      );
      expect((await check(text)).status).toBe(0);
      const { findings, summary, status } = await check(twice(text, part));
      expect([findings, status]).toEqual([[], 3]);
      expect(Object.keys(summary.undecidable_reasons)[0]).toMatch(/same line twice .*line \d+/);
    },
  );
});
