// SPDX-License-Identifier: Apache-2.0
// What is printed of every installed recording: it fits into a mail, and each finding names a rule.

import { createReadStream, existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  checkRecording,
  checkTrace,
  type Finding,
  FindingGroups,
  findingLines,
  type RecordingFile,
  summaryLines,
  type TraceOptions,
} from "../packages/shootdown/src/api/index.ts";
import { columns } from "../packages/shootdown/src/report/columns.ts";
import { bytesOf } from "../packages/shootdown/src/trace/importers/bytes.ts";
import { ruleText } from "../packages/shootdown/src/trace/rules.ts";
import { root } from "./support/files.ts";

const TRACES = process.env.SHOOTDOWN_TRACES ?? join(root, "../shared/traces");
const present = existsSync(TRACES);
const title = present
  ? "reports of recordings"
  : "reports of recordings (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces is there)";
const MAIL = 74;

const pathOf = (folder: string, name: string) =>
  [join(TRACES, folder, name), join(TRACES, folder, `${name}.gz`)].find((path) => existsSync(path));

function file(folder: string, name: string): RecordingFile[] {
  const path = pathOf(folder, name);
  return path === undefined ? [] : [{ name, open: () => createReadStream(path) }];
}

const folders = present
  ? readdirSync(TRACES).filter((name) => pathOf(name, "trace.txt") !== undefined)
  : [];

async function judge(folder: string, options: TraceOptions) {
  const findings: Finding[] = [];
  const all = { ...options, onFinding: (one: Finding) => void findings.push(one) };
  const [main] = file(folder, "trace.txt");
  const beside = ["tlbi.txt", "smmu.txt", "stacks.txt"].flatMap((name) => file(folder, name));
  const result = await checkRecording(main!, beside, all);
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: result.summary };
}

const tooWide = (lines: readonly string[]) => lines.filter((line) => columns(line) > MAIL);

describe.skipIf(!present)(title, () => {
  test.each(folders)("%s: no line goes beyond a mail, each finding has a rule", async (folder) => {
    const { findings, summary } = await judge(folder, { explain: true });
    expect(tooWide(summaryLines(summary))).toEqual([]);
    const name = `${folder}/trace.txt`;
    const groups = new FindingGroups();
    const shown = findings.flatMap((one) => groups.add(name, one));
    expect(tooWide([...shown, ...groups.rest()])).toEqual([]);
    for (const one of findings) {
      expect(tooWide(findingLines(name, one))).toEqual([]);
      expect([one.class, one.rule, ruleText(one.rule)]).not.toContain(undefined);
    }
    // The first column says where, for every finding and every list.
    for (const line of shown) expect(line).toMatch(/^(?:[\w.-]+\/trace\.txt:\d+: |[ >])/);
  });

  test("94 that are alike are not 94 screens, and none is left out", async () => {
    const { findings } = await judge("6.1-mm-max", {});
    const groups = new FindingGroups();
    const lines = [...findings.flatMap((one) => groups.add("t", one)), ...groups.rest()];
    expect(lines.length).toBeLessThan(200);
    const listed = lines.join("\n").matchAll(/^ {4}lines ([\d\s]+)/gm);
    const full = lines.flatMap((line) => /^t:(\d+):/.exec(line)?.[1] ?? []);
    const named = [...full, ...[...listed].flatMap(([, all = ""]) => all.trim().split(/\s+/))];
    const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b);
    expect(sorted(named.map(Number))).toEqual(sorted(findings.map(({ line }) => line)));
  });
});

describe("names of any width", () => {
  const fixture = join(root, "packages/shootdown/fixtures/6.1-upgrade.trace.txt");

  test("a task of wide letters and a long path keep to the width", async () => {
    const text = await new Response(
      new ReadableStream({
        async start(controller) {
          for await (const chunk of createReadStream(fixture)) controller.enqueue(chunk);
          controller.close();
        },
      }),
    ).text();
    const findings: Finding[] = [];
    const named = text.replaceAll("         mmsteps-256", "  テスト数え-256");
    const result = await checkTrace(bytesOf(named), { onFinding: (one) => findings.push(one) });
    expect(result.ok && result.summary.missing).toBe(8);
    expect(findings[0]!.task).toBe("テスト数え");
    const lines = findings.flatMap((one) => findingLines(`${"x".repeat(60)}.txt`, one));
    expect(tooWide(lines).filter((line) => !line.startsWith("x"))).toEqual([]);
    expect(lines[0]).toBe(`${"x".repeat(60)}.txt:285: missing:`);
  });
});
