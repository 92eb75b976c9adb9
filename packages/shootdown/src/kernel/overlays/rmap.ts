// SPDX-License-Identifier: Apache-2.0
// Overlays of the reverse map: reclaim, migration and others that unmap a page everywhere.

import { local, member } from "../../ir/expr.ts";
import { editing } from "../../ir/kernel.ts";
import { call } from "../../ir/stmt.ts";
import { dsb_op } from "../../vocabulary/events.ts";
import { dsb } from "../../vocabulary/primitives.ts";
import { arch_flush_tlb_batched_pending } from "../asm/tlbflush.ts";
import type { NamedOverlay } from "../overlays.ts";

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
