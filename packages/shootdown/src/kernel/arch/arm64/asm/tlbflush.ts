// SPDX-License-Identifier: Apache-2.0
// TLB flushes: arch/arm64/include/asm/tlbflush.h, 6.1 and 6.12; the local ones of 6.19.

import type { Expr } from "../../../../ir/expr.ts";
import { FALSE, ite, knobIs, le, limit, member, TRUE } from "../../../../ir/expr.ts";
import { declare, define } from "../../../../ir/machine.ts";
import type { Stmt } from "../../../../ir/stmt.ts";
import { call, label, ret, since, when, whenElse } from "../../../../ir/stmt.ts";
import { dsb_op, tlbi_op } from "../../../../vocabulary/events.ts";
import { dsb, tlbi } from "../../../../vocabulary/primitives.ts";
import { EMPTY, Range, t, WHOLE_MM } from "../../../../vocabulary/sorts.ts";
import { asid_of } from "../../../../vocabulary/state.ts";
import {
  flush_pmd_tlb_range,
  flush_tlb_fix_spurious_fault,
  flush_tlb_mm,
  flush_tlb_page,
  flush_tlb_range,
} from "../../../asm/tlbflush.ts";
import { mmu_notifier_arch_invalidate_secondary_tlbs } from "../../../mm/mmu_notifier.ts";

const file = "arch/arm64/include/asm/tlbflush.h";
const ISHST = member(dsb_op, "ISHST");
const ISH = member(dsb_op, "ISH");
const NSHST = member(dsb_op, "NSHST");
const NSH = member(dsb_op, "NSH");

export const flush_tlb_page_nosync = declare("flush_tlb_page_nosync", {
  cpu: t.cpu,
  mm: t.mm,
  va: t.va,
});
export const __flush_tlb_range = declare("__flush_tlb_range", {
  cpu: t.cpu,
  mm: t.mm,
  range: t.range,
  last_level: t.bool,
  /** The stride is what a table maps, not a page. */
  by_table: t.bool,
});
/** Since 6.19: this CPU alone, and every secondary TLB. */
export const local_flush_tlb_page = declare("local_flush_tlb_page", {
  cpu: t.cpu,
  mm: t.mm,
  va: t.va,
});
/** Since 6.19: this CPU alone. */
export const local_flush_tlb_page_nonotify = declare("local_flush_tlb_page_nonotify", {
  cpu: t.cpu,
  mm: t.mm,
  va: t.va,
});

/** `__local_flush_tlb_page_nonotify_nosync()`. */
const localPage = (cpu: Expr<"cpu">, mm: Expr<"mm">, va: Expr<"va">): Stmt[] => [
  call(dsb, { cpu, op: NSHST }),
  call(tlbi, { cpu, op: member(tlbi_op, "VALE1"), asid: asid_of(mm), range: Range.one(va) }),
];

/** "arm64, tlbflush: don't TLBI broadcast if page reused in write fault". */
export const LOCAL_COMMIT = { "6.19": "cb1fa2e99955" };

export const tlbflush = [
  define(flush_tlb_mm, {
    source: { file, sha: { "6.1": "d653a862f4b6", "6.12": "088d4c05e3d6" } },
    abstracts: ["KPTI's second ASID"],
    body: ({ cpu, mm }) => [
      call(dsb, { cpu, op: ISHST }),
      label(
        "tlbi",
        call(tlbi, { cpu, op: member(tlbi_op, "ASIDE1IS"), asid: asid_of(mm), range: WHOLE_MM }),
      ),
      label("sync", call(dsb, { cpu, op: ISH })),
      since("6.6", [
        label(
          "notify",
          call(mmu_notifier_arch_invalidate_secondary_tlbs, { cpu, mm, range: WHOLE_MM }),
        ),
      ]),
    ],
  }),
  define(flush_tlb_page_nosync, {
    source: { file, sha: { "6.1": "1499adf48ed9", "6.12": "ee687d62038f" } },
    body: ({ cpu, mm, va }) => [
      call(dsb, { cpu, op: ISHST }),
      label(
        "tlbi",
        call(tlbi, {
          cpu,
          op: member(tlbi_op, "VALE1IS"),
          asid: asid_of(mm),
          range: Range.one(va),
        }),
      ),
      since("6.6", [
        label(
          "notify",
          call(mmu_notifier_arch_invalidate_secondary_tlbs, { cpu, mm, range: Range.one(va) }),
        ),
      ]),
    ],
  }),
  define(flush_tlb_page, {
    source: { file, sha: { "6.1": "2fe4625981a4", "6.12": "2fe4625981a4" } },
    body: ({ cpu, mm, va }) => [
      call(flush_tlb_page_nosync, { cpu, mm, va }),
      call(dsb, { cpu, op: ISH }),
    ],
  }),
  define(__flush_tlb_range, {
    source: {
      file,
      sha: { "6.1": "935d7685a659", "6.12": "a8b8157b158c" },
      commits: { "6.6": "6bbd42e2df8f (f7edb07ad7c6 mends the range in 6.14 and 6.12.y)" },
    },
    abstracts: [
      "one operation for the whole range: at the stride of a block, all leaves of it",
      "TTL hints",
      "6.12 flushes one page more by range",
    ],
    body: ({ cpu, mm, range, last_level, by_table }) => [
      when(
        ite(
          knobIs("tlbirange", "yes"),
          le(limit("MAX_TLBI_RANGE_PAGES"), Range.length(range)),
          ite(
            by_table,
            le(limit("MAX_TLBI_OPS_TABLES"), Range.length(range)),
            le(limit("MAX_TLBI_OPS"), Range.length(range)),
          ),
        ),
        call(flush_tlb_mm, { cpu, mm }),
        ret(),
      ),
      call(dsb, { cpu, op: ISHST }),
      label(
        "tlbi",
        whenElse(
          last_level,
          [call(tlbi, { cpu, op: member(tlbi_op, "VALE1IS"), asid: asid_of(mm), range })],
          [call(tlbi, { cpu, op: member(tlbi_op, "VAE1IS"), asid: asid_of(mm), range })],
        ),
      ),
      since(
        "6.12",
        [label("notify", call(mmu_notifier_arch_invalidate_secondary_tlbs, { cpu, mm, range }))],
        [
          // The macro of the loop above moved `start` to the end: the range has no page.
          since("6.6", [
            call(mmu_notifier_arch_invalidate_secondary_tlbs, { cpu, mm, range: EMPTY }),
          ]),
        ],
      ),
      label("sync", call(dsb, { cpu, op: ISH })),
    ],
  }),
  define(flush_tlb_range, {
    source: { file, sha: { "6.1": "f1aebfa5a9aa", "6.12": "85c3a6c35adc" } },
    body: ({ cpu, mm, range }) => [
      call(__flush_tlb_range, { cpu, mm, range, last_level: FALSE, by_table: FALSE }),
    ],
  }),
  define(flush_pmd_tlb_range, {
    source: {
      file: "arch/arm64/include/asm/pgtable.h",
      sha: { "6.1": "e0a2fe7ba076", "6.12": "e0a2fe7ba076" },
    },
    body: ({ cpu, mm, range }) => [
      call(__flush_tlb_range, { cpu, mm, range, last_level: FALSE, by_table: TRUE }),
    ],
  }),
  define(flush_tlb_fix_spurious_fault, {
    source: {
      file: "arch/arm64/include/asm/pgtable.h",
      sha: { "6.1": "ed26397ef475", "6.12": "2821144aed76" },
      commits: LOCAL_COMMIT,
    },
    body: ({ cpu, mm, va }) => [
      label("flush", since("6.19", [call(local_flush_tlb_page_nonotify, { cpu, mm, va })])),
    ],
  }),
  define(local_flush_tlb_page, {
    source: { file, commits: LOCAL_COMMIT },
    kernels: "6.19..",
    body: ({ cpu, mm, va }) => [
      ...localPage(cpu, mm, va),
      call(mmu_notifier_arch_invalidate_secondary_tlbs, { cpu, mm, range: Range.one(va) }),
      call(dsb, { cpu, op: NSH }),
    ],
  }),
  define(local_flush_tlb_page_nonotify, {
    source: { file, commits: LOCAL_COMMIT },
    kernels: "6.19..",
    body: ({ cpu, mm, va }) => [...localPage(cpu, mm, va), call(dsb, { cpu, op: NSH })],
  }),
];
