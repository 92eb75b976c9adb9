// SPDX-License-Identifier: Apache-2.0
// What can stand at a place of a scenario: names of the model where they fit, and its own.
//
//   Result: Never  machine=arm64+sm|  kernel=linux-6.12+no|  set=hafdbs=|
//   CPU0(A) { mprot|

import type { Named, StatementName } from "shootdown";

export interface Words {
  readonly names: readonly Named[];
  readonly statements: readonly StatementName[];
}

export interface Completion {
  readonly label: string;
  readonly kind:
    | "machine"
    | "kernel"
    | "knob"
    | "value"
    | "routine"
    | "statement"
    | "name"
    | "word";
  readonly info: string;
}

export interface Completions {
  /** Where the word begins that they stand for. */
  readonly from: number;
  readonly all: readonly Completion[];
}

/** Completions of a text at a place; null where nothing is known. */
export function completionsAt(text: string, at: number, words: Words): Completions | null {
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  const [, key = "", value = ""] = /(?:^|\s)(machine|kernel|set)=(\S*)$/.exec(line) ?? [];
  if (key === "machine" || key === "kernel") return partsOf(text, at, key, { value, words });
  if (key === "set") return settings(at, value, words);
  const [word = ""] = /[A-Za-z_][\w-]*$/.exec(line) ?? [];
  const from = at - word.length;
  if (/Result:/.test(line)) return { from, all: OF_RESULT };
  if (isComment(text, at)) return null;
  const own = ownNames(text);
  const routines = words.names.filter((n) => n.kind === "routines");
  const properties = words.names.filter((n) => n.kind === "properties");
  const isCondition = /(?:^|\n)\s*~?(?:exists|forall)\b[^\n]*$/.test(text.slice(0, at));
  const all: Completion[] = isCondition
    ? properties.map((p) => ({ label: p.name, kind: "word", info: p.describes }))
    : [
        ...words.statements.map(({ name, args }): Completion => {
          return { label: name, kind: "statement", info: args === "" ? "" : `${name} ${args}` };
        }),
        ...routines.map((r): Completion => {
          return { label: r.name, kind: "routine", info: r.describes };
        }),
      ];
  return { from, all: [...own, ...all, ...KEYWORDS] };
}

const word = (label: string, info = ""): Completion => ({ label, kind: "word", info });

const OF_RESULT: readonly Completion[] = [
  ...["Never", "Sometimes", "Always"].map((w) => word(w)),
  ...["machine=", "kernel=", "set="].map((w) => word(w)),
];

const KEYWORDS: readonly Completion[] = [
  ...["mm", "page", "map", "vma", "device", "exists", "forall", "loop", "kernel"].map((w) =>
    word(w),
  ),
  ...["read-only", "writable", "exclusive", "shared", "anonymous", "file"].map((w) => word(w)),
];

/** The first part of a machine's or kernel's name, or one more. */
function partsOf(
  text: string,
  at: number,
  key: "machine" | "kernel",
  { value, words }: { readonly value: string; readonly words: Words },
): Completions {
  const plus = value.lastIndexOf("+");
  const listed = words.names.filter((n) => n.kind === `${key}s`);
  const isPart = (n: Named) => n.name.startsWith("+");
  const completion = ({ name, describes }: Named): Completion => {
    return { label: name.replace(/^\+/, ""), kind: key, info: describes };
  };
  if (plus < 0) {
    const from = at - value.length;
    return { from, all: listed.filter((n) => !isPart(n)).map(completion) };
  }
  const taken = value.split("+");
  const blocks = key === "kernel" ? ownBlocks(text) : [];
  const parts = [...blocks, ...listed.filter(isPart).map(completion)];
  const from = at - (value.length - plus - 1);
  return { from, all: parts.filter((p) => !taken.includes(p.label)) };
}

function settings(at: number, setting: string, { names }: Words): Completions {
  const knobs = names.filter((n) => n.kind === "knobs");
  const equals = setting.indexOf("=");
  if (equals < 0) {
    const all = knobs.map(({ name, describes }): Completion => {
      return { label: `${name}=`, kind: "knob", info: describes };
    });
    return { from: at - setting.length, all };
  }
  const knob = knobs.find((k) => k.name === setting.slice(0, equals));
  const values = knob?.describes.split(": ")[0]?.split("|") ?? [];
  const all = values.map((label): Completion => ({ label, kind: "value", info: "" }));
  return { from: at - (setting.length - equals - 1), all };
}

function isComment(text: string, at: number): boolean {
  const before = text.slice(0, at);
  return before.lastIndexOf("(*") > before.lastIndexOf("*)");
}

/** Named `kernel` blocks of the scenario. */
const ownBlocks = (text: string): Completion[] =>
  [...text.matchAll(/^\s*kernel\s+([\w-]+)[^{\n]*\{/gm)].map(([, label = ""]) => {
    return { label, kind: "kernel", info: "a kernel block of this scenario" };
  });

/** What the scenario declares itself: processes, pages, addresses, devices, CPUs. */
function ownNames(text: string): Completion[] {
  const found = new Map<string, string>();
  for (const [, what = "", name = ""] of text.matchAll(/\b(mm|page|device)\s+([A-Za-z]\w*)/g)) {
    found.set(name, what);
  }
  for (const [, name = ""] of text.matchAll(/\bmap\s+\w+:([A-Za-z]\w*)/g))
    found.set(name, "address");
  for (const [, name = ""] of text.matchAll(/^([A-Za-z]\w*)(?=\s*(?:\([^)]*\))?\s*\{)/gm)) {
    if (name !== "kernel" && !found.has(name)) found.set(name, "program");
  }
  return [...found].map(([label, info]) => ({ label, kind: "name", info }));
}
