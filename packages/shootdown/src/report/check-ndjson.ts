// SPDX-License-Identifier: Apache-2.0
// A check as NDJSON: one object a line, each with its `type`; the last is the summary.

import type { CheckResult, CheckSummary, LitmusResult, Problem, Reporter } from "./result.ts";

const line = (object: unknown): string => `${JSON.stringify(object)}\n`;

export class NdjsonReporter implements Reporter {
  begin(): string {
    return "";
  }

  file(): string {
    return "";
  }

  run({ run }: CheckResult, path: string | null): string {
    return line({ ...run, witness: path });
  }

  litmus(result: LitmusResult): string {
    return line(result);
  }

  problems(_file: string, problems: readonly Problem[]): string {
    return problems.map(problemLine).join("");
  }

  end(summary: CheckSummary): string {
    return line(summary);
  }
}

/** The object without the text for people. */
export const problemLine = ({ text: _, ...fields }: Problem): string => line(fields);
