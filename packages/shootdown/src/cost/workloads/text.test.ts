// SPDX-License-Identifier: Apache-2.0
// The text format: what is written is read again, and every kind of nonsense is refused in place.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../base/diagnostic.ts";
import { bytesOf } from "../../trace/importers/bytes.ts";
import type { Operation } from "../workload.ts";
import { OperationStore } from "./store.ts";
import { readText, TEXT_HEAD, writeText } from "./text.ts";

const GOOD = `${TEXT_HEAD}
# title: two processes
# provenance: by hand
# assumes: nothing
# a remark
0.000000 7 mmap 0x10000..0x20000 rw private anonymous
0.000001500 7 touch 0x10000..0x12000 w
0.000002 7 device 0x10000..0x12000 r 3
0.000002 7 mprotect 0x10000..0x12000 none
0.000002 7 madvise 0x10000..0x12000 MADV_FREE
0.000002 7 fork 8
0.000003 7/9 mremap 0x10000..0x20000 0x30000..0x50000
0.000003 8 mmap 0x30000..0x40000 r shared file populate
0.000003 8 munmap 0x30000..0x40000
0.000003 7 dma_map 4 0x1000
0.000003 7 dma_unmap 4
1.000003 8 exec
1.000003 8 exit
`;

const read = (text: string) => readText("x", bytesOf(text));

test("what is read is written again", async () => {
  const result = await read(GOOD);
  if (!("workload" in result)) throw new Error(JSON.stringify(result));
  const { title, provenance, assumptions, operations } = result.workload;
  expect([title, provenance, assumptions]).toEqual(["two processes", "by hand", ["nothing"]]);
  expect([...writeText(result.workload)].join("")).toBe(GOOD.replace("# a remark\n", ""));
  expect([...operations]).toEqual([...operations]);
  expect([...operations].map((one) => one.line)).toEqual([
    6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
  ]);
});

describe("nonsense", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["x 7 exec", "I001 2:1 x: a time in seconds, as 0.001500"],
    ["-1 7 exec", "I001 2:1 -1: a time in seconds, as 0.001500"],
    ["0.5 a exec", "I001 2:5 a: a process, as 7, or a thread of it, as 7/9"],
    ["0.5 7", "I002 2:6 : an operation is missing"],
    ["0.5 7 unmap 0x1000..0x2000", "I002 2:7 unmap: no operation of this name"],
    ["0.5 7 munmap", "I002 2:13 : a range is missing"],
    ["0.5 7 munmap 0x1000", "I001 2:14 0x1000: a range, as 0x1000..0x3000"],
    ["0.5 7 munmap 0x1000..0x1000", "I003 2:14 0x1000..0x1000: a range that ends where it begins"],
    ["0.5 7 munmap 0x2000..0x1000", "I003 2:14 0x2000..0x1000: a range that ends where it begins"],
    ["0.5 7 munmap 0x1..0x1000", "I001 2:14 0x1..0x1000: an address that is no multiple of 4096"],
    [
      "0.5 7 munmap 0x0..0x10000000000000000",
      "I001 2:14 0x0..0x10000000000000000: a range that is not below 2^48",
    ],
    ["0.5 7 touch 0x0..0x1000", "I002 2:24 : one of r, w is missing"],
    ["0.5 7 touch 0x0..0x1000 x", "I002 2:25 x: one of r, w"],
    ["0.5 7 exec now", "I002 2:12 now: nothing is expected here"],
    ["0.5 7 fork 7", "I001 2:12 7: a process that lives"],
    [
      "0.5 7 touch 0x0..0x100000001000 w",
      "I001 2:13 0x0..0x100000001000: more than 16 TiB that are used",
    ],
    [
      "0.5 7 mmap 0x0..0x100000001000 rw private file populate",
      "I001 2:12 0x0..0x100000001000: more than 16 TiB that are used",
    ],
    ["0.5 7 dma_map 0", "I001 2:15 0: a number of pages, from 1 on"],
    ["0.5 7 dma_map -4", "I001 2:15 -4: a number of pages, from 1 on"],
    ["0.5 7 dma_map 4 0x10", "I001 2:17 0x10: an address below 2^48, a multiple of 4096"],
  ];
  test.each(cases)("%s", async (line, expected) => {
    const result = await read(`${TEXT_HEAD}\n${line}\n`);
    const shown = "diagnostics" in result ? result.diagnostics : [];
    expect(
      shown.map(({ code, span, message, source }) => {
        const text = source.slice(span.offset, span.end);
        return `${code} ${span.line}:${span.col} ${text}: ${message}`;
      }),
    ).toEqual([expected]);
  });

  const two: readonly (readonly [string, string, string])[] = [
    ["a time that goes back", "2.0 7 exec", "1.0 7 exec"],
    [
      "mappings that overlap",
      "0.0 7 mmap 0x1000..0x3000 r private file",
      "0.0 7 mmap 0x2000..0x4000 r private file",
    ],
    ["a child that lives", "0.0 7 fork 8", "0.0 7 fork 8"],
    ["a move of nothing onto itself", "0.0 7 exec", "0.0 7 mremap 0x1000..0x3000 0x2000..0x4000"],
    [
      "a move onto itself",
      "0.0 7 mmap 0x1000..0x3000 r private file",
      "0.0 7 mremap 0x1000..0x3000 0x2000..0x4000",
    ],
  ];
  test.each(two)("%s", async (_, first, second) => {
    const result = await read(`${TEXT_HEAD}\n${first}\n${second}\n`);
    expect("diagnostics" in result && result.diagnostics.map((one) => one.span.line)).toEqual([3]);
  });

  test("the number of a process that has ended is free; 16 TiB can be used", async () => {
    const lines = ["0 7 fork 8", "0 8 exit", "0 7 fork 8", "0 7 mmap 0x0..0x1000 r private file"];
    const most = ["0 8 touch 0x0..0x100000000000 w"];
    expect("workload" in (await read(`${[TEXT_HEAD, ...lines, ...most].join("\n")}\n`))).toBe(true);
  });

  test("another version, and nothing at all", async () => {
    for (const text of [
      "# shootdown workload 2\n0 7 exec",
      `${TEXT_HEAD}\n`,
      `${TEXT_HEAD}\n\0\n`,
    ]) {
      expect("diagnostics" in (await read(text))).toBe(true);
    }
  });
});

test("a time that goes back is that of the operation before", () => {
  const store = new OperationStore();
  for (const at_ns of [5, 3, 7]) store.push(at_ns, 1, 1, 0, { call: "exit" });
  expect([...store].map((one) => one.at_ns)).toEqual([5, 5, 7]);
});

const page = fc.integer({ min: 0, max: 2 ** 36 - 1 }).map((n) => n * 4096);
const span = fc.tuple(page, fc.integer({ min: 1, max: 99 })).map(([start, pages]) => {
  return { start, end: start + 4096 * pages };
});
const operation: fc.Arbitrary<Operation["call"]> = fc.oneof(
  fc.record({ call: fc.constant("munmap" as const), span }),
  fc.record({ call: fc.constant("touch" as const), span, write: fc.boolean() }),
  fc.record({
    call: fc.constant("madvise" as const),
    span,
    advice: fc.constantFrom(
      "MADV_DONTNEED" as const,
      "MADV_COLD" as const,
      "MADV_PAGEOUT" as const,
    ),
  }),
  fc.record({
    call: fc.constant("mprotect" as const),
    span,
    writable: fc.boolean(),
    accessible: fc.boolean(),
  }),
  fc.record({ call: fc.constant("fork" as const), child: fc.nat() }),
  fc.record({
    call: fc.constant("device" as const),
    span,
    write: fc.boolean(),
    device: fc.nat(99),
  }),
  fc.record({ call: fc.constant("exit" as const) }),
);

test("the store gives back what it was given", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(operation, fc.nat(), fc.nat()), { maxLength: 20 }), (calls) => {
      const store = new OperationStore();
      const given = calls.map(([call, tid, pid], i) => ({ at_ns: i, tid, pid, line: i, call }));
      for (const { at_ns, tid, pid, line, call } of given) store.push(at_ns, tid, pid, line, call);
      expect([...store]).toEqual(given);
    }),
  );
});

test("no text makes the reader throw", async () => {
  const piece = fc.oneof(
    fc.constantFrom(...GOOD.split(/(\s)/)),
    fc.constantFrom("\n", " ", "0x", "..", "/", "-"),
    fc.string(),
  );
  const text = fc.array(piece, { maxLength: 60 }).map((parts) => TEXT_HEAD + parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, async (input) => {
      const result = await read(input);
      if ("workload" in result) for (const _ of writeText(result.workload));
      else for (const one of result.diagnostics) formatDiagnostic(one, one.source);
    }),
    { numRuns: 300 },
  );
});
