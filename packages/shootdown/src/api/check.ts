// SPDX-License-Identifier: Apache-2.0
// Checking a scenario: its text in, one plain result for each run out.

import { classify, treatmentTexts } from "../engine/classify.ts";
import type { Helpers } from "../explore/fast/team.ts";
import { DEFAULT_BYTES_MAX, type Limits, type Progress } from "../explore/search.ts";
import type { Scenario } from "../litmus/ast.ts";
import { DICTIONARY } from "../litmus/dictionary.ts";
import { conditionOf } from "../litmus/elaborate.ts";
import { parseScenario as parse } from "../litmus/parse.ts";
import { kindOf } from "../litmus/source.ts";
import { worldOf } from "../litmus/world.ts";
import type { CheckResult, CheckRun, LitmusMode, LitmusResult, Problem } from "../report/result.ts";
import { shownWitness } from "../report/shown.ts";
import type { Verdict } from "../study/check.ts";
import { Checker } from "../study/check.ts";
import type { Replay } from "../study/witness.ts";
import { replayWitness, witnessOf } from "../study/witness.ts";
import { checkLitmus } from "./litmus.ts";
import type { PlannedRun, Selection } from "./plan.ts";
import { planRuns } from "./plan.ts";
import { problemAt } from "./problem.ts";
import { type SearchingOptions, searchingOf } from "./searching.ts";

export interface CheckOptions extends Selection, SearchingOptions {
  /** How the file is called in results; default `<scenario>`. */
  readonly file?: string;
  readonly states_max?: number;
  readonly bytes_max?: number;
  /** How herd's tests are decided; default `protocol`. */
  readonly mode?: LitmusMode;
  /** Which runs get a witness; default: those that are not as expected. */
  readonly witness?: "none" | "unexpected" | "all";
  /**
   * Also find the knobs whose flip changes the verdict; default true. For runs that are not as
   * expected they are always found.
   */
  readonly depends_on?: boolean;
  /** Seconds of a clock; without one every time is 0. */
  readonly clock?: () => number;
  readonly progress?: (p: Progress, run: PlannedRun) => void;
  /** The same for a test of herd, with its name. */
  readonly herd_progress?: (p: Progress, test: string) => void;
  /** Threads that help where a search is long; results do not depend on them. */
  readonly helpers?: Helpers;
  /** Told what is known of a run, before its knobs are flipped. */
  readonly known?: (run: CheckRun) => void;
}

export type ParseResult =
  | { readonly ok: true; readonly scenario: Scenario; readonly text: string }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Reads a scenario; never throws, whatever the input. */
export function parseScenario(input: Uint8Array | string, file?: string): ParseResult {
  const named = file === undefined ? {} : { file };
  const read = parse(input, { dictionary: DICTIONARY, ...named });
  if (!read.ok) {
    return { ok: false, problems: read.diagnostics.map((d) => problemAt(d, read.text)) };
  }
  const condition = conditionOf(read.scenario, worldOf(read.scenario));
  if (!("why" in condition)) return read;
  const { span, why: message } = condition;
  return {
    ok: false,
    problems: [problemAt({ code: "C005", span, message, notes: [] }, read.text)],
  };
}

/** A scenario that was read, with the runs to make. */
export interface OpenCheck {
  readonly test: string;
  readonly property: string;
  readonly runs: readonly PlannedRun[];
  /** Knobs that all runs fix alike. */
  readonly common: Readonly<Record<string, string>>;
  /** Makes one of the runs. May throw what `progress` throws. */
  run(planned: PlannedRun): CheckResult;
}

export type OpenResult =
  | { readonly kind: "scenario"; readonly check: OpenCheck }
  /** A litmus test of herd, decided if it can be. */
  | { readonly kind: "litmus"; readonly result: LitmusResult }
  | { readonly kind: "problems"; readonly problems: readonly Problem[] };

/** Reads a scenario and plans its runs; a test of herd is decided at once. */
export function openCheck(input: Uint8Array | string, options: CheckOptions = {}): OpenResult {
  if (kindOf(input) === "aarch64") {
    const { progress: _, herd_progress: progress, ...rest } = options;
    const decided = checkLitmus(input, { ...rest, ...(progress ? { progress } : {}) });
    if (!decided.ok) return { kind: "problems", problems: decided.problems };
    return { kind: "litmus", result: decided.result };
  }
  const read = parseScenario(input, options.file);
  if (!read.ok) return { kind: "problems", problems: read.problems };
  const { scenario, text } = read;
  const plan = planRuns(scenario, text, options);
  if (!plan.ok) return { kind: "problems", problems: plan.problems };
  const checker = new Checker(scenario);
  const { property } = checker.condition;
  const run = (planned: PlannedRun) => makeRun(checker, planned, options);
  const { runs } = plan;
  const common = commonSettings(runs);
  return { kind: "scenario", check: { test: scenario.name.text, property, runs, common, run } };
}

function commonSettings(runs: readonly PlannedRun[]): Record<string, string> {
  const first = Object.entries(runs[0]?.set ?? {});
  return Object.fromEntries(first.filter(([k, v]) => runs.every(({ set }) => set[k] === v)));
}

/** Makes all runs of a scenario, one after the other, as they are asked for. */
export function* checkScenario(
  input: Uint8Array | string,
  options: CheckOptions = {},
): Generator<CheckResult, readonly Problem[]> {
  const opened = openCheck(input, options);
  if (opened.kind === "problems") return opened.problems;
  if (opened.kind === "litmus") return [];
  for (const planned of opened.check.runs) yield opened.check.run(planned);
  return [];
}

function makeRun(checker: Checker, planned: PlannedRun, options: CheckOptions): CheckResult {
  const { configuration, expected, drop } = planned;
  const clock = options.clock ?? (() => 0);
  const start = clock();
  const { progress, helpers } = options;
  const limits: Limits = {
    states_max: options.states_max ?? Number.POSITIVE_INFINITY,
    bytes_max: options.bytes_max ?? DEFAULT_BYTES_MAX,
  };
  const checking = {
    ...searchingOf(options),
    limits,
    ...(helpers ? { helpers } : {}),
    ...(drop ? { overlay: drop.overlay } : {}),
    ...(progress ? { progress: (p: Progress) => progress(p, planned) } : {}),
  };
  const told = (verdict: Verdict, depends_on: readonly string[] | null): CheckRun =>
    runOf(checker, planned, options, { verdict, depends_on, seconds: clock() - start });
  let verdict = checker.check(configuration, { ...checking, dependsOn: false });
  const { observed } = verdict;
  const ok = asExpected(expected, observed);
  if (((options.depends_on ?? true) || !ok) && observed !== "inconclusive") {
    options.known?.(told(verdict, null));
    verdict = checker.check(configuration, { ...checking, dependsOn: true });
  }
  const run = told(verdict, verdict.dependsOn);
  const wanted = options.witness ?? "unexpected";
  const asks = [...new Set(verdict.variants.flatMap((v) => v.program.knobs))].sort();
  const result = { run, asks, ...treated(verdict) };
  if (wanted === "none" || (wanted === "unexpected" && ok)) return result;
  return { ...result, ...shownBy(checker, planned, verdict, options) };
}

/** How cells were treated in the run that is shown. */
function treated({ variant }: Verdict): { cells?: readonly string[] } {
  if (variant.semantics === "concrete") return {};
  return { cells: treatmentTexts(classify(variant.program)) };
}

const asExpected = (expected: PlannedRun["expected"], observed: Verdict["observed"]): boolean =>
  expected === null ? observed !== "inconclusive" : observed === expected;

/** The run as it is reported. */
function runOf(
  checker: Checker,
  planned: PlannedRun,
  options: CheckOptions,
  found: {
    readonly verdict: Verdict;
    readonly depends_on: readonly string[] | null;
    readonly seconds: number;
  },
): CheckRun {
  const { configuration, expected } = planned;
  const { verdict, depends_on, seconds } = found;
  const { observed, variants } = verdict;
  const { engine = "fast" } = options;
  return {
    type: "check",
    file: options.file ?? "<scenario>",
    test: checker.scenario.name.text,
    machine: configuration.machine,
    kernel: configuration.kernelName,
    set: planned.set,
    drop: options.drop ?? null,
    without_rules: options.without_rules ?? [],
    expected,
    observed,
    ok: asExpected(expected, observed),
    property: verdict.property,
    exhaustive: verdict.exhaustive,
    limit: verdict.limit ?? null,
    domain: verdict.domain,
    states: verdict.states,
    transitions: verdict.transitions,
    depth: verdict.depth,
    seconds: Math.round(seconds * 1000) / 1000,
    bytes: verdict.bytes,
    engine: engine === "auto" ? "fast" : engine,
    semantics: variants.some((v) => v.semantics === "concrete") ? "concrete" : "window",
    reductions: searchingOf(options).reductions,
    depends_on,
    undecided: verdict.undecided,
    line: planned.line,
  };
}

function shownBy(
  checker: Checker,
  planned: PlannedRun,
  verdict: Verdict,
  options: CheckOptions,
): Pick<CheckResult, "witness" | "shown"> {
  const found = witnessOf(checker.scenario, planned.configuration, verdict, checker.condition);
  if (!found) return {};
  const witness = options.drop === undefined ? found : { ...found, drop: options.drop };
  const replay: Replay = replayWitness(found, verdict.variant.program, checker.condition);
  return { witness, shown: shownWitness(witness, replay) };
}
