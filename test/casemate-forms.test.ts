// SPDX-License-Identifier: Apache-2.0
// Logs of casemate in every form they may have, what a log says of its own damage, and limits.
import { describe, expect, test } from "vitest";
import { check, el2, hex, L1, L2, L3, Log, ROOT, stage2 } from "./support/casemate-log.ts";

/** One good run and one bad one, written line by line; the forms differ, the verdicts may not. */
const lines = (log: Log) => log.lines;
const GOOD_RUN = el2().write(L3, 0).dsb("ishst").tlbi("vae2is", 0, 3).dsb().write(L3, 0x80002703);
const BAD_RUN = el2().write(L3, 0).dsb("ishst").tlbi("vae2is", 0, 3).write(L3, 0x80002703);

const FORMS: readonly (readonly [string, (line: string, at: number) => string])[] = [
  ["capitals", (line) => line.toUpperCase().replace("(SRC", "(src")],
  ["hexadecimal without the prefix in small letters", (line) => line.replaceAll("0x", "0X")],
  ["decimal", (line) => line.replaceAll(/0x[\da-f]+/g, (word) => String(BigInt(word)))],
  ["a lisp's base", (line) => line.replaceAll("0x", "#x")],
  [
    "sixteen digits",
    (line) => line.replaceAll(/0x([\da-f]+)/g, (_, w) => `0x${w.padStart(16, "0")}`),
  ],
  ["digits in groups", (line) => line.replaceAll(/0x4000(?=[\da-f]{4})/g, "0x4000_")],
  [
    "hexadecimal ids",
    (line) =>
      line.replaceAll(/\((id|tid) (\d+)\)/g, (_, k, n) => `(${k} 0x${Number(n).toString(16)})`),
  ],
  [
    "spaces and tabs",
    (line) => `  ${line.replaceAll(" ", "\t  ").replaceAll(")", " )").replaceAll("(", "( ")}  `,
  ],
  ["lines in pieces", (line) => line.replaceAll(" (", "\n    (")],
  ["two on a line", (line, at) => (at % 2 === 0 ? `${line}@@` : line)],
  ["comments", (line) => `; one more\n# and one\n\n${line} ; behind (it`],
  ["fields that nobody knows", (line) => line.replace(/\)$/, " (what (is that) 7) (and))")],
  [
    "fields in another order",
    (line) => {
      const [head = "", ...parts] = line.slice(1, -1).split(/ (?=\()/);
      return `(${head} ${parts.reverse().join(" ")})`;
    },
  ],
  ["the operation's word last", (line) => line.replace(/ (dsb|vae2is) (.*)\)$/, " $2 $1)")],
  ["underscores", (line) => line.replaceAll(/(?<=[a-z])-(?=[a-z])/g, "_")],
  ["values in quotes", (line) => line.replaceAll(/0x[\da-f]+/g, '"$&"')],
  ["no ids", (line) => line.replace(/ \(id \d+\)/, "")],
  ["ids that say nothing", (line) => line.replace(/\(id \d+\)/, "(id 0)")],
  ["ids from 1", (line) => line.replace(/\(id (\d+)\)/, (_, n) => `(id ${Number(n) + 1})`)],
  ["ids in tens", (line) => line.replace(/\(id (\d+)\)/, "(id $10)")],
  ["no source lines", (line) => line.replace(/ \(src "[^"]*"\)/, "")],
  ["a console's clock", (line, at) => `[    ${at}.123456] ${line}`],
  ["a console's level and clock", (line, at) => `<6>[    ${at}.123456][    T1] ${line}`],
  ["CRLF", (line) => `${line}\r`],
];

describe("forms of the format", () => {
  test.each(FORMS)("%s", async (_name, form) => {
    const written = (log: Log) => `${lines(log).map(form).join("\n")}\n`.replaceAll("@@\n", " ");
    const good = await check(written(GOOD_RUN));
    expect(good.summary.undecidable_reasons).toEqual({});
    expect([good.findings, good.status]).toEqual([[], 0]);
    const bad = await check(written(BAD_RUN));
    expect(bad.findings).toMatchObject([{ class: "missing", start: "0x0", end: "0x1000" }]);
    expect(bad.status).toBe(1);
  });

  test.each([
    "(barrier (id 13) (tid 0) dsb (kind ish))",
    "(barrier (id 13) (tid 0) (dsb ish))",
    "(barrier (id 13) (tid 0) dsb ish)",
    "(barrier (id 13) (tid 0) (kind dsb) (domain ish))",
    "(barrier (id 13) (tid 0) (kind dsb-ish))",
    "(barrier (id 13) (tid 0) DSB (kind SY))",
    "(dsb (id 13) (tid 0) (kind ish))",
    "(barrier (id 13) (tid 0) dsb (kind osh))",
  ])("%s", async (barrier) => {
    const log = [...lines(GOOD_RUN)];
    log[13] = barrier;
    const { findings, summary, status } = await check(`${log.join("\n")}\n`);
    expect([findings, summary.undecidable_reasons, status]).toEqual([[], {}, 0]);
  });

  test.each([
    "(tlbi (id 12) (tid 0) (op vae2is) (addr 0x0))",
    "(tlbi (id 12) (tid 0) (kind vae2is) (va 0x0) (ttl 7))",
    "(tlbi (id 12) (tid 0) vale2os (addr 0))",
    "(tlbi (id 12) (tid 0) rvae2is (addr 0) (pages 4))",
    "(tlbi (id 12) (tid 0) vae2is (value 0x0000000000000000))",
    "(tlbi (id 12) (tid 0) alle2isnxs)",
  ])("%s", async (tlbi) => {
    const log = [...lines(GOOD_RUN)];
    log[12] = tlbi;
    const { findings, summary, status } = await check(`${log.join("\n")}\n`);
    expect([findings, summary.undecidable_reasons, status]).toEqual([[], {}, 0]);
  });

  test.each([
    ["another regime's", "(tlbi (id 12) (tid 0) vmalls12e1is)", 1],
    ["of an ASID", "(tlbi (id 12) (tid 0) aside1is (value 0x0))", 1],
    ["without an address", "(tlbi (id 12) (tid 0) vae2is)", 3],
    ["a range without its length", "(tlbi (id 12) (tid 0) rvae2is (addr 0))", 3],
    ["of everything in a range", "(tlbi (id 12) (tid 0) ralle2is)", 3],
    ["another page", "(tlbi (id 12) (tid 0) vae2is (addr 0x2000))", 1],
  ] as const)("TLBI: %s", async (_name, tlbi, expected) => {
    const log = [...lines(GOOD_RUN)];
    log[12] = tlbi;
    expect((await check(`${log.join("\n")}\n`)).status).toBe(expected);
  });
});

describe("what a log says of itself", () => {
  const text = (log: Log | readonly string[]) =>
    `${("lines" in log ? log.lines : log).join("\n")}\n`;

  test("any step that is left out, or doubled, is damage: no run without it is right", async () => {
    for (const [n] of lines(BAD_RUN).entries()) {
      if (n < 4 || n === lines(BAD_RUN).length - 1) continue;
      const without = lines(BAD_RUN).filter((_, at) => at !== n);
      expect((await check(text(without))).status).not.toBe(0);
      const twice = lines(BAD_RUN).flatMap((line, at) => (at === n ? [line, line] : [line]));
      expect((await check(text(twice))).status).not.toBe(0);
    }
    const [from, reasons] = [
      lines(BAD_RUN).slice(7),
      (await check(text(lines(BAD_RUN).slice(7)))).summary,
    ];
    expect(from.length).toBeGreaterThan(3);
    expect(Object.keys(reasons.undecidable_reasons)[0]).toMatch(/begins in the middle .*line 3/);
  });

  test("numbers that count for each thread are in order", async () => {
    const log = [...lines(GOOD_RUN)];
    for (let n = 0; n < 5; n++) log.splice(11 + n, 0, `(barrier (id ${n}) (tid 3) isb)`);
    expect((await check(text(log))).status).toBe(0);
    log.splice(13, 1);
    expect((await check(text(log))).status).toBe(3);
  });

  test("after damage, what was not written again is not judged; what was is", async () => {
    const log = el2().write(L3, 0);
    log.lines.push("?!");
    const after = log.write(L3, 0x80002703).write(L3, 0x80009703);
    const { findings, status } = await check(
      text(after.lines.map((l) => l.replace(/\(id \d+\) /, ""))),
    );
    expect(findings).toMatchObject([{ line: 14, message: expect.stringMatching(/the address/) }]);
    expect(status).toBe(1);
  });

  test("a read shows what was there, or that a write is missing", async () => {
    const read = (value: string) => `(mem-read (tid 0) (address ${hex(L3)}) (value ${value}))`;
    const log = (value: string) => text([...lines(el2()), read(value)]);
    expect((await check(log("0x80000703"))).status).toBe(0);
    // The access flag is the hardware's.
    expect((await check(log("0x80000303"))).status).toBe(0);
    expect((await check(log("0x80005703"))).status).toBe(3);
  });

  test("a write of a whole page clears each entry", async () => {
    const page = `(mem-write (tid 0) (mem-order page) (address ${hex(L3)}) (value 0x0))`;
    const { findings, summary } = await check(
      text([...lines(el2()), page, ...lines(new Log().write(L3 + 8, 0x80009703))]),
    );
    expect(summary.counts?.["entries"]).toMatchObject({ "made invalid": 2 });
    expect(findings).toMatchObject([{ start: "0x1000" }]);
  });

  test("the same VMID for other tables, with and without an invalidation", async () => {
    const other = BigInt(0x50000000);
    const again = stage2(1n).reg("vttbr_el2", (1n << 48n) + other);
    expect((await check(again)).findings).toMatchObject([{ class: "missing", rule: "P-ID" }]);
    for (const op of ["vmalls12e1is", "alle1is"]) {
      const right = stage2(1n)
        .tlbi(op)
        .dsb()
        .reg("vttbr_el2", (1n << 48n) + other);
      expect((await check(right)).status).toBe(0);
      const early = stage2(1n)
        .tlbi(op)
        .reg("vttbr_el2", (1n << 48n) + other);
      expect((await check(early)).status).toBe(1);
    }
    // The same tables under another VMID.
    const moved = stage2(1n).reg("vttbr_el2", (2n << 48n) + BigInt(ROOT));
    moved.write(L3, 0).dsb().tlbi("vmalls12e1is").dsb().write(L3, 0x80002703);
    expect((await check(moved)).status).toBe(0);
  });

  test("three levels, and no register that says so: cannot tell", async () => {
    const three = (known: boolean) => {
      const log = new Log().init(ROOT).init(L1).init(L2);
      log
        .write(L2 + 8, 0x80000703)
        .write(L1, L2 + 3)
        .write(ROOT, L1 + 3);
      if (known) log.reg("tcr_el2", 0x19);
      log
        .reg("ttbr0_el2", ROOT)
        .write(L2 + 8, 0)
        .dsb()
        .tlbi("vale2is", 0x1000, 3)
        .dsb();
      return log.write(L2 + 8, 0x80001703);
    };
    expect((await check(three(true))).status).toBe(0);
    const { findings, summary, status } = await check(three(false));
    expect([findings, status]).toEqual([[], 3]);
    expect(Object.keys(summary.undecidable_reasons)[0]).toMatch(/^levels are not known/);
  });

  test("a root of several tables (VTCR_EL2: 40 bits from level 1)", async () => {
    const log = new Log()
      .init(ROOT)
      .init(ROOT + 4096)
      .init(L2 + 4096);
    log
      .reg("vtcr_el2", 0x58)
      .reg("vttbr_el2", ROOT)
      .write(ROOT + 4096, 0x80000701);
    const { findings } = await check(log.write(ROOT + 4096, 0xc0000701));
    expect(findings).toMatchObject([{ start: "0x8000000000", end: "0x8040000000" }]);
  });

  test("the place of what is no s-expression", async () => {
    const at = async (line: string) =>
      Object.keys((await check(text([...lines(el2()), line]))).summary.undecidable_reasons)[0];
    expect(await at("(barrier (id 10) (tid 0) isb))")).toBe(
      "a bracket that closes nothing (the first time in line 11, column 30)",
    );
    expect(await at("   hello (x)")).toMatch(/a word outside of a list .*line 11, column 4\)/);
    expect(await at('(barrier (src "x))')).toMatch(/a string .*line 11, column 15\)/);
    expect(await at("[    1.123456] (((((((((")).toMatch(/nested .*line 11, column 24\)/);
    expect(await at("(barrier (id 10) (tid 0)\n (kind isb)")).toMatch(
      /does not end .*line 11, column 1\)/,
    );
    expect(await at("(barrier (id 10\n(barrier (id 10) (tid 0) isb)")).toMatch(
      /does not end .*line 11, column 1\)/,
    );
    expect(await at("(barrier (id 10) (tid 0) (tid 1) isb)")).toMatch(/two values/);
    expect(await at("(barrier (id 10) (tid 0) dsb (kind everything))")).toMatch(/no such barrier/);
  });

  test("a list that does not end is given up, and a step that begins cuts it off", async () => {
    const [first = "", ...rest] = lines(el2());
    const open = ["(hint (tid 0)", ...Array.from({ length: 70 }, () => "(a b)")];
    const { summary } = await check(text([first, ...open, ...rest]));
    const reasons = Object.keys(summary.undecidable_reasons).join("; ");
    expect(reasons).toContain("a list that does not end (the first time in line 2, column 1)");
    expect(summary.events).toBe(lines(el2()).length);
    const cut = await check(text([first, "(hint (tid 0)", ...rest]));
    expect(cut.summary.events).toBe(lines(el2()).length);
    expect(cut.status).toBe(3);
  });

  test("a step that comes again", async () => {
    const log = lines(GOOD_RUN);
    const { summary } = await check(text([...log, log.at(-1) ?? ""]));
    expect(Object.keys(summary.undecidable_reasons)[0]).toMatch(/^a step that comes again/);
  });

  test("locks: a thread's own entry, another's unlock, a trylock that failed, damage", async () => {
    const hint = el2().hint("set_root_lock", ROOT, 0x1000);
    const bare = (log: Log) => lines(log).map((line) => line.replace(/\(id \d+\) /, ""));
    const head = bare(hint);
    const step = (body: string) => `(${body})`;
    const lock = step("lock (tid 0) (address 0x1000)");
    const write = step(`mem-write (tid 0) (address ${hex(L3)}) (value 0x0)`);
    const run = async (...more: readonly string[]) =>
      (await check(text([...head, ...more]))).status;
    expect(await run(lock, write)).toBe(0);
    expect(await run(lock, step("unlock (tid 1) (address 0x1000)"), write)).toBe(0);
    expect(await run(lock, step("unlock (tid 0) (address 0x1000)"), write)).toBe(1);
    expect(await run(step("trylock (tid 0) (address 0x1000) (ret 0)"), lock, write)).toBe(0);
    expect(await run(step("trylock (tid 1) (address 0x1000)"), write)).toBe(1);
    const owner = `hint (tid 1) (kind set_pte_thread_owner) (location ${hex(L3)}) (value 0)`;
    const other = step("lock (tid 1) (address 0x1000)");
    expect(await run(other, step(owner), write)).toBe(0);
    expect(await run(lock, "?!", write)).toBe(3);
  });

  test("names that every object has are no trouble", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      const { summary } = await check(text([...lines(el2()), `(${name} (id 10) (tid 0))`]));
      const other = name === "constructor" ? "others" : name.toLowerCase().replaceAll("_", "-");
      expect(summary.counts?.["steps"]).toMatchObject({ [other]: 1 });
    }
  });

  test("threads and locks without end", async () => {
    const log = el2();
    const many = Array.from({ length: 70_000 }, (_, n) =>
      n % 2 ? `(lock (tid ${n}) (address ${hex(n * 8)}))` : `(tlbi (tid ${n}) vmalls12e1is)`,
    );
    const { summary } = await check(text([...lines(log), ...many]));
    expect(summary.events).toBe(70_010);
  });
});

describe("damaged logs are undecidable, with the line", () => {
  test.each([
    ["deep nesting", `(mem-write ${"(".repeat(30_000)}`],
    ["a long line", `(mem-write ${"(a b) ".repeat(50_000)})`],
    ["a list that does not end", "(mem-write (id 1) (tid 0)"],
    ["more than a list", "(barrier (id 10) (tid 0) isb) (barrier (id 11) (tid 0) isb) x"],
    ["no thread", "(barrier (id 1) isb)"],
    ["an unknown operation", "(mem-teleport (id 1) (tid 0))"],
    ["an unknown TLBI", "(tlbi (id 1) (tid 0) everything)"],
    ["a write without value", "(mem-write (id 1) (tid 0) (address 0x40003000))"],
    ["a string that does not end", '(barrier (id 1) (tid 0) isb (src "x))'],
    ["text", "hello"],
    ["NULs", "\0\0\0"],
  ])("%s", async (_name, line) => {
    const { summary, status } = await check(`${el2().lines.join("\n")}\n${line}\n`);
    expect(status).toBe(3);
    expect(Object.keys(summary.undecidable_reasons)[0]).toMatch(/line 11(?:, column \d+)?\)$/);
  });

  test("tables that lead to themselves", async () => {
    const log = new Log()
      .init(ROOT)
      .write(ROOT, ROOT + 3)
      .write(ROOT + 8, ROOT + 3);
    const { status } = await check(log.reg("ttbr0_el2", ROOT).write(ROOT, 0));
    expect(status).toBe(0);
  });
});
