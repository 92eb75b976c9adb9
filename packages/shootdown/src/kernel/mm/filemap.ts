// SPDX-License-Identifier: Apache-2.0
// The lock of a page: include/linux/pagemap.h, mm/filemap.c, 6.1 and 6.12.

import { FALSE, not, TRUE } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, await_, ret, set, when } from "../../ir/stmt.ts";
import { t } from "../../vocabulary/sorts.ts";
import { PG_locked } from "../state.ts";

const of = { frame: t.pfn };

export const folio_trylock = declare("folio_trylock", of, t.bool);
export const folio_lock = declare("folio_lock", of);
export const folio_unlock = declare("folio_unlock", of);

export const filemap = [
  define(folio_trylock, {
    source: {
      file: "include/linux/pagemap.h",
      sha: { "6.1": "249832b89e91", "6.12": "249832b89e91" },
    },
    locals: { locked: t.bool },
    body: ({ frame, locked }) => [
      atomic(set(locked, PG_locked(frame)), when(not(locked), set(PG_locked(frame), TRUE))),
      ret(not(locked)),
    ],
  }),
  define(folio_lock, {
    source: {
      file: "include/linux/pagemap.h",
      sha: { "6.1": "eb9f66f2f8e8", "6.12": "eb9f66f2f8e8" },
    },
    body: ({ frame }) => [atomic(await_(not(PG_locked(frame))), set(PG_locked(frame), TRUE))],
  }),
  define(folio_unlock, {
    source: { file: "mm/filemap.c", sha: { "6.1": "b1a2442e94d4", "6.12": "25f5b3277411" } },
    body: ({ frame }) => [set(PG_locked(frame), FALSE)],
  }),
];
