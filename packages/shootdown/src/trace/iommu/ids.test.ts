// SPDX-License-Identifier: Apache-2.0
// Several IOMMUs, and domain ids and PASIDs that are used again.
import { describe, expect, test } from "vitest";
import { checkTrace } from "../check.ts";
import { type Finding, traceStatus } from "../finding.ts";
import { bytesOf } from "../importers/bytes.ts";

async function check(rows: readonly string[]) {
  const findings: Finding[] = [];
  const lines = rows.map(
    (row, at) =>
      `          kworker-7       [001] d..1.     3.${String(at).padStart(6, "0")}: ${row}`,
  );
  const result = await checkTrace(bytesOf(`# tracer: nop\n${lines.join("\n")}\n`), {
    onFinding: (one) => findings.push(one),
  });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary, status: traceStatus(result) };
}

const words = (text: string) => `${text} 0x0 0x0`;
const submit = (queue: string, ...descriptors: string[]) => [
  `qi_submit_sync: (qi_submit_sync+0x4/0x10) count=${descriptors.length} options=0x0`,
  ...descriptors.map((one) => `qi_submit: ${words(one.replace(" ", ` ${queue}: `))}`),
  "qi_submit_sync_ret: (f+0x1/0x2 <- qi_submit_sync) ret=0",
];
const iotlb = (did: number, page: string) => `iotlb_inv 0x${did.toString(16)}00f2 ${page}`;

describe("several IOMMUs", () => {
  const unmap = (domain: string, page: string) => [
    `intel_iommu_unmap_pages: (f+0x4/0x5) domain=${domain} iova=${page} pgsize=0x1000 pgcount=1`,
    "intel_iommu_unmap_pages_ret: (g+0x4/0x5 <- f) ret=0x1000",
  ];
  const sync = (domain: string, page: string, ...inside: string[]) => [
    ...unmap(domain, page),
    `intel_iommu_tlb_sync: (f+0x4/0x5) domain=${domain} start=${page} end=${page} queued=0`,
    ...inside,
    "intel_iommu_tlb_sync_ret: (g+0x4/0x5 <- f)",
  ];

  test("the same domain id in two of them is no id that is used again", async () => {
    const { findings, summary, status } = await check([
      ...sync("0xa", "0x1000", ...submit("dmar0", iotlb(8, "0x1000"))),
      ...sync("0xb", "0x1000", ...submit("dmar1", iotlb(8, "0x1000"))),
      ...sync("0xa", "0x1000", ...submit("dmar0", iotlb(8, "0x1000"))),
    ]);
    expect([findings, status]).toEqual([[], 0]);
    expect(summary.iommu).toMatchObject({ domain_ids_reused: 0, conforming_pages: 3 });
    // In one of them it is.
    const one = await check([
      ...sync("0xa", "0x1000", ...submit("dmar0", iotlb(8, "0x1000"))),
      ...sync("0xb", "0x1000", ...submit("dmar0", iotlb(8, "0x1000"))),
    ]);
    expect(one.findings).toMatchObject([{ class: "missing", rule: "P-ID", domain: "8" }]);
  });

  const both = (page: string, ...more: string[]) => [
    ...submit("dmar0", iotlb(8, page)),
    ...submit("dmar1", iotlb(3, page)),
    ...more,
  ];

  test("a domain in two of them: each IOTLB has to be told", async () => {
    const first = sync("0xa", "0x1000", ...both("0x1000"));
    const whole = await check([...first, ...sync("0xa", "0x2000", ...both("0x2000"))]);
    expect([whole.findings, whole.summary.iommu?.conforming_pages]).toEqual([[], 2]);
    const half = sync("0xa", "0x2000", ...submit("dmar1", iotlb(3, "0x2000")));
    const { findings } = await check([...first, ...half]);
    expect(findings).toMatchObject([{ class: "missing", rule: "P-UAF", start: "0x2000" }]);
    // A device was taken away: whose IOTLB has to be told is to be seen anew.
    const gone = "cache_tag_unassign: dmar0/dmar0 type iotlb did 8 pasid 0 ref 1";
    expect((await check([...first, gone, ...half])).findings).toEqual([]);
  });

  test("an invalidation for another domain id does not count", async () => {
    const right = ["0x1000", "0x2000", "0x3000", "0x4000"].flatMap((page) =>
      sync("0xa", page, ...submit("dmar0", iotlb(8, page))),
    );
    const wrong = sync("0xa", "0x5000", ...submit("dmar0", iotlb(9, "0x5000")));
    const { findings } = await check([...right, ...wrong]);
    expect(findings).toMatchObject([{ class: "missing", rule: "P-UAF", start: "0x5000" }]);
    expect(findings[0]?.message).toContain("another domain id");
    // After one alone it cannot be told which of the two is right.
    const early = await check([...right.slice(0, right.length / 4), ...wrong]);
    expect([early.findings, early.status]).toEqual([[], 3]);
  });
});

describe("PASIDs that are used again", () => {
  const tag = (what: "assign" | "unassign", ref = 1) => [
    `cache_tag_${what}: dmar0/dmar0 type iotlb did 1 pasid 5 ref ${ref}`,
    `cache_tag_${what}: dmar0/0000:01:00.0 type devtlb did 1 pasid 5 ref ${ref}`,
  ];
  const cache = submit("dmar0", "pc_inv 0x500010017 0x0");
  const flush = submit("dmar0", "p_iotlb_inv 0x500010026 0x0");
  const device = submit("dmar0", "p_dev_tlb_inv 0x501000008 0x7ffffffffffff800");
  const request =
    "prq_report: dmar0/0000:01:00.0 seq# 1: rid=0x100 addr=0x7f rw--l pasid=0x5 index=0x3";
  const answer = submit("dmar0", "page_grp_resp 0x501000019 0x18");
  const drain = [
    "qi_submit_sync: (f+0x4/0x5) iommu=0x1 count=3 options=0x1",
    ...["inv_wait 0x200000045 0x0", "p_iotlb_inv 0x500010026 0x0"].map(
      (one) => `qi_submit: ${words(one.replace(" ", " dmar0: "))}`,
    ),
    `qi_submit: ${words("p_dev_tlb_inv dmar0: 0x501000008 0x7ffffffffffff800")}`,
    "qi_submit_sync_ret: (f+0x1/0x2 <- qi_submit_sync) ret=0",
  ];

  test("clean: PASID cache, IOTLB, device TLB, and the page requests drained", async () => {
    const rows = [...tag("assign"), request, ...answer, ...tag("unassign"), ...cache, ...flush];
    const { findings, summary, status } = await check([...rows, ...drain, ...tag("assign")]);
    expect([findings, status]).toEqual([[], 0]);
    expect(summary.iommu).toMatchObject({ pasids_reused: 2, pasids_clean: 2, page_requests: 1 });
  });

  test("two users of one PASID: it is let go of by the last", async () => {
    const shared = [...tag("assign"), ...tag("assign", 2), ...tag("unassign", 2)];
    const { findings, summary } = await check([...shared, ...tag("assign", 2), ...flush]);
    expect([findings, summary.iommu?.pasids_reused]).toEqual([[], 0]);
  });

  const before = [...tag("assign"), request];
  const after = tag("assign");
  test.each([
    [
      "the IOTLB",
      [...answer, ...tag("unassign"), ...cache, ...device, ...drain.slice(0, 0)],
      "P-ID",
    ],
    ["the PASID cache", [...answer, ...tag("unassign"), ...flush, ...drain], "P-ID"],
    ["the device's TLB", [...answer, ...tag("unassign"), ...cache, ...flush], "P-ID"],
    ["a drain", [...answer, ...tag("unassign"), ...cache, ...flush, ...device], "V2"],
    ["an answer", [...tag("unassign"), ...cache, ...flush, ...drain], "P16"],
  ])("without %s", async (_, rows, rule) => {
    const { findings, status } = await check([...before, ...rows, ...after]);
    expect(findings.map(({ class: found }) => found)).toContain("missing");
    expect(findings.map((one) => one.rule)).toContain(rule);
    expect(status).toBe(1);
  });

  test("an invalidation of the domain id, whatever the PASID: cannot tell", async () => {
    const whole = submit("dmar0", "iotlb_inv 0x100e2 0x0");
    const rows = [...tag("assign").slice(0, 1), ...tag("unassign").slice(0, 1), ...cache, ...whole];
    const { findings, status } = await check([...rows, ...after.slice(0, 1)]);
    expect([findings, status]).toEqual([[], 3]);
  });

  test("events lost in between decide nothing", async () => {
    const rows = [...before, ...tag("unassign"), ...flush, "CPU:1 [LOST 3 EVENTS]", ...after];
    const lines = rows.map((row, at) =>
      row.startsWith("CPU:")
        ? row
        : `  k-7 [001] d..1.     3.${String(at).padStart(6, "0")}: ${row}`,
    );
    const findings: Finding[] = [];
    await checkTrace(bytesOf(`# tracer: nop\n${lines.join("\n")}\n`), {
      onFinding: (one) => findings.push(one),
    });
    expect(findings).toEqual([]);
  });
});
