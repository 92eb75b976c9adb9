// SPDX-License-Identifier: Apache-2.0
// The kernels as they are keep what `shootdown mutate` asks of every ending: no lock is left, no
// entry changes without one, nobody waits for ever, references are what is referenced.

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { planRuns } from "../packages/shootdown/src/api/plan.ts";
import { DICTIONARY } from "../packages/shootdown/src/litmus/dictionary.ts";
import { parseScenario } from "../packages/shootdown/src/litmus/parse.ts";
import { AUDIT_KNOBS } from "../packages/shootdown/src/study/audit.ts";
import { Checker } from "../packages/shootdown/src/study/check.ts";
import { ending, endingsOf } from "../packages/shootdown/src/study/endings.ts";

/** Where a scenario does by itself what no kernel would, or shows a part of an operation. */
const EXCEPT: Readonly<Record<string, readonly [string, string]>> = {
  "anon/clear-young": ["without_ptl", "a routine is called without its caller, who has the lock"],
  "moves/vmalloc": ["without_ptl miscounted", "addresses of the kernel: no lock, no references"],
  "moves/vmalloc-huge": ["without_ptl", "the same"],
  "secondary/unbind": ["without_ptl", "the scenario stores the entry itself"],
  "secondary/hmm-left-begun": ["left_held deadlocked", "the driver never ends what it began"],
  "after/protect-swapped": ["miscounted bad_page", "migration in two parts, without its caller"],
  "after/collapse-swapped": ["miscounted", "the same"],
  "after/truncate": [
    "bad_page",
    "truncate_inode_folio() is called without the reference of its caller",
  ],
  "after/truncate-two-places": ["bad_page", "the same"],
  "after/truncate-against-munmap": ["bad_page", "the same"],
  "after/truncate-against-truncate": ["bad_page", "the same"],
  "after/truncate-against-write": ["bad_page", "the same"],
  "after/writeback-against-munmap": [
    "bad_page",
    "writeback is called without the page cache's reference",
  ],
  "after/poison": ["miscounted", "the kernel keeps a page whose memory has failed"],
  "after/hugetlb-protect-shared": [
    "without_ptl",
    "tables are shared under i_mmap_rwsem alone here",
  ],
  "file/retract-against-read": ["miscounted", "the pages of the table are not unmapped before"],
  "file/retract-against-upgrade": ["miscounted", "the same"],
  "file/retract-against-write": ["miscounted", "the same"],
  "moves/gup-fast-gets": ["deadlocked", "the scenario waits for a reference that it may not get"],
  "secondary/kvm-reaped-both": ["deadlocked", "the scenario waits for what may not come"],
  "rmap/aging": ["deadlocked", "the scenario waits for what 6.1 does not do"],
  "rmap/aging-huge": ["deadlocked", "the same"],
  "rmap/memory-failure": ["miscounted", "the same"],
  "rmap/memory-failure-signal": ["miscounted", "the same"],
};

/** A child has references here, and no entries; and what a scenario gives back itself counts. */
const COUNTS = /\bfork;|\bput_page\([A-Z]|\bfree [A-Z]/;

test.each(["linux-6.1", "linux-6.12"])("scenarios of %s", (kernel) => {
  const folder = new URL("../litmus/linux/", import.meta.url);
  const files = readdirSync(folder, { recursive: true }).map(String);
  const wrong: string[] = [];
  let ended = 0;
  for (const file of files.filter((f) => f.endsWith(".litmus")).sort()) {
    const read = parseScenario(readFileSync(new URL(file, folder), "utf8"), {
      dictionary: DICTIONARY,
    });
    if (!read.ok) throw new Error(file);
    const plan = planRuns(read.scenario, read.text, {});
    if (!plan.ok) throw new Error(file);
    const name = file.replace(/\.litmus$/, "");
    const run = plan.runs.find(({ configuration: c }) => c.kernelName === kernel);
    if (!run || run.configuration.machine.startsWith("x86")) continue;
    const checker = new Checker(ending(read.scenario));
    const knobs = { ...AUDIT_KNOBS, ...run.configuration.knobs };
    const limits = { states_max: 1, bytes_max: 1 };
    const options = { semantics: "window", limits, dependsOn: false } as const;
    for (const { program } of checker.choices({ ...run.configuration, knobs }, options)) {
      const endings = endingsOf(program, checker.world, 20_000);
      if (typeof endings === "string") continue;
      ended++;
      const allowed = EXCEPT[name]?.[0].split(" ") ?? [];
      if (COUNTS.test(read.text)) allowed.push("miscounted");
      const violated = [...endings.violated].filter((v) => !allowed.includes(v));
      if (violated.length > 0) wrong.push(`${name}: ${violated.join(" ")}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(ended).toBeGreaterThan(200);
});
