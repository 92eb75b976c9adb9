// SPDX-License-Identifier: Apache-2.0
// Damaged recordings of an IOMMU: no crash, bounded memory, and damage is said.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkTrace } from "../check.ts";
import { FINDING_CLASSES, traceStatus } from "../finding.ts";
import { bytesOf } from "../importers/bytes.ts";
import { Domains } from "./domain.ts";
import { Times } from "./times.ts";

const NAMES = [
  ...["x86-6.1-iommu-strict.trace.txt", "x86-6.12-iommu-strict.trace.txt"],
  ...["x86-6.12-iommu-lazy.trace.txt", "x86-6.1.vtd.txt", "x86-6.12.vtd.txt"],
];

const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/${name}`, import.meta.url), "utf8");

/** A small generator, the same on every host. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const NOISE = ["\0", "ÿ", "0x", "=", " ", "-1", "ffffffffffffffffffff", "\u{1f600}", "\t", ""];

function damage(text: string, next: (below: number) => number): string {
  const lines = text.split("\n");
  for (let times = 1 + next(6); times > 0; times--) {
    const at = next(lines.length);
    const line = lines[at] ?? "";
    const cut = next(line.length + 1);
    switch (next(5)) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(at, 0, lines[next(lines.length)] ?? "");
        break;
      case 2:
        lines[at] = line.slice(0, cut);
        break;
      case 3:
        lines[at] = line.slice(0, cut) + NOISE[next(NOISE.length)] + line.slice(cut + next(4));
        break;
      default: {
        const other = next(lines.length);
        [lines[at], lines[other]] = [lines[other] ?? "", line];
      }
    }
  }
  return lines.join("\n");
}

test.each(NAMES)("%s: damage never throws, and findings are well formed", async (name) => {
  const text = fixture(name);
  const next = numbers(7);
  for (let round = 0; round < 150; round++) {
    const onFinding = (finding: object) => {
      expect(FINDING_CLASSES).toContain((finding as { class: string }).class);
      JSON.stringify(finding);
    };
    const result = await checkTrace(bytesOf(damage(text, next)), { onFinding });
    expect([0, 1, 2, 3]).toContain(traceStatus(result));
  }
});

test("times are exact, and rounded beyond the limit", () => {
  const times = new Times();
  for (let us = 1; us <= 100; us++) times.add(us / 1e6, 1);
  expect(times.spread()).toEqual({ pages: 100, median_ms: 0.051, p95_ms: 0.096, longest_ms: 0.1 });
  expect(times.rounded).toBe(false);
  for (let us = 0; us < 70_000; us++) times.add(1 + us / 1e6, 1);
  expect(times.rounded).toBe(true);
  expect(times.spread()?.longest_ms).toBe(1069.999);
});

test("the oldest domain is forgotten at the limit, and said", () => {
  const gone: string[] = [];
  const domains = new Domains((domain) => gone.push(domain.name));
  for (let n = 0; n < 4097; n++) domains.get(`0x${n}`);
  expect(gone).toEqual(["0x0"]);
});
