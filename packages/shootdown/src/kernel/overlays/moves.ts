// SPDX-License-Identifier: Apache-2.0
// Overlays of moves: what mremap() did in old kernels, and what it must not leave out.

import { FALSE, local, TRUE } from "../../ir/expr.ts";
import { editing } from "../../ir/kernel.ts";
import { call, set } from "../../ir/stmt.ts";
import { t } from "../../vocabulary/sorts.ts";
import { __flush_tlb_range } from "../arch/arm64/asm/tlbflush.ts";
import { flush_tlb_range } from "../asm/tlbflush.ts";
import { huge_pmd_unshare_flush } from "../mm/hugetlb.ts";
import { mmu_notifier_invalidate_range_end } from "../mm/mmu_notifier.ts";
import { move_page_tables } from "../mm/mremap.ts";
import type { NamedOverlay } from "../overlays.ts";

const moved = {
  cpu: local("cpu", move_page_tables.params.cpu),
  mm: local("mm", move_page_tables.params.mm),
  range: local("range", move_page_tables.params.range),
};

const unshared = {
  cpu: local("cpu", huge_pmd_unshare_flush.params.cpu),
  mm: local("mm", huge_pmd_unshare_flush.params.mm),
  range: local("range", huge_pmd_unshare_flush.params.range),
};

export const MOVES_OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "mremap-late-flush",
    describes: "move_page_tables() flushes the old range, after move_ptes() has dropped its locks",
    overlay: (base) =>
      editing("move_page_tables", "late", () => [call(flush_tlb_range, moved)])(
        editing("move_ptes", "flush", () => [])(base),
      ),
  },
  {
    name: "mremap-leaf-flush",
    describes: "move_normal_pmd() flushes last-level entries alone",
    overlay: editing("move_normal_pmd", "flush", () => [
      call(__flush_tlb_range, { ...moved, last_level: TRUE, by_table: FALSE }),
    ]),
  },
  {
    name: "tables-freed-at-once",
    describes: "page tables are freed without waiting for lockless walks",
    overlay: editing("tlb_flush_mmu_free", "grace", () => []),
  },
  {
    name: "unshare-narrow",
    describes: "of a shared table that goes, the pages asked for alone are flushed and told of",
    overlay: (base) =>
      editing("hugetlb_change_protection", "widen", () => [
        set(local("owed", t.range), moved.range),
      ])(
        editing("hugetlb_change_protection", "end", () => [
          call(mmu_notifier_invalidate_range_end, moved),
        ])(base),
      ),
  },
  {
    name: "unshare-leaf",
    describes: "when a shared table goes, last-level entries alone are flushed",
    overlay: editing("huge_pmd_unshare_flush", "flush", () => [
      call(__flush_tlb_range, { ...unshared, last_level: TRUE, by_table: FALSE }),
    ]),
  },
  {
    name: "unshare-unsynced",
    describes: "a shared table goes without waiting for lockless walks",
    overlay: editing("huge_pmd_unshare_flush", "sync", () => []),
  },
  {
    name: "retract-unsynced",
    describes: "khugepaged frees page tables without waiting for lockless walks (2ba99c5e0881)",
    overlay: editing("retract_page_tables", "sync", () => []),
  },
];
