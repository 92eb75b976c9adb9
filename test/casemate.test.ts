// SPDX-License-Identifier: Apache-2.0
// casemate's protocol on good and bad logs: break-before-make, and the order of TLBI and DSB.
import { describe, expect, test } from "vitest";
import { check, el2, L1, L2, L3, Log, ROOT, stage2 } from "./support/casemate-log.ts";

/** The last table is unlinked, and each page that it mapped invalidated. */
const unlinked = (log = el2()) =>
  log.write(L2, 0).dsb().tlbi("vae2is", 0).tlbi("vae2is", 0x1000).dsb();
/** The last table is emptied, page by page. */
const empty = () =>
  el2()
    .write(L3, 0)
    .write(L3 + 8, 0)
    .dsb("ishst")
    .tlbi("vale2is", 0, 3)
    .tlbi("vale2is", 0x1000, 3)
    .dsb();

const GOOD: readonly (readonly [string, Log])[] = [
  ["tables are built and used", el2()],
  ["invalid", el2().write(L3, 0)],
  [
    "invalid, DSB, TLBI, DSB, valid",
    el2().write(L3, 0).dsb("ishst").tlbi("vae2is", 0, 3).dsb().write(L3, 0x80002703),
  ],
  [
    "by the page number, last level",
    el2()
      .write(L3 + 8, 0)
      .dsb()
      .tlbi("vale2is", 1)
      .dsb("sy")
      .write(L3 + 8, 0x80002703),
  ],
  ["all of EL2", el2().write(L3, 0).dsb().tlbi("alle2is").dsb().write(L3, 0x80002703)],
  [
    "two entries with one DSB",
    el2()
      .write(L3, 0)
      .write(L3 + 8, 0)
      .dsb()
      .tlbi("vae2is", 0)
      .tlbi("vae2is", 0x1000)
      .dsb()
      .write(L3, 0x80002703)
      .write(L3 + 8, 0x80003703),
  ],
  ["only permissions change", el2().write(L3, 0x80000783)],
  ["the same again", el2().write(L3, 0x80000703)],
  [
    "stage 2 by address",
    stage2()
      .write(L3, 0)
      .dsb()
      .tlbi("ipas2e1is", 0, 3)
      .dsb()
      .tlbi("vmalle1is")
      .dsb()
      .write(L3, 0x80002703),
  ],
  [
    "stage 2, all of the VMID",
    stage2().write(L3, 0).dsb().tlbi("vmalls12e1is").dsb().write(L3, 0x80002703),
  ],
  ["stage 2, everything", stage2().write(L3, 0).dsb().tlbi("alle1is").dsb().write(L3, 0x80002703)],
  ["a table is unlinked and another linked", unlinked().init(0x40004000).write(L2, 0x40004003)],
  [
    "a table is unlinked, all of EL2 invalidated",
    el2().write(L2, 0).dsb().tlbi("alle2is").dsb().write(L2, 0x80000701),
  ],
  ["an empty table", empty().write(L2, 0).dsb().tlbi("vae2is", 0).dsb().write(L2, 0x80000701)],
  ["memory that is no table", el2().write(0x90000000, 0x1).write(0x90000000, 0x80000703)],
  [
    "a table before it is linked",
    el2().write(0x40004000, 0x80000703).write(0x40004000, 0x80009703),
  ],
  [
    "seven CPUs",
    [1, 2, 3, 4, 5, 6].reduce((log, tid) => log.as(tid).write(L3 + 16 * tid, 0x80000703), el2()),
  ],
  [
    "under the lock of the root",
    el2()
      .hint("set_root_lock", ROOT, 0x1000)
      .lock("lock", 0x1000)
      .write(L3, 0)
      .lock("unlock", 0x1000),
  ],
];

const BAD: readonly (readonly [string, Log, RegExp])[] = [
  ["valid to valid", el2().write(L3, 0x80002703), /the address changed from valid to valid/],
  ["memory type", el2().write(L3, 0x80000707), /the memory type changed/],
  [
    "nothing at all",
    el2().write(L3, 0).write(L3, 0x80002703),
    /DSB, TLBI and DSB of thread 0 missing/,
  ],
  [
    "no TLBI",
    el2().write(L3, 0).dsb().dsb().write(L3, 0x80002703),
    /: TLBI and DSB of thread 0 missing/,
  ],
  [
    "no DSB before the TLBI",
    el2().write(L3, 0).tlbi("vae2is", 0).dsb().write(L3, 0x80002703),
    /came before a DSB/,
  ],
  [
    "no DSB after the TLBI",
    el2().write(L3, 0).dsb().tlbi("vae2is", 0).write(L3, 0x80002703),
    /: DSB of thread 0 missing/,
  ],
  [
    "a DSB of stores after the TLBI",
    el2().write(L3, 0).dsb().tlbi("vae2is", 0).dsb("ishst").write(L3, 0x80002703),
    /: DSB of thread 0 missing/,
  ],
  [
    "a DSB of one CPU",
    el2().write(L3, 0).dsb("nsh").tlbi("vae2is", 0).dsb("nsh").write(L3, 0x80002703),
    /came before a DSB/,
  ],
  [
    "TLBI of one CPU",
    el2().write(L3, 0).dsb().tlbi("vae2", 0).dsb().write(L3, 0x80002703),
    /is for its own CPU only/,
  ],
  [
    "TLBI for another page",
    el2().write(L3, 0).dsb().tlbi("vae2is", 0x1000).dsb().write(L3, 0x80002703),
    /TLBI and DSB of thread 0 missing/,
  ],
  [
    "TLBI for another level",
    el2().write(L3, 0).dsb().tlbi("vae2is", 0, 2).dsb().write(L3, 0x80002703),
    /is hinted for level 2/,
  ],
  [
    "TLBI of the other regime",
    el2().write(L3, 0).dsb().tlbi("alle1is").dsb().write(L3, 0x80002703),
    /TLBI and DSB of thread 0 missing/,
  ],
  [
    "another thread's TLBI",
    el2().write(L3, 0).dsb().as(1).tlbi("vae2is", 0).dsb().as(0).write(L3, 0x80002703),
    /is thread 1's/,
  ],
  [
    "another thread's DSB",
    el2().write(L3, 0).dsb().tlbi("vae2is", 0).as(1).dsb().as(0).write(L3, 0x80002703),
    /: DSB of thread 0 missing/,
  ],
  [
    "a table that maps another page",
    el2().write(L2, 0).dsb().tlbi("vae2is", 0).dsb().write(L2, 0x40004003),
    /leaves what the table mapped at 0x1000/,
  ],
  [
    "a table, last level only",
    el2().write(L2, 0).dsb().tlbi("vale2is", 0).dsb().write(L2, 0x40004003),
    /is for the last level only/,
  ],
  [
    "stage 2 without stage 1",
    stage2().write(L3, 0).dsb().tlbi("ipas2e1is", 0).dsb().write(L3, 0x80002703),
    /TLBI of stage 1/,
  ],
  [
    "stage 1 before the DSB",
    stage2().write(L3, 0).dsb().tlbi("ipas2e1is", 0).tlbi("vmalle1is").dsb().write(L3, 0x80002703),
    /came before the DSB after the TLBI by IPA/,
  ],
  [
    "another VMID",
    new Log()
      .stage2(1n)
      .write(L3, 0)
      .dsb()
      .reg("vttbr_el2", (2n << 48n) + 0x50000000n)
      .tlbi("vmalls12e1is")
      .dsb()
      .write(L3, 0x80002703),
    /is for VMID 2/,
  ],
  [
    "a table that walkers may hold",
    el2()
      .write(L2, 0)
      .write(L3 + 16, 0x80002703),
    /walkers may still hold/,
  ],
  [
    "a table with an unclean entry",
    el2()
      .write(L3 + 8, 0)
      .dsb()
      .tlbi("vae2is", 0x1000)
      .dsb()
      .write(L3, 0)
      .write(L2, 0)
      .dsb()
      .tlbi("vae2is", 0, 2)
      .dsb()
      .write(L2, L3 + 3),
    /an entry that is not clean/,
  ],
  [
    "without the lock",
    el2()
      .hint("set_root_lock", ROOT, 0x1000)
      .lock("lock", 0x1000)
      .lock("unlock", 0x1000)
      .write(L3, 0),
    /without the lock of its root/,
  ],
];

describe("casemate", () => {
  test.each(GOOD)("good: %s", async (_name, log) => {
    const { findings, summary, status } = await check(log);
    expect(findings).toEqual([]);
    expect([summary.format, summary.undecidable, status]).toEqual(["casemate", 0, 0]);
  });

  test.each(BAD)("bad: %s", async (_name, log, said) => {
    const { findings, status } = await check(log);
    expect(findings).toHaveLength(1);
    expect(findings[0]?.message).toMatch(said);
    expect(findings[0]?.line).toBe(log.lines.length);
    expect(status).toBe(1);
  });

  test("all of several errors", async () => {
    const log = el2()
      .write(L3, 0x80002703)
      .write(L3 + 8, 0)
      .write(L3 + 8, 0x80003703);
    const { findings } = await check(log);
    expect(findings.map(({ line }) => line)).toEqual([11, 13]);
  });

  test("the place is said: address, entry, source line", async () => {
    const { findings } = await check(el2().write(L3 + 8, 0x80009703));
    expect(findings[0]).toMatchObject({
      ...{
        class: "missing",
        change: "frame",
        rule: "A18",
        mm: "el2",
        cpu: 0,
        operation: "mem-write",
      },
      ...{ start: "0x1000", end: "0x2000", old: "0x80001703", new: "0x80009703", task: "t.c:11" },
    });
  });

  test("blocks of 2 MiB, tables at start level 1 (VTCR_EL2)", async () => {
    const block = new Log()
      .init(ROOT)
      .init(L1)
      .write(L1, 0x80000701)
      .write(ROOT, L1 + 3);
    block.reg("vtcr_el2", 0x40).reg("vttbr_el2", ROOT).write(L1, 0x80200701);
    const { findings } = await check(block);
    expect(findings).toMatchObject([{ start: "0x0", end: "0x200000" }]);
  });

  test("no root: cannot tell, and what is missing is said", async () => {
    const { summary, status } = await check(new Log().tables().write(L3, 0x80009703));
    expect(status).toBe(3);
    expect(Object.keys(summary.undecidable_reasons)).toEqual([
      "no sysreg-write of ttbr0_el2 or vttbr_el2 names a root of page tables",
    ]);
  });

  test("casemate's own verdict is no step", async () => {
    const { summary } = await check(`${el2().lines.join("\n")}\n! BBM invalid unclean->valid\n`);
    expect(summary).toMatchObject({ ignored_lines: 0, undecidable: 0 });
    expect(summary.notes[0]).toContain("BBM invalid unclean->valid");
  });
});
