// SPDX-License-Identifier: Apache-2.0
// Pages that move into the memory of a device and back: mm/migrate_device.c, 6.1 and 6.12.
//
//   collect: migration entries, flushed under the lock ──► copy ──► device-private entries

import { add, and, eq, FALSE, not, num, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import {
  atomic,
  call,
  callInto,
  emit,
  label,
  ret,
  set,
  since,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import { desc, isTable, PTE_NONE, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { Range, regionOf, t } from "../../vocabulary/sorts.ts";
import { pmd, pte } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pmd_trans_huge,
  pte_dirty,
  pte_mkdirty,
  pte_mkwrite,
  pte_none,
  pte_present,
  ptep_get_and_clear,
  set_pte_at,
} from "../asm/pgtable.ts";
import { flush_tlb_range } from "../asm/tlbflush.ts";
import {
  entries_swapped,
  is_device_private,
  is_zero_page,
  PageAnonExclusive,
  PG_dirty,
  page_refs,
  VM_WRITE,
  vma,
} from "../state.ts";
import { is_writable_entry, make_device_private_entry, make_migration_entry } from "../swapops.ts";
import { isFilePlace } from "./file-pages.ts";
import { folio_trylock, folio_unlock } from "./filemap.ts";
import { __pte_alloc, __split_huge_pmd, HUGE } from "./huge_memory.ts";
import { migrate_folio, remove_migration_ptes } from "./migrate.ts";
import { mmap_read_lock, mmap_read_unlock, spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_only_end,
  mmu_notifier_invalidate_range_start,
} from "./mmu_notifier.ts";
import { alloc_page, put_page } from "./page_alloc.ts";
import { readEntry } from "./page_vma_mapped.ts";
import { ptep_clear_flush, ptep_clear_flush_notify, setPteAtNotify } from "./pgtable-generic.ts";
import { try_to_migrate } from "./rmap.ts";
import { stableOr } from "./stable.ts";

const file = "mm/migrate_device.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };

/** What a driver does with one page: migrate_vma_setup(), its copy, _pages() and _finalize(). */
export const migrate_vma = declare("migrate_vma", at);
/** Puts a migration entry in place of a mapping; the page, with a reference and locked. */
export const migrate_vma_collect_pmd = declare("migrate_vma_collect_pmd", at, desc);
/** Where there was no page, or the zero page. */
export const migrate_vma_insert_page = declare("migrate_vma_insert_page", {
  ...at,
  frame: t.pfn,
});
/** The driver's: a CPU has touched a page that the device has. */
export const migrate_to_ram = declare("migrate_to_ram", { ...at, orig: desc });

export const migrate_device = [
  define(migrate_vma, {
    source: {
      file,
      function: "migrate_vma_setup, migrate_device_unmap, migrate_vma_finalize",
      sha: { "6.1": "a9df2a4ff8f2", "6.12": "6b6f202d912f" },
    },
    abstracts: ["one page", "the driver's own use of the page", "files, whose pages go back"],
    locals: { old: desc, dst: t.pfn, ok: t.bool },
    body: ({ cpu, mm, va, old, dst, ok }) => [
      when(isFilePlace(mm, va), ret()),
      call(mmap_read_lock, { mm }),
      // Of the caller, who has looked for it.
      label("vma", when(not(vma(mm, va)), call(mmap_read_unlock, { mm }), ret())),
      callInto(dst, alloc_page, {}),
      set(is_device_private(dst), TRUE),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      callInto(old, migrate_vma_collect_pmd, { cpu, mm, va }),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
      whenElse(
        pte_present(old),
        [
          // migrate_device_unmap(): where else it is mapped.
          call(try_to_migrate, { cpu, frame: pfnOf(old), batch_flush: FALSE }),
          callInto(ok, migrate_folio, { src: pfnOf(old), dst }),
          when(ok, call(remove_migration_ptes, { cpu, src: pfnOf(old), dst })),
          when(not(ok), call(remove_migration_ptes, { cpu, src: pfnOf(old), dst: pfnOf(old) })),
          call(folio_unlock, { frame: pfnOf(old) }),
          call(put_page, { frame: pfnOf(old) }),
        ],
        [call(migrate_vma_insert_page, { cpu, mm, va, frame: dst })],
      ),
      call(put_page, { frame: dst }),
      call(mmap_read_unlock, { mm }),
    ],
  }),
  define(migrate_vma_collect_pmd, {
    source: { file, sha: { "6.1": "cbc2bc78243c", "6.12": "74b5f3182409" } },
    abstracts: ["isolation, which fails where another has it"],
    locals: { old: desc, upper: desc, ok: t.bool, exclusive: t.bool },
    body: ({ cpu, mm, va, old, upper, ok, exclusive }) => [
      set(entries_swapped(), TRUE),
      // split_folio()
      label(
        "split",
        when(
          HUGE,
          when(pmd_trans_huge(pmd(mm, regionOf(va))), call(__split_huge_pmd, { cpu, mm, va })),
        ),
      ),
      call(spin_lock_ptl, { mm }),
      readEntry(old, upper, mm, va),
      when(not(pte_present(old)), set(old, PTE_NONE)),
      when(pte_present(old), when(is_zero_page(pfnOf(old)), set(old, PTE_NONE))),
      when(
        pte_present(old),
        set(page_refs(pfnOf(old)), add(page_refs(pfnOf(old)), num(1))),
        callInto(ok, folio_trylock, { frame: pfnOf(old) }),
        whenElse(
          ok,
          [
            set(exclusive, PageAnonExclusive(pfnOf(old))),
            whenElse(
              exclusive,
              [
                label("flush-exclusive", callInto(old, ptep_clear_flush, { cpu, mm, va })),
                set(PageAnonExclusive(pfnOf(old)), FALSE),
              ],
              [callInto(old, ptep_get_and_clear, { cpu, mm, va })],
            ),
            when(pte_dirty(old), set(PG_dirty(pfnOf(old)), TRUE)),
            call(set_pte_at, { cpu, mm, va, entry: make_migration_entry(old, exclusive) }),
            call(put_page, { frame: pfnOf(old) }),
            label("flush", call(flush_tlb_range, { cpu, mm, range: Range.one(va) })),
          ],
          [call(put_page, { frame: pfnOf(old) }), set(old, PTE_NONE)],
        ),
      ),
      label("unlock", call(spin_unlock_ptl, { mm })),
      ret(old),
    ],
  }),
  define(migrate_vma_insert_page, {
    source: {
      file,
      function: "migrate_vma_insert_page, __migrate_device_pages",
      sha: { "6.1": "7c179ed65d58", "6.12": "e11b00ddba39" },
    },
    abstracts: ["userfaultfd, and memory that runs out"],
    locals: { now: desc, entry: desc, upper: desc, flushed: t.bool },
    body: ({ cpu, mm, va, frame, now, entry, upper, flushed }) => [
      set(flushed, FALSE),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      set(entry, mk_pte(frame)),
      when(VM_WRITE(mm, va), set(entry, pte_mkwrite(pte_mkdirty(entry)))),
      set(entry, make_device_private_entry(entry)),
      when(HUGE, when(pte_none(pmd(mm, regionOf(va))), call(__pte_alloc, { cpu, mm, va }))),
      call(spin_lock_ptl, { mm }),
      // Where a huge page is mapped meanwhile, it is left.
      atomic(
        set(upper, pmd(mm, regionOf(va))),
        set(now, upper),
        when(isTable(upper), set(now, pte(mm, va))),
      ),
      ...stableOr(mm, [set(now, entry)]),
      when(
        and(valid(now), is_zero_page(pfnOf(now))),
        since(
          "6.6",
          [callInto(now, ptep_clear_flush, { cpu, mm, va })],
          [callInto(now, ptep_clear_flush_notify, { cpu, mm, va })],
        ),
        emit(events.revoked, { mm, va, reads: TRUE }),
        set(flushed, TRUE),
        set(now, PTE_NONE),
      ),
      when(
        pte_none(now),
        set(page_refs(frame), add(page_refs(frame), num(1))),
        set(PageAnonExclusive(frame), TRUE),
        whenElse(flushed, setPteAtNotify({ cpu, mm, va }, entry), [
          call(set_pte_at, { cpu, mm, va, entry }),
        ]),
      ),
      call(spin_unlock_ptl, { mm }),
      since(
        "6.6",
        [call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) })],
        [call(mmu_notifier_invalidate_range_only_end, { cpu, mm, range: Range.one(va) })],
      ),
    ],
  }),
  define(migrate_to_ram, {
    source: { file: "a driver" },
    abstracts: ["migration entries on the way: the new page is mapped at once"],
    locals: { frame: t.pfn, now: desc, entry: desc },
    body: ({ cpu, mm, va, orig, frame, now, entry }) => [
      callInto(frame, alloc_page, {}),
      call(spin_lock_ptl, { mm }),
      set(now, pte(mm, va)),
      when(
        eq(now, orig),
        set(entry, mk_pte(frame)),
        when(is_writable_entry(orig), set(entry, pte_mkwrite(pte_mkdirty(entry)))),
        set(PageAnonExclusive(frame), TRUE),
        call(set_pte_at, { cpu, mm, va, entry }),
        call(put_page, { frame: pfnOf(orig) }),
      ),
      call(spin_unlock_ptl, { mm }),
      when(not(eq(now, orig)), call(put_page, { frame })),
    ],
  }),
];
