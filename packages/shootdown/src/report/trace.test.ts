// SPDX-License-Identifier: Apache-2.0
// The printed check of the shipped recording of linux-6.1.
import { createReadStream } from "node:fs";
import { expect, test } from "vitest";
import { checkTrace } from "../trace/check.ts";
import type { Finding } from "../trace/finding.ts";
import { summaryLines } from "./trace.ts";
import { findingLines } from "./trace-finding.ts";

async function report(name: string, explain = false) {
  const findings: Finding[] = [];
  const file = new URL(`../../fixtures/${name}.trace.txt`, import.meta.url);
  const result = await checkTrace(createReadStream(file), {
    explain,
    onFinding: (finding) => findings.push(finding),
  });
  if (!result.ok) throw new Error(result.error.message);
  return { findings, summary: summaryLines(result.summary) };
}

test("a finding is a line with file, line and class, and what there is to say", async () => {
  const { findings } = await report("6.1-upgrade");
  expect(findingLines("a.txt", findings[0]!).join("\n")).toMatchInlineSnapshot(`
    "a.txt:285: missing: ptep_set_access_flags: upgrade not invalidated
        mm        0xffff0000409a4f00
        pages     0xffff8cab1000-0xffff8cab2000, one
        what      may now be written; no invalidation of the secondary TLB
                  before the function returned (line 286)
        entry     0x6000007ed60fc3 -> 0xe800007ed60f43
                  old read-only, young, frame 0x7ed60
                  new writable, dirty, young, frame 0x7ed60
        rule      A3: an entry that only denies may stay
        doing     ptep_set_access_flags, called by wp_page_reuse, in page
                  fault (write)
        task      mmsteps-256, CPU 0, at 51.407695"
  `);
});

test("explained, it is followed by the lines around it", async () => {
  const { findings } = await report("6.1-upgrade", true);
  const lines = findingLines("a.txt", findings[0]!);
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.filter((line) => line.startsWith(">"))).toHaveLength(1);
  expect(lines.find((line) => line.startsWith(">"))).toContain(": ptep_set_access_flags:");
});

test("the summary keeps to 74 columns", async () => {
  const { summary } = await report("6.1-upgrade");
  expect(summary.join("\n")).toMatchInlineSnapshot(`
    "verdict                 violates: 8 missing
    format                  ftrace
    kernel                  linux-6.1: invalidate_range (up to 6.5), by
                            __mmu_notifier_invalidate_range at line 125
    machine                 arm64 entries

    changes judged                17   of 1 address space, in 418 events
      conforming                   9   invalidated in time
      missing                      8
    permission upgrades            8   by ptep_set_access_flags

    secondary callbacks:
          13    of a range
           8    from invalidate_range_end

    secondary calls:
           5    of a range

    checks of the recorded secondary TLB:
           8    DROPPED
           4    SAME
           8    STALE_READONLY

    stale in the recorded secondary TLB:
           8    file_shared_upgrade, STALE_READONLY

    note: a CPU that sets the dirty bit by itself leaves no event: such
    changes are not seen
    note: who may execute a page is not modelled: changes of that alone are
    not judged"
  `);
  for (const line of summary) expect(line.length).toBeLessThanOrEqual(74);
});

test("control characters of the input do not reach the terminal", async () => {
  const { findings } = await report("6.1-upgrade");
  const evil = { ...findings[0]!, mm: "0x1\u001b[2J" };
  expect(findingLines("a\u0007b", evil).join("")).not.toMatch(/\p{Cc}/u);
});
