// SPDX-License-Identifier: Apache-2.0
// Several recordings of one run together: clocks lined up by marks, unmapped pages, stacks, KVM.
import { describe, expect, test } from "vitest";
import { type Finding, traceStatus } from "./finding.ts";
import { bytesOf } from "./importers/bytes.ts";
import { checkRecording } from "./recording.ts";

const START = 1000;
/** The kernel's clock is 5 s behind that of the emulator. */
const BEHIND = 5;
const NAME = "trace.txt";

const mono = (t: number) => (t - BEHIND).toFixed(6);
const kernel = (t: number, text: string, cpu = 1) =>
  `              dd-258     [00${cpu}] .....  ${mono(t).padStart(10)}: ${text}`;
const iommu = (t: number, what: "map" | "unmap", page: number, pages = 1) => {
  const at = (n: number) => `0x${(n * 4096).toString(16).padStart(16, "0")}`;
  return kernel(t, `${what}: IOMMU: iova=${at(page)} - ${at(page + pages)} size=${pages * 4096}`);
};
const smmu = (t: number, text: string) => `1@${(START + t).toFixed(6)}:${text}`;
const tlbi = (t: number, page: number) => [
  smmu(t, "smmuv3_cmdq_opcode <--- SMMU_CMD_TLBI_NH_VA"),
  smmu(
    t,
    `smmuv3_s1_range_inval vmid=0 asid=2 addr=0x${(page * 4096).toString(16)} tg=1 ` +
      "num_pages=0x1 ttl=3 leaf=1",
  ),
];
const whole = (t: number) => [
  smmu(t, "smmuv3_cmdq_opcode <--- SMMU_CMD_TLBI_NH_ASID"),
  smmu(t, "smmuv3_cmdq_tlbi_nh_asid asid=2"),
];
const sync = (t: number) => smmu(t, "smmuv3_cmdq_opcode <--- SMMU_CMD_SYNC");
const marks = [10, 20, 30];
const log = [
  `0 cpu=0 t=0.000000 START realtime=${START.toFixed(6)}`,
  ...marks.map((t, at) => `${at + 1} cpu=1 t=${t.toFixed(6)} MARK ${at}`),
];
const marked = (lines: readonly string[]) =>
  [...marks.map((t, at) => kernel(t, `tracing_mark_write: mark=${at} step=s op=o`)), ...lines].sort(
    (a, b) => Number(/ ([\d.]+): /.exec(a)?.[1]) - Number(/ ([\d.]+): /.exec(b)?.[1]),
  );

async function check(files: Readonly<Record<string, readonly string[]>>) {
  const findings: Finding[] = [];
  const all = Object.entries(files).map(([name, lines]) => ({
    name,
    open: () => bytesOf(`${lines.join("\n")}\n`),
  }));
  const main = all.find(({ name }) => name === NAME)!;
  const others = all.filter((file) => file !== main);
  const onFinding = (one: Finding) => findings.push(one);
  const result = await checkRecording(main, others, { kernel: "linux-6.12", onFinding });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary, status: traceStatus(result) };
}

const run = (kernels: readonly string[], commands: readonly string[]) =>
  check({ [NAME]: marked(kernels), "tlbi.txt": log, "smmu.txt": commands });

describe("unmapped pages of devices", () => {
  test("strict: invalidated by address, before or just after the event", async () => {
    const { summary, findings, status } = await run(
      [
        ...[iommu(11, "map", 7), iommu(12, "unmap", 7), iommu(13, "map", 7), iommu(14, "unmap", 7)],
        iommu(15, "map", 7),
      ],
      [...tlbi(12.0002, 7), sync(12.0003), ...tlbi(13.9998, 7), sync(13.9999)],
    );
    expect([findings, status]).toEqual([[], 0]);
    expect(summary.counts).toMatchObject({
      dma: { "unmap calls": 2, "unmap calls invalidated by address": 2 },
      "usable after unmap, us": { longest: 300 },
    });
  });

  test("lazy: by the whole ASID later; how long and how many", async () => {
    const { summary, status } = await run(
      [iommu(11, "unmap", 7, 3), iommu(11.5, "unmap", 20), iommu(13, "map", 7)],
      [...whole(12), sync(12.1)],
    );
    expect(summary.counts).toMatchObject({
      dma: { "unmap calls invalidated by whole ASIDs": 2, "most pages usable at one time": 4 },
      "usable after unmap, us": { longest: 1_100_000 },
    });
    expect(status).toBe(0);
  });

  test.each([
    ["no invalidation", [sync(11)]],
    ["no SYNC before it", [...tlbi(12.5, 7), sync(14)]],
    ["another page", [...tlbi(12.5, 8), sync(12.6)]],
  ])("mapped again, %s", async (_name, commands) => {
    const { findings, status } = await run(
      [iommu(11, "map", 7), iommu(12, "unmap", 7), iommu(13, "map", 7)],
      commands,
    );
    expect(findings.filter(({ class: found }) => found !== "excess")).toMatchObject([
      { class: "missing", rule: "S10", operation: "map", start: "0x7000", change: "unmap" },
    ]);
    expect(status).toBe(1);
  });

  test("the invalidation of a whole ASID before the unmap is none", async () => {
    const { findings } = await run(
      [iommu(11, "map", 7), iommu(12, "unmap", 7), iommu(13, "map", 7)],
      [...whole(11.5), sync(11.6)],
    );
    expect(findings).toHaveLength(1);
  });

  /** Two devices, each in a domain of its own: both have the same addresses. */
  const used = (t: number, asid: number, page: number) =>
    smmu(
      t,
      `smmu_iotlb_insert IOTLB ++ asid=${asid} addr=0x${(page * 4096).toString(16)} tg=1 level=3`,
    );
  const both = [used(11.1, 2, 7), used(11.2, 3, 8)];
  const start = [iommu(11, "map", 7), iommu(11, "map", 8)];

  test("with several ASIDs, another domain may map the same address at once", async () => {
    const kernels = [...start, iommu(12, "unmap", 7), iommu(13, "map", 7)];
    const other = await run(kernels, [...both, used(13.5, 3, 7), ...whole(14), sync(14.1)]);
    expect([other.findings, other.status]).toEqual([[], 0]);
    expect(other.summary.counts?.["dma"]).toMatchObject({
      "unmap calls invalidated by whole ASIDs": 1,
    });
    const same = await run(kernels, [...both, used(13.5, 2, 7), ...whole(14), sync(14.1)]);
    expect(same.findings).toMatchObject([{ class: "missing", start: "0x7000" }]);
    const unknown = await run(kernels, [...both, ...whole(14), sync(14.1)]);
    expect([unknown.findings, unknown.status]).toEqual([[], 3]);
  });

  test("with several ASIDs, an invalidation is for its own", async () => {
    const kernels = [...start, iommu(12, "unmap", 8), iommu(13, "map", 8)];
    const commands = [...both, ...tlbi(12.1, 8), sync(12.2), used(13.5, 3, 8)];
    const { findings } = await run(kernels, commands);
    expect(findings.map(({ class: found }) => found)).toContain("missing");
  });

  test("a use just before the event of the mapping is of that mapping", async () => {
    const kernels = [iommu(11, "map", 8), iommu(11, "map", 7), iommu(12, "unmap", 7)];
    const commands = [used(10.9999, 2, 7), used(11.2, 3, 8), ...whole(14), sync(14.1)];
    const { summary, status } = await run(kernels, commands);
    expect(summary.counts?.["dma"]).toMatchObject({
      "unmap calls invalidated by whole ASIDs": 1,
    });
    expect(status).toBe(0);
  });

  test("two domains map an address at once: its last use does not tell", async () => {
    const twice = [...start, iommu(11.5, "map", 7), iommu(12, "unmap", 7), iommu(13, "map", 7)];
    const commands = [...both, used(11.9, 3, 7), ...tlbi(11.99, 7), sync(11.995)];
    const { findings, summary } = await run(twice, [...commands, used(13.5, 3, 7)]);
    expect(findings).toEqual([]);
    expect(summary.counts?.["dma"]).toMatchObject({ "unmap calls invalidated by address": 1 });
  });

  test("the kernel's own events name the device: another's address is another", async () => {
    const page = (t: number, what: string, device: string) =>
      kernel(t, `dma_${what}_page: 0000:00:${device} dir=TO_DEVICE dma_addr=7000 size=8 attrs=`);
    const events = (second: string) => [
      ...[...start, page(11.01, "map", "02.0"), iommu(12, "unmap", 7)],
      ...[page(12.01, "unmap", "02.0"), iommu(13, "map", 7), page(13.01, "map", second)],
    ];
    const other = await run(events("03.0"), [...both, ...whole(14), sync(14.1)]);
    expect([other.findings, other.status]).toEqual([[], 0]);
    const same = await run(events("02.0"), [...both, ...whole(14), sync(14.1)]);
    expect([same.findings, same.status]).toEqual([[], 3]);
  });

  test("pages that nobody unmapped are advice", async () => {
    const { findings, summary, status } = await run(
      [iommu(11, "map", 7), iommu(12, "unmap", 7), iommu(15, "map", 7)],
      [...tlbi(12.1, 7), sync(12.2), ...tlbi(12.5, 8), sync(12.6)],
    );
    expect(findings).toMatchObject([{ class: "excess", start: "0x8000", source: "smmu.txt" }]);
    expect(summary.counts?.["dma"]).toMatchObject({ "pages invalidated that nobody unmapped": 1 });
    expect(status).toBe(0);
  });

  test("no common mark: the clocks are not lined up, and it says so", async () => {
    const { summary, status } = await check({
      [NAME]: [iommu(12, "unmap", 7)],
      "tlbi.txt": log,
      "smmu.txt": [...tlbi(12.5, 7), sync(12.6)],
    });
    expect(Object.keys(summary.undecidable_reasons)[0]).toContain("no mark is in both");
    expect(status).toBe(3);
  });
});

test("findings of the other files name them", async () => {
  const late = [...log.slice(0, 2), "2 cpu=1 t=12.0 TLBI vale1is x=0x1 pc=0x1 in=f+0x0", log[2]!];
  const { findings } = await check({ [NAME]: marked([]), "tlbi.txt": late });
  expect(findings).toMatchObject([{ rule: "A27", line: 3, source: "tlbi.txt" }]);
});

test("KVM unmaps inside its notifier range, or it cannot be told", async () => {
  const range = "(f+0x0/0x1) mm=0x5 start=0x5000 end=0x6000 flags=1 event=0";
  const unmap =
    "kvm_unmap_hva_range: mmu notifier unmap range: 0x00000000005000 -- 0x00000000006000";
  const start = kernel(11, `mn_invalidate_range_start: ${range}`);
  const end = kernel(13, `mn_invalidate_range_end: ${range}`);
  const inside = await check({ [NAME]: marked([start, kernel(12, unmap), end]), "tlbi.txt": log });
  expect(inside.summary.counts?.["kvm"]).toMatchObject({
    "unmap events inside their notifier range": 1,
  });
  const after = await check({ [NAME]: marked([start, end, kernel(14, unmap)]), "tlbi.txt": log });
  expect(after.summary.counts?.["kvm"]).toMatchObject({ "unmap events": 1 });
  expect(after.status).toBe(3);
});

test("stacks of a second recording are quoted", async () => {
  const upgrade =
    "ptep_set_access_flags: (f+0x0/0x1) mm=0x5 vm_flags=0xfb addr=0x5000 ptep=0x8 " +
    "old=0x6000007ed60fc3 entry=0xe800007ed60f43 dirty=1";
  const lines = [
    kernel(11, "mn_register: (f+0x0/0x1) mm=0x5"),
    kernel(11.5, "tracing_mark_write: shootdown: probes mn_*"),
    kernel(12, upgrade),
    kernel(12.1, "ptep_set_access_flags_ret: (g+0x1/0x2 <- f) changed=1"),
    kernel(12.2, "sys_munmap -> 0x0"),
  ];
  const stack = [kernel(12.000003, upgrade), kernel(12.000004, "<stack trace>"), " => f", " => g"];
  const other = kernel(12.000002, upgrade.replace("addr=0x5000", "addr=0x6000"));
  const { findings } = await check({ [NAME]: lines, "stacks.txt": [other, ...stack] });
  expect(findings.map((one) => [one.class, one.stack])).toEqual([["missing", ["f", "g"]]]);
});
