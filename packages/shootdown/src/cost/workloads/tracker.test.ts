// SPDX-License-Identifier: Apache-2.0
// What becomes of tasks and of pages in use, whatever the recording was written in.

import { expect, test } from "vitest";
import { bytesOf } from "../../trace/importers/bytes.ts";
import type { Populated } from "./address-space.ts";
import type { ReadResult } from "./input.ts";
import { readPerfTrace } from "./perf-trace.ts";
import { readRecording } from "./recording.ts";
import { readStrace } from "./strace.ts";
import { shown } from "./text.ts";

function workloadOf(result: ReadResult) {
  if (!("workload" in result)) throw new Error(JSON.stringify(result.diagnostics));
  return [...result.workload.operations];
}

/** Operations of strace's lines, `TASK CALL` each, one a microsecond. */
async function strace(lines: readonly string[], populated: Populated = "none") {
  const text = lines.map((line, i) => {
    const [, task, call] = /^(\d+) (.*)$/.exec(line)!;
    return `${task} 100.${String(i).padStart(6, "0")} ${call}`;
  });
  return workloadOf(await readStrace("x", bytesOf(text.join("\n")), { populated })).map(shown);
}

const BEGIN = '7 execve("/bin/x", ["x"], 0x7ffd /* 3 vars, 1 ) more */) = 0 <0.001>';
const MMAP = "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x10000";
const MAPPED = "7 mmap 0x10000..0x12000 rw private anonymous";
const USED = "7 touch 0x10000..0x12000 w";

test("a comment is no argument, whatever is in it", async () => {
  expect(await strace([BEGIN, `7 ${MMAP}`])).toEqual(["7 exec", MAPPED]);
});

test("a move stands where it ends: its place may have been given back meanwhile", async () => {
  const lines = [
    ...[BEGIN, `7 ${MMAP}`, `7 ${MMAP.replace("0x10000", "0x30000")}`],
    "7 clone(child_stack=0x7f00, flags=CLONE_VM|CLONE_THREAD) = 8",
    "7 mremap(0x10000, 8192, 8192, MREMAP_MAYMOVE <unfinished ...>",
    "8 munmap(0x30000, 8192) = 0",
    "7 <... mremap resumed>) = 0x30000",
  ];
  expect((await strace(lines)).slice(-2)).toEqual([
    "7/8 munmap 0x30000..0x32000",
    "7 mremap 0x10000..0x12000 0x30000..0x32000",
  ]);
});

test("flags of a clone as a number in front, as -X raw writes them", async () => {
  const clone = (flags: string) => strace([BEGIN, `7 clone(${flags}, 0x7f00) = 8`, `8 ${MMAP}`]);
  expect((await clone("0x10100")).at(-1)).toBe(MAPPED.replace("7", "7/8"));
  expect((await clone("0x11")).slice(1)).toEqual(["7 fork 8", MAPPED.replace("7", "8")]);
});

test("a number that comes again is another process: the first has ended", async () => {
  const fork = "7 clone(child_stack=NULL, flags=SIGCHLD) = 8";
  expect(await strace([BEGIN, fork, `8 ${MMAP}`, fork])).toEqual([
    ...["7 exec", "7 fork 8", MAPPED.replace("7", "8"), "8 exit", "7 fork 8"],
  ]);
});

test("freed pages are in use yet, discarded ones are not", async () => {
  const protect = "7 mprotect(0x10000, 8192, PROT_READ|PROT_WRITE) = 0";
  const after = async (advice: string) => {
    const lines = [BEGIN, `7 ${MMAP}`, `7 madvise(0x10000, 8192, ${advice}) = 0`, protect];
    return (await strace(lines, "all")).filter((line) => line.includes("touch"));
  };
  expect(await after("MADV_FREE")).toEqual([USED]);
  expect(await after("MADV_COLD")).toEqual([USED]);
  expect(await after("MADV_DONTNEED")).toEqual([USED, USED]);
});

test("what is moved or made shorter is not used again; what it grows by is", async () => {
  const moved = async (length: number, to: string) => {
    const call = `7 mremap(0x10000, 8192, ${length}, MREMAP_MAYMOVE) = ${to}`;
    const all = await strace([BEGIN, `7 ${MMAP}`, call], "all");
    return all.filter((line) => line.includes("touch")).slice(1);
  };
  expect(await moved(4096, "0x10000")).toEqual([]);
  expect(await moved(8192, "0x30000")).toEqual([]);
  expect(await moved(16384, "0x30000")).toEqual(["7 touch 0x32000..0x34000 w"]);
});

test("perf trace counts in milliseconds", async () => {
  const line = (ms: string, call: string) => ` ${ms} ( 0.022 ms): ls/7 ${call}`;
  const text = [
    line("1.500", "munmap(addr: 0x1000, len: 4096) = 0"),
    line("2.000123", "munmap(addr: 0x1000, len: 4096) = 0"),
  ].join("\n");
  const read = await readPerfTrace("x", bytesOf(text), { populated: "none" });
  const times = workloadOf(read)
    .filter(({ call }) => call.call === "munmap")
    .map(({ at_ns }) => at_ns);
  expect(times).toEqual([1_500_000, 2_000_123]);
});

/** Page faults of tasks, in a recording. */
async function faults(all: readonly (readonly [task: number, address: number])[]) {
  const lines = all.map(([task, address], i) => {
    const at = `x-${task} [000] d.... 1.${String(i).padStart(6, "0")}`;
    return `  ${at}: page_fault_user: address=0x${address.toString(16)} ip=0x1 error_code=0x6`;
  });
  const text = ["# tracer: nop", "#", ...lines].join("\n");
  return workloadOf(await readRecording("x", bytesOf(text))).map(shown);
}

test("mappings that nobody was seen to make reach over 2 MiB, and no further", async () => {
  const near = 2 * 1024 * 1024;
  const mapped = async (second: number) =>
    (await faults([0x10000000, second].map((address) => [7, address] as const)))
      .filter((line) => line.includes("mmap"))
      .map((line) => line.split(" ")[2]);
  const first = 0x10000000;
  expect(await mapped(first + near)).toEqual([
    `0x10000000..0x${(first + near + 4096).toString(16)}`,
  ]);
  expect(await mapped(first + near + 4096)).toHaveLength(2);
  expect(await mapped(first - near)).toEqual([`0x${(first - near).toString(16)}..0x10001000`]);
});

test("pages next to each other are one use of the same task alone", async () => {
  const touches = async (other: number) =>
    (
      await faults([
        [7, 0x10000000],
        [other, 0x10001000],
      ])
    ).filter((line) => line.includes("touch"));
  expect(await touches(7)).toEqual(["7 touch 0x10000000..0x10002000 w"]);
  expect(await touches(8)).toHaveLength(2);
});
