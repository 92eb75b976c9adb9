// SPDX-License-Identifier: Apache-2.0
// Kernels and machines that go through a workload together come out as if each went alone.

import { expect, test } from "vitest";
import { compare, runnerOf, runSide, type Side } from "./compare.ts";
import { Counter } from "./counter.ts";
import { Drive } from "./drive.ts";
import { Driver } from "./driver.ts";
import type { Profile } from "./profile.ts";
import { FIVE, profileNamed } from "./profiles.ts";
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
