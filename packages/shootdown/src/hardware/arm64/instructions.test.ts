// SPDX-License-Identifier: Apache-2.0
// Litmus tests in instructions: coherence of walks with TLBI and DSB (rules A20, A24, A27, A30).

import { describe, expect, test } from "vitest";
import { lower } from "../../engine/lower.ts";
import { PackedMachine } from "../../engine/packed.ts";
import type { Domain, System } from "../../engine/program.ts";
import { wordLayout } from "../../engine/word.ts";
import { search } from "../../explore/search.ts";
import { constant, local, member, not } from "../../ir/expr.ts";
import { bool } from "../../ir/sort.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, callInto, ret, when } from "../../ir/stmt.ts";
import { desc, PTE_NONE } from "../../vocabulary/descriptor.ts";
import { dsb_op } from "../../vocabulary/events.ts";
import { t } from "../../vocabulary/sorts.ts";
import { asid_of, pmd, pte_table } from "../../vocabulary/state.ts";
import { MACHINE, PARTS } from "../machines.ts";
import {
  DSB,
  instructions,
  LDR,
  MOV,
  STR,
  STR_PTE,
  TLBI_VAE1IS,
  value,
  xreg,
} from "./instructions.ts";

const domain: Domain = {
  sizes: {
    ...{ cpu: 2, mm: 1, va: 2, region: 1, table: 1, pfn: 2, asid: 1, pasid: 1, dev: 1, agent: 2 },
    ...{ xreg: 3, value: 3, int: 4, signal: 1 },
  },
  names: {},
  limits: {
    ...{ VA_START: 0, TASK_SIZE: 2, PTRS_PER_PTE: 2, PTRS_PER_PTE_MINUS_1: 1 },
    ...{ TLBI_OUTSTANDING: 2, CMDQ_ENTRIES: 2 },
  },
};
const word = (parts: Record<string, number>) =>
  Object.entries(parts).reduce((v, [f, x]) => wordLayout(desc, domain).put(v, f, x), 0);
const leaf = (pfn: number) => word({ valid: 1, AF: 1, DBM: 1, DIRTY: 1, pfn });

const knobs = {
  ...Object.fromEntries(PARTS.map((p) => [p.name, "no"])),
  ...{ smmuv3: "no", btm: "no", ats: "no", atcsnoop: "no", hafdbs: "no", httu: "no" },
  ...{ atcReRequest: "no", atcSnoopWait: "no", atcSnoopOrder: "after-tlb" },
};
const mm = constant(t.mm, 0);
const x = constant(t.va, 0);
const y = constant(t.va, 1);
const ok = local("ok", bool);

/** The instructions of one PE. */
function pe(n: 0 | 1) {
  const cpu = constant(t.cpu, n);
  const agent = constant(t.agent, n);
  const reg = (r: number) => constant(xreg, r);
  const stop = when(not(ok), ret());
  return {
    mov: (rd: number, imm: number) => call(MOV, { cpu, rd: reg(rd), imm: constant(value, imm) }),
    ldr: (rt: number, va: typeof x): Stmt[] => [
      callInto(ok, LDR, { cpu, agent, mm, va, rt: reg(rt) }),
      stop,
    ],
    str: (rt: number, va: typeof x): Stmt[] => [
      callInto(ok, STR, { cpu, agent, mm, va, rt: reg(rt) }),
      stop,
    ],
    unmap: (va: typeof x) => call(STR_PTE, { cpu, mm, va, descriptor: PTE_NONE }),
    dsb: (op: "ISH" | "ISHST" | "NSH") => call(DSB, { cpu, op: member(dsb_op, op) }),
    tlbi: (va: typeof x) => call(TLBI_VAE1IS, { cpu, mm, va }),
  };
}

/** Whether some run ends with the registers and faults given. */
function observe(threads: readonly Stmt[][], end: Readonly<Record<string, number>>) {
  const system: System = {
    machine: { ...MACHINE, definitions: [...MACHINE.definitions, ...instructions] },
    kernel: { name: "none", version: "0", routines: new Map() },
    domain,
    knobs,
    threads: threads.map((body, n) => ({ name: `PE${n}`, locals: { ok: bool }, body })),
    observers: [],
    initial: [
      { field: pmd.decl, index: [0, 0], value: word({ valid: 1, table: 1 }) },
      { field: pte_table.decl, index: [0, 0], value: leaf(0) },
      { field: pte_table.decl, index: [0, 1], value: leaf(1) },
      { field: asid_of.decl, index: [0], value: 0 },
    ],
    entries: [],
  };
  const program = lower(system, { keepAll: true });
  return (["window", "concrete"] as const).map((semantics) => {
    const machine = new PackedMachine(program, { semantics });
    const final = (m: PackedMachine) =>
      Object.entries(end).every(([name, v]) => {
        const [field, ...index] = name.split(/[[\],]/).filter((s) => s !== "");
        return m.field(field!, index.map(Number)) === v;
      });
    return search(machine, { final }, { states_max: 500_000, bytes_max: 2 ** 30 }).observed;
  });
}

describe("invalidation of one's own translation", () => {
  const p = pe(0);
  const seen = { "faulted[0]": 0, "X[0,1]": 1 };
  const before: Stmt[] = [p.mov(0, 1), ...p.str(0, x)];

  test("store, DSB, TLBI, DSB: the load faults", () => {
    const body = [...before, p.unmap(x), p.dsb("ISHST"), p.tlbi(x), p.dsb("ISH"), ...p.ldr(1, x)];
    expect(observe([body], seen)).toEqual(["never", "never"]);
    expect(observe([body], { "faulted[0]": 1 })).toEqual(["always", "always"]);
  });

  test("without the first DSB the old translation may come back", () => {
    const body = [...before, p.unmap(x), p.tlbi(x), p.ldr(1, x)].flat();
    expect(observe([body], seen)).toEqual(["sometimes", "sometimes"]);
  });

  test("without the DSB after the TLBI it may still be there", () => {
    const body = [...before, p.unmap(x), p.dsb("ISHST"), p.tlbi(x), ...p.ldr(1, x)];
    expect(observe([body], seen)).toEqual(["sometimes", "sometimes"]);
  });

  test("without a TLBI it may be there for ever", () => {
    const body = [...before, p.unmap(x), p.dsb("ISH"), ...p.ldr(1, x)];
    expect(observe([body], seen)).toEqual(["sometimes", "sometimes"]);
  });
});

describe("invalidation of another PE's translation", () => {
  const p = pe(0);
  const q = pe(1);
  // The second PE reads y = 1 only after the first has finished, then x through the old entry.
  const bad = { "X[1,0]": 1, "faulted[1]": 0 };
  const reader: Stmt[] = [...q.ldr(0, y), ...q.ldr(1, x)];

  test("store, DSB, TLBI, DSB, flag: who sees the flag faults", () => {
    const writer = [
      p.mov(0, 1),
      p.unmap(x),
      p.dsb("ISHST"),
      p.tlbi(x),
      p.dsb("ISH"),
      ...p.str(0, y),
    ];
    expect(observe([writer, reader], bad)).toEqual(["never", "never"]);
  });

  test("a DSB NSH does not wait for the other PE", () => {
    const writer = [
      p.mov(0, 1),
      p.unmap(x),
      p.dsb("ISHST"),
      p.tlbi(x),
      p.dsb("NSH"),
      ...p.str(0, y),
    ];
    expect(observe([writer, reader], bad)).toEqual(["sometimes", "sometimes"]);
  });

  test("another PE's DSB does not complete the TLBI (A27)", () => {
    const writer = [p.mov(0, 1), p.unmap(x), p.dsb("ISHST"), p.tlbi(x), ...p.str(0, y)];
    const fenced = [...q.ldr(0, y), q.dsb("ISH"), ...q.ldr(1, x)];
    expect(observe([writer, fenced], bad)).toEqual(["sometimes", "sometimes"]);
  });
});

test("registers and memory carry values from one PE to the other", () => {
  const p = pe(0);
  const q = pe(1);
  const writer = [p.mov(0, 2), ...p.str(0, x)];
  expect(observe([writer, q.ldr(0, x)], { "X[1,0]": 2 })).toEqual(["sometimes", "sometimes"]);
  expect(observe([writer, q.ldr(0, x)], { "X[1,0]": 1 })).toEqual(["never", "never"]);
});
