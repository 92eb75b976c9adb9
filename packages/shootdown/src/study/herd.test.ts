// SPDX-License-Identifier: Apache-2.0
// Litmus tests of our own in herd's language: what each control allows, forbids and requires.

import { describe, expect, test } from "vitest";
import { observationOf } from "../litmus/herd/judge.ts";
import type { Control } from "../litmus/herd/order.ts";
import { readHerdTest } from "../litmus/herd/read.ts";
import { decide } from "./herd.ts";

function observe(text: string, mode: Control = "arm", ets2 = false): string {
  const read = readHerdTest(text, { file: "test.litmus" });
  if (!read.ok) throw new Error(read.diagnostics.map((d) => d.message).join("; "));
  const decision = decide(read.test, { mode, ets2 });
  if (!decision.ok) throw new Error(decision.reason);
  expect(decision.states.length).toBeGreaterThan(0);
  return observationOf(read.test, decision.states);
}

/** P0 unmaps x and says so in z; P1 looks at z, then at x. */
const shootdown = (p0: string, p1: string): string => {
  const writer = ["STR X0,[X1]", ...p0.split(";"), "STR X4,[X3]"];
  const reader = ["LDR X5,[X3]", ...p1.split(";"), "L0: LDR X6,[X2]"];
  return `AArch64 shootdown
{ 0:X0=(oa:PA(x),valid:0); 0:X1=PTE(x); 0:X2=x; 0:X3=z; 0:X4=1; 1:X2=x; 1:X3=z; }
P0 | P1 ;
${columns(writer, reader)}
exists (1:X5=1 /\\ ~fault(P1:L0,x))
`;
};

function columns(a: readonly string[], b: readonly string[]): string {
  const rows = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => i);
  return rows.map((i) => `${a[i] ?? ""} | ${b[i] ?? ""} ;`).join("\n");
}

const whole = "DSB ISH;LSR X9,X2,#12;TLBI VAAE1IS,X9;DSB ISH";

describe("invalidation of another PE's translation", () => {
  test.each([
    ["the whole sequence", whole, "DSB ISH;ISB", "Never"],
    ["a reader with an address dependency only in the page", whole, "DMB LD", "Never"],
    ["no TLBI", "DSB ISH", "DSB ISH;ISB", "Sometimes"],
    ["no DSB after the TLBI", "DSB ISH;LSR X9,X2,#12;TLBI VAAE1IS,X9", "DSB ISH;ISB", "Sometimes"],
    ["no DSB before it", "LSR X9,X2,#12;TLBI VAAE1IS,X9;DSB ISH", "DSB ISH;ISB", "Sometimes"],
    ["not broadcast", "DSB ISH;LSR X9,X2,#12;TLBI VAAE1,X9;DSB ISH", "DSB ISH;ISB", "Sometimes"],
    ["of everything", "DSB ISH;TLBI VMALLE1IS;DSB ISH", "DSB ISH;ISB", "Never"],
    [
      "a DMB is no DSB",
      "DMB ISH;LSR X9,X2,#12;TLBI VAAE1IS,X9;DMB ISH",
      "DSB ISH;ISB",
      "Sometimes",
    ],
  ])("%s", (_, p0, p1, expected) => {
    expect(observe(shootdown(p0, p1))).toBe(expected);
  });

  test("in order, the reader needs no barrier; walks are still early", () => {
    expect(observe(shootdown(whole, "NOP"), "arm")).toBe("Sometimes");
    expect(observe(shootdown(whole, "NOP"), "protocol")).toBe("Never");
  });
});

/** A PE maps x and uses it: may the walk have been made before? */
const map = (between: string): string => `AArch64 map
{ [PTE(x)]=(valid:0); 0:X0=(oa:PA(x)); 0:X1=PTE(x); 0:X2=x; }
P0 ;
${["STR X0,[X1]", ...between.split(";"), "L0: LDR X3,[X2]"].join(" ;\n")} ;
exists (fault(P0:L0,x))
`;

describe("one's own new translation", () => {
  test.each([
    ["DSB ISH;ISB", "Never", "Never"],
    ["DSB ISH", "Sometimes", "Never"],
    ["ISB", "Sometimes", "Never"],
    ["NOP", "Sometimes", "Never"],
  ])("%s", (between, base, ets2) => {
    expect(observe(map(between), "arm")).toBe(base);
    expect(observe(map(between), "arm", true)).toBe(ets2);
    expect(observe(map(between), "strong")).toBe("Never");
  });
});

test("the own TLB needs an ISB behind TLBI and DSB (A27)", () => {
  const text = (end: string): string =>
    `AArch64 own
{ 0:X0=(oa:PA(x),valid:0); 0:X1=PTE(x); 0:X2=x; }
P0 ;
STR X0,[X1] ; DSB ISH ; LSR X9,X2,#12 ; TLBI VAAE1IS,X9 ; DSB ISH ;
${end} ;
L0: LDR X3,[X2] ;
exists (~fault(P0:L0,x))
`.replaceAll(" ; ", " ;\n");
  expect(observe(text("NOP"))).toBe("Sometimes");
  expect(observe(text("ISB"))).toBe("Never");
});

describe("the access flag and dirty state in hardware", () => {
  const text = (tthm: string, access: string, entry: string, exists: string): string => `AArch64 hw
TTHM=${tthm}
{ [PTE(x)]=(${entry}); 0:X2=x; 0:X4=1; }
P0 ;
L0: ${access} ;
exists (${exists})
`;
  test("a read sets the access flag, and speculation may", () => {
    expect(observe(text("HA", "LDR X3,[X2]", "af:0", "[PTE(x)]=(af:0)"))).toBe("Never");
    expect(observe(text("HA", "NOP", "af:0", "[PTE(x)]=(af:1)"))).toBe("Sometimes");
    expect(observe(text("HA", "NOP", "af:0,valid:0", "[PTE(x)]=(af:1,valid:0)"))).toBe("Never");
  });
  test("only a write makes an entry dirty", () => {
    const clean = "db:0,dbm:1";
    expect(observe(text("HA HD", "STR X4,[X2]", clean, "[PTE(x)]=(db:1,dbm:1)"))).toBe("Always");
    expect(observe(text("HA HD", "LDR X3,[X2]", clean, "[PTE(x)]=(db:1,dbm:1)"))).toBe("Never");
    expect(observe(text("HA", "STR X4,[X2]", clean, "fault(P0:L0,x)"))).toBe("Always");
  });
});

test("what is not supported is said", () => {
  const read = readHerdTest("AArch64 t\n{ 0:X1=x; }\nP0 ;\nCLREX ;\nexists (0:X0=0)\n", {
    file: "t",
  });
  if (!read.ok) throw new Error("not read");
  const decision = decide(read.test, { mode: "arm", ets2: false });
  expect(decision).toEqual({ ok: false, reason: "instruction CLREX" });
});

test("a pointer that is read leads to one page or another", () => {
  const text = `AArch64 pointer
{ [z]=y; y=1; x=2; 0:X2=x; 0:X3=z; 1:X3=z; }
P0 | P1 ;
STR X2,[X3] | LDR X2,[X3] ;
 | LDR W4,[X2] ;
exists (1:X2=x /\\ 1:X4=2)
`;
  expect(observe(text)).toBe("Sometimes");
  expect(observe(text.replace("1:X4=2", "1:X4=1"))).toBe("Never");
});

test("a store exclusive succeeds only if nobody else has written", () => {
  const text = (exists: string): string => `AArch64 exclusive
{ 0:X2=x; 1:X2=x; }
P0 | P1 ;
LDXR W0,[X2] | MOV W1,#1 ;
MOV W1,#2 | STR W1,[X2] ;
STXR W9,W1,[X2] | ;
exists (${exists})
`;
  expect(observe(text("0:X9=0 /\\ 0:X0=0 /\\ [x]=2"))).toBe("Never");
  expect(observe(text("0:X9=1"))).toBe("Sometimes");
  expect(observe(text("0:X9=0 /\\ 0:X0=1"))).toBe("Sometimes");
});

test("a handler runs behind a fault, and ERET goes back", () => {
  const text = `AArch64 handler
{ [PTE(x)]=(valid:0); 0:X1=x; 0:X3=y; }
P0 | P0.F ;
LDR W0,[X1] | ADR X9,L0 ;
L0: | MSR ELR_EL1,X9 ;
MOV W4,#1 | MOV W5,#2 ;
STR W4,[X3] | ERET ;
exists ([y]=1 /\\ 0:X5=2)
`;
  expect(observe(text)).toBe("Always");
});

test("additions that follow each other have finitely many sums", () => {
  const text = (exists: string): string => `AArch64 add
{ 0:X1=1; 1:X1=1; 0:X2=x; 1:X2=x; }
P0 | P1 ;
LDADD W1,W0,[X2] | LDADD W1,W0,[X2] ;
exists (${exists})
`;
  expect(observe(text("[x]=2"))).toBe("Always");
  expect(observe(text("0:X0=0 /\\ 1:X0=0"))).toBe("Never");
});
