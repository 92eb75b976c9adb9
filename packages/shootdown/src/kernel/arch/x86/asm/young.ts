// SPDX-License-Identifier: Apache-2.0
// Clearing the access flag of an entry in use, arch/x86/mm/pgtable.c, 6.1 and 6.12.

import { define } from "../../../../ir/machine.ts";
import { callInto, label, leave, loop, ret, set, when } from "../../../../ir/stmt.ts";
import { desc } from "../../../../vocabulary/descriptor.ts";
import { cmpxchg_desc } from "../../../../vocabulary/primitives.ts";
import { t } from "../../../../vocabulary/sorts.ts";
import { pte } from "../../../../vocabulary/state.ts";
import { pte_mkold, pte_young, ptep_clear_flush_young } from "../../../asm/pgtable.ts";

export const young = [
  define(ptep_clear_flush_young, {
    source: {
      file: "arch/x86/mm/pgtable.c",
      sha: { "6.1": "6309e93f15d6", "6.12": "6309e93f15d6" },
    },
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, va, old, ok }) => [
      loop(
        set(old, pte(mm, va)),
        callInto(ok, cmpxchg_desc, { cpu, mm, va, expect: old, value: pte_mkold(old) }),
        when(ok, leave()),
      ),
      // No flush: it costs nothing but age that a CPU goes on with the young entry.
      label("flush"),
      ret(pte_young(old)),
    ],
  }),
];
