// SPDX-License-Identifier: Apache-2.0
// Breakpoints in a program's text: kernel/events/uprobes.c, 6.1 and 6.12.

import { add, FALSE, num, or, TRUE } from "../ir/expr.ts";
import { declare, define } from "../ir/machine.ts";
import { call, callInto, emit, label, ret, set, since, when } from "../ir/stmt.ts";
import { desc, pfnOf, valid } from "../vocabulary/descriptor.ts";
import { events } from "../vocabulary/events.ts";
import { Range, t } from "../vocabulary/sorts.ts";
import { mk_pte, pte_present } from "./asm/pgtable.ts";
import { copiedAway, folio_remove_rmap, isSharedPlace } from "./mm/file-pages.ts";
import { folio_lock, folio_unlock } from "./mm/filemap.ts";
import {
  mmap_write_lock,
  mmap_write_unlock,
  spin_lock_ptl,
  spin_unlock_ptl,
} from "./mm/mmap_lock.ts";
import {
  mmu_notifier_invalidate_range_end,
  mmu_notifier_invalidate_range_start,
} from "./mm/mmu_notifier.ts";
import { alloc_page, put_page } from "./mm/page_alloc.ts";
import { page_vma_mapped_walk, readEntry } from "./mm/page_vma_mapped.ts";
import { ptep_clear_flush, ptep_clear_flush_notify, setPteAtNotify } from "./mm/pgtable-generic.ts";
import { PageAnonExclusive, page_refs, VM_WRITE } from "./state.ts";

const file = "kernel/events/uprobes.c";
const at = { cpu: t.cpu, mm: t.mm, va: t.va };

/** A breakpoint is put into a copy of the page, and the copy in the page's place. */
export const uprobe_write_opcode = declare("uprobe_write_opcode", at);
export const __replace_page = declare("__replace_page", {
  ...at,
  ...{ old_page: t.pfn, new_page: t.pfn },
});

export const uprobes = [
  define(uprobe_write_opcode, {
    source: { file, sha: { "6.1": "f7244ee0cb88", "6.12": "fb431401ed82" } },
    abstracts: ["register_for_each_vma(), whose lock it is", "taking a breakpoint out"],
    locals: { entry: desc, upper: desc, frame: t.pfn },
    body: ({ cpu, mm, va, entry, upper, frame }) => [
      call(mmap_write_lock, { mm }),
      // get_user_page_vma_remote()
      call(spin_lock_ptl, { mm }),
      readEntry(entry, upper, mm, va),
      when(valid(entry), set(page_refs(pfnOf(entry)), add(page_refs(pfnOf(entry)), num(1)))),
      call(spin_unlock_ptl, { mm }),
      // valid_vma(): of private mappings alone, that nobody may write.
      when(
        or(isSharedPlace(mm, va), VM_WRITE(mm, va)),
        when(valid(entry), call(put_page, { frame: pfnOf(entry) })),
        ...[call(mmap_write_unlock, { mm }), ret()],
      ),
      when(
        valid(entry),
        callInto(frame, alloc_page, {}),
        label("copy", copiedAway(pfnOf(entry))),
        call(__replace_page, { ...{ cpu, mm, va }, old_page: pfnOf(entry), new_page: frame }),
        call(put_page, { frame }),
        call(put_page, { frame: pfnOf(entry) }),
      ),
      call(mmap_write_unlock, { mm }),
    ],
  }),
  define(__replace_page, {
    source: { file, sha: { "6.1": "e9a3ec31732e", "6.12": "2feb55fd6f21" } },
    locals: { found: t.bool, entry: desc, upper: desc },
    body: ({ cpu, mm, va, old_page, new_page, found, entry, upper }) => [
      call(folio_lock, { frame: old_page }),
      call(mmu_notifier_invalidate_range_start, { cpu, mm, range: Range.one(va) }),
      callInto(found, page_vma_mapped_walk, {
        ...{ mm, va, frame: old_page },
        ...{ sync: FALSE, migration: FALSE },
      }),
      when(
        found,
        readEntry(entry, upper, mm, va),
        when(
          pte_present(entry),
          set(page_refs(new_page), add(page_refs(new_page), num(1))),
          set(PageAnonExclusive(new_page), TRUE),
          label(
            "flush",
            since(
              "6.6",
              [callInto(entry, ptep_clear_flush, { cpu, mm, va })],
              [callInto(entry, ptep_clear_flush_notify, { cpu, mm, va })],
            ),
          ),
          emit(events.revoked, { mm, va, reads: TRUE }),
          ...setPteAtNotify({ cpu, mm, va }, mk_pte(new_page)),
          folio_remove_rmap(old_page),
          call(put_page, { frame: old_page }),
        ),
        call(spin_unlock_ptl, { mm }),
      ),
      call(mmu_notifier_invalidate_range_end, { cpu, mm, range: Range.one(va) }),
      call(folio_unlock, { frame: old_page }),
    ],
  }),
];
