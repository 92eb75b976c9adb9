// SPDX-License-Identifier: Apache-2.0
// Recordings of x86 kernels with an Intel IOMMU, where they are installed: the documented counts of
// the queue and of the DMA API, and what breaking a recording makes of it.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { checkTrace, type TraceOptions } from "../packages/shootdown/src/trace/check.ts";
import { type Finding, traceStatus } from "../packages/shootdown/src/trace/finding.ts";
import { bytesOf } from "../packages/shootdown/src/trace/importers/bytes.ts";
import { root } from "./support/files.ts";

const TRACES = process.env.SHOOTDOWN_TRACES ?? join(root, "../shared/traces");
const present = existsSync(join(TRACES, "x86-6.1-iommu-strict"));
const title = present
  ? "x86 recordings"
  : "x86 recordings (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces has them)";

function recording(name: string, file = "trace.txt"): string {
  const plain = join(TRACES, name, file);
  if (existsSync(plain)) return readFileSync(plain, "utf8");
  return gunzipSync(readFileSync(`${plain}.gz`)).toString("utf8");
}

async function check(text: string, options: TraceOptions = {}) {
  const findings: Finding[] = [];
  const onFinding = (finding: Finding) => findings.push(finding);
  const result = await checkTrace(bytesOf(text), { ...options, onFinding });
  if (!result.ok) throw new Error(result.error.message);
  const wrong = findings.filter(({ class: found }) => found !== "excess" && found !== "depends");
  return { findings, wrong, summary: result.summary, status: traceStatus(result) };
}

/** [unmap calls, pages], IOTLB pages / domain / global, device pages / everything, waits, ... */
interface Row {
  readonly unmaps: readonly [number, number];
  readonly iotlb: readonly [number, number, number];
  readonly device: readonly [number, number];
  readonly waits: number;
  readonly context: number;
  /** Waits between IOTLB and device TLB: none, one, more. */
  readonly between: readonly [number, number, number];
  /** Milliseconds from unmap to the end of the invalidation: median, 95 %, longest. */
  readonly iotlb_ms: readonly [number, number, number];
  readonly device_ms: readonly [number, number, number];
  readonly most: number;
  /** Pages invalidated by range and with the whole domain. */
  readonly closed: readonly [number, number];
  /** IOTLB invalidations by address with IH; all of them where absent. */
  readonly hinted?: number;
  /** Calls for a range that invalidated more than it. */
  readonly excess?: number;
}

const TABLE: Readonly<Record<string, Row>> = {
  "x86-6.1-iommu-strict": {
    ...{ unmaps: [3363, 5118], iotlb: [3363, 5, 1], device: [3309, 1], waits: 6684, context: 5 },
    ...{ between: [0, 3025, 285], most: 218, closed: [5118, 0], excess: 8 },
    ...{ iotlb_ms: [0.123, 0.489, 10.671], device_ms: [0.172, 0.719, 13.174] },
  },
  "x86-6.12-iommu-strict": {
    ...{ unmaps: [3638, 5102], iotlb: [3638, 4, 1], device: [3584, 0], waits: 3648, context: 5 },
    ...{ between: [3584, 0, 0], most: 33, closed: [5102, 0] },
    ...{ iotlb_ms: [0.118, 0.367, 6.658], device_ms: [0.113, 0.363, 6.658] },
  },
  "x86-6.1-iommu-lazy": {
    ...{ unmaps: [3442, 5118], iotlb: [818, 73, 1], device: [818, 60], waits: 1775, context: 5 },
    ...{ between: [0, 834, 44], most: 1036, closed: [936, 4182] },
    ...{ iotlb_ms: [8.117, 19.126, 30.759], device_ms: [8.228, 19.731, 29.554] },
  },
  "x86-6.12-iommu-lazy": {
    ...{ unmaps: [2880, 5106], iotlb: [819, 64, 1], device: [819, 51], waits: 889, context: 5 },
    ...{ between: [870, 0, 0], most: 1036, closed: [937, 4169] },
    ...{ iotlb_ms: [6.506, 17.128, 21.25], device_ms: [5.374, 17.128, 19.938] },
  },
  "x86-6.1-iommu-caching": {
    ...{ unmaps: [2900, 5118], iotlb: [5820, 20, 1], device: [2846, 0], waits: 8707, context: 20 },
    ...{ between: [0, 2719, 127], most: 176, closed: [5118, 0], excess: 23 },
    ...{ iotlb_ms: [0.1, 0.351, 13.162], device_ms: [0.163, 0.536, 19.512] },
  },
  "x86-6.12-iommu-caching": {
    ...{ unmaps: [3335, 5091], iotlb: [6689, 19, 1], device: [3281, 0], waits: 6729, context: 20 },
    ...{ between: [3281, 0, 0], most: 320, closed: [5091, 0], excess: 6, hinted: 3335 },
    ...{ iotlb_ms: [0.112, 0.363, 7.508], device_ms: [0.107, 0.345, 7.508] },
  },
  "x86-6.1-iommu-scalable": {
    ...{ unmaps: [2914, 5116], iotlb: [2914, 5, 1], device: [2860, 2], waits: 5791, context: 2 },
    ...{ between: [0, 2711, 151], most: 181, closed: [5116, 0], excess: 40 },
    ...{ iotlb_ms: [0.094, 0.561, 9.968], device_ms: [0.141, 0.727, 13.85] },
  },
  "x86-6.12-iommu-scalable": {
    ...{ unmaps: [3954, 5131], iotlb: [3954, 3, 1], device: [3900, 0], waits: 3966, context: 2 },
    ...{ between: [3900, 0, 0], most: 32, closed: [5131, 0], excess: 16 },
    ...{ iotlb_ms: [0.106, 0.466, 60.008], device_ms: [0.102, 0.364, 60.008] },
  },
};
const NAMES = Object.keys(TABLE);

type Summary = Awaited<ReturnType<typeof check>>["summary"];

/** The queue's part of a row. */
function queueOf({ iommu }: Summary) {
  const d = iommu?.descriptors ?? {};
  const of = (...kinds: string[]) => kinds.reduce((sum, kind) => sum + (d[kind] ?? 0), 0);
  const between = iommu?.waits_between;
  expect([between?.unknown, between?.alone]).toEqual([0, 0]);
  return {
    iotlb: [of("iotlb_pages"), of("iotlb_domain"), of("iotlb_global")],
    device: [of("device_pages"), of("device_global")],
    context: of("context_global", "context_domain", "context_device"),
    between: [between?.none, between?.one, between?.more],
  };
}

/** Submissions that were made before the kprobe of qi_submit_sync was set. */
const BEFORE_PROBE = (name: string) =>
  name.includes("caching") ? 24 : name.includes("scalable") ? 3 : 2;

describe.skipIf(!present)(title, () => {
  test.each(NAMES)("%s: trace.txt gives the documented counts, and no finding", async (name) => {
    const { findings, wrong, summary, status } = await check(recording(name));
    const row = TABLE[name]!;
    const { iommu } = summary;
    expect([wrong, status, summary.undecidable]).toEqual([[], 0, 0]);
    // Ranges that are no aligned power of two of pages.
    expect([summary.excess, findings.length]).toEqual([row.excess ?? 0, row.excess ?? 0]);
    const { iotlb, device, context, between } = row;
    expect(queueOf(summary)).toEqual({ iotlb, device, context, between });
    // The tracepoint leaves waits out; each submission has one.
    expect(iommu?.waits_by).toBe("qi_submit_sync");
    expect((iommu?.waits ?? 0) + BEFORE_PROBE(name)).toBe(row.waits);
    expect([iommu?.unmaps, iommu?.unmapped_pages]).toEqual(row.unmaps);
    expect([iommu?.closed_by.range, iommu?.closed_by.all]).toEqual(row.closed);
    expect([iommu?.closed_by.other, iommu?.reused_early]).toEqual([0, 0]);
    expect(iommu?.conforming_pages).toBe(row.unmaps[1]);
    expect(iommu?.most_waiting).toBe(row.most);
    for (const [cache, ms] of [
      [iommu?.after_unmap.iotlb, row.iotlb_ms],
      [iommu?.after_unmap.device, row.device_ms],
    ] as const) {
      expect([cache?.median_ms, cache?.p95_ms, cache?.longest_ms]).toEqual(ms);
    }
    const reused = name.includes("6.12") ? 3 : 2;
    expect([iommu?.domain_ids_reused, iommu?.domain_ids_flushed]).toEqual([reused, reused]);
  });

  test.each(NAMES)("%s: vtd.txt gives the same of the queue, and the waits", async (name) => {
    const { findings, summary, status } = await check(recording(name, "vtd.txt"));
    const { iotlb, device, context, between, waits } = TABLE[name]!;
    expect([findings, status, summary.undecidable]).toEqual([[], 0, 0]);
    expect(summary.format).toBe("QEMU's VT-d trace");
    expect(queueOf(summary)).toEqual({ iotlb, device, context, between });
    expect([summary.iommu?.waits, summary.iommu?.waits_by]).toEqual([waits, "queue"]);
    // No fence bit; only 6.12 says that nothing but leaf entries changed, and on unmap alone.
    const hinted = name.includes("6.1-") ? 0 : TABLE[name]!.hinted;
    expect([summary.iommu?.fences, summary.iommu?.leaf_only]).toEqual([0, hinted ?? iotlb[0]]);
  });

  test.each([
    ["x86-6.1-mm", [80, 20], [10, 10], [177, 23], [4, 4], 561],
    ["x86-6.12-mm", [69, 19], [2, 0], [175, 19], [9, 9], 595],
    ["x86-6.1-tlb", [102, 32], [162, 49], [174, 26], [5, 5], 520],
    ["x86-6.12-tlb", [101, 32], [165, 47], [174, 26], [5, 5], 550],
  ] as const)("%s: CPU flushes by reason", async (name, sent, received, own, every, switched) => {
    const { summary, wrong } = await check(recording(name));
    const of = ([flushes, all]: readonly [number, number]) => ({ flushes, all });
    expect(summary.cpu_flushes).toEqual({
      "remote ipi send": of(sent),
      "remote shootdown": of(received),
      "local mm shootdown": of(own),
      "local shootdown": of(every),
      "flush on task switch": of([switched, switched]),
    });
    expect(wrong).toEqual([]);
  });

  /** Upgrades at fault time of a watched mm: all depend, whatever the kernel. */
  test.each([
    ["x86-6.1-mm", 93],
    ["x86-6.12-mm", 106],
  ] as const)("%s: %i upgrades depend on denyRewalk, and nothing is wrong", async (name, count) => {
    const { findings, wrong, summary, status } = await check(recording(name));
    const upgrades = findings.filter(({ operation }) => operation === "ptep_set_access_flags");
    expect(wrong).toEqual([]);
    expect(summary).toMatchObject({
      layout: "x86",
      upgrades: count,
      missing: 0,
      short: 0,
      late: 0,
    });
    expect([summary.depends, upgrades.length, status]).toEqual([count, count, 3]);
    for (const finding of upgrades) {
      expect(finding).toMatchObject({ class: "depends", rule: "V10", knob: "denyRewalk" });
    }
  });

  test.each(["x86-6.1-mm", "x86-6.12-mm"])("%s: the knob decides", async (name) => {
    const yes = (await check(recording(name), { deny_rewalk: true })).summary;
    const no = (await check(recording(name), { deny_rewalk: false })).summary;
    expect([yes.depends, yes.missing, no.depends, no.missing]).toEqual([0, 0, 0, yes.upgrades]);
  });
});
