// SPDX-License-Identifier: Apache-2.0
// `shootdown cost` as scripts see it: fields of the contract, counts of the shipped programs, and
// messages for what makes no sense.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, shootdown, workFolder } from "./support/cli.ts";

interface Line {
  readonly type: string;
  readonly kernel: string;
  readonly profile: string;
  readonly counts: Readonly<Record<string, number>>;
  readonly time_ns: { readonly low: number; readonly mid: number; readonly high: number };
  readonly decided_by: string | null;
  readonly refills: number;
}

const CONTRACT = [
  ...["flushes", "notifier_calls", "tlbi", "dsb", "ipi", "cmd_tlbi", "cmd_sync", "atc_inv"],
  ...["pages_asked", "pages_invalidated"],
];

function costs(...args: string[]): Line[] {
  const { status, stdout, stderr } = shootdown(["cost", ...args, "--format", "ndjson"]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout
    .trim()
    .split("\n")
    .map((l) => JSON.parse(l) as Line);
  expect(lines.at(-1)!.type).toBe("summary");
  return lines.filter((l) => l.type === "cost");
}

/** On one machine with an ATC, by kernel. */
function onGrace(workload: string, ...kernels: string[]): Readonly<Record<string, Line["counts"]>> {
  const args = kernels.flatMap((k) => ["--kernel", k]);
  const lines = costs(workload, "--profile", "grace", ...args);
  return Object.fromEntries(lines.map((l) => [l.kernel, l.counts]));
}

beforeAll(ensureBuilt);

test("a shipped program by its other name; machines that there are not", () => {
  const [line] = costs("redis-bgsave", "--profile", "snapdragon-888", "--kernel", "linux-6.12");
  expect(line!.counts["flushes"]).toBeGreaterThan(0);
  const refused = (...args: string[]) => {
    const { status, stderr } = shootdown(["cost", "sqlite", "--kernel", "linux-6.12", ...args]);
    expect(status).toBe(2);
    return stderr.split("\n")[0];
  };
  expect(refused("--profile", "grace", "--set", "devices=5")).toBe(
    "--set:1:9: error: devices is a number from 0 to 4, not '5' [P005]",
  );
  expect(refused("--profile", "sapphire-rapids", "--set", "iommu=smmuv3")).toBe(
    "--set:1:1: error: a machine x86 has no IOMMU 'smmuv3' [P005]",
  );
});

describe("the contract", () => {
  test("has its fields, for each kernel on each profile", () => {
    const kernels = ["--kernel", "linux-6.1", "--kernel", "linux-6.12"];
    const lines = costs("sqlite", ...kernels, "--profile", "n1-server", "--profile", "amd-invlpgb");
    expect(lines.map((l) => `${l.profile} ${l.kernel}`)).toEqual([
      ...["n1-server linux-6.1", "n1-server linux-6.12"],
      ...["amd-invlpgb linux-6.1", "amd-invlpgb linux-6.12"],
    ]);
    for (const { counts, time_ns, decided_by } of lines) {
      expect(CONTRACT.filter((name) => !Number.isInteger(counts[name]))).toEqual([]);
      expect(time_ns.low).toBeLessThanOrEqual(time_ns.mid);
      expect(time_ns.mid).toBeLessThanOrEqual(time_ns.high);
      expect(typeof decided_by).toBe("string");
    }
    // No interrupts on arm64, no DVM on x86.
    expect(lines[0]!.counts["ipi"]).toBe(0);
    expect(lines[2]!.counts["tlbi"]).toBe(0);
  });

  test("the same twice", () => {
    const twice = [1, 2].map(() => costs("synthetic:random,ops=200,seed=7", "--profile", "grace"));
    expect(twice[0]).toEqual(twice[1]);
  });
});

describe("placements on shipped programs", () => {
  test("java: range_end tells devices of ranges that hold nothing", () => {
    const counts = onGrace("java", "linux-6.1", "linux-6.6", "linux-6.12");
    const [before, empty, now] = ["linux-6.1", "linux-6.6", "linux-6.12"].map((k) => counts[k]!);
    expect(before!["notifier_calls"]).toBeGreaterThan(4.6 * now!["notifier_calls"]!);
    // In the flush functions: at most one a flush.
    expect(now!["notifier_calls"]).toBeLessThanOrEqual(now!["flushes"]!);
    expect(empty!["notifier_calls"]).toBeLessThanOrEqual(empty!["flushes"]!);
    // The empty range of 6.6 is everything.
    expect(empty!["full_asid"]).toBeGreaterThan(20 * now!["full_asid"]!);
    expect(empty!["pages_invalidated"]).toBeGreaterThan(5 * now!["pages_invalidated"]!);
    expect(now!["flushes"]).toBe(before!["flushes"]);
  });

  test("sva: a table that goes takes all translations of a device with it, since 6.6", () => {
    const kernels = ["linux-6.1", "linux-6.12"].flatMap((k) => ["--kernel", k]);
    const args = ["synthetic:sva,ops=5000,threads=4", "--profile", "grace", ...kernels];
    const [before, now] = costs(...args);
    expect(before!.counts["full_asid"]).toBe(0);
    expect(now!.counts["full_asid"]).toBeGreaterThan(10);
    expect(now!.refills).toBeGreaterThan(before!.refills);
    // Neighbours of what is told are lost by a span that covers it, not by the exact ones.
    const [exact] = costs(...args, "--set", "atc_span=exact");
    expect(exact!.refills).toBeLessThan(0.8 * before!.refills);
    const { stdout } = shootdown(["cost", ...args]);
    expect(stdout).toMatch(/translated again +[\d,]+ +[\d,]+\n/);
  });

  test("gcc: a script that forks is told more often than before", () => {
    const counts = onGrace("gcc", "linux-6.1", "linux-6.12");
    const [before, now] = [counts["linux-6.1"]!, counts["linux-6.12"]!];
    expect(now["notifier_calls"]).toBeGreaterThan(1.5 * before["notifier_calls"]!);
  });
});

describe("what makes no sense", () => {
  const work = workFolder();
  const cwd = work.path;
  afterAll(work.remove);
  const file = (name: string, text: string): string => {
    writeFileSync(join(cwd, name), text);
    return name;
  };
  const strace = (call: string) => file("call.strace", `7 1700000000.000001 ${call} <0.000010>\n`);
  const profile = (text: string) => file("mine.json", text);

  test.each<[string, () => string[], string]>([
    ["no workload", () => [], "no workload"],
    ["an empty file", () => [file("empty", "")], "empty:1:1: error: the input is empty"],
    ["a name", () => ["jav"], "did you mean 'java'?"],
    ["2^64", () => [strace("munmap(0x7f0000000000, 18446744073709551616) = 0")], "call.strace:1:"],
    ["an unaligned address", () => [strace("munmap(0x7f0000000001, 4096) = 0")], "call.strace:1:"],
    ["a profile", () => ["java", "--profile", "grac"], "did you mean 'grace'?"],
    ["a kernel", () => ["java", "--kernel", "linux-5"], "unknown kernel 'linux-5'"],
    ["a unit", () => ["java", "--sweep", "cmd_us=1..2"], "--sweep:1:1: error: unknown quantity"],
    ["a sweep", () => ["java", "--sweep", "cmd_ns=9..2"], "--sweep:1:8: error: 9 is more than 2"],
    ["a feature", () => ["java", "--set", "atc_spam=exact"], "did you mean 'atc_span'?"],
    ["its value", () => ["java", "--set", "smmus=none"], "--set:1:7: error: smmus is a number"],
    [
      "a negative latency",
      () => [
        ...["java", "--profile"],
        profile(
          `{ "name": "mine", "based_on": "grace", "quantities": {\n "cmd_ns": { "value": -1, ` +
            `"tag": "M", "source": "a measurement" } } }`,
        ),
      ],
      "mine.json:2:",
    ],
    ["a shape", () => ["synthetic:jav"], "no generator of this name"],
  ])("%s ends with a message and status 2", (_, args, message) => {
    const { status, stdout, stderr } = shootdown(["cost", ...args()], { cwd });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });
});

describe("text", () => {
  test("fits 80 columns and says what decides", () => {
    const { stdout } = shootdown([
      "cost",
      "java",
      "--profile",
      "grace",
      "--kernel",
      "linux-6.1",
      "--kernel",
      "linux-6.12",
    ]);
    expect(Math.max(...stdout.split("\n").map((l) => l.length))).toBeLessThanOrEqual(80);
    expect(stdout).toMatch(/linux-6\.12 against linux-6\.1: saves .* decided by/s);
    expect(stdout).toContain("assumed: ");
  });
});
