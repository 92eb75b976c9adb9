// SPDX-License-Identifier: Apache-2.0
// What the ASID model is made of: kernel variables, page tables, CPUs; its sizes and its bugs.

import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import {
  constant,
  eq,
  field,
  get,
  member,
  or,
  withFields,
} from "../../packages/shootdown/src/ir/expr.ts";
import type { Machine, ObserverDecl } from "../../packages/shootdown/src/ir/machine.ts";
import { event } from "../../packages/shootdown/src/ir/machine.ts";
import { bool, enumeration, ordered, symbol, word } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";

export const cpu = symbol("cpu");
/** 0 is init_mm: the reserved table, which maps nothing. */
export const mm = symbol("mm");
/** 0 is never handed out. */
export const asid = ordered("asid");
export const generation_sort = ordered("generation");
/** mm->context.id: 0 until the mm runs first. */
export const context = word("context", [
  { name: "asid", sort: asid },
  { name: "generation", sort: generation_sort },
]);
/** `held`: its unmapper has the lock; `clearing`: walkers may not see the store yet. */
export const state = enumeration("state", [
  "none",
  "valid",
  "held",
  "clearing",
  "cleared",
  "freed",
]);
export const found = enumeration("found", ["current", "given", "nothing"]);

export const INIT = constant(mm, 0);
export const NO_ASID = constant(asid, 0);
export const NO_CONTEXT = constant(context, 0);
export const pteIs = (m: Expr<"mm">, s: (typeof state.values)[number]): Expr<"bool"> =>
  eq(pte(m), member(state, s));

// The kernel's variables.
export const context_id = field("context_id", [mm], context);
export const generation = field("generation", [], generation_sort, 1);
export const asid_map = field("asid_map", [asid], bool);
export const cur_idx = field("cur_idx", [], asid, 1);
export const active = field("active", [cpu], context);
export const reserved = field("reserved", [cpu], context);
export const flush_pending = field("flush_pending", [cpu], bool);
export const locked = field("locked", [], bool);
/** The page that each mm maps at the same address. */
export const pte = field("pte", [mm], state);
// A CPU's translation registers, and whether it runs what they say or is switching.
export const ttbr = field("ttbr", [cpu], mm);
export const ttbr_asid = field("ttbr_asid", [cpu], asid);
export const running = field("running", [cpu], bool);
/** Where mms end: what a CPU runs or switches to. */
export const task = field("task", [cpu], mm);

export const asidOf = (id: Expr<"context">): Expr<"asid"> => get(id, "asid", asid);
export const generationOf = (id: Expr<"context">) => get(id, "generation", generation_sort);
export const inThisGeneration = (a: Expr<"asid">): Expr<"context"> =>
  withFields(NO_CONTEXT, { asid: a, generation: generation() });
export const asidOfMm = (m: Expr<"mm">): Expr<"asid"> => asidOf(context_id(m));

/** A walk may find the page of an mm. */
export const walkable = (m: Expr<"mm">): Expr<"bool"> =>
  or(pteIs(m, "valid"), pteIs(m, "held"), pteIs(m, "clearing"));

/** Seeded bugs; the first three are those that any model of this has to find. */
export const BUGS = [
  "rollover sets no pending flush",
  "unmap does no TLBI",
  "TLBI before the PTE is cleared",
  "ASID read before the PTE is cleared",
  "no DSB before the TLBI",
  "first reserved ASID only",
  "reserved ASID not kept",
  "fast path after a rollover",
  "table of the old mm with the ASID of the new",
  "old ASID taken though another has it",
] as const;
export type Bug = (typeof BUGS)[number];

export interface AsidOptions {
  readonly cpus: number;
  readonly mms: number;
  /** Hardware ASIDs with 0; the kernel warns unless there are two more than CPUs. */
  readonly asids: number;
  /** A CPU that would begin one more rollover waits for ever. */
  readonly rollovers: number;
  /** How many of the mms have a page, from the first. */
  readonly pages: number;
  readonly bug?: Bug;
}

/** The TLBs: as fields, or as cells. */
export interface TlbParts {
  readonly flush: (c: Expr<"cpu">) => readonly Stmt[];
  /** On every CPU. */
  readonly invalidate: (a: Expr<"asid">) => readonly Stmt[];
  readonly machine: Machine;
  readonly observers: readonly ObserverDecl[];
}

/** An mm has a context that it did not have before. */
export const allocated = event("allocated", { mm });
export const exhausted = event("exhausted", {});
/** What CPUs run, or may run, has changed, and nobody is in the middle of it. */
export const settled = event("settled", {});
/** What a CPU may translate with, or what it should not, has changed. */
export const exposed = event("exposed", {});
