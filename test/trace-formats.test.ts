// SPDX-License-Identifier: Apache-2.0
// Recordings of real runs in all their files, where they are installed: the documented counts of
// SMMU commands and TLBIs, unmapped pages, KVM, and the verdicts of trace-cmd's own report.

import { execFileSync } from "node:child_process";
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { checkTrace } from "../packages/shootdown/src/trace/check.ts";
import { type Finding, traceStatus } from "../packages/shootdown/src/trace/finding.ts";
import { bytesOf } from "../packages/shootdown/src/trace/importers/bytes.ts";
import { checkRecording } from "../packages/shootdown/src/trace/recording.ts";
import { root } from "./support/files.ts";

const TRACES = process.env["SHOOTDOWN_TRACES"] ?? join(root, "../shared/traces");
const present = existsSync(TRACES);
const title = present ? "recordings" : "recordings (skipped: ../shared/traces is not there)";

const fileOf = (name: string, file: string) => ({
  name: file,
  open: () => createReadStream(join(TRACES, name, `${file}.gz`)),
});

async function folder(name: string) {
  const findings: Finding[] = [];
  const result = await checkRecording(
    fileOf(name, "trace.txt"),
    ["tlbi.txt", "smmu.txt", "stacks.txt"].map((file) => fileOf(name, file)),
    { onFinding: (one) => findings.push(one) },
  );
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary, status: traceStatus(result) };
}

async function text(input: string | Uint8Array) {
  const findings: Finding[] = [];
  const result = await checkTrace(bytesOf(input), { onFinding: (one) => findings.push(one) });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary };
}

/** Counts of each folder's README, and how many pages were usable at one time at most. */
const SMMU = {
  "6.1-smmu-strict": { unmaps: 113, by: "by address", TLBI_NH_VA: 139, TLBI_NH_ASID: 2, most: 128 },
  "6.12-smmu-strict": { unmaps: 135, by: "by address", TLBI_NH_VA: 163, TLBI_NH_ASID: 2, most: 32 },
  "6.12-smmu-lazy": {
    ...{ unmaps: 135, by: "by whole ASIDs", TLBI_NH_VA: undefined, TLBI_NH_ASID: 32, most: 544 },
  },
} as const;

/** Calls of ptep_set_access_flags that flushed, by notifier calls: none, one. */
const UPGRADES = {
  "6.1-mm-max": [127, undefined],
  "6.1-mm-a72": [147, undefined],
  "6.12-mm-max": [17, 100],
} as const;

describe.skipIf(!present)(title, () => {
  test.each(Object.entries(SMMU))("%s: each unmap invalidated and complete", async (name, want) => {
    const { findings, summary, status } = await folder(name);
    expect([findings, summary.undecidable, status]).toEqual([[], 0, 0]);
    const { dma, smmu_commands: commands, iotlb } = summary.counts ?? {};
    expect(dma).toMatchObject({
      "unmap calls": want.unmaps,
      [`unmap calls invalidated ${want.by}`]: want.unmaps,
      "device accesses to unmapped pages": 0,
      "pages not yet invalidated at the end": 0,
    });
    expect(dma?.["most pages usable at one time"]).toBe(want.most);
    expect([commands?.["TLBI_NH_VA"], commands?.["TLBI_NH_ASID"]]).toEqual([
      want.TLBI_NH_VA,
      want.TLBI_NH_ASID,
    ]);
    expect(iotlb?.["hits"]).toBeGreaterThan(1000);
  });

  test.each(Object.entries(UPGRADES))("%s: what upgrades execute", async (name, [none, one]) => {
    const { summary } = await text(readFileSync(join(TRACES, name, "tlbi.txt.gz")));
    expect(summary.counts?.["ptep_set_access_flags"]).toEqual({
      "TLBI 1, notifier calls 0": none,
      ...(one === undefined ? {} : { "TLBI 1, notifier calls 1": one }),
    });
    expect(summary).toMatchObject({ missing: 0, order: 0, undecidable: 0 });
    const waiting = summary.counts?.["notifier"]?.["secondary calls between a TLBI and its DSB"];
    expect(waiting ?? 0).toBe(name.startsWith("6.12") ? 240 : 0);
  });

  test("6.12-kvm-max: every unmap of KVM inside its range, stage 2 before stage 1", async () => {
    const { summary, status } = await folder("6.12-kvm-max");
    expect(summary.counts).toMatchObject({
      kvm: { "unmap events": 19, "unmap events inside their notifier range": 19 },
      stage2: { "IPA, DSB, then the entries that combine both stages": 18 },
    });
    expect(status).toBe(0);
  });

  test("6.1-mm-max: findings quote the recorded stack", async () => {
    const { findings } = await folder("6.1-mm-max");
    const upgrades = findings.filter(({ change }) => change === "upgrade");
    expect(upgrades).toHaveLength(94);
    const stacks = upgrades.filter(({ stack }) => stack?.includes("do_page_fault"));
    expect(stacks.length).toBeGreaterThan(85);
  });
});

const reports = present && hasTraceCmd();

function hasTraceCmd(): boolean {
  try {
    execFileSync("trace-cmd", ["--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

describe.skipIf(!reports)(
  reports ? "trace-cmd report" : "trace-cmd report (skipped: no recordings or no trace-cmd)",
  () => {
    test.each(["6.1-mm-max", "6.12-mm-max"])("%s: the verdicts of trace.txt", async (name) => {
      const tmp = mkdtempSync(join(tmpdir(), "shootdown-report-"));
      try {
        const data = join(tmp, "trace.dat");
        writeFileSync(data, gunzipSync(readFileSync(join(TRACES, name, "trace.dat.gz"))));
        const options = { maxBuffer: 1 << 26, stdio: ["ignore", "pipe", "ignore"] as const };
        const report = await text(
          execFileSync("trace-cmd", ["report", "-i", data], {
            ...options,
            stdio: [...options.stdio],
          }),
        );
        const direct = await text(readFileSync(join(TRACES, name, "trace.txt.gz")));
        expect(report.summary.format).toBe("trace-cmd report");
        const verdict = (one: Finding) => [
          one.time,
          one.class,
          one.mm,
          one.start,
          one.old,
          one.new,
        ];
        expect(report.findings.map(verdict)).toEqual(direct.findings.map(verdict));
        const { kernel, changes, conforming, undecidable, exempt } = direct.summary;
        expect(report.summary).toMatchObject({ kernel, changes, conforming, undecidable, exempt });
      } finally {
        rmSync(tmp, { recursive: true });
      }
    });
  },
);
