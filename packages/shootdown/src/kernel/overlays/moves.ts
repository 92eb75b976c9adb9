// SPDX-License-Identifier: Apache-2.0
// Overlays of moves: what mremap() did in old kernels, and what it must not leave out.

import { FALSE, local, TRUE } from "../../ir/expr.ts";
import { editing } from "../../ir/kernel.ts";
import { call } from "../../ir/stmt.ts";
import { __flush_tlb_range } from "../arch/arm64/asm/tlbflush.ts";
import { flush_tlb_range } from "../asm/tlbflush.ts";
import { move_page_tables } from "../mm/mremap.ts";
import type { NamedOverlay } from "../overlays.ts";

const moved = {
  cpu: local("cpu", move_page_tables.params.cpu),
  mm: local("mm", move_page_tables.params.mm),
  range: local("range", move_page_tables.params.range),
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
];
