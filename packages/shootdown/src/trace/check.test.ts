// SPDX-License-Identifier: Apache-2.0
// The monitor on short recordings, each of one operation, right and wrong.
import { describe, expect, test } from "vitest";
import {
  CLEAN,
  call,
  check,
  E,
  fresh,
  LEAVE,
  MM,
  NEW,
  old,
  READ_ONLY,
  REGISTER,
  S,
  secondary,
  trace,
  UPGRADED,
  upgrade,
  WRITABLE,
} from "../../../../test/support/short-recording.ts";

describe("ptep_set_access_flags", () => {
  test("an upgrade with its call conforms", async () => {
    const { summary, status } = await check(trace(...fresh, upgrade(), call(), UPGRADED, LEAVE));
    expect(summary).toMatchObject({ upgrades: 1, changes: 1, conforming: 1, missing: 0 });
    expect(status).toBe(0);
  });

  test("without a call it is missing, with all that is known", async () => {
    const { findings, summary, status } = await check(trace(...old, upgrade(), UPGRADED, LEAVE));
    expect(findings).toMatchObject([
      {
        ...{ type: "finding", class: "missing", line: 5, time: 1.002, cpu: 0, mm: MM },
        ...{ start: "0xffff8cab1000", end: "0xffff8cab2000", change: "upgrade", pid: 7 },
        ...{ operation: "ptep_set_access_flags", old: READ_ONLY, new: WRITABLE, deadline_line: 6 },
      },
    ]);
    expect(summary).toMatchObject({ kernel: "linux-6.1", upgrades: 1, missing: 1 });
    expect(status).toBe(1);
  });

  test("after the return is late, in the next fault it is another's", async () => {
    expect((await check(trace(...fresh, upgrade(), UPGRADED, call(), LEAVE))).classes).toEqual([
      "late",
    ]);
    expect((await check(trace(...fresh, upgrade(), UPGRADED, LEAVE, call()))).classes).toEqual([
      "missing",
    ]);
  });

  test("a call that misses the page, or covers a part of a block, is short", async () => {
    const beside = call("0xffff8cab2000", "0xffff8cab3000");
    expect((await check(trace(...fresh, upgrade(), beside, UPGRADED))).classes).toEqual(["short"]);
    const block = upgrade("0x6000007ec00fc1", "0xe800007ec00f41");
    const { findings } = await check(trace(...fresh, block, call(), UPGRADED));
    expect(findings).toMatchObject([
      { class: "short", start: "0xffff8ca00000", end: "0xffff8cc00000" },
    ]);
  });

  test("access flag alone, no change, and an invalid entry owe nothing", async () => {
    const young = upgrade("0xe800007ed60b43", WRITABLE);
    const lost = "ptep_set_access_flags_ret: (g+0x1/0x2 <- f) changed=0";
    const none = upgrade("0x0", WRITABLE);
    const text = trace(...old, young, UPGRADED, upgrade(), lost, none, UPGRADED, LEAVE);
    const { classes, summary, status } = await check(text);
    expect(classes).toEqual([]);
    expect(summary).toMatchObject({ upgrades: 0, dirty_upgrades: 0, undecidable: 0 });
    expect(status).toBe(0);
  });

  test("clean to dirty counts apart", async () => {
    const { findings, summary, status } = await check(
      trace(...old, upgrade(CLEAN, WRITABLE), UPGRADED, LEAVE),
    );
    expect(findings).toMatchObject([{ class: "missing", change: "flags" }]);
    expect(summary).toMatchObject({ upgrades: 0, dirty_upgrades: 1, dirty_missing: 1, missing: 0 });
    expect(status).toBe(1);
  });

  test("another task's call in between cannot be told", async () => {
    const text = trace(...fresh, upgrade(), `[8] ${call()}`, UPGRADED, LEAVE);
    const { classes, summary, status } = await check(text);
    expect(classes).toEqual([]);
    expect(summary.undecidable).toBe(1);
    expect(status).toBe(3);
  });

  test("its return missing, or the end of the recording before it, cannot be told", async () => {
    expect((await check(trace(...fresh, upgrade(), LEAVE))).summary.undecidable).toBe(1);
    expect((await check(trace(...fresh, upgrade()))).summary.undecidable).toBe(1);
  });

  test("a wrapper counts once, unless nothing is inside it", async () => {
    const huge = upgrade().replace("ptep_set_access_flags", "huge_ptep_set_access_flags");
    const inside = await check(trace(...old, huge, upgrade(), UPGRADED, LEAVE));
    expect(inside.summary).toMatchObject({ upgrades: 1, missing: 1, undecidable: 0 });
    const alone = await check(trace(...old, huge, LEAVE));
    expect(alone.summary).toMatchObject({ missing: 0, undecidable: 1 });
  });
});

describe("clear, then set", () => {
  const clear =
    "ptep_clear_flush: (f+0x0/0x1) mm=M vm_flags=0xfb addr=0xffff8cab1000 ptep=0x8 " +
    `old=${READ_ONLY}`;
  const cleared = `ptep_clear_flush_ret: (g+0x1/0x2 <- f) pte=${READ_ONLY}`;
  const range: [string, string] = ["0xffff8cab1000", "0xffff8cab2000"];
  const copy = "wp_page_copy: (f+0x0/0x1) addr=0xffff8cab1000 orig_pte=0x1";

  test("up to 6.5 range_end invalidates, except from wp_page_copy", async () => {
    const rmap = "page_mkclean_one: (f+0x0/0x1) folio=0x1 mm=M addr=0xffff8cab1000";
    const body = [S(...range), clear, cleared, E(...range), LEAVE];
    expect((await check(trace(...old, rmap, ...body))).classes).toEqual([]);
    const { findings } = await check(trace(...old, copy, ...body));
    expect(findings).toMatchObject([{ class: "missing", change: "frame" }]);
    expect((await check(trace(...fresh, rmap, ...body))).classes).toEqual(["missing"]);
  });

  test("in a fault, range_end of a caller that is not recorded cannot be told", async () => {
    const fault = "handle_mm_fault: (f+0x0/0x1) mm=M vm_flags=0x1 addr=0xffff8cab1000 flags=0x1";
    const text = trace(...old, fault, S(...range), clear, cleared, E(...range), LEAVE);
    const { classes, summary } = await check(text);
    expect(classes).toEqual([]);
    expect(Object.keys(summary.undecidable_reasons)).toEqual([
      expect.stringContaining("without only_end"),
    ]);
    // The field decides where a recording has it.
    const said = text.replace(
      E(...range).replace("M", MM),
      `${E(...range).replace("M", MM)} only_end=1`,
    );
    expect((await check(said)).classes).toEqual(["missing"]);
  });

  test("before the change is the wrong order", async () => {
    const text = trace(...fresh, S(...range), call(...range), clear, cleared, E(...range), LEAVE);
    expect((await check(text)).classes).toEqual(["order"]);
  });

  test("an entry that was invalid owes nothing", async () => {
    const none = clear.replace(READ_ONLY, "0xe000007ed60f82");
    const text = trace(...fresh, S(...range), none, cleared, E(...range), LEAVE);
    expect((await check(text)).classes).toEqual([]);
  });

  test("a range that is never ended, or never begun, is unpaired", async () => {
    const body = [S(...range), clear, call(...range), cleared];
    expect((await check(trace(...fresh, ...body, LEAVE))).classes).toEqual(["unpaired"]);
    expect((await check(trace(...fresh, LEAVE, E(...range), LEAVE))).classes).toEqual(["unpaired"]);
    // At the borders of a recording the other half may be outside.
    const start = await check(trace(...fresh, E(...range), LEAVE));
    expect([start.classes, start.summary.undecidable]).toEqual([[], 1]);
    const end = await check(trace(...fresh, ...body));
    expect([end.classes, end.summary.undecidable]).toEqual([[], 1]);
  });
});

describe("batches", () => {
  const gather = "tlb_gather_mmu: (f+0x0/0x1) tlb=0xa mm=M";
  const finish = "tlb_finish_mmu: (f+0x0/0x1) tlb=0xa mm=M start=0x1000000000000 end=0x0 bits=0x0";
  const finished = "tlb_finish_mmu_ret: (g+0x1/0x2 <- f)";
  const commit = (page: number, now = READ_ONLY) =>
    `ptep_modify_prot_commit: (f+0x0/0x1) mm=M addr=0xffff8ca0${page}000 ptep=0x8 ` +
    `old=${WRITABLE} pte=${now}`;
  const body = [gather, ...[0, 1, 2, 3].map((page) => commit(page))];
  const whole = call("0xffff8ca00000", "0xffff8ca04000");

  test("the flush before tlb_finish_mmu returns covers every entry", async () => {
    const { summary } = await check(trace(...fresh, ...body, whole, finish, finished, LEAVE));
    expect(summary).toMatchObject({ changes: 4, conforming: 4 });
  });

  test("one finding for entries side by side", async () => {
    const missing = await check(trace(...fresh, ...body, finish, finished, LEAVE));
    expect(missing.findings).toMatchObject([
      {
        class: "missing",
        change: "downgrade",
        entries: 4,
        start: "0xffff8ca00000",
        end: "0xffff8ca04000",
      },
    ]);
    const shifted = call("0xffff8ca01000", "0xffff8ca05000");
    const short = await check(trace(...fresh, ...body, shifted, finish, finished, LEAVE));
    expect(short.classes).toEqual(["short"]);
    const late = await check(trace(...fresh, ...body, finish, finished, whole, LEAVE));
    expect(late.classes).toEqual(["late"]);
    const four = [gather, `${commit(0)} nr=4`, call("0xffff8ca00000", "0xffff8ca01000")];
    const part = await check(trace(...fresh, ...four, finish, finished, LEAVE));
    expect(part.findings).toMatchObject([{ class: "short", end: "0xffff8ca04000" }]);
  });

  test("what tlb_finish_mmu has left to flush is asked for, but not twice", async () => {
    const left = finish.replace(
      "start=0x1000000000000 end=0x0",
      "start=0xffff8ca00000 end=0xffff8ca04000",
    );
    const bare = await check(trace(...fresh, gather, left, finished, LEAVE));
    expect(bare.findings).toMatchObject([{ class: "missing", operation: "tlb_finish_mmu" }]);
    const both = await check(trace(...fresh, ...body, left, finished, LEAVE));
    expect(both.findings).toMatchObject([{ operation: "ptep_modify_prot_commit" }]);
  });

  test("an unmap owes for pages that are known to be mapped, and only for them", async () => {
    const fault = "handle_mm_fault: (f+0x0/0x1) mm=M vm_flags=0x1 addr=0xffff8ca01000 flags=0x1";
    const faulted = "handle_mm_fault_ret: (g+0x1/0x2 <- f) ret=0x0";
    const unmap = "unmap_page_range: (f+0x0/0x1) mm=M start=0xffff8ca00000 end=0xffff8ca04000";
    const rest = [gather, unmap, finish, finished, LEAVE];
    expect((await check(trace(...fresh, ...rest))).status).toBe(0);
    const { findings } = await check(trace(...fresh, fault, faulted, ...rest));
    expect(findings).toMatchObject([
      { class: "missing", change: "unmap", start: "0xffff8ca01000", end: "0xffff8ca02000" },
    ]);
    // Another task's range meanwhile: the page may be gone already.
    const other = [
      `[8] ${S("0xffff8ca00000", "0xffff8ca04000")}`,
      `[8] ${E("0xffff8ca00000", "0xffff8ca04000")}`,
    ];
    expect((await check(trace(...fresh, fault, ...other, faulted, ...rest))).status).toBe(0);
  });
});

describe("what is not known is not guessed", () => {
  test("no call recorded at all: its probe may not have been set", async () => {
    const text = trace(REGISTER, upgrade(), UPGRADED, LEAVE);
    const { classes, summary, status } = await check(text, { kernel: "linux-6.12" });
    expect(classes).toEqual([]);
    expect(summary).toMatchObject({ upgrades: 1, undecidable: 1, kernel: "linux-6.12" });
    expect(summary.notes.join()).toContain("shootdown record");
    expect(status).toBe(3);
  });

  test("unless a mark says that it was", async () => {
    const mark = "tracing_mark_write: shootdown: probes mn_invalidate_secondary mn_register";
    const text = trace(mark, REGISTER, upgrade(), UPGRADED, LEAVE);
    expect((await check(text, { kernel: "linux-6.1" })).classes).toEqual(["missing"]);
  });

  test("a mark does not hide the function of the first call, and may name the kernel", async () => {
    const mark = "tracing_mark_write: shootdown: probes mn_invalidate_secondary mn_register";
    const body = [REGISTER, upgrade(), UPGRADED, LEAVE];
    const called = await check(trace(mark, ...body, old[1]!, LEAVE));
    expect(called.classes).toEqual(["missing"]);
    expect(called.summary).toMatchObject({ kernel: "linux-6.1", undecidable: 0 });
    const kernel = "tracing_mark_write: shootdown: kernel 6.12.117+deb12-arm64 aarch64";
    const named = await check(trace(kernel, mark, ...body));
    expect(named.classes).toEqual(["missing"]);
    expect(named.summary).toMatchObject({ kernel: "linux-6.12", undecidable: 0 });
  });

  test("a verdict waits for the contract, which may come later", async () => {
    const text = trace(REGISTER, upgrade(), UPGRADED, LEAVE, old[1]!, LEAVE);
    expect((await check(text)).classes).toEqual(["missing"]);
  });

  test("an mm without a notifier owes nothing; one whose calls are recorded does", async () => {
    const body = [upgrade(), UPGRADED, LEAVE];
    const other = old[1]!.replace("mm=M", "mm=0x123");
    expect((await check(trace(other, ...body))).summary).toMatchObject({ changes: 0, upgrades: 0 });
    expect((await check(trace(old[1]!, ...body))).classes).toEqual(["missing"]);
    // After the release nobody listens, though the kernel still calls.
    const release = "mn_release: (f+0x0/0x1) mm=M";
    expect((await check(trace(...old, release, old[1]!, ...body))).classes).toEqual([]);
  });

  test("--mm replaces what the recording says, and --mm all waits for a sign", async () => {
    const body = [upgrade(), UPGRADED, LEAVE];
    const other = old[1]!.replace("mm=M", "mm=0x123");
    expect((await check(trace(other, ...body), { mm: [MM] })).classes).toEqual(["missing"]);
    expect((await check(trace(...old, ...body), { mm: ["0x9"] })).classes).toEqual([]);
    expect((await check(trace(other, ...body), { mm: "all" })).classes).toEqual([]);
    expect((await check(trace(other, ...body, old[1]!), { mm: "all" })).classes).toEqual([
      "missing",
    ]);
    // Registered only now: it had none before.
    expect((await check(trace(other, ...body, ...old), { mm: "all" })).classes).toEqual([]);
  });

  test("events lost in between", async () => {
    const lines = trace(...fresh, upgrade(), UPGRADED, LEAVE).split("\n");
    const at = lines.findIndex((line) => line.includes("_ret:"));
    lines.splice(at, 0, "CPU:0 [LOST 3 EVENTS]");
    const { classes, summary, status } = await check(lines.join("\n"));
    expect(classes).toEqual([]);
    expect(summary).toMatchObject({ lost_places: 1, lost_events: 3 });
    expect(status).toBe(3);
  });

  test("x86 entries are judged by their own bits: whether an upgrade matters depends", async () => {
    const text = trace(
      ...fresh,
      upgrade("0x84000000465b5825", "0x80000000465b5867"),
      UPGRADED,
      LEAVE,
    );
    const { classes, summary, status } = await check(text);
    expect(classes).toEqual(["depends"]);
    expect(summary).toMatchObject({ layout: "x86", missing: 0, depends: 1, undecidable: 0 });
    expect(summary.notes.join()).toContain("denyRewalk");
    expect(status).toBe(3);
  });
});

describe("advice and contract", () => {
  const fork = [
    `copy_page_range: (f+0x0/0x1) dst_mm=0x5 src_mm=${MM} start=0xffff8ca00000 end=0xffff8ca04000`,
    S("0xffff8ca00000", "0xffff8ca04000", 3),
    E("0xffff8ca00000", "0xffff8ca04000", 3),
  ];
  const forked = "sched_process_fork: comm=a pid=7 child_comm=a child_pid=8";
  const all = secondary(NEW.start, "0x0", "0xffffffffffffffff");

  test("a call for the whole address space where less is asked for is advice only", async () => {
    const { findings, summary, status } = await check(trace(...fresh, ...fork, all, forked, LEAVE));
    expect(findings).toMatchObject([{ class: "excess", change: null, old: null }]);
    expect(summary.excess).toBe(1);
    expect(status).toBe(0);
  });

  test("a fork without it is missing if a writable page is known, else undecided", async () => {
    const unknown = await check(trace(...fresh, ...fork, forked, LEAVE));
    expect([unknown.classes, unknown.status]).toEqual([[], 3]);
    const fault = "handle_mm_fault: (f+0x0/0x1) mm=M vm_flags=0x1 addr=0xffff8ca01000 flags=0x1";
    const faulted = "handle_mm_fault_ret: (g+0x1/0x2 <- f) ret=0x0";
    const known = await check(trace(...fresh, fault, faulted, ...fork, forked, LEAVE));
    expect(known.findings).toMatchObject([{ class: "missing", operation: "copy_page_range" }]);
    expect((await check(trace(...old, fault, faulted, ...fork, forked, LEAVE))).classes).toEqual(
      [],
    );
  });

  test("up to 6.5 the split of a 2 MiB entry calls nobody, on purpose", async () => {
    const range: [string, string] = ["0xffff8ca00000", "0xffff8cc00000"];
    const split = [
      "split_huge_pmd: (f+0x0/0x1) mm=M pmdp=0x8 addr=0xffff8ca00000",
      S(...range),
      "pmdp_invalidate: (f+0x0/0x1) mm=M addr=0xffff8ca00000 pmdp=0x8 old=0x6000007ec00fc1",
      E(...range),
      LEAVE,
    ];
    const before = await check(trace(...old, ...split));
    expect([before.classes, Object.values(before.summary.exempt)]).toEqual([[], [1]]);
    const since = await check(trace(...fresh, ...split));
    expect(since.findings).toMatchObject([{ class: "missing", change: "table" }]);
  });

  test("--kernel decides over what was recognised", async () => {
    const text = trace(...old, S("0xffff8cab1000", "0xffff8cab2000"), LEAVE);
    const { summary } = await check(text, { kernel: "linux-6.12" });
    expect(summary.kernel).toBe("linux-6.12");
    expect(summary.contract).toContain("__mmu_notifier_invalidate_range");
  });
});

test.each([
  ["linux-5.10", "invalidate_range"],
  ["linux-6.5", "invalidate_range"],
  ["linux-6.6", "arch_invalidate_secondary_tlbs"],
  ["linux-7.0", "arch_invalidate_secondary_tlbs"],
])("--kernel %s: the contract is %s", async (kernel, contract) => {
  const { summary } = await check(trace(REGISTER), { kernel });
  expect(summary.contract.startsWith(`${contract} `)).toBe(true);
});
