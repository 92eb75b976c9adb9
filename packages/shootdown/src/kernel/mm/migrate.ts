// SPDX-License-Identifier: Apache-2.0
// A page moves to another frame: mm/migrate.c, 6.1 and 6.12.
//
//   lock ──► migration entries everywhere ──► flush owed ──► nobody else? ──► copy ──► new entries

import type { Expr } from "../../ir/expr.ts";
import { add, and, eq, FALSE, not, num, or, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, call, callInto, emit, label, ret, set, since, when } from "../../ir/stmt.ts";
import { AF, DIRTY, desc } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import { mk_pte, pte_mkdirty, pte_mkold, pte_mkwrite, set_pte_at } from "../asm/pgtable.ts";
import {
  folio_index,
  folio_mapping,
  i_pages,
  is_device_private,
  is_file_page,
  PageAnonExclusive,
  PG_dirty,
  PG_swapcache,
  page_refs,
  VM_WRITE,
} from "../state.ts";
import {
  DEVICE_PRIVATE,
  is_exclusive_entry,
  is_writable_entry,
  make_device_private_entry,
} from "../swapops.ts";
import { FILE, folio_add_file_rmap } from "./file-pages.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { spin_unlock_ptl } from "./mmap_lock.ts";
import { alloc_page, put_page } from "./page_alloc.ts";
import { page_vma_mapped_walk } from "./page_vma_mapped.ts";
import { rmap_walk, try_to_migrate, try_to_unmap_flush } from "./rmap.ts";
import { folio_isolate_lru } from "./vmscan.ts";

const file = "mm/migrate.c";
const pair = { cpu: t.cpu, src: t.pfn, dst: t.pfn };

/** Moves one page; `batch_flush` of MIGRATE_ASYNC puts flushes off. */
export const migrate_pages = declare("migrate_pages", {
  ...{ cpu: t.cpu, frame: t.pfn },
  batch_flush: t.bool,
});
/** The page is copied, and whoever finds the new one finds its contents; false: it is in use. */
export const migrate_folio = declare("migrate_folio", { src: t.pfn, dst: t.pfn }, t.bool);
export const remove_migration_ptes = declare("remove_migration_ptes", pair);
export const remove_migration_pte = declare("remove_migration_pte", {
  ...pair,
  ...{ mm: t.mm, va: t.va },
});

/** folio_migrate_mapping(): whoever looks the file's page up finds the new one, still locked. */
const movesInCache = (src: Expr<"pfn">, dst: Expr<"pfn">): Stmt[] => [
  set(is_file_page(dst), TRUE),
  set(folio_index(dst), folio_index(src)),
  set(page_refs(dst), add(page_refs(dst), num(1))),
  atomic(
    set(i_pages(folio_index(src)), dst),
    set(folio_mapping(dst), TRUE),
    set(folio_mapping(src), FALSE),
  ),
  call(put_page, { frame: src }),
];

export const migrate = [
  define(migrate_pages, {
    source: {
      file,
      function: "migrate_pages_batch, migrate_folio_unmap, migrate_folio_move",
      sha: { "6.1": "51b79e2026b3", "6.12": "87eb8ca30fa6" },
    },
    abstracts: ["one page a batch, tried once", "the lock of a new page", "huge pages"],
    locals: { ok: t.bool, dst: t.pfn },
    body: ({ cpu, frame, batch_flush, ok, dst }) => [
      callInto(ok, folio_isolate_lru, { frame }),
      when(not(ok), ret()),
      callInto(dst, alloc_page, {}),
      call(folio_lock, { frame }),
      label(
        "unmap",
        since(
          "6.6",
          [call(try_to_migrate, { cpu, frame, batch_flush })],
          [call(try_to_migrate, { cpu, frame, batch_flush: FALSE })],
        ),
      ),
      label("flush", since("6.6", [call(try_to_unmap_flush, { cpu })])),
      callInto(ok, migrate_folio, { src: frame, dst }),
      // Back to the old page, if somebody else uses it.
      when(ok, call(remove_migration_ptes, { cpu, src: frame, dst })),
      when(not(ok), call(remove_migration_ptes, { cpu, src: frame, dst: frame })),
      call(folio_unlock, { frame }),
      call(put_page, { frame: dst }),
      call(put_page, { frame }),
    ],
  }),
  define(migrate_folio, {
    source: {
      file,
      function: "migrate_folio (6.1), folio_migrate_mapping (6.1), __migrate_folio (6.12)",
      sha: { "6.1": "f674edf84153", "6.12": "452b58b23a04" },
    },
    abstracts: ["freezing references: nobody looks the page up in the swap cache meanwhile"],
    locals: { expected: t.bool },
    body: ({ src, dst, expected }) => [
      // Isolation's reference, and the swap cache's.
      set(
        expected,
        or(
          and(PG_swapcache(src), eq(page_refs(src), num(2))),
          and(not(PG_swapcache(src)), eq(page_refs(src), num(1))),
        ),
      ),
      when(
        FILE,
        // The page cache has one of a page of a file.
        when(folio_mapping(src), ...[set(expected, eq(page_refs(src), num(2)))]),
      ),
      when(not(expected), ret(FALSE)),
      label("copy", emit(events.page_copied, { frame: src })),
      set(PG_dirty(dst), PG_dirty(src)),
      when(FILE, when(folio_mapping(src), ...movesInCache(src, dst))),
      ret(TRUE),
    ],
  }),
  define(remove_migration_ptes, {
    source: { file, sha: { "6.1": "a451ed3b6fb0", "6.12": "09f0e3cd57a7" } },
    body: ({ cpu, src, dst }) => [
      rmap_walk((mm, va) => [call(remove_migration_pte, { ...{ cpu, mm, va }, src, dst })]),
    ],
  }),
  define(remove_migration_pte, {
    source: { file, sha: { "6.1": "58d9d52702ef", "6.12": "6d29ad8ca242" } },
    abstracts: ["huge pages"],
    locals: { found: t.bool, old: desc, entry: desc },
    body: ({ cpu, mm, va, src, dst, found, old, entry }) => [
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame: src },
        ...{ sync: TRUE, migration: TRUE },
      }),
      when(
        found,
        set(page_refs(dst), add(page_refs(dst), num(1))),
        set(old, pte(mm, va)),
        set(entry, mk_pte(dst)),
        when(not(AF(old)), set(entry, pte_mkold(entry))),
        when(DIRTY(old), set(entry, pte_mkdirty(entry))),
        // mprotect() has made the entry readable, if it had to.
        since(
          "6.6",
          [when(is_writable_entry(old), set(entry, pte_mkwrite(entry)))],
          [when(and(is_writable_entry(old), VM_WRITE(mm, va)), set(entry, pte_mkwrite(entry)))],
        ),
        when(is_exclusive_entry(old), set(PageAnonExclusive(dst), TRUE)),
        folio_add_file_rmap(dst),
        when(
          DEVICE_PRIVATE,
          when(is_device_private(dst), set(entry, make_device_private_entry(entry))),
        ),
        // Nothing to flush: the entry was invalid.
        call(set_pte_at, { ...{ cpu, mm, va }, entry }),
        call(spin_unlock_ptl, { mm }),
      ),
    ],
  }),
];
