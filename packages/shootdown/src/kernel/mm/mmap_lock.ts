// SPDX-License-Identifier: Apache-2.0
// Locks: include/linux/mmap_lock.h and the page-table lock of include/linux/mm.h.

import { add, eq, FALSE, not, num, or, sub, TRUE, varies } from "../../ir/expr.ts";
import { declare, define } from "../../ir/machine.ts";
import { atomic, await_, call, set, whenElse } from "../../ir/stmt.ts";
import { observe_stores } from "../../vocabulary/primitives.ts";
import { t } from "../../vocabulary/sorts.ts";
import {
  entries_protnone,
  gathers_nest,
  mmap_lock_readers,
  mmap_lock_writer,
  ptl,
} from "../state.ts";

const file = "include/linux/mmap_lock.h";
const of = { mm: t.mm };

export const mmap_read_lock = declare("mmap_read_lock", of);
export const mmap_read_unlock = declare("mmap_read_unlock", of);
export const mmap_write_lock = declare("mmap_write_lock", of);
export const mmap_write_unlock = declare("mmap_write_unlock", of);
export const mmap_write_downgrade = declare("mmap_write_downgrade", of);
export const spin_lock_ptl = declare("spin_lock_ptl", of);
/** The page-table lock, taken by who asks what others have changed and not flushed. */
export const pte_offset_map_lock = declare("pte_offset_map_lock", { cpu: t.cpu, mm: t.mm });
export const spin_unlock_ptl = declare("spin_unlock_ptl", of);

export const mmap_lock = [
  define(mmap_read_lock, {
    source: { file, sha: { "6.1": "aeb5cf30e563", "6.12": "aeb5cf30e563" } },
    body: ({ mm }) => [
      atomic(
        await_(not(mmap_lock_writer(mm))),
        set(mmap_lock_readers(mm), add(mmap_lock_readers(mm), num(1))),
      ),
    ],
  }),
  define(mmap_read_unlock, {
    source: { file, sha: { "6.1": "258cb2142d05", "6.12": "258cb2142d05" } },
    body: ({ mm }) => [atomic(set(mmap_lock_readers(mm), sub(mmap_lock_readers(mm), num(1))))],
  }),
  define(mmap_write_lock, {
    source: { file, sha: { "6.1": "90c1a781fa98", "6.12": "1c22f2038e52" } },
    abstracts: ["a waiting writer does not hold back new readers"],
    body: ({ mm }) => [
      atomic(
        await_(not(mmap_lock_writer(mm))),
        await_(eq(mmap_lock_readers(mm), num(0))),
        set(mmap_lock_writer(mm), TRUE),
      ),
    ],
  }),
  define(mmap_write_unlock, {
    source: { file, sha: { "6.1": "54c52ca6c05c", "6.12": "75b44c09c38c" } },
    body: ({ mm }) => [set(mmap_lock_writer(mm), FALSE)],
  }),
  define(mmap_write_downgrade, {
    source: { file, sha: { "6.1": "93f2890259d7", "6.12": "83e050fdf1c0" } },
    body: ({ mm }) => [
      atomic(
        set(mmap_lock_readers(mm), add(mmap_lock_readers(mm), num(1))),
        set(mmap_lock_writer(mm), FALSE),
      ),
    ],
  }),
  define(spin_lock_ptl, {
    source: {
      file: "include/linux/mm.h",
      function: "pte_offset_map_lock",
      sha: { "6.1": "0de14e9a2e99", "6.12": "879823a1517a" },
    },
    abstracts: ["one lock a process, not one a table"],
    body: ({ mm }) => [atomic(await_(not(ptl(mm))), set(ptl(mm), TRUE))],
  }),
  define(pte_offset_map_lock, {
    source: {
      file: "include/linux/mm.h",
      sha: { "6.1": "0de14e9a2e99", "6.12": "879823a1517a" },
    },
    body: ({ cpu, mm }) => [
      whenElse(
        or(varies(gathers_nest), varies(entries_protnone)),
        [
          atomic(
            await_(not(ptl(mm))),
            set(ptl(mm), TRUE),
            // What was stored under the lock before is known to this CPU.
            call(observe_stores, { cpu }),
          ),
        ],
        [call(spin_lock_ptl, { mm })],
      ),
    ],
  }),
  define(spin_unlock_ptl, {
    source: {
      file: "include/linux/mm.h",
      function: "pte_unmap_unlock",
      sha: { "6.1": "70ea519789b6", "6.12": "70ea519789b6" },
    },
    body: ({ mm }) => [set(ptl(mm), FALSE)],
  }),
];
