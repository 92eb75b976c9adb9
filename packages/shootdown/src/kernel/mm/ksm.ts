// SPDX-License-Identifier: Apache-2.0
// Merging a page with one of the same contents: mm/ksm.c, 6.1 and 6.12.

import { add, and, eq, FALSE, ne, not, num, or, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, call, callInto, emit, label, ret, set, when, whenElse } from "../../ir/stmt.ts";
import { desc, PTE_NONE, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pte_dirty,
  pte_mkclean,
  pte_present,
  pte_write,
  pte_wrprotect,
  set_pte_at,
} from "../asm/pgtable.ts";
import {
  gathers_nest,
  is_zero_page,
  PageAnonExclusive,
  PG_dirty,
  PG_swapcache,
  page_refs,
  tlb_flush_pending,
} from "../state.ts";
import { isFilePage } from "./file-pages.ts";
import { folio_trylock, folio_unlock } from "./filemap.ts";
import { mmap_read_lock, mmap_read_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { put_page } from "./page_alloc.ts";
import { page_vma_mapped_walk, readEntry } from "./page_vma_mapped.ts";
import { ptep_clear_flush, setPteAtNotify } from "./pgtable-generic.ts";

const file = "mm/ksm.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };

/** Maps `kpage` in place of the page at an address, if their contents are equal. */
export const cmp_and_merge_page = declare("cmp_and_merge_page", { ...at, kpage: t.pfn });
export const try_to_merge_one_page = declare("try_to_merge_one_page", {
  ...at,
  ...{ frame: t.pfn, kpage: t.pfn },
});
/** Nobody can write the page from here on; the entry that it has now, or none if it is in use. */
export const write_protect_page = declare("write_protect_page", { ...at, frame: t.pfn }, desc);
export const replace_page = declare("replace_page", {
  ...at,
  ...{ frame: t.pfn, kpage: t.pfn, orig: desc },
});

export const ksm = [
  define(cmp_and_merge_page, {
    source: { file, sha: { "6.1": "09a70ca5d4d2", "6.12": "d23ecf356e88" } },
    abstracts: ["which page of the stable tree has the same contents"],
    locals: { entry: desc, upper: desc, held: t.bool },
    body: ({ cpu, mm, va, kpage, entry, upper, held }) => [
      call(mmap_read_lock, { mm }),
      // follow_page()
      call(spin_lock_ptl, { mm }),
      readEntry(entry, upper, mm, va),
      when(
        and(valid(entry), not(is_zero_page(pfnOf(entry)))),
        set(page_refs(pfnOf(entry)), add(page_refs(pfnOf(entry)), num(1))),
      ),
      call(spin_unlock_ptl, { mm }),
      when(
        and(valid(entry), not(is_zero_page(pfnOf(entry)))),
        // A page of the stable tree that is still there, and then stays.
        atomic(
          set(held, ne(page_refs(kpage), num(0))),
          when(held, set(page_refs(kpage), add(page_refs(kpage), num(1)))),
        ),
        when(
          held,
          call(try_to_merge_one_page, { ...{ cpu, mm, va }, frame: pfnOf(entry), kpage }),
          call(put_page, { frame: kpage }),
        ),
        call(put_page, { frame: pfnOf(entry) }),
      ),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(try_to_merge_one_page, {
    source: { file, sha: { "6.1": "cfbb6e538913", "6.12": "3f3c82b71ba8" } },
    abstracts: ["a page whose contents differ after all"],
    locals: { ok: t.bool, orig: desc },
    body: ({ cpu, mm, va, frame, kpage, ok, orig }) => [
      when(eq(frame, kpage), ret()),
      when(or(isFilePage(frame), isFilePage(kpage)), ret()),
      callInto(ok, folio_trylock, { frame }),
      when(not(ok), ret()),
      callInto(orig, write_protect_page, { cpu, mm, va, frame }),
      when(
        pte_present(orig),
        // pages_identical(): what is written from here on is lost.
        label("compare", emit(events.page_copied, { frame })),
        call(replace_page, { ...{ cpu, mm, va }, frame, kpage, orig }),
      ),
      call(folio_unlock, { frame }),
    ],
  }),
  define(write_protect_page, {
    source: { file, sha: { "6.1": "41d358ee6a8a", "6.12": "f90828f0d42b" } },
    locals: { found: t.bool, entry: desc, flush: t.bool, old: desc, pending: t.int, refs: t.int },
    body: ({ cpu, mm, va, frame, found, entry, flush, old, pending, refs }) => [
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame },
        ...{ sync: FALSE, migration: FALSE },
      }),
      set(entry, PTE_NONE),
      when(
        found,
        set(entry, pte(mm, va)),
        set(flush, or(pte_write(entry), pte_dirty(entry))),
        label("exclusive", when(PageAnonExclusive(frame), set(flush, TRUE))),
        label(
          "pending",
          // mm_tlb_flush_pending(): somebody may write through an entry that is gone.
          set(gathers_nest(), TRUE),
          set(pending, tlb_flush_pending(mm)),
          when(ne(pending, num(0)), set(flush, TRUE)),
        ),
        when(
          flush,
          label("flush", callInto(old, ptep_clear_flush, { cpu, mm, va })),
          set(refs, page_refs(frame)),
          when(PG_swapcache(frame), set(refs, sub(refs, num(1)))),
          whenElse(
            // This mapping's, and KSM's own; more are of others, who may write it (O_DIRECT).
            eq(refs, num(2)),
            [
              set(PageAnonExclusive(frame), FALSE),
              when(pte_dirty(old), set(PG_dirty(frame), TRUE)),
              set(entry, pte_mkclean(pte_wrprotect(old))),
              ...setPteAtNotify({ cpu, mm, va }, entry),
            ],
            [call(set_pte_at, { ...{ cpu, mm, va }, entry: old }), set(entry, PTE_NONE)],
          ),
        ),
        call(spin_unlock_ptl, { mm }),
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
      ret(entry),
    ],
    abstracts: ["pages that are mapped more than once"],
  }),
  define(replace_page, {
    source: { file, sha: { "6.1": "93723b1f7c23", "6.12": "f776f3e95b3a" } },
    locals: { entry: desc, upper: desc },
    body: ({ cpu, mm, va, frame, kpage, orig, entry, upper }) => [
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      call(spin_lock_ptl, { mm }),
      readEntry(entry, upper, mm, va),
      when(
        eq(entry, orig),
        set(page_refs(kpage), add(page_refs(kpage), num(1))),
        label("flush", callInto(entry, ptep_clear_flush, { cpu, mm, va })),
        ...setPteAtNotify({ cpu, mm, va }, mk_pte(kpage)),
        call(put_page, { frame }),
      ),
      call(spin_unlock_ptl, { mm }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
    ],
  }),
];
