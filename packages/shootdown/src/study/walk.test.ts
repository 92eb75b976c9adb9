// SPDX-License-Identifier: Apache-2.0
// A run on foot: the same rows as a replay, every step of it among the moves, entries explained.

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseScenario } from "../api/check.ts";
import { whyText } from "../report/why.ts";
import { Checker } from "./check.ts";
import { configure } from "./configuration.ts";
import { Walk } from "./walk.ts";
import type { Witness } from "./witness.ts";
import { replayWitness, witnessOf } from "./witness.ts";

const LIMITS = { states_max: 100_000, bytes_max: 2 ** 28 };
const UPGRADE = readFileSync(
  new URL("../../../../litmus/permission-upgrade/upgrade.litmus", import.meta.url),
  "utf8",
);

function witnessed(machine: string, kernel: string) {
  const read = parseScenario(UPGRADE);
  if (!read.ok) throw new Error(read.problems[0]!.text);
  const found = configure(machine, kernel, { hafdbs: "no", httu: "no" }, read.scenario);
  if (!found.ok) throw new Error(found.problem.name);
  const checker = new Checker(read.scenario);
  const verdict = checker.check(found.configuration, {
    ...{ semantics: "window", engine: "auto", reductions: [], dependsOn: false, limits: LIMITS },
  });
  const { condition } = checker;
  const witness = witnessOf(read.scenario, found.configuration, verdict, condition) as Witness;
  const { program } = verdict.variant;
  return { witness, program, replay: replayWitness(witness, program, condition) };
}

describe.each([
  ["arm64+smmuv3", "linux-6.1"],
  ["arm64+smmuv3+ats", "linux-6.1"],
  ["arm64+smmuv3+btm", "linux-6.12+btm-skip+local-upgrade"],
])("%s, %s", (machine, kernel) => {
  const { witness, program, replay } = witnessed(machine, kernel);
  const walk = new Walk(program);
  for (const step of [...witness.steps, ...witness.cycle]) walk.take(step);
  const end = witness.steps.length;

  test("the rows are those of the replay", () => {
    const rows = [...replay.rows, ...replay.cycle];
    expect(rows.map((_, n) => walk.row(n + 1))).toEqual(rows);
  });

  test("each step taken is one of the moves, and its row is told beforehand", () => {
    for (const [position, step] of walk.steps.entries()) {
      const rows = walk.moves(position).map((m) => m.row);
      expect(rows, `${position} ${step.name}`).toContainEqual(walk.row(position + 1));
    }
  });

  test("the entry that keeps the device from going on is stale, and says why", () => {
    const stale = walk.view(end).caches.flatMap((c) => c.entries.filter((e) => e.stale));
    const kept = stale.find((e) => e.place === "smmu_tlb[asid(A),x]");
    expect(kept?.holds).toBe("P ro");
    expect(walk.view(0).caches.flatMap((c) => c.entries.filter((e) => e.stale))).toEqual([]);
    const why = walk.why(end, kept!.instance, kept!.value);
    expect(whyText(why!)).toMatch(
      /^P ro in smmu_tlb\[asid\(A\),x\], taken after step \d+; step \d+ \(CPU0, \S+\) had changed/,
    );
    expect(walk.why(0, kept!.instance, kept!.value)).toBeUndefined();
  });

  test("another way: cut, a branch, and back", () => {
    const other = new Walk(program);
    for (const step of witness.steps) other.take(step);
    const whole = other.view(end);
    other.cut(3);
    const branch = other.moves(3).find((m) => m.step.name !== witness.steps[3]!.name)!;
    other.take(branch.step);
    expect(other.length).toBe(4);
    expect(other.row(4)).toEqual(branch.row);
    other.cut(3);
    for (const step of witness.steps.slice(3)) other.take(step);
    expect(other.view(end)).toEqual(whole);
    expect(() => other.take({ ...witness.steps[0]!, choices: [99, 99, 99] })).toThrow("cannot");
  });

  test("the page table of the view", () => {
    const [table] = walk.view(0).tables;
    const entry = (position: number) =>
      walk
        .view(position)
        .tables[0]!.regions.flatMap((r) => r.entries.filter((e) => e.name === "x"));
    expect(table!.mm).toBe("A");
    expect([entry(0)[0]!.value, entry(end)[0]!.value]).toEqual(["P ro", "P rw"]);
  });
});
