// SPDX-License-Identifier: Apache-2.0
// A frame whose memory has failed: mm/memory-failure.c, 6.1 and 6.12.

import { and, eq, FALSE, not, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, callInto, emit, label, ret, set, when } from "../../ir/stmt.ts";
import { desc, pfnOf } from "../../vocabulary/descriptor.ts";
import { events } from "../../vocabulary/events.ts";
import { t } from "../../vocabulary/sorts.ts";
import { entries_swapped, hwpoisoned, PG_swapcache } from "../state.ts";
import { is_hwpoison_entry } from "../swapops.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { readEntry } from "./page_vma_mapped.ts";
import { rmap_walk, try_to_unmap } from "./rmap.ts";
import { folio_isolate_lru } from "./vmscan.ts";

const file = "mm/memory-failure.c";

/** Nobody has access to the frame any more, and it is never handed out again. */
export const memory_failure = declare("memory_failure", { cpu: t.cpu, frame: t.pfn });

export const memory_failures = [
  define(memory_failure, {
    source: {
      file,
      function: "memory_failure, hwpoison_user_mappings, unmap_poisoned_folio (6.12)",
      sha: { "6.1": "e3b0c44298fc", "6.12": "382344990b3f" },
    },
    abstracts: [
      "the signal that is sent at once: that of a later fault is",
      "pages of files go as others do",
      "free pages, huge pages",
    ],
    locals: { ok: t.bool, hwpoison: t.bool, entry: desc, upper: desc },
    body: ({ cpu, frame, ok, hwpoison, entry, upper }) => [
      // get_hwpoison_page(): its reference stays.
      callInto(ok, folio_isolate_lru, { frame }),
      when(not(ok), ret()),
      call(folio_lock, { frame }),
      // A page in the swap cache leaves swap entries.
      set(hwpoison, not(PG_swapcache(frame))),
      set(entries_swapped(), TRUE),
      set(hwpoisoned(), TRUE),
      label("unmap", call(try_to_unmap, { ...{ cpu, frame }, batch_flush: FALSE, hwpoison })),
      rmap_walk((mm, va) => [
        readEntry(entry, upper, mm, va),
        when(
          and(is_hwpoison_entry(entry), eq(pfnOf(entry), frame)),
          emit(events.revoked, { mm, va, reads: TRUE }),
        ),
      ]),
      call(folio_unlock, { frame }),
    ],
  }),
];
