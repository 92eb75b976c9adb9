// SPDX-License-Identifier: Apache-2.0
// A page is taken out of a file, and out of all that map it: mm/truncate.c, mm/memory.c.

import { and, eq, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { call, label, set, when } from "../../ir/stmt.ts";
import { desc, pfnOf, valid } from "../../vocabulary/descriptor.ts";
import { Range, t } from "../../vocabulary/sorts.ts";
import { gathers_nest } from "../state.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { zap_page_range_single } from "./memory.ts";
import { readEntry } from "./page_vma_mapped.ts";
import { rmap_walk } from "./rmap.ts";

const on = { cpu: t.cpu, frame: t.pfn };

/** truncate() and holes that are punched; the mapping's references go, the file's is abstract. */
export const truncate_inode_folio = declare("truncate_inode_folio", on);
export const unmap_mapping_folio = declare("unmap_mapping_folio", on);

export const truncate = [
  define(truncate_inode_folio, {
    source: {
      file: "mm/truncate.c",
      function: "truncate_inode_folio, truncate_cleanup_folio",
      sha: { "6.1": "42896f1066d1", "6.12": "42896f1066d1" },
    },
    abstracts: ["the page cache and its reference"],
    body: ({ cpu, frame }) => [
      set(gathers_nest(), TRUE),
      call(folio_lock, { frame }),
      label("unmap", call(unmap_mapping_folio, { cpu, frame })),
      call(folio_unlock, { frame }),
    ],
  }),
  define(unmap_mapping_folio, {
    source: {
      file: "mm/memory.c",
      function: "unmap_mapping_folio, unmap_mapping_range_tree, unmap_mapping_range_vma",
      sha: { "6.1": "4b640288dbc5", "6.12": "3a30c84f9fe0" },
    },
    abstracts: ["which place a vma maps the page at: the one whose entry holds it"],
    locals: { entry: desc, upper: desc },
    body: ({ cpu, frame, entry, upper }) => [
      rmap_walk((mm, va) => [
        readEntry(entry, upper, mm, va),
        when(
          and(valid(entry), eq(pfnOf(entry), frame)),
          call(zap_page_range_single, { cpu, mm, range: Range.one(va) }),
        ),
      ]),
    ],
  }),
];
