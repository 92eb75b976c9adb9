// SPDX-License-Identifier: Apache-2.0
// A guest's stage 2: arch/arm64/kvm/mmu.c, 6.1 and 6.12.

import type { Expr } from "../../../../ir/expr.ts";
import { FALSE, not, TRUE } from "../../../../ir/expr.ts";
import { declare, define } from "../../../../ir/machine.ts";
import { call, callInto, each, label, ret, set, when } from "../../../../ir/stmt.ts";
import { desc, leaf, PTE_NONE, pfnOf, valid } from "../../../../vocabulary/descriptor.ts";
import { shadow_pte, shadow_tlbi } from "../../../../vocabulary/shadow.ts";
import { Range, t, va as vaSort } from "../../../../vocabulary/sorts.ts";
import { pte_write } from "../../../asm/pgtable.ts";
import { mmap_read_lock, mmap_read_unlock } from "../../../mm/mmap_lock.ts";
import { put_page } from "../../../mm/page_alloc.ts";
import { invalidate_seq_moved } from "../../../shadow-state.ts";
import { is_zero_page, vma } from "../../../state.ts";
import { hva_to_pfn } from "../../../virt/hva_to_pfn.ts";
import {
  kvm_set_spte_gfn,
  kvm_unmap_gfn_range,
  lock,
  mmuInvalidateRetry,
  unlock,
} from "../../../virt/kvm_main.ts";

const file = "arch/arm64/kvm/mmu.c";

/** A fault at stage 2; false: the guest is stopped with an error. */
export const user_mem_abort = declare(
  "user_mem_abort",
  { cpu: t.cpu, dev: t.dev, mm: t.mm, va: t.va, write: t.bool },
  t.bool,
);

/** An entry of a device's own table for a page of the mm. */
export const shadowLeaf = (frame: Expr<"pfn">, writable: Expr<"bool">) =>
  leaf(frame, { RDONLY: not(writable), DBM: writable, DIRTY: writable, AF: TRUE });

export const kvm_mmu = [
  define(kvm_unmap_gfn_range, {
    source: {
      file,
      function: "kvm_unmap_gfn_range, __unmap_stage2_range",
      sha: { "6.1": "b2fb4f9225f1", "6.12": "9a3ff1f14e62" },
    },
    abstracts: ["6.12 may flush a range at once, at its end"],
    body: ({ dev, range }) => [
      each(vaSort, range, (va) => [
        when(
          valid(shadow_pte(dev, va)),
          set(shadow_pte(dev, va), PTE_NONE),
          label("flush", call(shadow_tlbi, { dev, range: Range.one(va) })),
        ),
      ]),
    ],
  }),
  define(kvm_set_spte_gfn, {
    source: { file, sha: { "6.1": "feb5c366855f" } },
    kernels: "..6.10",
    body: ({ dev, va, frame }) => [set(shadow_pte(dev, va), shadowLeaf(frame, FALSE))],
  }),
  define(user_mem_abort, {
    source: { file, sha: { "6.1": "7d8048c86c2e", "6.12": "047e942aeca9" } },
    abstracts: ["dirty logging, MTE, nested guests", "huge pages are mapped page by page"],
    locals: { entry: desc, old: desc },
    body: ({ cpu, dev, mm, va, write, entry, old }) => [
      call(mmap_read_lock, { mm }),
      when(not(vma(mm, va)), call(mmap_read_unlock, { mm }), ret(FALSE)),
      label("seq", set(invalidate_seq_moved(dev), FALSE)),
      call(mmap_read_unlock, { mm }),
      label("lookup", callInto(entry, hva_to_pfn, { cpu, mm, va, write })),
      when(not(valid(entry)), ret(FALSE)),
      lock(dev),
      label(
        "retry",
        when(
          mmuInvalidateRetry(dev),
          unlock(dev),
          when(not(is_zero_page(pfnOf(entry))), call(put_page, { frame: pfnOf(entry) })),
          ret(TRUE),
        ),
      ),
      set(old, shadow_pte(dev, va)),
      label("map", set(shadow_pte(dev, va), shadowLeaf(pfnOf(entry), pte_write(entry)))),
      // kvm_pgtable_stage2_relax_perms(), or a mapping that gives way.
      label("relax", when(valid(old), call(shadow_tlbi, { dev, range: Range.one(va) }))),
      unlock(dev),
      when(not(is_zero_page(pfnOf(entry))), call(put_page, { frame: pfnOf(entry) })),
      ret(TRUE),
    ],
  }),
];
