// SPDX-License-Identifier: Apache-2.0
// Flushes that reclaim puts off: arch/arm64/include/asm/tlbflush.h, since 6.6.
//
//   TLBI of each page at once, one DSB for all of them at the end of the batch

import { FALSE, member, TRUE } from "../../../../ir/expr.ts";
import { define } from "../../../../ir/machine.ts";
import { call, label, ret, since } from "../../../../ir/stmt.ts";
import { dsb_op } from "../../../../vocabulary/events.ts";
import { dsb } from "../../../../vocabulary/primitives.ts";
import {
  arch_flush_tlb_batched_pending,
  arch_tlbbatch_add_pending,
  arch_tlbbatch_flush,
  arch_tlbbatch_should_defer,
  flush_tlb_mm,
} from "../../../asm/tlbflush.ts";
import { flush_tlb_page_nosync } from "./tlbflush.ts";

const file = "arch/arm64/include/asm/tlbflush.h";
const ISH = member(dsb_op, "ISH");
/** "arm64: support batched/deferred tlb shootdown during page reclamation/migration". */
const commits = { "6.6": "43b3dfdd0455" };

/** Until 6.5 there is no ARCH_WANT_BATCHED_UNMAP_TLB_FLUSH: each page is flushed at once. */
const none = { source: { file: "arch/arm64/Kconfig" }, kernels: "..6.6" } as const;
const NONE = [
  define(arch_tlbbatch_should_defer, { ...none, body: () => [ret(FALSE)] }),
  define(arch_tlbbatch_add_pending, { ...none, body: () => [] }),
  define(arch_tlbbatch_flush, { ...none, body: () => [] }),
  define(arch_flush_tlb_batched_pending, { ...none, body: () => [] }),
];

export const tlbbatch = [
  ...NONE,
  define(arch_tlbbatch_should_defer, {
    source: { file, sha: { "6.12": "977652fe7d19" }, commits },
    kernels: "6.6..",
    body: () => [ret(TRUE)],
  }),
  define(arch_tlbbatch_add_pending, {
    source: { file, sha: { "6.12": "181db94eefd4" }, commits },
    kernels: "6.6..",
    body: ({ cpu, mm, va }) => [label("flush", call(flush_tlb_page_nosync, { cpu, mm, va }))],
  }),
  define(arch_tlbbatch_flush, {
    source: { file, sha: { "6.12": "d36a7988956d" }, commits },
    kernels: "6.6..",
    body: ({ cpu }) => [label("sync", call(dsb, { cpu, op: ISH }))],
  }),
  define(arch_flush_tlb_batched_pending, {
    source: {
      file,
      sha: { "6.12": "42478e43a510" },
      commits: { "6.6": "43b3dfdd0455 (4b634918384c mends it in 6.16 and 6.12.y)" },
    },
    kernels: "6.6..",
    body: ({ cpu, mm }) => [
      label(
        "flush",
        // A DSB waits for the TLBIs of its own CPU alone.
        since("6.12", [call(flush_tlb_mm, { cpu, mm })], [call(dsb, { cpu, op: ISH })]),
      ),
    ],
  }),
];
