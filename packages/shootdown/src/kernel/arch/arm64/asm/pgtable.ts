// SPDX-License-Identifier: Apache-2.0
// Stores to page-table entries: arch/arm64/include/asm/pgtable.h, 6.1 and 6.12.

import { define } from "../../../../ir/machine.ts";
import { call, callInto, leave, loop, ret, set, when } from "../../../../ir/stmt.ts";
import { desc, PTE_NONE } from "../../../../vocabulary/descriptor.ts";
import { cmpxchg_desc, store_desc, xchg_desc } from "../../../../vocabulary/primitives.ts";
import { t } from "../../../../vocabulary/sorts.ts";
import { pte } from "../../../../vocabulary/state.ts";
import {
  pte_wrprotect,
  ptep_get_and_clear,
  ptep_set_wrprotect,
  set_pte_at,
} from "../../../asm/pgtable.ts";

const file = "arch/arm64/include/asm/pgtable.h";

export const pgtable = [
  define(set_pte_at, {
    source: {
      file,
      function: "set_pte_at (6.1), set_ptes, __set_ptes, __set_pte (6.12)",
      sha: { "6.1": "c7cad69580cc", "6.12": "ed36c0f68191" },
    },
    abstracts: ["contpte folding", "icache maintenance, MTE"],
    body: ({ cpu, mm, va, entry }) => [call(store_desc, { cpu, mm, va, value: entry })],
  }),
  define(ptep_get_and_clear, {
    source: { file, sha: { "6.1": "70f7c99f8409", "6.12": "93f3e480939b" } },
    abstracts: ["contpte unfolding"],
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
      sha: { "6.1": "6303d23e4d58", "6.12": "7123a1a67a62" },
    },
    abstracts: ["contpte unfolding"],
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, va, old, ok }) => [
      loop(
        set(old, pte(mm, va)),
        callInto(ok, cmpxchg_desc, { cpu, mm, va, expect: old, value: pte_wrprotect(old) }),
        when(ok, leave()),
      ),
    ],
  }),
];
