// SPDX-License-Identifier: Apache-2.0
// Kernels and machines that go through a workload together come out as if each went alone.

import { expect, test } from "vitest";
import { compare, runnerOf, runSide, type Side } from "./compare.ts";
import { Counter } from "./counter.ts";
import { Drive } from "./drive.ts";
import { Driver } from "./driver.ts";
import type { Local } from "./local.ts";
import { CODES, PAGE } from "./page.ts";
import type { Profile } from "./profile.ts";
import { FIVE, profileNamed } from "./profiles.ts";
import { contextOf, type Runner, runKey } from "./runner.ts";
import { Team } from "./team.ts";
import type { Operation, Workload } from "./workload.ts";
import { openSynthetic } from "./workloads/synthetic.ts";

const KERNELS = ["linux-6.1", "linux-6.12"];

/** A made-up workload; a device uses some of what is touched. */
function made(name: string, devices: boolean): Workload {
  const opened = openSynthetic(name);
  if (!("workload" in opened)) throw new Error(JSON.stringify(opened.diagnostics));
  const operations: Operation[] = [];
  for (const operation of opened.workload.operations) {
    operations.push(operation);
    const { call } = operation;
    if (!devices || call.call !== "touch" || operations.length % 3 > 0) continue;
    operations.push({ ...operation, call: { ...call, call: "device", device: 0 } });
  }
  return { ...opened.workload, operations };
}

const asked = ({ kernel, profile, counts, timing, time, ...side }: Side) => ({
  ...{ kernel, profile: profile.name, counts, timing, time },
  ...{ refills: side.refills, skipped: [...side.skipped], operations: side.operations },
  all: side.ran + side.known,
});

/** Runners that differ from the first on a workload, by kernel and machine. */
function leaving(workload: Workload, kernels: readonly string[], profiles: readonly Profile[]) {
  const runners = profiles.flatMap((p) => kernels.map((k) => runnerOf(k, p)));
  const drive = new Drive(new Set(runners), 1, {});
  drive.run(workload);
  return runners.filter((r) => !drive.team.coursesOf(r)).map((r) => r.options.kernel);
}

test.each([
  ["synthetic:random,ops=1000,pages=2,seed=4", 2],
  ["synthetic:fork-cow,ops=600,pages=6,threads=3,processes=2", 0],
])("%s is for each what it is alone", { timeout: 60_000 }, (name, left) => {
  const workload = made(name, true);
  const profiles = [FIVE[1]!, FIVE[3]!];
  const options = { bound: "all" } as const;
  const together = [...compare(workload, KERNELS, profiles, options)].map(asked);
  const alone = profiles.flatMap((p) => KERNELS.map((k) => runSide(workload, k, p, options)));
  expect(together).toEqual(alone.map(asked));
  expect(together.some((side) => side.refills > 0)).toBe(true);
  // 6.12 makes a clean page writable where 6.1 leaves it to a fault: it begins anew.
  expect(leaving(workload, KERNELS, profiles).length).toBe(left);
});

/** Every choice of one of each. */
const product = <T>(...choices: readonly (readonly T[])[]): T[][] =>
  choices.reduce<T[][]>((all, some) => all.flatMap((a) => some.map((one) => [...a, one])), [[]]);

test("a short key and a long one know the same", () => {
  const after = { pages: [], tables: [] };
  const run = () => ({ course: { acts: [], steps: 0 }, after });
  const team = new Team(new Set([{ cpus: 64, options: {}, run } as unknown as Runner]));
  const numbers = new Map<string, number>();
  const lengths = [1, 2, 511, 2 ** 16 - 1, 2 ** 16 + 1];
  const codes = [0, PAGE.valid, PAGE.file, CODES - 1];
  const bits = [0, 1];
  const locals = product<number>(lengths, codes, bits, bits, bits, bits, [1, 2], bits);
  for (const [length, code, lo, less, before, behind, tables, offset] of locals) {
    const local: Local = {
      ...{ length: length!, offset: offset!, before: before === 1, behind: behind === 1 },
      pieces: [{ lo: lo!, hi: length! - less!, code: code!, frame: 0 }],
      tables: [{ start: 0, end: tables! }],
    };
    for (const routine of ["munmap", "exit"] as const) {
      for (const context of [1, 2, 64, 65].flatMap((cpus) => [
        { bound: false, cpus },
        { bound: true, cpus },
      ])) {
        const key = runKey(routine, contextOf(routine, context, 64), local);
        const known = numbers.get(key) ?? numbers.size;
        numbers.set(key, known);
        const { course } = team.run(routine, context, local);
        if (course !== known) expect.fail(`${key}: ${course}, not ${known}`);
      }
    }
  }
  // Of 64 CPUs, who exits of one: three sizes of a context, and one.
  expect(numbers.size).toBe(locals.length * 2 * (3 + 1));
});

test("rings of lazy mode are of as many CPUs as each machine has", () => {
  const workload = made("synthetic:dma,ops=4000,threads=9", false);
  const few = profileNamed("qti-sm8150")!;
  const profiles = [FIVE[0]!, few];
  expect(few.features.cpus).toBeLessThan(9);
  const options = { dma: "lazy" } as const;
  const together = [...compare(workload, ["linux-6.12"], profiles, options)].map(asked);
  const alone = profiles.map((p) => asked(runSide(workload, "linux-6.12", p, options)));
  expect(together).toEqual(alone);
});

test("a profile twice is two placements, each against its own first", () => {
  const workload = made("synthetic:mprotect,ops=60", false);
  const sides = [...compare(workload, KERNELS, [FIVE[0]!, FIVE[0]!])];
  expect(sides.map((s) => s.saves === undefined)).toEqual([true, false, true, false]);
  expect(sides.map((s) => [s.ran > 0, s.ran + s.known])).toEqual(
    [true, true, false, false].map((ran) => [ran, sides[0]!.ran + sides[0]!.known]),
  );
});

test("all at once is counted as one by one", () => {
  const workload = made("synthetic:node,ops=200,pages=4", false);
  const runner = runnerOf("linux-6.12", FIVE[2]!);
  const features = { rangeCommands: false, smmus: 2 };
  for (const atcSpan of ["covering", "exact"] as const) {
    const [single, all] = [1, 2].map(() => new Counter({ ...features, atcSpan }));
    const driver = new Driver(runner, (course, base, repeat, { mapped }) => {
      single!.add(course, base, repeat, mapped);
    });
    for (const operation of workload.operations) driver.step(operation);
    const drive = new Drive(new Set([runner]), 1, {});
    drive.run(workload);
    all!.addAll(drive.timeline, drive.team.coursesOf(runner)!, drive.mapped);
    expect(all!.counts).toEqual(single!.counts);
    expect(all!.counts.atc_inv).toBeGreaterThan(0);
  }
});
