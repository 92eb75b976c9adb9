// SPDX-License-Identifier: Apache-2.0
// Recorded lines that were once misjudged, each cut to one operation: what is said of them.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkTrace, type TraceOptions } from "./check.ts";
import type { Finding } from "./finding.ts";
import { bytesOf } from "./importers/bytes.ts";

const folder = new URL("../../fixtures/recorded/", import.meta.url);

/** The findings of a fixture, as "class operation from line to deadline". */
async function said(name: string, options: TraceOptions = {}) {
  const findings: Finding[] = [];
  const onFinding = (finding: Finding) => findings.push(finding);
  const text = readFileSync(new URL(`${name}.trace.txt`, folder), "utf8");
  const result = await checkTrace(bytesOf(text), { ...options, onFinding });
  if (!result.ok) throw new Error(result.error.message);
  const all = findings.filter(({ class: found }) => found !== "excess");
  return {
    said: all.map(({ class: found, operation }) => `${found} ${operation}`),
    summary: result.summary,
  };
}

describe("recorded", () => {
  test("hugetlb that migrates: the clear is short, the new entry no second one", async () => {
    const { said: found } = await said("6.12-hugetlb-migration");
    expect(found).toEqual(["short huge_ptep_clear_flush"]);
  });

  test("MADV_FREE splits a folio: ranges of its pages need not meet the one around", async () => {
    const { said: found, summary } = await said("6.12-free-splits-folio");
    expect(found).toEqual([]);
    expect(summary.unpaired).toBe(0);
  });

  test("6.1: the huge zero page makes way for small ones; the secondary TLB keeps it", async () => {
    const { said: found } = await said("x86-6.1-huge-zero-page");
    expect(found).toEqual(["missing pmdp_huge_clear_flush"]);
  });

  test("6.1: what range_end invalidated is not for the batch, which flushes all", async () => {
    const { said: found, summary } = await said("x86-6.1-nested-flush");
    expect([found, summary.undecidable]).toEqual([[], 0]);
  });

  test("6.1: MADV_PAGEOUT makes entries old first, and flushes those at its end", async () => {
    const { said: found, summary } = await said("x86-6.1-pageout-flush");
    expect([found, summary.excess, summary.undecidable]).toEqual([[], 0, 0]);
  });

  test("x86: an entry of 2 MiB that keeps its rights is not flushed: cannot tell", async () => {
    const { said: found, summary } = await said("x86-6.12-uffd-zero-page");
    expect(found).toEqual([]);
    expect(summary.undecidable).toBe(2);
  });

  test("VT-d: the flush queue's timer within a detach sends nothing: cannot tell", async () => {
    const { said: found, summary } = await said("x86-6.12-flush-in-detach");
    expect([found, summary.undecidable]).toEqual([[], 2]);
  });

  test("6.1 RT: contiguous entries of hugetlb are made writable, and nobody is told", async () => {
    const { said: found, summary } = await said("6.1-rt-hugetlb-contiguous");
    expect(found).toEqual(["missing huge_ptep_set_access_flags"]);
    expect(summary).toMatchObject({ undecidable: 0, ignored_lines: 0 });
  });

  test("MADV_PAGEOUT puts an entry of 2 MiB back, made old: nothing is owed", async () => {
    const { said: found, summary } = await said("6.1-pageout-block");
    expect([found, summary.undecidable]).toEqual([[], 0]);
  });

  test.each(["6.12-latency-format", "6.12-sym-addr"])("%s: every line is read", async (name) => {
    const { said: found, summary } = await said(name);
    expect(found).toEqual([]);
    expect(summary).toMatchObject({ conforming: 1, ignored_lines: 0 });
  });
});
