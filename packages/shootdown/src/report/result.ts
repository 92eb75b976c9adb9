// SPDX-License-Identifier: Apache-2.0
// What a check says, as plain data with the fields of the NDJSON: runs, mistakes and the summary.

import type { Witness } from "../study/witness.ts";
import type { ShownWitness } from "./shown.ts";

/** How runs are searched; the last three are parts of `fast` by name. */
export const ENGINES = ["auto", "fast", "reference", "wasm", "javascript", "closures"] as const;
export type Engine = (typeof ENGINES)[number];
/** How caches are searched: sets of possible values, or entry by entry. */
export const SEMANTICS = ["window", "concrete"] as const;
export type Semantics = (typeof SEMANTICS)[number];
export type Expected = "never" | "sometimes" | "always";
export type Observed = Expected | "inconclusive";

/** One run. */
export interface CheckRun {
  readonly type: "check";
  readonly file: string;
  readonly test: string;
  readonly machine: string;
  readonly kernel: string;
  /** Knobs that were fixed; the others that matter were run both ways. */
  readonly set: Readonly<Record<string, string>>;
  readonly drop: string | null;
  /** Rules of hardware that were taken out. */
  readonly without_rules: readonly string[];
  readonly expected: Expected | null;
  readonly observed: Observed;
  /** As expected; without an expectation, conclusive. */
  readonly ok: boolean;
  readonly property: string;
  readonly exhaustive: boolean;
  /** The limit that was hit. */
  readonly limit: string | null;
  readonly domain: Readonly<Record<string, number>>;
  readonly states: number;
  readonly transitions: number;
  /** States that were found and not visited yet, where the search was interrupted. */
  readonly queue?: number;
  readonly depth: number;
  readonly seconds: number;
  /** Of memory for states; only this depends on the number of workers. */
  readonly bytes: number;
  readonly engine: Exclude<Engine, "auto">;
  readonly semantics: Semantics;
  /** Reductions that were allowed. */
  readonly reductions: readonly string[];
  /** Knobs whose flip changes what is observed; null if that was not found out. */
  readonly depends_on: readonly string[] | null;
  /** Knobs of which that is not known: a search with them flipped hit a limit. */
  readonly undecided: readonly string[];
  /** Line of the Result line. */
  readonly line: number | null;
}

/** What `--witness` writes and `replay` reads. */
export type WitnessFile = Witness & { readonly drop?: string };

/** A run and, if it was asked for and there is one, what shows its verdict. */
export interface CheckResult {
  readonly run: CheckRun;
  /** How each cell was treated beside windows, and why. */
  readonly cells?: readonly string[];
  /** Knobs that the run's programs ask for, set or not. */
  readonly asks?: readonly string[];
  readonly witness?: WitnessFile;
  /** The witness replayed, step by step, for printers. */
  readonly shown?: ShownWitness;
}

/** A scenario whose runs follow. */
export interface CheckedFile {
  readonly file: string;
  readonly test: string;
  readonly property: string;
  readonly runs: number;
  /** Knobs that all runs fix alike. */
  readonly common: Readonly<Record<string, string>>;
}

/** How herd's tests are decided: in-order CPUs, or out-of-order effects too. */
export type LitmusMode = "protocol" | "arm";

/** A litmus test of herd, decided or not. */
export type LitmusResult = {
  readonly type: "litmus";
  readonly file: string;
  readonly test: string;
  readonly mode: LitmusMode;
} & (
  | {
      readonly supported: true;
      /** Whether FEAT_ETS2 was assumed. */
      readonly ets2: boolean;
      readonly observation: "Never" | "Sometimes" | "Always";
      readonly verdict: "Allowed" | "Forbidden" | "Required";
      /** Every final state, as herd7 prints it, sorted. */
      readonly states: readonly string[];
      /** How many of them have the condition. */
      readonly positive: number;
      readonly seconds: number;
    }
  | { readonly supported: false; readonly reason: string }
);

/** A mistake, ready to be printed by people's and by programs' readers. */
export interface Problem {
  readonly type: "error";
  /** The file it is in; null for a mistake of the command line. */
  readonly file: string | null;
  /** Line and column from 1, where there is a place. */
  readonly line: number | null;
  readonly column: number | null;
  readonly code: string | null;
  readonly message: string;
  readonly notes: readonly string[];
  /** All of it as compilers print it: position, message, the line, the mark, the notes. */
  readonly text: string;
}

export interface CheckSummary {
  readonly type: "summary";
  readonly runs: number;
  readonly ok: number;
  /** Of these `ok`, runs without an expectation. */
  readonly unjudged: number;
  readonly failed: number;
  readonly inconclusive: number;
  /** Files that could not be checked because of a mistake. */
  readonly errors: number;
  /** Litmus tests of herd that were decided. */
  readonly decided: number;
  /** And those that were not. */
  readonly unsupported: number;
  readonly states: number;
  readonly seconds: number;
  /** Stopped by the user before the last run. */
  readonly interrupted: boolean;
}

/** Prints results, in order; each method returns the text for stdout, often none. */
export interface Reporter {
  begin(files: number): string;
  file(file: CheckedFile): string;
  /** `path`: where the witness was written. */
  run(result: CheckResult, path: string | null): string;
  litmus(result: LitmusResult): string;
  /** A file with mistakes. */
  problems(file: string, problems: readonly Problem[]): string;
  end(summary: CheckSummary): string;
}

/** Counts results. */
export class CheckTally {
  private runs = 0;
  private ok = 0;
  private unjudged = 0;
  private failed = 0;
  private inconclusive = 0;
  private errors = 0;
  private decided = 0;
  private unsupported = 0;
  private states = 0;
  interrupted = false;

  run({ ok, expected, observed, states }: CheckRun): void {
    this.runs++;
    if (ok && expected === null) this.unjudged++;
    this.states += states;
    if (ok) this.ok++;
    else if (observed === "inconclusive") this.inconclusive++;
    else this.failed++;
  }

  litmus({ supported }: LitmusResult): void {
    if (supported) this.decided++;
    else this.unsupported++;
  }

  problem(): void {
    this.errors++;
  }

  summary(seconds: number): CheckSummary {
    const { runs, ok, unjudged, failed, inconclusive, errors, decided, unsupported } = this;
    const counts = { runs, ok, unjudged, failed, inconclusive, errors, decided, unsupported };
    const { states, interrupted } = this;
    const rounded = Math.round(seconds * 1000) / 1000;
    return { type: "summary", ...counts, states, seconds: rounded, interrupted };
  }
}

/** The exit status; the worst counts, in the order 2, 1, 3, 0. */
export function checkStatus(s: CheckSummary): 0 | 1 | 2 | 3 {
  if (s.errors > 0) return 2;
  if (s.failed > 0) return 1;
  return s.inconclusive > 0 || s.unsupported > 0 || s.interrupted ? 3 : 0;
}
