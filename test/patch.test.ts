// SPDX-License-Identifier: Apache-2.0
// docs/PATCH.md and the kernel blocks of docs/LITMUS.md: what they show is what comes out.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  checkScenario,
  openReplay,
  parseScenario,
  plain,
  showName,
  witnessLines,
} from "../packages/shootdown/src/api/index.ts";
import { printScenario } from "../packages/shootdown/src/litmus/print.ts";

const doc = (name: string) => readFileSync(join(import.meta.dirname, "../docs", name), "utf8");
const blocks = (page: string, language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map((m) => m[1]!);

const PATCH = doc("PATCH.md");
const [proposal = ""] = blocks(PATCH, "litmus");

const scenarios = [proposal, ...blocks(doc("LITMUS.md"), "litmus")].filter((text) =>
  text.includes("\nkernel "),
);

test("there are examples", () => {
  expect(scenarios.length).toBeGreaterThan(1);
});

test.each(scenarios)("every Result line comes out: %#", (text) => {
  const results = [...checkScenario(text, { witness: "none" })];
  expect(results.length).toBeGreaterThan(1);
  for (const { run } of results) expect([run.kernel, run.ok]).toEqual([run.kernel, true]);
});

test("the table of the page is what check prints", () => {
  const runs = [...checkScenario(proposal, { witness: "none" })].map(({ run }) => run);
  const lines = runs.map(
    ({ observed, states, depth, kernel }) =>
      `  ok    ${observed.padEnd(9)}${`${states}`.padStart(11)}${`${depth}`.padStart(4)}  ` +
      `arm64+smmuv3 ${kernel}`,
  );
  const shown = blocks(PATCH, "console").find((b) => b.includes("  ok "))!;
  expect(shown.split("\n").filter((l) => l.startsWith("  ok"))).toEqual(lines);
});

test("the routine of the page is what show prints", () => {
  const shown = blocks(PATCH, "console").find((b) => b.includes("shootdown show"))!;
  const found = showName("flush_tlb_page_nosync", "linux-6.12");
  expect(found.ok && found.shown[0]!.type === "definition" && found.shown[0]!.text).toBe(
    shown.slice(shown.indexOf("\n") + 1),
  );
});

test("a witness of an edited kernel is replayed, and names its steps", () => {
  const options = { kernels: ["linux-6.12+proposed"], expect: "never", witness: "all" } as const;
  const [result] = [...checkScenario(proposal, options)];
  const { witness, shown } = result!;
  const again = openReplay(JSON.stringify(witness));
  expect(again.ok || again.problems.map((p) => p.text)).toBe(true);
  const lines = witnessLines(shown!, { width: 80, paint: plain });
  const text = lines.map((l) => l.trim()).join(" ");
  const why = /why: .*? after that/.exec(text)?.[0];
  expect(why).toBeDefined();
  expect(PATCH.replace(/\s+/g, " ")).toContain(why);
});

test("the canonical text asks the same", () => {
  const read = parseScenario(proposal);
  const text = read.ok ? printScenario(read.scenario) : "";
  const hashes = (t: string) => [...checkScenario(t, { witness: "none" })].map((r) => r.run.states);
  expect(hashes(text)).toEqual(hashes(proposal));
});

test("what show prints of an edited routine names the block", () => {
  const read = parseScenario(proposal);
  const found = read.ok ? showName("wp_page_reuse", "linux-6.12+proposed", read.scenario) : read;
  expect(JSON.stringify(found)).toContain("edited by kernel proposed");
});

test("a step of an edited routine can be dropped", () => {
  const kernel = "linux-6.12+proposed+second";
  const read = parseScenario(proposal);
  const found = read.ok ? showName("wp_page_copy", kernel, read.scenario) : read;
  const text = found.ok && found.shown[0]?.type === "definition" ? found.shown[0].text : "";
  const step = /(\d+) +mmu_notifier_arch_invalidate_secondary_tlbs/.exec(text)?.[1];
  const options = { kernels: [kernel], drop: `wp_page_copy:${step}`, witness: "none" } as const;
  expect([...checkScenario(proposal, options)][0]?.run.observed).toBe("sometimes");
});
