// SPDX-License-Identifier: Apache-2.0
// Compares what the model answers for a test of herd with what herd7 answered.
//
//   protocol   a subset of herd's states, not empty, with every state of the strong execution
//   arm        herd's states, and the catalogue's verdicts with and without FEAT_ETS2

import type { CatalogueRow } from "../herd.ts";
import type { Answer, Question } from "./worker.ts";

export interface Judged {
  readonly row: CatalogueRow;
  /** Why it was not decided. */
  readonly unsupported: string | undefined;
  readonly crash: string | undefined;
  /** Whether herd finished, so that sets can be compared. */
  readonly comparable: boolean;
  readonly verdict: string | undefined;
  readonly verdictRight: boolean;
  /** States of herd's that are not ours, and the other way round. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];
  /** What breaks the rule of the mode, in words; empty if nothing does. */
  readonly defects: readonly string[];
}

/** The questions of one mode, as many for each row. */
export function questionsOf(mode: "protocol" | "arm", { file }: CatalogueRow): Question[] {
  if (mode === "protocol") {
    return [
      { file, mode, ets2: false },
      { file, mode: "strong", ets2: false },
    ];
  }
  return [
    { file, mode, ets2: false },
    { file, mode, ets2: true },
  ];
}

export function judge(
  mode: "protocol" | "arm",
  row: CatalogueRow,
  [first, second]: readonly Answer[],
): Judged {
  return mode === "protocol" ? judgeProtocol(row, first!, second!) : judgeArm(row, first!, second!);
}

function judgeProtocol(row: CatalogueRow, answer: Answer, strong: Answer): Judged {
  const base = compare(row, answer);
  if (answer.k !== "decided") return base;
  const defects: string[] = [];
  if (answer.states.length === 0) defects.push("no final state");
  for (const state of base.extra) defects.push(`not herd's: ${code(state)}`);
  if (strong.k === "decided") {
    for (const state of strong.states) {
      if (!answer.states.includes(state)) defects.push(`lacks the strong ${code(state)}`);
    }
  } else defects.push(`the strong execution: ${strong.reason}`);
  return { ...base, defects };
}

function judgeArm(row: CatalogueRow, answer: Answer, ets2: Answer): Judged {
  const base = compare(row, answer);
  if (answer.k !== "decided") return base;
  const defects: string[] = [];
  if (!base.verdictRight) defects.push(`${answer.verdict}, expected ${row.expected}`);
  for (const state of base.extra) defects.push(`not herd's: ${code(state)}`);
  for (const state of base.missing) defects.push(`lacks ${code(state)}`);
  if (ets2.k !== "decided") defects.push(`with ETS2: ${ets2.reason}`);
  else if (row.expected_ets2 !== "-" && ets2.verdict !== row.expected_ets2) {
    defects.push(`with ETS2 ${ets2.verdict}, expected ${row.expected_ets2}`);
  }
  return { ...base, defects };
}

function compare(row: CatalogueRow, answer: Answer): Judged {
  const comparable = row.observation !== "timeout" && row.states !== null;
  const base = { row, comparable, missing: [], extra: [], defects: [] };
  const none = { ...base, verdict: undefined, verdictRight: false };
  if (answer.k === "unsupported") {
    return { ...none, unsupported: answer.reason, crash: undefined };
  }
  if (answer.k === "crash") {
    const { reason } = answer;
    return { ...none, unsupported: undefined, crash: reason, defects: [`crash: ${reason}`] };
  }
  const { verdict, states } = answer;
  const herds = comparable ? row.states! : [];
  return {
    ...{ ...base, unsupported: undefined, crash: undefined, verdict },
    verdictRight: row.expected === "-" || verdict === row.expected,
    missing: herds.filter((s) => !states.includes(s)),
    extra: comparable ? states.filter((s) => !herds.includes(s)) : [],
  };
}

/** A state between backquotes; its blanks at the ends stay visible to nobody. */
const code = (state: string): string => `\`${state.trim()}\``;
