// SPDX-License-Identifier: Apache-2.0
// A handful of AArch64 instructions as routines over registers, executed in program order.
//
//   MOV rd, #imm   LDR rt, [va]   STR rt, [va]   STR desc, [PTE(va)]   DSB   TLBI VAE1IS
//
// A load or store that faults ends the thread, the fatal form of a litmus test. Registers are
// state, so that a final condition can speak of them.

import { FALSE, field, member, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { ordered, symbol } from "../../ir/sort.ts";
import { atomic, call, emit, lookup, ret, set, whenElse } from "../../ir/stmt.ts";
import { desc, permits, pfnOf } from "../../vocabulary/descriptor.ts";
import { dsb_op, events, tlbi_op } from "../../vocabulary/events.ts";
import { dsb, store_desc, tlbi } from "../../vocabulary/primitives.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { asid_of } from "../../vocabulary/state.ts";
import { tlb } from "./tlb.ts";

/** A general register of a PE. */
export const xreg = symbol("xreg");
/** What a register or a memory location holds; small numbers. */
export const value = ordered("value");

export const X = field("X", [t.cpu, xreg], value);
/** One location a frame. */
export const memory_at = field("memory_at", [t.pfn], value);
/** The thread of the PE took a fatal fault. */
export const faulted = field("faulted", [t.cpu], t.bool);

const access = { cpu: t.cpu, agent: t.agent, mm: t.mm, va: t.va, rt: xreg };

export const MOV = declare("MOV", { cpu: t.cpu, rd: xreg, imm: value });
/** False if the access faulted. */
export const LDR = declare("LDR", access, t.bool);
export const STR = declare("STR", access, t.bool);
/** A store of a descriptor to the page-table entry of a page. */
export const STR_PTE = declare("STR_PTE", { cpu: t.cpu, mm: t.mm, va: t.va, descriptor: desc });
export const DSB = declare("DSB", { cpu: t.cpu, op: dsb_op });
/** By VA, all levels, inner shareable. */
export const TLBI_VAE1IS = declare("TLBI_VAE1IS", { cpu: t.cpu, mm: t.mm, va: t.va });

const source = { file: "Arm ARM C6.2, D8.2", rules: ["A1", "A2", "A3", "A20"] };

export const instructions = [
  define(MOV, { source, body: ({ cpu, rd, imm }) => [set(X(cpu, rd), imm)] }),
  define(LDR, {
    source,
    locals: { entry: desc, done: t.bool },
    body: ({ cpu, agent, mm, va, rt, entry, done }) => [
      atomic(
        lookup(entry, tlb({ cpu, asid: asid_of(mm), va })),
        set(done, permits(entry, FALSE)),
        whenElse(
          done,
          [
            set(X(cpu, rt), memory_at(pfnOf(entry))),
            emit(events.access, { agent, mm, va, frame: pfnOf(entry), write: FALSE }),
          ],
          [set(faulted(cpu), TRUE)],
        ),
      ),
      ret(done),
    ],
  }),
  define(STR, {
    source,
    locals: { entry: desc, done: t.bool },
    body: ({ cpu, agent, mm, va, rt, entry, done }) => [
      atomic(
        lookup(entry, tlb({ cpu, asid: asid_of(mm), va })),
        set(done, permits(entry, TRUE)),
        whenElse(
          done,
          [
            set(memory_at(pfnOf(entry)), X(cpu, rt)),
            emit(events.access, { agent, mm, va, frame: pfnOf(entry), write: TRUE }),
          ],
          [set(faulted(cpu), TRUE)],
        ),
      ),
      ret(done),
    ],
  }),
  define(STR_PTE, {
    source,
    body: ({ cpu, mm, va, descriptor }) => [call(store_desc, { cpu, mm, va, value: descriptor })],
  }),
  define(DSB, { source, body: ({ cpu, op }) => [call(dsb, { cpu, op })] }),
  define(TLBI_VAE1IS, {
    source: { file: "Arm ARM C5.5", rules: ["A21"] },
    body: ({ cpu, mm, va }) => [
      call(tlbi, {
        ...{ cpu, asid: asid_of(mm), range: Range.one(va) },
        op: member(tlbi_op, "VAE1IS"),
      }),
    ],
  }),
];
