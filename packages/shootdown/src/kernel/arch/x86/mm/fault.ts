// SPDX-License-Identifier: Apache-2.0
// Faults: arch/x86/mm/fault.c, 6.1 and 6.12; and what a task does that gives up its mm.

import { and, FALSE, not, or, TRUE } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import { call, ret, when } from "../../../../ir/stmt.ts";
import { do_page_fault } from "../../../../vocabulary/primitives.ts";
import { sigbus } from "../../../mm/file-pages.ts";
import { handle_mm_fault } from "../../../mm/memory.ts";
import { mmap_read_lock, mmap_read_unlock } from "../../../mm/mmap_lock.ts";
import { VM_NONE, VM_WRITE, vma } from "../../../state.ts";

export const fault = [
  define(do_page_fault, {
    source: {
      file: "arch/x86/mm/fault.c",
      function: "do_user_addr_fault",
      sha: { "6.1": "36a731f155ec", "6.12": "4a1bda506acf" },
    },
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
