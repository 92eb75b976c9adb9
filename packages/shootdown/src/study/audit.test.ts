// SPDX-License-Identifier: Apache-2.0
// Audits: every pair makes scenarios that are read, and verdicts are those that are known.

import { expect, test } from "vitest";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { conditionOf } from "../litmus/elaborate.ts";
import { parseScenario } from "../litmus/parse.ts";
import { worldOf } from "../litmus/world.ts";
import { Auditor, operationsOf } from "./audit.ts";
import { configure } from "./configuration.ts";
import { findingOf, readFindings } from "./findings.ts";
import { OPERATIONS } from "./operations.ts";
import { excluded, pairScenarios } from "./pair.ts";

const MACHINE = { architecture: "arm64", device: true, ats: true } as const;
const LIMITS = { states_max: 100_000, bytes_max: 2 ** 28 };
const never = () => false;

const named = (name: string) => OPERATIONS.find((o) => o.name === name)!;

function configured(machine: string, kernel: string) {
  const found = configure(machine, kernel, {});
  if (!found.ok) throw new Error(found.problem.name);
  return found.configuration;
}

test("names of operations are distinct", () => {
  expect(new Set(OPERATIONS.map((o) => o.name)).size).toBe(OPERATIONS.length);
});

test("every pair makes scenarios that are read and can be decided", () => {
  for (const [n, a] of OPERATIONS.entries()) {
    for (const b of OPERATIONS.slice(n)) {
      if (excluded(a, b, MACHINE) !== undefined) continue;
      for (const { text } of pairScenarios(a, b, MACHINE)) {
        const read = parseScenario(text, { dictionary: DICTIONARY });
        expect(read.ok ? [] : read.diagnostics, text).toEqual([]);
        if (!read.ok) continue;
        expect(conditionOf(read.scenario, worldOf(read.scenario)), text).not.toHaveProperty("why");
      }
    }
  }
});

test("a device is stuck after an upgrade of 6.1, not of 6.12", () => {
  const [a, b] = [named("write_fault_upgrade"), named("read_fault")];
  const before = new Auditor(configured("arm64+smmuv3", "linux-6.1"), LIMITS).pair(
    a,
    b,
    () => true,
  );
  expect(before).toMatchObject({ verdict: "violation", properties: ["stuck(D)"] });
  expect(before.why).toMatchObject({ kind: "entry", entry: { cell: "smmu_tlb" } });
  const after = new Auditor(configured("arm64+smmuv3", "linux-6.12"), LIMITS).pair(a, b, never);
  expect(after).toMatchObject({ verdict: "safe", properties: [], reason: null });
});

test("a kernel without callbacks is caught; without a device it is not asked about one", () => {
  const [a, b] = [named("munmap"), named("cpu_access")];
  const kernel = "linux-6.12+no-notifier";
  const found = new Auditor(configured("arm64+smmuv3", kernel), LIMITS).pair(a, b, never);
  expect(found).toMatchObject({ verdict: "violation", why: undefined });
  expect(found.properties).toContain("use_after_free");
  const alone = new Auditor(configured("arm64", kernel), LIMITS).pair(a, b, never);
  expect(alone.verdict).toBe("safe");
});

test("scenarios that are searched together have one run", () => {
  const auditor = new Auditor(configured("arm64+smmuv3+ats", "linux-6.12"), LIMITS);
  const [a, b] = [named("mprotect_downgrade"), named("fork")];
  const apart = pairScenarios(a, b, MACHINE).length;
  const { runs, verdict } = auditor.pair(a, b, never);
  expect(verdict).toBe("safe");
  expect(runs).toBeLessThan(apart);
});

test("a limit makes a pair inconclusive, not safe", () => {
  const auditor = new Auditor(configured("arm64+smmuv3", "linux-6.12"), {
    ...LIMITS,
    states_max: 20,
  });
  const found = auditor.pair(named("munmap"), named("fork"), never);
  expect(found).toMatchObject({ verdict: "inconclusive", reason: "--max-states 20" });
});

test("what cannot be at the same time is excluded, with the reason", () => {
  expect(excluded(named("exit"), named("munmap"), MACHINE)).toMatch(/last user/);
  expect(excluded(named("attach_ats"), named("detach_ats"), MACHINE)).toMatch(/mutex/);
  expect(excluded(named("attach_ats"), named("munmap"), { ...MACHINE, ats: false })).toMatch(/ATS/);
  expect(excluded(named("exit"), named("attach_ats"), MACHINE)).toBeUndefined();
});

test("a kernel has the operations whose routines it has", () => {
  const names = operationsOf(configured("x86", "linux-6.12").kernel).map((o) => o.name);
  expect(names).toContain("munmap");
  expect(names).not.toContain("attach_ats");
});

test("lines of findings: two operations in any order, a star, lists", () => {
  const text = "Audit: a *\n";
  expect(readFindings(text)).toMatchObject({ ok: false, line: 1 });
  expect(readFindings(`## F-1: x\n\n${text}`)).toMatchObject({ ok: true });
  expect(readFindings("## F-1: x\nAudit: a b kernal=k\n")).toMatchObject({ ok: false, line: 2 });
  const read = readFindings("## F-7: x\nAudit: a b kernel=k,l property=p\n## F-8: y\nAudit: c *\n");
  if (!read.ok) throw new Error(read.message);
  const at = { kernel: "l", machine: "m", property: "p" };
  expect(findingOf(read.known, { ...at, a: "b", b: "a" })).toBe("F-7");
  expect(findingOf(read.known, { ...at, a: "b", b: "a", property: "q" })).toBeUndefined();
  expect(findingOf(read.known, { ...at, a: "d", b: "c" })).toBe("F-8");
  expect(findingOf(read.known, { ...at, a: "d", b: "b" })).toBeUndefined();
});
