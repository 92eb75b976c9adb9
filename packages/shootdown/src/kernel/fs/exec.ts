// SPDX-License-Identifier: Apache-2.0
// A new program in an old process: fs/exec.c, 6.1 and 6.12.

import { declare, define } from "../../ir/machine.ts";
import { call } from "../../ir/stmt.ts";
import { activate_mm } from "../../vocabulary/primitives.ts";
import { t } from "../../vocabulary/sorts.ts";
import { exit_mmap } from "../mm/mmap.ts";

/** The thread goes on in another address space, and its old one goes with it. */
export const exec_mmap = declare("exec_mmap", { cpu: t.cpu, mm: t.mm, next: t.mm });

export const exec = [
  define(exec_mmap, {
    source: { file: "fs/exec.c", sha: { "6.1": "cdf5345d90cd", "6.12": "f43bb1f78e8d" } },
    abstracts: ["the CPU uses neither address space while the old one goes; the kernel's, the new"],
    body: ({ cpu, mm, next }) => [
      // mmput(): the threads that shared it are gone.
      call(exit_mmap, { cpu, mm }),
      call(activate_mm, { cpu, mm: next }),
    ],
  }),
];
