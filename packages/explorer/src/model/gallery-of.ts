// SPDX-License-Identifier: Apache-2.0
// The gallery from the files of litmus/: the bugs of the museum first, then the rest by folder.

import type { parseScenario } from "shootdown";
import type { Configuration } from "../engine/engine.ts";
import type { Gallery, GalleryGroup, GalleryItem } from "./gallery.ts";
import { counterparts } from "./verdict.ts";

export type ParseScenario = typeof parseScenario;

interface File {
  /** Below litmus/. */
  readonly path: string;
  readonly text: string;
}

/** Folders whose names say less than a title. */
const TITLES: Readonly<Record<string, string>> = {
  "permission-upgrade": "permission upgrades",
  museum: "bugs that were fixed",
};
const FIRST = Object.keys(TITLES);

export function galleryOf(files: readonly File[], parse: ParseScenario): Gallery {
  const groups = new Map<string, GalleryItem[]>(FIRST.map((name) => [name, []]));
  for (const file of files) {
    const item = itemOf(file, parse);
    if (!item) continue;
    const folder = file.path.split("/").slice(0, -1);
    const name = folder[0] === "museum" ? "museum" : folder.join("/");
    groups.set(name, [...(groups.get(name) ?? []), item]);
  }
  const shown = [...groups].filter(([, items]) => items.length > 0);
  return { groups: shown.map(([name, items]): GalleryGroup => ({ title: titleOf(name), items })) };
}

const titleOf = (name: string): string => TITLES[name] ?? name.replaceAll("-", " ");

/** Undefined for what is no scenario of ours, as tests of herd. */
function itemOf({ path, text }: File, parse: ParseScenario): GalleryItem | undefined {
  const read = parse(text, path);
  if (!read.ok) return undefined;
  const { name, intent, expectations } = read.scenario;
  const configured = expectations.map((e) => ({
    expected: e.observation.text.toLowerCase(),
    line: e.span.line,
    machine: e.machine?.text ?? "arm64+smmuv3",
    kernel: e.kernel?.text ?? "linux-6.12",
    set: Object.fromEntries(e.set.map((s) => [s.knob.text, s.value.text])),
  }));
  const bug = configured.find((c) => c.expected !== "never") ?? configured[0];
  if (!bug) return undefined;
  const isFound = bug.expected !== "never";
  const nearest = isFound ? counterparts(configured, bug, bug.expected) : [];
  const fix = nearest.find((c) => c.expected === "never");
  const plain = ({ machine, kernel, set }: Configuration): Configuration => ({
    machine,
    kernel,
    set,
  });
  return {
    path,
    name: name.text,
    sentence: sentenceOf(intent.paragraphs),
    text,
    bug: plain(bug),
    fix: fix ? plain(fix) : null,
    is_found: isFound,
    ...storyOf(intent.paragraphs.join(" ")),
  };
}

/** What the head of a bug says of its fix: the commit's title, and the versions that had it. */
function storyOf(intent: string): Pick<GalleryItem, "fixes" | "versions"> {
  const [, commit, title] = /\bFixes:\s+(not known|[0-9a-f]{12})\s+\("(.+?)"\)/.exec(intent) ?? [];
  const versions = /\bVersions:\s+(.+?)(?=\s+(?:Class|Witness|Fixes):|$)/.exec(intent)?.[1];
  const named = commit === "not known" ? "" : ` (${commit})`;
  return { fixes: title === undefined ? null : `${title}${named}`, versions: versions ?? null };
}

function sentenceOf(paragraphs: readonly string[]): string {
  const [first = ""] = paragraphs;
  return (/^.*?[.:!?](?=\s|$)/s.exec(first)?.[0] ?? first).replace(/\s+/g, " ").replace(/:$/, ".");
}
