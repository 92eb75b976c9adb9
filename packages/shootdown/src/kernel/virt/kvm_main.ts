// SPDX-License-Identifier: Apache-2.0
// KVM's mmu notifier: virt/kvm/kvm_main.c, 6.1 and 6.12.
//
//   start   mmu_lock, in_progress++, unmap and flush, unlock      a fault: seq, page, mmu_lock,
//   end     mmu_lock, seq++, in_progress--, unlock                retry if either has moved, map

import type { Expr } from "../../ir/expr.ts";
import { add, eq, FALSE, ne, not, num, or, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, await_, call, each, forall, label, ret, set, when } from "../../ir/stmt.ts";
import { AF, desc, pfnOf } from "../../vocabulary/descriptor.ts";
import { shadow_pte, shadow_tlbi } from "../../vocabulary/shadow.ts";
import { t, va as vaSort, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { pte_mkold } from "../asm/pgtable.ts";
import {
  invalidate_seq_moved,
  kvm_guest,
  mmu_invalidate_in_progress,
  mmu_lock,
} from "../shadow-state.ts";
import { dev_mm } from "../state.ts";

const file = "virt/kvm/kvm_main.c";
const ranged = { cpu: t.cpu, mm: t.mm, range: t.range };

export const kvm_mmu_notifier_invalidate_range_start = declare(
  "kvm_mmu_notifier_invalidate_range_start",
  ranged,
);
export const kvm_mmu_notifier_invalidate_range_end = declare(
  "kvm_mmu_notifier_invalidate_range_end",
  ranged,
);
/** Until 6.9. */
export const kvm_mmu_notifier_change_pte = declare("kvm_mmu_notifier_change_pte", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
  entry: desc,
});
export const kvm_mmu_notifier_clear_flush_young = declare(
  "kvm_mmu_notifier_clear_flush_young",
  ranged,
  t.bool,
);
export const kvm_mmu_notifier_release = declare("kvm_mmu_notifier_release", {
  cpu: t.cpu,
  mm: t.mm,
});
/** Architectures': takes entries out of a guest's table. */
export const kvm_unmap_gfn_range = declare("kvm_unmap_gfn_range", { dev: t.dev, range: t.range });
/** Architectures': maps a page where one was unmapped, for reading. */
export const kvm_set_spte_gfn = declare("kvm_set_spte_gfn", {
  dev: t.dev,
  va: t.va,
  frame: t.pfn,
});
export const kvm_flush_remote_tlbs = declare("kvm_flush_remote_tlbs", { dev: t.dev });

/** With a label: what stands before it is outside of the atomic step that takes the lock. */
export const lock = (dev: Expr<"dev">): Stmt =>
  label("lock", atomic(await_(not(mmu_lock(dev))), set(mmu_lock(dev), TRUE)));
export const unlock = (dev: Expr<"dev">): Stmt => set(mmu_lock(dev), FALSE);

/** For each guest of an mm. */
const guests = (mm: Expr<"mm">, body: (dev: Expr<"dev">) => Stmt[]): Stmt =>
  forall(t.dev, (dev) => [when(kvm_guest(dev), when(eq(dev_mm(dev), mm), ...body(dev)))]);

/** mmu_invalidate_retry(). */
export const mmuInvalidateRetry = (dev: Expr<"dev">): Expr<"bool"> =>
  or(ne(mmu_invalidate_in_progress(dev), num(0)), invalidate_seq_moved(dev));

export const kvm_main = [
  define(kvm_mmu_notifier_invalidate_range_start, {
    source: {
      file,
      function:
        "kvm_mmu_notifier_invalidate_range_start, kvm_mmu_invalidate_begin, __kvm_handle_hva_range",
      sha: { "6.1": "44594efab56c", "6.12": "3a332aabc520" },
    },
    abstracts: ["memory slots: a guest's address is that of its mm", "pfn caches"],
    body: ({ mm, range }) => [
      guests(mm, (dev) => [
        lock(dev),
        label(
          "begin",
          set(mmu_invalidate_in_progress(dev), add(mmu_invalidate_in_progress(dev), num(1))),
        ),
        label("unmap", call(kvm_unmap_gfn_range, { dev, range })),
        unlock(dev),
      ]),
    ],
  }),
  define(kvm_mmu_notifier_invalidate_range_end, {
    source: {
      file,
      function: "kvm_mmu_notifier_invalidate_range_end, kvm_mmu_invalidate_end",
      sha: { "6.1": "150f6896c098", "6.12": "84d5a8205b5f" },
    },
    body: ({ mm }) => [
      guests(mm, (dev) => [
        lock(dev),
        label("seq", set(invalidate_seq_moved(dev), TRUE)),
        label(
          "end",
          set(mmu_invalidate_in_progress(dev), sub(mmu_invalidate_in_progress(dev), num(1))),
        ),
        unlock(dev),
      ]),
    ],
  }),
  define(kvm_mmu_notifier_change_pte, {
    source: { file, sha: { "6.1": "cf334a5eba38" } },
    kernels: "..6.10",
    body: ({ mm, va, entry }) => [
      guests(mm, (dev) => [
        when(
          ne(mmu_invalidate_in_progress(dev), num(0)),
          lock(dev),
          label("map", call(kvm_set_spte_gfn, { dev, va, frame: pfnOf(entry) })),
          unlock(dev),
        ),
      ]),
    ],
  }),
  define(kvm_mmu_notifier_clear_flush_young, {
    source: { file, sha: { "6.1": "25091eca5b78", "6.12": "3770e1dbb669" } },
    locals: { young: t.bool, used: t.bool },
    body: ({ mm, range, young, used }) => [
      set(used, FALSE),
      guests(mm, (dev) => [
        lock(dev),
        set(young, FALSE),
        each(vaSort, range, (va) => [
          // kvm_age_gfn()
          when(
            AF(shadow_pte(dev, va)),
            set(shadow_pte(dev, va), pte_mkold(shadow_pte(dev, va))),
            set(young, TRUE),
          ),
        ]),
        label("flush", when(young, call(kvm_flush_remote_tlbs, { dev }))),
        unlock(dev),
        when(young, set(used, TRUE)),
      ]),
      ret(used),
    ],
  }),
  define(kvm_mmu_notifier_release, {
    source: { file, sha: { "6.1": "35e2f78e935a", "6.12": "35e2f78e935a" } },
    abstracts: [
      "kvm_arch_flush_shadow_all() takes entries out one by one, as 6.12 on arm64 does not",
    ],
    body: ({ mm }) => [
      guests(mm, (dev) => [
        lock(dev),
        call(kvm_unmap_gfn_range, { dev, range: WHOLE_MM }),
        unlock(dev),
      ]),
    ],
  }),
  define(kvm_flush_remote_tlbs, {
    source: { file, sha: { "6.1": "e93e49d2c2f2", "6.12": "bf301bd5433f" } },
    body: ({ dev }) => [call(shadow_tlbi, { dev, range: WHOLE_MM })],
  }),
];
