// SPDX-License-Identifier: Apache-2.0
// Overlays of anonymous memory: kernels without one of the flushes of faults, gathers and advice.

import { FALSE, local } from "../../ir/expr.ts";
import { editing } from "../../ir/kernel.ts";
import { bool } from "../../ir/sort.ts";
import { call, set } from "../../ir/stmt.ts";
import { do_munmap } from "../mm/mmap.ts";
import { tlb_flush_mmu_free } from "../mm/mmu_gather.ts";
import type { NamedOverlay } from "../overlays.ts";

const reuse = local("reuse", bool);
const free = { cpu: local("cpu", do_munmap.params.cpu) };

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
  {
    name: "none-not-gathered",
    describes: "entries that become PROT_NONE are not flushed",
    overlay: editing("change_pte_range_none", "gather", () => []),
  },
  {
    name: "none-not-accessible",
    describes: "PROT_NONE entries are never flushed when they go (before 3.13)",
    overlay: editing("pte_accessible", "pending", () => []),
  },
  {
    name: "copies-always",
    describes: "a write copies a page that somebody may hold a reference to (before 5.19)",
    overlay: editing("do_wp_page", "exclusive", () => [set(reuse, FALSE)]),
  },
  {
    name: "copies-unflushed",
    describes: "a copy does not wait for a pending flush of userfaultfd (before 6ce64428d620)",
    overlay: editing("do_wp_page", "uffd-wp", () => []),
  },
  {
    name: "young-unflushed",
    describes: "clearing the access flag flushes nothing, as on x86",
    overlay: editing("ptep_clear_flush_young", "flush", () => []),
  },
  {
    name: "tables-freed-first",
    describes: "page tables are given back before the flush (before 285994a62c80)",
    overlay: editing("unmap_region", "finish", (finish) => [
      call(tlb_flush_mmu_free, free),
      finish,
    ]),
  },
];
