// SPDX-License-Identifier: Apache-2.0
// Faults on pages of files: mm/memory.c, 6.1 and 6.12.
//
//   read      ──► map what the cache has around ──► or this page, read-only
//   private   ──► copy ──► map the copy, writable
//   shared    ──► page_mkwrite ──► map the page, writable and dirty

import { add, and, eq, FALSE, knobIs, ne, not, num, TRUE } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import { call, callInto, label, ret, set, when, whenElse } from "../../ir/stmt.ts";
import { desc, pfnOf } from "../../vocabulary/descriptor.ts";
import { t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import {
  mk_pte,
  pte_mkdirty,
  pte_mkold,
  pte_mkwrite,
  pte_none,
  readPte,
  set_pte_at,
} from "../asm/pgtable.ts";
import {
  folio_mapping,
  PageAnonExclusive,
  PG_dirty,
  page_refs,
  VM_SHARED,
  VM_WRITE,
  zero_pfn,
} from "../state.ts";
import {
  do_cow_fault,
  do_fault,
  do_page_mkwrite,
  do_read_fault,
  do_shared_fault,
  fault_dirty_shared_page,
  filemap_fault,
  filemap_map_pages,
  finish_fault,
  finish_mkwrite_fault,
  folio_add_file_rmap,
  set_pte_range,
  tableOr,
  wp_page_reuse,
  wp_page_shared,
} from "./file-pages.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import { alloc_page, put_page } from "./page_alloc.ts";
import { stableOr } from "./stable.ts";

const file = "mm/memory.c";

const faults = [
  define(do_fault, {
    source: { file, sha: { "6.1": "12ce4b07ee71", "6.12": "941f946f0e7c" } },
    abstracts: ["page tables exist wherever a vma is", "vmas without a fault handler"],
    body: ({ cpu, mm, va, write }) => [
      when(not(write), call(do_read_fault, { cpu, mm, va }), ret()),
      whenElse(
        VM_SHARED(mm, va),
        [call(do_shared_fault, { cpu, mm, va })],
        [call(do_cow_fault, { cpu, mm, va })],
      ),
    ],
  }),
  define(do_read_fault, {
    source: {
      file,
      function: "do_read_fault, do_fault_around",
      sha: { "6.1": "a42ad3994ee5", "6.12": "708a36ef76ce" },
    },
    locals: { done: t.bool, frame: t.pfn, mapped: t.bool },
    body: ({ cpu, mm, va, done, frame, mapped }) => [
      label("around", callInto(done, filemap_map_pages, { cpu, mm, va }), when(done, ret())),
      callInto(frame, filemap_fault, { cpu, mm, va }),
      when(eq(frame, zero_pfn()), ret()),
      callInto(mapped, finish_fault, { cpu, mm, va, frame, write: FALSE }),
      call(folio_unlock, { frame }),
      when(not(mapped), call(put_page, { frame })),
    ],
  }),
  define(do_cow_fault, {
    source: { file, sha: { "6.1": "b8ed19197a3c", "6.12": "653208beb03d" } },
    locals: { copy: t.pfn, frame: t.pfn, mapped: t.bool },
    body: ({ cpu, mm, va, copy, frame, mapped }) => [
      // finish_fault() would give it back: frames of a model are few.
      label("stable", ...stableOr(mm, [ret()])),
      callInto(copy, alloc_page, {}),
      callInto(frame, filemap_fault, { cpu, mm, va }),
      when(eq(frame, zero_pfn()), call(put_page, { frame: copy }), ret()),
      callInto(mapped, finish_fault, { cpu, mm, va, frame: copy, write: TRUE }),
      call(folio_unlock, { frame }),
      call(put_page, { frame }),
      when(not(mapped), call(put_page, { frame: copy })),
    ],
  }),
  define(do_shared_fault, {
    source: { file, sha: { "6.1": "658875dcf68f", "6.12": "27531415f6a5" } },
    locals: { frame: t.pfn, ok: t.bool },
    body: ({ cpu, mm, va, frame, ok }) => [
      callInto(frame, filemap_fault, { cpu, mm, va }),
      when(eq(frame, zero_pfn()), ret()),
      call(folio_unlock, { frame }),
      callInto(ok, do_page_mkwrite, { frame }),
      when(not(ok), call(put_page, { frame }), ret()),
      callInto(ok, finish_fault, { cpu, mm, va, frame, write: TRUE }),
      when(not(ok), call(folio_unlock, { frame }), call(put_page, { frame }), ret()),
      call(fault_dirty_shared_page, { frame }),
    ],
  }),
  define(finish_fault, {
    source: { file, sha: { "6.1": "fa8c216ad73c", "6.12": "92443539b6d2" } },
    abstracts: ["large folios"],
    locals: { now: desc },
    body: ({ cpu, mm, va, frame, write, now }) => [
      label("stable", when(not(VM_SHARED(mm, va)), ...stableOr(mm, [ret(FALSE)]))),
      call(spin_lock_ptl, { mm }),
      ...tableOr(mm, va, [call(spin_unlock_ptl, { mm }), ret(FALSE)]),
      set(now, pte(mm, va)),
      when(not(pte_none(now)), call(spin_unlock_ptl, { mm }), ret(FALSE)),
      call(set_pte_range, { cpu, mm, va, frame, write, prefault: FALSE }),
      call(spin_unlock_ptl, { mm }),
      ret(TRUE),
    ],
  }),
  define(set_pte_range, {
    source: {
      file,
      function: "do_set_pte (6.1), set_pte_range (6.12)",
      sha: { "6.1": "785697673a33", "6.12": "538fa14781b4" },
    },
    locals: { entry: desc },
    body: ({ cpu, mm, va, frame, write, prefault, entry }) => [
      // vm_page_prot: the file system is to be told of a write (vma_wants_writenotify()).
      set(entry, mk_pte(frame)),
      // arch_wants_old_prefaulted_pte()
      when(prefault, when(knobIs("hafdbs", "yes"), set(entry, pte_mkold(entry)))),
      when(
        write,
        set(entry, pte_mkdirty(entry)),
        when(VM_WRITE(mm, va), set(entry, pte_mkwrite(entry))),
      ),
      whenElse(
        and(write, not(VM_SHARED(mm, va))),
        [set(PageAnonExclusive(frame), TRUE)],
        [folio_add_file_rmap(frame)],
      ),
      call(set_pte_at, { cpu, mm, va, entry }),
    ],
  }),
];

const sharing = [
  define(do_page_mkwrite, {
    source: {
      file: "mm/memory.c, mm/filemap.c",
      function: "do_page_mkwrite, filemap_page_mkwrite",
      sha: { "6.1": "9631f8f8c5de", "6.12": "aabc6dad376c" },
    },
    abstracts: ["every file system has a page_mkwrite()", "waiting for writeback"],
    body: ({ frame }) => [
      call(folio_lock, { frame }),
      // Truncated meanwhile.
      label("mapping", when(not(folio_mapping(frame)), call(folio_unlock, { frame }), ret(FALSE))),
      label("dirty", set(PG_dirty(frame), TRUE)),
      ret(TRUE),
    ],
  }),
  define(fault_dirty_shared_page, {
    source: { file, sha: { "6.1": "295d56966d02", "6.12": "5a5c2f5df366" } },
    abstracts: ["waiting for writeback of others' pages"],
    body: ({ frame }) => [
      label("dirty", set(PG_dirty(frame), TRUE)),
      call(folio_unlock, { frame }),
    ],
  }),
  define(wp_page_shared, {
    source: { file, sha: { "6.1": "d6394fe3a2cb", "6.12": "1604252be0e3" } },
    locals: { frame: t.pfn, ok: t.bool },
    body: ({ cpu, mm, va, orig, frame, ok }) => [
      set(frame, pfnOf(orig)),
      set(page_refs(frame), add(page_refs(frame), num(1))),
      call(spin_unlock_ptl, { mm }),
      label("mkwrite", callInto(ok, do_page_mkwrite, { frame })),
      when(not(ok), call(put_page, { frame }), ret()),
      callInto(ok, finish_mkwrite_fault, { cpu, mm, va, orig }),
      whenElse(ok, [call(fault_dirty_shared_page, { frame })], [call(folio_unlock, { frame })]),
      call(put_page, { frame }),
    ],
  }),
  define(finish_mkwrite_fault, {
    source: { file, sha: { "6.1": "4b2880360896", "6.12": "9215c2337f4d" } },
    locals: { now: desc },
    body: ({ cpu, mm, va, orig, now }) => [
      call(spin_lock_ptl, { mm }),
      ...tableOr(mm, va, [call(spin_unlock_ptl, { mm }), ret(FALSE)]),
      readPte(now, mm, va),
      label("same", when(ne(now, orig), call(spin_unlock_ptl, { mm }), ret(FALSE))),
      call(wp_page_reuse, { cpu, mm, va, orig }),
      ret(TRUE),
    ],
  }),
];

export const memory_file = [...faults, ...sharing];
