// SPDX-License-Identifier: Apache-2.0
// `shootdown mutate [PATH...]`: which statements of the kernel's routines no scenario would miss.

import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import {
  explainedMutants,
  type MutantLine,
  mutantText,
  mutateStatus,
  mutateSummary,
  mutateText,
  type Problem,
  planMutation,
  problem,
  type ScenarioText,
} from "../api/index.ts";
import { startCrew } from "./crew.ts";
import { explain, InputError, readInput, scenarioInputs } from "./files.ts";
import type { StudyTask } from "./jobs.ts";
import { addCommon, type CommonOptions, collect, count, reportAll, USAGE } from "./options.ts";
import { columnsOf, onUnread, out, paintFor } from "./output.ts";

const EXAMPLES = `
Each statement of the routines is dropped, moved, swapped with the next one, or
weakened, and the Result lines of the scenarios are run again, small ones first:
one that comes out otherwise kills the mutant. Only survivors are printed; -v
prints all. A survivor is explained by a line \`Mutant:\` of docs/MUTANTS.md.

Examples:
  shootdown mutate --routine ptep_clear_flush -v
  shootdown mutate litmus/permission-upgrade --kernel linux-6.12
  shootdown mutate --format ndjson > mutants.ndjson

Exit status: 0 no survivor is left unexplained, 1 one is, 2 usage or input error,
130 ended by Ctrl-C.`;

const INTERRUPTED = 130;

interface Options extends CommonOptions {
  readonly kernel: string;
  readonly routine?: readonly string[];
  readonly jobs?: number;
  readonly maxStates?: number;
  readonly from?: string;
  readonly resume?: string;
}

export function register(command: Command): void {
  command
    .argument("[path...]", "scenarios (default: the library, and pairs of an audit)")
    .option("--kernel <kernel>", "whose routines", "linux-6.12")
    .option("--routine <name>", "only this routine (repeatable)", collect)
    .option("-j, --jobs <n>", "workers (default: one a core)", count)
    .option("--max-states <n>", "a run that has more kills nothing (default 200000)", count)
    .option("--from <file>", "results of an earlier pass: what killed then is tried first")
    .option("--resume <file>", "results that are taken over, of a pass that was ended");
  addCommon(command, ["text", "ndjson"]).addHelpText("after", EXAMPLES).action(mutate);
}

async function mutate(paths: readonly string[], options: Options): Promise<void> {
  const { kernel, format } = options;
  const plan = planMutation(kernel, options.routine ?? []);
  const known = readKnown();
  const { texts, problems } = readAll(paths);
  const [earlier, done] = [readLines(options.from, kernel), readLines(options.resume, kernel)];
  const wrong = [
    ...(plan.ok ? [] : plan.problems),
    ...[...known.problems, ...problems, ...earlier.problems, ...done.problems],
  ];
  if (wrong.length > 0 || !plan.ok) {
    reportAll(wrong, format);
    process.exitCode = USAGE;
    return;
  }
  const tasks = plan.routines.map((routine): StudyTask => {
    const { maxStates } = options;
    const limits = maxStates === undefined ? {} : { states_max: maxStates };
    const { explained } = known;
    const pairs = paths.length === 0;
    const told = {
      earlier: earlier.lines.get(routine) ?? [],
      done: done.lines.get(routine) ?? [],
    };
    return { mutate: { kernel, routine, scenarios: texts, pairs, explained, ...told, ...limits } };
  });
  const lines: MutantLine[] = [];
  const start = performance.now();
  const style = {
    width: columnsOf(process.stdout),
    paint: paintFor(options.color, process.stdout),
    verbose: options.verbose === true,
  };
  const crew = startCrew<MutantLine[]>(
    tasks,
    options.jobs ?? availableParallelism(),
    (found, n) => {
      lines.push(...found);
      if (process.stderr.isTTY || options.verbose) {
        process.stderr.write(`${n + 1}/${tasks.length} ${plan.routines[n]}: ${found.length}\n`);
      }
      if (format === "ndjson") out(found.map((l) => `${JSON.stringify(l)}\n`).join(""));
      else out(found.map((l) => mutantText(l, style)).join(""));
    },
  );
  let interrupted = false;
  const stop = () => {
    interrupted = true;
    crew.stop();
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  onUnread(stop);
  try {
    await crew.done;
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
  }
  const summary = mutateSummary(lines, (performance.now() - start) / 1000, interrupted);
  out(format === "ndjson" ? `${JSON.stringify(summary)}\n` : mutateText(summary));
  process.exitCode = interrupted ? INTERRUPTED : mutateStatus(summary);
}

function readAll(paths: readonly string[]) {
  const texts: ScenarioText[] = [];
  const problems = scenarioInputs(paths).flatMap((input) => {
    try {
      if (input instanceof InputError) throw input;
      texts.push({ name: input.name, text: new TextDecoder().decode(readInput(input)) });
      return [];
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return [problem(error.message, { file: error.path })];
    }
  });
  return { texts, problems };
}

/** The results of an earlier pass with this kernel, by routine. */
function readLines(path: string | undefined, kernel: string) {
  const lines = new Map<string, MutantLine[]>();
  if (path === undefined) return { lines, problems: [] };
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return { lines, problems: [problem(explain(error), { file: path })] };
  }
  const problems: Problem[] = [];
  for (const [n, row] of text.split("\n").entries()) {
    if (!row.startsWith('{"type":"mutant"')) continue;
    const line = parsed(row);
    if (line === undefined) {
      const message = "not a line of `shootdown mutate --format ndjson`; was it cut short?";
      problems.push(problem(message, { file: path, line: n + 1 }));
    } else if (line.kernel === kernel) {
      lines.set(line.routine, [...(lines.get(line.routine) ?? []), line]);
    }
  }
  return { lines, problems };
}

function parsed(row: string): MutantLine | undefined {
  try {
    const line = JSON.parse(row) as MutantLine;
    return typeof line.kernel === "string" && typeof line.routine === "string" ? line : undefined;
  } catch {
    return undefined;
  }
}

/** docs/MUTANTS.md, as it was when the program was built. */
function readKnown() {
  const path = fileURLToPath(new URL("./MUTANTS.md", import.meta.url));
  return explainedMutants(readFileSync(path, "utf8"), path);
}
