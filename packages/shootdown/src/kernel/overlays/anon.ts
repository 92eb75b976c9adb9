// SPDX-License-Identifier: Apache-2.0
// Overlays of anonymous memory: kernels without one of the flushes of faults, gathers and advice.

import { editing } from "../../ir/kernel.ts";
import type { NamedOverlay } from "../overlays.ts";

export const ANON_OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "gathers-apart",
    describes: "a gather does not look whether another one is under way (before 99baac21e458)",
    overlay: editing("tlb_finish_mmu", "nested", () => []),
  },
  {
    name: "old-not-gathered",
    describes: "entries that madvise() makes old or clean are not flushed",
    overlay: editing("madvise_pte_range", "gather", () => []),
  },
];
