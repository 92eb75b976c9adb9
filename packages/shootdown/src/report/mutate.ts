// SPDX-License-Identifier: Apache-2.0
// What `mutate` prints: survivors, with -v every mutant, and counts.

import { type Paint, plain, wrapText } from "./columns.ts";

export interface MutantLine {
  readonly type: "mutant";
  readonly routine: string;
  readonly kernel: string;
  readonly step: number;
  readonly kind: string;
  readonly statement: string;
  readonly killed: boolean;
  /** The scenario that killed it, with its machine. */
  readonly by: string | null;
  /** By its result, by a property that holds of every kernel, or as it ends as none does. */
  readonly how: "result" | "property" | "ending" | null;
  /** Software does and sees the same in every run, and some run gets to what was edited. */
  readonly equivalent: boolean;
  readonly reached: boolean;
  /** Why it survives, from docs/MUTANTS.md. */
  readonly explained: string | null;
  /** Runs that use the routine, and those of which the program was another. */
  readonly runs: number;
  readonly differing: number;
  readonly seconds: number;
}

export interface MutateSummary {
  readonly type: "summary";
  readonly mutants: number;
  readonly killed: number;
  readonly equivalent: number;
  readonly survived: number;
  /** Of those that survived: explained; and not explained, as no run gets to what was edited. */
  readonly explained: number;
  readonly unreached: number;
  readonly seconds: number;
  readonly interrupted: boolean;
}

export function mutateSummary(
  lines: readonly MutantLine[],
  seconds: number,
  interrupted: boolean,
): MutateSummary {
  const survived = lines.filter((l) => !l.killed && !l.equivalent);
  return {
    type: "summary",
    mutants: lines.length,
    killed: lines.filter((l) => l.killed).length,
    equivalent: lines.filter((l) => l.equivalent).length,
    survived: survived.length,
    explained: survived.filter((l) => l.explained !== null).length,
    unreached: survived.filter((l) => l.explained === null && !l.reached).length,
    seconds: Math.round(seconds * 1000) / 1000,
    interrupted,
  };
}

/** 1: a survivor that nobody explains. */
export function mutateStatus(s: MutateSummary): 0 | 1 | 3 {
  if (s.survived > s.explained) return 1;
  return s.interrupted ? 3 : 0;
}

export interface MutateStyle {
  readonly width: number;
  readonly paint?: Paint;
  readonly verbose?: boolean;
}

export function mutantText(line: MutantLine, style: MutateStyle): string {
  const { routine, step, kind, statement, killed, by, equivalent, explained, runs } = line;
  const { width, paint = plain, verbose = false } = style;
  const name = `${kind} ${routine}:${step}  ${statement}`;
  const survived = !killed && !equivalent;
  if (!verbose && (!survived || explained !== null)) return "";
  const left = line.reached ? "SURVIVED" : "UNREACHED";
  const word = killed ? "killed" : equivalent ? "equivalent" : explained ? "explained" : left;
  const tone = survived && explained === null ? "bad" : "faint";
  const lines = wrapText(`${word.padEnd(10)} ${name}`, width).map((l) => paint(tone, l));
  if (killed) lines.push(`  by ${by}`);
  else if (explained !== null) lines.push(...wrapText(`  ${explained}`, width));
  else if (survived)
    lines.push(`  in ${runs} runs, of which ${line.differing} have another program`);
  return lines.map((l) => `${l}\n`).join("");
}

export function mutateText(s: MutateSummary): string {
  const decided = s.mutants - s.equivalent;
  const share =
    decided === 0 ? "" : ` (${((100 * s.killed) / decided).toFixed(1)} % of the others)`;
  const left = `${s.explained} of them explained, ${s.unreached} not reached`;
  const rest = `${s.survived} survived, ${left}`;
  const all = `${s.mutants} mutants: ${s.equivalent} equivalent, ${s.killed} killed${share}`;
  return `${all}; ${rest}; ${s.seconds.toFixed(1)} s${s.interrupted ? "; interrupted" : ""}\n`;
}
