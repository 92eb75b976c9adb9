// SPDX-License-Identifier: Apache-2.0
// What cost counts, against the event logs of those who run the same routines in another way: one
// live machine with the whole address space, and the packed executor of the checker.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { runScenario } from "../packages/shootdown/src/api/run.ts";
import { Counter } from "../packages/shootdown/src/cost/counter.ts";
import type { Act } from "../packages/shootdown/src/cost/course.ts";
import { Driver } from "../packages/shootdown/src/cost/driver.ts";
import { actsOf, tlbiFeatures } from "../packages/shootdown/src/cost/log.ts";
import { PAGE } from "../packages/shootdown/src/cost/page.ts";
import type { Routine } from "../packages/shootdown/src/cost/runner.ts";
import { Runner } from "../packages/shootdown/src/cost/runner.ts";
import type { Call } from "../packages/shootdown/src/cost/workload.ts";
import type { TlbiFeatures } from "../packages/shootdown/src/kernel/arch/arm64/asm/tlbi-ranges.ts";
import { do_madvise } from "../packages/shootdown/src/kernel/mm/madvise.ts";
import { entries_protnone, VM_WRITE, vma } from "../packages/shootdown/src/kernel/state.ts";
import type { LiveMachine } from "../packages/shootdown/src/live/live.ts";
import { LiveMachine as Machine } from "../packages/shootdown/src/live/live.ts";
import type { Process } from "../packages/shootdown/src/live/options.ts";
import type { Task } from "../packages/shootdown/src/live/task.ts";
import { pmd } from "../packages/shootdown/src/vocabulary/state.ts";

const BYTES = 4096;
const PAGES = 512;
const KERNELS = ["linux-6.1", "linux-6.6", "linux-6.12"];
/** The pages of a test lie at the end of one table and the start of the next. */
const FIRST = 4 * PAGES - 12;
const COUNT = 24;

/** Acts by page number, steps left out; what is asked of the machine. */
const placed = (acts: readonly Act[], base: number): string[] =>
  acts
    .filter((a) => a.act !== "steps")
    .map((a) => {
      if (!("lo" in a) || a.hi === Infinity || a.hi === a.lo) return JSON.stringify(a);
      return JSON.stringify({ ...a, lo: a.lo + base, hi: a.hi + base });
    })
    // Stores of one bulk group, or of several: as many.
    .filter((text) => !text.includes('"pte"'));

/** One machine on which every operation happens where the workload has it. */
class Whole {
  private readonly live: LiveMachine;
  private readonly process: Process;

  private readonly cpus: number;
  private readonly tlbi: TlbiFeatures;

  constructor(machine: string, kernel: string) {
    // More of them hear the broadcasts of arm64 than on the machine that courses are run on.
    this.cpus = machine === "x86" ? 1 : 4;
    this.tlbi = tlbiFeatures(machine, kernel);
    this.live = new Machine(
      { machine, kernel, cpus: this.cpus, knobs: { hafdbs: "yes" } },
      { initial: [{ field: entries_protnone.decl, index: [], value: 1 }], observers: [] },
    );
    this.process = this.live.process("A");
    this.live.runOn(0, this.process);
    if (machine.includes("smmuv3")) this.live.device("D", this.process);
  }

  step(call: Call): string[] {
    const { live, process } = this;
    const { mm } = process;
    if (call.call === "mmap") {
      const [lo, hi] = [call.span.start / BYTES, call.span.end / BYTES];
      live.fill(vma.decl, [mm, lo], hi - lo, 1);
      live.fill(VM_WRITE.decl, [mm, lo], hi - lo, call.writable ? 1 : 0);
      return [];
    }
    return this.tasks(call).flatMap((make) => {
      live.takeLog();
      const task = make();
      live.finish(task);
      live.evictAll();
      return placed(
        actsOf(
          live.takeLog().map((entry) => ({ entry, steps: 0 })),
          { base: 0, cpus: this.cpus, tlbi: this.tlbi },
        ),
        0,
      );
    });
  }

  private tasks(call: Call): (() => Task)[] {
    const { live, process } = this;
    if (call.call === "touch") {
      const pages: (() => Task)[] = [];
      for (let at = call.span.start; at < call.span.end; at += BYTES) {
        const page = at / BYTES;
        if (live.get(vma.decl, [process.mm, page]) === 0) continue;
        if (call.write && live.get(VM_WRITE.decl, [process.mm, page]) === 0) continue;
        const region = Math.floor(page / PAGES);
        pages.push(() => {
          if (live.get(pmd.decl, [process.mm, region]) === 0) live.newTable(process.mm, region);
          return call.write ? live.store(0, process, at) : live.load(0, process, at);
        });
      }
      return pages;
    }
    const { start, end } = (call as { span: { start: number; end: number } }).span;
    const range = { lo: start / BYTES, hi: end / BYTES };
    // do_vmi_munmap() goes back at once where there is no vma; madvise() goes from one to the next.
    const vmas = this.vmas(range.lo, range.hi);
    if (call.call === "munmap") {
      return vmas.length > 0 ? [() => live.munmap(0, process, start, end - start)] : [];
    }
    if (call.call === "mprotect") {
      const to = call.writable ? "read-write" : "read-only";
      return [() => live.mprotect(0, process, start, end - start, to)];
    }
    return vmas.map((part) => () => {
      const args = { cpu: 0, mm: process.mm, range: part, behavior: 0 };
      return live.start("madvise", do_madvise, args);
    });
  }

  private vmas(lo: number, hi: number): { lo: number; hi: number }[] {
    const runs = this.live.runs(vma.decl, [this.process.mm, lo], hi - lo);
    return runs.map((r) => ({ lo: r.start, hi: r.end }));
  }
}

const span = fc.tuple(fc.nat(COUNT - 1), fc.integer({ min: 1, max: COUNT })).map(([at, length]) => {
  const lo = FIRST + at;
  const hi = Math.min(lo + length, FIRST + COUNT);
  return { start: lo * BYTES, end: hi * BYTES };
});
const plain = { accessible: true, shared: false, file: false, populate: false };
const anyCall: fc.Arbitrary<Call> = fc.oneof(
  span.map((s): Call => ({ call: "mmap", span: s, writable: true, ...plain })),
  span.map((s): Call => ({ call: "munmap", span: s })),
  span.map((s): Call => ({ call: "madvise", span: s, advice: "MADV_DONTNEED" })),
  fc.tuple(span, fc.boolean()).map(([s, write]): Call => ({ call: "touch", span: s, write })),
);

describe.each([
  ["arm64", 10],
  ["arm64+smmuv3+ats", 10],
  ["x86", 10],
] as const)("%s", (machine, runs) => {
  test.each(KERNELS)("a workload on %s asks what one machine with all of it asks", (kernel) => {
    const runner = new Runner({
      ...{ machine, kernel, knobs: { hafdbs: "yes" } },
      devices: machine.includes("smmuv3") ? 1 : 0,
    });
    let compared = 0;
    fc.assert(
      fc.property(fc.array(anyCall, { minLength: 6, maxLength: 16 }), (calls) => {
        const whole = new Whole(machine, kernel);
        let acts: string[] = [];
        const driver = new Driver(runner, (course, base, repeat) => {
          for (let n = 0; n < repeat; n++) acts.push(...placed(course.acts, base + n));
        });
        for (const [n, call] of calls.entries()) {
          // What overlaps something is unmapped first, by a call of its own.
          const parts: Call[] =
            call.call === "mmap" ? [{ call: "munmap", span: call.span }, call] : [call];
          for (const part of parts) {
            acts = [];
            driver.step({ at_ns: n, tid: 1, pid: 1, call: part, line: 0 });
            expect(acts).toEqual(whole.step(part));
            if (acts.length > 0) compared++;
          }
        }
      }),
      { numRuns: runs, seed: 5 },
    );
    expect(compared).toBeGreaterThan(10);
  });
});

const RW = PAGE.valid | PAGE.AF | PAGE.DBM | PAGE.DIRTY | PAGE.vma | PAGE.VM_WRITE | PAGE.exclusive;
const RO = PAGE.valid | PAGE.AF | PAGE.RDONLY | PAGE.vma | PAGE.VM_WRITE | PAGE.exclusive;

/** Statement of a scenario, routine, and the page that it is about. */
const SAME: readonly (readonly [string, Routine, number, string])[] = [
  ["munmap x;", "munmap", RW, "map A:x -> P;"],
  ["mprotect x read-only;", "mprotect ro", RW, "map A:x -> P;"],
  ["mprotect x none;", "mprotect none", RW, "map A:x -> P;"],
  ["madvise x DONTNEED;", "madvise DONTNEED", RW, "map A:x -> P;"],
  ["store x;", "write", RO, "map A:x -> P read-only exclusive; vma A:x writable;"],
  ["fork;", "fork", RW, "map A:x -> P;"],
];
const COUNTED = ["tlbi", "dsb", "notifier", "cmdq"];

describe.each(KERNELS)("the checker's executor on %s", (kernel) => {
  test.each(SAME)("%s", (statement, routine, code, map) => {
    const text = `MM same
(*
 * A page is changed by one operation.
 *
 * Result: Never machine=arm64+smmuv3+ats kernel=${kernel}
 *)
{ mm A; page P; ${map} device D in A; }
CPU0(A) { ${statement} }
D { load x; }
exists (stuck(D))
`;
    const opened = runScenario(text, { set: { hafdbs: "no" } });
    if (!opened.ok) throw new Error(JSON.stringify(opened.problems));
    const theirs = opened.report.events.filter((e) => COUNTED.includes(e.event));
    const runner = new Runner({
      ...{ machine: "arm64+smmuv3+ats", kernel, knobs: { hafdbs: "no" }, devices: 1 },
    });
    const local = { length: 1, offset: 0, before: false, behind: false };
    const pieces = [{ lo: 0, hi: 1, code, frame: 0 }];
    const { course } = runner.run(
      routine,
      { bound: true, cpus: 1 },
      { ...local, pieces, tables: [{ start: 0, end: 1 }] },
    );
    const number = (name: string) => theirs.filter((e) => e.event === name).length;
    const mine = course.acts;
    expect(mine.filter((a) => a.act === "tlbi").length).toBe(number("tlbi"));
    expect(mine.filter((a) => a.act === "dsb").length).toBe(number("dsb"));
    expect(mine.filter((a) => a.act === "notifier").length).toBe(number("notifier"));
    // A list is its command and its CMD_SYNC.
    expect(2 * mine.filter((a) => a.act === "cmdlist").length).toBe(number("cmdq"));
  });
});

test("x86 clears entries in bulk: what a locked instruction waits for stays away", () => {
  const runner = new Runner({ machine: "x86", kernel: "linux-6.12", devices: 0, cpus: 3 });
  const local = { length: 40, offset: 1, before: true, behind: false };
  const pieces = [{ lo: 0, hi: 40, code: RW, frame: 0 }];
  const { course } = runner.run(
    "munmap",
    { bound: false, cpus: 3 },
    { ...local, pieces, tables: [{ start: 0, end: 1 }] },
  );
  expect(course.acts.filter((a) => a.act === "pte")).toEqual([{ act: "pte", n: 40 }]);
  // Above the ceiling of 33 pages all is flushed, on the CPU itself and on the two others.
  expect(course.acts.filter((a) => a.act === "ipi").length).toBe(2);
  const flushes = course.acts.filter((a) => a.act === "flush");
  expect(flushes.map((a) => a.own)).toEqual([true, false, false]);
  expect(flushes.every((a) => a.hi === Infinity)).toBe(true);
});

/** The acts of each call, in order, on a machine with `devices` devices. */
function actsOn(kernel: string, devices: number, calls: readonly (readonly [number, Call])[]) {
  const runner = new Runner({
    ...{ machine: "arm64+smmuv3+ats", kernel, knobs: { hafdbs: "yes" }, devices },
  });
  let acts: Act[] = [];
  const driver = new Driver(runner, (course) => void acts.push(...course.acts));
  return calls.map(([pid, call], n) => {
    acts = [];
    driver.step({ at_ns: n, tid: pid, pid, call, line: 0 });
    return acts;
  });
}

const one = { start: 4096 * 4096, end: 4097 * 4096 };
const write: Call = { call: "touch", span: one, write: true };
const has = (acts: readonly Act[], what: Act["act"]) => acts.some((a) => a.act === what);

test("a page that somebody else has is copied, and one that is left alone is used again", () => {
  const mmap: Call = { call: "mmap", span: one, writable: true, ...plain };
  const calls = [
    ...[mmap, write, { call: "fork", child: 2 } as const, write].map((c) => [1, c] as const),
    ...[write].map((c) => [2, c] as const),
  ];
  const [, first, fork, copied, reused] = actsOn("linux-6.1", 1, calls);
  expect([has(first!, "fault"), has(first!, "tlbi")]).toEqual([true, false]);
  expect(has(fork!, "tlbi")).toBe(true);
  // ptep_clear_flush_notify() tells; ptep_set_access_flags() of 6.1 does not: the bug.
  expect([has(copied!, "tlbi"), has(copied!, "notifier")]).toEqual([true, true]);
  expect([has(reused!, "tlbi"), has(reused!, "notifier")]).toEqual([true, false]);
});

test("fork leaves shared mappings as they are", () => {
  const mmap: Call = { call: "mmap", span: one, writable: true, ...plain, shared: true };
  const calls = [mmap, write, { call: "fork", child: 2 } as const, write];
  const all = actsOn(
    "linux-6.12",
    1,
    calls.map((c) => [1, c] as const),
  );
  expect(has(all[1]!, "fault")).toBe(true);
  expect(all[3]).toEqual([]);
});

test("commands for several devices are one list for each SMMU that has some", () => {
  const mmap: Call = { call: "mmap", span: one, writable: true, ...plain };
  const munmap: Call = { call: "munmap", span: one };
  const [, , acts] = actsOn(
    "linux-6.12",
    2,
    [mmap, write, munmap].map((c) => [1, c] as const),
  );
  const lists = acts!.filter((a) => a.act === "cmdlist" && a.op === "CMD_ATC_INV");
  expect(lists.map((a) => a.act === "cmdlist" && a.devices)).toEqual([2, 2]);
  const counter = new Counter({ rangeCommands: false, smmus: 4, atcSpan: "covering" });
  counter.add({ acts: acts!, steps: 0 }, 4096, 1, 1);
  // Of the page and of its table: TLBI and SYNC on four SMMUs, ATC_INV behind two of them.
  expect(counter.counts.cmd_sync).toBe(2 * (4 + 2));
  expect(counter.counts.atc_inv).toBe(2 * 2);
});

test("a device of the first process is not one of whoever comes after it", () => {
  const mmap: Call = { call: "mmap", span: one, writable: true, ...plain };
  const munmap: Call = { call: "munmap", span: one };
  const life = [mmap, write, munmap, { call: "exit" } as const];
  const all = actsOn("linux-6.12", 1, [
    ...life.map((c) => [1, c] as const),
    ...life.map((c) => [2, c] as const),
  ]);
  expect([has(all[2]!, "cmdlist"), has(all[6]!, "tlbi")]).toEqual([true, true]);
  expect(has(all[6]!, "cmdlist")).toBe(false);
});
