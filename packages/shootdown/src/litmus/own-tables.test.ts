// SPDX-License-Identifier: Apache-2.0
// Guests and mirroring devices in scenarios: what their words exclude, and what they cannot do.

import { expect, test } from "vitest";
import { DICTIONARY } from "./dictionary.ts";
import { conditionOf } from "./elaborate.ts";
import { parseScenario } from "./parse.ts";
import { printScenario } from "./print.ts";
import { worldOf } from "./world.ts";

const text = (device: string, program: string) => `MM a
(* What it says here. *)
{ mm A; page P; map A:x -> P; device G in A ${device}; }
CPU0(A) { munmap x; }
G { ${program} }
exists (use_after_free)
`;

const parsed = (device: string, program = "load x;") =>
  parseScenario(text(device, program), { file: "a.litmus", dictionary: DICTIONARY });

test.each([
  ["kvm ats", "'ats' excludes 'kvm'"],
  ["unregistered hmm", "'unregistered' excludes 'hmm'"],
  ["kvm cached x", "'cached' excludes 'kvm'"],
  ["kvm hmm", "'hmm' excludes 'kvm'"],
])("device G in A %s;", (device, message) => {
  const found = parsed(device);
  expect(found.ok).toBe(false);
  if (!found.ok) expect(found.diagnostics[0]).toMatchObject({ code: "L016", message });
});

test.each([
  ["load x;", undefined],
  ["loop { store x; }", undefined],
  ["load x -> r0;", "load is not modelled for a device with page tables of its own"],
  ["page_request x;", "page_request is not modelled for a device with page tables of its own"],
])("G { %s }", (program, why) => {
  const found = parsed("kvm", program);
  if (!found.ok) throw new Error(found.diagnostics[0]!.message);
  const condition = conditionOf(found.scenario, worldOf(found.scenario));
  expect("why" in condition ? condition.why : undefined).toBe(why);
});

test("the canonical text has the word", () => {
  const found = parsed("hmm");
  if (found.ok) expect(printScenario(found.scenario)).toContain("device G in A hmm;");
  expect(found.ok).toBe(true);
});
