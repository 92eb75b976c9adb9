// SPDX-License-Identifier: Apache-2.0
// Cleaning a page wherever it is mapped, and giving it to a device alone: mm/rmap.c, 6.1 and 6.12.

import type { Expr, Place } from "../../ir/expr.ts";
import { add, and, eq, FALSE, not, num, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, call, callInto, emit, label, ret, set, when } from "../../ir/stmt.ts";
import { DBM, desc, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { Range, regionOf, t } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pmd_trans_huge,
  pte_dirty,
  pte_mkclean,
  pte_mkdirty,
  pte_mkold,
  pte_mkwrite,
  pte_present,
  pte_write,
  pte_wrprotect,
  set_pte_at,
} from "../asm/pgtable.ts";
import {
  entries_exclusive,
  entries_swapped,
  folio_mapcount,
  PG_dirty,
  page_refs,
  VM_SHARED,
  VM_WRITE,
  vma,
} from "../state.ts";
import {
  is_device_exclusive_entry,
  is_writable_entry,
  make_device_exclusive_entry,
} from "../swapops.ts";
import { FILE, isFilePage } from "./file-pages.ts";
import { folio_lock, folio_trylock, folio_unlock } from "./filemap.ts";
import { __split_huge_pmd, HUGE } from "./huge_memory.ts";
import { mmap_read_lock, mmap_read_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { put_page } from "./page_alloc.ts";
import { page_vma_mapped_walk, readEntry } from "./page_vma_mapped.ts";
import { ptep_clear_flush } from "./pgtable-generic.ts";
import { rmap_walk } from "./rmap.ts";

const file = "mm/rmap.c";
const one = { cpu: t.cpu, mm: t.mm, va: t.va, frame: t.pfn };

/** Makes every entry of a page clean and read-only; whether there was one that was not. */
export const folio_mkclean = declare("folio_mkclean", { cpu: t.cpu, frame: t.pfn }, t.bool);
export const page_vma_mkclean_one = declare("page_vma_mkclean_one", one, t.bool);
/** From here on a device alone uses the page, until a CPU's fault takes it back. */
export const make_device_exclusive_range = declare("make_device_exclusive_range", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
});
export const page_make_device_exclusive_one = declare("page_make_device_exclusive_one", one);
export const remove_device_exclusive_entry = declare("remove_device_exclusive_entry", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
  orig: desc,
});

/** What the page is written out as is what it is, unless an entry permits that it changes. */
export const copiedForGood = (
  frame: Expr<"pfn">,
  {
    writable,
    entry,
    upper,
  }: Record<"entry" | "upper", Place<"desc">> & {
    writable: Place<"bool">;
  },
): Stmt =>
  atomic(
    set(writable, FALSE),
    rmap_walk((mm, va) => [
      readEntry(entry, upper, mm, va),
      when(and(valid(entry), eq(pfnOf(entry), frame), DBM(entry)), set(writable, TRUE)),
    ]),
    when(not(writable), emit(events.page_copied, { frame })),
  );

const cleaning = [
  define(folio_mkclean, {
    source: {
      file,
      function: "folio_mkclean, page_mkclean_one",
      sha: { "6.1": "8e47fc3b34d8", "6.12": "8e47fc3b34d8" },
    },
    locals: { cleaned: t.bool, one: t.bool },
    body: ({ cpu, frame, cleaned, one: is }) => [
      set(cleaned, FALSE),
      label("mapped", when(FILE, when(eq(folio_mapcount(frame), num(0)), ret(FALSE)))),
      rmap_walk((mm, va) => [
        // invalid_mkclean_vma()
        when(
          or(not(FILE), VM_SHARED(mm, va)),
          callInto(is, page_vma_mkclean_one, { cpu, mm, va, frame }),
          when(is, set(cleaned, TRUE)),
        ),
      ]),
      ret(cleaned),
    ],
  }),
  define(page_vma_mkclean_one, {
    source: { file, sha: { "6.1": "96ce5d89cc11", "6.12": "3239d1b17a1f" } },
    abstracts: ["huge pages", "one call of the notifiers a place"],
    locals: { found: t.bool, entry: desc, upper: desc, cleaned: t.bool },
    body: ({ cpu, mm, va, frame, found, entry, upper, cleaned }) => [
      set(cleaned, FALSE),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame },
        ...{ sync: TRUE, migration: FALSE },
      }),
      when(
        found,
        set(entry, pte(mm, va)),
        when(
          or(pte_dirty(entry), pte_write(entry)),
          label("flush", callInto(entry, ptep_clear_flush, { cpu, mm, va })),
          call(set_pte_at, { ...{ cpu, mm, va }, entry: pte_mkclean(pte_wrprotect(entry)) }),
          set(cleaned, TRUE),
        ),
        call(spin_unlock_ptl, { mm }),
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
      // A fault may have made it writable again.
      when(
        cleaned,
        readEntry(entry, upper, mm, va),
        when(
          and(valid(entry), not(pte_write(entry))),
          emit(events.revoked, { mm, va, reads: FALSE }),
        ),
      ),
      ret(cleaned),
    ],
  }),
];

const exclusive = [
  define(make_device_exclusive_range, {
    source: {
      file,
      function: "make_device_exclusive_range, folio_make_device_exclusive",
      sha: { "6.1": "e206a3afbb60", "6.12": "e13f8488ed63" },
    },
    abstracts: [
      "the page's lock and reference, which the driver gives up when it is done",
      "FOLL_WRITE: pages that a fault would map, or copy, first",
    ],
    locals: { entry: desc, upper: desc, ok: t.bool },
    body: ({ cpu, mm, va, entry, upper, ok }) => [
      // Of the caller.
      call(mmap_read_lock, { mm }),
      label("vma", when(not(vma(mm, va)), call(mmap_read_unlock, { mm }), ret())),
      // get_user_pages_remote(), FOLL_SPLIT_PMD
      label(
        "split",
        when(
          HUGE,
          when(pmd_trans_huge(pmd(mm, regionOf(va))), call(__split_huge_pmd, { cpu, mm, va })),
        ),
      ),
      call(spin_lock_ptl, { mm }),
      readEntry(entry, upper, mm, va),
      when(pte_present(entry), set(page_refs(pfnOf(entry)), add(page_refs(pfnOf(entry)), num(1)))),
      call(spin_unlock_ptl, { mm }),
      when(not(pte_present(entry)), call(mmap_read_unlock, { mm }), ret()),
      // Of anonymous pages alone.
      when(
        isFilePage(pfnOf(entry)),
        ...[call(put_page, { frame: pfnOf(entry) }), call(mmap_read_unlock, { mm }), ret()],
      ),
      callInto(ok, folio_trylock, { frame: pfnOf(entry) }),
      when(
        ok,
        rmap_walk((m, a) => [
          call(page_make_device_exclusive_one, { ...{ cpu, mm: m, va: a }, frame: pfnOf(entry) }),
        ]),
        call(folio_unlock, { frame: pfnOf(entry) }),
      ),
      call(put_page, { frame: pfnOf(entry) }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(page_make_device_exclusive_one, {
    source: { file, sha: { "6.1": "3172c4d65629", "6.12": "375e1e37b8bd" } },
    locals: { found: t.bool, old: desc, entry: desc, upper: desc },
    body: ({ cpu, mm, va, frame, found, old, entry, upper }) => [
      set(entries_swapped(), TRUE),
      set(entries_exclusive(), TRUE),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame },
        ...{ sync: FALSE, migration: FALSE },
      }),
      when(
        found,
        set(old, pte(mm, va)),
        when(
          pte_present(old),
          label("flush", callInto(old, ptep_clear_flush, { cpu, mm, va })),
          when(pte_dirty(old), set(PG_dirty(frame), TRUE)),
          // The entry keeps the reference of the mapping.
          call(set_pte_at, {
            ...{ cpu, mm, va },
            entry: make_device_exclusive_entry(frame, pte_write(old)),
          }),
        ),
        call(spin_unlock_ptl, { mm }),
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
      when(
        found,
        readEntry(entry, upper, mm, va),
        when(
          and(is_device_exclusive_entry(entry), eq(pfnOf(entry), frame)),
          emit(events.revoked, { mm, va, reads: TRUE }),
        ),
      ),
    ],
  }),
  define(remove_device_exclusive_entry, {
    source: {
      file: "mm/memory.c",
      function: "remove_device_exclusive_entry, restore_exclusive_pte",
      sha: { "6.1": "238720e75bb7", "6.12": "c50043910731" },
    },
    locals: { frame: t.pfn, now: desc, entry: desc, refs: t.int },
    body: ({ cpu, mm, va, orig, frame, now, entry, refs }) => [
      set(frame, pfnOf(orig)),
      // folio_try_get()
      atomic(
        set(refs, page_refs(frame)),
        when(not(eq(refs, num(0))), set(page_refs(frame), add(refs, num(1)))),
      ),
      when(eq(refs, num(0)), ret()),
      call(folio_lock, { frame }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      call(spin_lock_ptl, { mm }),
      set(now, pte(mm, va)),
      when(
        eq(now, orig),
        set(entry, pte_mkold(mk_pte(frame))),
        when(
          is_writable_entry(orig),
          set(entry, pte_mkdirty(entry)),
          when(VM_WRITE(mm, va), set(entry, pte_mkwrite(entry))),
        ),
        call(set_pte_at, { ...{ cpu, mm, va }, entry }),
      ),
      call(spin_unlock_ptl, { mm }),
      call(folio_unlock, { frame }),
      call(put_page, { frame }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
    ],
  }),
];

export const rmap_walks = [...cleaning, ...exclusive];
