// SPDX-License-Identifier: Apache-2.0
// The reader of herd's tests: what each part becomes, and what each mistake says.

import { expect, test } from "vitest";
import { formatDiagnostic } from "../../base/diagnostic.ts";
import type { HerdTest } from "./ast.ts";
import { readHerdTest } from "./read.ts";

/** A whole test around the parts that matter. */
function text(parts: { head?: string; init?: string; code?: string; end?: string }): string {
  const {
    head = "",
    init = "0:X1=x;",
    code = " P0 ;\n LDR W0,[X1] ;",
    end = "exists (0:X0=1)",
  } = parts;
  return `AArch64 T+t\n${head}{\n${init}\n}\n${code}\n${end}\n`;
}

function read(parts: Parameters<typeof text>[0]): HerdTest {
  const result = readHerdTest(text(parts), { file: "t.litmus" });
  if (result.ok) return result.test;
  throw new Error(result.diagnostics.map((d) => formatDiagnostic(d, result.text)).join("\n"));
}

function mistakes(parts: Parameters<typeof text>[0]): string[] {
  const result = readHerdTest(text(parts), { file: "t.litmus" });
  if (result.ok) return [];
  return result.diagnostics.map((d) => {
    const notes = d.notes.map((n) => ` (${n.message})`).join("");
    const marked = result.text.slice(d.span.offset, d.span.end);
    return `${d.code} ${d.span.line}:${d.span.col} [${marked}] ${d.message}${notes}`;
  });
}

const DESC = { valid: 1, af: 1, db: 1, dbm: 0, el0: 1, attrs: [] };

test("the head", () => {
  const head =
    '"Some words"\nTTHM=P1:HA P0:HD\n(* a (* nested *) one *)\nVariant=vmsa,Fatal\nEL0=P1\n';
  const { threads, variants, name } = read({ head, code: "P0 | P1 ;\nNOP | NOP ;" });
  expect(name).toBe("T+t");
  expect(variants).toEqual(["vmsa", "fatal"]);
  expect(threads).toMatchObject([
    { HA: false, HD: true, el0: false },
    { HA: true, HD: false, el0: true },
  ]);
  expect(read({ head: "TTHM=HA HD \n" }).threads[0]).toMatchObject({ HA: true, HD: true });
  expect(read({ head: "Com=Rf Fr\n" }).variants).toEqual([]);
});

test("the initial state", () => {
  const { data, ptes, registers, unsupported } = read({
    init: `int x = -0x10; int64_t y; [z]=y; int *p = &z; [PA(q)]=3;
      pte_x=(af:0); [PTE(y)] = (oa:PA(x), valid :0); TTD(z)=(oa:phy_w,attrs:(Normal,NC));
      pteval_t 0:X1=PTE(x); 0:X2=pte_y; int64_t 0:X3; 0:X4=phy_x; 1:X5=(oa:PA(v),dbm:1); 0:X6=5;
      0:X7=(db:0); 0:X8=label:"P0:L0";`,
    code: "P0;L0:;",
  });
  expect(unsupported).toBeUndefined();
  expect([...data]).toEqual([
    ["x", { k: "int", value: -16n }],
    ["y", { k: "int", value: 0n }],
    ["z", { k: "va", name: "y" }],
    ["p", { k: "va", name: "z" }],
    ["q", { k: "int", value: 3n }],
    ["w", { k: "int", value: 0n }],
    ["v", { k: "int", value: 0n }],
  ]);
  expect([...ptes]).toEqual([
    ["x", { ...DESC, oa: "x", af: 0 }],
    ["y", { ...DESC, oa: "x", valid: 0 }],
    ["z", { ...DESC, oa: "w", attrs: ["Normal", "NC"] }],
  ]);
  const values = registers.map((r) => [r.thread, r.number, r.value]);
  expect(values).toEqual([
    [0, 1, { k: "pte", name: "x" }],
    [0, 2, { k: "pte", name: "y" }],
    [0, 4, { k: "pa", name: "x" }],
    [1, 5, { k: "desc", desc: { ...DESC, oa: "v", dbm: 1 } }],
    [0, 6, { k: "int", value: 5n }],
    [0, 7, { k: "desc", desc: { ...DESC, oa: undefined, db: 0 } }],
    [0, 8, { k: "label", thread: 0, label: "L0" }],
  ]);
});

test("the programs", () => {
  const { threads } = read({
    code: ` P0 | P1  | P1.F ;
      L0:LDR W4, [X3,W5,SXTW] | b.eq L2 | ADR X9,L1 ;
      L1: | L2: ; (* a comment; with | marks *)`.replace(
      "L2: ;",
      "L2:L1: STR XZR,[X1,#-0x8] | ERET ;",
    ),
  });
  const [P0, P1] = threads;
  expect(P0!.instructions[0]).toMatchObject({
    mnemonic: "LDR",
    text: "LDR W4, [X3,W5,SXTW]",
    operands: [
      { k: "reg", number: 4, bits: 32 },
      { k: "mem", base: 3, offset: { k: "reg", number: 5, bits: 32 }, extend: "SXTW" },
    ],
  });
  expect([...P0!.labels]).toEqual([
    ["L0", 0],
    ["L1", 1],
  ]);
  expect(P1!.instructions.map((i) => i.mnemonic)).toEqual(["B.EQ", "STR"]);
  expect(P1!.instructions[1]!.operands).toEqual([
    { k: "reg", number: 31, bits: 64 },
    { k: "mem", base: 1, offset: { k: "imm", value: -8n } },
  ]);
  expect([...P1!.labels]).toEqual([
    ["L2", 1],
    ["L1", 1],
  ]);
  expect(P1!.handler!.instructions.map((i) => i.text)).toEqual(["ADR X9,L1", "ERET"]);
});

test("the question", () => {
  const { condition, quantifier, shown, shownFaults } = read({
    code: "P0 | P1 ; L0: | L1: ;",
    end: `locations [z; 1:X10; PTE(y); fault(P0,x);]
      ~ exists (1:X9=1 /\\ not [x]=0 \\/ ~fault(P1:L1,pte_x,D-MMU:Permission)) /\\ pte_x=(db:0)`,
  });
  expect(quantifier).toBe("~exists");
  expect(condition).toMatchObject({
    k: "and",
    parts: [
      {
        k: "or",
        parts: [
          {
            k: "and",
            parts: [{ k: "equal" }, { k: "not", of: { location: { k: "data", name: "x" } } }],
          },
          { k: "not", of: { k: "fault", fault: { thread: 1, label: "L1", pte: true } } },
        ],
      },
      { k: "equal", value: { k: "desc", desc: { ...DESC, oa: "x", db: 0 } } },
    ],
  });
  const names = shown.map((l) => (l.k === "reg" ? `${l.thread}:X${l.number}` : `${l.k} ${l.name}`));
  expect(names).toEqual(["1:X9", "1:X10", "data x", "data z", "pte x", "pte y"]);
  expect(shownFaults).toEqual([
    {
      thread: 1,
      label: "L1",
      location: "x",
      pte: true,
      type: "Permission",
      typeText: "D-MMU:Permission",
    },
    { thread: 0, location: "x" },
  ]);
  expect(read({ end: "" })).toMatchObject({ quantifier: "forall", condition: { k: "true" } });
});

test("what no model takes", () => {
  const reason = (parts: Parameters<typeof text>[0]) => read(parts).unsupported;
  expect(reason({ init: "int x[2]={1,2};" })).toBe("arrays");
  expect(reason({ init: "0:X1=x:green;" })).toBe("computed or tagged addresses");
  expect(reason({ init: '0:X1=instr:"NOP";' })).toBe("instructions as data");
  expect(reason({ init: "0:X1=pte_pte_x;" })).toBe("entries of entries");
  expect(reason({ code: "P0; LDR X0,[X1],#8;" })).toBe("addressing that writes the base register");
  expect(reason({ code: "P0; LDR Q0,[X1];" })).toBe("register Q0");
  expect(reason({ end: "exists 0:SP=1" })).toBe("register SP");
  expect(reason({ end: "filter x=1 exists x=1" })).toBe("filter");
});

test.each([
  [{ head: "TTHM=HX\n" }, "H003 2:6 [HX] unknown feature 'HX' (known here: 'HA', 'HD')"],
  [{ init: "pte_x=(vald:0);" }, "H003 3:8 [vald] unknown field 'vald' (did you mean 'valid'?)"],
  [{ init: "pte_x=(af:0,af:1);" }, "H007 3:13 [af] 'af' is said twice"],
  [{ init: "pte_x=(af:2);" }, "H002 3:11 [2] expected 0 or 1, found '2'"],
  [{ init: "0:X1=;" }, "H002 3:6 [] expected a value, found nothing"],
  [{ init: "0:X41=x;" }, "H003 3:1 [0:X41] unknown register 'X41'"],
  [{ init: "x=1; x=2;" }, "H007 3:6 [x] 'x' has two initial values"],
  [
    { init: "x=99999999999999999999;" },
    "H008 3:3 [99999999999999999999] '99999999999999999999' does not fit 64 bits",
  ],
  [{ code: "P0|P2;NOP|NOP;" }, "H005 5:1 [P0] there is no column 'P1'"],
  [{ code: "P0;NOP|NOP;" }, "H006 5:4 [NOP|NOP] this row has 2 columns; the first one has 1"],
  [{ code: "P0;B.NE L0;\nL1:;" }, "H004 5:9 [L0] no label 'L0' in P0 (did you mean 'L1'?)"],
  [{ code: "P0;L:;L:;" }, "H007 5:7 [L:] two labels 'L'"],
  [{ code: "P0;LDR W0,[W0;" }, "H002 5:14 [] expected ']', found nothing"],
  [{ end: "exists (0:X0=1" }, "H002 7:15 [] expected ')' that closes the condition, found nothing"],
  [{ end: "exists (3:X0=1)" }, "H005 7:9 [3:X0] there is no thread P3 (the only thread is P0)"],
  [
    { end: "exists fault(P0,x,MMU:Permision)" },
    "H003 7:19 [MMU:Permision] unknown type of fault 'MMU:Permision'" +
      " (did you mean 'MMU:Permission'?)",
  ],
  [{ end: "(* exists" }, "H009 7:1 [(*] this comment has no end"],
  [
    { end: `exists ${"~".repeat(70)}true` },
    "H010 7:72 [~] the condition is nested more than 64 deep",
  ],
] as const)("%j is a mistake", (parts, message) => {
  expect(mistakes(parts)[0]).toBe(message);
});

test("an unknown label in a fault is a mistake", () => {
  expect(mistakes({ code: "P0;L0:NOP;", end: "exists fault(P0:L1,x)" })).toEqual([
    "H004 6:17 [L1] no label 'L1' in P0 (did you mean 'L0'?)",
  ]);
});

test("a mistake is printed as everywhere", () => {
  const result = readHerdTest(text({ end: "exist (0:X0=1)" }), { file: "t.litmus" });
  const printed = result.ok ? "" : formatDiagnostic(result.diagnostics[0]!, result.text);
  expect(printed).toMatchInlineSnapshot(`
    "t.litmus:7:1: error: expected a condition, found 'exist' [H003]
        7 | exist (0:X0=1)
          | ^~~~~
    note: did you mean 'exists'?"
  `);
});
