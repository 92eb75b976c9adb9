// SPDX-License-Identifier: Apache-2.0
// Invalidation queues and the DMA API on excerpts of recordings, whole and broken.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkTrace } from "../check.ts";
import { type Finding, traceStatus } from "../finding.ts";
import { bytesOf } from "../importers/bytes.ts";

const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url), "utf8");

async function check(text: string) {
  const findings: Finding[] = [];
  const result = await checkTrace(bytesOf(text), { onFinding: (one) => findings.push(one) });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary, status: traceStatus(result) };
}

const STRICT_61 = fixture("x86-6.1-iommu-strict.trace.txt").split("\n");
const STRICT_612 = fixture("x86-6.12-iommu-strict.trace.txt").split("\n");
const LAZY_612 = fixture("x86-6.12-iommu-lazy.trace.txt").split("\n");

/** The n-th line (from 0) that has the text. */
function at(lines: readonly string[], text: string, n = 0): number {
  const found = lines.flatMap((line, index) => (line.includes(text) ? [index] : []));
  const line = found[n];
  if (line === undefined) throw new Error(`no line ${n} with ${text}`);
  return line;
}

/** A copy without the lines [from, to]. */
const drop = (lines: readonly string[], from: number, to = from): string =>
  [...lines.slice(0, from), ...lines.slice(to + 1)].join("\n");

/** From the n-th submission of a kind of descriptor to its end. */
function submission(lines: readonly string[], type: string, n: number): [number, number] {
  const here = at(lines, ` qi_submit: ${type} `, n);
  const from = lines.findLastIndex((line, i) => i < here && line.includes(" qi_submit_sync: "));
  const to = lines.findIndex((line, i) => i > here && line.includes(" qi_submit_sync_ret: "));
  return [from, to];
}

describe("whole", () => {
  test("6.1, strict: each page is invalidated by its call, and one wait is between", async () => {
    const { findings, summary, status } = await check(STRICT_61.join("\n"));
    expect([findings, status]).toEqual([[], 0]);
    expect(summary.iommu).toMatchObject({
      ...{ unmaps: 7, unmapped_pages: 7, conforming_pages: 7, reused_early: 0, most_waiting: 1 },
      ...{ closed_by: { range: 7, all: 0, other: 0 } },
      ...{ waits_between: { none: 0, one: 7, more: 0, unknown: 0, alone: 0 }, outside: 0 },
    });
  });

  test("6.12, strict: no wait is between; the queue's order is what counts", async () => {
    const { findings, summary, status } = await check(STRICT_612.join("\n"));
    expect([findings, status]).toEqual([[], 0]);
    expect(summary.iommu).toMatchObject({
      waits_between: { none: summary.iommu?.unmaps, one: 0, more: 0, unknown: 0, alone: 0 },
    });
  });

  test("6.12, lazy: pages wait for a flush of their whole domain", async () => {
    const { findings, summary, status } = await check(LAZY_612.join("\n"));
    expect([findings, status]).toEqual([[], 0]);
    expect(summary.iommu).toMatchObject({
      ...{ unmaps: 12, conforming_pages: 12, most_waiting: 12 },
      ...{ closed_by: { range: 0, all: 12, other: 0 }, whole_domain_pages: 12 },
    });
    expect(summary.iommu?.after_unmap.iotlb?.longest_ms).toBeGreaterThan(10);
  });

  test.each([
    ["x86-6.1.vtd.txt", { none: 0, one: 5, more: 0, unknown: 0, alone: 0 }, 10],
    ["x86-6.12.vtd.txt", { none: 2, one: 0, more: 0, unknown: 0, alone: 0 }, 2],
  ])("%s: the queue as the emulated IOMMU read it", async (name, waits_between, waits) => {
    const { findings, summary, status } = await check(fixture(name));
    expect([findings, status, summary.format]).toEqual([[], 0, "QEMU's VT-d trace"]);
    expect(summary.iommu).toMatchObject({ waits_between, waits, waits_by: "queue" });
  });
});

describe("broken", () => {
  test("without the device's invalidation, it is missing", async () => {
    const [from, to] = submission(STRICT_61, "dev_tlb_inv", 3);
    const { findings, status } = await check(drop(STRICT_61, from, to));
    expect(findings).toMatchObject([
      { class: "missing", rule: "P-COVER", device: "01:00.0", domain: "8", change: "unmap" },
    ]);
    expect(status).toBe(1);
  });

  test("without the IOTLB's, that is missing, and the order is wrong", async () => {
    const [from, to] = submission(STRICT_61, "iotlb_inv", 3);
    const { findings } = await check(drop(STRICT_61, from, to));
    expect(findings.map(({ class: found, rule }) => [found, rule])).toEqual([
      ["order", "V3"],
      ["missing", "P-UAF"],
    ]);
  });

  test.each([
    ["6.1", STRICT_61],
    ["6.12", STRICT_612],
  ] as const)("%s: the device's first, and the order is wrong", async (_, lines) => {
    const copy = [...lines];
    const first = at(copy, " qi_submit: iotlb_inv ", 3);
    const second = copy.findIndex((l, i) => i > first && l.includes(" qi_submit: dev_tlb_inv "));
    [copy[first], copy[second]] = [copy[second]!, copy[first]!];
    const { findings } = await check(copy.join("\n"));
    expect(findings).toMatchObject([{ class: "order", rule: "V3", device: "01:00.0" }]);
  });

  test("for another page, it is missing; a smaller one is short", async () => {
    const line = at(STRICT_61, " qi_submit: iotlb_inv ", 3);
    const copy = [...STRICT_61];
    copy[line] = copy[line]!.replace(/0x800f2 0x\w+/, "0x800f2 0x1000");
    const classes = (await check(copy.join("\n"))).findings.map(({ class: found }) => found);
    expect(classes).toEqual(["order", "missing"]);
  });

  test("without the call that invalidates, the address is free too early", async () => {
    const from = at(STRICT_61, " intel_iommu_tlb_sync: ", 3);
    const to = at(STRICT_61, " intel_iommu_tlb_sync_ret: ", 3);
    const { findings } = await check(drop(STRICT_61, from, to));
    expect(findings).toMatchObject([{ class: "late", rule: "P-UAF" }]);
    expect(findings[0]?.message).toContain("free to be used again");
  });

  test("mapped again while it waits for the flush", async () => {
    const from = at(LAZY_612, " intel_iommu_unmap_pages: ", 3);
    const map = LAZY_612[at(LAZY_612, " intel_iommu_map_pages: ", 0)]!;
    const iova = / iova=(\w+) /.exec(LAZY_612[from]!)?.[1];
    const domain = / domain=(\w+) /.exec(LAZY_612[from]!)?.[1];
    const again = map
      .replace(/domain=\w+ iova=\w+/, `domain=${domain} iova=${iova}`)
      .replace(/pgcount=\d+/, "pgcount=1");
    const copy = [...LAZY_612];
    copy.splice(at(LAZY_612, " intel_iommu_unmap_pages_ret: ", 3) + 1, 0, again);
    const { findings } = await check(copy.join("\n"));
    expect(findings).toMatchObject([{ class: "late", rule: "P-UAF" }]);
    expect(findings[0]?.message).toContain("mapped again");
  });

  test("an address freed before the flush of its domain", async () => {
    const from = at(LAZY_612, " intel_flush_iotlb_all: ");
    const to = at(LAZY_612, " free_iova_fast: ", 2);
    const copy = [...LAZY_612];
    const [free] = copy.splice(to, 1);
    copy.splice(from, 0, free!);
    const { findings } = await check(copy.join("\n"));
    expect(findings).toMatchObject([{ class: "late", rule: "P-UAF" }]);
  });

  test("a submission that fails has invalidated nothing", async () => {
    const line = submission(STRICT_61, "iotlb_inv", 3)[1];
    const copy = [...STRICT_61];
    copy[line] = copy[line]!.replace("ret=0", "ret=-11");
    const { findings } = await check(copy.join("\n"));
    expect(findings).toMatchObject([{ class: "short", rule: "V6" }]);
  });
});

describe("damaged: cannot tell, and the line is named", () => {
  const damaged: readonly (readonly [string, readonly string[], string, RegExp])[] = [
    ["a return is missing", STRICT_61, " qi_submit_sync_ret: ", /return of qi_submit_sync/],
    [
      "a descriptor is missing",
      STRICT_612,
      " qi_submit: dev_tlb_inv ",
      /are missing \(the first time in/,
    ],
  ];
  test.each(damaged)("%s", async (_, lines, text, why) => {
    const { findings, summary, status } = await check(drop(lines, at(lines, text, 3)));
    expect([findings, status]).toEqual([[], 3]);
    expect(Object.keys(summary.undecidable_reasons).join()).toMatch(why);
  });

  test.each([
    ["a word cut off", (line: string) => line.replace(/ 0x\w+ 0x\w+ 0x\w+$/, "")],
    ["a word that is none", (line: string) => line.replace("0x800f2", "0xzz")],
    ["another type than the words say", (line: string) => line.replace("0x800f2", "0x800f1")],
    [
      "a type that is unknown",
      (line: string) => line.replace(/iotlb_inv (.*) 0x800f2/, "0xf $1 0x800ff"),
    ],
    ["a granularity that is reserved", (line: string) => line.replace("0x800f2", "0x800c2")],
  ])("%s", async (_, change) => {
    const copy = [...STRICT_61];
    const line = at(copy, " qi_submit: iotlb_inv ", 3);
    copy[line] = change(copy[line]!);
    expect(copy[line]).not.toBe(STRICT_61[line]);
    const { findings, summary, status } = await check(copy.join("\n"));
    expect([findings, status]).toEqual([[], 3]);
    const reasons = Object.keys(summary.undecidable_reasons).join();
    expect(reasons).toContain(`line ${line + 1}`);
  });

  test("events lost while pages wait", async () => {
    const copy = [...LAZY_612];
    copy.splice(at(copy, " intel_flush_iotlb_all: "), 0, "CPU:3 [LOST 7 EVENTS]");
    const { findings, status } = await check(copy.join("\n"));
    expect([findings, status]).toEqual([[], 3]);
  });

  test("the recording ends before the flush", async () => {
    const cut = LAZY_612.slice(0, at(LAZY_612, " intel_flush_iotlb_all: "));
    const { findings, summary, status } = await check(cut.join("\n"));
    // Without any descriptor nothing says that this IOMMU is one that is known here.
    expect([findings, status, summary.iommu]).toEqual([[], 3, undefined]);
  });

  test.each(["x86-6.1.vtd.txt", "x86-6.12.vtd.txt"])("%s: words cut off", async (name) => {
    const lines = fixture(name).split("\n");
    const line = at(lines, "type iotlb ");
    lines[line] = lines[line]!.slice(0, lines[line]!.indexOf(" low"));
    const { findings, summary, status } = await check(lines.join("\n"));
    expect([findings, status]).toEqual([[], 3]);
    expect(Object.keys(summary.undecidable_reasons).join()).toContain(`line ${line + 1}`);
  });

  test("a queue's log with a device's invalidation in front is out of order", async () => {
    const lines = fixture("x86-6.12.vtd.txt").split("\n");
    const iotlb = at(lines, "type iotlb ");
    const device = at(lines, "type device ");
    [lines[iotlb], lines[device]] = [lines[device]!, lines[iotlb]!];
    const { summary } = await check(lines.join("\n"));
    // For everything, it may be the one before ATS is switched off (V8).
    expect(summary.iommu?.waits_between.alone).toBe(1);
  });
});
