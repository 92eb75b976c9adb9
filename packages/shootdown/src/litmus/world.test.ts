// SPDX-License-Identifier: Apache-2.0
// Initial state that says what a model is to look at: whether several CPUs change entries.

import { expect, test } from "vitest";
import { entries_race } from "../kernel/state.ts";
import { DICTIONARY } from "./dictionary.ts";
import { parseScenario } from "./parse.ts";
import { worldOf } from "./world.ts";

/** Whether entries race in a scenario of these programs. */
function race(programs: string): boolean {
  const text = `MM race
(* Who changes entries, and how many do. *)
{ mm A; page P, Q; map A:x -> P; map A:y -> Q; device D in A; }
${programs}
exists (use_after_free)`;
  const parsed = parseScenario(text, { dictionary: DICTIONARY });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.diagnostics));
  return worldOf(parsed.scenario).initial.some(({ field }) => field === entries_race.decl);
}

test("entries race where two agents change some: by a call, a routine or a fault", () => {
  expect(race("CPU0(A) { munmap x; } CPU1(A) { mprotect y read-only; }")).toBe(true);
  expect(race("CPU0(A) { munmap x; } CPU1 { shrink_folio_list(Q); }")).toBe(true);
  expect(race("CPU0(A) { munmap x; } CPU1(A) { store y; }")).toBe(true);
  expect(race("CPU0(A) { munmap x; } D { access x..y; }")).toBe(true);
});

test("who only accesses, and has no faults handled, changes none", () => {
  expect(race("CPU0(A) { munmap x; }")).toBe(false);
  const only = "loop { access x..y unhandled; }";
  expect(race(`CPU0(A) { munmap x; } CPU1(A) { ${only} } D { ${only} }`)).toBe(false);
});
