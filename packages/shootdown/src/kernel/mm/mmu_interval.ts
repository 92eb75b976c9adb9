// SPDX-License-Identifier: Apache-2.0
// Interval notifiers: mm/mmu_notifier.c, mm/hmm.c, 6.1 and 6.12; and a driver that mirrors an mm.
//
//   start   under the driver's lock: set_seq, zap, flush   a fault: read_begin, hmm_range_fault,
//   end     the last one lets read_begin pass              lock, read_retry, map, unlock

import type { Expr } from "../../ir/expr.ts";
import { add, eq, FALSE, num, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, call, each, forall, label, set, when } from "../../ir/stmt.ts";
import { PTE_NONE, valid } from "../../vocabulary/descriptor.ts";
import { shadow_pte, shadow_tlbi } from "../../vocabulary/shadow.ts";
import { t, va as vaSort } from "../../vocabulary/sorts.ts";
import {
  active_invalidate_ranges,
  interval_invalidating,
  invalidate_seq_moved,
  mirrors_mm,
} from "../shadow-state.ts";
import { dev_mm } from "../state.ts";
import { lock, unlock } from "../virt/kvm_main.ts";

const file = "mm/mmu_notifier.c";

export const mn_itree_invalidate = declare("mn_itree_invalidate", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
});
export const mn_itree_inv_end = declare("mn_itree_inv_end", { mm: t.mm });
/** `.invalidate` of a driver that keeps a table and a TLB of its own. */
export const driver_invalidate = declare("driver_invalidate", { dev: t.dev, range: t.range });

/** For each driver that mirrors an mm. */
const mirrors = (mm: Expr<"mm">, body: (dev: Expr<"dev">) => Stmt[]): Stmt =>
  forall(t.dev, (dev) => [when(mirrors_mm(dev), when(eq(dev_mm(dev), mm), ...body(dev)))]);

export const driver = { file: "a driver, after Documentation/mm/hmm.rst" };

export const mmu_interval = [
  define(mn_itree_invalidate, {
    source: {
      file,
      function: "mn_itree_inv_start_range, mn_itree_invalidate",
      sha: { "6.1": "1a20826a1299", "6.12": "1a20826a1299" },
    },
    abstracts: ["an interval is the whole mm", "callers that must not block"],
    body: ({ mm, range }) => [
      set(active_invalidate_ranges(mm), add(active_invalidate_ranges(mm), num(1))),
      mirrors(mm, (dev) => [call(driver_invalidate, { dev, range })]),
    ],
  }),
  define(mn_itree_inv_end, {
    source: { file, sha: { "6.1": "e72fc30b1fd6", "6.12": "e72fc30b1fd6" } },
    body: ({ mm }) => [
      atomic(
        set(active_invalidate_ranges(mm), sub(active_invalidate_ranges(mm), num(1))),
        when(
          eq(active_invalidate_ranges(mm), num(0)),
          mirrors(mm, (dev) => [set(interval_invalidating(dev), FALSE)]),
        ),
      ),
    ],
  }),
  define(driver_invalidate, {
    source: driver,
    body: ({ dev, range }) => [
      lock(dev),
      // mmu_interval_set_seq(): one store says both.
      label(
        "seq",
        atomic(set(invalidate_seq_moved(dev), TRUE), set(interval_invalidating(dev), TRUE)),
      ),
      each(vaSort, range, (va) => [
        when(valid(shadow_pte(dev, va)), label("zap", set(shadow_pte(dev, va), PTE_NONE))),
      ]),
      label("flush", call(shadow_tlbi, { dev, range })),
      label("unlock", unlock(dev)),
    ],
  }),
];
