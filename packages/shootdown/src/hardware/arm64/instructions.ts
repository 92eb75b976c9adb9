// SPDX-License-Identifier: Apache-2.0
// Steps of AArch64 instructions that litmus tests are made of: results and captured entries.
//
//   TRANSLATE ──captured(slot)──► READ, WRITE or MODIFY ──X(slot)──► registers
//
// A slot is one memory access of a program. Between its two steps an entry that it captured is in
// flight: maintenance by another PE waits for it (rule A25), and the fault is not taken yet.

import { and, type Expr, eq, FALSE, field, ite, ne, not, ruleHolds, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { ordered, symbol } from "../../ir/sort.ts";
import { await_, call, lookup, set, when, whenElse } from "../../ir/stmt.ts";
import {
  AF,
  desc,
  valid,
  withAccessFlag,
  withDirtyState,
  writableClean,
} from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";
import { asid_of, pte } from "../../vocabulary/state.ts";
import { tlb } from "./tlb.ts";

/** A memory access of a program. */
export const slot = symbol("slot");
/** What a register or a location holds, by number. */
export const value = symbol("value");
/** An earlier slot of the same thread that a read was forwarded from, plus 1; 0 = memory. */
export const source = ordered("source");

/** What a slot has read. */
export const X = field("X", [slot], value);
/** The entry that a slot was translated with. */
export const captured = field("captured", [slot], desc);
export const translated = field("translated", [slot], t.bool);
/** A read-modify-write has read; that it has written too is `performed`. */
export const loaded = field("loaded", [slot], t.bool);
/** The access is done, or its fault is taken. */
export const performed = field("performed", [slot], t.bool);
/** What the walk found, if hardware has to change it for this access; then `owes`. */
export const seen = field("seen", [slot], desc);
/** Hardware has still to write what was captured over what was seen. */
export const owes = field("owes", [slot], t.bool);
/** Somebody else has written what the slot read. */
export const overwritten = field("overwritten", [slot], t.bool);
export const forwarded = field("forwarded", [slot], source);
/** TLB maintenance has taken effect for a page. */
export const maintained = field("maintained", [slot, t.va], t.bool);
/** One location a frame. */
export const memory_at = field("memory_at", [t.pfn], value);

const access = { va: t.va, slot, write: t.bool, HA: t.bool, HD: t.bool };

/** Translates with what the TLB holds or memory does; `HA`, `HD` are TCR_EL1's of the PE. */
export const TRANSLATE = declare("TRANSLATE", { cpu: t.cpu, mm: t.mm, ...access });
/** Translates with what memory holds now; hardware may then owe an update of it. */
export const WALK = declare("WALK", { mm: t.mm, ...access });
/** The update that hardware owes: of what the walk has seen, or not at all (rule A14). */
export const UPDATE = declare("UPDATE", { mm: t.mm, va: t.va, slot });
/** Hardware sets an access flag though nobody has asked (rule A12). */
export const SPECULATE = declare("SPECULATE", { mm: t.mm, va: t.va });

interface Update {
  readonly entry: Expr<"desc">;
  readonly write: Expr<"bool">;
  readonly HA: Expr<"bool">;
  readonly HD: Expr<"bool">;
}

/** What hardware writes over a descriptor for an access (rules A12, A13); the same if nothing. */
function managed({ entry, write, HA, HD }: Update): Expr<"desc"> {
  const young = ite(and(HA, valid(entry), not(AF(entry))), withAccessFlag(entry), entry);
  return ite(and(HD, write, writableClean(young)), withDirtyState(young), young);
}

const source_of = { file: "Arm ARM D8.2, D8.5, D8.16" };

export const instructions = [
  define(WALK, {
    source: { ...source_of, rules: ["A12", "A13", "A14"] },
    locals: { entry: desc, now: desc },
    body: ({ mm, va, slot, write, HA, HD, entry, now }) => [
      set(entry, pte(mm, va)),
      set(now, managed({ entry, write, HA, HD })),
      when(ne(entry, now), set(seen(slot), entry), set(owes(slot), TRUE)),
      set(captured(slot), now),
      set(translated(slot), TRUE),
    ],
  }),
  define(TRANSLATE, {
    source: { ...source_of, rules: ["A1", "A2", "A3", "A14"] },
    locals: { entry: desc },
    body: ({ cpu, mm, va, slot, write, HA, HD, entry }) => [
      lookup(entry, tlb({ cpu, asid: asid_of(mm), va })),
      whenElse(
        eq(entry, managed({ entry, write, HA, HD })),
        [set(captured(slot), entry), set(translated(slot), TRUE)],
        // The copy may be stale: memory decides.
        [call(WALK, { mm, va, slot, write, HA, HD })],
      ),
    ],
  }),
  define(UPDATE, {
    source: { ...source_of, rules: ["A13", "A14"] },
    body: ({ mm, va, slot }) => [
      await_(and(owes(slot), eq(pte(mm, va), seen(slot)))),
      set(pte(mm, va), captured(slot)),
      set(owes(slot), FALSE),
    ],
  }),
  define(SPECULATE, {
    source: { ...source_of, rules: ["A12"] },
    locals: { entry: desc },
    body: ({ mm, va, entry }) => [
      set(entry, pte(mm, va)),
      await_(and(ruleHolds("A12"), valid(entry), not(AF(entry)))),
      set(pte(mm, va), withAccessFlag(entry)),
    ],
  }),
];
