// SPDX-License-Identifier: Apache-2.0
// `perf trace` text: calls whole and continued, arguments left out, page faults, nonsense.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../base/diagnostic.ts";
import { bytesOf } from "../../trace/importers/bytes.ts";
import { readPerfTrace } from "./perf-trace.ts";
import { shown } from "./text.ts";

const read = (text: string) => readPerfTrace("x", bytesOf(text), { populated: "none" });

const lines = (...bodies: string[]): string =>
  bodies.map((body, i) => `     ${i}.500 ( 0.022 ms): ls/24731 ${body}`).join("\n");

async function operations(text: string): Promise<string[]> {
  const result = await read(text);
  if (!("workload" in result)) throw new Error(JSON.stringify(result.diagnostics));
  return [...result.workload.operations].map(shown);
}

const MMAP =
  "mmap(len: 8192, prot: READ|WRITE, flags: PRIVATE|ANONYMOUS)           = 0x7f0000000000";

test("calls, with what is 0 left out", async () => {
  const text = lines(
    "brk()                                                = 0x55788c899000",
    MMAP,
    "mmap(addr: 0x7f0000010000, len: 110592, flags: SHARED|FIXED, fd: 3, off: " +
      "0x7000) = 0x7f0000010000",
    "mprotect(start: 0x7f0000000000, len: 4096, prot: READ) = 0",
    "madvise(start: 0x7f0000000000, len_in: 4096, behavior: MADV_DONTNEED) = 0",
    "mremap(addr: 0x7f0000000000, old_len: 4096, new_len: 8192, flags: MAYMOVE) = 0x7f0001000000",
    "munmap(addr: 0x7f0000010000, len: 4096)                = 0",
    "munmap(addr: 0x7f0000010000, len: 4096)                = -1 EINVAL (Invalid argument)",
    "brk(brk: 0x55788c89b000)                               = 0x55788c89b000",
  );
  expect(await operations(text)).toEqual([
    "24731 exec",
    "24731 mmap 0x7f0000000000..0x7f0000002000 rw private anonymous",
    "24731 mmap 0x7f0000010000..0x7f000002b000 none shared file",
    "24731 mprotect 0x7f0000000000..0x7f0000001000 r",
    "24731 madvise 0x7f0000000000..0x7f0000001000 MADV_DONTNEED",
    "24731 mremap 0x7f0000000000..0x7f0000001000 0x7f0001000000..0x7f0001002000",
    "24731 munmap 0x7f0000010000..0x7f0000011000",
    "24731 mmap 0x55788c899000..0x55788c89b000 rw private anonymous",
  ]);
});

test("a call that another one interrupts, and page faults with an address", async () => {
  const text = [
    lines("brk() = 0x55788c899000", MMAP),
    "     2.500 (         ): ls/24731 munmap(addr: 0x7f0000000000, len: 4096)           ...",
    "     2.600 ( 0.000 ms): ls/24732 minfault [_copy_to_user+0x28] => 0x7f0000001008 (?k)",
    "     2.700 ( 0.200 ms): ls/24731  ... [continued]: munmap())            = 0",
    "     2.800 ( 0.000 ms): ls/24731 minfault [f+0x0] => /usr/lib/libc.so.6@0x1ab70 (d.)",
  ].join("\n");
  expect((await operations(text)).slice(2)).toEqual([
    "24731/24732 touch 0x7f0000001000..0x7f0000002000 w",
    "24731 munmap 0x7f0000000000..0x7f0000001000",
  ]);
});

describe("nonsense", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["munmap(addr: 0x1000, len: 18446744073709551615) = 0", "I001 18446744073709551615"],
    ["munmap(addr: 0x1001, len: 4096) = 0", "I001 0x1001"],
    ["munmap(addr: -4096, len: 4096) = 0", "I001 -4096"],
    ["mprotect(start: 0x1000, len: 4096, prot: what) = 0", "I001 what"],
  ];
  test.each(cases)("%s", async (body, expected) => {
    const result = await read(lines("brk() = 0x55788c899000", body));
    const [problem] = "diagnostics" in result ? result.diagnostics : [];
    const { offset, end, line } = problem!.span;
    expect(`${problem!.code} ${problem!.source.slice(offset, end)}`).toBe(expected);
    expect(line).toBe(2);
  });
  test("nothing in it", async () => expect("diagnostics" in (await read("hello"))).toBe(true));
});

test("no text makes the reader throw", async () => {
  const piece = fc.oneof(
    fc.constantFrom(MMAP, "munmap(", "addr: ", "0x7f0000000000", ", len: ", "4096", ") = 0", "\n"),
    fc.constantFrom(
      " 1.5 ( 0.1 ms): a/7 ",
      " 1.5 (         ): a/8 ",
      " ...",
      "[continued]: munmap())",
    ),
    fc.constantFrom("minfault [", "] => ", " (?k)", "clone(", "fork()", "execve()"),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 40 }), async (pieces) => {
      const result = await read(pieces.join(""));
      if ("workload" in result) for (const one of result.workload.operations) shown(one);
      else for (const one of result.diagnostics) formatDiagnostic(one, one.source);
    }),
    { numRuns: 200 },
  );
});
