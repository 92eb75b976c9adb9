// SPDX-License-Identifier: Apache-2.0
// A walk through the public door: from a scenario, from a witness, and what cannot be walked.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkScenario, openReplay, openWalk, openWitnessWalk } from "./index.ts";

const UPGRADE = readFileSync(
  new URL("../../../../litmus/permission-upgrade/upgrade.litmus", import.meta.url),
  "utf8",
);
const ON = { machines: ["arm64+smmuv3"], kernels: ["linux-6.1"] };

function witness(): string {
  const [result] = checkScenario(UPGRADE, { ...ON, witness: "all", depends_on: false });
  return JSON.stringify(result!.witness);
}

test("a witness: the steps of a replay, then what repeats", () => {
  const text = witness();
  const opened = openWitnessWalk(text);
  const replayed = openReplay(text);
  if (!opened.ok || !replayed.ok) throw new Error("not opened");
  const { walk } = opened;
  const { steps, cycle } = replayed.shown;
  expect(Array.from({ length: walk.length }, (_, n) => walk.shown(n + 1))).toEqual([
    ...steps,
    ...cycle,
  ]);
  expect(walk.repeats_from).toBe(steps.length);
  expect(walk.lanes).toContain("D.worker");
  expect(walk.lanesUsed).toEqual(["CPU0", "cmdq", "IOMMU", "D", "memory"]);
  walk.cut(8);
  expect(walk.lanesUsed).toEqual(["CPU0", "D", "memory"]);
  walk.cut(0);
  expect(walk.lanesUsed).toEqual(walk.lanes);
  for (const step of [...replayed.witness.steps, ...replayed.witness.cycle]) walk.take(step);
  expect(walk.of).toMatchObject({ test: "upgrade", kernel: "linux-6.1", property: "stuck(D)" });
  const stale = walk.view(steps.length).caches.flatMap((c) => c.entries.filter((e) => e.stale));
  expect(walk.why(steps.length, stale[0]!)).toContain("nothing invalidated smmu_tlb");
  expect(JSON.parse(JSON.stringify(walk.view(3)))).toEqual(walk.view(3));
});

test("each step says who called its routine, and what is told of an entry names its steps", () => {
  const opened = openWitnessWalk(witness());
  if (!opened.ok) throw new Error("not opened");
  const { walk } = opened;
  const steps = Array.from({ length: walk.length }, (_, n) => walk.staged(n + 1));
  const store = steps.findIndex((s) => s.events[0]?.startsWith("pte_store"));
  expect(steps[store]!.callers.map((c) => c.split(":")[0])).toEqual([
    ...["ptep_set_access_flags", "wp_page_reuse", "do_wp_page", "handle_pte_fault"],
    ...["handle_mm_fault", "do_page_fault", "cpu_access", "CPU0"],
  ]);
  const end = walk.repeats_from!;
  const stale = walk.view(end).caches.flatMap((c) => c.entries.filter((e) => e.stale));
  const entry = stale.find((e) => e.place.startsWith("smmu_tlb"))!;
  const parts = walk.whyParts(end, entry)!;
  expect(parts.map((p) => p.text).join("")).toBe(walk.why(end, entry));
  const named = parts.flatMap((p) => (p.at === null ? [] : [steps[p.at - 1]!]));
  expect(named.map((s) => s.kind)).toEqual(["fill", "thread"]);
  expect(named[1]).toBe(steps[store]);
});

test("steps are shown alike in any order, and after another way was taken", () => {
  const text = witness();
  const opened = openWitnessWalk(text);
  if (!opened.ok) throw new Error("not opened");
  const { walk } = opened;
  const forward = Array.from({ length: walk.length }, (_, n) => walk.staged(n + 1));
  const backward = forward.map((_, n) => walk.staged(walk.length - n)).reverse();
  expect(backward).toEqual(forward);
  walk.shown(6);
  walk.cut(5);
  const other = walk.moves(5).find((m) => m.shown.kind === "fill")!;
  walk.take(other.step);
  const next = walk.moves(6)[0]!;
  walk.take(next.step);
  expect(walk.shown(7)).toEqual(next.shown);
  expect(walk.shown(6)).toEqual(other.shown);
});

test("a scenario from its start, by the first move each time", () => {
  const opened = openWalk(UPGRADE, ON);
  if (!opened.ok) throw new Error("not opened");
  const { walk } = opened;
  for (let n = 0; n < 200; n++) {
    const own = walk.moves(n).find((m) => m.shown.kind === "thread" || m.shown.kind === "effect");
    if (!own) break;
    expect(walk.take(own.step)).toBe(true);
    expect(walk.shown(n + 1)).toEqual(own.shown);
  }
  const { threads } = walk.view(walk.length);
  expect(threads.find((t) => t.name === "CPU0")?.status).toBe("ended");
  const { length } = walk;
  expect(walk.take({ kind: "thread", name: "CPU0", slot: 0, choices: [] })).toBe(false);
  expect(walk.length).toBe(length);
});

test("every message lands after it was sent, in a lane that is drawn", () => {
  const machine = "arm64+smmuv3+btm+ats";
  const opened = openWalk(UPGRADE, { machines: [machine], kernels: ["linux-6.12+btm-on"] });
  if (!opened.ok) throw new Error("not opened");
  const { walk } = opened;
  const { lanes } = walk;
  expect(lanes).toEqual(["CPU0", expect.any(String), "cmdq", "IOMMU", "D", "memory"]);
  const outstanding: string[] = [];
  let landed = 0;
  for (let n = 0; n < 400; n++) {
    const own = walk.moves(n).find((m) => ["thread", "effect", "rule"].includes(m.shown.kind));
    if (!own) break;
    walk.take(own.step);
    const step = walk.staged(n + 1);
    expect(lanes).toContain(step.lane);
    const needed = [step.lane, ...step.sent.map((m) => m.lane), step.landed?.lane ?? "memory"];
    expect(walk.lanesUsed, `step ${n + 1}`).toEqual(expect.arrayContaining(needed));
    if (step.landed) {
      const at = outstanding.indexOf(`${step.landed.set} ${step.landed.text}`);
      expect(at, `step ${n + 1}`).toBeGreaterThanOrEqual(0);
      outstanding.splice(at, 1);
      landed++;
    }
    for (const { set, text, lane } of step.sent) {
      expect(lanes).toContain(lane);
      // What one CPU sends another waits there, not where it came from.
      const target = /^dvm_pe\[[^,]+,(.+)\]$/.exec(set)?.[1];
      if (target !== undefined) expect(lane).toBe(target);
      outstanding.push(`${set} ${text}`);
    }
  }
  const left = walk.view(walk.length).queues.flatMap((q) => q.entries.map((e) => `${q.name} ${e}`));
  expect(outstanding.sort()).toEqual(left.sort());
  expect(landed).toBeGreaterThan(3);
});

test("what cannot be walked is said", () => {
  expect(openWalk("MM nothing")).toMatchObject({ ok: false });
  expect(openWalk(UPGRADE, { kernels: ["linux-6.0"] })).toMatchObject({ ok: false });
  expect(openWitnessWalk("{")).toMatchObject({ ok: false });
  const other = JSON.parse(witness()) as { steps: { choices: number[] }[] };
  other.steps[3]!.choices = [7, 7, 7];
  const opened = openWitnessWalk(JSON.stringify(other));
  if (opened.ok) throw new Error("it was followed");
  expect(opened.problems[0]!.message).toContain("does not fit");
  const start = openWalk(UPGRADE, ON);
  if (!start.ok) throw new Error("not opened");
  expect(() => start.walk.view(1)).toThrow(RangeError);
  expect(() => start.walk.shown(0)).toThrow(RangeError);
});

test("exactly what is asked for: a knob that is not set is open, whatever a line says", () => {
  const run = (set: Record<string, string>) =>
    [...checkScenario(UPGRADE, { ...ON, set, exact: true, depends_on: false })].map((found) => {
      const { set: own, expected, observed } = found.run;
      return { own, expected, observed, asks: found.asks ?? [] };
    });
  const [open, ...more] = run({});
  expect(more).toEqual([]);
  expect(open).toMatchObject({ own: {}, expected: null, observed: "sometimes" });
  expect(open!.asks).toContain("hafdbs");
  const [line] = run({ httu: "no", hafdbs: "no" });
  expect(line).toMatchObject({ expected: "sometimes", observed: "sometimes" });
});
