// SPDX-License-Identifier: Apache-2.0
// Operations on huge pages: transparent ones, and those of hugetlb.

import { hugetlb_wp } from "../../../packages/shootdown/src/kernel/mm/hugetlb.ts";
import { behavior, do_madvise } from "../../../packages/shootdown/src/kernel/mm/madvise.ts";
import { handle_mm_fault } from "../../../packages/shootdown/src/kernel/mm/memory.ts";
import {
  contpte_aligned,
  huge_pages,
  is_zero_page,
  PageAnonExclusive,
  page_refs,
  VM_HUGETLB,
} from "../../../packages/shootdown/src/kernel/state.ts";
import { blocks_linked } from "../../../packages/shootdown/src/vocabulary/state.ts";
import type { Folder } from "./folder.ts";
import type { Kind } from "./kind.ts";
import { does, has, is61, one, page } from "./kind.ts";
import { instructions, Model } from "./model.ts";
import type { Operation, Pages } from "./operations.ts";
import { argPages } from "./operations.ts";

const PAGES_OF_TABLE = 512;
/** Entries that 6.12 joins (CONT_PTES). */
const CONT_PTES = 16;
const tableOf = (at: number): number => Math.floor(at / PAGES_OF_TABLE) * PAGES_OF_TABLE;

const ofStep = (op: Operation, step: RegExp): boolean => step.test(op.step);

/** With the group of a page that the CONT bit may join, since 6.9. */
function hugeModel(folder: Folder, group?: number): Model {
  const joins = !is61(folder) && group !== undefined;
  const begins = [huge_pages.decl, blocks_linked.decl, ...(joins ? [contpte_aligned.decl] : [])];
  const model = new Model(folder, begins);
  if (joins) {
    const first = Math.floor(group / CONT_PTES) * CONT_PTES;
    for (let n = 0; n < CONT_PTES; n++) model.set(contpte_aligned.decl, [first + n], 1);
  }
  return model;
}

const SPLIT = { "clear pmd": "pmdp_invalidate" };

export const HUGE_KINDS: readonly Kind[] = [
  {
    name: "write fault of a huge page that is not shared: do_huge_pmd_wp_page",
    is: (op) => op.kind === "fault" && has(op, "do_huge_pmd_wp_page") && does(op, "change"),
    placed: { change: "ptep_set_access_flags" },
    run: (op, folder) => {
      const model = hugeModel(folder);
      model.mapHuge(tableOf(page(op)), false);
      const at = { cpu: 0, mm: model.process.mm, va: page(op), write: 1 };
      return model.words(model.call(handle_mm_fault, at));
    },
  },
  {
    name: "write fault of the huge zero page: __split_huge_pmd, wp_page_copy",
    is: (op) => op.kind === "fault" && has(op, "do_huge_pmd_wp_page"),
    placed: { "clear pmd": "pmdp_huge_clear_flush", clear: "ptep_clear_flush" },
    run: (op, folder) => {
      const model = hugeModel(folder);
      const frame = model.mapHuge(tableOf(page(op)), false);
      for (let n = 0; n < PAGES_OF_TABLE; n++) {
        model.set(is_zero_page.decl, [frame + n], 1);
        model.set(page_refs.decl, [frame + n], 2);
        model.set(PageAnonExclusive.decl, [frame + n], 0);
      }
      const at = { cpu: 0, mm: model.process.mm, va: page(op), write: 1 };
      return model.words(model.call(handle_mm_fault, at));
    },
  },
  {
    name: "mprotect of a part of a huge page: vma_adjust_trans_huge, change_pte_range",
    is: (op) => op.kind === "sys_mprotect" && has(op, "split_huge_pmd"),
    // In 6.12 the entry is cleared when its group is unfolded, which is within the function.
    placed: (folder) => (is61(folder) ? {} : SPLIT),
    run: (op, folder, { owing }) => {
      const range = argPages(op, "start", "len");
      const model = hugeModel(folder, range.lo);
      if (owing) model.owe();
      model.mapHuge(tableOf(range.lo), true);
      return model.words(model.mprotect(range, "read-only"));
    },
  },
  {
    name: "madvise(MADV_DONTNEED) of a part of a huge page: __split_huge_pmd, zap_pte_range",
    is: (op) =>
      op.kind === "sys_madvise" &&
      has(op, "zap_page_range_single", "split_huge_pmd") &&
      ofStep(op, /^thp_fork/),
    placed: SPLIT,
    run: (op, folder, { owing }) => {
      const range = argPages(op, "start", "len_in");
      const model = hugeModel(folder, range.lo);
      if (owing) model.owe();
      model.mapHuge(tableOf(range.lo), true);
      const args = {
        cpu: 0,
        mm: model.process.mm,
        range,
        behavior: behavior.values.indexOf("DONTNEED"),
      };
      return model.words(model.call(do_madvise, args));
    },
  },
  {
    name: "munmap of a huge page: zap_huge_pmd",
    is: (op) => op.kind === "sys_munmap" && has(op, "zap_huge_pmd"),
    placed: { "clear pmd": "zap_huge_pmd" },
    run: (op, folder) => {
      const model = hugeModel(folder);
      const range = argPages(op, "addr", "len");
      for (let at = range.lo; at < range.hi; at += PAGES_OF_TABLE) model.mapHuge(at, true);
      return model.words(model.munmap(range));
    },
  },
  {
    name: "fork, of huge pages: dup_mmap, copy_huge_pmd",
    is: (op) => op.kind === "sys_clone" && ofStep(op, /^thp/),
    placed: {},
    about: vmaOf,
    run: (op, folder) => {
      const model = hugeModel(folder);
      const { lo, hi } = vmaOf(op);
      for (let at = lo; at < hi; at += PAGES_OF_TABLE) model.mapHuge(at, true);
      return model.words(model.fork());
    },
  },
  {
    name: "fork, of hugetlb: dup_mmap, copy_page_range one level higher",
    is: (op) => op.kind === "sys_clone" && ofStep(op, /^hugetlb/),
    placed: {},
    about: vmaOf,
    run: (op, folder) => {
      const model = new Model(folder);
      const { lo, hi } = vmaOf(op);
      model.map({ lo: lo / PAGES_OF_TABLE, hi: hi / PAGES_OF_TABLE });
      return raised(model.words(model.fork()), PAGES_OF_TABLE, folder);
    },
  },
  {
    name: "write fault of a page of hugetlb: hugetlb_wp",
    is: (op) => op.kind === "fault" && has(op, "huge_ptep_set_access_flags"),
    placed: { change: "ptep_set_access_flags" },
    run: (op, folder) => {
      const model = new Model(folder);
      const va = page(op) / PAGES_OF_TABLE;
      model.map(one(va), { writable: false });
      // flush_tlb_page() is of one page of 4 KiB, as it is.
      const words = model.words(model.call(hugetlb_wp, { cpu: 0, mm: model.process.mm, va }));
      return raised(words, 1, folder);
    },
  },
  {
    name: "munmap of hugetlb: do_munmap one level higher",
    is: (op) => op.kind === "sys_munmap" && ofStep(op, /^hugetlb/),
    placed: {},
    run: (op, folder) => {
      const model = new Model(folder, [VM_HUGETLB.decl]);
      const { lo, hi } = argPages(op, "addr", "len");
      const range = { lo: lo / PAGES_OF_TABLE, hi: hi / PAGES_OF_TABLE };
      model.neighbours(range);
      model.reserve(range, true);
      for (let at = range.lo; at < range.hi; at++) {
        model.set(VM_HUGETLB.decl, [model.process.mm, at], 1);
      }
      // The step has touched the first page.
      model.map(one(range.lo));
      return raised(model.words(model.munmap(range)), PAGES_OF_TABLE, folder);
    },
  },
];

/** The vma that a fork copies, of those that the step is about. */
function vmaOf(op: Operation): Pages {
  const at = op.marked.lo;
  for (const { event, args } of op.probes) {
    if (event !== "copy_page_range" || args["src_mm"] !== op.process.mm) continue;
    const [lo, hi] = [Number(BigInt(args["start"]!) >> 12n), Number(BigInt(args["end"]!) >> 12n)];
    if (lo <= at && at < hi) return { lo, hi };
  }
  throw new Error(`line ${op.line}: no vma is copied`);
}

/** Words about pages of 2 MiB, by number, as words about addresses; each flushes so many pages. */
function raised(words: readonly string[], pages: number, folder: Folder): string[] {
  return words.flatMap((word) => {
    const [, what, from, to] = /^(.*) (0x[\da-f]+)(?:\.\.(0x[\da-f]+))?$/.exec(word) ?? [];
    if (what === undefined) return [word];
    const lo = Number(from) * PAGES_OF_TABLE;
    if (to !== undefined) {
      const count = Number(to) - Number(from);
      return [`${what} 0x${lo.toString(16)}..0x${(lo + count * pages).toString(16)}`];
    }
    if (pages === 1 || !what.startsWith("va")) return [`${what} 0x${lo.toString(16)}`];
    return instructions(what, lo, lo + pages, folder);
  });
}
