// SPDX-License-Identifier: Apache-2.0
// Notifier calls: mm/mmu_notifier.c, 6.1 and 6.12; users share page tables or keep their own.

import type { Expr } from "../../ir/expr.ts";
import { and, FALSE, not, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, callInto, either, emit, label, ret, set, when } from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { t, WHOLE_MM } from "../../vocabulary/sorts.ts";
import {
  arm_smmu_mm_arch_invalidate_secondary_tlbs,
  arm_smmu_mm_release,
} from "../iommu/arm-smmu-v3-sva.ts";
import { kvm_guest, mirrors_mm, mmu_notifiers_released } from "../shadow-state.ts";
import { mm_subscribed } from "../state.ts";
import {
  kvm_mmu_notifier_change_pte,
  kvm_mmu_notifier_clear_flush_young,
  kvm_mmu_notifier_invalidate_range_end,
  kvm_mmu_notifier_invalidate_range_start,
  kvm_mmu_notifier_release,
} from "../virt/kvm_main.ts";
import { mn_itree_inv_end, mn_itree_invalidate } from "./mmu_interval.ts";

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

/** Pages become old in every secondary MMU that has entries of its own; whether one was not. */
export const mmu_notifier_clear_flush_young = declare(
  "mmu_notifier_clear_flush_young",
  ranged,
  t.bool,
);
/** Until 6.9: an entry is about to be stored where one was taken out. */
export const mmu_notifier_change_pte = declare("mmu_notifier_change_pte", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
  entry: desc,
});
/**
 * A start that must not block, as the OOM reaper's: false if a subscriber would. Those that have
 * started get an end.
 */
export const mmu_notifier_invalidate_range_start_nonblock = declare(
  "mmu_notifier_invalidate_range_start_nonblock",
  ranged,
  t.bool,
);

/** Whether a guest is still on the list of subscribers: until mmu_notifier_release(). */
const listed = (mm: Expr<"mm">): Expr<"bool"> =>
  and(varies(kvm_guest), not(and(varies(mmu_notifiers_released), mmu_notifiers_released(mm))));

/** What an end does for the subscribers of the list. */
const listEnds = (cpu: Expr<"cpu">, mm: Expr<"mm">, range: Expr<"range">): Stmt[] => [
  when(listed(mm), call(kvm_mmu_notifier_invalidate_range_end, { cpu, mm, range })),
  emit(events.notifier_end, { cpu, mm, range }),
];

/** What every end does. */
const ends = (cpu: Expr<"cpu">, mm: Expr<"mm">, range: Expr<"range">): Stmt[] => [
  when(varies(mirrors_mm), call(mn_itree_inv_end, { mm })),
  ...listEnds(cpu, mm, range),
];

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
    body: ({ cpu, mm, range }) => [
      emit(events.notifier_start, { cpu, mm, range }),
      when(varies(mirrors_mm), call(mn_itree_invalidate, { cpu, mm, range })),
      when(listed(mm), call(kvm_mmu_notifier_invalidate_range_start, { cpu, mm, range })),
    ],
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
      ...ends(cpu, mm, range),
    ],
  }),
  define(mmu_notifier_invalidate_range_end, {
    source: {
      file,
      function: "__mmu_notifier_invalidate_range_end",
      sha: { "6.12": "6245d438448c" },
    },
    kernels: "6.6..",
    body: ({ cpu, mm, range }) => ends(cpu, mm, range),
  }),
  define(mmu_notifier_invalidate_range_only_end, {
    source: {
      file,
      function: "__mmu_notifier_invalidate_range_end",
      sha: { "6.1": "c44a5b03629d" },
    },
    kernels: "..6.6",
    body: ({ cpu, mm, range }) => ends(cpu, mm, range),
  }),
  define(mmu_notifier_release, {
    source: {
      file,
      function: "__mmu_notifier_release",
      sha: { "6.1": "6248405e0946", "6.12": "6248405e0946" },
    },
    body: ({ cpu, mm }) => [
      when(
        varies(mirrors_mm),
        // mn_itree_release()
        call(mn_itree_invalidate, { cpu, mm, range: WHOLE_MM }),
        call(mn_itree_inv_end, { mm }),
      ),
      when(
        varies(kvm_guest),
        call(kvm_mmu_notifier_release, { cpu, mm }),
        set(mmu_notifiers_released(mm), TRUE),
      ),
      when(
        mm_subscribed(mm),
        emit(events.notifier_release, { cpu, mm }),
        call(arm_smmu_mm_release, { cpu, mm }),
        set(mm_subscribed(mm), FALSE),
      ),
    ],
  }),
  define(mmu_notifier_clear_flush_young, {
    source: {
      file,
      function: "__mmu_notifier_clear_flush_young",
      sha: { "6.1": "fccf5db379ac", "6.12": "fccf5db379ac" },
    },
    locals: { young: t.bool },
    body: ({ cpu, mm, range, young }) => [
      set(young, FALSE),
      when(
        varies(kvm_guest),
        callInto(young, kvm_mmu_notifier_clear_flush_young, { cpu, mm, range }),
      ),
      ret(young),
    ],
  }),
  define(mmu_notifier_change_pte, {
    source: { file, function: "__mmu_notifier_change_pte", sha: { "6.1": "340ec1285550" } },
    kernels: "..6.10",
    body: ({ cpu, mm, va, entry }) => [
      when(varies(kvm_guest), call(kvm_mmu_notifier_change_pte, { cpu, mm, va, entry })),
    ],
  }),
  define(mmu_notifier_invalidate_range_start_nonblock, {
    source: {
      file,
      function: "mn_hlist_invalidate_range_start, __mmu_notifier_invalidate_range_start",
      sha: { "6.1": "eb106bb43648", "6.12": "eb106bb43648" },
    },
    abstracts: ["a last subscriber of the list that would block, or not, and keeps no entries"],
    locals: { blocks: t.bool },
    body: ({ cpu, mm, range, blocks }) => [
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range }),
      either([set(blocks, FALSE)], [set(blocks, TRUE)]),
      // Subscribers of the list get their end; the interval tree, which began before, gets none.
      when(blocks, label("pair", ...listEnds(cpu, mm, range)), ret(FALSE)),
      ret(TRUE),
    ],
  }),
];
