// SPDX-License-Identifier: Apache-2.0
// Flushes that reclaim puts off: none here, where x86 has them if other CPUs run the mm.

import { FALSE } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import { ret } from "../../../../ir/stmt.ts";
import {
  arch_flush_tlb_batched_pending,
  arch_tlbbatch_add_pending,
  arch_tlbbatch_flush,
  arch_tlbbatch_should_defer,
} from "../../../asm/tlbflush.ts";

const none = {
  source: { file: "arch/x86/Kconfig" },
  abstracts: ["ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH: each page is flushed at once"],
} as const;

export const tlbbatch = [
  define(arch_tlbbatch_should_defer, { ...none, body: () => [ret(FALSE)] }),
  define(arch_tlbbatch_add_pending, { ...none, body: () => [] }),
  define(arch_tlbbatch_flush, { ...none, body: () => [] }),
  define(arch_flush_tlb_batched_pending, { ...none, body: () => [] }),
];
