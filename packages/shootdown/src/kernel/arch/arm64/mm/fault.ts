// SPDX-License-Identifier: Apache-2.0
// Faults: arch/arm64/mm/fault.c, 6.1 and 6.12.

import { and, eq, FALSE, not, or, TRUE } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import { call, callInto, label, leave, loop, ret, set, since, when } from "../../../../ir/stmt.ts";
import { DBM, desc } from "../../../../vocabulary/descriptor.ts";
import { cmpxchg_desc, cmpxchg_pmd, do_page_fault } from "../../../../vocabulary/primitives.ts";
import { firstPage, t } from "../../../../vocabulary/sorts.ts";
import { is_contiguous, pmd, pte } from "../../../../vocabulary/state.ts";
import { CONTPTE, pmdp_set_access_flags, ptep_set_access_flags } from "../../../asm/pgtable.ts";
import { flush_tlb_page } from "../../../asm/tlbflush.ts";
import { sigbus } from "../../../mm/file-pages.ts";
import { handle_mm_fault } from "../../../mm/memory.ts";
import { mmap_read_lock, mmap_read_unlock } from "../../../mm/mmap_lock.ts";
import { VM_NONE, VM_WRITE, vma } from "../../../state.ts";
import { LOCAL_COMMIT, local_flush_tlb_page } from "../asm/tlbflush.ts";
import { contpte_ptep_set_access_flags, contpte_try_unfold, morePermissive } from "./contpte.ts";

const file = "arch/arm64/mm/fault.c";

export const fault = [
  define(ptep_set_access_flags, {
    source: {
      file,
      function: "ptep_set_access_flags (6.1), __ptep_set_access_flags (6.12)",
      sha: { "6.1": "a080fe5ba0dd", "6.12": "d7e1ed75f333" },
      commits: LOCAL_COMMIT,
    },
    locals: { old: desc, ok: t.bool },
    body: ({ cpu, mm, va, entry, dirty, old, ok }) => [
      since("6.9", [
        when(
          and(CONTPTE, is_contiguous(va)),
          set(old, pte(mm, va)),
          when(
            eq(DBM(old), DBM(entry)),
            callInto(ok, contpte_ptep_set_access_flags, { cpu, mm, va, entry, dirty }),
            ret(ok),
          ),
          call(contpte_try_unfold, { cpu, mm, va }),
        ),
      ]),
      set(old, pte(mm, va)),
      when(eq(old, entry), ret(FALSE)),
      label(
        "update",
        loop(
          callInto(ok, cmpxchg_desc, {
            cpu,
            mm,
            va,
            expect: old,
            value: morePermissive(old, entry),
          }),
          when(ok, leave()),
          set(old, pte(mm, va)),
        ),
      ),
      // Others that keep the old entry are told by a fault of their own.
      label(
        "flush",
        when(
          dirty,
          since(
            "6.19",
            [call(local_flush_tlb_page, { cpu, mm, va })],
            [call(flush_tlb_page, { cpu, mm, va })],
          ),
        ),
      ),
      label("notify"),
      ret(TRUE),
    ],
  }),
  define(pmdp_set_access_flags, {
    source: {
      file: "arch/arm64/include/asm/pgtable.h",
      sha: { "6.1": "6131a23cec08", "6.12": "1b0259e7eb1c" },
      commits: LOCAL_COMMIT,
    },
    abstracts: ["the body of ptep_set_access_flags(), of which this is a call"],
    locals: { old: desc, ok: t.bool, head: t.va },
    body: ({ cpu, mm, region, entry, dirty, old, ok, head }) => [
      set(old, pmd(mm, region)),
      when(eq(old, entry), ret(FALSE)),
      label(
        "update",
        loop(
          callInto(ok, cmpxchg_pmd, {
            ...{ cpu, mm, region, expect: old },
            value: morePermissive(old, entry),
          }),
          when(ok, leave()),
          set(old, pmd(mm, region)),
        ),
      ),
      set(head, firstPage(region)),
      // The CPU's operation finds the block by any address; those who are told hear of one page.
      label(
        "flush",
        when(
          dirty,
          since(
            "6.19",
            [call(local_flush_tlb_page, { cpu, mm, va: head })],
            [call(flush_tlb_page, { cpu, mm, va: head })],
          ),
        ),
      ),
      label("notify"),
      ret(TRUE),
    ],
  }),
  define(do_page_fault, {
    source: { file, sha: { "6.1": "98751ac0a688", "6.12": "320c8a7372da" } },
    abstracts: ["per-VMA locks of 6.12: mmap_lock is taken for reading", "retry after I/O"],
    body: ({ cpu, mm, va, write }) => [
      call(mmap_read_lock, { mm }),
      when(
        or(not(vma(mm, va)), VM_NONE(mm, va), and(write, not(VM_WRITE(mm, va)))),
        call(mmap_read_unlock, { mm }),
        ret(FALSE),
      ),
      call(handle_mm_fault, { cpu, mm, va, write }),
      call(mmap_read_unlock, { mm }),
      ...sigbus(cpu),
      ret(TRUE),
    ],
  }),
];
