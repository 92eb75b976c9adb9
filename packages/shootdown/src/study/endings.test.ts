// SPDX-License-Identifier: Apache-2.0
// What is asked of every ending: each property is found where one statement is missing, and not
// before; and programs that never end are cut so that they do.

import { expect, test } from "vitest";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { parseScenario } from "../litmus/parse.ts";
import { Checker } from "./check.ts";
import { configure } from "./configuration.ts";
import { ending, endingsOf, GENERAL } from "./endings.ts";
import { mutantsOf } from "./mutants.ts";
import { Mutator } from "./mutate.ts";

const scenarioOf = (programs: string, condition: string, edit = "") => {
  const text = `MM endings
(* What is left. *)
{ mm A; page P, Q; va x, z; map A:x -> P; map A:z -> Q; }
${edit === "" ? "" : `kernel { ${edit} }`}
${programs}
exists (${condition})
`;
  const read = parseScenario(text, { dictionary: DICTIONARY });
  if (!read.ok) throw new Error(read.diagnostics.map((d) => d.message).join());
  const found = configure("arm64", "linux-6.12", { hafdbs: "no" }, read.scenario);
  if (!found.ok) throw new Error(found.problem.name);
  return { scenario: read.scenario, configuration: found.configuration };
};
type Case = ReturnType<typeof scenarioOf>;

const PROTECT = "CPU0(A) { mprotect x read-only; }";
const BOTH = `${PROTECT} CPU1(A) { madvise x DONTNEED; }`;
const ZAP = "CPU0(A) { madvise x DONTNEED; }";

test.each([
  ["left_held", PROTECT, 'in change_pte_range: drop "spin_unlock_ptl(mm);";'],
  ["left_held", ZAP, "in zap_page_range_single: drop 5;"],
  ["left_held", ZAP, "in zap_page_range_single: drop 7;"],
  ["deadlocked", BOTH, 'in change_pte_range: drop "spin_unlock_ptl(mm);";'],
  ["without_ptl", PROTECT, "in change_pte_range: drop 4;"],
  ["unbalanced", ZAP, "in zap_page_range_single: drop 2;"],
  ["miscounted", ZAP, "in tlb_flush_mmu_free: drop 11;"],
  ["lost_table", "CPU0(A) { munmap x..z; }", 'in tlb_flush_mmu_free: drop "free_table(table);";'],
])("%s: %s %s", (property, programs, edit) => {
  const observed = ({ scenario, configuration }: Case) => {
    const limits = { states_max: 20_000, bytes_max: 2 ** 28 };
    const options = { semantics: "window", limits, dependsOn: false } as const;
    return new Checker(scenario).check(configuration, options).observed;
  };
  expect(observed(scenarioOf(programs, property))).toBe("never");
  expect(observed(scenarioOf(programs, property, edit))).not.toBe("never");
});

test("loops of accesses are made once, or not at all where nobody handles them", () => {
  const bodies = (programs: string) =>
    ending(scenarioOf(programs, "stale_access").scenario).bodies.map((b) => b.statements.length);
  expect(bodies("CPU0(A) { store x; loop { access x unhandled; } }")).toEqual([1]);
  expect(bodies("CPU0(A) { loop { access x; access z; } }")).toEqual([2]);
  // What it stores itself it stores without a lock.
  expect(bodies("CPU0(A) { set_pte x none; store z; set_pte z none; }")).toEqual([2]);
});

const violatedBy = (programs: string, edit: string, states_max = 5_000) => {
  const { scenario, configuration } = scenarioOf(programs, "stale_access", edit);
  const checker = new Checker(ending(scenario));
  const limits = { states_max: 1, bytes_max: 1 };
  const options = { semantics: "window", limits, dependsOn: false } as const;
  const [choice] = checker.choices(configuration, options);
  const endings = endingsOf(choice!.program, checker.world, states_max);
  return typeof endings === "string" ? endings : [...endings.violated].sort();
};

test("every general property is asked of every ending, at once", () => {
  const edit = "in change_pte_range: drop 4; in tlb_flush_mmu_free: drop 11;";
  const both = "CPU0(A) { mprotect x read-only; madvise x DONTNEED; loop { access z unhandled; } }";
  expect(violatedBy(both, edit)).toEqual(["miscounted", "unheld", "without_ptl"]);
  expect(GENERAL).toEqual(expect.arrayContaining(["miscounted", "without_ptl"]));
  expect(violatedBy(both, edit, 5)).toBe("large");
});

test.each([
  [PROTECT, 'in do_mprotect_pkey: drop "mmap_write_lock(mm);";', ["unheld"]],
  [ZAP, "in tlb_flush_mmu_free: before 11 { folio_lock(pfn); }", ["bad_page", "left_held"]],
])("of single steps: %s %s", (programs, edit, violated) => {
  expect(violatedBy(programs, "")).toEqual([]);
  expect(violatedBy(programs, edit)).toEqual(violated);
});

test("a mutant that no result tells is killed by a property, or as it ends otherwise", () => {
  const protect = scenarioOf(PROTECT, "stale_access");
  const cold = scenarioOf("CPU0(A) { madvise x COLD; }", "stale_access");
  const limits = { states_max: 20_000, bytes_max: 2 ** 28 };
  const runs = [
    { name: "protect", ...protect },
    { name: "cold", ...cold },
  ];
  const mutator = new Mutator(runs, limits);
  const judged = (statement: string, routine = "change_pte_range") => {
    const all = mutantsOf(protect.configuration.kernel, routine);
    return mutator.judge(all.find((m) => m.kind === "drop" && m.statement.startsWith(statement))!);
  };
  expect(judged("pte_offset_map_lock(")).toMatchObject({ by: "protect (unheld)" });
  expect(judged("spin_unlock_ptl(")).toMatchObject({ how: "property", killed: true });
  const ends = { how: "ending", by: "cold (ends otherwise)" };
  expect(judged("clear_young_dirty_ptes(", "madvise_pte_range")).toMatchObject(ends);
  // Reuse is asked for by what makes pages writable: nothing gets to what is inside.
  const writable = judged("set_pte_at(cpu, mm, va, entry: pte_mkwrite(");
  expect(writable).toMatchObject({ killed: false, reached: false, differing: 0 });
});
