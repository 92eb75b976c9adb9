// SPDX-License-Identifier: Apache-2.0
// Operations on pages that the file systems, userfaultfd and compaction begin.

import { clear_refs_write } from "../../../packages/shootdown/src/kernel/fs/task_mmu.ts";
import { zap_page_range_single } from "../../../packages/shootdown/src/kernel/mm/memory-zap.ts";
import { do_munmap } from "../../../packages/shootdown/src/kernel/mm/mmap.ts";
import {
  try_to_migrate_one,
  try_to_unmap_flush,
  try_to_unmap_one,
} from "../../../packages/shootdown/src/kernel/mm/rmap.ts";
import { page_vma_mkclean_one } from "../../../packages/shootdown/src/kernel/mm/rmap-walks.ts";
import {
  mwriteprotect_range,
  userfaultfd_clear_vma,
} from "../../../packages/shootdown/src/kernel/mm/userfaultfd.ts";
import {
  entries_protnone,
  entries_swapped,
  huge_pages,
} from "../../../packages/shootdown/src/kernel/state.ts";
import type { Kind } from "./kind.ts";
import { batched, has, one, PUT_OFF, page, pageOf, probe } from "./kind.ts";
import { Model } from "./model.ts";
import { protnone } from "./numa.ts";
import type { Operation } from "./operations.ts";
import { argPages } from "./operations.ts";

/** PTE_UFFD_WP of 6.12. */
const UFFD_WP = 1n << 58n;

/** A fault of the step's own pages, private and small ones. */
const isPrivate = (op: Operation): boolean => {
  const at = page(op);
  const others = /^(file|tmpfs|threads|truncate|big|thp_(fork|zero)|hugetlb)/;
  return op.marked.lo <= at && at < op.marked.hi && !others.test(op.step);
};

export const MORE_KINDS: readonly Kind[] = [
  {
    name: "mmap over a reservation: do_munmap, vma_adjust_trans_huge, unmap_region",
    is: (op) => op.kind === "sys_mmap",
    placed: {},
    run: (op, folder) => {
      const model = Model.shared(folder, [huge_pages.decl]);
      const range = argPages(op, "addr", "len");
      // It begins where a table does, and the reservation ends behind the table that it ends in.
      model.reserve({ lo: range.lo, hi: Math.ceil(range.hi / 512) * 512 });
      return model.words(model.call(do_munmap, { cpu: 0, mm: model.process.mm, range }));
    },
  },
  {
    name: "fault that flushes nothing: do_anonymous_page, do_swap_page, do_numa_page",
    silent: true,
    is: (op) => op.kind === "fault" && /^(read|write)$/.test(op.intent) && isPrivate(op),
    placed: {},
    run: (op, folder, { none }) => {
      const model = Model.shared(folder, [entries_protnone.decl, entries_swapped.decl]);
      const va = page(op);
      if (has(op, "do_swap_page")) {
        const [frame] = model.map(one(va));
        const at = { cpu: 0, mm: model.process.mm, va, frame: frame! };
        model.before(model.call(try_to_unmap_one, { ...at, batch_flush: 0, hwpoison: 0 }));
      } else if (none(va)) {
        model.map(one(va));
        protnone(model, va);
      } else {
        model.neighbours(one(va));
        model.reserve(one(va), true);
      }
      return model.words(op.intent === "write" ? model.store(va) : model.load(va));
    },
  },
  {
    name: "mremap that shrinks: do_munmap of what is behind",
    is: (op) => op.kind === "sys_mremap",
    placed: {},
    run: (op, folder) => {
      const model = new Model(folder);
      const range = { ...argPages(op, "addr", "old_len"), lo: argPages(op, "addr", "new_len").hi };
      model.map(range);
      model.neighbours(range);
      return model.words(model.munmap(range));
    },
  },
  {
    name: "msync: page_vma_mkclean_one, ptep_clear_flush",
    is: (op) => op.kind === "sys_msync",
    placed: { clear: "ptep_clear_flush" },
    run: (op, folder) => {
      const model = new Model(folder);
      const { mm } = model.process;
      return model.map(op.marked).flatMap((frame, n) => {
        const at = { cpu: 0, mm, va: op.marked.lo + n, frame };
        return model.words(model.call(page_vma_mkclean_one, at));
      });
    },
  },
  {
    name: "ftruncate: zap_page_range_single, before and after the pages go",
    is: (op) => op.kind === "sys_ftruncate",
    placed: {},
    run: (op, folder) => {
      const model = new Model(folder);
      const range = { ...op.marked, lo: op.marked.lo + Number(`0x${op.args["length"]}`) / 4096 };
      model.map(range);
      const args = { cpu: 0, mm: model.process.mm, range };
      // Whatever was mapped again in between is unmapped, too.
      return [1, 2].flatMap(() => model.words(model.call(zap_page_range_single, args)));
    },
  },
  {
    name: "write protection by userfaultfd, on and off: mwriteprotect_range, change_pte_range",
    is: (op) => has(op, "uffd_wp_range"),
    placed: { clear: "ptep_modify_prot_start", set: "ptep_modify_prot_commit" },
    run: (op, folder, { owing }) => {
      const model = new Model(folder);
      if (owing) model.owe();
      const enable = (BigInt(probe(op, "ptep_modify_prot_commit").args["pte"]!) & UFFD_WP) !== 0n;
      const range = op.marked;
      model.map(range, { writable: enable });
      const args = { cpu: 0, mm: model.process.mm, range };
      return model.words(model.call(enable ? mwriteprotect_range : userfaultfd_clear_vma, args));
    },
  },
  {
    name: "clear_refs of soft-dirty bits: clear_refs_write",
    is: (op) => op.kind === "work" && has(op, "clear_refs_pte_range"),
    placed: {},
    run: (_op, folder) => {
      const model = new Model(folder);
      model.map({ lo: 0x10000, hi: 0x10004 });
      return model.words(model.call(clear_refs_write, { cpu: 0, mm: model.process.mm }));
    },
  },
  {
    name: "compaction, of pages of this process: try_to_migrate_one, try_to_unmap_flush",
    is: (op) => op.kind === "work" && op.intent === "compact",
    placed: PUT_OFF,
    run: (op, folder, { none }) => {
      const model = new Model(folder, [entries_protnone.decl]);
      const { mm } = model.process;
      return op.probes.flatMap((p) => {
        if (p.event === "try_to_unmap_flush") {
          return model.words(model.call(try_to_unmap_flush, { cpu: 0 }));
        }
        if (p.event !== "try_to_migrate_one" || p.args["mm"] !== op.process.mm) return [];
        const va = pageOf(p.args);
        const [frame] = model.map(one(va));
        if (none(va)) protnone(model, va);
        const at = { cpu: 0, mm, va, frame: frame!, batch_flush: batched(p) ? 1 : 0 };
        return model.words(model.call(try_to_migrate_one, at));
      });
    },
  },
];
