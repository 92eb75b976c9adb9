// SPDX-License-Identifier: Apache-2.0
// Fork: kernel/fork.c, 6.1 and 6.12.

import { and, FALSE, not } from "../ir/expr.ts";
import { declare, define } from "../ir/machine.ts";
import { call, each, emit, grow, label, set, when } from "../ir/stmt.ts";
import { desc, isTable } from "../vocabulary/descriptor.ts";
import { events } from "../vocabulary/events.ts";
import { EMPTY, Range, regionOf, t, va as vaSort, WHOLE_MM } from "../vocabulary/sorts.ts";
import { pmd, pte } from "../vocabulary/state.ts";
import { pte_present, pte_write } from "./asm/pgtable.ts";
import { flush_tlb_mm } from "./asm/tlbflush.ts";
import { isSharedPlace } from "./mm/file-pages.ts";
import { sealedPieces } from "./mm/huge_memory.ts";
import { copy_page_range } from "./mm/memory.ts";
import { mmap_write_lock, mmap_write_unlock } from "./mm/mmap_lock.ts";
import { vma } from "./state.ts";

export const dup_mmap = declare("dup_mmap", { cpu: t.cpu, mm: t.mm });

export const fork = [
  define(dup_mmap, {
    source: {
      file: "kernel/fork.c",
      sha: { "6.1": "f004a1be89ad", "6.12": "713c4d430b27" },
    },
    abstracts: ["all vmas of the process are copied as one"],
    locals: { vmas: t.range, entry: desc, upper: desc },
    body: ({ cpu, mm, vmas, entry, upper }) => [
      call(mmap_write_lock, { mm }),
      set(vmas, EMPTY),
      each(vaSort, WHOLE_MM, (va) => [when(vma(mm, va), grow(vmas, va))]),
      when(not(Range.empty(vmas)), call(copy_page_range, { cpu, mm, range: vmas })),
      label("flush", call(flush_tlb_mm, { cpu, mm })),
      // From here on parent and child share the pages, read-only.
      each(vaSort, vmas, (va) => [
        set(upper, pmd(mm, regionOf(va))),
        when(
          isTable(upper),
          set(entry, pte(mm, va)),
          when(
            and(pte_present(entry), not(pte_write(entry)), not(isSharedPlace(mm, va))),
            emit(events.revoked, { mm, va, reads: FALSE }),
          ),
        ),
      ]),
      sealedPieces(mm, vmas),
      call(mmap_write_unlock, { mm }),
    ],
  }),
];
