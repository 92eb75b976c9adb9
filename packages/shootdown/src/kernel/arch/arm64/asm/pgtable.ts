// SPDX-License-Identifier: Apache-2.0
// Stores to page-table entries: arch/arm64/include/asm/pgtable.h, 6.1 and 6.12.

import type { Expr } from "../../../../ir/expr.ts";
import { member, varies } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import type { Stmt } from "../../../../ir/stmt.ts";
import { call, callInto, label, leave, loop, ret, set, since, when } from "../../../../ir/stmt.ts";
import { desc, PTE_NONE, tableDesc } from "../../../../vocabulary/descriptor.ts";
import { dsb_op } from "../../../../vocabulary/events.ts";
import {
  cmpxchg_desc,
  cmpxchg_pmd,
  dsb,
  observe_stores,
  store_desc,
  store_pmd,
  xchg_desc,
} from "../../../../vocabulary/primitives.ts";
import { t } from "../../../../vocabulary/sorts.ts";
import { is_contiguous, pmd, pte } from "../../../../vocabulary/state.ts";
import {
  CONTPTE,
  clear_young_dirty_ptes,
  pmd_populate,
  pmdp_set_wrprotect,
  pte_mkclean,
  pte_mkold,
  pte_wrprotect,
  ptep_get_and_clear,
  ptep_set_wrprotect,
  set_pte_at,
} from "../../../asm/pgtable.ts";
import { entries_race } from "../../../state.ts";

import {
  contpte_clear_young_dirty_ptes,
  contpte_try_fold,
  contpte_try_unfold,
} from "../mm/contpte.ts";

const file = "arch/arm64/include/asm/pgtable.h";

/** An entry of a group changes alone: each of them stands alone first. */
const unfolded = (cpu: Expr<"cpu">, mm: Expr<"mm">, va: Expr<"va">): Stmt[] => [
  since("6.9", [when(CONTPTE, call(contpte_try_unfold, { cpu, mm, va }))]),
];

export const pgtable = [
  define(set_pte_at, {
    source: {
      file,
      function: "set_pte_at (6.1), set_ptes, __set_ptes, __set_pte (6.12)",
      sha: { "6.1": "c7cad69580cc", "6.12": "ed36c0f68191" },
    },
    abstracts: ["icache maintenance, MTE"],
    body: ({ cpu, mm, va, entry }) => [
      ...unfolded(cpu, mm, va),
      call(store_desc, { cpu, mm, va, value: entry }),
      since("6.9", [when(CONTPTE, call(contpte_try_fold, { cpu, mm, va, entry }))]),
    ],
  }),
  define(ptep_get_and_clear, {
    source: { file, sha: { "6.1": "70f7c99f8409", "6.12": "93f3e480939b" } },
    abstracts: ["batches: clear_full_ptes()"],
    locals: { old: desc },
    body: ({ cpu, mm, va, old }) => [
      ...unfolded(cpu, mm, va),
      // Whoever stored the entry that goes did so under the lock that is held.
      when(varies(entries_race), call(observe_stores, { cpu })),
      callInto(old, xchg_desc, { cpu, mm, va, value: PTE_NONE }),
      ret(old),
    ],
  }),
  define(ptep_set_wrprotect, {
    source: {
      file,
      function: "ptep_set_wrprotect",
      sha: { "6.1": "6303d23e4d58", "6.12": "7123a1a67a62" },
    },
    abstracts: ["batches: wrprotect_ptes()"],
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, va, old, ok }) => [
      ...unfolded(cpu, mm, va),
      label(
        "update",
        loop(
          set(old, pte(mm, va)),
          callInto(ok, cmpxchg_desc, { cpu, mm, va, expect: old, value: pte_wrprotect(old) }),
          when(ok, leave()),
        ),
      ),
    ],
  }),
  define(pmd_populate, {
    source: {
      file: "arch/arm64/include/asm/pgalloc.h, arch/arm64/include/asm/pgtable.h",
      function: "pmd_populate, set_pmd",
      sha: { "6.1": "13b307047260", "6.12": "13b307047260" },
    },
    body: ({ cpu, mm, region, table }) => [
      call(store_pmd, { cpu, mm, region, value: tableDesc(table) }),
      call(dsb, { cpu, op: member(dsb_op, "ISHST") }),
    ],
  }),
  define(pmdp_set_wrprotect, {
    source: { file, sha: { "6.1": "1f591e7428c6", "6.12": "bd2bf08736ae" } },
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, region, old, ok }) => [
      label(
        "update",
        loop(
          set(old, pmd(mm, region)),
          callInto(ok, cmpxchg_pmd, { cpu, mm, region, expect: old, value: pte_wrprotect(old) }),
          when(ok, leave()),
        ),
      ),
    ],
  }),
  define(clear_young_dirty_ptes, {
    source: { file, function: "__clear_young_dirty_pte", sha: { "6.12": "8a1ccd9b340c" } },
    kernels: "6.10..",
    locals: { old: desc, value: desc, ok: t.bool },
    body: ({ cpu, mm, va, clean, old, value, ok }) => [
      when(
        CONTPTE,
        when(
          is_contiguous(va),
          ...[call(contpte_clear_young_dirty_ptes, { cpu, mm, va, clean }), ret()],
        ),
      ),
      loop(
        set(old, pte(mm, va)),
        set(value, pte_mkold(old)),
        when(clean, set(value, pte_mkclean(value))),
        callInto(ok, cmpxchg_desc, { cpu, mm, va, expect: old, value }),
        when(ok, leave()),
      ),
    ],
  }),
];
