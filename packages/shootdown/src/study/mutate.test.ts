// SPDX-License-Identifier: Apache-2.0
// Mutants: what they are, and which of them a scenario kills.

import { expect, test } from "vitest";
import { printDefinition } from "../ir/print.ts";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { parseScenario } from "../litmus/parse.ts";
import { configure } from "./configuration.ts";
import { dropNamed } from "./drop.ts";
import { readExplained, reasonFor } from "./explained.ts";
import { mutantsOf } from "./mutants.ts";
import { Mutator } from "./mutate.ts";

const found = configure("arm64+smmuv3", "linux-6.12", { hafdbs: "no", httu: "no" });
if (!found.ok) throw new Error(found.problem.name);
const { configuration } = found;
const { kernel } = configuration;

const UNMAP = `MM unmap
(* A device reaches no page that munmap has freed. *)
{ mm A; page P; map A:x -> P; device D in A; }
CPU0(A) { munmap x; }
CPU1(A) { loop { access x unhandled; } }
D { loop { access x unhandled; } }
exists (use_after_free)
`;

const textOf = (routine: string, overlay: (typeof mutants)[number]["overlay"]): string =>
  printDefinition(overlay(kernel).routines.get(routine)!, kernel.version);

const mutants = mutantsOf(kernel, "flush_tlb_page_nosync");

test("every mutant of every routine is another routine", () => {
  for (const name of kernel.routines.keys()) {
    const before = printDefinition(kernel.routines.get(name)!, kernel.version);
    for (const m of mutantsOf(kernel, name)) {
      expect(textOf(name, m.overlay), `${m.kind} ${name}:${m.step}`).not.toBe(before);
    }
  }
});

test("flags of the model and branches that ask for them are no statements of a kernel", () => {
  const of = (routine: string) => mutantsOf(kernel, routine);
  const all = ["collapse_huge_page", "change_pte_range", "page_make_device_exclusive_one"].flatMap(
    of,
  );
  expect(
    all.filter((m) => /^(blocks_linked|huge_pages|entries_\w+)\(\) = /.test(m.statement)),
  ).toEqual([]);
  const features = all.filter((m) => /^if \(varies\(\w+\)\)$/.test(m.statement));
  expect(features.map((m) => m.kind)).not.toContain("drop");
  // What is inside has its own; a branch that asks for more is one of the kernel.
  const inside = of("change_pte_range").map((m) => `${m.kind} ${m.statement}`);
  expect(inside).toContain("drop if (pte_protnone(old))");
  const both = mutantsOf(kernel, "madvise_pte_range").map((m) => `${m.kind} ${m.statement}`);
  expect(both.some((m) => m.startsWith("drop if (pte_young(old) ||"))).toBe(true);
});

test("a broadcast becomes local, an order changes, a statement goes", () => {
  const local = mutants.find((m) => m.kind === "local" && m.statement.startsWith("tlbi"));
  expect(textOf("flush_tlb_page_nosync", local!.overlay)).toContain("tlbi(cpu, op: VALE1,");
  const swap = mutants.find((m) => m.kind === "swap" && m.statement.startsWith("dsb"));
  expect(textOf("flush_tlb_page_nosync", swap!.overlay)).toMatch(/tlbi[\s\S]*dsb/);
  const drop = mutants.find((m) => m.kind === "drop" && m.statement.startsWith("tlbi"));
  expect(textOf("flush_tlb_page_nosync", drop!.overlay)).not.toContain("tlbi(");
});

test("an exchange that is dropped reads, a compare-and-exchange says that it stored", () => {
  const step = (routine: string, word: string) =>
    mutantsOf(kernel, routine).find((m) => m.kind === "drop" && m.statement.includes(word))!;
  const cleared = step("ptep_get_and_clear", "xchg_desc");
  expect(textOf("ptep_get_and_clear", cleared.overlay)).toContain("old = *ptep(mm, va);");
  const protect = step("ptep_set_wrprotect", "cmpxchg_desc");
  expect(textOf("ptep_set_wrprotect", protect.overlay)).toContain("ok = true;");
  expect(dropNamed(kernel, `ptep_set_wrprotect:${protect.step}`).ok).toBe(true);
});

test("a scenario kills what it would miss; of what it does not call it says nothing", () => {
  const read = parseScenario(UNMAP, { dictionary: DICTIONARY });
  if (!read.ok) throw new Error("not read");
  const limits = { states_max: 50_000, bytes_max: 2 ** 28 };
  const mutator = new Mutator([{ name: "unmap", scenario: read.scenario, configuration }], limits);
  const judged = mutantsOf(kernel, "__flush_tlb_range").map((m) => ({ ...m, ...mutator.judge(m) }));
  const of = (kind: string, word: string) =>
    judged.filter((m) => m.kind === kind && m.statement.startsWith(word));
  const killed = { killed: true, by: "unmap", equivalent: false };
  expect(of("drop", "mmu_notifier_arch")).toMatchObject([killed]);
  expect(mutator.uses("dup_mmap")).toBe(false);
});

test("equivalent: software does and sees the same; not merely: nothing kills it", () => {
  const read = parseScenario(UNMAP.replace(/^CPU1.*\n/m, ""), { dictionary: DICTIONARY });
  if (!read.ok) throw new Error("not read");
  const limits = { states_max: 50_000, bytes_max: 2 ** 28 };
  const mutator = new Mutator([{ name: "unmap", scenario: read.scenario, configuration }], limits);
  const judged = (routine: string) =>
    mutantsOf(kernel, routine).map((m) => ({ ...m, ...mutator.judge(m) }));
  const zap = judged("zap_pte_range");
  // Another program, and yet nobody sees between the two.
  expect(zap.some((m) => m.equivalent && m.differing > 0)).toBe(true);
  // The page is never given back.
  const kept = zap.find((m) => m.kind === "drop" && m.statement.startsWith("gather_page("));
  expect(kept).toMatchObject({ killed: true, by: "unmap (miscounted)", equivalent: false });
  // No entry is one of a page that was written out.
  const swapped = zap.find((m) => m.kind === "drop" && m.statement.startsWith("set_pte_at("));
  expect(swapped).toMatchObject({ killed: false, equivalent: false, reached: false });
});

test("lines that explain: a routine, a kind, a statement, a reason", () => {
  expect(readExplained("Mutant: f | drop | g();")).toMatchObject({ ok: false, line: 1 });
  const read = readExplained("x\nMutant: f | * | g(a || b); | why | so\n");
  if (!read.ok) throw new Error(read.message);
  const mutant = { routine: "f", kind: "drop", statement: "g(a || b);" };
  expect(reasonFor(read.explained, mutant)).toBe("why | so");
  expect(reasonFor(read.explained, { ...mutant, routine: "h" })).toBeNull();
});
