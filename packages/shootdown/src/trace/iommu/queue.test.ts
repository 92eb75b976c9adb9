// SPDX-License-Identifier: Apache-2.0
// The queue's order without the kernel's calls, and domain ids that are used again.
import { expect, test } from "vitest";
import { checkTrace } from "../check.ts";
import type { Finding } from "../finding.ts";
import { bytesOf } from "../importers/bytes.ts";

async function check(lines: readonly string[]) {
  const findings: Finding[] = [];
  const result = await checkTrace(bytesOf(lines.join("\n")), {
    onFinding: (f) => findings.push(f),
  });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary };
}

const descriptor = (type: string, high: string, low: string) =>
  `vtd_inv_desc invalidate desc type ${type} high ${high} low ${low}`;
const page = (n: number): string => `0x${(0x1000 * (n + 1)).toString(16)}`;
const iotlb = (n: number) => descriptor("iotlb", page(n), "0x800f2");
const device = (n: number) => descriptor("device", page(n), "0x10000000003");
const WAIT = descriptor("wait", "0x5000", "0x200000025");

/** As many pairs as it takes to know the queue. */
const PAIRS = Array.from({ length: 40 }, (_, n) => [iotlb(n), device(n), WAIT]).flat();

test("a device's invalidation without the IOTLB's in front is out of order", async () => {
  expect((await check(PAIRS)).findings).toEqual([]);
  const { findings } = await check([...PAIRS, device(90), iotlb(90), WAIT]);
  expect(findings).toMatchObject([
    { class: "order", rule: "V3", line: 121, device: "01:00.0", domain: "8" },
  ]);
});

test("at the beginning what is in front is not known", async () => {
  const { findings, summary } = await check([device(0), ...PAIRS]);
  expect([findings, summary.iommu?.waits_between.unknown]).toEqual([[], 0]);
  expect(summary.iommu?.waits_between.alone).toBe(1);
});

test("twice after one IOTLB invalidation cannot be told", async () => {
  const { findings, summary } = await check([...PAIRS, device(39), iotlb(39), WAIT]);
  expect([findings, summary.undecidable]).toEqual([[], 1]);
});

const HEAD = "# tracer: nop";
const event = (n: number, text: string) =>
  `          a-1       [000] .....     1.00000${n}: ${text}`;
const tag = (what: string) => `cache_tag_${what}: dmar0/dmar0 type iotlb did 9 pasid 0 ref 1`;

test.each([
  ["of the domain", "0x900e2 0x0", 0],
  ["of everything", "0xd2 0x0", 0],
  ["of another domain", "0x800e2 0x0", 1],
  ["of a page", "0x900f2 0x1000", 1],
])("a domain id is used again after an invalidation %s", async (_, words, count) => {
  const { findings, summary } = await check([
    HEAD,
    event(1, tag("unassign")),
    event(2, `qi_submit: iotlb_inv dmar0: ${words} 0x0 0x0`),
    event(3, tag("assign")),
  ]);
  expect(findings.map(({ class: found, rule, domain }) => [found, rule, domain])).toEqual(
    Array.from({ length: count }, () => ["missing", "P-ID", "9"]),
  );
  expect(summary.iommu).toMatchObject({ domain_ids_reused: 1, domain_ids_flushed: 1 - count });
});
