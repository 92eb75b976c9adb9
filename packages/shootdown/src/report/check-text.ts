// SPDX-License-Identifier: Apache-2.0
// A check as text for a terminal: a line a run under the name of its file, then what went wrong.
//
//   litmus/permission-upgrade/upgrade.litmus: stuck(D)
//     ok    sometimes     164  17  arm64+smmuv3      linux-6.1   hafdbs=no httu=no

import { printable } from "../base/diagnostic.ts";
import { breakWords, columns, type Paint, pad, plain, type Tone, wrapText } from "./columns.ts";
import { coveredLines } from "./covered.ts";
import type {
  CheckedFile,
  CheckResult,
  CheckRun,
  CheckSummary,
  LitmusResult,
  Reporter,
} from "./result.ts";
import { witnessLines } from "./witness.ts";

export interface TextStyle {
  readonly width: number;
  readonly paint?: Paint;
  /** Only what is not as expected. */
  readonly quiet?: boolean;
  /** Also what a verdict depends on, and every witness. */
  readonly verbose?: boolean;
}

/** Where the configuration begins. */
const CONFIGURATION = 34;

const lines = (...text: readonly string[]): string => text.map((l) => `${l}\n`).join("");

export class TextReporter implements Reporter {
  private readonly style: Required<TextStyle>;
  private file_: CheckedFile | undefined;
  private headed = false;

  constructor(style: TextStyle) {
    this.style = { paint: plain, quiet: false, verbose: false, ...style };
  }

  begin(): string {
    return "";
  }

  file(file: CheckedFile): string {
    this.file_ = file;
    this.headed = false;
    return this.style.quiet ? "" : this.head();
  }

  /** The line above the first run that is shown. */
  private head(): string {
    if (this.headed || !this.file_) return "";
    this.headed = true;
    const { file, property, common } = this.file_;
    const { width, paint } = this.style;
    const settings = settingsOf(common, {}).join(" ");
    const whole = `${printable(file)}: ${property}${settings === "" ? "" : ` with ${settings}`}`;
    return lines(...wrapText(whole, width).map((l) => paint("strong", l)));
  }

  run(result: CheckResult, path: string | null): string {
    const { run, shown } = result;
    const { quiet, verbose, width, paint } = this.style;
    if (quiet && run.ok) return "";
    const out = runLines(run, this.file_?.common ?? {}, width, paint);
    const detail = (text: string) => out.push(...indented(text, 8, width));
    if (!run.ok && run.observed !== "inconclusive") {
      const file = printable(run.file);
      const at = run.line === null ? file : `${file}:${run.line}`;
      out.push(`        ${at}: expected ${run.expected}`);
    }
    for (const line of coveredLines(run)) detail(line);
    if (run.drop !== null) detail(`without ${run.drop}`);
    if (run.without_rules.length > 0) detail(rulesOut(run));
    if (verbose) for (const line of detailsOf(run)) detail(line);
    if (verbose && result.cells?.length) detail(`cells: ${result.cells.join("; ")}`);
    if (path !== null) detail(`witness: ${path}`);
    if (shown && (verbose || !run.ok)) {
      const style = { width: width - 4, paint };
      out.push("", ...witnessLines(shown, style).map((l) => `    ${l}`.trimEnd()), "");
    }
    return this.head() + lines(...out);
  }

  litmus(result: LitmusResult): string {
    const { paint, width, quiet, verbose } = this.style;
    const file = lines(paint("strong", printable(result.file)));
    if (!result.supported) {
      const mark = lines(`  ${paint("unsure", "?")}     not checked:`);
      return file + mark + lines(...indented(result.reason, 8, width));
    }
    if (quiet) return "";
    const states = verbose ? result.states.flatMap((s) => indented(s.trim(), 8, width)) : [];
    return file + lines(`  ${paint("faint", "-")}     ${litmusText(result)}`, ...states);
  }

  problems(): string {
    return "";
  }

  end(summary: CheckSummary): string {
    if (this.style.quiet) return "";
    return lines(...wrapText(summaryText(summary), this.style.width));
  }
}

/** `Forbidden (Never), 0 of 3 final states, protocol` */
export function litmusText(result: LitmusResult & { readonly supported: true }): string {
  const { verdict, observation, states, positive, mode, ets2 } = result;
  const how = ets2 ? `${mode} with ets2` : mode;
  const count = `${positive} of ${states.length} final state${states.length === 1 ? "" : "s"}`;
  return `${verdict} (${observation}): ${count}, ${how}`;
}

/** `24 runs: 24 as expected; 12345 states in 1.8 s` */
export function summaryText(s: CheckSummary): string {
  const counts: readonly (readonly [number, string])[] = [
    [s.ok - s.unjudged, "as expected"],
    [s.unjudged, "without an expectation"],
    [s.failed, "not as expected"],
    [s.inconclusive, "inconclusive"],
    [s.decided, s.decided === 1 ? "test of herd decided" : "tests of herd decided"],
    [s.unsupported, s.unsupported === 1 ? "file not checked" : "files not checked"],
    [s.errors, s.errors === 1 ? "file with mistakes" : "files with mistakes"],
  ];
  const parts = counts.filter(([n]) => n > 0).map(([n, what]) => `${n} ${what}`);
  if (s.interrupted) parts.push("interrupted");
  if (parts.length === 0) parts.push("nothing to check");
  const runs = s.runs === 1 ? "1 run" : `${s.runs} runs`;
  return `${runs}: ${parts.join(", ")}; ${s.states} states in ${s.seconds.toFixed(1)} s`;
}

/** `without rule A3, A21` */
export const rulesOut = (run: CheckRun): string => `without rule ${run.without_rules.join(", ")}`;

const indented = (text: string, by: number, width: number): string[] =>
  wrapText(text, width - by).map((l) => " ".repeat(by) + l);

function verdictOf(run: CheckRun): readonly [string, Tone] {
  if (run.observed === "inconclusive") return ["?", "unsure"];
  if (run.expected === null) return ["-", "faint"];
  return run.ok ? ["ok", "good"] : ["FAIL", "bad"];
}

const settingsOf = (
  set: Readonly<Record<string, string>>,
  without: Readonly<Record<string, string>>,
): string[] =>
  Object.entries(set)
    .filter(([k, v]) => without[k] !== v)
    .map(([k, v]) => `${k}=${v}`);

/** The configuration behind fixed columns, broken where it does not fit. */
function runLines(
  run: CheckRun,
  common: Readonly<Record<string, string>>,
  width: number,
  paint: Paint,
): string[] {
  const [word, tone] = verdictOf(run);
  const verdict = paint(tone, word) + " ".repeat(4 - columns(word));
  const size = `${String(run.states).padStart(8)} ${String(run.depth).padStart(3)}`;
  const head = `  ${verdict}  ${pad(run.observed, 12)}${size}  `;
  const words = [run.machine, run.kernel, ...settingsOf(run.set, common)];
  const [first = "", ...rest] = breakWords(words, width - CONFIGURATION);
  return [head + first, ...rest.map((l) => " ".repeat(CONFIGURATION) + l)];
}

/** What there is to know about a run, beside its line. */
export function detailsOf(run: CheckRun): string[] {
  const domain = Object.entries(run.domain).map(([k, v]) => `${k}=${v}`);
  const how = run.exhaustive ? "every interleaving" : "not every interleaving";
  const knobs = run.depends_on?.length === 0 ? ["no knob"] : run.depends_on;
  const hangs = knobs?.join(", ") ?? "not found out";
  const undecided = run.undecided.length > 0 ? `; undecided: ${run.undecided.join(", ")}` : "";
  const cells = run.semantics === "window" ? "windows" : "single entries";
  const searched = `${run.transitions} transitions, ${run.engine} engine on ${cells}`;
  const known = run.observed !== "inconclusive";
  return [
    `${how} of ${domain.join(" ")}; ${searched}, ${run.seconds.toFixed(3)} s`,
    ...(known ? [`depends on: ${hangs}${undecided}`] : []),
  ];
}
