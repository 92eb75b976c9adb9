// SPDX-License-Identifier: Apache-2.0
// Each mistake that a scenario can have, beside the same text without it.

import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../base/diagnostic.ts";
import { CODES, type Code, MAX_DIAGNOSTICS } from "./codes.ts";
import { MAX_NESTING } from "./lexer.ts";
import { parseScenario } from "./parse.ts";
import { MAX_SOURCE_BYTES } from "./source.ts";
import { MAX_NAMES } from "./symbols.ts";
import { type Dictionary, type Signature, STANDARD_VERBS } from "./words.ts";

const DICTIONARY: Dictionary = {
  verbs: STANDARD_VERBS,
  routines: new Map<string, Signature>([
    ["try_to_unmap_one", { params: ["mm", "va"] }],
    ["move_ptes", { params: ["places", "place", "number"], optional: 1, by: "cpu" }],
    ["dma_write", { params: ["page"], by: "device" }],
    ["kick", { params: ["cpu", "device", "any"] }],
  ]),
  properties: new Map<string, Signature>([
    ["stuck", { params: ["agent"] }],
    ["use_after_free", { params: ["page"] }],
    ["deadlock", { params: [] }],
  ]),
  labels: { Rules: ["A3", "A33", "S9"] },
};

const GOOD = `MM upgrade-seen-by-device

(*
 * A device that cached x read-only can write it after an upgrade.
 *
 * Result: Sometimes  machine=arm64+smmuv3  kernel=linux-6.1
 * Result: Never      machine=arm64+smmuv3  kernel=linux-6.12
 *                    set=hafdbs=yes  set=httu=no
 *)

{
  mm A, B;
  page P, Q;  page Z zero;
  map A:x -> P read-only exclusive;
  map A:y -> Q;
  vma A:x..y writable anonymous;
  own-table A:x..y;
  none B:x;
  device D in A ats unregistered cached x, x..y;
  free-frames 2;
}

CPU0(A) { store x; mprotect x..y read-only; fork -> B; await go; }
CPU1(A) { loop { munmap x; } move_ptes(A:x..y, B:x, 3); exit; }
CPU2    { try_to_unmap_one(A, x); signal go; kick(CPU0, D, MMU_NOTIFY_CLEAR); }
D       { load x; store x; dma_write(P); }

exists (stuck(D) /\\ ~(use_after_free(P) \\/ A:x = P) /\\ A:y = B:x /\\ ~A:x = none)
`;

/** The codes and positions that GOOD has after one replacement. */
function mistakes(from: string, to: string, good = GOOD): string[] {
  expect(good, "the replaced text").toContain(from);
  const result = parseScenario(
    good.replace(from, () => to),
    { dictionary: DICTIONARY },
  );
  if (result.ok) return [];
  return result.diagnostics.map(({ code, span }) => {
    expect(Object.keys(CODES)).toContain(code);
    expect(span.end).toBeGreaterThanOrEqual(span.offset);
    return `${code} ${span.line}:${span.col}`;
  });
}

test("the scenario without a mistake", () => {
  const result = parseScenario(GOOD, { dictionary: DICTIONARY });
  const diagnostics = result.ok ? [] : result.diagnostics;
  expect(diagnostics.map((d) => formatDiagnostic(d, GOOD))).toEqual([]);
  if (!result.ok) return;
  const { name, intent, expectations, items, bodies, condition } = result.scenario;
  expect(name.text).toBe("upgrade-seen-by-device");
  expect(intent.paragraphs).toEqual([
    "A device that cached x read-only can write it after an upgrade.",
  ]);
  expect(expectations.map((e) => [e.observation.text, e.kernel?.text, e.set.length])).toEqual([
    ["Sometimes", "linux-6.1", 0],
    ["Never", "linux-6.12", 2],
  ]);
  expect(items).toHaveLength(10);
  expect(bodies.map((body) => [body.agent.text, body.mm?.text])).toEqual([
    ["CPU0", "A"],
    ["CPU1", "A"],
    ["CPU2", undefined],
    ["D", undefined],
  ]);
  expect(condition.quantifier).toBe("exists");
});

test("every name has the span of its own text", () => {
  const result = parseScenario(GOOD, { dictionary: DICTIONARY });
  const visit = (node: unknown): number => {
    if (typeof node !== "object" || node === null) return 0;
    const { text, span } = node as { text?: string; span?: { offset: number; end: number } };
    const named = typeof text === "string" && span !== undefined;
    if (named) expect(GOOD.slice(span.offset, span.end)).toBe(text);
    return Object.values(node).reduce((sum, child) => sum + visit(child), named ? 1 : 0);
  };
  expect(result.ok && visit(result.scenario)).toBeGreaterThan(60);
});

/** What is wrong; the text in GOOD; what it becomes; what is reported. */
const TABLE: [string, string, string, ...string[]][] = [
  // Form
  ["another kind of file", "MM upgrade", "AArch64 upgrade", "L006 1:1"],
  ["no kind", "MM upgrade", "upgrade", "L006 1:1"],
  ["a name with a slash", "upgrade-seen", "upgrade/seen", "L007 1:4"],
  ["a comment without end", " *)\n", "\n", "L004 3:1"],
  ["a C++ comment", "exit; }", "exit; } // why", "L005 24:65"],
  ["a stray character", "{ loop", "{ @@ loop", "L005 24:11"],
  ["a stray letter", "mm A", "mm ä", "L005 12:6", "L008 12:7"],
  ["no {", "{\n  mm", "mm", "L008 11:1"],
  ["no } of the initial state", "2;\n}", "2;", "L008 22:1"],
  ["no } of a CPU's program", "await go; }", "await go;", "L008 24:1"],
  ["no } of a device's program", "CLEAR); }", "CLEAR);", "L008 26:9", "L008 28:1"],
  ["no ; after a declaration", "exclusive;", "exclusive", "L008 14:35"],
  ["no ; after a statement", "signal go;", "signal go", "L008 25:49"],
  ["no ; before a }", "exit;", "exit", "L008 24:62"],
  ["no page in a map", "-> Q", "->", "L008 15:13"],
  ["= for ->", "-> Q", "= Q", "L008 15:11"],
  ["a range without end", "own-table A:x..y", "own-table A:x..", "L008 17:18"],
  ["no mm in a place", "map A:y", "map y", "L008 15:9"],
  ["two mistakes", "mm A, B;\n  page P", "mm A B;\n  page 7", "L008 12:8", "L008 13:8"],
  ["a half condition", "/\\ A:y", "A:y", "L008 28:53"],
  ["no )", "none)", "none", "L008 28:80"],
  ["text behind the condition", "none)", "none) exists", "L008 28:82"],
  ["no condition", GOOD.slice(GOOD.indexOf("exists")), "", "L030 26:43"],
  ["no program", GOOD.slice(GOOD.indexOf("CPU0"), GOOD.indexOf("exists")), "", "L030 21:2"],
  ["a body without braces", "D       { load x;", "D load x;", "L008 26:3"],
  // Head
  ["no intent", "A device that cached x read-only can write it after an upgrade.", "", "L010 3:1"],
  [
    "a title for an intent",
    "A device that cached x read-only can write it after an",
    "An",
    "L010 3:1",
  ],
  ["no comment", GOOD.slice(GOOD.indexOf("(*"), GOOD.indexOf("{")), "", "L010 1:26"],
  ["a small letter", "Sometimes", "sometimes", "L011 6:12"],
  [
    "no observation",
    "Result: Sometimes  machine=arm64+smmuv3  kernel=linux-6.1\n",
    "Result:\n",
    "L011 6:4",
  ],
  ["Results", "Result: S", "Results: S", "L011 6:4"],
  ["result", "Result: S", "result: S", "L011 6:4"],
  ["a field that is unknown", "machine=", "machin=", "L011 6:23"],
  ["an empty field", "kernel=linux-6.1\n", "kernel=\n", "L011 6:45"],
  ["two machines", "kernel=linux-6.1\n", "machine=x\n", "L011 6:45"],
  ["a knob without value", "set=hafdbs=yes", "set=hafdbs", "L011 8:23"],
  ["a knob set twice", "set=httu=no", "set=hafdbs=no", "L011 8:43"],
  ["Rule", "Result: S", "Rule: A3\nResult: S", "L011 6:4"],
  ["bugs", "Result: S", "bugs: H8\nResult: S", "L011 6:4"],
  ["no rule", "Result: S", "Rules: A3,\nResult: S", "L031 6:4"],
  ["a rule twice", "Result: S", "Rules: A3,  A3\nResult: S", "L031 6:16"],
  ["a rule that is unknown", "Result: S", "Rules: A3,A333\nResult: S", "L031 6:14"],
  ["a Rules line elsewhere", "exit;", "(* Rules: A3 *) exit;", "L027 24:60"],
  ["a Result line elsewhere", "exit;", "(* Result: Never *) exit;", "L027 24:60"],
  ["a run twice", "6.12\n *                    set=hafdbs=yes  set=httu=no", "6.1", "L029 7:4"],
  // Names
  ["an mm that is unknown", "map A:y", "map C:y", "L013 15:7"],
  ["a page that is unknown", "-> Q", "-> QQ", "L013 15:14"],
  ["an address that is unknown", "cached x,", "cached xx,", "L013 19:41"],
  ["a device that is unknown", "D       { load", "E       { load", "L013 26:1"],
  ["an mm that is unknown, of a CPU", "CPU1(A)", "CPU1(C)", "L013 24:6"],
  ["an address that is unknown, of a statement", "munmap x", "munmap z", "L013 24:25"],
  ["a name that is unknown, of a call", "one(A, x)", "one(A, z)", "L013 25:31"],
  ["a name that is unknown, of the condition", "A:x = P", "A:x = R", "L013 28:50"],
  ["a signal that nobody gives", "await go", "await og", "L013 23:62"],
  ["a name twice", "page P, Q", "page P, P", "L014 13:11", "L013 15:14"],
  ["a name for two kinds", "page P, Q", "page P, Q, A", "L014 13:14"],
  ["va behind a use", "free-frames 2;", "va x;", "L014 20:6"],
  ["a page for an mm", "map A:y", "map P:y", "L015 15:7"],
  ["an mm for a page", "-> Q", "-> A", "L015 15:14"],
  ["a page for an address", "munmap x", "munmap P", "L015 24:25"],
  ["a device in a page", "D in A", "D in P", "L015 19:15"],
  ["a page as an agent", "stuck(D)", "stuck(P)", "L015 28:15"],
  ["a program of a page", "D       { load", "P       { load", "L015 26:1"],
  ["a reserved word", "page P, Q", "page P, Q, loop", "L025 13:14"],
  ["the name of a CPU", "page P, Q", "page P, Q, CPU7", "L025 13:14"],
  ["a page that is none", "page P, Q", "page P, Q, none", "L025 13:14"],
  ["a page that is a fault", "page P, Q", "page P, Q, fault", "L025 13:14"],
  ["two programs of a CPU", "CPU1(A)", "CPU0(A)", "L024 24:1"],
  ["two programs of a device", "D       {", "D { } D {", "L024 26:7"],
  // Declarations
  ["a declaration that is unknown", "free-frames 2", "freeframes 2", "L017 20:3"],
  ["an attribute that is unknown", "writable anon", "writeable anon", "L018 16:14"],
  ["an attribute twice", "writable anon", "writable writable anon", "L016 16:23"],
  ["attributes that exclude each other", "exclusive;", "exclusive shared;", "L016 14:36"],
  ["a number for a name", "mm A", "mm 7", "L008 12:6"],
  ["a large number", "free-frames 2", "free-frames 65536", "L026 20:15"],
  ["a very large number", "free-frames 2", `free-frames ${"9".repeat(400)}`, "L026 20:15"],
  ["a CPU with a large number", "CPU2 ", "CPU64", "L026 25:1"],
  ["free-frames twice", "free-frames 2;", "free-frames 2; free-frames 3;", "L019 20:18"],
  ["a place mapped twice", "map A:y", "map A:x", "L019 15:7", "L019 19:44"],
  ["a place in two vmas", "own-table A:x..y", "vma A:y", "L019 17:7"],
  ["a place mapped and none", "none B:x", "none A:x", "L019 18:8"],
  ["a shared page that is writable", "-> Q;", "-> Q shared writable;", "L019 15:23"],
  ["an exclusive page with two maps", "-> Q;", "-> P;", "L019 14:26"],
  ["a writable zero page", "-> Q;", "-> Z writable;", "L019 15:16"],
  ["an exclusive zero page", "-> Q;", "-> Z exclusive;", "L019 15:16"],
  ["a dirty zero page", "-> Q;", "-> Z dirty;", "L019 15:16"],
  ["a file page in an anonymous vma", "-> Q;", "-> Q file;", "L019 15:16"],
  ["exclusive in a shared mapping", "anonymous;", "shared-mapping;", "L019 14:26"],
  ["a table of nothing", "own-table A:x..y", "own-table B:y", "L019 17:13"],
  ["a place in two tables", "none B:x", "own-table A:y", "L019 18:13"],
  ["a cache of nothing", "map A:y -> Q", "none A:y", "L019 19:44"],
  ["a range that runs backwards", "own-table A:x..y", "own-table A:y..x", "L023 17:13"],
  ["a range that runs backwards, of a statement", "t x..y", "t y..x", "L023 23:29"],
  // Statements
  ["a statement that is unknown", "store x;", "stroe x;", "L020 23:11"],
  ["a routine that is unknown", "unmap_one", "unmap_on", "L012 25:11"],
  ["a statement in parentheses", "munmap x;", "munmap(x);", "L012 24:18"],
  ["a routine without parentheses", "dma_write(P)", "dma_write P", "L020 26:28"],
  ["a property that is unknown", "stuck(D)", "stuk(D)", "L022 28:9"],
  ["too few arguments", "store x;", "store;", "L021 23:11"],
  ["too many arguments", "store x;", "store x y;", "L021 23:19"],
  ["a range for an address", "store x;", "store x..y;", "L021 23:17"],
  ["a word that is unknown", "read-only; fork", "readonly; fork", "L021 23:34"],
  ["no argument of a property", "stuck(D)", "stuck", "L021 28:9"],
  ["a name for a number", "B:x, 3", "B:x, x", "L021 24:53"],
  ["-> where nothing is made", "read-only; fork", "read-only -> r0; fork", "L021 23:47"],
  ["a register that is an mm", "store x;", "store x -> B;", "L015 23:22"],
  ["-> something else", "fork -> B", "fork -> P", "L015 23:53"],
  ["a device with an mm", "D       {", "D(A) {", "L021 26:3"],
  ["a store of a kernel thread", "signal go;", "store x;", "L013 23:62", "L028 25:35"],
  ["a device that unmaps", "load x;", "munmap x;", "L028 26:11"],
  ["a CPU that does DMA", "exit;", "dma_write(P);", "L028 24:57"],
  ["a store of a lazy CPU", "store x;", "lazy; store x; switch A;", "L028 23:17"],
  ["a switch in a loop", "store x;", "loop { switch A; }", "L028 23:18"],
  ["deep loops", "loop {", "loop { ".repeat(MAX_NESTING), "L009 24:228"],
  ["deep parentheses", "stuck(D)", `${"(".repeat(40)}stuck(D)`, "L009 28:41"],
  ["deep negation", "stuck(D)", `${"~".repeat(40)}stuck(D)`, "L009 28:41"],
];

/** Statements put before `exit;` in CPU1(A), at 24:57, or in the kernel thread CPU2, at 25:35. */
const INSTRUCTIONS: readonly (readonly [string, string, ...string[]])[] = [
  ["no page to store", "set_pte x;", "L021 24:57"],
  ["an address for a page", "set_pte x y;", "L015 24:67"],
  ["writable and read-only", "set_pte x P writable read-only;", "L016 24:78"],
  ["a word twice", "set_pte x P old old;", "L016 24:73"],
  ["a word of the page", "set_pte x P exclusive;", "L021 24:69"],
  ["attributes of nothing", "set_pte x none old;", "L021 24:72"],
  ["an mm for a table", "set_pmd x A;", "L015 24:67"],
  ["an operation that is unknown", "tlbi VAE2IS x;", "L021 24:62"],
  ["an operation by address without one", "tlbi VAE1IS;", "L021 24:57"],
  ["an operation by address of an mm", "tlbi VAE1IS A;", "L021 24:69"],
  ["an operation of all with an address", "tlbi ASIDE1IS x;", "L021 24:71"],
  ["an operation of all with an mm", "tlbi VMALLE1IS A;", "L021 24:72"],
  ["a barrier that is unknown", "dsb SYS;", "L021 24:61"],
  ["a command for no device", "CMD_ATC_INV A x;", "L015 24:69"],
  ["a place for an address", "CMD_ATC_INV D A:x;", "L021 24:71"],
  ["a register that is a page", "load x -> P;", "L015 24:67"],
];
/** The same of a kernel thread, which runs no mm. */
const OF_A_THREAD: readonly (readonly [string, string, ...string[]])[] = [
  ["an address of no mm", "set_pte x P;", "L028 25:35"],
  ["a range of no mm", "tlbi VAE1IS x..y;", "L028 25:35"],
  ["an ASID of no mm", "tlbi ASIDE1IS;", "L028 25:35"],
  ["commands for no mm", "CMD_TLBI_NH_ASID;", "L028 25:35"],
];

describe("instructions that mean nothing are reported", () => {
  test.each(INSTRUCTIONS)("%s", (_what, text, ...expected) => {
    expect(mistakes("exit;", `${text} exit;`)).toEqual(expected);
  });

  test.each(OF_A_THREAD)("%s", (_what, text, ...expected) => {
    const found = mistakes("signal go;", `${text} signal go;`);
    expect(found.map((m) => m.slice(0, 4))).toEqual(expected.map((m) => m.slice(0, 4)));
  });

  test("of another mm they are fine", () => {
    const thread = "set_pte A:x P; tlbi VAE1IS A:x..y; tlbi ASIDE1IS A; tlbi VMALLE1IS;";
    expect(mistakes("signal go;", `${thread} CMD_TLBI_NH_ASID A; rely A:x; signal go;`)).toEqual(
      [],
    );
  });
});

describe("registers in a condition", () => {
  const check = (text: string, equation: string) =>
    mistakes("A:x = P", equation, GOOD.replace("exit;", text));
  test.each([["CPU1:r0 = P"], ["CPU1:r0 = fault"], ["CPU1:r0 = none"], ["CPU1:r0 = CPU1:r1"]])(
    "%s",
    (equation) => {
      expect(check("load x -> r0; store x -> r1; exit;", equation)).toEqual([]);
    },
  );
  test.each([
    ["CPU1:r2 = P", "L013"],
    ["D:r0 = P", "L013"],
    ["CPU1:r0 = A", "L015"],
    ["CPU1:r0 = A:x", "L015"],
    ["A:x = fault", "L013"],
  ])("%s: %s", (equation, code) => {
    const found = check("load x -> r0; exit;", equation);
    expect(found.map((m) => m.slice(0, 4))).toEqual([code]);
  });
});

describe("a mistake is reported where it stands", () => {
  test.each(TABLE)("%s", (_what, from, to, ...expected) => {
    expect(mistakes(from, to)).toEqual(expected);
  });

  test("a writable page in a read-only vma", () => {
    const text = GOOD.replace("vma A:x..y writable", "vma A:x..y read-only");
    const result = parseScenario(text.replace("P read-only", "P writable"));
    expect(result.ok || result.diagnostics.map((d) => d.code)).toEqual(["L019"]);
  });

  test.each([
    ["empty", "", "L001"],
    ["white space", " \n\t\r\n", "L001"],
    ["only a comment", "(* nothing *)", "L006"],
    ["NUL bytes", "MM x\0", "L002"],
    ["not UTF-8", Uint8Array.of(0x4d, 0x4d, 0xff), "L002"],
    ["cut UTF-8", Uint8Array.of(0x4d, 0x4d, 0xe2, 0x82), "L002"],
    ["too large", "x".repeat(MAX_SOURCE_BYTES + 1), "L003"],
    [
      "too many names",
      `MM x (* a b c *) { va ${names(MAX_NAMES)}, z; } CPU0 {} exists (a)`,
      "L026",
    ],
  ])("a file that is %s", (_what, input, code) => {
    const result = parseScenario(input);
    expect(result.ok || result.diagnostics.map((d) => d.code)).toEqual([code]);
  });

  test("every code is in the tables above", () => {
    const reported = TABLE.flatMap(([, , , ...codes]) => codes.map((text) => text.slice(0, 4)));
    const missing = Object.keys(CODES).filter((code) => !reported.includes(code as Code));
    expect(missing).toEqual(["L001", "L002", "L003", "L032", "L033"]);
  });

  test("at most so many are reported", () => {
    const result = parseScenario(GOOD.replace("store x;", "stroe x; ".repeat(1000)));
    expect(result.ok || result.diagnostics).toHaveLength(MAX_DIAGNOSTICS);
  });
});

function names(count: number): string {
  return Array.from({ length: count }, (_, i) => `v${i}`).join(", ");
}

describe("what makes no difference", () => {
  test.each([
    ["CRLF", GOOD.replaceAll("\n", "\r\n")],
    ["tabs", GOOD.replaceAll("  ", "\t")],
    ["a byte order mark", `\uFEFF${GOOD}`],
    ["bytes", new TextEncoder().encode(GOOD)],
    ["comments", GOOD.replace("mm A", "(* (* nested *) *) mm A")],
    ["frame for page", GOOD.replace("page P", "frame P")],
  ])("%s", (_what, input) => {
    expect(parseScenario(input, { dictionary: DICTIONARY }).ok).toBe(true);
  });
});

test("without tables of routines and properties, these are not checked", () => {
  expect(parseScenario(GOOD).ok).toBe(true);
  expect(parseScenario(GOOD.replace("unmap_one", "x")).ok).toBe(true);
});

test("the printed form of a diagnostic", () => {
  const text = GOOD.replace("unmap_one", "unmap_on");
  const file = "litmus/x.litmus";
  const result = parseScenario(text, { file, dictionary: DICTIONARY });
  expect(result.ok || formatDiagnostic(result.diagnostics[0]!, result.text)).toBe(
    `litmus/x.litmus:25:11: error: unknown routine 'try_to_unmap_on' [L012]
   25 | CPU2    { try_to_unmap_on(A, x); signal go; kick(CPU0, D, MMU_NOTIFY_CLEAR); }
      |           ^~~~~~~~~~~~~~~
note: did you mean 'try_to_unmap_one'?`,
  );
});
