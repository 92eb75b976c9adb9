// SPDX-License-Identifier: Apache-2.0
// `shootdown list [KIND]`: names, one a line.

import { readFileSync } from "node:fs";
import { Argument, type Command } from "commander";
import { cutTo, listNames, NAME_KINDS, type NameKind, parseScenario } from "../api/index.ts";
import { shippedInputs } from "./files.ts";
import { addCommon, type CommonOptions } from "./options.ts";
import { columnsOf, out } from "./output.ts";

const KINDS = ["scenarios", ...NAME_KINDS] as const;
type Kind = (typeof KINDS)[number];

const EXAMPLES = `
Without a kind all names are listed. A machine is named by its parts and a
kernel by a version and overlays; the parts and overlays are listed with a \`+\`.

Examples:
  shootdown list kernels -v
  shootdown list routines | grep tlb
  shootdown check $(shootdown list scenarios | head -1)`;

interface ListedName {
  readonly type: "name";
  readonly kind: Kind;
  readonly name: string;
  readonly describes: string;
}

export function register(command: Command): void {
  const kind = new Argument("[kind]", "what to list").choices(KINDS);
  addCommon(command.addArgument(kind), ["text", "ndjson"])
    .addHelpText("after", EXAMPLES)
    .action(list);
}

function list(kind: Kind | undefined, options: CommonOptions): void {
  const kinds = kind === undefined ? KINDS : [kind];
  const names = kinds.flatMap((k) => (k === "scenarios" ? scenarios() : ofModel(k)));
  if (options.format === "ndjson") {
    out(names.map((n) => `${JSON.stringify(n)}\n`).join(""));
    out(`${JSON.stringify({ type: "summary", names: names.length })}\n`);
    return;
  }
  const width = Math.max(...names.map((n) => n.name.length));
  const lines = names.map(({ name, kind: k, describes }) => {
    if (!options.verbose) return name;
    const of = kind === undefined ? `${k.padEnd(12)}` : "";
    const line = `${of}${name.padEnd(width)}  ${describes}`;
    return process.stdout.isTTY ? cutTo(line, columnsOf(process.stdout)) : line;
  });
  out(lines.map((l) => `${l}\n`).join(""));
}

const ofModel = (kind: NameKind): ListedName[] => listNames(kind);

/** The shipped library, with the first paragraph of each intent. */
function scenarios(): ListedName[] {
  return shippedInputs().map(({ name, path }) => {
    const read = parseScenario(readFileSync(path), name);
    const describes = read.ok ? (read.scenario.intent.paragraphs[0] ?? "") : "";
    return { type: "name", kind: "scenarios", name, describes };
  });
}
