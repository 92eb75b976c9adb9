// SPDX-License-Identifier: Apache-2.0
// What scenarios may say and the model does not have is refused, not guessed.

import { expect, test } from "vitest";
import { DICTIONARY } from "./dictionary.ts";
import { conditionOf } from "./elaborate.ts";
import { parseScenario } from "./parse.ts";
import { worldOf } from "./world.ts";

function refusal(items: string, programs: string): string | undefined {
  const text = `MM t
(* Something that is not there. *)
{ mm A, B; page P; map A:x -> P; ${items} }
${programs}
exists (use_after_free)\n`;
  const parsed = parseScenario(text, { file: "t.litmus", dictionary: DICTIONARY });
  if (!parsed.ok) throw new Error(parsed.diagnostics.map((d) => d.message).join("; "));
  const condition = conditionOf(parsed.scenario, worldOf(parsed.scenario));
  return "why" in condition ? condition.why : undefined;
}

test.each([
  ["one device", "device D in A;", undefined],
  ["two devices in two mms", "device D in A; device E in B;", undefined],
  [
    "two devices in one mm",
    "device D in A; device E in A;",
    "set_cd is not modelled where two devices use one mm",
  ],
])("a context descriptor of %s", (_, items, why) => {
  expect(refusal(items, "CPU0(A) { set_cd D invalid; free P; }\nD { load x -> r0; }")).toBe(why);
});
