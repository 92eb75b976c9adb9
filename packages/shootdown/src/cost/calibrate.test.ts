// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { root } from "../../../../test/support/files.ts";
import { formatDiagnostic } from "../base/diagnostic.ts";
import { each, line, queue } from "./calibrate/fit.ts";
import { readSamples } from "./calibrate/samples.ts";
import { type Calibration, calibrate, profileText } from "./calibrate.ts";
import { readProfile } from "./profile-json.ts";
import { profileNamed } from "./profiles.ts";
import { machine } from "./validate/loop.ts";

const sample = (name: string) => {
  const file = `packages/shootdown/fixtures/calibrate/${name}.txt`;
  return { file, text: readFileSync(join(root, file), "utf8") };
};

function calibrated(names: readonly string[], base: string): Calibration {
  const read = calibrate(names.map(sample), profileNamed(base)!, "mine");
  if (!read.ok) throw new Error(read.diagnostic.message);
  return read.calibration;
}

function complaint(text: string): string {
  const read = readSamples("s.txt", text);
  if (read.ok) throw new Error("was read");
  return formatDiagnostic(read.diagnostic, text).split("\n")[0]!;
}

describe("fits", () => {
  test("a line is found again, with its noise", () => {
    const some = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(some, some, fc.array(some, { minLength: 3, maxLength: 9 }), (base, slope, xs) => {
        fc.pre(new Set(xs).size > 1);
        const exact = line(xs.map((x) => ({ x, ns: base + slope * x })));
        expect(exact.base.value).toBeCloseTo(base, 4);
        expect(exact.slope.value).toBeCloseTo(slope, 4);
        expect(exact.slope.error).toBeLessThan(1e-3);
      }),
    );
    const noisy = [1, 2, 3, 4].map((x) => ({ x, ns: 100 + 10 * x + (x % 2 ? 3 : -3) }));
    expect(line(noisy).slope.error).toBeGreaterThan(1);
  });

  test("errors are twice the standard error", () => {
    // Residuals 1, -1, -1, 1 on 3 + 2 x: variance 4 / (4 - 2), sum of squares of x - 1.5 is 5.
    const points = [1, -1, -1, 1].map((off, x) => ({ x, ns: 3 + 2 * x + off }));
    const { base, slope } = line(points);
    expect(base.value).toBeCloseTo(3);
    expect(slope.value).toBeCloseTo(2);
    expect(slope.error).toBeCloseTo(2 * Math.sqrt(2 / 5));
    expect(base.error).toBeCloseTo(2 * Math.sqrt(2 * (1 / 4 + 1.5 ** 2 / 5)));
    const of = (ns: readonly number[]) => each(ns.map((n) => ({ x: 2, ns: n, file: "", line: 1 })));
    // Of one each: 1, 2 and 3.
    const three = of([2, 4, 6]);
    expect(three.value).toBe(2);
    expect(three.error).toBeCloseTo(2 * Math.sqrt(1 / 3));
    expect(of([8])).toEqual({ value: 4, error: 0 });
  });

  test("a queue that is saturated from the first sample on has no work", () => {
    const points = [8, 16, 32].map((x) => ({ x, ns: x * (100 + 10 * x), file: "", line: 1 }));
    const { work, service, perCpu } = queue(points);
    expect(work.value).toBe(0);
    expect(service.value).toBeCloseTo(100);
    expect(perCpu.value).toBeCloseTo(10);
  });

  test("a closed queue: work, service and slope, whatever of it is saturated", () => {
    const points = [1, 2, 4, 8, 16, 32, 64].map((n) => {
      const s = 263 + 18.1 * n;
      return { x: n, ns: Math.max(2900 + s, n * s), file: "s.txt", line: 1 };
    });
    const found = queue(points);
    expect(found.work.value).toBeCloseTo(2900, 0);
    expect(found.service.value).toBeCloseTo(263, 0);
    expect(found.perCpu.value).toBeCloseTo(18.1, 1);
    for (const { x, ns } of points) expect(found.at(x) / ns).toBeCloseTo(1, 3);
  });
});

describe("published tables as samples", () => {
  test("Garry's table gives the queue that the profile has", () => {
    const { profile, fits } = calibrated(["kunpeng-dma"], "kunpeng-920");
    const { cmdq_lock_per_cpu_ns, cmd_sync_ns, cmd_ns, dma_work_ns } = profile.quantities;
    expect(cmdq_lock_per_cpu_ns!.value).toBeCloseTo(18.1, -0.5);
    expect(cmd_ns!.value + cmd_sync_ns!.value).toBeGreaterThan(240);
    expect(cmd_ns!.value + cmd_sync_ns!.value).toBeLessThan(290);
    expect(dma_work_ns!.value).toBeGreaterThan(2500);
    expect(dma_work_ns!.value).toBeLessThan(3500);
    expect(cmdq_lock_per_cpu_ns!.tag).toBe("M");
    for (const { point, fitted } of fits[0]!.residuals) {
      expect(Math.abs(fitted / point.ns - 1)).toBeLessThan(0.05);
    }
  });

  test("the rest: completion against cores, faults, interrupts", () => {
    const { profile, fits } = calibrated(["published-arm64", "kunpeng-dma"], "n1-server");
    const { dsb_base_ns, dsb_per_cpu_ns, device_fault_ns } = profile.quantities;
    expect(dsb_base_ns!.value).toBeCloseTo(261.7, 0);
    // Two points are no measure of their own error.
    expect(dsb_base_ns!.low).toBeCloseTo(209.3, 0);
    expect(dsb_per_cpu_ns!.value).toBeCloseTo(6.04, 1);
    expect(device_fault_ns!.value).toBeCloseTo(10104, -2);
    expect(fits.map((f) => [f.program, f.exact])).toEqual([
      ["tlbi_cores", true],
      ["dma_map_benchmark", false],
      ["sva_touch", true],
    ]);
    const x86 = calibrated(["haswell-ipi"], "sapphire-rapids").profile.quantities;
    expect([x86.ipi_first_ns!.value, x86.ipi_next_ns!.value]).toEqual([775, 67.5]);
  });

  test("the profile can be read, and says what it is from", () => {
    const { profile } = calibrated(["kunpeng-dma"], "grace");
    const read = readProfile(profileText(profile), "mine.json");
    expect(read.ok && read.profile).toEqual(profile);
    expect(profile.name).toBe("mine");
    expect(profile.quantities.cmd_sync_ns!.source).toContain("kunpeng-dma.txt");
    expect(profile.quantities.atc_round_trip_ns!.tag).toBe("A");
    expect(machine("grace").quantities.cmd_sync_ns!.tag).toBe("A");
  });
});

describe("what is wrong is pointed at", () => {
  test.each([
    ["", "s.txt:1:1: error: no sample in it [P006]"],
    ["# nothing\n", "no sample in it"],
    ["tlbi_core cpus 8 flush_ns 1", "s.txt:1:1: error: unknown program 'tlbi_core' [P006]"],
    ["constructor cpus 8 flush_ns 1", "unknown program 'constructor'"],
    ["tlbi_cores cpus 8\n", "'flush_ns' is missing"],
    ["tlbi_cores cpus", "'cpus' has no value"],
    ["\ntlbi_cores cpus 8 flush_us 1", "s.txt:2:19: error: expected 'flush_ns', found 'flush_us'"],
    ["tlbi_cores cpus 0 flush_ns 1", "expected a number from 1 to 1000000, found '0'"],
    ["tlbi_cores cpus 8 flush_ns -3", "s.txt:1:28: error: a time cannot be negative, found '-3'"],
    ["tlbi_cores cpus 8 flush_ns NaN", "expected a time, found 'NaN'"],
    ["sva_touch faults 5 first_ns 10 warm_ns 20", "the first touch is faster than the second"],
    ["average map latency(us):1.5 standard deviation:0.3", "a latency of map where none is due"],
    ["dma mapping benchmark: threads:8 seconds:20 x", "a latency of dma_map_benchmark is missing"],
    ["dma mapping benchmark: threads:x seconds:20 x", "expected a number from 1 to"],
  ])("%j", (text, expected) => {
    expect(complaint(text)).toContain(expected);
  });

  test("any text ends in samples or a sentence", () => {
    const word = fc.constantFrom(
      "tlbi_cores",
      "cpus",
      "8",
      "flush_ns",
      "-1",
      "\n",
      " ",
      "sva_touch",
    );
    fc.assert(
      fc.property(fc.array(word), fc.string(), (words, more) => {
        const read = readSamples("s.txt", words.join(" ") + more);
        if (!read.ok) expect(read.diagnostic.message.length).toBeGreaterThan(5);
      }),
    );
  });
});
