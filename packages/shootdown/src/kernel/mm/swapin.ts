// SPDX-License-Identifier: Apache-2.0
// Faults on entries that stand for a page: do_swap_page() of mm/memory.c, 6.1 and 6.12.

import { add, and, eq, FALSE, ne, not, num, or, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, await_, call, callInto, label, ret, set, when, whenElse } from "../../ir/stmt.ts";
import { desc, pfnOf } from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import { mk_pte, pte_mkdirty, pte_mkwrite, set_pte_at } from "../asm/pgtable.ts";
import {
  entries_swapped,
  fault_sigbus,
  hwpoisoned,
  PageAnonExclusive,
  PG_dirty,
  PG_locked,
  PG_swapcache,
  page_refs,
  VM_WRITE,
} from "../state.ts";
import {
  DEVICE_EXCLUSIVE,
  DEVICE_PRIVATE,
  is_device_exclusive_entry,
  is_device_private_entry,
  is_exclusive_entry,
  is_hwpoison_entry,
  is_migration_entry,
  is_readable_entry,
  is_swap_entry,
  make_shared_entry,
} from "../swapops.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { migrate_to_ram } from "./migrate_device.ts";
import { spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import { alloc_page, put_page } from "./page_alloc.ts";
import { remove_device_exclusive_entry } from "./rmap-walks.ts";

const file = "mm/memory.c";

/** Whether anything puts such entries into page tables: elsewhere they cost nothing. */
export const SWAPPED = varies(entries_swapped);

export const do_swap_page = declare("do_swap_page", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
  ...{ orig: desc, write: t.bool },
});
export const migration_entry_wait = declare("migration_entry_wait", {
  ...{ mm: t.mm, va: t.va },
  orig: desc,
});
/** Of fork: what stands for a private page is neither exclusive nor writable from here on. */
export const copy_nonpresent_pte = declare("copy_nonpresent_pte", {
  ...{ cpu: t.cpu, mm: t.mm, va: t.va },
});
/** Takes a page out of the swap cache, once no entry but one needs its slot. */
export const folio_free_swap = declare("folio_free_swap", { frame: t.pfn });

export const swapin = [
  define(do_swap_page, {
    source: { file, sha: { "6.1": "a5d15b15d697", "6.12": "508cea0c06f8" } },
    abstracts: [
      "a page that is read in is not put into the swap cache",
      "a write that needs a copy faults again",
    ],
    locals: { frame: t.pfn, cached: t.bool, exclusive: t.bool, now: desc, entry: desc },
    body: ({ cpu, mm, va, orig, write, frame, cached, exclusive, now, entry }) => [
      when(is_migration_entry(orig), call(migration_entry_wait, { mm, va, orig }), ret()),
      when(
        DEVICE_EXCLUSIVE,
        when(
          is_device_exclusive_entry(orig),
          ...[call(remove_device_exclusive_entry, { cpu, mm, va, orig }), ret()],
        ),
      ),
      when(
        DEVICE_PRIVATE,
        when(
          is_device_private_entry(orig),
          ...[call(migrate_to_ram, { cpu, mm, va, orig }), ret()],
        ),
      ),
      label(
        "hwpoison",
        when(
          varies(hwpoisoned),
          when(is_hwpoison_entry(orig), set(fault_sigbus(cpu), TRUE), ret()),
        ),
      ),
      when(not(is_swap_entry(orig)), ret()),
      set(frame, pfnOf(orig)),
      // swap_cache_get_folio()
      atomic(
        set(cached, PG_swapcache(frame)),
        when(cached, set(page_refs(frame), add(page_refs(frame), num(1)))),
      ),
      whenElse(
        cached,
        [
          call(folio_lock, { frame }),
          when(
            not(PG_swapcache(frame)),
            call(folio_unlock, { frame }),
            call(put_page, { frame }),
            ret(),
          ),
        ],
        [callInto(frame, alloc_page, {})],
      ),
      call(spin_lock_ptl, { mm }),
      set(now, pte(mm, va)),
      when(
        eq(now, orig),
        set(exclusive, or(is_exclusive_entry(orig), not(cached))),
        set(entry, mk_pte(frame)),
        when(exclusive, set(PageAnonExclusive(frame), TRUE)),
        when(
          exclusive,
          when(cached, call(folio_free_swap, { frame })),
          when(VM_WRITE(mm, va), when(write, set(entry, pte_mkwrite(pte_mkdirty(entry))))),
        ),
        call(set_pte_at, { cpu, mm, va, entry }),
      ),
      call(spin_unlock_ptl, { mm }),
      when(cached, call(folio_unlock, { frame: pfnOf(orig) })),
      when(ne(now, orig), call(put_page, { frame })),
    ],
  }),
  define(migration_entry_wait, {
    source: { file: "mm/migrate.c", sha: { "6.1": "78ad182826a1", "6.12": "e25699a11672" } },
    body: ({ mm, va, orig }) => [await_(or(not(PG_locked(pfnOf(orig))), ne(pte(mm, va), orig)))],
  }),
  define(copy_nonpresent_pte, {
    source: { file, sha: { "6.1": "214a6977d76c", "6.12": "2ebdf1474692" } },
    abstracts: ["the child's entries: they never become mappings", "entries of devices"],
    locals: { entry: desc },
    body: ({ cpu, mm, va, entry }) => [
      set(entry, pte(mm, va)),
      when(
        and(or(is_swap_entry(entry), is_migration_entry(entry)), not(is_readable_entry(entry))),
        label("share", call(set_pte_at, { cpu, mm, va, entry: make_shared_entry(entry) })),
      ),
    ],
  }),
  define(folio_free_swap, {
    source: { file: "mm/swapfile.c", sha: { "6.1": "08185611600f", "6.12": "955a547026ca" } },
    body: ({ frame }) => [
      set(PG_dirty(frame), TRUE),
      set(PG_swapcache(frame), FALSE),
      call(put_page, { frame }),
    ],
  }),
];
