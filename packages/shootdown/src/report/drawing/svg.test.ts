// SPDX-License-Identifier: Apache-2.0
// A drawing has every step and every message once, and its text is text whatever it holds.

import { expect, test } from "vitest";
import { svgOf } from "./svg.ts";
import type { DrawnStep } from "./window.ts";

const step = (n: number, part: Partial<DrawnStep>): DrawnStep => ({
  ...{ n, agent: "CPU0", kind: "thread", where: "f:1", statement: "s();", events: [], changed: [] },
  ...{ callers: [], lane: "CPU0", sent: [], landed: null },
  ...part,
});

const RUN = {
  lanes: ["CPU0", "CPU1", "IOMMU", "memory"],
  machine: "arm64+smmuv3",
  title: "t: p <on> a & b",
  repeats_from: null,
};

const count = (text: string, part: RegExp) => text.match(part)?.length ?? 0;

test("every step has its mark and words, every message its arrow", () => {
  const message = { set: "dvm_pe[CPU0,CPU1]", text: "VAE1IS x", lane: "CPU1" };
  const svg = svgOf({
    ...RUN,
    steps: [
      step(1, { events: ["tlbi VAE1IS x"], sent: [message] }),
      step(2, { kind: "effect", lane: "CPU1", landed: { ...message, lane: "CPU0" } }),
      step(2, { kind: "fill", lane: "IOMMU", changed: ["smmu_tlb[x]: - -> P ro"] }),
      step(3, { lane: "CPU1", events: ["fault x write P ro"] }),
    ],
  });
  for (const words of ["tlbi VAE1IS x", "smmu_tlb[x] takes P ro", "! fault x write P ro", "SMMU"]) {
    expect(svg).toContain(`>${words}</text>`);
  }
  expect(count(svg, /<line class="message"[^>]*stroke-dasharray/g)).toBe(1);
  expect(count(svg, /<polygon class="message"/g)).toBe(2);
  expect(count(svg, /<polygon class="store"/g)).toBe(1);
  expect(count(svg, /<polygon class="bad"/g)).toBe(1);
  expect(count(svg, /<circle/g)).toBe(1);
  // Words are filled, and not drawn around.
  expect(svg).not.toMatch(/[^e]\.\w+\{[^}]*stroke/);
  expect(svg).toContain(">t: p &lt;on&gt; a &amp; b</title>");
});

test("text is escaped, and has nothing that XML does not", () => {
  const statement = `</text><script>"'&\u0000\u001b\uD800\uFFFF\u{1F600}`;
  const svg = svgOf({ ...RUN, steps: [step(1, { statement })] });
  expect(svg).not.toContain("<script");
  expect(svg).toContain("&lt;/text&gt;&lt;script&gt;");
  // Half of a pair would be encoded as something else.
  expect(Buffer.from(svg, "utf8").toString("utf8")).toBe(svg);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be there
  expect(svg).not.toMatch(/[\u0000-\u0008\u000b-\u001f\uFFFF]/);
  expect(svg).toContain("\u{1F600}");
});

test("a part of a long run has the steps of that part", () => {
  const steps = Array.from({ length: 3 }, (_, n) => step(n + 41, { events: [`e${n + 41}`] }));
  const svg = svgOf({ ...RUN, from: 40, steps, repeats_from: 42 });
  expect([...svg.matchAll(/>(e\d+)<\/text>/g)].map((m) => m[1])).toEqual(["e41", "e42", "e43"]);
  expect(svg).not.toContain(">start</text>");
  expect(svg).not.toContain("…");
  expect(svg).toContain("from here on it repeats");
});
