// SPDX-License-Identifier: Apache-2.0
// References to pages without a lock: mm/gup.c, 6.1 and 6.12.
//
//   interrupts off ─► upper entry ─► entry ─► a reference ─► is the entry the same? ─► on
//
// Whoever frees a table, or hands it to others, waits for those that had interrupts off.

import type { Expr, Place } from "../../ir/expr.ts";
import { add, and, eq, FALSE, ne, not, num, or, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, await_, call, emit, forall, label, set, when } from "../../ir/stmt.ts";
import { desc, isTable, nextOf, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { pmd, pte_table } from "../../vocabulary/state.ts";
import { pte_write } from "../asm/pgtable.ts";
import { irqs_off, is_zero_page, page_refs, sync_waits } from "../state.ts";
import { put_page } from "./page_alloc.ts";

const file = "mm/gup.c";
const walk = { cpu: t.cpu, agent: t.agent, mm: t.mm, va: t.va, write: t.bool };

/** Takes a reference to a page as it is mapped, and gives it back. */
export const gup_fast = declare("gup_fast", walk);
/** The same for a leaf of hugetlb; a level lower here, as all of hugetlb. */
export const gup_fast_huge = declare("gup_fast_huge", walk);
/** Waits until every CPU has had its interrupts on since. */
export const tlb_remove_table_sync_one = declare("tlb_remove_table_sync_one", { cpu: t.cpu });

/** With interrupts off; a reader tells all that wait for it when they are on again. */
const lockless = (cpu: Expr<"cpu">, body: readonly Stmt[]): Stmt[] => [
  label("irq-save", set(irqs_off(cpu), TRUE)),
  ...body,
  atomic(
    set(irqs_off(cpu), FALSE),
    forall(t.cpu, (waiter) => [set(sync_waits(waiter, cpu), FALSE)]),
  ),
];

const abstracts = [
  "the reference is given back at once",
  "FOLL_PIN: write_protect_seq, unsharing",
  "pages that the slow way would map",
];
const locals = { upper: desc, entry: desc, now: desc, above: desc, got: t.bool };

/** `upperToo`: the entry above is compared again as well. */
const walker =
  (upperToo: Expr<"bool">) =>
  ({ cpu, agent, mm, va, write, upper, entry, now, above, got }: Walk): Stmt[] => [
    set(got, FALSE),
    ...lockless(cpu, [
      set(upper, pmd(mm, regionOf(va))),
      when(
        isTable(upper),
        atomic(
          set(entry, pte_table(nextOf(upper), va)),
          emit(events.walk, { table: nextOf(upper) }),
        ),
        when(
          and(valid(entry), or(not(write), pte_write(entry)), not(is_zero_page(pfnOf(entry)))),
          // try_grab_folio_fast()
          atomic(
            when(
              ne(page_refs(pfnOf(entry)), num(0)),
              set(page_refs(pfnOf(entry)), add(page_refs(pfnOf(entry)), num(1))),
              set(got, TRUE),
            ),
          ),
          when(
            got,
            atomic(
              set(now, pte_table(nextOf(upper), va)),
              set(above, pmd(mm, regionOf(va))),
              emit(events.walk, { table: nextOf(upper) }),
              when(
                and(eq(now, entry), or(not(upperToo), eq(above, upper))),
                emit(events.access, { agent, mm, va, frame: pfnOf(entry), write }),
              ),
            ),
          ),
        ),
      ),
    ]),
    when(got, call(put_page, { frame: pfnOf(entry) })),
  ];

interface Walk {
  readonly cpu: Expr<"cpu">;
  readonly agent: Expr<"agent">;
  readonly mm: Expr<"mm">;
  readonly va: Expr<"va">;
  readonly write: Expr<"bool">;
  readonly upper: Place<"desc">;
  readonly entry: Place<"desc">;
  readonly now: Place<"desc">;
  readonly above: Place<"desc">;
  readonly got: Place<"bool">;
}

export const gup = [
  define(gup_fast, {
    source: {
      file,
      function: "lockless_pages_from_mm, gup_pte_range (6.1), gup_fast, gup_fast_pte_range (6.12)",
      sha: { "6.1": "e0c4ddec3593", "6.12": "28e6f79b4fe8" },
    },
    abstracts,
    locals,
    body: walker(TRUE),
  }),
  define(gup_fast_huge, {
    source: {
      file,
      function: "lockless_pages_from_mm, gup_huge_pmd (6.1), gup_fast, gup_fast_pmd_leaf (6.12)",
      sha: { "6.1": "d53ad8301c6e", "6.12": "12a89005027b" },
    },
    abstracts,
    locals,
    body: walker(FALSE),
  }),
  define(tlb_remove_table_sync_one, {
    source: { file: "mm/mmu_gather.c", sha: { "6.1": "3b72ea3c89f6", "6.12": "3b72ea3c89f6" } },
    abstracts: ["an interrupt, where interrupts are on, changes nothing"],
    body: ({ cpu }) => [
      when(
        varies(irqs_off),
        atomic(
          forall(t.cpu, (other) => [when(irqs_off(other), set(sync_waits(cpu, other), TRUE))]),
        ),
        forall(t.cpu, (other) => [await_(not(sync_waits(cpu, other)))]),
      ),
    ],
  }),
];
