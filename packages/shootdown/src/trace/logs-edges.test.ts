// SPDX-License-Identifier: Apache-2.0
// Edges of the logs of an SMMU and of instructions: granules, blocks, damage, limits, numbering.
import { describe, expect, test } from "vitest";
import { checkTrace } from "./check.ts";
import { type Finding, traceStatus } from "./finding.ts";
import { bytesOf } from "./importers/bytes.ts";

async function check(lines: readonly string[]) {
  const findings: Finding[] = [];
  const result = await checkTrace(bytesOf(`${lines.join("\n")}\n`), {
    onFinding: (finding) => findings.push(finding),
  });
  if (!result.ok) throw new Error(result.error.message);
  const reasons = Object.keys(result.summary.undecidable_reasons);
  return { findings, reasons, status: traceStatus(result) };
}

describe("SMMU", () => {
  const log = (...points: readonly string[]) =>
    points.map((text, at) =>
      text.startsWith("?") ? text : `1@1795325794.${String(at).padStart(6, "0")}:${text}`,
    );
  const command = (op: string) => `smmuv3_cmdq_opcode <--- SMMU_CMD_${op}`;
  const sync = command("SYNC");
  const hex = (page: number) => `0x${(page * 4096).toString(16)}`;
  const insert = (page: number, level = 3) =>
    `smmu_iotlb_insert IOTLB ++ asid=2 addr=${hex(page)} tg=1 level=${level}`;
  const hit = (page: number) => `smmu_iotlb_lookup_hit asid=2 addr=${hex(page)} hit=1 miss=0`;
  const range = (page: number, pages: number, tg = 1, key = "addr") => [
    command("TLBI_NH_VA"),
    `smmuv3_s1_range_inval vmid=0 asid=2 ${key}=${hex(page)} tg=${tg} num_pages=${pages} leaf=1`,
  ];
  const whole = [command("TLBI_NH_ASID"), "smmuv3_cmdq_tlbi_nh_asid asid=2", sync];

  test("a granule of 16 KiB is four pages, of 64 KiB sixteen", async () => {
    for (const [tg, pages] of [
      [1, 1],
      [2, 4],
      [3, 16],
    ] as const) {
      const before = [insert(64 + pages - 1), insert(64 + pages), ...range(64, 1, tg), sync];
      expect((await check(log(...before, hit(64 + pages)))).findings).toEqual([]);
      expect((await check(log(...before, hit(64 + pages - 1)))).findings).toHaveLength(1);
    }
  });

  test.each([
    ["by `iova`", [...range(7, 1, 1, "iova"), sync]],
    ["everything", [command("TLBI_NSNH_ALL"), "smmuv3_cmdq_tlbi_nsnh", sync]],
    ["an ASID", whole],
  ])("%s", async (_name, commands) => {
    const { findings } = await check(log(insert(7), ...commands, hit(7)));
    expect(findings).toMatchObject([{ class: "missing", rule: "S10" }]);
  });

  test("a range beside the entries leaves them", async () => {
    for (const start of [200, 10]) {
      const { findings } = await check(log(insert(100), ...range(start, 50), sync, hit(100)));
      expect(findings).toEqual([]);
    }
  });

  test("an ASID's block is gone with the whole ASID: hits name the entry again", async () => {
    const again = [insert(9), ...range(9, 1), sync, hit(9)];
    expect((await check(log(insert(512, 2), ...again))).findings).toEqual([]);
    expect((await check(log(insert(512, 2), ...whole, ...again))).findings).toHaveLength(1);
  });

  test("one finding for each SYNC that is missing before an ATC_INV", async () => {
    const wrong = [...range(7, 1), command("ATC_INV"), command("ATC_INV"), sync];
    const { findings } = await check(log(...wrong, ...wrong));
    expect(findings.map(({ class: found, line }) => [found, line])).toEqual([
      ["order", 3],
      ["order", 8],
    ]);
  });

  test("after damage, what was going on is not judged", async () => {
    const order = await check(log(...range(7, 1), "?!", command("ATC_INV"), sync));
    expect([order.findings, order.status]).toEqual([[], 3]);
    const used = await check(log(insert(7), ...range(7, 1), sync, "?!", hit(7)));
    expect([used.findings, used.status]).toEqual([[], 3]);
  });

  test("time that goes backwards is said once more than nothing", async () => {
    const [first = "", ...rest] = log(insert(7), ...range(7, 1), sync);
    const { reasons } = await check([...rest, first]);
    expect(reasons).toEqual(["time goes backwards (the first time in line 4)"]);
  });

  test("logs of two IOMMUs in one are not said to be right", async () => {
    const smmu = "14431@100.000001:smmuv3_cmdq_opcode <--- SMMU_CMD_SYNC";
    const vtd = "27771@100.000002:vtd_inv_desc_wait_sw wait";
    for (const lines of [
      [vtd, smmu],
      [smmu, ...Array.from({ length: 20_000 }, () => smmu), vtd],
    ]) {
      const result = await checkTrace(bytesOf(`${lines.join("\n")}\n`));
      expect(traceStatus(result)).toBe(3);
      if (!result.ok) throw new Error(result.error.message);
      const { ignored_lines, malformed } = result.summary;
      expect(ignored_lines + malformed).toBeGreaterThan(0);
    }
  });

  test("the clock of a log is that of every part of QEMU in it", async () => {
    const lines = [
      "14431@100.000001:smmuv3_cmdq_opcode <--- SMMU_CMD_SYNC",
      "27771@200.000001:memory_region_ops_write cpu 0 mr 0x1 addr 0x2 value 0x3 size 4",
      "14431@100.000002:smmuv3_cmdq_opcode <--- SMMU_CMD_SYNC",
    ];
    const result = await checkTrace(bytesOf(`${lines.join("\n")}\n`));
    const reasons = result.ok ? Object.keys(result.summary.undecidable_reasons) : [];
    expect(reasons).toContain("time goes backwards (the first time in line 3)");
  });

  test("a hit on an entry that had to be forgotten", async () => {
    const many = Array.from({ length: 65_537 }, (_, n) => insert(n));
    const { reasons } = await check(log(...many, hit(0)));
    expect(reasons).toEqual([
      "the SMMU translates with an entry that was forgotten (MAX_IOTLB_ENTRIES)",
    ]);
  });
});

describe("instructions", () => {
  const at = (number: number, text: string) => `${number} cpu=0 t=${number}.5 ${text}`;
  const start = "0 cpu=0 t=0.000000 START realtime=1795325787.293070";
  const tlbi = (op: string) => `TLBI ${op} x=0x1 pc=0x1 in=f+0x0`;
  const dsb = (type: string) => `DSB ${type} pc=0x1 in=f+0x8`;

  test("the plugin numbers its lines: one that is left out, or comes again", async () => {
    const whole = [start, at(1, tlbi("vale1is")), at(2, dsb("ish")), at(3, "MARK 1")];
    expect((await check(whole)).status).toBe(0);
    const without = await check([...whole.slice(0, 2), ...whole.slice(3)]);
    expect(without.reasons).toEqual(["lines are missing (the first time in line 3)"]);
    expect(without.findings).toHaveLength(1);
    const twice = await check([...whole.slice(0, 3), ...whole.slice(2)]);
    expect(twice.reasons).toEqual([
      "a line that comes again, or too late (the first time in line 4)",
    ]);
  });

  test.each([
    ["its own CPU's, by a DSB of the CPU", tlbi("vale1"), "nsh", 0],
    ["in capitals", tlbi("VALE1IS"), "ISH", 0],
    ["everybody's, by a DSB of the CPU", tlbi("vale1is"), "nsh", 1],
    ["outer shareable", tlbi("vale1osnxs"), "nsh", 1],
  ])("%s", async (_name, instruction, type, status) => {
    const log = [start, at(1, instruction), at(2, dsb(type)), at(3, "MARK 1")];
    expect((await check(log)).status).toBe(status);
  });

  test("after damage a TLBI is not waited for", async () => {
    const log = [start, at(1, tlbi("vale1is")), "?!", at(2, "MARK 1")];
    const { findings, status } = await check(log);
    expect([findings, status]).toEqual([[], 3]);
  });

  test("more CPUs than are followed", async () => {
    const many = Array.from({ length: 4098 }, (_, n) =>
      n === 0 ? start : `${n} cpu=${n} t=${n}.5 ${dsb("ish")}`,
    );
    expect((await check(many)).reasons).toEqual(["more CPUs than are followed"]);
  });
});
