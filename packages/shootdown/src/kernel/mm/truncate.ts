// SPDX-License-Identifier: Apache-2.0
// A page is taken out of a file, and out of all that map it: mm/truncate.c, mm/memory.c.
//
//   i_size ──► unmap ──► each page: lock, unmap, out of the cache ──► unmap once more

import type { Expr } from "../../ir/expr.ts";
import { add, and, eq, FALSE, ne, not, num, sub, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import type { Stmt } from "../../ir/stmt.ts";
import { atomic, call, emit, label, ret, set, when, whenElse } from "../../ir/stmt.ts";
import { desc, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import {
  beyond_i_size,
  folio_index,
  folio_mapcount,
  folio_mapping,
  gathers_nest,
  i_mmap_readers,
  i_pages,
  keep_cows,
  PG_dirty,
  page_refs,
  VM_SHARED,
  vm_pgoff,
} from "../state.ts";
import { FILE, mapsIndex } from "./file-pages.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { zap_page_range_single } from "./memory-zap.ts";
import { mmap_read_lock, mmap_read_unlock } from "./mmap_lock.ts";
import { put_page } from "./page_alloc.ts";
import { readEntry } from "./page_vma_mapped.ts";
import { rmap_walk } from "./rmap.ts";

const on = { cpu: t.cpu, frame: t.pfn };
const by = { cpu: t.cpu, index: t.pgoff };
const file = "mm/truncate.c";

/** One page leaves its file; without files in the scenario, the page leaves those that map it. */
export const truncate_inode_folio = declare("truncate_inode_folio", on);
/** A page that is locked leaves all that map it. */
export const unmap_mapping_folio = declare("unmap_mapping_folio", on);
/** A page of a file leaves all that map it; `even_cows`, with what was copied from it. */
export const unmap_mapping_range = declare("unmap_mapping_range", { ...by, even_cows: t.bool });
/** The page leaves the cache. */
export const filemap_remove_folio = declare("filemap_remove_folio", { frame: t.pfn });
/** The file ends before the page from here on: truncate(), and what the cache has of it goes. */
export const truncate_pagecache = declare("truncate_pagecache", by);
/** A hole in place of the page: the file is as long as before. */
export const truncate_pagecache_range = declare("truncate_pagecache_range", by);
/** MADV_REMOVE: a hole where a shared mapping maps the file. */
export const madvise_remove = declare("madvise_remove", { cpu: t.cpu, mm: t.mm, va: t.va });

/** unmap_mapping_range_tree(), with the lock of the file's mappings held for reading. */
const unmapAll = (
  cpu: Expr<"cpu">,
  index: Expr<"pgoff">,
  even_cows: Expr<"bool">,
  rest: (mm: Expr<"mm">, va: Expr<"va">) => readonly Stmt[],
): readonly Stmt[] => [
  set(i_mmap_readers(), add(i_mmap_readers(), num(1))),
  set(keep_cows(cpu), not(even_cows)),
  rmap_walk((mm, va) => [
    when(
      mapsIndex(mm, va, index),
      call(zap_page_range_single, { cpu, mm, range: Range.one(va) }),
      ...rest(mm, va),
    ),
  ]),
  set(keep_cows(cpu), FALSE),
  set(i_mmap_readers(), sub(i_mmap_readers(), num(1))),
];

const unmapping = [
  define(truncate_inode_folio, {
    source: {
      file,
      function: "truncate_inode_folio, truncate_cleanup_folio",
      sha: { "6.1": "42896f1066d1", "6.12": "42896f1066d1" },
    },
    abstracts: ["the lock and the reference are those of truncate_inode_pages_range()"],
    locals: { cached: t.bool },
    body: ({ cpu, frame, cached }) => [
      set(gathers_nest(), TRUE),
      when(
        FILE,
        // find_lock_entries()
        atomic(
          set(cached, folio_mapping(frame)),
          when(cached, set(page_refs(frame), add(page_refs(frame), num(1)))),
        ),
        when(not(cached), ret()),
      ),
      call(folio_lock, { frame }),
      whenElse(
        FILE,
        [
          when(
            folio_mapping(frame),
            label(
              "unmap",
              when(ne(folio_mapcount(frame), num(0)), call(unmap_mapping_folio, { cpu, frame })),
            ),
            // folio_cancel_dirty()
            set(PG_dirty(frame), FALSE),
            label("remove", call(filemap_remove_folio, { frame })),
          ),
        ],
        [label("unmap", call(unmap_mapping_folio, { cpu, frame }))],
      ),
      call(folio_unlock, { frame }),
      when(FILE, call(put_page, { frame })),
    ],
  }),
  define(unmap_mapping_folio, {
    source: {
      file: "mm/memory.c",
      function: "unmap_mapping_folio, unmap_mapping_range_tree, unmap_mapping_range_vma",
      sha: { "6.1": "4b640288dbc5", "6.12": "3a30c84f9fe0" },
    },
    abstracts: ["without files, which place maps the page: the one whose entry holds it"],
    locals: { entry: desc, upper: desc },
    body: ({ cpu, frame, entry, upper }) => [
      whenElse(
        FILE,
        unmapAll(cpu, folio_index(frame), FALSE, () => []),
        [
          rmap_walk((mm, va) => [
            readEntry(entry, upper, mm, va),
            when(
              and(valid(entry), eq(pfnOf(entry), frame)),
              call(zap_page_range_single, { cpu, mm, range: Range.one(va) }),
            ),
          ]),
        ],
      ),
    ],
  }),
  define(unmap_mapping_range, {
    source: {
      file: "mm/memory.c",
      function: "unmap_mapping_range, unmap_mapping_pages, unmap_mapping_range_tree",
      sha: { "6.1": "d453c6a8402a", "6.12": "d453c6a8402a" },
    },
    abstracts: ["one page"],
    locals: { entry: desc, upper: desc },
    body: ({ cpu, index, even_cows, entry, upper }) => [
      set(gathers_nest(), TRUE),
      ...unmapAll(cpu, index, even_cows, (mm, va) => [
        // Whoever has cleared the entry has flushed it, or it was flushed here.
        readEntry(entry, upper, mm, va),
        when(not(valid(entry)), emit(events.revoked, { mm, va, reads: TRUE })),
      ]),
    ],
  }),
];

const removing = [
  define(filemap_remove_folio, {
    source: {
      file: "mm/filemap.c",
      function: "filemap_remove_folio, __filemap_remove_folio",
      sha: { "6.1": "13894525ed73", "6.12": "13894525ed73" },
    },
    body: ({ frame }) => [set(folio_mapping(frame), FALSE), call(put_page, { frame })],
  }),
  define(truncate_pagecache, {
    source: {
      file,
      function: "truncate_setsize, truncate_pagecache",
      sha: { "6.1": "04816c546e84", "6.12": "04816c546e84" },
    },
    abstracts: ["one page, the last of its file"],
    locals: { frame: t.pfn },
    body: ({ cpu, index, frame }) => [
      label("size", set(beyond_i_size(index), TRUE)),
      label("first", call(unmap_mapping_range, { cpu, index, even_cows: TRUE })),
      set(frame, i_pages(index)),
      label("pages", call(truncate_inode_folio, { cpu, frame })),
      // Of private mappings, a page may have been copied meanwhile.
      label("second", call(unmap_mapping_range, { cpu, index, even_cows: TRUE })),
    ],
  }),
  define(truncate_pagecache_range, {
    source: { file, sha: { "6.1": "5710b9c547ad", "6.12": "5710b9c547ad" } },
    abstracts: ["one page", "the locks of the file system"],
    locals: { frame: t.pfn },
    body: ({ cpu, index, frame }) => [
      label("first", call(unmap_mapping_range, { cpu, index, even_cows: FALSE })),
      set(frame, i_pages(index)),
      label("pages", call(truncate_inode_folio, { cpu, frame })),
    ],
  }),
  define(madvise_remove, {
    source: { file: "mm/madvise.c", sha: { "6.1": "4d9634df2f18", "6.12": "4d9634df2f18" } },
    abstracts: ["the file system: its hole is one in the page cache", "VM_MAYWRITE: it is set"],
    locals: { index: t.pgoff },
    body: ({ cpu, mm, va, index }) => [
      when(not(and(FILE, VM_SHARED(mm, va))), ret()),
      set(index, vm_pgoff(mm, va)),
      call(mmap_read_unlock, { mm }),
      call(truncate_pagecache_range, { cpu, index }),
      call(mmap_read_lock, { mm }),
    ],
  }),
];

export const truncate = [...unmapping, ...removing];
