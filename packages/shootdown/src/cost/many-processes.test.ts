// SPDX-License-Identifier: Apache-2.0
// More processes than a live machine holds come and go: a new machine takes over, and counts go on.

import { expect, test } from "vitest";
import { bytesOf } from "../trace/importers/bytes.ts";
import { Counter } from "./counter.ts";
import type { CountName } from "./course.ts";
import { Driver } from "./driver.ts";
import { PAGE } from "./page.ts";
import { type Routine, Runner } from "./runner.ts";
import { readText, TEXT_HEAD } from "./workloads/text.ts";

const lines = (children: number): string[] => {
  const made = ["0 7 mmap 0x10000..0x20000 rw private anonymous", "0 7 touch 0x10000..0x12000 w"];
  for (let i = 1; i <= children; i++) {
    const pid = 100 * i;
    made.push(`0 7 fork ${pid}`, `0 ${pid} exec`);
    // Of another size each, so that nothing of it is known.
    made.push(`0 ${pid} mmap 0x100000..0x${(0x100 + i).toString(16)}000 rw private anonymous`);
    made.push(`0 ${pid} touch 0x100000..0x101000 w`, `0 ${pid} fork ${pid + 1}`);
    made.push(`0 ${pid} touch 0x100000..0x101000 w`, `0 ${pid + 1} exit`, `0 ${pid} exit`);
  }
  return made;
};

async function count(children: number, name: CountName): Promise<number> {
  const text = `${TEXT_HEAD}\n${lines(children).join("\n")}\n`;
  const read = await readText("x", bytesOf(text));
  if (!("workload" in read)) throw new Error(JSON.stringify(read.diagnostics));
  const runner = new Runner({ machine: "arm64+smmuv3+ats", kernel: "linux-6.12", devices: 1 });
  const features = { rangeCommands: false, smmus: 1 } as const;
  const counter = new Counter({ ...features, atcSpan: "covering" });
  const driver = new Driver(runner, (course, base, repeat, { mapped }) => {
    counter.add(course, base, repeat, mapped);
  });
  for (const operation of read.workload.operations) driver.step(operation);
  return counter.counts[name];
}

test("each child costs what the one before it cost", { timeout: 60_000 }, async () => {
  for (const name of ["faults", "flushes"] as const) {
    const [few, more, most] = await Promise.all([3, 4, 20].map((n) => count(n, name)));
    expect(most! - more!).toBe(16 * (more! - few!));
  }
});

test("a run, and an exit too, leave the machine as it was", () => {
  const local = { length: 3, offset: 1, before: true, behind: false };
  const code = PAGE.valid | PAGE.AF | PAGE.DBM | PAGE.DIRTY | PAGE.vma | PAGE.VM_WRITE;
  const pieces = [{ lo: 0, hi: 3, code: code | PAGE.exclusive, frame: 0 }];
  const bound = { bound: true, cpus: 1 };
  const options = { machine: "arm64+smmuv3+ats", kernel: "linux-6.12", devices: 1 };
  const runner = new Runner({ ...options, memory: false });
  const run = (routine: Routine) =>
    runner.run(routine, bound, { ...local, pieces, tables: [{ start: 0, end: 1 }] });
  const before = [run("munmap"), run("fork"), run("exit")];
  expect([run("munmap"), run("fork"), run("exit")]).toEqual(before);
  const asks = before.map(({ course }) => course.acts.some((a) => a.act === "cmdlist"));
  expect(asks).toEqual([true, true, true]);
});
