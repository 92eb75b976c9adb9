// SPDX-License-Identifier: Apache-2.0
// A check as plain text for a mail: at most 75 columns, with the command that repeats it.

import { REDUCTIONS } from "../explore/tiers.ts";
import { detailsOf, litmusText, summaryText } from "./check-text.ts";
import { pad, wrapText } from "./columns.ts";
import { coveredLines } from "./covered.ts";
import type { CheckResult, CheckSummary, LitmusResult, Problem, Reporter } from "./result.ts";
import { witnessLines } from "./witness.ts";

/** What fits into a mail and into two levels of its answers. */
const WIDTH = 75;

const lines = (...text: readonly string[]): string => text.map((l) => `${l}\n`).join("");
const wrapped = (text: string, by = 0): string[] =>
  wrapText(text, WIDTH - by).map((l) => " ".repeat(by) + l);

export class MailReporter implements Reporter {
  private readonly version: string;

  constructor(version: string) {
    this.version = version;
  }

  begin(): string {
    return lines(
      `shootdown ${this.version}, every interleaving searched unless a limit is named.`,
      "",
    );
  }

  file(): string {
    return "";
  }

  run(result: CheckResult): string {
    const { run, shown } = result;
    const expected = run.expected === null ? "" : `, expected ${run.expected}`;
    const verdict = run.ok ? "" : run.observed === "inconclusive" ? "" : "  <-- not as expected";
    const out = [...wrapped(`${run.file}: ${run.property}`)];
    const field = (name: string, value: string) => {
      const [first = "", ...rest] = wrapText(value, WIDTH - 12);
      out.push(`  ${pad(`${name}:`, 10)}${first}`, ...rest.map((l) => " ".repeat(12) + l));
    };
    field("machine", run.machine);
    field("kernel", run.kernel);
    const settings = Object.entries(run.set).map(([k, v]) => `${k}=${v}`);
    if (settings.length > 0) field("knobs", settings.join(" "));
    if (run.drop !== null) field("without", run.drop);
    if (run.without_rules.length > 0) field("rules out", run.without_rules.join(", "));
    field("observed", `${run.observed}${expected}${verdict}`);
    for (const line of coveredLines(run)) out.push(...wrapped(line, 2));
    for (const detail of detailsOf(run)) out.push(...wrapped(detail, 2));
    out.push(...wrapped(`repeat: ${commandFor(result)}`, 2), "");
    if (shown) out.push(...witnessLines(shown, { width: WIDTH }), "");
    return lines(...out);
  }

  litmus(result: LitmusResult): string {
    const { file, test, supported } = result;
    if (!supported) return lines(...wrapped(`${file}: not checked: ${result.reason}`), "");
    const states = result.states.flatMap((state) => wrapped(state.trim(), 2));
    return lines(...wrapped(`${file}: ${test}: ${litmusText(result)}`), ...states, "");
  }

  problems(_file: string, problems: readonly Problem[]): string {
    const told = problems.flatMap((p) => {
      const where = p.line === null ? (p.file ?? "shootdown") : `${p.file}:${p.line}:${p.column}`;
      return wrapped(`${where}: error: ${p.message}`);
    });
    return lines(...told, "");
  }

  end(summary: CheckSummary): string {
    return lines(...wrapped(summaryText(summary)));
  }
}

/** The command that makes this one run. */
export function commandFor({ run }: CheckResult): string {
  const words = ["shootdown check", run.file, `--machine ${run.machine}`, `--kernel ${run.kernel}`];
  for (const [knob, value] of Object.entries(run.set)) words.push(`--set ${knob}=${value}`);
  if (run.drop !== null) words.push(`--drop ${run.drop}`);
  for (const id of run.without_rules) words.push(`--without-rule ${id}`);
  if (run.engine !== "fast") words.push(`--engine ${run.engine}`);
  const reference = run.engine === "reference";
  if (run.semantics !== (reference ? "concrete" : "window")) {
    words.push(`--semantics ${run.semantics}`);
  }
  if (run.reductions.length !== (reference ? 0 : REDUCTIONS.length)) {
    words.push(`--reduce ${run.reductions.join() || "none"}`);
  }
  return words.join(" ");
}
