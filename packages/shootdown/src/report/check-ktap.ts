// SPDX-License-Identifier: Apache-2.0
// A check as KTAP (Documentation/dev-tools/ktap.rst of the kernel): a test a file, a subtest a run.

import { detailsOf, litmusText, rulesOut } from "./check-text.ts";
import { wrapText } from "./columns.ts";
import { limitText } from "./covered.ts";
import type {
  CheckedFile,
  CheckResult,
  CheckRun,
  CheckSummary,
  LitmusResult,
  Problem,
  Reporter,
} from "./result.ts";
import { witnessLines } from "./witness.ts";

const WIDTH = 78;

const lines = (...text: readonly string[]): string => text.map((l) => `${l}\n`).join("");

/** `#` begins a directive, so names have none; nor line ends. */
const named = (text: string): string => text.replaceAll(/[#\r\n]/g, " ");

/** Diagnostic lines. */
const remark = (text: string, by = ""): string[] => text.split("\n").map((l) => `${by}# ${l}`);

export class KtapReporter implements Reporter {
  private tests = 0;
  private current: CheckedFile | undefined;
  private done = 0;
  private bad = false;

  begin(files: number): string {
    return lines("KTAP version 1", `1..${files}`);
  }

  file(file: CheckedFile): string {
    const before = this.close();
    this.current = file;
    this.done = 0;
    this.bad = false;
    return (
      before + lines("  KTAP version 1", `  # Subtest: ${named(file.file)}`, `  1..${file.runs}`)
    );
  }

  run({ run, shown }: CheckResult, path: string | null): string {
    this.done++;
    if (!run.ok) this.bad = true;
    const out: string[] = [];
    if (!run.ok) {
      out.push(
        ...remark(`expected ${run.expected ?? "a verdict"}, observed ${run.observed}`, "  "),
      );
      for (const detail of detailsOf(run)) {
        for (const l of wrapText(detail, WIDTH - 4)) out.push(...remark(l, "  "));
      }
      if (path !== null) out.push(...remark(`witness: ${path}`, "  "));
      if (shown) {
        for (const l of witnessLines(shown, { width: WIDTH - 4 })) out.push(...remark(l, "  "));
      }
    }
    const settings = Object.entries(run.set).map(([k, v]) => `${k}=${v}`);
    const rules = run.without_rules.length > 0 ? [rulesOut(run)] : [];
    const name = named([run.machine, run.kernel, ...settings, ...rules].join(" "));
    const verdict = run.ok ? "ok" : "not ok";
    return lines(...out, `  ${verdict} ${this.done} ${name}${directive(run)}`);
  }

  litmus(result: LitmusResult): string {
    const ok = `ok ${++this.tests} ${named(result.file)}`;
    if (!result.supported) return this.close() + lines(`${ok} # SKIP ${named(result.reason)}`);
    return this.close() + lines(...remark(litmusText(result)), ok);
  }

  problems(file: string, problems: readonly Problem[]): string {
    const before = this.close();
    const why = problems.flatMap((p) => remark(p.text));
    return before + lines(...why, `not ok ${++this.tests} ${named(file)} # ERROR`);
  }

  end(summary: CheckSummary): string {
    const before = this.close();
    const { ok, failed, inconclusive, interrupted } = summary;
    const stop = interrupted ? lines("Bail out! interrupted") : "";
    return (
      before + stop + lines(`# runs: ok ${ok}, failed ${failed}, inconclusive ${inconclusive}`)
    );
  }

  /** The line of the file whose runs are over. */
  private close(): string {
    if (!this.current) return "";
    const { file, runs } = this.current;
    this.current = undefined;
    const ok = !this.bad && this.done === runs;
    return lines(`${ok ? "ok" : "not ok"} ${++this.tests} ${named(file)}`);
  }
}

function directive(run: CheckRun): string {
  if (run.observed !== "inconclusive") return "";
  return ` # TIMEOUT ${named(run.limit === null ? "no verdict" : limitText(run.limit))}`;
}
