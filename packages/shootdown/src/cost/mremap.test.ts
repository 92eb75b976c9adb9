// SPDX-License-Identifier: Apache-2.0
// mremap(): what move_vma() and move_page_tables() ask for, by reading mm/mremap.c of 6.1 and 6.12.

import { expect, test } from "vitest";
import type { Act } from "./course.ts";
import { Driver } from "./driver.ts";
import { Runner } from "./runner.ts";
import type { Call } from "./workload.ts";

const BYTES = 4096;
const pages = (lo: number, hi: number) => {
  return { start: (2 ** 18 + lo) * BYTES, end: (2 ** 18 + hi) * BYTES };
};
const mmap = (lo: number, hi: number): Call => ({
  ...({ call: "mmap", span: pages(lo, hi), writable: true, accessible: true } as const),
  ...{ shared: false, file: false, populate: true },
});
const mremap = (from: [number, number], to: [number, number]): Call => {
  return { call: "mremap", from: pages(...from), to: pages(...to) };
};
const munmap = (lo: number, hi: number): Call => ({ call: "munmap", span: pages(lo, hi) });

/** Of the last of the calls: TLBIs of the CPU, and calls of the notifier, by page. */
function asked(kernel: string, ...calls: readonly Call[]): string[] {
  let acts: string[] = [];
  const said = (act: Act, base: number) => {
    if (act.act !== "tlbi" && act.act !== "notifier") return;
    const from = base - 2 ** 18;
    const where = act.hi === Infinity ? "all" : `${from + act.lo}..${from + act.hi}`;
    acts.push(`${act.act} ${where}`);
  };
  const runner = new Runner({ machine: "arm64+smmuv3", kernel, devices: 1 });
  const driver = new Driver(runner, (course, base) => {
    for (const act of course.acts) said(act, base);
  });
  for (const call of calls) {
    acts = [];
    driver.step({ at_ns: 0, tid: 1, pid: 1, line: 0, call });
  }
  return acts;
}

test("to a free place nothing is unmapped; what is left is, and its table freed", () => {
  const calls = [mmap(5, 7), mremap([5, 7], [4099, 4101])];
  expect(asked("linux-6.12", ...calls)).toEqual([
    ...["tlbi 5..7", "notifier 5..7", "tlbi 0..512", "notifier 0..512"],
  ]);
  // At the end of the move, of the munmap, and with the table.
  expect(asked("linux-6.1", ...calls)).toEqual([
    ...["tlbi 5..7", "notifier 5..7", "notifier 5..7", "tlbi 0..512", "notifier 0..1"],
  ]);
});

test("extents are as long as one table of both places, and one end is told for all of them", () => {
  const calls = [mmap(0, 1024), mremap([0, 600], [4097, 4697])];
  const flushes = ["tlbi 0..511", "tlbi 511..512", "tlbi 512..600"];
  // The table of the pages from 512 on has neighbours, the other one none.
  expect(asked("linux-6.1", ...calls)).toEqual([
    ...[...flushes, "notifier 0..600", "notifier 0..600", "tlbi 0..512", "notifier 0..1"],
  ]);
  const told = flushes.flatMap((one) => [one, one.replace("tlbi", "notifier")]);
  expect(asked("linux-6.12", ...calls)).toEqual([...told, "tlbi 0..512", "notifier 0..512"]);
});

test("a whole table is moved as one, and where there is no table there is nothing to do", () => {
  const move = mremap([0, 512], [4096, 4608]);
  expect(asked("linux-6.12", mmap(0, 512), move)).toEqual(["tlbi all", "notifier all"]);
  const empty = { ...mmap(0, 512), populate: false } as Call;
  expect(asked("linux-6.12", empty, move)).toEqual([]);
  // Nor is a table made for it, which somebody would have to free.
  expect(asked("linux-6.12", empty, move, munmap(4096, 4608))).toEqual([]);
  expect(asked("linux-6.1", empty, move)).toEqual(["notifier 0..512", "notifier 0..512"]);
});

test("what was moved is there afterwards, and nothing where it was", () => {
  for (const to of [4096, 4099]) {
    const before = [mmap(0, 512), mremap([0, 512], [to, to + 512])];
    expect(asked("linux-6.12", ...before, munmap(0, 512))).toEqual([]);
    const flushed = asked("linux-6.12", ...before, munmap(to + 5, to + 7));
    expect(flushed).toEqual([`tlbi ${to + 5}..${to + 7}`, `notifier ${to + 5}..${to + 7}`]);
  }
});

test("a mapping in the way is unmapped first; one that shrinks loses its end", () => {
  const over = [mmap(0, 8), mmap(1030, 1038), mremap([0, 4], [1032, 1036])];
  expect(asked("linux-6.12", ...over)).toEqual([
    ...["tlbi 1032..1036", "notifier 1032..1036", "tlbi 0..4", "notifier 0..4"],
  ]);
  const shorter = [mmap(0, 8), mremap([0, 8], [0, 3])];
  expect(asked("linux-6.12", ...shorter)).toEqual(["tlbi 3..8", "notifier 3..8"]);
});
