// SPDX-License-Identifier: Apache-2.0
// The page cache as faults use it: mm/filemap.c, 6.1 and 6.12.

import { add, and, eq, FALSE, ne, not, num, TRUE } from "../../ir/expr.ts";
import { define } from "../../ir/machine.ts";
import {
  again,
  atomic,
  call,
  callInto,
  forall,
  label,
  loop,
  ret,
  set,
  when,
  whenElse,
} from "../../ir/stmt.ts";
import { desc } from "../../vocabulary/descriptor.ts";
import { regionOf, t } from "../../vocabulary/sorts.ts";
import { pte } from "../../vocabulary/state.ts";
import { pte_none } from "../asm/pgtable.ts";
import {
  beyond_i_size,
  fault_sigbus,
  folio_index,
  folio_mapping,
  i_pages,
  is_file_page,
  PG_locked,
  page_refs,
  VM_SHARED,
  VM_WRITE,
  vm_file,
  vm_pgoff,
  vma,
  zero_pfn,
} from "../state.ts";
import { filemap_fault, filemap_map_pages, set_pte_range, tableOr } from "./file-pages.ts";
import { folio_lock, folio_unlock } from "./filemap.ts";
import { spin_lock_ptl, spin_unlock_ptl } from "./mmap_lock.ts";
import { alloc_page, put_page } from "./page_alloc.ts";

const file = "mm/filemap.c";

/** Of the cache, and of who looked the page up. */
const CACHED = num(2);

export const filemap_faults = [
  define(filemap_fault, {
    source: { file, sha: { "6.1": "6e2bc04f7844", "6.12": "6c376b8ed440" } },
    abstracts: [
      "a page that the cache does not have is a new one, up to date at once",
      "giving up mmap_lock while waiting",
      "invalidate_lock: what the disk has is the same at any time",
    ],
    locals: { index: t.pgoff, frame: t.pfn, cached: t.bool, gone: t.bool },
    body: ({ cpu, mm, va, index, frame, cached, gone }) => [
      set(index, vm_pgoff(mm, va)),
      loop(
        label("size", when(beyond_i_size(index), set(fault_sigbus(cpu), TRUE), ret(zero_pfn()))),
        // filemap_get_folio()
        atomic(
          set(frame, i_pages(index)),
          set(cached, folio_mapping(frame)),
          when(cached, set(page_refs(frame), add(page_refs(frame), num(1)))),
        ),
        when(
          not(cached),
          callInto(frame, alloc_page, {}),
          atomic(
            set(cached, folio_mapping(i_pages(index))),
            when(
              not(cached),
              set(i_pages(index), frame),
              set(folio_mapping(frame), TRUE),
              set(folio_index(frame), index),
              set(is_file_page(frame), TRUE),
              set(page_refs(frame), CACHED),
            ),
          ),
          when(cached, call(put_page, { frame }), again()),
        ),
        call(folio_lock, { frame }),
        label(
          "truncated",
          set(gone, not(folio_mapping(frame))),
          when(gone, call(folio_unlock, { frame }), call(put_page, { frame }), again()),
        ),
        label(
          "size-again",
          when(
            beyond_i_size(index),
            ...[call(folio_unlock, { frame }), call(put_page, { frame })],
            ...[set(fault_sigbus(cpu), TRUE), ret(zero_pfn())],
          ),
        ),
        ret(frame),
      ),
      ret(zero_pfn()),
    ],
  }),
  define(filemap_map_pages, {
    source: {
      file,
      function: "filemap_map_pages, next_uptodate_page (6.1), next_uptodate_folio (6.12)",
      sha: { "6.1": "38ef1173a623", "6.12": "4c9ace27e325" },
    },
    abstracts: ["huge pages", "the first page is locked before the page table is"],
    locals: { frame: t.pfn, ok: t.bool, now: desc, done: t.bool },
    body: ({ cpu, mm, va, frame, ok, now, done }) => [
      set(done, FALSE),
      call(spin_lock_ptl, { mm }),
      ...tableOr(mm, va, [call(spin_unlock_ptl, { mm }), ret(FALSE)]),
      forall(t.va, (a) => [
        when(
          and(
            ...[eq(regionOf(a), regionOf(va)), vm_file(mm, a), vma(mm, a)],
            ...[eq(VM_SHARED(mm, a), VM_SHARED(mm, va)), eq(VM_WRITE(mm, a), VM_WRITE(mm, va))],
          ),
          atomic(
            set(frame, i_pages(vm_pgoff(mm, a))),
            set(
              ok,
              and(
                ...[folio_mapping(frame), not(PG_locked(frame))],
                not(beyond_i_size(vm_pgoff(mm, a))),
              ),
            ),
            when(
              ok,
              set(PG_locked(frame), TRUE),
              set(page_refs(frame), add(page_refs(frame), num(1))),
            ),
          ),
          when(
            ok,
            set(now, pte(mm, a)),
            whenElse(
              pte_none(now),
              [
                call(set_pte_range, {
                  ...{ cpu, mm, va: a, frame },
                  ...{ write: FALSE, prefault: ne(a, va) },
                }),
                when(eq(a, va), set(done, TRUE)),
              ],
              [call(put_page, { frame })],
            ),
            call(folio_unlock, { frame }),
          ),
        ),
      ]),
      call(spin_unlock_ptl, { mm }),
      ret(done),
    ],
  }),
];
