// SPDX-License-Identifier: Apache-2.0
// Every exhibit says what it shows; the museum's index says what the exhibits say.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DICTIONARY } from "../packages/shootdown/src/litmus/dictionary.ts";
import { parseScenario } from "../packages/shootdown/src/litmus/parse.ts";
import type { Exhibit } from "../packages/shootdown/src/study/museum.ts";
import { exhibitOf, museum } from "../packages/shootdown/src/study/museum.ts";

const folder = join(import.meta.dirname, "../litmus/museum");
const paths = readdirSync(folder, { recursive: true })
  .map(String)
  .filter((p) => p.endsWith(".litmus"));

const exhibit = (path: string, text: string | Buffer): Exhibit | string => {
  const parsed = parseScenario(text, { file: path, dictionary: DICTIONARY });
  if (!parsed.ok) throw new Error(parsed.diagnostics[0]!.message);
  return exhibitOf(path, parsed.scenario);
};

test.each(paths)("%s says what it shows", (path) => {
  expect(exhibit(path, readFileSync(join(folder, path)))).toMatchObject({ path });
});

test("the index is up to date, and all that it links to is there", () => {
  const found = paths.map((p) => exhibit(p, readFileSync(join(folder, p))) as Exhibit);
  const text = readFileSync(join(folder, "README.md"), "utf8");
  expect(text).toBe(museum(found));
  const links = [...text.matchAll(/\]\(([^)]+)\)/g)].map((m) => m[1]!);
  expect(links.filter((l) => !existsSync(join(folder, l)))).toEqual([]);
  expect(links.length).toBe(paths.length + 1);
});

const head = `Fixes: 6bbd42e2df8f ("a title")
 * Versions: up to 6.5
 * Class: missing
 * Witness: CPU0 writes; D faults for ever
 *
 * Result: Sometimes kernel=linux-6.1
 * Result: Never kernel=linux-6.12`;

test.each([
  [head, { fixes: '6bbd42e2df8f ("a title")', versions: "up to 6.5", bug_class: "missing" }],
  [head.replace("Fixes", "Fixed"), "a.litmus: neither Fixes: nor Hypothesis:"],
  [head.replace("Witness", "Witnesses"), "a.litmus: no Witness:"],
  [head.replace("Class: missing", "Class: lost"), "a.litmus: no class of bugs is lost"],
  [head.replace("Never", "Sometimes"), "a.litmus: it must be found, and never when fixed"],
])("a head: %s", (text, result) => {
  const rest = "{ mm A; page P; map A:x -> P; }\nCPU0(A) { load x; }\nexists (use_after_free)\n";
  const found = exhibit("a.litmus", `MM a\n(* What went wrong.\n *\n * ${text}\n *)\n${rest}`);
  if (typeof result === "string") expect(found).toBe(result);
  else expect(found).toMatchObject(result);
});
