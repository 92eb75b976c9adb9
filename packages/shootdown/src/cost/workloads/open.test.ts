// SPDX-License-Identifier: Apache-2.0
// The door: formats are told apart by content, and every shipped workload comes through it.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { bytesOf } from "../../trace/importers/bytes.ts";
import type { Workload } from "../workload.ts";
import { openWorkload } from "./open.ts";
import { recogniseWorkload } from "./recognise.ts";
import { SHIPPED, shippedNamed } from "./shipped.ts";
import { summarise } from "./summary.ts";
import { TEXT_HEAD } from "./text.ts";

const FOLDER = new URL("../../../fixtures/workloads/", import.meta.url);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function open(name: string): Promise<Workload> {
  const result = await openWorkload(name, bytesOf(readFileSync(new URL(`${name}.txt.gz`, FOLDER))));
  if (!("workload" in result)) throw new Error(JSON.stringify(result.diagnostics));
  return result.workload;
}

describe("formats by content", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    [`${TEXT_HEAD}\n0 7 exec`, "text"],
    ["7 1.5 munmap(0x1000, 4096) = 0", "strace"],
    ["hello, says the program\n[pid 7] 1.5 <... mmap resumed>) = 0x1000", "strace"],
    ["munmap(0x1000, 4096 <unfinished ...>", "strace"],
    ["     0.636 ( 0.022 ms): ls/24731 brk() = 0x7f71122c5000", "perf trace"],
    ["              ls-2155    [001] ..... 81312.901569: sys_brk(brk: 0)", "recording"],
    ["# shootdown", undefined],
    ["int main(void) { return munmap(0, 1); }", undefined],
    ["", undefined],
  ];
  test.each(cases)("%s", (text, format) => {
    expect(recogniseWorkload(bytes(text))).toBe(format);
  });

  test("gzip is undone, damaged gzip refused", async () => {
    const lines = Array.from({ length: 9999 }, (_, i) => `${i}.0 7 munmap 0x${i}000..0x${i}f000`);
    const packed = gzipSync(`${TEXT_HEAD}\n${lines.join("\n")}\n`);
    expect("workload" in (await openWorkload("x", bytesOf(packed)))).toBe(true);
    const cut = await openWorkload("x", bytesOf(packed.subarray(0, packed.length >> 1)));
    expect("diagnostics" in cut && cut.diagnostics[0]?.message).toContain("gzip");
  });

  test("nothing is computed of half a file", async () => {
    const lines = Array.from({ length: 9999 }, (_, i) => `7 ${i}.5 munmap(0x${i}000, 4096) = 0`);
    const packed = gzipSync(lines.join("\n"));
    const cut = await openWorkload("x", bytesOf(packed.subarray(0, packed.length >> 1)));
    expect("diagnostics" in cut && cut.diagnostics[0]?.message).toContain("gzip");
  });

  test("what is known is said of what is not", async () => {
    for (const text of ["", "hello", "PERFILE2 ..", "PK\x03\x04"]) {
      const result = await openWorkload("x", bytesOf(text));
      const [problem] = "diagnostics" in result ? result.diagnostics : [];
      expect(problem?.notes[0]?.message).toContain("strace");
      expect(problem?.span.line).toBe(1);
    }
  });
});

test("pages that are populated by mmap, moved and given back count as used", async () => {
  const lines = [
    "0 7 mmap 0x10000..0x12000 rw private anonymous populate",
    "0 7 mremap 0x10000..0x12000 0x20000..0x22000",
    "0 7 munmap 0x20000..0x21000",
    "0 7 munmap 0x10000..0x11000",
  ];
  const result = await openWorkload("x", bytesOf(`${TEXT_HEAD}\n${lines.join("\n")}\n`));
  expect("workload" in result && summarise(result.workload)).toMatchObject({
    ranges: 3,
    unused: 1,
  });
});

describe("shipped", () => {
  test("every file is listed, and small", () => {
    const files = readdirSync(FOLDER).filter((file) => file.endsWith(".gz"));
    expect(files.sort()).toEqual(SHIPPED.map(({ name }) => `${name}.txt.gz`).sort());
    for (const file of files) expect(statSync(new URL(file, FOLDER)).size).toBeLessThan(100_000);
  });

  test("by name, or by another one", () => {
    expect(shippedNamed("java-gc")).toBe(shippedNamed("java"));
    expect(shippedNamed("java-g")).toBeUndefined();
    const names = SHIPPED.flatMap(({ name, also }) => [name, also]).filter((one) => one);
    expect(new Set(names).size).toBe(names.length);
  });

  test.each(SHIPPED)("$name is read, and says where it is from", async ({ name }) => {
    const workload = await open(name);
    expect(workload.provenance).toContain("Debian");
    const { operations, touches, ranges } = summarise(workload);
    expect(operations).toBeGreaterThan(100);
    expect(touches).toBeGreaterThan(100);
    expect(ranges).toBeGreaterThan(10);
  });

  test("both signs: java asks for ranges not in use; gcc and redis copy on write", async () => {
    const java = summarise(await open("java"));
    expect(java.unused / java.ranges).toBeGreaterThan(0.7);
    for (const name of ["gcc", "redis"]) {
      const { calls, touches, ranges } = summarise(await open(name));
      expect(calls.fork).toBeGreaterThan(0);
      expect(touches).toBeGreaterThan(20 * ranges);
    }
  });
});
