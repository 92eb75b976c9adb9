// SPDX-License-Identifier: Apache-2.0
// Recordings of the kernel's events as workloads: calls, page faults, tasks, mappings for DMA.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesOf } from "../../trace/importers/bytes.ts";
import { readRecording } from "./recording.ts";
import { shown } from "./text.ts";

/** Lines "PID EVENT" as the tracefs file prints them, a microsecond apart. */
const trace = (...lines: string[]): string =>
  lines
    .map((line, i) => {
      const [, pid = "", rest = ""] = /^(\d+) (.*)$/.exec(line) ?? [];
      const time = `1.${String(i).padStart(6, "0")}`;
      return `${"x".padStart(16)}-${pid.padEnd(7)} [000] .....  ${time}: ${rest}`;
    })
    .join("\n");

const read = (text: string) => readRecording("x", bytesOf(`# tracer: nop\n${text}\n`));

async function operations(...lines: string[]): Promise<string[]> {
  const result = await read(trace(...lines));
  if (!("workload" in result)) throw new Error(JSON.stringify(result.diagnostics));
  return [...result.workload.operations].map(shown);
}

const MMAP = [
  "7 sys_mmap(addr: 0, len: 0x3000, prot: 3, flags: 0x22, fd: 0xffffffff, off: 0)",
  "7 sys_mmap -> 0x7f0000000000",
];

describe("calls and page faults", () => {
  test("are operations of their task", async () => {
    const lines = [
      ...MMAP,
      "7 page_fault_user: address=0x7f0000000008 ip=0x4000 error_code=0x4",
      "7 page_fault_user: address=0x7f0000000008 ip=0x4000 error_code=0x7",
      "7 page_fault_user: address=0x7f0000001008 ip=0x4000 error_code=0x6",
      "7 sys_mprotect(start: 0x7f0000000000, len: 0x1000, prot: 1)",
      "7 sys_mprotect -> 0x0",
      "7 sys_madvise(start: 0x7f0000001000, len_in: 0x1000, behavior: 4)",
      "7 sys_madvise -> 0x0",
      "7 sys_munmap(addr: 0x7f0000000000, len: 0x3000)",
      "7 sys_munmap -> 0x0",
    ];
    expect(await operations(...lines)).toEqual([
      "7 mmap 0x7f0000000000..0x7f0000003000 rw private anonymous",
      "7 touch 0x7f0000000000..0x7f0000001000 r",
      // Pages side by side, used one after the other in the same way, are one operation.
      "7 touch 0x7f0000000000..0x7f0000002000 w",
      "7 mprotect 0x7f0000000000..0x7f0000001000 r",
      "7 madvise 0x7f0000001000..0x7f0000002000 MADV_DONTNEED",
      "7 munmap 0x7f0000000000..0x7f0000003000",
    ]);
  });

  test("numbers without 0x, as older kernels print them, and a descriptor of -1", async () => {
    const lines = [
      "7 sys_mmap(addr: 0, len: 3000, prot: 3, flags: 22, fd: ffffffffffffffff, off: 0)",
      "7 sys_mmap -> 0x7f0000000000",
      "7 sys_munmap(addr: 7f0000000000, len: 1000)",
      "7 sys_munmap -> 0x0",
    ];
    expect(await operations(...lines)).toEqual([
      "7 mmap 0x7f0000000000..0x7f0000003000 rw private anonymous",
      "7 munmap 0x7f0000000000..0x7f0000001000",
    ]);
  });

  test("calls that fail are none", async () => {
    const lines = [
      ...MMAP,
      "7 sys_munmap(addr: 0x1, len: 0x3000)",
      "7 sys_munmap -> 0xffffffffffffffea",
    ];
    expect((await operations(...lines)).length).toBe(1);
  });

  test("munmap stands where it begins, mmap where it ends", async () => {
    const lines = [
      ...MMAP,
      "7 task_newtask: pid=8 comm=x clone_flags=3d0f00 oom_score_adj=0",
      "8 sys_mmap(addr: 0, len: 0x3000, prot: 0, flags: 0x22, fd: 0xffffffff, off: 0)",
      "7 sys_munmap(addr: 0x7f0000000000, len: 0x3000)",
      "8 sys_mmap -> 0x7f0000000000",
      "7 sys_munmap -> 0x0",
    ];
    expect((await operations(...lines)).slice(1)).toEqual([
      "7 munmap 0x7f0000000000..0x7f0000003000",
      "7/8 mmap 0x7f0000000000..0x7f0000003000 none private anonymous",
    ]);
  });

  test("handle_mm_fault where the processor's event is not recorded", async () => {
    const fault = (flags: string) =>
      "7 handle_mm_fault: (handle_mm_fault+0x0/0x2a0) mm=0xffff vm_flags=0x75 " +
      `addr=0x7f0000000123 flags=${flags}`;
    const own = await operations(...MMAP, fault("0x1255"), fault("0x1254"), fault("0x10d5"));
    expect(own.slice(1)).toEqual([
      "7 touch 0x7f0000000000..0x7f0000001000 w",
      "7 touch 0x7f0000000000..0x7f0000001000 r",
    ]);
    const both = await operations(
      ...MMAP,
      "7 page_fault_user: address=0x7f0000000008 ip=0x4000 error_code=0x6",
      fault("0x1255"),
    );
    expect(both.length).toBe(2);
  });

  test("a fault that the mapping does not allow is a signal, and no use of the page", async () => {
    const lines = [
      "7 sys_mmap(addr: 0, len: 0x1000, prot: 0, flags: 0x22, fd: 0xffffffff, off: 0)",
      "7 sys_mmap -> 0x7f0000000000",
      "7 page_fault_user: address=0x7f0000000008 ip=0x4000 error_code=0x4",
    ];
    expect((await operations(...lines)).length).toBe(1);
  });
});

describe("mappings that nobody was seen to make", () => {
  const fault = (address: string) => `7 page_fault_user: address=${address} ip=0x4 error_code=0x6`;
  test("reach from the first to the last page that is used, near each other", async () => {
    const lines = [fault("0x7f0000005000"), fault("0x7f0000001000"), fault("0x7f9000001000")];
    expect(await operations(...lines)).toEqual([
      "7 mmap 0x7f0000001000..0x7f0000006000 rw private anonymous",
      "7 touch 0x7f0000005000..0x7f0000006000 w",
      "7 touch 0x7f0000001000..0x7f0000002000 w",
      "7 mmap 0x7f9000001000..0x7f9000002000 rw private anonymous",
      "7 touch 0x7f9000001000..0x7f9000002000 w",
    ]);
  });
  test("but not over what was mapped in between", async () => {
    const lines = [fault("0x7efffffff000"), ...MMAP, fault("0x7f0000003000")];
    expect((await operations(...lines)).filter((line) => line.includes("mmap"))).toEqual([
      "7 mmap 0x7efffffff000..0x7f0000000000 rw private anonymous",
      "7 mmap 0x7f0000000000..0x7f0000003000 rw private anonymous",
      "7 mmap 0x7f0000003000..0x7f0000004000 rw private anonymous",
    ]);
  });
  test("nor over a fork", async () => {
    const lines = [
      fault("0x7f0000001000"),
      "7 task_newtask: pid=8 comm=x clone_flags=1200000 oom_score_adj=0",
      fault("0x7f0000002000"),
    ];
    expect((await operations(...lines)).filter((line) => line.includes("mmap"))).toEqual([
      "7 mmap 0x7f0000001000..0x7f0000002000 rw private anonymous",
      "7 mmap 0x7f0000002000..0x7f0000003000 rw private anonymous",
    ]);
  });
});

describe("tasks", () => {
  test("a child, its program, its end; faults of loading are of the new program", async () => {
    const lines = [
      "7 sys_vfork()",
      "7 task_newtask: pid=8 comm=x clone_flags=4100 oom_score_adj=0",
      "8 sys_execve(filename: 0x5589, argv: 0x5589, envp: 0x5589)",
      "7 sys_vfork -> 0x8",
      "8 page_fault_kernel: address=0x556f0b131240 ip=elf_load error_code=0x2",
      "8 sched_process_exec: filename=/usr/bin/sh pid=8 old_pid=8",
      "8 sys_execve -> 0x0",
      "8 sched_process_exit: comm=sh pid=8 prio=120 group_dead=true",
      "8 page_fault_kernel: address=0x556f0b139240 ip=put_user error_code=0x2",
    ];
    expect(await operations(...lines)).toEqual([
      "8 exec",
      "8 mmap 0x556f0b131000..0x556f0b132000 rw private anonymous",
      "8 touch 0x556f0b131000..0x556f0b132000 w",
      "8 exit",
    ]);
  });
  test("where loading fails the old program goes on, and has the faults", async () => {
    const lines = [
      ...MMAP,
      "7 sys_execve(filename: 0x5589, argv: 0x5589, envp: 0x5589)",
      "7 page_fault_kernel: address=0x7f0000000240 ip=get_user error_code=0x0",
      "7 sys_execve -> 0xfffffffffffffffe",
    ];
    expect((await operations(...lines)).slice(1)).toEqual([
      "7 touch 0x7f0000000000..0x7f0000001000 r",
    ]);
  });
  test("a number that is used again is another process", async () => {
    const lines = [
      ...["7 sys_fork()", "7 sys_fork -> 0x8", "8 sched_process_exit: comm=x pid=8 prio=120"],
      ...["7 sys_fork()", "7 sys_fork -> 0x8", ...MMAP.map((line) => line.replace("7", "8"))],
    ];
    expect((await operations(...MMAP, ...lines)).slice(1)).toEqual([
      "7 fork 8",
      "8 exit",
      "7 fork 8",
      "8 munmap 0x7f0000000000..0x7f0000003000",
      "8 mmap 0x7f0000000000..0x7f0000003000 rw private anonymous",
    ]);
  });
  test("a child of vfork is in the same address space", async () => {
    const lines = [
      "7 sys_vfork()",
      "7 sched_process_fork: comm=x pid=7 child_comm=x child_pid=8",
      "8 sys_munmap(addr: 7f0000000000, len: 1000)",
      "8 sys_munmap -> 0x0",
      "7 sys_vfork -> 0x8",
    ];
    expect((await operations(...MMAP, ...lines)).slice(1)).toEqual([
      "7/8 munmap 0x7f0000000000..0x7f0000001000",
    ]);
  });
  test("clone's own flags, where sched_process_fork tells of the child", async () => {
    const fork = (flags: string) => [
      `7 sys_clone(clone_flags: ${flags}, newsp: 0)`,
      "7 sched_process_fork: comm=x pid=7 child_comm=x child_pid=8",
      "7 sys_clone -> 0x8",
      "8 sys_munmap(addr: 7f0000000000, len: 1000)",
      "8 sys_munmap -> 0x0",
    ];
    expect((await operations(...MMAP, ...fork("1200011"))).slice(1)).toEqual([
      "7 fork 8",
      "8 munmap 0x7f0000000000..0x7f0000001000",
    ]);
    expect((await operations(...MMAP, ...fork("0x3d0f00"))).slice(1)).toEqual([
      "7/8 munmap 0x7f0000000000..0x7f0000001000",
    ]);
  });
});

test("a call without arguments is left out, and said", async () => {
  const result = await read(trace(...MMAP, "7 sys_munmap()", "7 sys_munmap -> 0x0"));
  if (!("workload" in result)) throw new Error(JSON.stringify(result.diagnostics));
  expect([...result.workload.operations].length).toBe(1);
  expect(result.workload.assumptions.join()).toContain("a system call without its arguments");
});

test("mappings for DMA", async () => {
  const lines = [
    "7 map: IOMMU: iova=0x00000000fff7e000 - 0x00000000fff80000 paddr=0x0000000082614000 size=8192",
    "7 unmap: IOMMU: iova=0x00000000fff7e000 - 0x00000000fff80000 size=8192 unmapped_size=8192",
  ];
  expect(await operations(...lines)).toEqual([
    "7 dma_map 2 0xfff7e000",
    "7 dma_unmap 2 0xfff7e000",
  ]);
});

test("nonsense is refused where it stands", async () => {
  const result = await read(
    trace("7 sys_munmap(addr: 0x1000, len: 0xffffffffffffffff)", "7 sys_munmap -> 0x0"),
  );
  const [problem] = "diagnostics" in result ? result.diagnostics : [];
  expect(problem?.span.line).toBe(2);
  expect(problem?.source.slice(problem.span.offset, problem.span.end)).toContain("0xffffffff");
  expect("diagnostics" in (await read(""))).toBe(true);
});

test("no text makes the reader throw", async () => {
  const piece = fc.oneof(
    fc.constantFrom(
      ...MMAP,
      "7 sys_munmap(addr: 0x7f0000000000, len: 0x1000)",
      "7 sys_munmap -> 0x0",
    ),
    fc.constantFrom("7 task_newtask: pid=8 comm=x clone_flags=100", "8 sched_process_exit: pid=8"),
    fc.constantFrom("7 page_fault_user: address=0xffffffffffffffff error_code=0x6", "7 sys_fork()"),
    fc.constantFrom(
      "7 map: iova=0x1 size=4096",
      "7 sys_mremap(addr: 0x7f0000000000, old_len: 0x0)",
    ),
    fc.constantFrom(
      "7 sys_mremap -> 0x1000",
      "7 sys_execve()",
      "7 sys_execve -> 0x0",
      "7 sys_brk -> 9",
    ),
    fc.string().map((text) => `7 ${text}`),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (lines) => {
      const result = await read(trace(...lines));
      if ("workload" in result) for (const one of result.workload.operations) shown(one);
    }),
    { numRuns: 200 },
  );
});
