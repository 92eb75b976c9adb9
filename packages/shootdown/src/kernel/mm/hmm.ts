// SPDX-License-Identifier: Apache-2.0
// Faults of a device that mirrors an mm: mm/hmm.c, mm/mmu_notifier.c, 6.1 and 6.12; and its driver.

import { FALSE, not, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import {
  again,
  atomic,
  await_,
  call,
  callInto,
  label,
  leave,
  loop,
  ret,
  set,
  when,
} from "../../ir/stmt.ts";
import { desc, leaf, PTE_NONE, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { shadow_pte, shadow_tlbi } from "../../vocabulary/shadow.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { pte_write } from "../asm/pgtable.ts";
import { interval_invalidating, invalidate_seq_moved } from "../shadow-state.ts";
import { faultable, grants, lookedUp } from "../virt/hva_to_pfn.ts";
import { lock, unlock } from "../virt/kvm_main.ts";
import { handle_mm_fault } from "./memory.ts";
import { mmap_read_lock, mmap_read_unlock } from "./mmap_lock.ts";
import { driver } from "./mmu_interval.ts";

const file = "mm/mmu_notifier.c";
const at = { cpu: t.cpu, dev: t.dev, mm: t.mm, va: t.va, write: t.bool };

/** Waits until no invalidation is under way, and takes the sequence number. */
export const mmu_interval_read_begin = declare("mmu_interval_read_begin", { dev: t.dev });
/** The mm's entry of a page, faulted in if need be; nobody holds the page. */
export const hmm_range_fault = declare(
  "hmm_range_fault",
  { cpu: t.cpu, mm: t.mm, va: t.va, write: t.bool },
  desc,
);
/** Its handler of faults. */
export const driver_fault = declare("driver_fault", at, t.bool);

export const hmm = [
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
  define(driver_fault, {
    source: driver,
    abstracts: ["one fault of a device at a time"],
    locals: { entry: desc, old: desc },
    body: ({ cpu, dev, mm, va, write, entry, old }) => [
      loop(
        label("begin", call(mmu_interval_read_begin, { dev })),
        label("lookup", callInto(entry, hmm_range_fault, { cpu, mm, va, write })),
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
