// SPDX-License-Identifier: Apache-2.0
// Overlays of the reverse map: reclaim, migration and others that unmap a page everywhere.

import { local, member } from "../../ir/expr.ts";
import type { Overlay } from "../../ir/kernel.ts";
import { editing } from "../../ir/kernel.ts";
import { call, callInto } from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { dsb_op, tlbi_op } from "../../vocabulary/events.ts";
import { dsb, tlbi } from "../../vocabulary/primitives.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { asid_of } from "../../vocabulary/state.ts";
import { ptep_get_and_clear } from "../asm/pgtable.ts";
import { arch_flush_tlb_batched_pending } from "../asm/tlbflush.ts";
import type { NamedOverlay } from "../overlays.ts";

/** `ptep_clear_flush()` without its flush. */
const unflushed = (routine: string, into: "old" | "entry", at = "flush"): Overlay =>
  editing(routine, at, () => [
    callInto(local(into, desc), ptep_get_and_clear, {
      cpu: local("cpu", t.cpu),
      mm: local("mm", t.mm),
      va: local("va", t.va),
    }),
  ]);

/** Applies overlays from left to right. */
const all =
  (...overlays: readonly Overlay[]): Overlay =>
  (base) =>
    overlays.reduce((k, o) => o(k), base);

export const RMAP_OVERLAYS: readonly NamedOverlay[] = [
  {
    name: "unmap-unflushed",
    describes: "reclaim frees pages whose flush it has put off, without it",
    overlay: editing("try_to_unmap_flush", "flush", () => []),
  },
  {
    name: "unmap-io-unflushed",
    describes: "reclaim writes pages out whose flush it has put off, before it",
    overlay: editing("shrink_folio_list", "flush-dirty", () => []),
  },
  {
    name: "migrate-unflushed",
    describes: "migration copies a page whose flush it has put off, before it",
    overlay: editing("migrate_pages", "flush", () => []),
  },
  {
    name: "mkclean-unflushed",
    describes: "writeback makes entries clean and read-only, and does not flush them",
    overlay: unflushed("page_vma_mkclean_one", "entry"),
  },
  {
    name: "ksm-unflushed",
    describes: "KSM makes entries read-only, and does not flush them",
    overlay: unflushed("write_protect_page", "old"),
  },
  {
    name: "exclusive-unflushed",
    describes: "a page is given to a device alone, and its entries are not flushed",
    overlay: unflushed("page_make_device_exclusive_one", "old"),
  },
  {
    name: "migrate-vma-unflushed",
    describes: "a page moves to a device, and its entry is not flushed: before 60bae7370896",
    overlay: all(
      unflushed("migrate_vma_collect_pmd", "old", "flush-exclusive"),
      editing("migrate_vma_collect_pmd", "flush", () => []),
    ),
  },
  {
    name: "mprotect-races-reclaim",
    describes: "mprotect() waits for no flush that reclaim has put off: before 3ea277194daa",
    overlay: editing("change_pte_range", "batched", () => []),
  },
  {
    name: "zap-races-reclaim",
    describes: "munmap() and the like wait for no flush that reclaim has put off",
    overlay: editing("zap_pte_range", "batched", () => []),
  },
  {
    name: "batch-notifies-current",
    describes: "reclaim notifies for the mm of its own thread, which has none: linux-next of 2023",
    overlay: editing("arch_tlbbatch_add_pending", "flush", () => [
      call(dsb, { cpu: local("cpu", t.cpu), op: member(dsb_op, "ISHST") }),
      call(tlbi, {
        cpu: local("cpu", t.cpu),
        op: member(tlbi_op, "VALE1IS"),
        asid: asid_of(local("mm", t.mm)),
        range: Range.one(local("va", t.va)),
      }),
    ]),
  },
  {
    name: "batched-pending-dsb",
    describes: "who waits for reclaim's flushes issues a DSB alone: before 4b634918384c",
    overlay: editing("arch_flush_tlb_batched_pending", "flush", () => [
      call(dsb, {
        cpu: local("cpu", arch_flush_tlb_batched_pending.params.cpu),
        op: member(dsb_op, "ISH"),
      }),
    ]),
  },
];
