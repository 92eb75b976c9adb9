// SPDX-License-Identifier: Apache-2.0
// Stores to page-table entries: arch/x86/include/asm/pgtable.h, arch/x86/mm/pgtable.c, 6.1, 6.12.

import { and, ne } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import { call, callInto, label, leave, loop, ret, set, when } from "../../../../ir/stmt.ts";
import { desc, PTE_NONE } from "../../../../vocabulary/descriptor.ts";
import { cmpxchg_desc, store_desc, xchg_desc } from "../../../../vocabulary/primitives.ts";
import { t } from "../../../../vocabulary/sorts.ts";
import { pte } from "../../../../vocabulary/state.ts";
import {
  clear_young_dirty_ptes,
  pte_mkclean,
  pte_mkold,
  pte_wrprotect,
  ptep_get_and_clear,
  ptep_set_access_flags,
  ptep_set_wrprotect,
  set_pte_at,
} from "../../../asm/pgtable.ts";

const file = "arch/x86/include/asm/pgtable.h";

export const pgtable = [
  define(set_pte_at, {
    source: {
      file: `${file}, include/linux/pgtable.h, arch/x86/include/asm/pgtable_64.h`,
      function: "set_pte_at (6.1), set_ptes (6.12), native_set_pte",
      sha: { "6.1": "15ddae4e431b", "6.12": "847a87c50fe9" },
    },
    body: ({ cpu, mm, va, entry }) => [call(store_desc, { cpu, mm, va, value: entry })],
  }),
  define(ptep_get_and_clear, {
    source: {
      file: `${file}, arch/x86/include/asm/pgtable_64.h`,
      function: "ptep_get_and_clear, native_ptep_get_and_clear",
      sha: { "6.1": "5a0f3ea421f2", "6.12": "713b1bed5df9" },
    },
    locals: { old: desc },
    body: ({ cpu, mm, va, old }) => [
      callInto(old, xchg_desc, { cpu, mm, va, value: PTE_NONE }),
      ret(old),
    ],
  }),
  define(ptep_set_wrprotect, {
    source: {
      file,
      function: "ptep_set_wrprotect",
      sha: { "6.1": "62bdd6e59294", "6.12": "b37838d32dd6" },
    },
    abstracts: ["6.1 clears the bit with one atomic instruction, 6.12 with a cmpxchg loop"],
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, va, old, ok }) => [
      loop(
        set(old, pte(mm, va)),
        callInto(ok, cmpxchg_desc, { cpu, mm, va, expect: old, value: pte_wrprotect(old) }),
        when(ok, leave()),
      ),
    ],
  }),
  define(ptep_set_access_flags, {
    source: {
      file: "arch/x86/mm/pgtable.c",
      function: "ptep_set_access_flags",
      sha: { "6.1": "d9155c89a2fc", "6.12": "d9155c89a2fc" },
    },
    locals: { changed: t.bool },
    body: ({ cpu, mm, va, entry, dirty, changed }) => [
      set(changed, ne(pte(mm, va), entry)),
      when(and(changed, dirty), call(set_pte_at, { cpu, mm, va, entry })),
      // No flush: a stale entry that permits less costs one fault (X3).
      label("flush"),
      label("notify"),
      ret(changed),
    ],
  }),
  define(clear_young_dirty_ptes, {
    source: { file: "include/linux/pgtable.h", sha: { "6.12": "42c125354ce1" } },
    kernels: "6.10..",
    abstracts: ["the flag alone is cleared by one atomic instruction"],
    locals: { old: desc },
    body: ({ cpu, mm, va, clean, old }) => [
      callInto(old, ptep_get_and_clear, { cpu, mm, va }),
      set(old, pte_mkold(old)),
      when(clean, set(old, pte_mkclean(old))),
      call(set_pte_at, { cpu, mm, va, entry: old }),
    ],
  }),
];
