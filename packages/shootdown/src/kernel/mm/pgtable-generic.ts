// SPDX-License-Identifier: Apache-2.0
// Clearing and flushing one entry: mm/pgtable-generic.c and include/linux/mmu_notifier.h.

import { declare, define } from "../../ir/machine.ts";
import { call, callInto, ret, when } from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { pte_present, ptep_get_and_clear } from "../asm/pgtable.ts";
import { flush_tlb_page } from "../asm/tlbflush.ts";
import { mmu_notifier_invalidate_range } from "./mmu_notifier.ts";

const at = { cpu: t.cpu, mm: t.mm, va: t.va };

export const ptep_clear_flush = declare("ptep_clear_flush", at, desc);
/** Until 6.5. */
export const ptep_clear_flush_notify = declare("ptep_clear_flush_notify", at, desc);

export const pgtable_generic = [
  define(ptep_clear_flush, {
    source: {
      file: "mm/pgtable-generic.c",
      sha: { "6.1": "533593de1186", "6.12": "533593de1186" },
    },
    locals: { old: desc },
    body: ({ cpu, mm, va, old }) => [
      callInto(old, ptep_get_and_clear, { cpu, mm, va }),
      // pte_accessible()
      when(pte_present(old), call(flush_tlb_page, { cpu, mm, va })),
      ret(old),
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
