// SPDX-License-Identifier: Apache-2.0
// The precision report of recordings, where they are installed: its sums against a count of the
// lines by regular expressions, and the documented rows.

import { createReadStream, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  checkRecording,
  checkTrace,
  Precision,
  precisionLines,
} from "../packages/shootdown/src/api/index.ts";
import { columns } from "../packages/shootdown/src/report/columns.ts";
import { bytesOf } from "../packages/shootdown/src/trace/importers/bytes.ts";
import type { PrecisionRow } from "../packages/shootdown/src/trace/precision-rows.ts";
import { root } from "./support/files.ts";

const TRACES = process.env.SHOOTDOWN_TRACES ?? join(root, "../shared/traces");
const present = existsSync(TRACES);

const pathOf = (folder: string, name: string) =>
  [join(TRACES, folder, name), join(TRACES, folder, `${name}.gz`)].find((path) => existsSync(path));

function textOf(folder: string, name: string): string {
  const path = pathOf(folder, name)!;
  const bytes = readFileSync(path);
  return (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
}

async function rowsOf(folder: string): Promise<readonly PrecisionRow[]> {
  const observe = new Precision();
  const file = (name: string) => {
    const path = pathOf(folder, name);
    return path === undefined ? [] : [{ name, open: () => createReadStream(path) }];
  };
  const [main] = file("trace.txt");
  const beside = ["tlbi.txt", "smmu.txt"].flatMap(file);
  const result = await checkRecording(main!, beside, { observe });
  if (!result.ok) throw new Error(result.error.message);
  return observe.rows(result.summary);
}

const find = (rows: readonly PrecisionRow[], side: string, operation: string, during?: string) =>
  rows.find((row) => {
    const same = row.side === side && row.operation === operation;
    return same && (during === undefined || row.during === during);
  });

const total = (rows: readonly PrecisionRow[], field: keyof PrecisionRow) =>
  rows.reduce((sum, row) => sum + (row[field] as number), 0);

/** Calls of the secondary notifier of mms that have one, by the text of the lines alone. */
function countCalls(text: string) {
  const watched = new Set<string>();
  const count = { calls: 0, whole: 0, empty: 0, pages: 0 };
  const line =
    / mn_(register|release|invalidate_secondary): .* mm=(0x\w+)(?: start=(0x\w+) end=(0x\w+))?/g;
  for (const [, what, mm = "", start = "", end = ""] of text.matchAll(line)) {
    if (what === "register") watched.add(mm);
    else if (what === "release") watched.delete(mm);
    else if (watched.has(mm)) {
      count.calls++;
      if (start === end) count.empty++;
      else if (start === "0x0" && end === "0xffffffffffffffff") count.whole++;
      else count.pages += Number(BigInt(end) - BigInt(start)) / 4096;
    }
  }
  return count;
}

/** Pages of an arm64 range operand: (NUM + 1) << (5 * SCALE + 1). */
function pagesOfRange(operand: bigint): number {
  const scale = Number((operand >> 44n) & 3n);
  const num = Number((operand >> 39n) & 31n);
  return (num + 1) * 2 ** (5 * scale + 1);
}

describe.skipIf(!present)(
  present ? "precision" : "precision (skipped: neither SHOOTDOWN_TRACES nor ../shared/traces)",
  () => {
    test.each(["6.1-mm-max", "6.12-mm-max"])(
      "%s: the sums are those of the lines",
      async (folder) => {
        const rows = await rowsOf(folder);
        const text = textOf(folder, "trace.txt");
        const seen = countCalls(text);
        const own = rows.filter(
          ({ side, operation }) => side === "notifier" && !operation.startsWith("range_end"),
        );
        expect({
          ...{ calls: total(own, "calls"), whole: total(own, "whole"), empty: total(own, "empty") },
          pages: total(own, "pages_invalidated") + total(own, "unknown_pages"),
        }).toEqual(seen);
        // What CPUs executed.
        const log = textOf(folder, "tlbi.txt");
        const executed = [...log.matchAll(/ TLBI (r?)(\w+) x=(0x[\da-f]+) /g)];
        const cpu = rows.filter(({ side }) => side === "cpu");
        expect(total(cpu, "calls")).toBe(executed.length);
        expect(total(cpu, "whole")).toBe(executed.filter(([, , op]) => op === "aside1is").length);
        const dropped = executed
          .filter(([, , op]) => op !== "aside1is")
          .reduce((all, [, r, , x]) => all + (r === "r" ? pagesOfRange(BigInt(x!)) : 1), 0);
        expect(total(cpu, "pages_invalidated") + total(cpu, "unknown_pages")).toBe(dropped);
        expect(precisionLines(rows).filter((line) => columns(line) > 74)).toEqual([]);
      },
    );

    test("6.1: range_end drops twice; empty batches call too", async () => {
      const rows = await rowsOf("6.1-mm-max");
      const notifier = rows.filter(({ side }) => side === "notifier");
      expect(total(notifier, "empty")).toBe(6);
      expect(find(rows, "notifier", "range_end after copy_page_range", "clone")).toMatchObject({
        ...{ calls: 112, whole: 0 },
      });
      expect(find(rows, "cpu", "TLBI vale1is in ptep_set_access_flags")).toMatchObject({
        ...{ calls: 127, pages_asked: 127, pages_invalidated: 127 },
      });
    });

    test("6.12: forks and batches for the whole mm, a block told as one page", async () => {
      const rows = await rowsOf("6.12-mm-max");
      expect(find(rows, "notifier", "copy_page_range", "clone")).toMatchObject({
        ...{ calls: 6, whole: 6, whole_for_pages: 6, whole_pages_asked: 38732 },
      });
      expect(find(rows, "notifier", "ptep_set_access_flags")).toMatchObject({
        ...{ calls: 100, pages_invalidated: 100, pages_asked: 97 + 3 * 512, narrower: 3 },
      });
      expect(find(rows, "notifier", "tlb_finish_mmu", "madvise")).toMatchObject({ whole: 4 });
    });

    test("x86-6.12-mm: one page, and everything is dropped", async () => {
      const rows = await rowsOf("x86-6.12-mm");
      const batches = rows.filter(
        ({ side, operation }) =>
          side === "notifier" && /^try_to_(?:migrate|unmap)_one$/.test(operation),
      );
      // README-x86.md: 55 in try_to_migrate_one, 4 in try_to_unmap_one.
      expect([total(batches, "calls"), total(batches, "whole")]).toEqual([59, 59]);
      expect(total(batches, "whole_pages_asked")).toBe(total(batches, "whole_for_pages"));
    });

    test("x86-6.12-tlb: more than 33 pages are everything", async () => {
      const rows = await rowsOf("x86-6.12-tlb");
      const mprotect = find(rows, "cpu", "flush_tlb_mm_range", "mprotect")!;
      expect(mprotect).toMatchObject({ pages_asked: 1280, pages_invalidated: 1280, whole: 13 });
      const sent = find(rows, "cpu", "tlb_flush: remote ipi send");
      expect(sent).toMatchObject({ calls: 101, whole: 32 });
    });

    test("DMA: SMMU by address and by ASID, VT-d rounds up on 6.1 and not on 6.12", async () => {
      const strict = await rowsOf("6.12-smmu-strict");
      const lazy = await rowsOf("6.12-smmu-lazy");
      for (const rows of [strict, lazy]) {
        expect(find(rows, "dma", "unmap")).toMatchObject({ calls: 135, pages_asked: 3125 });
      }
      expect(find(strict, "smmu", "TLBI_NH_VA")).toMatchObject({ unknown_pages: 3125, whole: 0 });
      expect(find(lazy, "smmu", "TLBI_NH_ASID")?.whole).toBeGreaterThan(15);
      const of = async (folder: string) =>
        find(await rowsOf(folder), "vtd", "intel_iommu_tlb_sync: IOTLB");
      expect(await of("x86-6.1-iommu-strict")).toMatchObject({
        ...{ calls: 3363, pages_asked: 5118, pages_invalidated: 5406 },
      });
      expect(await of("x86-6.12-iommu-strict")).toMatchObject({
        ...{ calls: 3638, pages_asked: 5102, pages_invalidated: 5102 },
      });
    });
  },
);

test("nothing to count is said", async () => {
  const observe = new Precision();
  const result = await checkTrace(bytesOf("# tracer: nop\n"), { observe });
  expect(result.ok && precisionLines(observe.rows(result.summary))).toEqual([
    "precision: nothing was invalidated in this recording",
  ]);
});
