// SPDX-License-Identifier: Apache-2.0
// The numbers that the pages of the recordings give, as `trace FOLDER` counts them: what the other
// tests of recordings do not hold yet. What is a sequence, a sentence or a test program's own
// output there, and no count, is not in this table.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TraceSummary } from "../packages/shootdown/src/trace/finding.ts";
import { bytesOf } from "../packages/shootdown/src/trace/importers/bytes.ts";
import { checkRecording } from "../packages/shootdown/src/trace/recording.ts";
import { root } from "./support/files.ts";

const TRACES = process.env.SHOOTDOWN_TRACES ?? join(root, "../shared/traces");
const present = existsSync(join(TRACES, "x86-6.1-mm"));
const title = present
  ? "numbers of the recordings' pages"
  : "numbers of the recordings' pages (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces)";

const FILES = ["trace.txt", "tlbi.txt", "smmu.txt", "vtd.txt", "stacks.txt"];

const summaries = new Map<string, Promise<TraceSummary>>();

function folder(name: string): Promise<TraceSummary> {
  let summary = summaries.get(name);
  if (summary === undefined) {
    const files = FILES.flatMap((file) => {
      const path = [join(TRACES, name, file), join(TRACES, name, `${file}.gz`)].find(existsSync);
      return path === undefined ? [] : [{ name: file, open: () => bytesOf(readFileSync(path)) }];
    });
    summary = checkRecording(files[0]!, files.slice(1)).then((result) => {
      if (!result.ok) throw new Error(result.error.message);
      return result.summary;
    });
    summaries.set(name, summary);
  }
  return summary;
}

type Counts = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** By recording: the counts that its page gives, and where it gives them. */
const NUMBERS: readonly (readonly [string, Counts])[] = [
  // README.md, "What the recordings show", and record/verify.py.
  [
    "6.1-mm-max",
    {
      ptep_set_access_flags: { "TLBI 1, notifier calls 0": 127 },
      "checks of the recorded secondary TLB": { STALE_READONLY: 58 },
    },
  ],
  [
    "6.12-mm-max",
    {
      ptep_set_access_flags: { "TLBI 1, notifier calls 1": 100, "TLBI 1, notifier calls 0": 17 },
      // "each TLBI with the ASID of a watched mm has a secondary call of the same function".
      "TLBIs of an ASID with a notifier": { "secondary call of the same function after": 326 },
    },
  ],
  [
    "6.12-kvm-max",
    {
      ptep_set_access_flags: { "TLBI 1, notifier calls 1": 9, "TLBI 1, notifier calls 0": 11 },
      kvm: { "unmap events": 19, "unmap events inside their notifier range": 19 },
    },
  ],
  ["6.1-smmu-strict", { smmu_commands: { TLBI_NH_VA: 139 }, dma: { "unmap calls": 113 } }],
  ["6.12-smmu-lazy", { smmu_commands: { TLBI_NH_ASID: 32 }, dma: { "unmap calls": 135 } }],
  // README-x86.md, "What the mm and tlb recordings show".
  [
    "x86-6.1-mm",
    {
      "checks of the recorded secondary TLB": {
        ...{ STALE_READONLY: 62, DROPPED: 120, SAME: 94, FLAGS_ONLY: 14 },
      },
      "stale in the recorded secondary TLB": {
        "file_shared_upgrade, STALE_READONLY": 8,
        "file_shared_upgrade_by_read_syscall, STALE_READONLY": 4,
        "threads_upgrade_at_once, STALE_READONLY": 16,
        "big_folio_file_upgrade, STALE_READONLY": 8,
        "fork_then_parent_reuses, STALE_READONLY": 4,
        "fork_child_copies, STALE_READONLY": 4,
        "thp_fork_reuse_split, STALE_READONLY": 8,
        "hugetlb, STALE_READONLY": 2,
        "madvise_pageout, STALE_READONLY": 4,
        "userfault_write_protect, STALE_READONLY": 4,
      },
      flush_tlb_mm_range: {
        "watched mm, by IPI, no secondary call inside": 75,
        "watched mm, local only, no secondary call inside": 56,
      },
      "secondary callbacks": {
        ...{ "of a range": 296, "of the whole address space": 1, "from invalidate_range_end": 202 },
      },
    },
  ],
  [
    "x86-6.12-mm",
    {
      "checks of the recorded secondary TLB": {
        ...{ STALE_READONLY: 54, DROPPED: 125, SAME: 95, FLAGS_ONLY: 16 },
      },
      flush_tlb_mm_range: {
        "watched mm, by IPI, secondary call inside": 59,
        "watched mm, local only, secondary call inside": 38,
      },
      "secondary calls": {
        "inside flush_tlb_mm_range, after the IPIs were answered": 59,
        "inside flush_tlb_mm_range, local flush only": 38,
        "outside flush_tlb_mm_range": 59,
      },
      "secondary callbacks": { "of a range": 77, "of the whole address space": 75 },
      "secondary calls by": {
        "set_tlb_ubc_flush_pending.isra.0 in try_to_migrate_one": 55,
        "set_tlb_ubc_flush_pending.isra.0 in try_to_unmap_one": 4,
      },
    },
  ],
  // "mprotect_sleep: 15 of 15, both kernels"; "munmap_sleep, 5 of 5".
  ...(["x86-6.1-tlb", "x86-6.12-tlb"] as const).map(
    (name) =>
      [
        name,
        {
          "shootdowns by step": { "mprotect_sleep, reached 0": 15, "munmap_sleep, reached 3": 5 },
        },
      ] as const,
  ),
  // "every flush of it came from the timer".
  ["x86-6.1-iommu-lazy", { "flush queue": { fq_flush_timeout: 68, fq_flush_iotlb: 68 } }],
  ["x86-6.12-iommu-lazy", { "flush queue": { fq_flush_timeout: 60, fq_flush_iotlb: 60 } }],
];

/** The same descriptors in trace.txt and vtd.txt; of PASIDs 7 and 6; the waits of vtd.txt. */
const QUEUES: readonly (readonly [string, number, number, number])[] = [
  ["x86-6.1-iommu-strict", 6684, 6684, 0],
  ["x86-6.12-iommu-strict", 7232, 3648, 0],
  ["x86-6.1-iommu-lazy", 1775, 1775, 0],
  ["x86-6.12-iommu-lazy", 1759, 889, 0],
  ["x86-6.1-iommu-scalable", 5784, 5791, 7],
  ["x86-6.12-iommu-scalable", 7860, 3966, 6],
];

describe.skipIf(!present)(title, () => {
  test.each(NUMBERS)("%s", async (name, counts) => {
    const summary = await folder(name);
    expect(summary.counts).toMatchObject(counts);
    const missing = summary.counts?.["TLBIs of an ASID with a notifier"] ?? {};
    expect(missing["no secondary call after"]).toBeUndefined();
  });

  test.each(QUEUES)("%s: the queue from both sides", async (name, both, waits, left_out) => {
    const { counts, order, undecidable, iommu } = await folder(name);
    const log = counts?.["the queue's log"] ?? {};
    expect([order, undecidable]).toEqual([0, 0]);
    expect([log["descriptors in both"], log["waits"]]).toEqual([both, waits]);
    expect(log["descriptors of kinds that the log leaves out"] ?? 0).toBe(left_out);
    const rest = Object.keys(log).filter((key) => key.includes("only in"));
    expect(rest).toEqual([]);
    const { unknown, alone, ...between } = iommu!.waits_between;
    const seen = Object.entries(between).filter(([, count]) => count > 0);
    expect([unknown, alone]).toEqual([0, 0]);
    expect(counts?.["waits between IOTLB and device TLB, by the log"]).toEqual(
      Object.fromEntries(seen),
    );
  });
});
