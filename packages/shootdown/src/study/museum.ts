// SPDX-License-Identifier: Apache-2.0
// The museum: bugs that were fixed, one a scenario, as a table (litmus/museum/README.md).
//
//   (*
//    * What went wrong, in a sentence.
//    *
//    * Fixes: eb66ae030829 ("mremap: properly flush TLB before releasing the page")
//    * Versions: up to 4.18
//    * Class: late
//    * Witness: C0 moves the page; C1 truncates it; C2 writes through its old entry
//    *
//    * Result: Sometimes  kernel=linux-6.12+mremap-late-flush      the kernel with the bug
//    * Result: Never      kernel=linux-6.12                        and without
//    *)

import type { Scenario } from "../litmus/ast.ts";

const FIELDS = ["Fixes", "Hypothesis", "Versions", "Class", "Witness"] as const;
type Field = (typeof FIELDS)[number];

/** What kind of mistake a bug is. */
export const BUG_CLASSES: Readonly<Record<string, string>> = {
  missing: "an invalidation that did not happen",
  size: "a range that was too small, too large or wrong",
  order: "right steps in the wrong order",
  late: "an invalidation after the page could be used again",
  id: "an ASID, PASID or VMID that somebody else still used",
  hardware: "hardware that did not do what it should",
  contract: "a notifier called, or not called, against its contract",
  walk: "page tables that went away under a walker",
  completion: "a wait that ended early, or never",
};

/** One exhibit. */
export interface Exhibit {
  /** Path of the scenario from the museum's folder. */
  readonly path: string;
  readonly scenario: Scenario;
  /** The commit that fixed it with its title; or what it rests on, if nothing has been fixed. */
  readonly fixes: string;
  readonly versions: string;
  readonly bug_class: string;
  readonly witness: string;
}

/** What the head of a scenario says, or what is missing from it. */
export function exhibitOf(path: string, scenario: Scenario): Exhibit | string {
  const said = fieldsOf(scenario.intent.paragraphs);
  const fixes = said.get("Fixes") ?? said.get("Hypothesis");
  if (fixes === undefined) return `${path}: neither Fixes: nor Hypothesis:`;
  const missing = (["Versions", "Class", "Witness"] as const).find((f) => !said.has(f));
  if (missing) return `${path}: no ${missing}:`;
  const bug_class = said.get("Class")!;
  if (!Object.hasOwn(BUG_CLASSES, bug_class)) return `${path}: no class of bugs is ${bug_class}`;
  const seen = new Set(scenario.expectations.map((e) => e.observation.text));
  if (!seen.has("Never") || seen.size < 2) return `${path}: it must be found, and never when fixed`;
  const [versions, witness] = [said.get("Versions")!, said.get("Witness")!];
  return { path, scenario, fixes, versions, bug_class, witness };
}

/** `Fixes: ... Versions: ...`: lines of a comment that were joined to paragraphs. */
function fieldsOf(paragraphs: readonly string[]): ReadonlyMap<Field, string> {
  const found = new Map<Field, string>();
  const key = new RegExp(`(?:^|\\s)(${FIELDS.join("|")}):\\s+`);
  for (const paragraph of paragraphs) {
    const parts = paragraph.split(key);
    for (let i = 1; i < parts.length; i += 2) found.set(parts[i] as Field, parts[i + 1]!.trim());
  }
  return found;
}

const cell = (text: string): string => text.replaceAll("|", "\\|");

/** The index, as Markdown; exhibits by class, then by path. */
export function museum(exhibits: readonly Exhibit[]): string {
  const row = (e: Exhibit): string => {
    const [, commit, title] = /^([0-9a-f]{12}|not known)\s+\("(.+)"\)$/.exec(e.fixes) ?? [];
    const name = `[${e.path.replace(/\.litmus$/, "").replace(/^(.*)\/\1$/, "$1")}](${e.path})`;
    const fix = title === undefined ? e.fixes : commit === "not known" ? "" : `\`${commit}\``;
    return `| ${[name, fix, title ?? "", e.versions, e.witness].map(cell).join(" | ")} |`;
  };
  const section = ([name, what]: readonly [string, string]): string[] => {
    const own = exhibits.filter((e) => e.bug_class === name);
    if (own.length === 0) return [];
    const rows = own.sort((a, b) => (a.path < b.path ? -1 : 1)).map(row);
    const head = ["| scenario | commit | title | versions | witness |", "|---|---|---|---|---|"];
    return [`## ${name}: ${what}`, "", ...head, ...rows, ""];
  };
  return [
    "# The museum of bugs",
    "",
    "Each scenario was written from the story of a bug: found in the kernel that had it, never",
    "found in one that differs by the fix alone. `shootdown check litmus/museum` runs all of them.",
    "What is not here, and why, is in [LEFT-OUT.md](LEFT-OUT.md). This page is written by",
    "`npm run museum`.",
    "",
    ...Object.entries(BUG_CLASSES).flatMap(section),
  ].join("\n");
}
