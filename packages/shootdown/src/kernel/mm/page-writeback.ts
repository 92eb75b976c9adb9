// SPDX-License-Identifier: Apache-2.0
// Writeback of one page: mm/page-writeback.c, 6.1 and 6.12.

import { FALSE, or } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, label, ret, set, when } from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";
import { PG_dirty } from "../state.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { copiedForGood, folio_mkclean } from "./rmap-walks.ts";

const file = "mm/page-writeback.c";
const on = { cpu: t.cpu, frame: t.pfn };

/** Writes a page out if it is dirty. */
export const write_cache_pages = declare("write_cache_pages", on);
/** Whether the page was dirty: from here on a write makes it dirty again. */
export const folio_clear_dirty_for_io = declare("folio_clear_dirty_for_io", on, t.bool);

export const page_writeback = [
  define(write_cache_pages, {
    source: { file, sha: { "6.1": "69fb1d5476e9", "6.12": "0b1ee26d1435" } },
    abstracts: ["the write is complete when it returns", "pages that are tagged, waiting for I/O"],
    locals: { dirty: t.bool, writable: t.bool, entry: desc, upper: desc },
    body: ({ cpu, frame, dirty, writable, entry, upper }) => [
      call(folio_lock, { frame }),
      callInto(dirty, folio_clear_dirty_for_io, { cpu, frame }),
      when(dirty, label("write", copiedForGood(frame, { writable, entry, upper }))),
      call(folio_unlock, { frame }),
    ],
  }),
  define(folio_clear_dirty_for_io, {
    source: { file, sha: { "6.1": "8f45684db679", "6.12": "8f45684db679" } },
    locals: { cleaned: t.bool, dirty: t.bool },
    body: ({ cpu, frame, cleaned, dirty }) => [
      callInto(cleaned, folio_mkclean, { cpu, frame }),
      set(dirty, PG_dirty(frame)),
      set(PG_dirty(frame), FALSE),
      ret(or(dirty, cleaned)),
    ],
  }),
];
