// SPDX-License-Identifier: Apache-2.0
// Reclaim of one page: mm/vmscan.c, mm/swap_state.c, 6.1 and 6.12.
//
//   isolate, lock ──► swap cache ──► unmap all ──► write out, if dirty ──► nobody else? ──► free
//                                    flush owed ──► before it ──────────────────────► or before it

import { add, and, eq, FALSE, member, ne, not, num, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, call, callInto, emit, label, ret, set, when } from "../../ir/stmt.ts";
import { events } from "../../vocabulary/events.ts";
import { t } from "../../vocabulary/sorts.ts";
import { life, page_life } from "../../vocabulary/state.ts";
import {
  folio_mapping,
  is_file_page,
  is_zero_page,
  PG_dirty,
  PG_swapcache,
  page_refs,
} from "../state.ts";
import { FILE, isFilePage } from "./file-pages.ts";
import { folio_trylock, folio_unlock } from "./filemap.ts";
import { put_page } from "./page_alloc.ts";
import { try_to_unmap, try_to_unmap_flush, try_to_unmap_flush_dirty } from "./rmap.ts";

const file = "mm/vmscan.c";
const of = { frame: t.pfn };

/** Takes a reference, if the page is in use and a reverse map finds it. */
export const folio_isolate_lru = declare("folio_isolate_lru", of, t.bool);
export const add_to_swap = declare("add_to_swap", of);
export const shrink_folio_list = declare("shrink_folio_list", { cpu: t.cpu, frame: t.pfn });
/** Writes the page to its slot, and waits. */
export const pageout = declare("pageout", of, t.bool);
/** Nobody else has a reference, and nobody will: false if somebody does. */
export const __remove_mapping = declare("__remove_mapping", of, t.bool);
export const free_unref_folios = declare("free_unref_folios", of);

/** Of reclaim, and of the swap cache or the page cache. */
const ALONE = num(2);

export const vmscan = [
  define(folio_isolate_lru, {
    source: { file, sha: { "6.1": "0688e21a1e78", "6.12": "5eaa76fdd11c" } },
    locals: { refs: t.int },
    body: ({ frame, refs }) => [
      when(is_zero_page(frame), ret(FALSE)),
      atomic(
        set(refs, page_refs(frame)),
        when(ne(refs, num(0)), set(page_refs(frame), add(refs, num(1)))),
      ),
      ret(ne(refs, num(0))),
    ],
  }),
  define(add_to_swap, {
    source: { file: "mm/swap_state.c", sha: { "6.1": "34ac295cc5d3", "6.12": "34ac295cc5d3" } },
    abstracts: ["a page has a slot of its own"],
    body: ({ frame }) => [
      atomic(
        set(PG_swapcache(frame), TRUE),
        set(page_refs(frame), add(page_refs(frame), num(1))),
        set(PG_dirty(frame), TRUE),
      ),
    ],
  }),
  define(shrink_folio_list, {
    source: { file, sha: { "6.1": "9f928c4991b3", "6.12": "0f2cced5d1e8" } },
    abstracts: [
      "one page a batch, reclaimed whether it was used or not",
      "a page with other references counts as mapped",
      "demotion, lazily freed pages",
    ],
    locals: { ok: t.bool, refs: t.int, dirty: t.bool },
    body: ({ cpu, frame, ok, refs, dirty }) => [
      callInto(ok, folio_isolate_lru, { frame }),
      when(not(ok), ret()),
      callInto(ok, folio_trylock, { frame }),
      when(not(ok), call(put_page, { frame }), ret()),
      when(and(not(PG_swapcache(frame)), not(isFilePage(frame))), call(add_to_swap, { frame })),
      call(try_to_unmap, { ...{ cpu, frame }, batch_flush: TRUE, hwpoison: FALSE }),
      set(refs, page_refs(frame)),
      set(ok, eq(refs, ALONE)),
      // A dirty page of a file is left to writeback.
      when(FILE, when(and(is_file_page(frame), PG_dirty(frame)), set(ok, FALSE))),
      when(
        ok,
        set(dirty, PG_dirty(frame)),
        when(
          dirty,
          label("flush-dirty", call(try_to_unmap_flush_dirty, { cpu })),
          callInto(ok, pageout, { frame }),
          // Its lock was given up: the page stays.
          when(not(ok), call(try_to_unmap_flush, { cpu }), call(put_page, { frame }), ret()),
        ),
        callInto(ok, __remove_mapping, { frame }),
      ),
      call(folio_unlock, { frame }),
      label("flush", call(try_to_unmap_flush, { cpu })),
      when(ok, call(free_unref_folios, { frame })),
      when(not(ok), call(put_page, { frame })),
    ],
  }),
  define(pageout, {
    source: { file, sha: { "6.1": "ce8b389a43e1", "6.12": "e91355521f9d" } },
    abstracts: ["the write is complete when it returns"],
    locals: { ok: t.bool },
    body: ({ frame, ok }) => [
      set(PG_dirty(frame), FALSE),
      call(folio_unlock, { frame }),
      emit(events.page_copied, { frame }),
      callInto(ok, folio_trylock, { frame }),
      ret(ok),
    ],
  }),
  define(__remove_mapping, {
    source: { file, sha: { "6.1": "6318ab5aec37", "6.12": "2e4a1a1bf8eb" } },
    locals: { ok: t.bool },
    body: ({ frame, ok }) => [
      atomic(
        set(ok, and(eq(page_refs(frame), ALONE), not(PG_dirty(frame)))),
        // folio_mapping(): it may have left its file.
        when(FILE, when(and(is_file_page(frame), not(folio_mapping(frame))), set(ok, FALSE))),
        when(
          ok,
          ...[set(page_refs(frame), num(0)), set(PG_swapcache(frame), FALSE)],
          // What the file has is what counts from here on.
          when(FILE, set(folio_mapping(frame), FALSE), emit(events.page_copied, { frame })),
        ),
      ),
      ret(ok),
    ],
  }),
  define(free_unref_folios, {
    source: {
      file: "mm/page_alloc.c",
      function: "free_unref_page_list (6.1), free_unref_folios (6.12)",
      sha: { "6.1": "9b221cf724d0", "6.12": "ae4138d2880b" },
    },
    body: ({ frame }) => [
      atomic(set(page_life(frame), member(life, "freed")), emit(events.page_freed, { frame })),
    ],
  }),
];
