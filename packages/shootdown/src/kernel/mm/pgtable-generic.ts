// SPDX-License-Identifier: Apache-2.0
// Clearing and flushing one entry: mm/pgtable-generic.c and include/linux/mmu_notifier.h.

import type { Expr } from "../../ir/expr.ts";
import { eq, num, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, callInto, label, leave, loop, ret, set, since, when } from "../../ir/stmt.ts";
import { pagesOf } from "../../vocabulary/blocks.ts";
import { asKind, desc, PTE_NONE, valid } from "../../vocabulary/descriptor.ts";
import { cmpxchg_pmd, observe_stores, xchg_pmd } from "../../vocabulary/primitives.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { pmd } from "../../vocabulary/state.ts";
import {
  pmdp_clear_flush_young,
  pmdp_collapse_flush,
  pmdp_invalidate,
  pte_accessible,
  pte_mkold,
  pte_present,
  pte_young,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import { flush_pmd_tlb_range, flush_tlb_page, flush_tlb_range } from "../asm/tlbflush.ts";
import { entries_race, tlb_flush_pending } from "../state.ts";
import { PENDING_ASKED } from "./mmu_gather.ts";
import { mmu_notifier_change_pte, mmu_notifier_invalidate_range } from "./mmu_notifier.ts";

const at = { cpu: t.cpu, mm: t.mm, va: t.va };

/** `set_pte_at_notify()`: until 6.9 who keeps entries of its own is told of the new one first. */
export const setPteAtNotify = (
  at: { cpu: Expr<"cpu">; mm: Expr<"mm">; va: Expr<"va"> },
  entry: Expr<"desc">,
): Stmt[] => [
  since("6.10", [], [label("change-pte", call(mmu_notifier_change_pte, { ...at, entry }))]),
  call(set_pte_at, { ...at, entry }),
];

export const ptep_clear_flush = declare("ptep_clear_flush", at, desc);
/** Until 6.5. */
export const ptep_clear_flush_notify = declare("ptep_clear_flush_notify", at, desc);

/** What generic code has where large pages are modelled: arm64. */
export const pgtable_generic_huge = [
  define(pmdp_invalidate, {
    source: {
      file: "mm/pgtable-generic.c",
      sha: { "6.1": "03317f355dae", "6.12": "03317f355dae" },
    },
    locals: { old: desc },
    body: ({ cpu, mm, region, old }) => [
      when(varies(entries_race), call(observe_stores, { cpu })),
      label(
        "clear",
        callInto(old, xchg_pmd, {
          ...{ cpu, mm, region },
          value: asKind(pmd(mm, region), "present_invalid"),
        }),
      ),
      label("flush", call(flush_pmd_tlb_range, { cpu, mm, range: pagesOf(region) })),
      ret(old),
    ],
  }),
  define(pmdp_clear_flush_young, {
    source: {
      file: "mm/pgtable-generic.c, arch/arm64/include/asm/pgtable.h",
      function: "pmdp_clear_flush_young, pmdp_test_and_clear_young",
      sha: { "6.1": "e7505e41bcde", "6.12": "69c65938eb41" },
    },
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, region, old, ok }) => [
      loop(
        set(old, pmd(mm, region)),
        callInto(ok, cmpxchg_pmd, { ...{ cpu, mm, region, expect: old }, value: pte_mkold(old) }),
        when(ok, leave()),
      ),
      label(
        "flush",
        when(pte_young(old), call(flush_pmd_tlb_range, { cpu, mm, range: pagesOf(region) })),
      ),
      ret(pte_young(old)),
    ],
  }),
  define(pmdp_collapse_flush, {
    source: {
      file: "mm/pgtable-generic.c",
      sha: { "6.1": "5610e6f5f4dd", "6.12": "5610e6f5f4dd" },
    },
    locals: { old: desc },
    body: ({ cpu, mm, region, old }) => [
      when(varies(entries_race), call(observe_stores, { cpu })),
      label("clear", callInto(old, xchg_pmd, { cpu, mm, region, value: PTE_NONE })),
      label("flush", call(flush_tlb_range, { cpu, mm, range: pagesOf(region) })),
      ret(old),
    ],
  }),
];

export const pgtable_generic = [
  define(ptep_clear_flush, {
    source: {
      file: "mm/pgtable-generic.c",
      sha: { "6.1": "533593de1186", "6.12": "533593de1186" },
    },
    locals: { old: desc, accessible: t.bool },
    body: ({ cpu, mm, va, old, accessible }) => [
      callInto(old, ptep_get_and_clear, { cpu, mm, va }),
      callInto(accessible, pte_accessible, { cpu, mm, entry: old }),
      label("flush", when(accessible, call(flush_tlb_page, { cpu, mm, va }))),
      ret(old),
    ],
  }),
  define(pte_accessible, {
    source: {
      file: "arch/arm64/include/asm/pgtable.h",
      sha: { "6.1": "e12e78844b2c", "6.12": "e12e78844b2c" },
    },
    abstracts: ["that of x86 says the same in other words"],
    locals: { pending: t.int },
    body: ({ cpu, mm, entry, pending }) => [
      when(
        PENDING_ASKED,
        // The entry was read under the lock under which another CPU stored it.
        call(observe_stores, { cpu }),
        set(pending, num(0)),
        label("pending", set(pending, tlb_flush_pending(mm))),
        when(eq(pending, num(0)), ret(valid(entry))),
      ),
      ret(pte_present(entry)),
    ],
  }),
  define(ptep_clear_flush_notify, {
    source: { file: "include/linux/mmu_notifier.h", sha: { "6.1": "585904185326" } },
    kernels: "..6.6",
    locals: { old: desc },
    body: ({ cpu, mm, va, old }) => [
      callInto(old, ptep_clear_flush, { cpu, mm, va }),
      call(mmu_notifier_invalidate_range, { cpu, mm, range: Range.one(va) }),
      ret(old),
    ],
  }),
];
