// SPDX-License-Identifier: Apache-2.0
// Clearing the access flag of an entry in use, arch/arm64/include/asm/pgtable.h, 6.1 and 6.12.

import { define } from "../../../../ir/machine.ts";
import { call, callInto, label, leave, loop, ret, set, since, when } from "../../../../ir/stmt.ts";
import { desc } from "../../../../vocabulary/descriptor.ts";
import { cmpxchg_desc } from "../../../../vocabulary/primitives.ts";
import { t } from "../../../../vocabulary/sorts.ts";
import { is_contiguous, pte } from "../../../../vocabulary/state.ts";
import { CONTPTE, pte_mkold, pte_young, ptep_clear_flush_young } from "../../../asm/pgtable.ts";
import { contpte_ptep_clear_flush_young } from "../mm/contpte.ts";
import { flush_tlb_page_nosync } from "./tlbflush.ts";

export const young = [
  define(ptep_clear_flush_young, {
    source: {
      file: "arch/arm64/include/asm/pgtable.h",
      function: "ptep_clear_flush_young (6.1), __ptep_clear_flush_young (6.12)",
      sha: { "6.1": "d6aaeaa50d9a", "6.12": "49f65180be57" },
    },
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, va, old, ok }) => [
      since("6.9", [
        when(
          CONTPTE,
          when(
            is_contiguous(va),
            callInto(ok, contpte_ptep_clear_flush_young, { cpu, mm, va }),
            ret(ok),
          ),
        ),
      ]),
      loop(
        set(old, pte(mm, va)),
        callInto(ok, cmpxchg_desc, { cpu, mm, va, expect: old, value: pte_mkold(old) }),
        when(ok, leave()),
      ),
      // No DSB: it costs nothing but age that a CPU goes on with the young entry.
      label("flush", when(pte_young(old), call(flush_tlb_page_nosync, { cpu, mm, va }))),
      ret(pte_young(old)),
    ],
  }),
];
