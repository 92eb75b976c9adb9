// SPDX-License-Identifier: Apache-2.0
// The page behind an address of a guest: virt/kvm/kvm_main.c, 6.1 and 6.12.

import type { Expr, Place } from "../../ir/expr.ts";
import { add, and, not, num, or } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { call, leave, loop, ret, set, when, whenElse } from "../../ir/stmt.ts";
import { BLOCKS, isBlock, pieceOf } from "../../vocabulary/blocks.ts";
import { desc, isTable, PTE_NONE, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import { pte_write } from "../asm/pgtable.ts";
import { handle_mm_fault } from "../mm/memory.ts";
import {
  mmap_read_lock,
  mmap_read_unlock,
  spin_lock_ptl,
  spin_unlock_ptl,
} from "../mm/mmap_lock.ts";
import { is_zero_page, mm_alive, page_refs, VM_NONE, VM_WRITE, vma } from "../state.ts";

const file = "virt/kvm/kvm_main.c";

/** The mm's entry of a page, faulted in if need be, a reference held; none: there is no page. */
export const hva_to_pfn = declare(
  "hva_to_pfn",
  { cpu: t.cpu, mm: t.mm, va: t.va, write: t.bool },
  desc,
);

/** Whether the mm is there and lets a fault be handled. */
export const faultable = (mm: Expr<"mm">, va: Expr<"va">, write: Expr<"bool">): Expr<"bool"> =>
  and(mm_alive(mm), vma(mm, va), not(VM_NONE(mm, va)), or(not(write), VM_WRITE(mm, va)));

/** The mm's leaf for a page. */
export const lookedUp = (
  mm: Expr<"mm">,
  va: Expr<"va">,
  { entry, upper }: { readonly entry: Place<"desc">; readonly upper: Place<"desc"> },
): Stmt[] => [
  set(upper, pmd(mm, regionOf(va))),
  set(entry, PTE_NONE),
  whenElse(
    isTable(upper),
    [set(entry, pte(mm, va))],
    [when(and(BLOCKS, isBlock(upper)), set(entry, pieceOf(upper, va)))],
  ),
];

/** Whether whoever has been given this leaf may do what it asks for. */
export const grants = (entry: Expr<"desc">, write: Expr<"bool">): Expr<"bool"> =>
  and(valid(entry), or(not(write), pte_write(entry)));

export const kvm_pages = [
  define(hva_to_pfn, {
    source: { file, sha: { "6.1": "1ac38322d46c", "6.12": "cf98a927cce0" } },
    abstracts: ["get_user_pages_fast() looks under the page-table lock"],
    locals: { entry: desc, upper: desc },
    body: ({ cpu, mm, va, write, entry, upper }) => [
      loop(
        call(spin_lock_ptl, { mm }),
        ...lookedUp(mm, va, { entry, upper }),
        when(
          grants(entry, write),
          when(
            not(is_zero_page(pfnOf(entry))),
            set(page_refs(pfnOf(entry)), add(page_refs(pfnOf(entry)), num(1))),
          ),
          call(spin_unlock_ptl, { mm }),
          leave(),
        ),
        call(spin_unlock_ptl, { mm }),
        call(mmap_read_lock, { mm }),
        when(not(faultable(mm, va, write)), call(mmap_read_unlock, { mm }), ret(PTE_NONE)),
        call(handle_mm_fault, { cpu, mm, va, write }),
        call(mmap_read_unlock, { mm }),
      ),
      ret(entry),
    ],
  }),
];
