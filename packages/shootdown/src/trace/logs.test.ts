// SPDX-License-Identifier: Apache-2.0
// The command stream of an SMMU and the instructions of CPUs: what completes which.
import { describe, expect, test } from "vitest";
import { checkTrace } from "./check.ts";
import { type Finding, traceStatus } from "./finding.ts";
import { bytesOf } from "./importers/bytes.ts";

async function check(lines: readonly string[]) {
  const findings: Finding[] = [];
  // Lines that a test uses again are of another time.
  const text = lines.map((line, at) =>
    line.replace(/@(\d+)\.\d{6}/, (_, s) => `@${s}.${String(at).padStart(6, "0")}`),
  );
  const result = await checkTrace(bytesOf(`${text.join("\n")}\n`), {
    onFinding: (finding) => findings.push(finding),
  });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary, status: traceStatus(result) };
}

describe("SMMU commands", () => {
  let clock = 0;
  const point = (text: string) => `14431@1795325794.${String(++clock).padStart(6, "0")}:${text}`;
  const command = (op: string) => point(`smmuv3_cmdq_opcode <--- SMMU_CMD_${op}`);
  const range = (addr: string, pages = 1) =>
    point(
      `smmuv3_s1_range_inval vmid=0 asid=2 addr=${addr} tg=1 num_pages=0x${pages.toString(16)} ` +
        "ttl=3 leaf=1",
    );
  const insert = (addr: string, level = 3) =>
    point(`smmu_iotlb_insert IOTLB ++ asid=2 addr=${addr} tg=1 level=${level}`);
  const hit = (addr: string) =>
    point(`smmu_iotlb_lookup_hit IOTLB cache HIT asid=2 addr=${addr} hit=1 miss=0 hit rate=100`);
  const unmap = (addr: string) => [command("TLBI_NH_VA"), range(addr), command("SYNC")];

  test("each TLBI is complete at the SYNC after it", async () => {
    const { summary, findings, status } = await check([
      ...[insert("0xfff7f000"), hit("0xfff7f000")],
      ...unmap("0xfff7f000"),
      ...[command("TLBI_NH_ASID"), point("smmuv3_cmdq_tlbi_nh_asid asid=2"), command("SYNC")],
    ]);
    expect(summary).toMatchObject({
      format: "QEMU's SMMUv3 trace",
      ...{ changes: 2, conforming: 2, undecidable: 0 },
      counts: {
        smmu_commands: { TLBI_NH_VA: 1, TLBI_NH_ASID: 1, SYNC: 2 },
        iotlb: { inserts: 1, hits: 1, "entries invalidated": 1 },
      },
    });
    expect([findings, status]).toEqual([[], 0]);
  });

  test("no SYNC: cannot tell whether it completed", async () => {
    const { summary, status } = await check(unmap("0xfff7f000").slice(0, 2));
    expect(summary.undecidable_reasons).toEqual({
      "the recording ends before the CMD_SYNC of an invalidation": 1,
    });
    expect(status).toBe(3);
  });

  test("ATC_INV before the SYNC of the TLBI is the wrong order (S18)", async () => {
    const [tlbi = "", args = "", sync = ""] = unmap("0xfff7f000");
    const atc = command("ATC_INV");
    const wrong = await check([tlbi, args, atc, sync]);
    expect(wrong.findings).toMatchObject([{ class: "order", rule: "S18", line: 3 }]);
    expect(wrong.status).toBe(1);
    const right = await check([tlbi, args, sync, atc, sync]);
    expect([right.findings, right.status]).toEqual([[], 0]);
  });

  test("an entry that is used after its invalidation was complete", async () => {
    const before = [insert("0xfff7f000"), ...unmap("0xfff7f000")];
    const { findings } = await check([...before, hit("0xfff7f000")]);
    expect(findings).toMatchObject([{ class: "missing", rule: "S10", line: 5, deadline_line: 4 }]);
    expect((await check([...before, insert("0xfff7f000"), hit("0xfff7f000")])).findings).toEqual(
      [],
    );
    // Another page; and a block, whose pages the hits do not tell apart.
    expect((await check([...before, hit("0xfff7e000")])).findings).toEqual([]);
    const block = [insert("0xfff7f000", 2), ...before, hit("0xfff7f000")];
    expect((await check(block)).findings).toEqual([]);
  });

  test("a range of pages, and before the SYNC an entry may be used", async () => {
    const stale = [insert("0xfff7f000"), command("TLBI_NH_VA"), range("0xfff7d000", 4)];
    expect((await check([...stale, hit("0xfff7f000"), command("SYNC")])).findings).toEqual([]);
    const after = await check([...stale, command("SYNC"), hit("0xfff7f000")]);
    expect(after.findings).toMatchObject([{ class: "missing" }]);
  });

  test("a range that QEMU takes to pieces is one command", async () => {
    const pieces = [range("0xfff60000", 8), range("0xfff68000", 4)];
    const before = [insert("0xfff6b000"), command("TLBI_NH_VA"), ...pieces, command("SYNC")];
    const { summary, findings } = await check([...before, hit("0xfff6b000")]);
    expect(summary.changes).toBe(1);
    expect(summary.counts?.["smmu"]).toMatchObject({ "pages invalidated by address": 12 });
    expect(findings).toMatchObject([{ class: "missing", line: 6 }]);
  });

  test("damage is undecidable, with its line", async () => {
    const bad = [point("smmuv3_s1_range_inval vmid=0 asid=x"), "?!", "\0\0"];
    for (const line of bad) {
      const { summary, status } = await check([...unmap("0xfff7f000"), line]);
      expect(Object.keys(summary.undecidable_reasons)[0]).toMatch(/line 4\)$/);
      expect(status).toBe(3);
    }
  });
});

describe("instructions", () => {
  const log = (...rows: readonly (readonly [number, string])[]) => [
    "0 cpu=0 t=0.000000 START realtime=1795325787.293070",
    ...rows.map(([cpu, text], at) => `${at + 1} cpu=${cpu} t=${at}.5 ${text}`),
  ];
  const tlbi = "TLBI vale1is x=0x01ee000ffffa9966 pc=0xffff8000803970c8 in=ptep_clear_flush+0x78";
  const dsb = (type: string) => `DSB ${type} pc=0xffff8000803970d8 in=ptep_clear_flush+0x88`;
  const call = (func: string, from = "f+0x0") => `CALL ${func} x0=0x1 x1=0x2 from=${from}`;

  test("complete by the issuer's DSB", async () => {
    const { summary, findings, status } = await check(
      log([0, dsb("ishst")], [0, tlbi], [0, dsb("ish")], [0, "MARK 2"]),
    );
    expect(summary).toMatchObject({ changes: 1, conforming: 1, undecidable: 0 });
    expect(summary.counts).toMatchObject({ tlbi: { vale1is: 1 }, dsb: { ishst: 1, ish: 1 } });
    expect([findings, status]).toEqual([[], 0]);
  });

  test.each([
    ["another CPU's DSB", [[1, dsb("ish")]], /the DSB of CPU 1 \(line 3\) completes its own only/],
    ["a DSB for stores", [[0, dsb("ishst")]], /no DSB of CPU 0/],
    ["a DSB of this CPU's own domain", [[0, dsb("nsh")]], /no DSB of CPU 0/],
    ["none", [], /no DSB of CPU 0/],
  ] as const)("%s does not complete it (A27)", async (_name, rows, said) => {
    for (const end of ["MARK 2", call("__mmu_notifier_invalidate_range_end")]) {
      const { findings, status } = await check(log([0, tlbi], ...rows, [0, end]));
      expect(findings).toMatchObject([
        { class: "missing", rule: "A27", line: 2, mm: "asid 494", start: "0xffffa9966000" },
      ]);
      expect(findings[0]?.message).toMatch(said);
      expect(status).toBe(1);
    }
  });

  test("aging waits for no DSB, and owes none (E15)", async () => {
    const aging = tlbi.replace("in=ptep_clear_flush", "in=contpte_ptep_clear_flush_young");
    const { summary, findings, status } = await check(log([0, aging], [0, "MARK 2"]));
    expect([findings, status]).toEqual([[], 0]);
    expect(Object.keys(summary.counts?.["completion"] ?? {})[0]).toContain("aging");
  });

  test("a batch may go on past range_end, not past user space", async () => {
    const batched = tlbi.replace("in=ptep_clear_flush", "in=set_tlb_ubc_flush_pending");
    const end = call("__mmu_notifier_invalidate_range_end");
    const later = await check(log([0, batched], [0, end], [0, dsb("ish")], [0, "MARK 2"]));
    expect(later.findings).toEqual([]);
    expect((await check(log([0, batched], [0, end], [0, "MARK 2"]))).findings).toHaveLength(1);
  });

  test("stage 2: DSB and stage 1 after it (A9)", async () => {
    const ipa = "TLBI ipas2e1is x=0x40002 pc=0x1 in=__kvm_tlb_flush_vmid_range+0x6c";
    const all = "TLBI vmalle1is x=none pc=0x1 in=__kvm_tlb_flush_vmid_range+0x80";
    const right = log([0, ipa], [0, dsb("ish")], [0, all], [0, dsb("ish")], [0, "MARK 2"]);
    expect((await check(right)).findings).toEqual([]);
    const early = log([0, ipa], [0, all], [0, dsb("ish")], [0, "MARK 2"]);
    expect((await check(early)).findings).toMatchObject([
      { class: "order", rule: "A9", mm: "ipa" },
    ]);
    const none = log([0, ipa], [0, dsb("ish")], [0, "MARK 2"]);
    expect((await check(none)).findings).toMatchObject([{ class: "missing", rule: "A9" }]);
  });

  test("the notifier's place, and upgrades by what they execute", async () => {
    const upgrade = tlbi.replace("ptep_clear_flush", "__ptep_set_access_flags");
    const secondary = call(
      "__mmu_notifier_arch_invalidate_secondary_tlbs",
      "__ptep_set_access_flags+0x1",
    );
    const { summary } = await check(
      log(
        ...([
          [0, call("__ptep_set_access_flags")],
          [0, upgrade],
          [0, secondary],
        ] as const),
        ...([
          [0, dsb("ish")],
          [0, call("__ptep_set_access_flags")],
          [0, upgrade],
        ] as const),
        ...([
          [0, dsb("ish")],
          [0, "MARK -1"],
        ] as const),
      ),
    );
    expect(summary.counts).toMatchObject({
      notifier: { "secondary calls between a TLBI and its DSB": 1 },
      ptep_set_access_flags: { "TLBI 1, notifier calls 1": 1, "TLBI 1, notifier calls 0": 1 },
    });
  });

  test("ranges and ASIDs of operands", async () => {
    const ranged = "TLBI rvale1is x=0x01ee8fffffa99660 pc=0x1 in=f+0x0";
    const asid = "TLBI aside1is x=0x01ee000000000000 pc=0x1 in=f+0x0";
    const { findings } = await check(log([0, ranged], [0, asid], [0, "MARK 1"]));
    expect(findings.map(({ mm }) => mm)).toEqual(["asid 494", "asid 494"]);
    expect(findings[1]).toMatchObject({ start: "0x0", end: "0x10000000000000000" });
    const [first] = findings;
    expect(Number(first?.end) - Number(first?.start)).toBe(32 * 2 * 4096);
  });

  test("the end of the log is not the end of an operation", async () => {
    const { summary, status } = await check(log([0, tlbi]));
    expect([summary.undecidable, status]).toEqual([1, 3]);
  });
});
