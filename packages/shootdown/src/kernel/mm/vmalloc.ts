// SPDX-License-Identifier: Apache-2.0
// Addresses of the kernel that come and go: mm/vmalloc.c, arch/arm64/mm/mmu.c, 6.1 and 6.12.
//
//   vfree ─► entries cleared, pages given back ─► lazy ─► one flush for many ─► addresses are free
//
// No secondary TLB hears of it: on arm64 none walks the kernel's tables (TTBR1, EPD1 of a CD).

import { and, FALSE, member, not, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import {
  atomic,
  await_,
  call,
  callInto,
  each,
  emit,
  grow,
  label,
  set,
  when,
} from "../../ir/stmt.ts";
import { desc, isTable, nextOf, PTE_NONE, pfnOf } from "../../vocabulary/descriptor.ts";
import { dsb_op, events, tlbi_op } from "../../vocabulary/events.ts";
import { dsb, isb, observe_stores, tlbi, xchg_pmd } from "../../vocabulary/primitives.ts";
import { EMPTY, Range, regionOf, t, va as vaSort, WHOLE_MM } from "../../vocabulary/sorts.ts";
import { asid_of, pmd, pte } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pte_mkdirty,
  pte_mkwrite,
  pte_none,
  pte_present,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import { vmap_lazy, vmap_purge_lock } from "../state.ts";
import { free_table, put_page } from "./page_alloc.ts";

const file = "mm/vmalloc.c";
const flushFile = "arch/arm64/include/asm/tlbflush.h";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };
const ISHST = member(dsb_op, "ISHST");
const ISH = member(dsb_op, "ISH");

/** Gives pages back and leaves the address to the next purge. */
export const vfree = declare("vfree", at);
/** Maps a page at an address, once that is free. */
export const vmap = declare("vmap", { ...at, frame: t.pfn });
/** Flushes all addresses that were given up, and makes them free. */
export const __purge_vmap_area_lazy = declare("__purge_vmap_area_lazy", {
  ...{ cpu: t.cpu, mm: t.mm },
});
/** A table of the kernel, of which nothing is mapped, makes place for a huge page. */
export const pmd_free_pte_page = declare("pmd_free_pte_page", at);
export const flush_tlb_kernel_range = declare("flush_tlb_kernel_range", {
  ...{ cpu: t.cpu, mm: t.mm, range: t.range },
});
export const __flush_tlb_kernel_pgtable = declare("__flush_tlb_kernel_pgtable", at);

export const vmalloc = [
  define(vfree, {
    source: {
      file,
      function: "vfree, free_unmap_vmap_area, free_vmap_area_noflush, vunmap_pte_range",
      sha: { "6.1": "ed7607d2da13", "6.12": "34a980935f91" },
    },
    abstracts: ["an area of one page", "CONFIG_DEBUG_PAGEALLOC, which flushes at once"],
    locals: { old: desc },
    body: ({ cpu, mm, va, old }) => [
      callInto(old, ptep_get_and_clear, { cpu, mm, va }),
      set(vmap_lazy(va), TRUE),
      when(pte_present(old), call(put_page, { frame: pfnOf(old) })),
    ],
  }),
  define(vmap, {
    source: {
      file,
      function: "vmap_pages_pte_range",
      sha: { "6.1": "18521ed05bc2", "6.12": "212f44a79b52" },
    },
    abstracts: ["alloc_vmap_area(): it purges when no other address is left"],
    body: ({ cpu, mm, va, frame }) => [
      when(vmap_lazy(va), call(__purge_vmap_area_lazy, { cpu, mm })),
      when(
        and(not(vmap_lazy(va)), pte_none(pte(mm, va))),
        call(set_pte_at, { cpu, mm, va, entry: pte_mkwrite(pte_mkdirty(mk_pte(frame))) }),
        // __set_pte(), of a valid entry of the kernel
        call(dsb, { cpu, op: ISHST }),
        call(isb, { cpu }),
      ),
    ],
  }),
  define(__purge_vmap_area_lazy, {
    source: { file, sha: { "6.1": "e37ebbe1d682", "6.12": "a6eedf4aae8c" } },
    locals: { range: t.range },
    body: ({ cpu, mm, range }) => [
      atomic(
        await_(not(vmap_purge_lock())),
        set(vmap_purge_lock(), TRUE),
        // Who put an address into the list had cleared its entry before.
        call(observe_stores, { cpu }),
      ),
      set(range, EMPTY),
      each(vaSort, WHOLE_MM, (va) => [when(vmap_lazy(va), grow(range, va))]),
      label(
        "flush",
        when(not(Range.empty(range)), call(flush_tlb_kernel_range, { cpu, mm, range })),
      ),
      each(vaSort, range, (va) => [
        when(
          vmap_lazy(va),
          emit(events.revoked, { mm, va, reads: TRUE }),
          set(vmap_lazy(va), FALSE),
        ),
      ]),
      set(vmap_purge_lock(), FALSE),
    ],
  }),
  define(pmd_free_pte_page, {
    source: { file: "arch/arm64/mm/mmu.c", sha: { "6.1": "c8664948b5c9", "6.12": "c8664948b5c9" } },
    abstracts: ["the huge page that is mapped then"],
    locals: { old: desc },
    body: ({ cpu, mm, va, old }) => [
      set(old, pmd(mm, regionOf(va))),
      when(
        isTable(old),
        callInto(old, xchg_pmd, { cpu, mm, region: regionOf(va), value: PTE_NONE }),
        label("flush", call(__flush_tlb_kernel_pgtable, { cpu, mm, va })),
        call(free_table, { table: nextOf(old) }),
      ),
    ],
  }),
  define(flush_tlb_kernel_range, {
    source: { file: flushFile, sha: { "6.1": "8bf192951fc9", "6.12": "43952d26cec0" } },
    abstracts: ["from MAX_DVM_OPS pages on flush_tlb_all()"],
    body: ({ cpu, mm, range }) => [
      call(dsb, { cpu, op: ISHST }),
      call(tlbi, { cpu, op: member(tlbi_op, "VAALE1IS"), asid: asid_of(mm), range }),
      call(dsb, { cpu, op: ISH }),
      call(isb, { cpu }),
    ],
  }),
  define(__flush_tlb_kernel_pgtable, {
    source: { file: flushFile, sha: { "6.1": "e269715bae4d", "6.12": "e269715bae4d" } },
    body: ({ cpu, mm, va }) => [
      call(dsb, { cpu, op: ISHST }),
      call(tlbi, {
        ...{ cpu, op: member(tlbi_op, "VAAE1IS"), asid: asid_of(mm), range: Range.one(va) },
      }),
      call(dsb, { cpu, op: ISH }),
      call(isb, { cpu }),
    ],
  }),
];
