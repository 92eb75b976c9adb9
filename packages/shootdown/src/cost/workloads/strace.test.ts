// SPDX-License-Identifier: Apache-2.0
// strace text: what becomes of each kind of line, in which order, and what is refused where.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDiagnostic } from "../../base/diagnostic.ts";
import { bytesOf } from "../../trace/importers/bytes.ts";
import type { ReadOptions } from "./input.ts";
import { readStrace } from "./strace.ts";
import { shown } from "./text.ts";

const none: ReadOptions = { populated: "none" };

async function read(text: string, options = none) {
  return readStrace("x.txt", bytesOf(text), options);
}

/** The operations in the words of the text format, without times. */
async function operations(text: string, options = none): Promise<string[]> {
  const result = await read(text, options);
  if (!("workload" in result)) {
    throw new Error(result.diagnostics.map((d) => formatDiagnostic(d, d.source)).join("\n"));
  }
  return [...result.workload.operations].map(shown);
}

async function problems(text: string): Promise<string[]> {
  const result = await read(text);
  if ("workload" in result) return [];
  return result.diagnostics.map(({ code, span, message, source }) => {
    return `${code} ${span.line}:${span.col} ${source.slice(span.offset, span.end)}: ${message}`;
  });
}

/** Lines of one process that was seen from its exec on. */
const body = (...lines: string[]): string =>
  ['7 100.000001 execve("/bin/x", ["x"], 0x7ffd /* 3 vars */) = 0 <0.001>']
    .concat(lines.map((line, i) => `7 100.${String(i + 2).padStart(6, "0")} ${line}`))
    .join("\n");

const MMAP = "mmap(NULL, 8000, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0)";

describe("calls", () => {
  test("mmap by its result, length rounded up; file, shared, PROT_NONE, populated", async () => {
    const text = body(
      `${MMAP} = 0x10000 <0.000007>`,
      "mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3</a, b)>, 0x1000) = 0x20000",
      "mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = 0x30000",
      "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_SHARED|MAP_ANONYMOUS|MAP_POPULATE, " +
        "-1, 0) = 0x40000",
      "mmap(0x50000, 2097152, PROT_READ, " +
        "MAP_PRIVATE|MAP_ANONYMOUS|MAP_HUGETLB|21<<MAP_HUGE_SHIFT, -1, 0) = 0x50000",
    );
    expect(await operations(text)).toEqual([
      "7 exec",
      "7 mmap 0x10000..0x12000 rw private anonymous",
      "7 mmap 0x20000..0x21000 r shared file",
      "7 mmap 0x30000..0x31000 none private anonymous",
      "7 mmap 0x40000..0x41000 rw shared anonymous populate",
      "7 mmap 0x50000..0x250000 r private anonymous",
    ]);
  });

  test("numbers in place of names, as -X raw writes them", async () => {
    const text = body(
      "mmap(NULL, 0x2000, 0x3, 0x22 /* MAP_PRIVATE|MAP_ANONYMOUS */, 0xffffffff, 0) = 0x10000",
      "munmap(0x10000, 0x1000) = 0",
    );
    expect((await operations(text)).slice(1)).toEqual([
      "7 mmap 0x10000..0x12000 rw private anonymous",
      "7 munmap 0x10000..0x11000",
    ]);
  });

  test("MAP_FIXED gives back what was there", async () => {
    const text = body(
      `${MMAP} = 0x10000`,
      "mmap(0x11000, 4096, PROT_READ, MAP_PRIVATE|MAP_FIXED, 3, 0) = 0x11000",
      "mmap(0x20000, 4096, PROT_READ, MAP_PRIVATE|MAP_FIXED_NOREPLACE|MAP_ANONYMOUS, " +
        "-1, 0) = 0x20000",
    );
    expect((await operations(text)).slice(2)).toEqual([
      "7 munmap 0x11000..0x12000",
      "7 mmap 0x11000..0x12000 r private file",
      "7 mmap 0x20000..0x21000 r private anonymous",
    ]);
  });

  test("mprotect, pkey_mprotect, madvise; advice that changes no entry is counted", async () => {
    const text = body(
      `${MMAP} = 0x10000`,
      "mprotect(0x10000, 4096, PROT_READ) = 0",
      "pkey_mprotect(0x10000, 4096, PROT_NONE, 1) = 0",
      "madvise(0x10000, 8192, MADV_DONTNEED) = 0",
      "madvise(0x10000, 8192, MADV_DONTNEED_LOCKED) = 0",
      "madvise(0x10000, 8192, MADV_HUGEPAGE) = 0",
      "madvise(0x10000, 8192, MADV_POPULATE_WRITE) = 0",
    );
    expect((await operations(text)).slice(2)).toEqual([
      "7 mprotect 0x10000..0x11000 r",
      "7 mprotect 0x10000..0x11000 none",
      "7 madvise 0x10000..0x12000 MADV_DONTNEED",
      "7 madvise 0x10000..0x12000 MADV_DONTNEED",
      "7 touch 0x10000..0x12000 w",
    ]);
    const result = await read(text);
    expect("workload" in result && result.workload.assumptions.join("\n")).toContain(
      "1 call of madvise that changes no entry",
    );
  });

  test("mremap moves, grows, shrinks, duplicates; MREMAP_DONTUNMAP leaves a mapping", async () => {
    const text = body(
      `${MMAP} = 0x10000`,
      "mremap(0x10000, 8192, 12288, MREMAP_MAYMOVE) = 0x10000",
      "mremap(0x10000, 12288, 4096, 0) = 0x10000",
      "mremap(0x10000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_FIXED, 0x20000) = 0x20000",
      "mremap(0x20000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_DONTUNMAP) = 0x30000",
    );
    expect((await operations(text)).slice(2)).toEqual([
      "7 mremap 0x10000..0x12000 0x10000..0x13000",
      "7 mremap 0x10000..0x13000 0x10000..0x11000",
      "7 mremap 0x10000..0x11000 0x20000..0x21000",
      "7 mremap 0x20000..0x21000 0x30000..0x31000",
      "7 mmap 0x20000..0x21000 rw private anonymous",
    ]);
  });

  test("brk grows and shrinks; one that failed says where the break is", async () => {
    const text = body(
      "brk(NULL) = 0x5000800",
      "brk(0x5003000) = 0x5003000",
      "brk(0x99999000) = 0x5003000",
      "brk(0x5001000) = 0x5001000",
    );
    expect((await operations(text)).slice(1)).toEqual([
      "7 mmap 0x5001000..0x5003000 rw private anonymous",
      "7 munmap 0x5001000..0x5003000",
    ]);
  });

  test("failed calls are no operations", async () => {
    const text = body(
      "munmap(0x1, 4096) = -1 EINVAL (Invalid argument) <0.000004>",
      "mmap(NULL, 18446744073709551615, PROT_READ, MAP_PRIVATE, 3, 0) = -1 ENOMEM " +
        "(Cannot allocate)",
      "mprotect(0x1000, 4096, PROT_READ) = ? ERESTARTSYS",
    );
    expect(await operations(text)).toEqual(["7 exec"]);
  });
});

describe("tasks", () => {
  test("threads share the address space of their process, children have their own", async () => {
    const text = body(
      `${MMAP} = 0x10000`,
      "clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD, stack=0x7f, stack_size=0x7} => " +
        "{parent_tid=[8]}, 88) = 8",
      "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f) = 9",
      "vfork() = 10",
      "exit_group(0) = ?",
    );
    const more = [
      "8 100.1 munmap(0x10000, 4096) = 0",
      "9 100.2 munmap(0x11000, 4096) = 0",
      "9 100.3 exit_group(0) = ?",
      "9 100.3 +++ exited with 0 +++",
      "10 100.4 +++ exited with 0 +++",
    ].join("\n");
    const lines = text.split("\n");
    const ordered = [...lines.slice(0, -1), more, ...lines.slice(-1)].join("\n");
    expect((await operations(ordered)).slice(2)).toEqual([
      "7 fork 9",
      "7/8 munmap 0x10000..0x11000",
      "9 munmap 0x11000..0x12000",
      "9 exit",
      "7 exit",
    ]);
  });

  test("a child of CLONE_VM has its own space from its execve on", async () => {
    const text = body(
      "clone(child_stack=0x7f, flags=CLONE_VM|CLONE_VFORK|SIGCHLD <unfinished ...>",
      `${MMAP} = 0x10000`,
    ).replace("7 100.000003", "8 100.000003");
    const more =
      '\n8 100.1 execve("/x", [], 0x7 /* 0 vars */ <unfinished ...>\n7 100.2 <... ' +
      "clone resumed>) = 8\n8 100.3 <... execve resumed>) = 0\n8 100.4 +++ killed by " +
      "SIGKILL +++";
    expect((await operations(text + more)).slice(1)).toEqual([
      "7/8 mmap 0x10000..0x12000 rw private anonymous",
      "8 exec",
      "8 exit",
    ]);
  });

  test("what gives back stands where it begins, what gets where it ends", async () => {
    const text = body(`${MMAP} = 0x10000`);
    const more = [
      "7 100.10 clone(child_stack=0x7f, flags=CLONE_VM|CLONE_THREAD) = 8",
      "8 100.11 mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0 <unfinished ...>",
      "7 100.12 munmap(0x10000, 8192 <unfinished ...>",
      "8 100.13 <... mmap resumed>) = 0x10000 <0.02>",
      "7 100.14 --- SIGCHLD {si_signo=SIGCHLD} ---",
      "7 100.15 <... munmap resumed>) = 0 <0.03>",
    ].join("\n");
    expect((await operations(`${text}\n${more}`)).slice(2)).toEqual([
      "7 munmap 0x10000..0x12000",
      "7/8 mmap 0x10000..0x12000 none private anonymous",
    ]);
  });

  test("numbers in brackets, and none for a process alone", async () => {
    const text = [
      'execve("/bin/x", ["x"], 0x7ffd /* 3 vars */) = 0',
      `${MMAP} = 0x10000`,
      "clone(child_stack=NULL, flags=SIGCHLDstrace: Process 24728 attached",
      ", child_tidptr=0x7ff1db117a10) = 24728 <0.000113>",
      "[pid 24726] munmap(0x10000, 4096) = 0",
      "[pid 24728] munmap(0x10000, 8192) = 0",
      "[pid 24728] +++ exited with 0 +++",
      "munmap(0x11000, 4096) = 0",
      "+++ exited with 0 +++",
    ].join("\n");
    expect((await operations(text)).slice(2)).toEqual([
      "1 fork 24728",
      "1 munmap 0x10000..0x11000",
      "24728 munmap 0x10000..0x12000",
      "24728 exit",
      "1 munmap 0x11000..0x12000",
      "1 exit",
    ]);
  });

  test("without process calls, a task that asks for its break is a program", async () => {
    const text = [
      "5 1.0 brk(NULL) = 0x1000000",
      `5 1.1 ${MMAP} = 0x10000`,
      "6 1.2 brk(NULL) = 0x2000000",
      `6 1.3 ${MMAP} = 0x10000`,
      "7 1.4 munmap(0x10000, 4096) = 0",
    ].join("\n");
    expect(await operations(text)).toEqual([
      "5 exec",
      "5 mmap 0x10000..0x12000 rw private anonymous",
      "6 exec",
      "6 mmap 0x10000..0x12000 rw private anonymous",
      "5/7 munmap 0x10000..0x11000",
    ]);
  });
});

describe("times", () => {
  test("nanoseconds since the first line, in order", async () => {
    const text =
      "7 1700000000.000001500 brk(NULL) = 0x1000\n7 1700000001.5 brk(0x5000) = " +
      "0x5000\n7 1700000001.4 brk(0x6000) = 0x6000";
    const result = await read(text);
    expect("workload" in result && [...result.workload.operations].map((o) => o.at_ns)).toEqual([
      0, 1499998500, 1499998500,
    ]);
  });
  test("times of a day go on over midnight", async () => {
    const text = "7 23:59:59.5 brk(NULL) = 0x1000\n7 00:00:00.25 brk(0x5000) = 0x5000";
    const result = await read(text);
    expect("workload" in result && [...result.workload.operations][1]?.at_ns).toBe(0.75e9);
  });
});

describe("pages in use, where nothing shows them", () => {
  const text = body(
    `${MMAP} = 0x10000`,
    "mmap(NULL, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, " +
      "-1, 0) = 0x20000",
    "mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x30000",
    "mprotect(0x30000, 4096, PROT_READ) = 0",
    "madvise(0x10000, 4096, MADV_DONTNEED) = 0",
  );
  const touches = async (populated: "all" | "touched" | "none") =>
    (await operations(text, { populated })).filter((line) => line.includes("touch"));
  test("all", async () => {
    expect(await touches("all")).toEqual([
      "7 touch 0x10000..0x12000 w",
      "7 touch 0x30000..0x31000 r",
    ]);
  });
  test("touched", async () => {
    expect(await touches("touched")).toEqual(["7 touch 0x10000..0x11000 w"]);
  });
  test("none", async () => expect(await touches("none")).toEqual([]));
  test("the assumption is said", async () => {
    for (const populated of ["all", "touched", "none"] as const) {
      const result = await read(text, { populated });
      expect("workload" in result && result.workload.assumptions[0]).toContain("page faults");
    }
  });
});

test("all: what becomes writable is written, what grows is used", async () => {
  const text = body(
    "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = 0x10000",
    "mprotect(0x10000, 4096, PROT_READ|PROT_WRITE) = 0",
    "mprotect(0x10000, 4096, PROT_READ) = 0",
    "mremap(0x10000, 4096, 12288, MREMAP_MAYMOVE) = 0x20000",
  );
  expect((await operations(text, { populated: "all" })).slice(1)).toEqual([
    "7 mmap 0x10000..0x11000 r private file",
    "7 touch 0x10000..0x11000 r",
    "7 mprotect 0x10000..0x11000 rw",
    "7 touch 0x10000..0x11000 w",
    "7 mprotect 0x10000..0x11000 r",
    "7 mremap 0x10000..0x11000 0x20000..0x23000",
    "7 touch 0x21000..0x23000 r",
  ]);
});

test("a program that was not seen to begin had mapped what it gives back", async () => {
  expect(await operations("7 1.0 munmap(0x10000, 4096) = 0")).toEqual([
    "7 mmap 0x10000..0x11000 rw private anonymous",
    "7 munmap 0x10000..0x11000",
  ]);
});

test("a call that is never heard of again holds nothing up", async () => {
  const text = `${body(`${MMAP} = 0x10000`)}
8 100.1 munmap(0x10000, 4096 <unfinished ...>
8 100.2 +++ killed by SIGKILL +++
7 100.3 munmap(0x11000, 4096) = 0`;
  expect((await operations(text)).at(-1)).toBe("7 munmap 0x11000..0x12000");
});

describe("nonsense is refused where it stands", () => {
  const cases: readonly (readonly [string, string])[] = [
    [
      "munmap(0x10000, 18446744073709551615) = 0",
      "I001 2:26 18446744073709551615: a length of more than 2^48 bytes",
    ],
    ["munmap(0x10000, 0) = 0", "I001 2:26 0: a length of nothing"],
    ["munmap(0x10001, 4096) = 0", "I001 2:17 0x10001: an address that is no multiple of 4096"],
    [
      "munmap(0xffffffffff000, 4096) = 0",
      "I001 2:17 0xffffffffff000: an address that is not below 2^48",
    ],
    ["munmap(0xfffffffff000, 8192) = 0", "I001 2:33 8192: a range that ends behind 2^48"],
    ["munmap(zzz, 4096) = 0", "I001 2:17 zzz: not an argument of this call"],
    ["munmap(0x1000, -4096) = 0", "I001 2:25 -4096: not an argument of this call"],
    ["munmap(0x1000) = 0", "I002 2:10 munmap(0x1000) = 0: munmap has 2 arguments"],
    ["munmap(0x1000, 4096", "I002 2:10 munmap(0x1000, 4096: a system call without its end"],
    ["munmap(0x1000, 4096)", "I002 2:10 munmap(0x1000, 4096): a system call without its result"],
    [
      "mprotect(0x1000, 4096, PROT_NONSENSE?) = 0",
      "I001 2:33 PROT_NONSENSE?: not an argument of this call",
    ],
    [
      "mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 3, 0) = 0x10001",
      "I001 2:59 0x10001: an address that is no multiple of 4096",
    ],
  ];
  test.each(cases)("%s", async (line, problem) => {
    const text = `7 100.00 brk(NULL) = 0x1000000\n7 100.01 ${line}`;
    expect(await problems(text)).toEqual([problem]);
  });

  test("a mapping where another one is", async () => {
    const text = body(`${MMAP} = 0x10000`, `${MMAP} = 0x11000`);
    const [problem] = await problems(text);
    expect(problem).toContain("I003 3:");
    expect(problem).toContain("0x11000: the mapping overlaps the one at 0x10000..0x12000");
  });

  test("the same where the beginning was not seen, but not of tasks of unknown kind", async () => {
    const lines = [`7 1.0 ${MMAP} = 0x10000`, `7 1.1 ${MMAP} = 0x11000`];
    expect((await problems(lines.join("\n")))[0]).toContain("I003 2:");
    const other = lines.join("\n").replace("7 1.1", "8 1.1");
    expect(await problems(other)).toEqual([]);
  });

  test("an empty one, and one of other text", async () => {
    expect((await problems(""))[0]).toContain("I004 1:1 : an empty workload");
    expect((await problems('# hello\n7 1.0 read(3, "", 1) = 0'))[0]).toContain(
      "line 1 is not a line",
    );
  });

  test("at most twenty are said", async () => {
    expect((await problems(body(...Array(99).fill("munmap(0x1, 1) = 0")))).length).toBe(20);
  });
});

test("lines that are none of strace are counted and said", async () => {
  const result = await read(
    `7 1.0 brk(NULL) = 0x1000\nwhat is this?\n7 1.0 read(3, "munmap(", 1) = 0`,
  );
  expect("workload" in result && result.workload.assumptions).toContain(
    "1 line is left out, the first is line 2: not a line of this format",
  );
});

test("no text makes the reader throw", async () => {
  const pieces = fc.oneof(
    fc.constantFrom(...'()[]{}<>,|="/*-+ \n'),
    fc.constantFrom(
      "7 1.5 ",
      "[pid 8] ",
      "mmap(",
      "munmap(",
      "mremap(",
      "brk(",
      "madvise(",
      "NULL",
    ),
    fc.constantFrom(" = 0", " = 0x10000", " <unfinished ...>", "<... mmap resumed>", "MAP_FIXED"),
    fc.constantFrom(
      "PROT_READ",
      "-1",
      "4096",
      "0x10000",
      "18446744073709551616",
      "clone(",
      "fork()",
    ),
    fc.constantFrom(
      "execve(",
      "exit_group(0)",
      "+++ exited with 0 +++",
      "strace: Process 8 attached",
    ),
    fc.string(),
  );
  const text = fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(""));
  await fc.assert(
    fc.asyncProperty(text, fc.constantFrom("all", "touched", "none"), async (input, populated) => {
      const result = await read(input, { populated });
      if ("workload" in result) for (const one of result.workload.operations) shown(one);
      else for (const one of result.diagnostics) formatDiagnostic(one, one.source);
    }),
    { numRuns: 300 },
  );
});
