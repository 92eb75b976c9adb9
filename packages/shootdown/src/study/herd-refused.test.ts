// SPDX-License-Identifier: Apache-2.0
// Tests of herd that the model cannot answer: they are refused with a reason, never guessed.

import { describe, expect, test } from "vitest";
import { checkLitmus, type LitmusOptions } from "../api/litmus.ts";

/** What becomes of a program of one thread: the reason, or the observation. */
function answer(code: string, text: Partial<Text> = {}, options: LitmusOptions = {}): string {
  const { head = "", initial = "0:X1=x; 0:X2=1;", exists = "0:X0=0" } = text;
  const rows = code.split("; ").map((row) => `${row} ;\n`);
  const file = `AArch64 t\n${head}\n{ ${initial} }\nP0 ;\n${rows.join("")}exists (${exists})\n`;
  const opened = checkLitmus(file, options);
  if (!opened.ok) throw new Error(opened.problems.map((p) => p.message).join("; "));
  return opened.result.supported ? opened.result.observation : opened.result.reason;
}

interface Text {
  readonly head: string;
  readonly initial: string;
  readonly exists: string;
}

test.each([
  "DSB ISHTS",
  "DMB FOO",
  "DSB NSH",
  "DSB #15",
  "ADD X0,X2,X2,LSL #3",
  "CMP X2,X2,LSL #1",
  "MOV X0,X2,X3",
  "NOP X1",
  "SWP X2,X3,X4,[X1]",
  "STXR W3,W2,[X1]",
])("the instruction %s", (code) => {
  expect(answer(code)).toBe(`instruction ${code}`);
});

test("an ASID says nothing of entries that may be global", () => {
  expect(answer("TLBI ASIDE1IS,X2")).toBe("TLBI ASIDE1IS");
});

test.each(["memtag", "mixed", "ets2", "skip"])("the variant %s", (variant) => {
  expect(answer("NOP", { head: `Variant=vmsa,${variant}` })).toBe(`variant ${variant}`);
});

describe("32 of 64 bits", () => {
  const entry = { initial: "0:X1=PTE(x); 0:X2=x;" };
  test("of an entry or an address are nothing known", () => {
    expect(answer("LDR W0,[X1]", entry)).toBe("32 bits of an entry");
    expect(answer("LDR W0,[X1]; EOR W3,W0,W0", { ...entry, exists: "0:X3=0" })).toMatch(/32 bits/);
    expect(answer("STR W1,[X2]", entry)).toBe("32 bits of an address");
  });
  test("leave the rest of a location as it was", () => {
    const wide = { initial: "x=0x100000001; 0:X1=x;" };
    expect(answer("STR WZR,[X1]", wide)).toBe("a store of 32 bits of more");
    expect(answer("LDR W0,[X1]", { ...wide, exists: "0:X0=1" })).toBe("Always");
  });
});

describe("exclusives", () => {
  const two = { initial: "0:X1=x; 0:X2=1; 0:X5=y;" };
  test("at two addresses", () => {
    const reason = "an exclusive store elsewhere than its load";
    expect(answer("LDXR W0,[X1]; STXR W3,W2,[X5]", two)).toBe(reason);
  });
  test("of one of two loads", () => {
    const code = "LDXR W6,[X1]; LDR W7,[X5]; CBZ W7,L0; LDXR W6,[X1]; L0: STXR W3,W2,[X1]";
    expect(answer(code, two)).toBe("an exclusive store of several loads");
  });
  test("of a load that is passed by", () => {
    const code = "LDR W7,[X5]; CBZ W7,L0; LDXR W6,[X1]; L0: STXR W3,W2,[X1]";
    expect(answer(code, two)).toBe("an exclusive store of several loads");
  });
});

test("what is privileged, at EL0", () => {
  const head = "EL0=P0";
  expect(answer("TLBI VMALLE1IS", { head })).toBe("TLBI at EL0");
  const initial = "0:X1=PTE(x);";
  expect(answer("LDR X0,[X1]", { head, initial })).toBe("an entry accessed at EL0");
});

describe("what is too much", () => {
  const accesses = Array.from({ length: 300 }, () => "LDR X0,[X1]").join("; ");
  const doubling = Array.from({ length: 40 }, () => "ADD X0,X0,X0").join("; ");
  test("ends at once", () => {
    expect(answer(accesses)).toBe("more than 256 steps");
    expect(answer(`LDR X0,[X1]; ${doubling}`)).toBe("a long computation");
  });
  test("ends at the limit of the caller", () => {
    const code = "LDR X0,[X1]; LDR X3,[X1]; STR X2,[X1]; LDR X4,[X1]";
    expect(answer(code, {}, { states_max: 2 })).toBe("more than 2 states");
    expect(answer(code, {}, { bytes_max: 2 })).toBe("more than 2 bytes");
  });
});

test("what options ask only of scenarios", () => {
  const option = (o: LitmusOptions) => answer("NOP", {}, o);
  expect(option({ without_rules: ["A12"] })).toBe("--without-rule is for scenarios");
  expect(option({ drop: "f:1" })).toBe("--drop is for scenarios");
  expect(option({ expect: "never" })).toBe("--expect is for scenarios");
  expect(option({ without_rules: [] })).toBe("Always");
});

describe("arithmetic", () => {
  test.each([
    ["LSL X0,X2,X3", "0:X2=1; 0:X3=64;", "1"],
    ["LSR W0,W2,W3", "0:X2=8; 0:X3=33;", "4"],
    ["LSL X0,X2,X3", "0:X2=1; 0:X3=0x4000000000000001;", "2"],
    ["ADD X0,X2,W3,SXTW", "0:X2=5; 0:X3=0xffffffff;", "4"],
    ["ADD X0,X2,W3,UXTW", "0:X2=5; 0:X3=0xffffffff;", "0x100000004"],
    ["CMP X2,#-1; CSET W0,EQ", "0:X2=-1;", "1"],
    ["CMP W2,#-1; CSET W0,EQ", "0:X2=0xffffffff;", "1"],
    ["CAS X2,X3,[X1]; LDR X0,[X1]", "x=-1; 0:X1=x; 0:X2=0xffffffffffffffff; 0:X3=7;", "7"],
  ])("%s with %s", (code, initial, value) => {
    expect(answer(code, { initial, exists: `0:X0=${value}` })).toBe("Always");
  });
});
