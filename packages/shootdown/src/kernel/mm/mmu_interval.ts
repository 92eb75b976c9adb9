// SPDX-License-Identifier: Apache-2.0
// Interval notifiers: mm/mmu_notifier.c, mm/hmm.c, 6.1 and 6.12; and a driver that mirrors an mm.
//
//   start   under the driver's lock: set_seq, zap, flush       a fault: read_begin, hmm_range_fault,
//   end     the last one lets read_begin pass                  lock, read_retry, map, unlock

import type { Expr } from "../../ir/expr.ts";
import { add, eq, FALSE, not, num, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import {
  again,
  atomic,
  await_,
  call,
  callInto,
  each,
  forall,
  label,
  leave,
  loop,
  ret,
  set,
  when,
} from "../../ir/stmt.ts";
import { desc, leaf, PTE_NONE, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { shadow_pte, shadow_tlbi } from "../../vocabulary/shadow.ts";
import { Range, t, va as vaSort } from "../../vocabulary/sorts.ts";
import { pte_write } from "../asm/pgtable.ts";
import {
  active_invalidate_ranges,
  interval_invalidating,
  invalidate_seq_moved,
  mirrors_mm,
} from "../shadow-state.ts";
import { dev_mm } from "../state.ts";
import { faultable, grants, lock, lookedUp, unlock } from "../virt/kvm_main.ts";
import { handle_mm_fault } from "./memory.ts";
import { mmap_read_lock, mmap_read_unlock } from "./mmap_lock.ts";

const file = "mm/mmu_notifier.c";
const at = { cpu: t.cpu, dev: t.dev, mm: t.mm, va: t.va, write: t.bool };

export const mn_itree_invalidate = declare("mn_itree_invalidate", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
});
export const mn_itree_inv_end = declare("mn_itree_inv_end", { mm: t.mm });
/** Waits until no invalidation is under way, and takes the sequence number. */
export const mmu_interval_read_begin = declare("mmu_interval_read_begin", { dev: t.dev });
/** The mm's entry of a page, faulted in if need be; nobody holds the page. */
export const hmm_range_fault = declare(
  "hmm_range_fault",
  { cpu: t.cpu, mm: t.mm, va: t.va, write: t.bool },
  desc,
);
/** `.invalidate` of a driver that keeps a table and a TLB of its own. */
export const driver_invalidate = declare("driver_invalidate", { dev: t.dev, range: t.range });
/** Its handler of faults. */
export const driver_fault = declare("driver_fault", at, t.bool);

/** For each driver that mirrors an mm. */
const mirrors = (mm: Expr<"mm">, body: (dev: Expr<"dev">) => Stmt[]): Stmt =>
  forall(t.dev, (dev) => [when(mirrors_mm(dev), when(eq(dev_mm(dev), mm), ...body(dev)))]);

const driver = { file: "a driver, after Documentation/mm/hmm.rst" };

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
  define(mmu_interval_read_begin, {
    source: { file, sha: { "6.1": "78c0329f1ac2", "6.12": "318aa771da90" } },
    abstracts: ["a sequence number that is old when the wait ends makes one more round"],
    body: ({ dev }) => [
      label(
        "begin",
        atomic(await_(not(interval_invalidating(dev))), set(invalidate_seq_moved(dev), FALSE)),
      ),
    ],
  }),
  define(hmm_range_fault, {
    source: { file: "mm/hmm.c", sha: { "6.1": "02f889bc3863", "6.12": "02f889bc3863" } },
    abstracts: ["entries that stand for something else than a page"],
    locals: { entry: desc, upper: desc },
    body: ({ cpu, mm, va, write, entry, upper }) => [
      call(mmap_read_lock, { mm }),
      loop(
        when(not(faultable(mm, va, write)), set(entry, PTE_NONE), leave()),
        ...lookedUp(mm, va, { entry, upper }),
        when(grants(entry, write), leave()),
        call(handle_mm_fault, { cpu, mm, va, write }),
      ),
      call(mmap_read_unlock, { mm }),
      ret(entry),
    ],
  }),
  define(driver_invalidate, {
    source: driver,
    body: ({ dev, range }) => [
      label("lock", lock(dev)),
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
  define(driver_fault, {
    source: driver,
    abstracts: ["one fault of a device at a time"],
    locals: { entry: desc, old: desc },
    body: ({ cpu, dev, mm, va, write, entry, old }) => [
      loop(
        call(mmu_interval_read_begin, { dev }),
        callInto(entry, hmm_range_fault, { cpu, mm, va, write }),
        when(not(valid(entry)), ret(FALSE)),
        lock(dev),
        // mmu_interval_read_retry()
        label("retry", when(invalidate_seq_moved(dev), unlock(dev), again())),
        set(old, shadow_pte(dev, va)),
        set(
          shadow_pte(dev, va),
          leaf(pfnOf(entry), {
            RDONLY: not(pte_write(entry)),
            DBM: pte_write(entry),
            DIRTY: pte_write(entry),
            AF: TRUE,
          }),
        ),
        when(valid(old), call(shadow_tlbi, { dev, range: Range.one(va) })),
        unlock(dev),
        leave(),
      ),
      ret(TRUE),
    ],
  }),
];
