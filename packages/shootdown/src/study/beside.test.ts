// SPDX-License-Identifier: Apache-2.0
// A run followed in another configuration: what is the same, and the first step that is not.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkScenario, type OpenWalk, openWalk, openWitnessWalk } from "../api/index.ts";

const litmus = new URL("../../../../litmus/", import.meta.url);
const textOf = (path: string) => readFileSync(new URL(path, litmus), "utf8");
const UPGRADE = textOf("permission-upgrade/upgrade.litmus");
const SET = { hafdbs: "no", httu: "no" };

interface Where {
  readonly machine: string;
  readonly kernel: string;
  readonly set?: Readonly<Record<string, string>>;
}

const selection = ({ machine, kernel, set = SET }: Where) => ({
  ...{ machines: [machine], kernels: [kernel], set },
});

function witnessed(text: string, where: Where): OpenWalk {
  const [result] = checkScenario(text, {
    ...selection(where),
    ...{ witness: "all", depends_on: false, engine: "auto" },
  });
  if (!result?.witness) throw new Error("no witness");
  const opened = openWitnessWalk(JSON.stringify(result.witness));
  if (!opened.ok) throw new Error(opened.problems[0]!.text);
  return opened.walk;
}

function begun(text: string, where: Where, like: Readonly<Record<string, string>>): OpenWalk {
  const opened = openWalk(text, { ...selection(where), like });
  if (!opened.ok) throw new Error(opened.problems[0]!.text);
  return opened.walk;
}

function beside(text: string, a: Where, b: Where) {
  const first = witnessed(text, a);
  const second = begun(text, b, first.of.knobs);
  return { first, second, ...second.follow(first) };
}

const OLD = { machine: "arm64+smmuv3", kernel: "linux-6.1" };

test("6.1 beside 6.12: the notifier call, its commands, and a write that goes through", () => {
  const { pairs, differences, first, second } = beside(UPGRADE, OLD, {
    ...OLD,
    kernel: "linux-6.12",
  });
  const [told, commands, outcome, ended] = differences;
  expect(differences).toHaveLength(4);
  expect(told).toMatchObject({ kind: "outcome", agent: "CPU0" });
  expect(told!.text).toBe(
    "CPU0 with linux-6.12 also calls mmu_notifier_arch_invalidate_secondary_tlbs: notifier A x",
  );
  expect(commands).toMatchObject({ kind: "more", agent: "CPU0", first: [] });
  expect(commands!.text).toContain(
    "calls mmu_notifier_arch_invalidate_secondary_tlbs before step 14 (dsb ISH): ",
  );
  expect(commands!.text).toContain("cmdq CMD_TLBI_NH_VA smmu-asid(A) D x");
  expect(outcome!.text).toBe(
    "D with linux-6.1: fault x write P ro; with linux-6.12: access A x P write",
  );
  expect(ended).toMatchObject({ kind: "ended", agent: "D" });
  // The stale entry is taken by both.
  const fill = pairs.find((p) => p.first !== null && first.shown(p.first).kind === "fill")!;
  expect(second.shown(fill.second!).changed).toEqual(["smmu_tlb[smmu-asid(A),x]: - -> P ro"]);
  expect(pairs.slice(0, told!.at).every((p) => p.first === p.second)).toBe(true);
});

test("broadcast beside none: what CPU0 waits for is said with what it does more", () => {
  const { differences } = beside(UPGRADE, OLD, {
    ...{ machine: "arm64+smmuv3+btm", kernel: "linux-6.1+btm-on" },
  });
  expect(differences[0]).toMatchObject({ kind: "more", agent: "CPU0" });
  expect(differences[0]!.text).toContain(
    "CPU0 with linux-6.1+btm-on on arm64+smmuv3+btm does more before step 14 (dsb ISH)",
  );
  expect(differences[0]!.text).toContain("dvm_applied VALE1IS asid(A) x");
});

test("a configuration beside itself: no difference", () => {
  const { pairs, differences, first, second } = beside(UPGRADE, OLD, OLD);
  expect(differences).toEqual([]);
  expect(pairs).toEqual(first.steps.map((_, n) => ({ first: n + 1, second: n + 1 })));
  expect(second.steps).toEqual(first.steps);
});

test("a wait for ever: the other goes on where the first can do no more", () => {
  const { differences } = beside(
    textOf("museum/end-not-paired/end-not-paired.litmus"),
    { machine: "arm64", kernel: "linux-6.12+before" },
    { machine: "arm64", kernel: "linux-6.12" },
  );
  expect(differences.map((d) => [d.kind, d.agent])).toEqual([
    ["goes on", "CPU0"],
    ["goes on", "CPU1"],
  ]);
  expect(differences[0]!.text).toContain("can do no more; with linux-6.12: ");
});

test("a witness of another architecture is read again", () => {
  const { first } = beside(
    textOf("museum/lazy-cpu-walks-freed-table/lazy-cpu-walks-freed-table.litmus"),
    { machine: "x86", kernel: "linux-6.12+skip-lazy", set: {} },
    { machine: "x86", kernel: "linux-6.12", set: {} },
  );
  expect(first.of.machine).toBe("x86");
});

const exhibits = readdirSync(new URL("museum/", litmus), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".litmus"))
  .sort();

describe("every bug of the museum beside its fix", () => {
  test.each(exhibits)("%s", (path) => {
    const text = textOf(`museum/${path}`);
    const lines = [...text.matchAll(/Result: +(\w+) +(.*)$/gm)].map(([, expected, rest]) => ({
      expected,
      machine: /machine=(\S+)/.exec(rest!)?.[1] ?? "arm64+smmuv3",
      kernel: /kernel=(\S+)/.exec(rest!)?.[1] ?? "linux-6.12",
      set: Object.fromEntries([...rest!.matchAll(/set=(\w+)=(\S+)/g)].map(([, k, v]) => [k, v])),
    }));
    const bug = lines.find((l) => l.expected !== "Never")!;
    const fix = lines.find((l) => l.expected === "Never" && l.machine === bug.machine) ?? lines[1]!;
    const { pairs, differences, first, second } = beside(text, bug, fix);
    expect(differences.length).toBeGreaterThan(0);
    // Every step of both is in one pair, in order.
    const steps = (side: "first" | "second") => pairs.flatMap((p) => p[side] ?? []);
    expect(steps("first")).toEqual(first.steps.map((_, n) => n + 1));
    expect(steps("second")).toEqual(second.steps.map((_, n) => n + 1));
    // Before the first difference both do the same.
    const asTold = (walk: OpenWalk, n: number) =>
      walk.shown(n).events.map((e) => e.replaceAll("smmu-asid", "asid"));
    for (const p of pairs.slice(0, differences[0]!.at)) {
      if (p.first !== null && p.second !== null) {
        expect(asTold(second, p.second)).toEqual(asTold(first, p.first));
      }
    }
  });
});
