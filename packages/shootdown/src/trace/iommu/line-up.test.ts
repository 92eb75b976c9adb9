// SPDX-License-Identifier: Apache-2.0
// The kernel's submissions and the log of the same queue, lined up.
import { describe, expect, test } from "vitest";
import { type Finding, traceStatus } from "../finding.ts";
import { bytesOf } from "../importers/bytes.ts";
import { checkRecording } from "../recording.ts";

const COUNT = 40;
const GROUP = "the queue's log";

/** Submission `n` of the page `n`, at second `n`; its return, and its status in the log. */
const page = (n: number) => `0x${(0x1000 * (n + 1)).toString(16)}`;
const kernel = (t: number, text: string) =>
  `          kworker-7       [001] d..1. ${t.toFixed(6).padStart(12)}: ${text}`;
const submission = (n: number, took = 0.0005) => [
  kernel(n, "qi_submit_sync: (qi_submit_sync+0x4/0x10) count=2 options=0x0"),
  kernel(n, `qi_submit: iotlb_inv dmar0: 0x800f2 ${page(n)} 0x0 0x0`),
  kernel(n, `qi_submit: dev_tlb_inv dmar0: 0x10000000003 ${page(n)} 0x0 0x0`),
  kernel(n + took, "qi_submit_sync_ret: (f+0x1/0x2 <- qi_submit_sync) ret=0"),
];
const qemu = (t: number, text: string) => `27385@${(1795328275 + t).toFixed(6)}:${text}`;
const desc = (t: number, type: string, high: string, low: string) =>
  qemu(t, `vtd_inv_desc invalidate desc type ${type} high ${high} low ${low}`);
const taken = (n: number, took = 0.0002) => [
  desc(n + 0.0001, "iotlb", page(n), "0x800f2"),
  desc(n + 0.0001, "device", page(n), "0x10000000003"),
  desc(n + 0.0001, "wait", "0xdb3e818", "0x200000025"),
  qemu(n + took, "vtd_inv_desc_wait_sw wait invalidate status write addr 0xdb3e818 data 0x2"),
];
const all = <T>(make: (n: number) => T[], from = 0, to = COUNT) =>
  Array.from({ length: to - from }, (_, n) => make(n + from)).flat();

async function check(events: readonly string[], log: readonly string[]) {
  const findings: Finding[] = [];
  const file = (name: string, lines: readonly string[]) => ({
    name,
    open: () => bytesOf(`${lines.join("\n")}\n`),
  });
  const result = await checkRecording(
    file("trace.txt", ["# tracer: nop", "#", ...events]),
    [file("vtd.txt", log)],
    { onFinding: (one) => findings.push(one) },
  );
  if (!result.ok) throw new Error(result.error.message);
  return { findings, counts: result.summary.counts, status: traceStatus(result) };
}

describe("a queue from both sides", () => {
  test("the same descriptors, and each submission returns after its status", async () => {
    const { findings, counts, status } = await check(all(submission), all(taken));
    expect([findings, status]).toEqual([[], 0]);
    expect(counts?.[GROUP]).toMatchObject({ waits: COUNT, "descriptors in both": 2 * COUNT });
    expect(counts?.["waits between IOTLB and device TLB, by the log"]).toEqual({ none: COUNT });
    expect(counts?.["from qi_submit to the status, us"]).toMatchObject({ median: 100 });
  });

  test("the log begins earlier and ends later; kinds that it leaves out", async () => {
    const extra = kernel(20.5, "qi_submit: pc_inv dmar0: 0x90017 0x0 0x0 0x0");
    const events = [...all(submission, 5, 21), extra, ...all(submission, 21, 35)];
    const { findings, counts, status } = await check(events, all(taken));
    expect([findings, status]).toEqual([[], 0]);
    expect(counts?.[GROUP]).toMatchObject({
      "descriptors in both": 60,
      "descriptors only in the log, before the events": 10,
      "descriptors only in the log, after the events": 10,
      "descriptors of kinds that the log leaves out": 1,
    });
  });

  test("a submission that returns before its status was not waited for", async () => {
    const late = [...all(taken, 0, 30), ...taken(30, 0.2), ...all(taken, 31)];
    const { findings, status } = await check(all(submission), late);
    expect(findings).toMatchObject([{ class: "order", rule: "V2", operation: "qi_submit_sync" }]);
    expect([findings[0]?.line, status]).toEqual([2 + 30 * 4 + 4, 1]);
  });

  test.each([
    ["another descriptor", [...all(taken, 0, 30), ...taken(77), ...all(taken, 31)]],
    ["one less", [...all(taken, 0, 30), ...taken(30).slice(1), ...all(taken, 31)]],
    ["one more", [...all(taken, 0, 30), ...taken(77), ...all(taken, 30)]],
    ["a damaged one", all(taken).map((line, at) => (at === 120 ? line.slice(0, 60) : line))],
  ])("%s in the log decides nothing", async (_, log) => {
    const { findings, status } = await check(all(submission), log);
    expect([findings, status]).toEqual([[], 3]);
  });

  test("the log of another run", async () => {
    const { status, findings } = await check(all(submission), all(taken, 100, 140));
    expect([findings, status]).toEqual([[], 3]);
  });
});
