// SPDX-License-Identifier: Apache-2.0
// `shootdown show NAME`: a routine, a part of hardware, a property as C-like text; a rule in words.

import { readFileSync } from "node:fs";
import type { Command } from "commander";
import {
  type Problem,
  parseScenario,
  problem,
  type Scenario,
  type ShownRule,
  showName,
  wrapText,
} from "../api/index.ts";
import { InputError, readInput, shippedInputs } from "./files.ts";
import { addCommon, type CommonOptions, reportAll, USAGE } from "./options.ts";
import { columnsOf, out } from "./output.ts";

const EXAMPLES = `
NAME is a routine of the kernel, a part of hardware, a property, or the id of a
rule of the hardware notes: then what it says is shown, the scenarios whose result
hangs on it, and all that implements it. The numbers at the left are the steps
that witnesses and \`check --drop ROUTINE:STEP\` name.

Examples:
  shootdown show ptep_set_access_flags --kernel linux-6.1
  shootdown show flush_tlb_page
  shootdown show flush_tlb_page --scenario patch.litmus --kernel linux-6.12+mine
  shootdown show dsb
  shootdown show A20`;

interface Options extends CommonOptions {
  readonly scenario?: string;
  readonly kernel?: string;
}

export function register(command: Command): void {
  addCommon(command.argument("<name>"), ["text", "ndjson"])
    .option("--kernel <kernel>", "at which kernel (default: the newest that has it)")
    .option("--scenario <file>", "with the kernel blocks of a scenario")
    .addHelpText("after", EXAMPLES)
    .action(show);
}

function show(name: string, options: Options): void {
  const scenario = options.scenario === undefined ? undefined : readScenario(options);
  if (scenario === null) return;
  const found = showName(name, options.kernel, scenario);
  if (!found.ok) {
    reportAll([problem(found.message, { note: found.note })], options.format);
    process.exitCode = USAGE;
    return;
  }
  if (options.format === "ndjson") {
    for (const shown of found.shown) {
      const also = shown.type === "rule" ? { scenarios: scenariosOn(shown.name) } : {};
      out(`${JSON.stringify({ ...shown, ...also })}\n`);
    }
    out(`${JSON.stringify({ type: "summary", shown: found.shown.length })}\n`);
    return;
  }
  out(found.shown.map((s) => (s.type === "rule" ? ruleText(s) : s.text)).join("\n"));
}

/** The scenario that `--scenario` names; null after a reported mistake. */
function readScenario({ scenario: path = "", format }: Options): Scenario | null {
  let problems: readonly Problem[];
  try {
    const read = parseScenario(readInput({ path, name: path === "-" ? "<stdin>" : path }), path);
    if (read.ok) return read.scenario;
    problems = read.problems;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    problems = [problem(error.message, { file: error.path })];
  }
  reportAll(problems, format);
  process.exitCode = USAGE;
  return null;
}

/** Shipped scenarios whose head says that a result hangs on the rule. */
function scenariosOn(id: string): string[] {
  return shippedInputs().flatMap(({ name, path }) => {
    const read = parseScenario(readFileSync(path), name);
    const rules = read.ok ? (read.scenario.labels.Rules ?? []) : [];
    return rules.some((rule) => rule.text === id) ? [name] : [];
  });
}

function ruleText(rule: ShownRule): string {
  const { name, title, says, source, status, files, hardware } = rule;
  const width = columnsOf(process.stdout);
  const field = (label: string, words: readonly string[]) =>
    words.length === 0 ? [] : hanging(`  ${label}: `, words.join(", "), width);
  const lines = [
    `${name}: ${title}`,
    ...hanging("  ", says, width),
    ...field("source", [source]),
    ...field("not modelled", status.kind === "notModelled" ? [status.why] : []),
    ...field("follows from", status.kind === "follows" ? status.from : []),
    ...field("files", files),
    ...field("hardware", hardware),
    ...field("scenarios", scenariosOn(name)),
  ];
  return lines.map((l) => `${l}\n`).join("");
}

/** Further lines begin below the text of the first. */
function hanging(label: string, text: string, width: number): string[] {
  const [first = "", ...rest] = wrapText(text, width - label.length);
  return [label + first, ...rest.map((l) => " ".repeat(label.length) + l)];
}
