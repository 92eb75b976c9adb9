// SPDX-License-Identifier: Apache-2.0
// Which routine of the model a recorded operation is, and how it is set up: a table that grows with
// the model. An operation that no line is about is told by the reasons below.

import { collapse_huge_page } from "../../../packages/shootdown/src/kernel/mm/khugepaged.ts";
import { behavior, do_madvise } from "../../../packages/shootdown/src/kernel/mm/madvise.ts";
import { mremap_to } from "../../../packages/shootdown/src/kernel/mm/mremap.ts";
import {
  try_to_migrate_one,
  try_to_unmap_flush,
  try_to_unmap_flush_dirty,
  try_to_unmap_one,
} from "../../../packages/shootdown/src/kernel/mm/rmap.ts";
import { HUGE_KINDS } from "./huge.ts";
import type { Kind } from "./kind.ts";
import { does, has, one, PUT_OFF, page, probe } from "./kind.ts";
import { Model } from "./model.ts";
import { NUMA_KINDS } from "./numa.ts";
import type { Operation } from "./operations.ts";
import { argPages } from "./operations.ts";
import { MORE_KINDS } from "./pages.ts";

/** Operations that are not compared, and why; the first that fits. */
export interface Reason {
  readonly why: string;
  readonly is: (op: Operation) => boolean;
}

/** Whether the fault that ptep_set_access_flags() is called in is a write. */
const written = (op: Operation): boolean =>
  probe(op, "ptep_set_access_flags").args["dirty"] !== "0";
/** PTE_DBM, which Linux calls PTE_WRITE. */
const wasWritable = (op: Operation): boolean =>
  (BigInt(probe(op, "ptep_set_access_flags").args["old"]!) & (1n << 51n)) !== 0n;
const setsFlags = (op: Operation): boolean => op.kind === "fault" && does(op, "change");

/** MREMAP_FIXED. */
const moves = (op: Operation): boolean => (Number(`0x${op.args["flags"]}`) & 2) !== 0;

/** Values of MADV_, in the hexadecimal digits of the trace. */
const ADVICE: Readonly<Record<string, (typeof behavior.values)[number]>> = {
  ...{ 4: "DONTNEED", 8: "FREE", 14: "COLD" },
};
const PAGEOUT = "15";
const COLLAPSE = "19";

export const REASONS: readonly Reason[] = [
  {
    why: "other threads work on the same pages",
    is: (op) => op.step === "threads_upgrade_at_once" && op.intent === "helpers_write",
  },
  { why: "no routine of the model", is: () => true },
];

/** What maps pages of 4 KiB, and is an operation of its own. */
const SMALL: readonly Kind[] = [
  {
    name: "write fault that makes an entry writable: handle_mm_fault, ptep_set_access_flags",
    is: (op) => setsFlags(op) && written(op) && !wasWritable(op),
    placed: { change: "ptep_set_access_flags" },
    run: (op, folder) => {
      const model = Model.shared(folder);
      model.map(one(page(op)), { writable: false });
      return model.words(model.store(page(op)));
    },
  },
  {
    name: "write fault that makes a writable entry dirty: handle_mm_fault, ptep_set_access_flags",
    is: (op) => setsFlags(op) && written(op) && wasWritable(op),
    placed: { change: "ptep_set_access_flags" },
    run: (op, folder) => {
      const model = Model.shared(folder);
      model.map(one(page(op)), { dirty: false });
      return model.words(model.store(page(op)));
    },
  },
  {
    name: "read fault that sets the access flag: handle_mm_fault, ptep_set_access_flags",
    is: (op) => setsFlags(op) && !written(op),
    placed: { change: "ptep_set_access_flags" },
    run: (op, folder) => {
      const model = Model.shared(folder);
      model.map(one(page(op)), { young: false });
      return model.words(model.load(page(op)));
    },
  },
  {
    name: "copy on write: handle_mm_fault, wp_page_copy, ptep_clear_flush",
    is: (op) => op.kind === "fault" && has(op, "wp_page_copy", "do_wp_page") && does(op, "clear"),
    placed: { clear: "ptep_clear_flush" },
    run: (op, folder) => {
      const model = Model.shared(folder);
      model.map(one(page(op)));
      // The child keeps its references, so that the page is shared.
      model.before(model.fork());
      return model.words(model.store(page(op)));
    },
  },
  {
    name: "mprotect: do_mprotect_pkey, change_pte_range",
    is: (op) => op.kind === "sys_mprotect",
    placed: { clear: "ptep_modify_prot_start", set: "ptep_modify_prot_commit" },
    run: (op, folder) => {
      const model = Model.shared(folder);
      const range = argPages(op, "start", "len");
      // PROT_NONE is as PROT_READ here.
      const writable = (Number(`0x${op.args["prot"]}`) & 2) !== 0;
      model.map(range, { writable: !writable, vmaWritable: !writable });
      return model.words(model.mprotect(range, writable ? "read-write" : "read-only"));
    },
  },
  {
    name: "munmap: do_munmap, zap_pte_range, free_pgtables, tlb_finish_mmu",
    is: (op) => op.kind === "sys_munmap",
    placed: {},
    run: (op, folder, { present, covered, sealed }) => {
      const model = Model.shared(folder);
      const range = argPages(op, "addr", "len");
      // Whether other mappings keep the table is taken from the recording.
      if (!does(op, "vae1is", "rvae1is")) model.neighbours(range);
      for (let at = range.lo; at < range.hi; at++) {
        if (present(at)) model.map(one(at), { vmaWritable: !sealed(at) });
        // A page that was given up lies in its vma, unless that was unmapped.
        else if (covered(at)) model.reserve(one(at), true);
      }
      return model.words(model.munmap(range));
    },
  },
  {
    name: "madvise(MADV_DONTNEED, MADV_FREE, MADV_COLD): do_madvise",
    is: (op) => op.kind === "sys_madvise" && ADVICE[op.args["behavior"]!] !== undefined,
    placed: {},
    run: (op, folder) => {
      const model = Model.shared(folder);
      const range = argPages(op, "start", "len_in");
      model.map(range);
      const advice = behavior.values.indexOf(ADVICE[op.args["behavior"]!]!);
      const args = { cpu: 0, mm: model.process.mm, range, behavior: advice };
      return model.words(model.call(do_madvise, args));
    },
  },
  {
    name: "madvise(MADV_PAGEOUT) of dirty pages: try_to_unmap_one, try_to_unmap_flush_dirty",
    is: (op) => op.kind === "sys_madvise" && op.args["behavior"] === PAGEOUT,
    // 6.1 ages the entries too, which it flushes in the end.
    part: (recorded) => {
      const end = recorded.findLastIndex((word) => word.startsWith("end"));
      const aged = recorded.findIndex((word, at) => at > end && /^r?vale1is/.test(word));
      return aged < 0 ? recorded : recorded.slice(0, aged - 1);
    },
    placed: PUT_OFF,
    run: (op, folder) => {
      const model = new Model(folder);
      const range = argPages(op, "start", "len_in");
      const { mm } = model.process;
      // Of shrink_folio_list() what flushes; its walk looks for the entry of each page.
      return model.map(range).flatMap((frame, n) => {
        const at = { cpu: 0, mm, va: range.lo + n, frame };
        const unmap = model.call(try_to_unmap_one, { ...at, batch_flush: 1, hwpoison: 0 });
        return [...model.words(unmap), ...model.words(model.call(try_to_unmap_flush_dirty, at))];
      });
    },
  },
  {
    name: "madvise(MADV_COLLAPSE): collapse_huge_page",
    is: (op) => op.kind === "sys_madvise" && op.args["behavior"] === COLLAPSE,
    placed: {},
    run: (op, folder) => {
      const model = new Model(folder);
      const range = argPages(op, "start", "len_in");
      model.map(range);
      const args = { cpu: 0, mm: model.process.mm, va: range.lo };
      return model.words(model.call(collapse_huge_page, args));
    },
  },
  {
    name: "mremap, of the old place: mremap_to, move_ptes",
    is: (op) => op.kind === "sys_mremap" && moves(op),
    placed: {},
    about: (op) => argPages(op, "addr", "old_len"),
    run: (op, folder) => {
      const model = new Model(folder);
      const range = argPages(op, "addr", "old_len");
      model.map(range);
      model.neighbours(range);
      const to = argPages(op, "new_addr", "new_len");
      model.neighbours(to);
      const args = { cpu: 0, mm: model.process.mm, range, to: to.lo, by_table: 0 };
      return model.words(model.call(mremap_to, args));
    },
  },
  {
    name: "move_pages and mbind: try_to_migrate_one, try_to_unmap_flush",
    is: (op) => op.kind === "sys_move_pages" || op.kind === "sys_mbind",
    placed: PUT_OFF,
    run: (op, folder) => {
      const model = new Model(folder);
      const { mm } = model.process;
      const one = model.map(op.marked).flatMap((frame, n) => {
        const at = { cpu: 0, mm, va: op.marked.lo + n, frame };
        return model.words(model.call(try_to_migrate_one, { ...at, batch_flush: 1 }));
      });
      return [...one, ...model.words(model.call(try_to_unmap_flush, { cpu: 0 }))];
    },
  },
  {
    name: "fork, of the vma that the step is about: dup_mmap, copy_page_range",
    is: (op) => op.kind === "sys_clone" && op.intent === "fork" && !/^(thp|huge)/.test(op.step),
    placed: {},
    about: (op) => op.marked,
    run: (op, folder) => {
      const model = Model.shared(folder);
      model.map(op.marked);
      return model.words(model.fork());
    },
  },
  {
    name: "exit: exit_mmap, mmu_notifier_release",
    is: (op) => op.kind === "sys_exit_group",
    placed: {},
    run: (_op, folder) => {
      const model = new Model(folder);
      model.map({ lo: 0x10000, hi: 0x10004 });
      return model.words(model.exit());
    },
  },
];

/** The first that fits. */
export const KINDS: readonly Kind[] = [...HUGE_KINDS, ...NUMA_KINDS, ...SMALL, ...MORE_KINDS];
