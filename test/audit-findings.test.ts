// SPDX-License-Identifier: Apache-2.0
// What an audit says of real kernels is what docs/FINDINGS.md lists: a few pairs of each kind.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { inVersions } from "../packages/shootdown/src/ir/kernel.ts";
import type { PairResult } from "../packages/shootdown/src/study/audit.ts";
import { Auditor } from "../packages/shootdown/src/study/audit.ts";
import { configure } from "../packages/shootdown/src/study/configuration.ts";
import { findingOf, readFindings } from "../packages/shootdown/src/study/findings.ts";
import { OPERATIONS } from "../packages/shootdown/src/study/operations.ts";

const TIMEOUT = 120_000;
const LIMITS = { states_max: 300_000, bytes_max: 2 ** 29 };

const read = readFindings(readFileSync(join(import.meta.dirname, "../docs/FINDINGS.md"), "utf8"));
const known = read.ok ? read.known : [];

const auditors = new Map<string, Auditor>();

function audited(kernel: string, machine: string, [a, b]: readonly [string, string]): PairResult {
  const key = `${kernel} ${machine}`;
  let auditor = auditors.get(key);
  if (!auditor) {
    const found = configure(machine, kernel, {});
    if (!found.ok) throw new Error(found.problem.name);
    auditors.set(key, (auditor = new Auditor(found.configuration, LIMITS)));
  }
  const [x, y] = [a, b].map((name) => OPERATIONS.find((o) => o.name === name)!);
  return auditor.pair(x!, y!, () => false);
}

test("the lines of findings can be read, and name operations", () => {
  expect(read).toMatchObject({ ok: true });
  const names = new Set(["*", ...OPERATIONS.map((o) => o.name)]);
  for (const { operations } of known) for (const o of operations) expect(names).toContain(o);
});

/** On 6.12: safe, but for what is listed. */
const NOW: readonly (readonly [string, string])[] = [
  ["cpu_access", "munmap"],
  ["read_fault", "oom_reaper"],
  ["read_fault", "madvise_dontneed"],
  ["read_fault", "reclaim"],
  ["read_fault", "thp_write_upgrade"],
  ["mprotect_upgrade", "reclaim"],
  ["mprotect_upgrade", "khugepaged_collapse"],
  ["ksm_merge", "munmap"],
  ["migration", "exit"],
  ["fork", "device_exclusive"],
  ["uprobe", "cpu_access"],
  ["uprobe", "mprotect_upgrade"],
  ["thp_reclaim", "device_fault"],
  ["oom_reaper", "thp_read_fault"],
  ["oom_reaper", "file_write_copy"],
  ["memory_failure", "thp_fork"],
  ["munmap", "userfaultfd_move"],
  ["userfaultfd_move", "contpte_zap"],
  ["madvise_free", "contpte_access_flags"],
  ["exit", "khugepaged_collapse"],
  ["khugepaged_collapse", "khugepaged_collapse"],
  ["migrate_to_device", "khugepaged_collapse"],
  ["device_exclusive", "khugepaged_collapse"],
];

for (const pair of NOW) {
  test(`6.12, ${pair.join(" beside ")}: nothing that is not listed`, { timeout: TIMEOUT }, () => {
    const [kernel, machine] = ["linux-6.12", "arm64+smmuv3+ats"];
    const { properties, verdict } = audited(kernel, machine, pair);
    expect(verdict).not.toBe("inconclusive");
    const at = { a: pair[0], b: pair[1], kernel, machine };
    const unlisted = properties.filter((property) => !findingOf(known, { ...at, property }));
    expect(unlisted).toEqual([]);
  });
}

/** On 6.1, where flushes of CPUs tell no SMMU. */
const BEFORE: readonly (readonly [string, string, readonly string[]])[] = [
  ["read_fault", "write_fault_upgrade", ["stuck(D)"]],
  ["read_fault", "thp_write_upgrade", ["stuck(D)"]],
  ["read_fault", "hugetlb_write_fault", ["stuck(D)"]],
  ["read_fault", "file_write_fault", ["stuck(D)"]],
  ["cpu_access", "thp_split", ["break_before_make"]],
  ["cpu_access", "thp_reclaim", ["break_before_make"]],
  ["read_fault", "aging", []],
  ["read_fault", "fork", []],
  ["read_fault", "reclaim", []],
];

for (const [a, b, properties] of BEFORE) {
  test(`6.1, ${a} beside ${b}: ${properties.join() || "safe"}`, { timeout: TIMEOUT }, () => {
    const [kernel, machine] = ["linux-6.1", "arm64+smmuv3"];
    const result = audited(kernel, machine, [a, b]);
    expect(result.properties).toEqual(properties);
    expect(result.verdict).toBe(properties.length > 0 ? "violation" : "safe");
    for (const property of properties) {
      expect(findingOf(known, { a, b, kernel, machine, property })).toBeDefined();
    }
    // Of what tells nobody the report says why it need not.
    if (properties.length === 0) expect(OPERATIONS.find((o) => o.name === b)?.silent).toBeDefined();
  });
}

for (const kernel of ["linux-6.1", "linux-6.12"]) {
  test(`${kernel}: who need tell nobody harms nobody that only accesses`, () => {
    const version = kernel.slice("linux-".length);
    for (const { name, silent, kernels } of OPERATIONS) {
      if (silent === undefined || !inVersions(kernels, version)) continue;
      const { verdict } = audited(kernel, "arm64+smmuv3+ats", ["cpu_access", name]);
      expect(["safe", "excluded"], name).toContain(verdict);
    }
  });
}
