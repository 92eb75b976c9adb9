// SPDX-License-Identifier: Apache-2.0
// Whether a page was used since somebody last asked: mm/rmap.c, mm/pgtable-generic.c, 6.1 and 6.12.

import { FALSE, not, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, label, ret, set, when } from "../../ir/stmt.ts";
import { pagesOf } from "../../vocabulary/blocks.ts";
import { Range, regionOf, t } from "../../vocabulary/sorts.ts";
import { pmdp_clear_flush_young, ptep_clear_flush_young } from "../asm/pgtable.ts";
import { HUGE } from "./huge_memory.ts";
import { spin_unlock_ptl } from "./mmap_lock.ts";
import { mmu_notifier_clear_flush_young } from "./mmu_notifier.ts";
import { page_vma_mapped_walk, page_vma_mapped_walk_pmd } from "./page_vma_mapped.ts";
import { rmap_walk } from "./rmap.ts";

const file = "mm/rmap.c";

/** Makes a page old wherever it is mapped, also for those with entries of their own. */
export const folio_referenced = declare("folio_referenced", { cpu: t.cpu, frame: t.pfn }, t.bool);
export const folio_referenced_one = declare(
  "folio_referenced_one",
  { cpu: t.cpu, mm: t.mm, va: t.va, frame: t.pfn },
  t.bool,
);

export const rmap_aging = [
  define(folio_referenced, {
    source: { file, sha: { "6.1": "4833f7a61f25", "6.12": "44a142119432" } },
    abstracts: ["the page's lock and its own marks"],
    locals: { used: t.bool, young: t.bool },
    body: ({ cpu, frame, used, young }) => [
      set(used, FALSE),
      rmap_walk((mm, va) => [
        callInto(young, folio_referenced_one, { cpu, mm, va, frame }),
        when(young, set(used, TRUE)),
      ]),
      ret(used),
    ],
  }),
  define(folio_referenced_one, {
    source: { file, sha: { "6.1": "6dbfa8a6e867", "6.12": "efbcce94f0a1" } },
    abstracts: [
      "mlock, the exiting and the reaped",
      "lru_gen_look_around(): it clears access flags of neighbours, and flushes nothing",
    ],
    locals: { found: t.bool, young: t.bool, others: t.bool },
    body: ({ cpu, mm, va, frame, found, young, others }) => [
      when(
        HUGE,
        callInto(found, page_vma_mapped_walk_pmd, { mm, va, frame }),
        when(
          found,
          callInto(young, pmdp_clear_flush_young, { cpu, mm, region: regionOf(va) }),
          callInto(others, mmu_notifier_clear_flush_young, {
            ...{ cpu, mm, range: pagesOf(regionOf(va)) },
          }),
          call(spin_unlock_ptl, { mm }),
          ret(or(young, others)),
        ),
      ),
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame },
        ...{ sync: FALSE, migration: FALSE },
      }),
      when(not(found), ret(FALSE)),
      callInto(young, ptep_clear_flush_young, { cpu, mm, va }),
      set(others, FALSE),
      label(
        "notify",
        callInto(others, mmu_notifier_clear_flush_young, { cpu, mm, range: Range.one(va) }),
      ),
      call(spin_unlock_ptl, { mm }),
      ret(or(young, others)),
    ],
  }),
];
