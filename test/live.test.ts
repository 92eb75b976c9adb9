// SPDX-License-Identifier: Apache-2.0
// docs/LIVE.md: its examples compile and do what the page says.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

interface Examples {
  upgrade(kernel: string): { stale: string[]; done: boolean };
  byHand(): string[];
  schedules(): string[][];
  large(): { events: number; violations: string[] };
}
let examples: Examples;

beforeAll(async () => {
  const page = readFileSync(join(root, "docs/LIVE.md"), "utf8");
  const blocks = [...page.matchAll(/^```ts\n(.*?)^```$/gms)].map((m) => m[1]!);
  expect(blocks.length).toBe(4);
  const dir = join(root, "node_modules/.cache/docs");
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "LIVE.ts");
  const api = JSON.stringify(join(root, "packages/shootdown/src/live/live.ts"));
  writeFileSync(file, blocks.join("\n").replaceAll('"shootdown"', api));
  examples = await import(/* @vite-ignore */ file);
});

test("the upgrade leaves a stale entry on 6.1 and none on 6.12", () => {
  expect(examples.upgrade("linux-6.1")).toEqual({
    stale: ["SMMU smmu_tlb: frame 0 ro"],
    done: false,
  });
  expect(examples.upgrade("linux-6.12")).toEqual({ stale: [], done: true });
});

test("by hand, every wait is for something outstanding and nothing stays stale", () => {
  const seen = examples.byHand();
  expect(seen).toContain("cmdq[]");
  expect(seen).toContain("dvm_pe[0,0]");
  expect(seen.some((s) => s === "smmu_tlb" || s === "atc")).toBe(false);
});

test("some schedules end in a use after free, some do not", () => {
  const runs = examples.schedules();
  expect(runs.some((v) => v.includes("use_after_free"))).toBe(true);
  expect(runs.some((v) => v.length === 0)).toBe(true);
  expect(examples.schedules()).toEqual(runs);
});

test("a large range violates nothing", () => {
  const { events, violations } = examples.large();
  expect(violations).toEqual([]);
  expect(events).toBeGreaterThan(3);
  expect(events).toBeLessThan(100);
});
