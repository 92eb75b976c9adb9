// SPDX-License-Identifier: Apache-2.0
// Notifier calls: mm/mmu_notifier.c, 6.1 and 6.12, for users that share page tables.

import { FALSE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, emit, label, set, when } from "../../ir/stmt.ts";
import { events } from "../../vocabulary/events.ts";
import { t } from "../../vocabulary/sorts.ts";
import {
  arm_smmu_mm_arch_invalidate_secondary_tlbs,
  arm_smmu_mm_release,
} from "../iommu/arm-smmu-v3-sva.ts";
import { mm_subscribed } from "../state.ts";

const file = "mm/mmu_notifier.c";
const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

/** `.arch_invalidate_secondary_tlbs` of every subscriber; since 6.6. */
export const mmu_notifier_arch_invalidate_secondary_tlbs = declare(
  "mmu_notifier_arch_invalidate_secondary_tlbs",
  ranged,
);
/** `.invalidate_range` of every subscriber; until 6.5. */
export const mmu_notifier_invalidate_range = declare("mmu_notifier_invalidate_range", ranged);
export const mmu_notifier_invalidate_range_start = declare(
  "mmu_notifier_invalidate_range_start",
  ranged,
);
export const mmu_notifier_invalidate_range_end = declare(
  "mmu_notifier_invalidate_range_end",
  ranged,
);
/** Until 6.5: an end that does not call `.invalidate_range`. */
export const mmu_notifier_invalidate_range_only_end = declare(
  "mmu_notifier_invalidate_range_only_end",
  ranged,
);
export const mmu_notifier_release = declare("mmu_notifier_release", { cpu: t.cpu, mm: t.mm });

export const mmu_notifier = [
  define(mmu_notifier_arch_invalidate_secondary_tlbs, {
    source: {
      file,
      function: "__mmu_notifier_arch_invalidate_secondary_tlbs",
      sha: { "6.12": "b4b986558c34" },
    },
    kernels: "6.6..",
    body: ({ cpu, mm, range }) => [
      when(
        mm_subscribed(mm),
        emit(events.notifier, { cpu, mm, range }),
        label("callback", call(arm_smmu_mm_arch_invalidate_secondary_tlbs, { cpu, mm, range })),
      ),
    ],
  }),
  define(mmu_notifier_invalidate_range, {
    source: { file, function: "__mmu_notifier_invalidate_range", sha: { "6.1": "36ece36c10ff" } },
    kernels: "..6.6",
    body: ({ cpu, mm, range }) => [
      when(
        mm_subscribed(mm),
        emit(events.notifier, { cpu, mm, range }),
        label("callback", call(arm_smmu_mm_arch_invalidate_secondary_tlbs, { cpu, mm, range })),
      ),
    ],
  }),
  define(mmu_notifier_invalidate_range_start, {
    source: {
      file,
      function: "__mmu_notifier_invalidate_range_start",
      sha: { "6.1": "6c45048603a5", "6.12": "6c45048603a5" },
    },
    abstracts: ["an SVA subscriber has no such op"],
    body: ({ cpu, mm, range }) => [emit(events.notifier_start, { cpu, mm, range })],
  }),
  define(mmu_notifier_invalidate_range_end, {
    source: {
      file,
      function: "__mmu_notifier_invalidate_range_end",
      sha: { "6.1": "c44a5b03629d" },
    },
    kernels: "..6.6",
    body: ({ cpu, mm, range }) => [
      call(mmu_notifier_invalidate_range, { cpu, mm, range }),
      emit(events.notifier_end, { cpu, mm, range }),
    ],
  }),
  define(mmu_notifier_invalidate_range_end, {
    source: {
      file,
      function: "__mmu_notifier_invalidate_range_end",
      sha: { "6.12": "6245d438448c" },
    },
    kernels: "6.6..",
    body: ({ cpu, mm, range }) => [emit(events.notifier_end, { cpu, mm, range })],
  }),
  define(mmu_notifier_invalidate_range_only_end, {
    source: {
      file,
      function: "__mmu_notifier_invalidate_range_end",
      sha: { "6.1": "c44a5b03629d" },
    },
    kernels: "..6.6",
    body: ({ cpu, mm, range }) => [emit(events.notifier_end, { cpu, mm, range })],
  }),
  define(mmu_notifier_release, {
    source: {
      file,
      function: "__mmu_notifier_release",
      sha: { "6.1": "6248405e0946", "6.12": "6248405e0946" },
    },
    body: ({ cpu, mm }) => [
      when(
        mm_subscribed(mm),
        emit(events.notifier_release, { cpu, mm }),
        call(arm_smmu_mm_release, { cpu, mm }),
        set(mm_subscribed(mm), FALSE),
      ),
    ],
  }),
];
