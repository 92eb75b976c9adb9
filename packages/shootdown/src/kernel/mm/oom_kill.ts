// SPDX-License-Identifier: Apache-2.0
// The OOM reaper: mm/oom_kill.c, 6.1 and 6.12.

import { and, not, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, each, grow, label, set, when, whenElse } from "../../ir/stmt.ts";
import { EMPTY, Range, t, va as vaSort, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { kvm_guest, mirrors_mm } from "../shadow-state.ts";
import { gathers_nest, mmf_unstable, vma } from "../state.ts";
import { isSharedPlace } from "./file-pages.ts";
import { zap_page_range_single, zap_pte_range } from "./memory-zap.ts";
import { mmap_read_lock, mmap_read_unlock } from "./mmap_lock.ts";
import { tlb_end_vma, tlb_finish_mmu, tlb_flush_mmu_free, tlb_gather_mmu } from "./mmu_gather.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start_nonblock,
} from "./mmu_notifier.ts";

export const oom_reap_task_mm = declare("oom_reap_task_mm", { cpu: t.cpu, mm: t.mm });

export const oom_kill = [
  define(oom_reap_task_mm, {
    source: {
      file: "mm/oom_kill.c",
      function: "oom_reap_task_mm, __oom_reap_task_mm",
      sha: { "6.1": "052adf077738", "6.12": "d41c1baf3a19" },
    },
    abstracts: [
      "all vmas of the process are one, but for shared mappings at its ends",
      "a subscriber that would block: SVA's have no range_start",
      "mmap_read_trylock() succeeds in the end",
    ],
    locals: { vmas: t.range, gathered: t.range, owed: t.range, started: t.bool },
    body: ({ cpu, mm, vmas, gathered, owed, started }) => [
      // Threads of the process may gather at the same time.
      set(gathers_nest(), TRUE),
      call(mmap_read_lock, { mm }),
      label("unstable", set(mmf_unstable(mm), TRUE)),
      set(vmas, EMPTY),
      each(vaSort, WHOLE_MM, (va) => [
        when(and(vma(mm, va), not(isSharedPlace(mm, va))), grow(vmas, va)),
      ]),
      when(
        not(Range.empty(vmas)),
        // unmap_page_range() between a gather's begin and its end
        whenElse(
          varies(kvm_guest, mirrors_mm),
          [
            call(tlb_gather_mmu, { mm }),
            callInto(started, mmu_notifier_invalidate_range_start_nonblock, {
              ...{ cpu, mm, range: vmas },
            }),
            set(owed, EMPTY),
            when(
              started,
              callInto(gathered, zap_pte_range, { cpu, mm, range: vmas }),
              callInto(owed, tlb_end_vma, { cpu, mm, range: gathered }),
              call(mmu_notifier_invalidate_range_end, { cpu, mm, range: vmas }),
            ),
            call(tlb_finish_mmu, { cpu, mm, range: owed, tables: EMPTY }),
            call(tlb_flush_mmu_free, { cpu }),
          ],
          [call(zap_page_range_single, { cpu, mm, range: vmas })],
        ),
      ),
      call(mmap_read_unlock, { mm }),
    ],
  }),
];
