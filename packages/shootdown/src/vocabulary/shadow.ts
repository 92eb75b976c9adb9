// SPDX-License-Identifier: Apache-2.0
// Devices with a page table of their own, which software keeps like that of an mm: a guest's
// stage 2, or the tables of a GPU. They are told by invalidate_range_start() and -end().
//
//   pte_table ──software──► shadow_pte[dev, va] ──fill──► shadow_tlb[dev, va] ──► access

import { field } from "../ir/expr.ts";
import { declare } from "../ir/machine.ts";
import { desc } from "./descriptor.ts";
import { t } from "./sorts.ts";

/** Entries of a device's own page table, by the address in the mm that they stand for. */
export const shadow_pte = field("shadow_pte", [t.dev, t.va], desc);

/** A guest or device reads or writes through its own page table. */
export const shadow_access = declare("shadow_access", {
  dev: t.dev,
  agent: t.agent,
  mm: t.mm,
  worker: t.cpu,
  va: t.va,
  write: t.bool,
});
/** The handler of a fault in such a table; false: the access is aborted. */
export const handle_shadow_fault = declare(
  "handle_shadow_fault",
  { cpu: t.cpu, dev: t.dev, mm: t.mm, va: t.va, write: t.bool },
  t.bool,
);
/** Invalidates what the device's TLB has of a range, and waits until nobody uses it. */
export const shadow_tlbi = declare("shadow_tlbi", { dev: t.dev, range: t.range });
