// SPDX-License-Identifier: Apache-2.0
// Benchmark model: how Linux on arm64 hands out ASIDs, and what TLBs make of it.
//
//   CPU: run an mm ──► switch to another: fast path, or slow path under the lock, with rollover
//               └───► unmap a page of any mm: clear, DSB, TLBI by ASID, free
//   any time: a walk with the installed table and ASID, an eviction
//
// Written from arch/arm64/mm/context.c (check_and_switch_context, new_context, flush_context,
// check_update_reserved_asid, cpu_do_switch_mm) and asm/tlbflush.h (flush_tlb_page,
// local_flush_tlb_all) of Linux 6.1.192 and 6.12.117; docs/ASID.md says what is left out. The
// kernel's routines in src/kernel take the ASID of an mm as given, and so have no such allocator;
// those of a flush run on the whole arm64 machine, which no other checker could be given.
//
// One access to what is read without the lock is one step; what only the lock's holder touches
// (map, reserved ASIDs, pending flushes) goes with the access before it.

import type { System } from "../../packages/shootdown/src/engine/program.ts";
import type { Expr } from "../../packages/shootdown/src/ir/expr.ts";
import {
  after,
  and,
  constant,
  eq,
  FALSE,
  ite,
  le,
  lt,
  member,
  ne,
  not,
  num,
  or,
  place,
  TRUE,
} from "../../packages/shootdown/src/ir/expr.ts";
import type { Ty } from "../../packages/shootdown/src/ir/sort.ts";
import { bool } from "../../packages/shootdown/src/ir/sort.ts";
import type { Stmt } from "../../packages/shootdown/src/ir/stmt.ts";
import {
  atomic,
  await_,
  cas,
  choose,
  either,
  emit,
  forall,
  loop,
  set,
  when,
  whenElse,
  xchg,
} from "../../packages/shootdown/src/ir/stmt.ts";
import { allocatorProperties } from "./asid-properties.ts";
import type { AsidOptions, Bug, TlbParts } from "./asid-state.ts";
import {
  active,
  allocated,
  asid,
  asid_map,
  asidOf,
  asidOfMm,
  context,
  context_id,
  cpu,
  cur_idx,
  exhausted,
  exposed,
  flush_pending,
  found,
  generation,
  generation_sort,
  generationOf,
  INIT,
  inThisGeneration,
  locked,
  mm,
  NO_ASID,
  NO_CONTEXT,
  pte,
  pteIs,
  reserved,
  running,
  settled,
  state,
  task,
  ttbr,
  ttbr_asid,
} from "./asid-state.ts";

const local = <S extends string>(name: string, sort: Ty<S>) => place<S>({ k: "local", name, sort });
const LOCALS = {
  next: mm,
  switches: bool,
  id: context,
  old: context,
  done: bool,
  how: found,
  tag: asid,
};
/** The mm to switch to, or whose page is unmapped. */
const next = local("next", mm);
const switches = local("switches", bool);
const id = local("id", context);
const old = local("old", context);
const done = local("done", bool);
const how = local("how", found);
const tag = local("tag", asid);

class Kernel {
  private readonly options: AsidOptions;
  private readonly parts: TlbParts;

  constructor(options: AsidOptions, parts: TlbParts) {
    this.options = options;
    this.parts = parts;
  }

  private has(bug: Bug): boolean {
    return this.options.bug === bug;
  }

  /** One CPU: it switches and unmaps for ever. */
  thread(c: number): Stmt[] {
    const me = constant(cpu, c);
    const another = and(ne(next, INIT), ne(next, ttbr(me)));
    return [
      loop(
        atomic(
          either(
            [
              choose(next, mm, another),
              set(switches, TRUE),
              set(running(me), FALSE),
              set(task(me), next),
              set(id, context_id(next)),
              set(tag, NO_ASID),
            ],
            [
              choose(next, mm, pteIs(next, "valid")),
              set(switches, FALSE),
              // Or it would be kept from the last switch: liveness does not look at `switches`.
              set(id, NO_CONTEXT),
              ...this.claim(),
            ],
          ),
        ),
        whenElse(switches, this.switchTo(me), this.unmap()),
      ),
    ];
  }

  /** exit_mmap() of the last user of an mm; a new mm begins as init_new_context() leaves it. */
  exits(): Stmt[] {
    const cpus = Array.from({ length: this.options.cpus }, (_, c) => constant(cpu, c));
    const unused = cpus.flatMap((c) => [ne(ttbr(c), next), ne(task(c), next)]);
    const quiet = or(pteIs(next, "none"), pteIs(next, "valid"), pteIs(next, "freed"));
    return [
      loop(
        atomic(
          choose(next, mm, and(ne(context_id(next), NO_CONTEXT), quiet, ...unused)),
          set(context_id(next), NO_CONTEXT),
          when(pteIs(next, "valid"), set(pte(next), member(state, "freed"))),
          emit(exposed, {}),
        ),
      ),
    ];
  }

  /** The first step of an unmap; the page-table lock is for whoever finds the page. */
  private claim(): Stmt[] {
    const held = set(pte(next), member(state, "held"));
    if (this.has("TLBI before the PTE is cleared")) return [held];
    if (this.has("ASID read before the PTE is cleared")) return [held, set(tag, asidOfMm(next))];
    return [set(pte(next), member(state, "clearing"))];
  }

  /** ptep_clear_flush() and flush_tlb_page(), for an mm that may be running anywhere. */
  private unmap(): Stmt[] {
    const clear = set(pte(next), member(state, "clearing"));
    const dsb_ishst = set(pte(next), member(state, "cleared"));
    const read = set(tag, asidOfMm(next));
    const tlbi_dsb = atomic(...this.parts.invalidate(tag));
    const free = atomic(set(pte(next), member(state, "freed")), emit(exposed, {}));
    switch (this.options.bug) {
      case "unmap does no TLBI":
        return [dsb_ishst, free];
      case "TLBI before the PTE is cleared":
        return [read, tlbi_dsb, clear, dsb_ishst, free];
      case "ASID read before the PTE is cleared":
        return [clear, dsb_ishst, tlbi_dsb, free];
      case "no DSB before the TLBI":
        return [read, tlbi_dsb, dsb_ishst, free];
      default:
        return [dsb_ishst, read, tlbi_dsb, free];
    }
  }

  /** check_and_switch_context(), with `id` read already; then cpu_do_switch_mm(). */
  private switchTo(me: Expr<"cpu">): Stmt[] {
    const take = this.has("fast path after a rollover")
      ? atomic(set(active(me), id), set(done, TRUE))
      : cas(done, active(me), old, id);
    const mixed = this.has("table of the old mm with the ASID of the new");
    return [
      set(done, FALSE),
      set(old, active(me)),
      when(ne(old, NO_CONTEXT), when(eq(generationOf(id), generation()), take)),
      when(not(done), ...this.slow(me)),
      atomic(...(mixed ? [] : [set(ttbr(me), INIT)]), set(ttbr_asid(me), asidOfMm(next))),
      atomic(
        set(ttbr(me), next),
        set(running(me), TRUE),
        when(not(locked()), emit(settled, {})),
        emit(exposed, {}),
      ),
    ];
  }

  private slow(me: Expr<"cpu">): Stmt[] {
    return [
      atomic(
        await_(not(locked())),
        set(locked(), TRUE),
        set(id, context_id(next)),
        set(how, member(found, "current")),
        when(ne(generationOf(id), generation()), ...this.newContext()),
      ),
      when(eq(how, member(found, "nothing")), ...this.rollover()),
      when(
        ne(how, member(found, "current")),
        atomic(set(context_id(next), id), emit(allocated, { mm: next })),
      ),
      atomic(when(flush_pending(me), set(flush_pending(me), FALSE), ...this.parts.flush(me))),
      atomic(set(active(me), id), set(locked(), FALSE), emit(settled, {})),
    ];
  }

  /** new_context() up to the rollover: into `id`, and whether it found anything into `how`. */
  private newContext(): Stmt[] {
    const first = this.has("first reserved ASID only");
    return [
      set(how, member(found, "nothing")),
      when(
        ne(id, NO_CONTEXT),
        set(tag, asidOf(id)),
        set(done, FALSE),
        forall(cpu, (c) => [
          when(
            first ? and(not(done), eq(reserved(c), id)) : eq(reserved(c), id),
            set(done, TRUE),
            set(reserved(c), inThisGeneration(tag)),
          ),
        ]),
        when(
          this.has("old ASID taken though another has it") ? TRUE : or(done, not(asid_map(tag))),
          set(asid_map(tag), TRUE),
          set(how, member(found, "given")),
          set(id, inThisGeneration(tag)),
        ),
      ),
      when(
        eq(how, member(found, "nothing")),
        set(tag, this.freeFrom(cur_idx())),
        when(ne(tag, NO_ASID), set(how, member(found, "given")), ...this.hand(tag)),
      ),
    ];
  }

  /** The first free ASID from one on; 0 if there is none. */
  private freeFrom(from: Expr<"asid">): Expr<"asid"> {
    let first: Expr<"asid"> = NO_ASID;
    for (let a = this.options.asids - 1; a > 0; a--) {
      const it = constant(asid, a);
      first = ite(and(le(from, it), not(asid_map(it))), it, first);
    }
    return first;
  }

  private hand(a: Expr<"asid">): Stmt[] {
    return [set(asid_map(a), TRUE), set(cur_idx(), a), set(id, inThisGeneration(a))];
  }

  /** The rest of new_context(), with flush_context(). */
  private rollover(): Stmt[] {
    const { cpus, rollovers } = this.options;
    const kept = this.has("reserved ASID not kept");
    const reserve = (c: Expr<"cpu">): Stmt[] => [
      xchg(old, active(c), NO_CONTEXT),
      ...(kept ? [] : [when(eq(old, NO_CONTEXT), set(old, reserved(c)))]),
      set(asid_map(asidOf(old)), TRUE),
      set(reserved(c), old),
    ];
    const flushAll = this.has("rollover sets no pending flush")
      ? []
      : [forall(cpu, (c) => [set(flush_pending(c), TRUE)])];
    const last = [
      ...flushAll,
      set(tag, this.freeFrom(constant(asid, 1))),
      when(eq(tag, NO_ASID), emit(exhausted, {})),
      ...this.hand(tag),
    ];
    return [
      atomic(
        await_(lt(generation(), constant(generation_sort, 1 + rollovers))),
        set(generation(), after(generation_sort, generation(), num(1))),
        forall(asid, (a) => [set(asid_map(a), FALSE)]),
      ),
      ...Array.from({ length: cpus }, (_, c) =>
        atomic(...reserve(constant(cpu, c)), ...(c === cpus - 1 ? last : [])),
      ),
    ];
  }
}

/** The system; what TLBs are is said by `parts`. */
export function asidSystem(options: AsidOptions, parts: TlbParts): System {
  const { cpus, mms, asids, rollovers, pages } = options;
  const kernel = new Kernel(options, parts);
  return {
    machine: parts.machine,
    kernel: { name: "asid-allocator", version: "6.12", routines: new Map() },
    domain: {
      sizes: { cpu: cpus, mm: mms + 1, asid: asids, generation: rollovers + 2 },
      names: {},
      limits: {},
    },
    knobs: {},
    threads: [
      ...Array.from({ length: cpus }, (_, c) => ({
        name: `CPU${c}`,
        locals: LOCALS,
        body: kernel.thread(c),
      })),
      { name: "exit", locals: { next: mm }, body: kernel.exits() },
    ],
    observers: [...allocatorProperties, ...parts.observers],
    initial: [
      ...Array.from({ length: pages }, (_, p) => ({
        field: pte.decl,
        index: [p + 1],
        value: state.values.indexOf("valid"),
      })),
    ],
    entries: [],
  };
}
